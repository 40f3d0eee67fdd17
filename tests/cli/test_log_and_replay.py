"""`log`, `replay`, `run` and `journal`: finding what was not sent, and sending it again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.forked import popen
from support.live_sink import LiveSink

from sprig_tui.cli.filter_options import filter_text
from sprig_tui.journal.filter_completion import complete_word
from sprig_tui.journal.open import open_journal
from sprig_tui.journal.query import Query, Term
from sprig_tui.journal.records import Delivery, NewDelivery, State
from sprig_tui.reasons import Reason

Run = Callable[..., Any]


@pytest.fixture
def failed(cli: Run, configured: Path, sink: LiveSink, write: Run, answer: Run) -> Path:
    """Five answers of which one was refused, and one that is anonymous."""
    sink.set_faults("400~acct_2")
    file = write(*(answer(number) for number in range(5)), answer(9, userId=None))
    assert cli("send", file, "-e", "development").code == 1
    sink.set_faults()
    return file


def test_the_log_filters_by_words_and_by_options(cli: Run, failed: Path) -> None:
    assert [row["user_id"] for row in cli("log", "status:failed", "--json").rows] == ["acct_2"]
    assert [row["user_id"] for row in cli("log", "--status", "failed", "--json").rows] == ["acct_2"]
    assert len(cli("log", "-status:failed", "-status:withheld", "--json").rows) == 4
    assert len(cli("log", "survey:Checkout effort", "user:acct_1", "--json").rows) == 1
    assert len(cli("log", "--json", "-n", "2").rows) == 2
    assert [row["id"] for row in cli("log", "--json", "-n0").rows] == [1, 2, 3, 4, 5, 6]
    nothing = cli("log", "user:nobody")
    assert (nothing.code, nothing.out) == (0, "")
    assert "nothing matches" in nothing.err


@pytest.mark.parametrize("verb", [("log",), ("withdraw", "--yes"), ("replay", "--yes")], ids=lambda verb: verb[0])
def test_unknown_environment_is_named(cli: Run, failed: Path, verb: tuple[str, ...]) -> None:
    for way in (("-e", "prod"), ("env:prod",)):
        done = cli(*verb, *way)
        assert (done.code, done.out) == (2, "")
        assert "no environment is called 'prod'" in done.err
        assert "did you mean production?" in done.err
    assert cli("log", "-env:prod", "--json").rows


def test_an_environment_that_only_the_journal_has_is_a_filter(cli: Run, failed: Path) -> None:
    config = failed.parent / "home" / "config.toml"
    config = config if config.exists() else next(failed.parent.rglob("config.toml"))
    config.write_text(config.read_text().replace("environments.development", "environments.staging"))
    assert len(cli("log", "-e", "development", "--json").rows) == 6


def test_detail_shows_the_endpoint_of_a_sent_delivery(cli: Run, failed: Path, sink: LiveSink) -> None:
    told = cli("log", "--detail", "1").out
    assert f"was sent to   {sink.url}" in told
    assert "would go to" not in told
    assert cli("log", "--detail", "1", "--json").json["endpoint"] == sink.url


def test_detail_shows_the_endpoint_of_a_queued_delivery(cli: Run, configured: Path, write: Run, answer: Run) -> None:
    url = "http://127.0.0.1:9"
    assert cli("send", write(answer(1)), "-e", "development", "--no-wait", "--endpoint", url).code == 0
    told = cli("log", "--detail", "1").out
    assert f"would go to   {url}" in told
    assert "was sent to" not in told


@pytest.mark.parametrize("words", [("log", "--detail"), ("replay", "--yes", "--id"), ("log", "-n")])
def test_a_number_that_no_journal_can_hold_is_no_bug(cli: Run, failed: Path, words: tuple[str, ...]) -> None:
    done = cli(*words, "9" * 25)
    assert "bug" not in done.err
    assert done.code == 2 or len(done.out.splitlines()) == 6


def test_times_in_json_are_iso(cli: Run, failed: Path) -> None:
    row = cli("log", "--json", "-n1").rows[0]
    assert row["answered_at"] == "2025-03-04T16:21:09.114Z"
    assert row["added_at"].endswith("Z")
    assert row["reason"] == "anonymous"


def test_detail_shows_attempts_and_bodies(cli: Run, failed: Path) -> None:
    number = cli("log", "status:failed", "--json").rows[0]["id"]
    found = cli("log", "--detail", number, "--json").json
    assert found["history"][-1]["status"] == 400
    assert found["track"]["userId"] == "acct_2"
    assert found["raw"]["userId"] == "acct_2"
    shown = cli("log", "--detail", number)
    assert "track call" in shown.out
    assert '"userId": "acct_2"' in shown.out


def test_a_repaired_delivery_names_what_repaired_it(configured: Path, cli: Run, write: Run, answer: Run) -> None:
    cli("send", write(answer(1, userId=None), answer(2, userId=None)), "-e", "development")
    cli("send", write(answer(1, userId="acct_9")), "-e", "development")
    detail = " ".join(cli("log", "--detail", "1").out.split())
    assert "repaired by 3 made of it delivery 3, delivered attempts" in detail
    assert "made of 1" in " ".join(cli("log", "--detail", "3").out.split())
    told = cli("log", "--detail", "1", "--json").json
    assert (told["repaired_by"], told["made_of_it"]) == (3, [{"id": 3, "state": "delivered"}])
    assert cli("log", "is:repaired").out.rstrip().endswith("repaired by 3: anonymous: userId: no User ID in the record")
    assert [row["id"] for row in cli("log", "is:withheld", "-is:repaired", "--json").rows] == [2]
    status = cli("status").out
    assert "development: of these, 1 withheld are repaired: another delivery takes their place" in status
    assert "sprig-tui log status:failed,withheld -is:repaired" in status
    assert cli("status", "--json").json["environments"]["development"]["repaired"] == {"withheld": 1}
    assert "withheld 2, of which 1 repaired" in cli("journal", "info").out


def test_a_replay_says_what_is_repaired_already(cli: Run, failed: Path) -> None:
    number = cli("log", "status:failed", "--json").rows[0]["id"]
    cli("replay", "--id", str(number), "--as-new", "--yes", "--no-wait")
    counted = cli("replay", "status:failed", "--dry-run")
    assert "1 is repaired: another delivery was sent instead, and Segment counts both" in counted.err
    assert "is repaired" not in cli("replay", "status:failed", "-is:repaired", "--dry-run").err


def test_follow_shows_what_is_added_and_what_changes(configured: Path, cli: Run, write: Run, answer: Run) -> None:
    assert cli("send", write(answer(1)), "-e", "development").code == 0
    following = popen(
        ["log", "--follow", "--json", "status:delivered"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ),
    )
    assert following.stdout is not None
    assert b'"acct_1"' in following.stdout.readline()
    assert cli("send", write(answer(2)), "-e", "development").code == 0
    assert b'"acct_2"' in following.stdout.readline()
    following.send_signal(signal.SIGINT)
    _, err = following.communicate(timeout=30)
    assert following.returncode == 130
    assert b"Traceback" not in err


def test_follow_prints_a_delivery_again_when_it_is_repaired(
    configured: Path, start: Run, cli: Run, write: Run, answer: Run
) -> None:
    cli("send", write(answer(1, userId=None), answer(2, userId=None)), "-e", "development")
    following = start("log", "--follow", "-n1")
    assert following.process.stdout is not None
    shown = following.process.stdout
    assert shown.readline().split()[0] == "2"
    cli("send", write(answer(1, userId="acct_9")), "-e", "development")
    lines = [shown.readline()]
    while not any(line.split()[0] == "1" for line in lines):
        lines.append(shown.readline())
    assert lines[-1].rstrip().endswith("  repaired by 3: anonymous: userId: no User ID in the record")
    # what the delivery that repaired it goes through is no news of it
    cli("replay", "--id", "3", "--yes")
    cli("send", write(answer(4)), "-e", "development")
    while "acct_4" not in lines[-1]:
        lines.append(shown.readline())
    assert sum(line.split()[0] == "1" for line in lines) == 1


def test_follow_prints_a_delivery_again_when_its_repair_is_withdrawn(
    configured: Path, start: Run, cli: Run, write: Run, answer: Run
) -> None:
    cli("send", write(answer(1, userId=None)), "-e", "development")
    following = start("log", "--follow", "--json", "-n0", "id:1")
    assert following.process.stdout is not None
    shown = following.process.stdout
    assert json.loads(shown.readline())["repaired_by"] == 0
    cli("hold", "-e", "development")
    cli("send", write(answer(1, userId="acct_9")), "-e", "development", "--no-wait")
    assert json.loads(shown.readline())["repaired_by"] == 2
    cli("withdraw", "--id", "2", "--yes")
    assert json.loads(shown.readline())["repaired_by"] == 0


def test_replay_counts_first_and_sends_only_what_matches(cli: Run, failed: Path, sink: LiveSink) -> None:
    done = cli("replay", "status:failed", "--dry-run", "--json")
    assert (done.code, done.json["matched"], done.json["failed"]) == (0, 1, 1)
    refused = cli("replay", "status:failed")
    assert refused.code == 2
    assert "there is no terminal to confirm it at" in refused.err
    requests = sink.sink.stats.requests
    done = cli("replay", "status:failed", "--yes", "--json")
    assert (done.code, done.json["requeued"], done.json["delivered"]) == (0, 1, 1)
    assert sink.sink.stats.requests == requests + 1
    assert len(sink.sink.events) == 5
    assert cli("replay", "status:failed", "--yes").code == 0  # nothing left to do


def test_replay_by_id_and_as_new(cli: Run, failed: Path, sink: LiveSink) -> None:
    done = cli("replay", "--id", 1, "--yes", "--json")
    assert (done.code, done.json["delivered"]) == (0, 1)
    assert "Segment ignores repeats" in done.err
    assert sink.sink.stats.duplicates == 1
    done = cli("replay", "--id", 1, "--as-new", "--yes", "--json")
    assert (done.code, done.json["delivered"]) == (0, 1)
    assert len({event["messageId"] for event in sink.sink.events}) == 5
    assert sink.sink.stats.duplicates == 1


def test_bulk_replay_as_new_sends_each_once_more(cli: Run, failed: Path, sink: LiveSink) -> None:
    done = cli("replay", "status:delivered", "--as-new", "--yes", "--json")
    assert (done.code, done.json["requeued"], done.json["delivered"]) == (0, 4, 4)
    assert len(sink.sink.events) == 8


def test_replay_skips_deliveries_without_a_call(cli: Run, failed: Path) -> None:
    done = cli("replay", "reason:anonymous", "--yes", "--json")
    assert done.json["matched"] == 1
    assert done.code in (0, 1)
    assert "Traceback" not in done.err


def test_replay_without_waiting_is_done_by_run(cli: Run, failed: Path, sink: LiveSink) -> None:
    assert cli("replay", "status:failed", "--yes", "--no-wait").code == 0
    running = popen(
        ["run", "--status-every", "0.2s"],
        stderr=subprocess.PIPE,
        env=dict(os.environ),
    )
    sink.wait_until(lambda stats: stats.accepted == 5)
    running.send_signal(signal.SIGTERM)
    _, err = running.communicate(timeout=30)
    assert running.returncode == 0
    assert b"delivering for development, production" in err
    assert b"delivered 1" in err
    assert cli("log", "status:failed", "--json").out == ""


def test_run_takes_up_a_changed_config(configured: Path, cli: Run, sink: LiveSink, write: Run, answer: Run) -> None:
    config = configured / "config.toml"
    text = config.read_text()
    config.write_text(text.replace("[environments.development]", "[environments.elsewhere]"))
    running = popen(["run", "--status-every", "0"], stderr=subprocess.PIPE, env=dict(os.environ))
    assert running.stderr is not None
    assert b"delivering for elsewhere, production" in running.stderr.readline()
    assert cli("send", write(answer(1)), "-e", "development", "--no-wait").code == 0
    config.write_text(text)
    sink.wait_until(lambda stats: stats.accepted == 1)
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=30)
    assert running.returncode == 0


def test_prune_reports_first_and_keeps_queued_deliveries(cli: Run, failed: Path, write: Run, answer: Run) -> None:
    assert cli("send", write(answer(50)), "-e", "development", "--no-wait").code == 0
    assert cli("journal", "prune", "--older-than", "30d", "--json").json["by_state"] == {}
    refused = cli("journal", "prune", "--older-than", "0s")
    assert refused.code == 2
    assert "would remove 6 deliveries" in refused.err
    dry = cli("journal", "prune", "--older-than", "0s", "--dry-run", "--json")
    assert dry.json["removed"] is False
    assert dry.json["by_state"] == {"delivered": 4, "failed": 1, "withheld": 1}
    assert cli("journal", "prune", "--older-than", "0s", "--yes", "--json").json["removed"] is True
    assert [row["state"] for row in cli("log", "--json").rows] == ["queued"]
    assert cli("journal", "info", "--json").json["environments"]["development"]["queued"] == 1


def test_removed_deliveries_are_not_sent_again_unless_they_are_forgotten(
    cli: Run, failed: Path, sink: LiveSink, write: Run, answer: Run
) -> None:
    before = sink.sink.stats.events
    assert cli("journal", "prune", "--older-than", "0s", "--yes", "--json").json["forgotten"] == 0
    info = cli("journal", "info", "--json").json
    assert info["removed"]["environments"] == {"development": 4}
    assert 0 < info["removed"]["bytes"] < 1_000
    assert "removed, and known: 4 (development 4), about" in cli("journal", "info").out
    again = cli("send", failed, "-e", "development", "--json")
    assert (again.code, again.json["known"], again.json["delivered"], again.json["withheld"]) == (1, 4, 1, 1)
    assert sink.sink.stats.events == before + 1, "the one that had failed"
    assert "6 records, 4 of them known from before (removed from the journal since): 1 delivered" in again.err
    both = write(*(answer(number) for number in range(5)))
    told = cli("send", both, "-e", "development")
    assert (told.code, sink.sink.stats.events) == (0, before + 1)
    assert "5 records, all known from before (4 of them removed from the journal since): nothing new" in told.err
    refused = cli("journal", "prune", "--older-than", "0s", "--forget-identities")
    assert refused.code == 2
    assert "would remove 2 deliveries" in refused.err
    assert ", and what stays known of 4 removed earlier" in refused.err
    assert "an answer that is read again will be sent again" in refused.err
    dry = cli("journal", "prune", "--older-than", "0s", "--forget-identities", "--dry-run", "--json").json
    assert (dry["removed"], dry["forgotten"]) == (False, 4)
    gone = cli("journal", "prune", "--older-than", "0s", "--forget-identities", "--yes", "--json").json
    assert (gone["removed"], gone["forgotten"]) == (True, 4)
    assert cli("journal", "info", "--json").json["removed"]["environments"] == {}
    assert cli("send", both, "-e", "development", "--json").json["delivered"] == 5
    assert cli("journal", "prune", "--older-than", "0s", "--yes").code == 0
    only = cli("journal", "prune", "--older-than", "0s", "--forget-identities", "--yes")
    assert "removed what stays known of 5 removed earlier" in only.err
    assert "nothing to remove" in cli("journal", "prune", "--older-than", "0s", "--forget-identities").err


def test_filters_are_put_together_as_one_would_type_them() -> None:
    assert filter_text(["status:failed", "survey:Checkout effort", "two words", "\ue000user:x"], since="2h") == (
        'status:failed survey:"Checkout effort" "two words" -user:x since:2h'
    )
    assert "status:" in complete_word("sta")
    assert complete_word("status:q") == ["status:queued"]
    assert "reason:anonymous" in complete_word("reason:")


TEXTS = st.sampled_from(["", "acct_1", "acct_10", "Checkout effort", "checkout", "Ünïcode", "anonymous"])
TERMS = st.one_of(
    st.builds(Term, st.just("status"), st.sampled_from([*map(str, State), "200", "4xx"]), st.booleans()),
    st.builds(Term, st.just("reason"), st.sampled_from([*map(str, Reason)]), st.booleans()),
    st.builds(Term, st.just("env"), st.sampled_from(["production", "development"]), st.booleans()),
    st.builds(Term, st.sampled_from(["survey", "text"]), TEXTS.filter(bool), st.booleans()),
    st.builds(Term, st.just("user"), st.sampled_from(["acct_1", "ACCT_1*", "acct*", "x"]), st.booleans()),
    st.builds(Term, st.just("id"), st.sampled_from(["1", "2", "sprig-1", "SPRIG"]), st.booleans()),
    st.builds(Term, st.sampled_from(["since", "until"]), st.sampled_from(["1000", "2000", "3000"]), st.booleans()),
)


class _Clock:
    def now(self) -> int:
        return 2000


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(TEXTS, TEXTS, TEXTS, st.booleans(), st.sampled_from(["production", "development"])), max_size=5
    ),
    queries=st.lists(st.lists(TERMS, max_size=4), min_size=1, max_size=10),
)
async def test_following_matches_as_the_journal_does(tmp_path: Path, rows: Any, queries: Any) -> None:
    entries = [
        NewDelivery(
            environment=environment,
            message_id=f"sprig-{number}",
            user_id=user,
            survey_id="5120",
            survey_name=survey,
            answer=said,
            reason="anonymous" if anonymous else "",
            body=b"{}",
        )
        for number, (user, survey, said, anonymous, environment) in enumerate(rows, 1)
    ]
    async with open_journal(tmp_path / f"{uuid.uuid4().hex}.db", clock=_Clock()) as journal:
        if entries:
            await journal.add(entries)
        everything: tuple[Delivery, ...] = (await journal.page(Query(), limit=100)).deliveries
        for terms in queries:
            query = Query(tuple(terms))
            found = [one.id for one in (await journal.page(query, limit=100)).deliveries]
            assert found == [one.id for one in everything if query.matches(one)], msgspec.json.encode(query)


def test_answers_are_quoted_as_in_the_console(configured, cli, write, answer):
    said = answer(1, questionType="OPEN", response="4")
    cli("send", write(said, answer(2, response=4)), "-e", "development", "--no-wait")
    first, second = cli("log").out.splitlines()
    assert '  "4"' in first
    assert '"4"' not in second
