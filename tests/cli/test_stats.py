"""`stats`: tables with bars for people, and JSON in which each number has its filter."""

from __future__ import annotations

import re

import pytest
from msgspec.structs import replace

from sprig_tui.cli.statistics_text import bar_text, statistics_lines
from sprig_tui.journal.records import State
from sprig_tui.journal.statistics import Bucket, Statistics, StatisticsRequest, SurveyCounts


@pytest.fixture
def sent(configured, cli, write, answer):
    """A journal with two surveys, one of them with a hostile name, and what was withheld and failed."""
    records = [answer(number) for number in range(3)]
    records += [answer(4, userId=None), answer(5, surveyId=7, surveyName="N\x1b[31mPS \u202e" + "x" * 90)]
    cli("send", write(*records), "-e", "development")


def test_each_grouping_has_its_lines_and_a_filter_that_finds_them(sent, cli):
    hours = cli("stats")
    assert (hours.code, hours.err) == (0, "")
    assert re.match(r"5 arrived from \d{4}-\d\d-\d\d \d\d:00 to \d{4}-\d\d-\d\d \d\d:00:\n", hours.out)
    assert hours.out.splitlines()[1] == "4 delivered, 0 failed, 1 withheld, 0 queued"
    assert re.search(r"  5 +0 +4 +\d+ ms +\d+ ms  #+-+$", hours.out, re.MULTILINE)
    for by in ("day", "survey", "environment", "reason", "failure", "endpoint"):
        done = cli("stats", "--by", by)
        assert (done.code, done.err) == (0, "")
        assert max(map(len, done.out.splitlines())) <= 80, by
        assert not re.search(r"[\x1b\u202e]", done.out), by
    found = cli("stats", "--json").json
    assert found["total"] == {"queued": 0, "delivered": 4, "failed": 0, "withheld": 1}
    assert [(one["id"], one["anonymous"]) for one in found["surveys"]] == [("5120", 1), ("7", 0)]
    assert found["by_environment"][0]["environment"] == "development"
    for one in (found, *found["surveys"], *found["reasons"], *found["endpoints"], *found["by_environment"]):
        shown = cli("log", one["filter"], "-n", "0").out.splitlines()
        counts = one.get("total", one)
        assert len(shown) == sum(counts.get(state, 0) for state in ("queued", "delivered", "failed", "withheld"))
    last = found["buckets"][-1]
    assert len(cli("log", last["answered_filter"], "-n", "0").out.splitlines()) == last["answered"] == 4


def test_periods_and_what_they_may_not_be(sent, cli):
    assert "nothing arrived" in cli("stats", "--since", "2020-01-01", "--until", "2020-01-02").out
    assert len(cli("stats", "--since", "50h", "--json").json["buckets"]) == 51
    assert cli("stats", "--by", "survey", "--since", "2020-01-01", "--json").json["unit"] == "day"
    for arguments, text in (
        (("--since", "2020-01-01"), "4,000 hours at most"),
        (("--since", "1h", "--until", "2h"), "ends before it begins"),
        (("--since", "soon"), "--since: cannot read"),
        (("-e", "producton"), "production"),
    ):
        done = cli("stats", *arguments)
        assert done.code == 2, arguments
        assert text in done.err, arguments
    assert cli("stats", "-e", "production").out.startswith("nothing arrived")
    recounted = cli("stats", "--recount", "-e", "development")
    assert (recounted.code, recounted.err) == (0, "counting the deliveries of the journal, once ...\n")
    assert cli("stats", "-e", "development").out == recounted.out


def test_without_a_journal_and_with_a_broken_one(configured, cli):
    done = cli("stats")
    assert (done.code, done.out) == (0, "")
    assert "there is no journal yet" in done.err
    assert cli("stats", "--json").json["total"]["delivered"] == 0
    (configured / "journal.db").write_bytes(b"no journal " * 500)
    done = cli("stats")
    assert done.code == 2
    assert done.out == ""


@pytest.mark.parametrize("columns", [20, 40, 80, 120, 300])
@pytest.mark.parametrize("by", ["hour", "day", "survey", "reason", "endpoint"])
def test_tables_fit_any_width(columns, by):
    states = {State.DELIVERED: 12_345_678, State.FAILED: 1, State.QUEUED: 999}
    bucket = Bucket(since=0, until=3_600_000, arrived=states, answered=12_345_678, median_ms=65_536, p95_ms=65_536)
    statistics = Statistics(
        request=StatisticsRequest(),
        buckets=(bucket,),
        surveys=(SurveyCounts(id="1", name="N" * 90, states=states, anonymous=3),),
        environments={},
        reasons={"not-a-response": 7},
        failures={},
        endpoints={"https://a.example/" + "u" * 90: states},
    )
    lines = [*statistics_lines(statistics, by, columns)]
    start = lines.index("") + 1
    table = lines[start : lines.index("", start)]
    assert len(table) == 2
    assert all(len(line) <= max(columns, 28) for line in table)
    assert len(bar_text(states, 12_346_678, 10)) == 10
    assert bar_text({State.FAILED: 1}, 10**9, 10) == "x"


def test_a_run_of_empty_hours_is_one_line():
    hours = [Bucket(since=hour * 3_600_000, until=(hour + 1) * 3_600_000, arrived={}) for hour in range(24)]
    for busy in (3, 5, 23):
        hours[busy] = replace(hours[busy], arrived={State.DELIVERED: 1})
    statistics = Statistics(
        request=StatisticsRequest(),
        buckets=tuple(hours),
        surveys=(),
        environments={},
        reasons={},
        failures={},
        endpoints={},
    )
    lines = [*statistics_lines(statistics, "hour", 80)]
    start = lines.index("") + 1
    table = lines[start : lines.index("", start)]
    assert [line[:17].rstrip() for line in table if line.startswith("(")] == ["(3 empty hours)", "(17 empty hours)"]
    assert len(table) == len(("headings", "run", "busy", "one empty hour", "busy", "run", "busy"))
    assert "(17 empty days)" in "\n".join(statistics_lines(statistics, "day", 80))
