"""`reconcile`: the table of hours, reasons, strays, exit codes, and the replay of what is short."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import workspace_lookalike
from support.accepted_deliveries import write_journal
from support.counted_workspace import HOUR, CountedWorkspace, Happened
from support.live_sink import LiveSink

from sprig_tui.config.paths import paths_in_folder
from sprig_tui.reconcile import last_report

Run = Callable[..., Any]
PRODUCTION, DEVELOPMENT, MARKETING = (f"src{number:019d}" for number in (1, 2, 3))
AMPLITUDE = "dst0000000000000000001"
RECEIVED = "successfully-received"
OTHER_KEY = "Xq8TaaaaBBBBcccc1111DDDDeeee1Rkx"


@pytest.fixture
def now() -> int:
    """Half past this hour, so that hours ago are far from where the buckets meet."""
    return time.time_ns() // 1_000_000 // HOUR * HOUR + HOUR // 2


@pytest.fixture
def counts() -> Iterator[CountedWorkspace]:
    with CountedWorkspace() as api:
        yield api


@pytest.fixture
def delivered(home: Path, counts: CountedWorkspace, sink: LiveSink, now: int) -> Run:
    """A config for the fake workspace and the sink, and a journal with deliveries: (hours ago, how many, where)."""

    def make(*deliveries: tuple[float, int, str], key: str = workspace_lookalike.PRODUCTION_KEY) -> Path:
        home.mkdir()
        config = home / "config.toml"
        config.write_text(
            f'[segment]\npublic_api_token = "{workspace_lookalike.TOKEN}"\nregion = "{counts.url}"\n'
            f'[environments.production]\nwrite_key = "{key}"\nendpoint = "{sink.url}"\n'
            f'[environments.development]\nwrite_key = "{workspace_lookalike.DEVELOPMENT_KEY}"\n'
            f'endpoint = "{sink.url}"\n'
        )
        config.chmod(0o600)
        at = [
            (now - round(hours * HOUR) if hours else time.time_ns() // 1_000_000, number, name)
            for hours, number, name in deliveries
        ]
        asyncio.run(write_journal(str(home / "journal.db"), at, sink.url))
        return home

    return make


@pytest.fixture
def delivered_and_counted(cli: Run, delivered: Run, counts: CountedWorkspace, now: int) -> Run:
    """Compare 12 deliveries of so many hours ago with so many counts."""

    def run(hours: int, received: int, *options: str) -> Any:
        delivered((hours, 12, "production"))
        if received:
            counts.happen([Happened(RECEIVED, PRODUCTION, now - hours * HOUR, received)])
        return cli("reconcile", "-e", "production", *options)

    return run


def test_hours_fold_and_the_short_one_stands_alone(
    cli: Run, delivered: Run, counts: CountedWorkspace, now: int
) -> None:
    home = delivered(*((hours, 40, "production") for hours in range(3, 23)), (9, 500, "production"))
    counts.happen([Happened(RECEIVED, PRODUCTION, now - hours * HOUR, 40) for hours in range(3, 23)])
    counts.happen(
        [
            Happened(RECEIVED, PRODUCTION, now - 9 * HOUR, 497),
            Happened("filtered-at-destination", PRODUCTION, now - 9 * HOUR, 14, AMPLITUDE, "FILTERED_BY_RULES"),
            Happened("successful-delivery", PRODUCTION, now - 9 * HOUR, 1283, AMPLITUDE, "successes.attempt.1"),
            Happened(RECEIVED, MARKETING, now - 5 * HOUR, 41),
        ]
    )
    done = cli("reconcile")
    assert done.code == 1, done.err
    assert "short by 3 of 1,300 delivered" in done.out
    assert "under the same ids: sprig-tui reconcile --replay-short\n" in done.out
    table = done.out.partition("distinct  received\n")[2].splitlines()
    assert [line.split()[-3:] for line in table[:4]] == [
        ["520", "520", "agrees"],
        ["short", "by", "3"],
        ["240", "240", "agrees"],
        ["young", "to", "say"],
    ]
    assert "delivered 1,283  filtered 14  failed 0  accounts for all that the source passed on" in done.out
    assert "14 filtered: FILTERED_BY_RULES" in done.out
    assert "Marketing site: 41, and none of your keys belongs to it" in done.out
    assert f"with {len(counts.asked)} requests" in done.out
    assert not done.err, "progress is for terminals"
    report = last_report.load(paths_in_folder(str(home)))
    assert report is not None
    assert [one.short for one in report.environments] == [3, 0]
    assert "production, compared with Segment" in cli("status").out
    assert "short by 3 of 1,300 delivered" in cli("status").out
    compared = cli("status", "--json").json["environments"]["production"]["compared"]
    assert (compared["verdict"], compared["short"], compared["obstacle"]) == ("short", 3, None)


@pytest.mark.parametrize(
    ("received", "said"),
    [
        (12, "✓ the source Acme production kept what came in that hour: yes"),
        (10, "? the source Acme production kept what came in that hour: cannot be known"),
    ],
)
def test_an_explanation_holds_the_counts_against_what_was_delivered(
    cli: Run, delivered: Run, counts: CountedWorkspace, now: int, received: int, said: str
) -> None:
    delivered((5, 12, "production"))
    counts.happen([Happened(RECEIVED, PRODUCTION, now - 5 * HOUR, received, event="x")])
    done = cli("explain", "1")
    assert said in done.out.splitlines()
    assert ("; 12 were delivered then; some are missing" in done.out) == (received < 12)


def test_json_has_the_same_with_times_for_programs(
    cli: Run, delivered: Run, counts: CountedWorkspace, now: int
) -> None:
    delivered((5, 12, "production"))
    counts.happen([Happened(RECEIVED, PRODUCTION, now - 5 * HOUR, 10)])
    done = cli("reconcile", "--json", "-e", "production")
    assert done.code == 1
    production = done.json["environments"][0]
    assert (production["verdict"], production["short"], production["obstacle"]) == ("short", 2, None)
    (shortfall,) = production["shortfalls"]
    assert shortfall["short"] == 2
    bucket = next(one for one in production["buckets"] if one["distinct"])
    assert (bucket["received"], bucket["verdict"], bucket["start"]) == (10, "short", shortfall["start"])
    assert bucket["start"].endswith(":00:00.000Z")
    assert done.json["requests"] == len(counts.asked)


@pytest.mark.parametrize(
    ("hours", "received", "options", "code", "said"),
    [
        (5, 12, (), 0, "agrees: Segment received 12, and 12 were delivered"),
        (5, 12, ("--since", "4h"), 0, "nothing to compare"),
        (5, 20, (), 0, "nothing shows as missing; 8 more than we sent"),
        (5, 0, (), 1, "short by 12 of 12 delivered"),
        (0, 0, ("--since", "5m"), 0, "too young to say"),
        (5, 12, ("--since", "60d"), 0, "a part could not be asked: Segment keeps counts for 30 days only"),
        (5, 12, ("--since", "60d", "--until", "40d"), 0, "not compared: Segment keeps counts for 30 days only"),
        (5, 12, ("--by", "day", "--since", "2d", "--until", "today"), 0, "nothing to compare"),
    ],
)
def test_exit_code_says_what_the_comparison_says(
    delivered_and_counted: Run, hours: int, received: int, options: tuple[str, ...], code: int, said: str
) -> None:
    if options[:2] == ("--by", "day"):
        hours, received = 0, 0
    done = delivered_and_counted(hours, received, *options)
    assert (done.code, done.err) == (code, "")
    assert said in done.out


def test_config_and_network_have_exit_codes_of_their_own(
    cli: Run, delivered: Run, counts: CountedWorkspace, home: Path
) -> None:
    delivered((5, 12, "production"), key=OTHER_KEY)
    done = cli("reconcile")
    assert done.code == 2
    assert "not compared: its Write Key belongs to no source of this workspace" in done.out
    assert "12 were answered 200 with it: they went to another workspace, or nowhere" in done.out
    assert cli("reconcile", "-e", "development").code == 0
    counts.refusals = {"/sources?": 401}
    done = cli("reconcile")
    assert (done.code, "the token may not read this" in done.out) == (2, True)
    counts.down()
    done = cli("reconcile")
    assert (done.code, "could not be reached" in done.out) == (3, True)
    done = cli("reconcile", "--since", "2100-01-01")
    assert (done.code, "--since lies ahead" in done.err) == (2, True)
    (home / "config.toml").write_text(f'[environments.production]\nwrite_key = "{OTHER_KEY}"\n')
    done = cli("reconcile")
    assert (done.code, "sprig-tui keys workspace" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("--since", "soon"), "--since: cannot read 'soon' as a time"),
        (("--since", "1h", "--until", "2h"), "--since is not before --until"),
        (("--watch", "5m", "--replay-short"), "--watch only looks"),
        (("--yes",), "--yes goes with --replay-short"),
        (("-e", "produktion"), "no environment is called 'produktion'"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(cli: Run, delivered: Run, argv: tuple[str, ...], said: str) -> None:
    delivered()
    done = cli("reconcile", *argv)
    assert done.code == 2
    assert said in done.err


def test_names_of_segment_cannot_write_to_the_terminal(
    cli: Run, delivered: Run, counts: CountedWorkspace, now: int
) -> None:
    delivered((9, 5, "production"))
    evil = "Acme\x1b[2J\nproduction: agrees"
    counts.sources[0]["name"] = counts.sources[2]["name"] = counts.destinations[0]["name"] = evil
    counts.happen(
        [
            Happened(RECEIVED, PRODUCTION, now - 9 * HOUR, 5),
            Happened(RECEIVED, MARKETING, now - 9 * HOUR, 5),
            Happened("filtered-at-source", PRODUCTION, now - 9 * HOUR, 1, reason=evil),
            Happened("failed-delivery", PRODUCTION, now - 9 * HOUR, 4, AMPLITUDE, evil),
        ]
    )
    counts.refusals = {"/failed-on-ingest": 403}
    done = cli("reconcile")
    assert "\x1b" not in done.out
    assert not any(line.startswith("production: agrees") for line in done.out.splitlines())
    assert done.out.count("Acme") >= 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_watch_compares_again_and_a_failure_does_not_end_it(
    start: Run, delivered: Run, counts: CountedWorkspace, now: int, number: signal.Signals
) -> None:
    home = delivered((5, 12, "production"))
    watching = start("reconcile", "--watch", "1s", "--json", "-e", "production")
    first = json.loads(watching.process.stdout.readline())
    assert first["environments"][0]["short"] == 12
    config = home / "config.toml"
    good = config.read_text()
    config.write_text("[environments")
    watching.until("no comparison this time")
    counts.happen([Happened(RECEIVED, PRODUCTION, now - 5 * HOUR, 12)])
    config.write_text(good)
    rounds = (json.loads(line) for line in iter(watching.process.stdout.readline, ""))
    assert any(one["environments"][0]["verdict"] == "agrees" for one in itertools.islice(rounds, 30))
    assert watching.stop(number) == 130


# -- replay -----------------------------------------------------------------------------------------------------------


def test_replay_of_the_short_time_needs_a_yes_and_keeps_the_ids(
    cli: Run, delivered: Run, counts: CountedWorkspace, sink: LiveSink, now: int
) -> None:
    delivered((9, 12, "production"), (7, 5, "production"), (9, 3, "development"))
    counts.happen(
        [
            Happened(RECEIVED, PRODUCTION, now - 9 * HOUR, 10),
            Happened(RECEIVED, PRODUCTION, now - 7 * HOUR, 5),
            Happened(RECEIVED, DEVELOPMENT, now - 9 * HOUR, 3),
        ]
    )
    done = cli("reconcile", "--replay-short")
    assert done.code == 2
    assert "production: short by 2" in done.err
    assert "12 were delivered then and not again later" in done.err
    assert "nothing was replayed: there is no terminal to confirm it at" in done.err
    assert "and 2 more" in done.out
    assert "reconcile --replay-short" not in done.out, "that is what runs"
    assert not sink.sink.events
    done = cli("reconcile", "--replay-short", "--yes")
    assert done.code == 0, done.err
    assert "12 queued again; now: 12 delivered" in done.err
    ids = {row["message_id"] for row in cli("log", "-n", "0", "--json").rows[:12]}
    assert {event["messageId"] for event in sink.sink.events} == ids
    agreed = cli("reconcile", "--replay-short")
    assert "none is left to replay" in agreed.err, "they were sent again later"


def test_replay_that_segment_may_have_forgotten_takes_an_explicit_yes(
    cli: Run, delivered: Run, counts: CountedWorkspace, sink: LiveSink
) -> None:
    delivered((22, 12, "development"))
    done = cli("reconcile", "--replay-short")
    assert done.code == 2
    assert "it may count and forward those that it has a second time" in done.err
    assert "add --yes" in done.err
    assert not sink.sink.events
    assert cli("reconcile", "--replay-short", "--yes").code == 0
    assert len(sink.sink.events) == 12


def test_person_says_no_and_all_lines_fit_the_screen(
    terminal: Run, delivered: Run, counts: CountedWorkspace, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    delivered((9, 12, "development"), (7, 4, "development"))
    counts.sources[2]["name"] = "A source with a name that is a good deal longer than that of others"
    counts.happen(
        [
            Happened(RECEIVED, DEVELOPMENT, now - 9 * HOUR, 10),
            Happened("filtered-at-source", DEVELOPMENT, now - 9 * HOUR, 1, reason="common_schema_violation"),
            Happened(RECEIVED, MARKETING, now - 9 * HOUR, 41),
        ]
    )
    at = terminal("reconcile", "--replay-short", "-e", "development")
    at.says("replay 16? [y/N]")
    at.types("\n")
    assert at.ends() == 1
    assert "nothing was replayed" in at.seen
    shown = at.seen.partition("asking Segment")[2].rpartition("\r\x1b[K")[2]
    report = shown.partition("requests")[0]
    assert report.count("\n") > 10
    assert all(len(plain(line)) <= 80 for line in report.splitlines())


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*[mK]", "", text).rstrip("\r")
