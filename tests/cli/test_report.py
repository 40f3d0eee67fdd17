"""The numbers of a run add up: records = new + known, new = delivered + failed + withheld + queued."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sprig_tui.cli.report import Account
from sprig_tui.ingest.ingest import IngestResult
from sprig_tui.journal.records import AddResult, NewDelivery, State

STATES = ("delivered", "failed", "withheld", "queued")


def assert_adds_up(told: dict[str, Any]) -> None:
    assert told["records"] == told["new"] + told["known"]
    assert told["new"] == sum(told[state] for state in STATES)


def test_fifty_copies_of_one_answer(configured, sink, cli, write, answer):
    file = write(*[answer(1)] * 50)
    first = cli("send", file, "-e", "development", "--json")
    assert_adds_up(first.json)
    assert [first.json[name] for name in ("records", "new", "known", "delivered")] == [50, 1, 49, 1]
    assert "50 records, 49 of them repeats: 1 delivered\n" in first.err
    again = cli("send", file, "-e", "development", "--json")
    assert_adds_up(again.json)
    assert [again.json[name] for name in ("records", "new", "known", "delivered")] == [50, 0, 50, 0]
    assert "50 records, all known from before: nothing new\n" in again.err
    assert "delivered" not in again.err


def test_send_report_names_known_failures_behind_the_exit_code(configured, sink, cli, write, answer):
    file = write(answer(1), answer(2), answer(3, userId=None))
    cli("send", file, "-e", "development", "--no-wait")
    assert cli("withdraw", "--all", "--yes").code == 0
    again = cli("send", file, "-e", "development")
    assert again.code == 1
    assert "nothing new; among them 3 withheld (withdrawn 2, anonymous 1)\n" in again.err


def test_send_report_separates_earlier_queued_answers(configured, sink, cli, write, answer):
    stored = cli("send", write(answer(1), answer(2)), "-e", "development", "--no-wait", "--json")
    assert (stored.json["new"], stored.json["queued"]) == (2, 2)
    same = cli("send", write(answer(1), answer(2)), "-e", "development", "--no-wait")
    assert "2 records, all known from before: nothing new; 2 that were queued before still are\n" in same.err
    sent = cli("send", write(answer(1), answer(2), answer(3)), "-e", "development", "--json")
    assert_adds_up(sent.json)
    assert (sent.json["delivered"], sent.json["queued_before"]["delivered"]) == (1, 2)
    assert "3 records, 2 of them known from before: 1 delivered; also delivered 2 that were queued before\n" in sent.err


def test_equal_broken_lines_each_stand_with_their_place(configured, sink, cli, write):
    lines = ["oops", '{"a":', "oops", "oops"]
    told = cli("send", write(*lines), "-e", "development", "--json", "--force")
    assert_adds_up(told.json)
    assert [told.json[name] for name in ("records", "new", "known", "withheld")] == [4, 4, 0, 4]
    assert [row["line"] for row in cli("log", "--json").rows] == [1, 2, 3, 4]
    assert len({row["message_id"] for row in cli("log", "--json").rows}) == 4
    again = cli("send", write(*lines), "-e", "development", "--json", "--force")
    assert [again.json[name] for name in ("new", "known", "withheld")] == [0, 4, 0]
    moved = cli("send", write("another", *lines, name="moved.jsonl"), "-e", "development", "--json", "--force")
    assert (moved.json["new"], moved.json["known"]) == (1, 4), "what was put in front makes none of them new"


def test_a_dry_run_adds_up_too(configured, cli, write, answer):
    file = write(answer(1), answer(1), answer(2, userId=None), answer(2, userId=None), answer(1, response=1))
    told = cli("send", file, "-e", "development", "--dry-run", "--json")
    assert_adds_up(told.json)
    assert [told.json[name] for name in ("records", "new", "known", "queued", "withheld")] == [5, 3, 2, 1, 2]
    assert "2 are repeats; nothing was stored or sent" in told.err
    real = cli("send", file, "-e", "development", "--no-wait", "--json").json
    assert {name: real[name] for name in ("new", "known", "queued", "withheld", "reasons")} == {
        name: told.json[name] for name in ("new", "known", "queued", "withheld", "reasons")
    }


LINES = st.one_of(
    st.tuples(st.just("answer"), st.integers(1, 4), st.sampled_from([None, "a", "b"])),
    st.tuples(st.just("anonymous"), st.integers(1, 2), st.none()),
    st.tuples(st.just("broken"), st.integers(1, 2), st.none()),
)


@given(runs=st.lists(st.tuples(st.lists(LINES, min_size=1, max_size=12), st.booleans()), min_size=1, max_size=3))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_mix_of_lines_and_runs_adds_up(configured, sink, cli, write, answer, runs):
    sink.set_faults("400~acct_3")
    for name in ("journal.db", "journal.db-wal", "journal.db-shm"):
        (configured / name).unlink(missing_ok=True)
    stored = 0
    for lines, waits in runs:
        rows = []
        for kind, number, said in lines:
            if kind == "broken":
                rows.append(f"broken {number}")
            elif kind == "anonymous":
                rows.append(answer(number, userId=None, responseGroupUid=f"nobody-{number}"))
            else:
                rows.append(answer(number, **({"response": said} if said else {})))
        file = write(*rows)
        tried = cli("send", file, "-e", "development", "--dry-run", "--json", "--force").json
        assert_adds_up(tried)
        assert tried["records"] == len(lines)
        done = cli("send", file, "-e", "development", "--json", "--force", *([] if waits else ["--no-wait"]))
        told = done.json
        assert_adds_up(told)
        assert told["records"] == len(lines)
        assert told["queued"] == 0 or not waits
        rows_now = cli("log", "--json", "-n", 0).rows
        assert len(rows_now) == stored + told["new"], "each new one is a row"
        new_rows = rows_now[stored:]
        for state in STATES:
            assert told[state] == sum(row["state"] == state for row in new_rows)
        stored = len(rows_now)
        _assert_words(done.err, told)


def _assert_words(said: str, told: dict[str, Any]) -> None:
    """The line for people has the same numbers."""
    [line] = [line for line in said.splitlines() if re.match(r"\d+ records?[,:]", line)]
    assert line.startswith(f"{told['records']} record")
    if not told["new"]:
        assert "all known from before: nothing new" in line
        return
    what = line.split(": ", 1)[1].split(";")[0]
    for state in STATES:
        found = re.search(rf"(\d+) {state}", what)
        assert int(found[1] if found else 0) == told[state], line


def test_repeats_and_known_records_are_counted_across_chunks():
    fed = IngestResult()

    def entry() -> NewDelivery:
        return NewDelivery("development", "x")

    fed.add_chunk([entry()] * 3, [AddResult(7, "new", State.QUEUED), AddResult(7, "known", State.QUEUED), _known(3)])
    fed.add_chunk([entry()] * 3, [_known(7), AddResult(9, "new", State.WITHHELD, "anonymous"), _known(8)])
    assert (fed.records, fed.new, fed.known, fed.repeats) == (6, 2, 4, 2)
    assert list(fed.added) == [(7, 7), (9, 9)]
    assert list(fed.queued_before) == [(3, 3), (8, 8)]


def _known(number: int) -> AddResult:
    return AddResult(number, "known", State.QUEUED)


@pytest.mark.parametrize("gap", [2, 3])
def test_however_scattered_the_new_ones_are_they_are_counted_exactly(gap):
    fed = IngestResult()
    ids = range(1, 3_000 * gap, gap)
    fed.add_chunk([NewDelivery("e", "x")] * len(ids), [AddResult(one, "new", State.QUEUED) for one in ids])
    assert len(fed.added) == fed.new == len(ids)


def test_words_of_a_run_that_found_earlier_ones_in_several_states():
    from collections import Counter

    before = Counter({(State.DELIVERED, ""): 3, (State.FAILED, ""): 1, (State.QUEUED, ""): 1})
    account = Account(6, 5, 0, Counter({(State.DELIVERED, ""): 1}), before)
    assert account.text() == (
        "6 records, 5 of them known from before: 1 delivered;"
        " of 5 that were queued before: 3 delivered, 1 failed, 1 queued"
    )
    assert json.loads(json.dumps(account.as_json()))["queued_before"]["delivered"] == 3
