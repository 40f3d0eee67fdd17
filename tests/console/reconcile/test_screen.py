"""Reconcile screen in the real console, with comparisons built by hand."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from sprig_tui.console.reconcile.screen import RANGES, ReconcileScreen
from sprig_tui.errors import SprigTuiError
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import Attempt, NewDelivery, Settlement, State
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.reconcile.model import Obstacle, Verdict

from .reports import AMPLITUDE, HOSTILE, HOUR_MS, NOW, THIS_HOUR, bucket, day, environment, report

CONFIG = """\
[environments.production]
write_key = "Zq8TinventedKeyOfThirtyTwoChE1Rk"
protected = false
[environments.development]
write_key = "Bb7UanotherMadeUpKeyOfThirty2c9Q"
"""
TOKEN = '[segment]\npublic_api_token = "sgp_madeUpTokenOfTheWorkspace"\n'
SIZES = [(80, 24), (120, 40), (200, 60)]


class Workspace:
    """What a comparison returns; each one that is asked for is noted, and waits while `hold` is set."""

    def __init__(self) -> None:
        self.asked = []
        self.answer = report()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.cancelled = 0

    async def compare(self, _settings, _journal, wanted, on_progress):
        self.asked.append(wanted)
        on_progress("3 of 12 requests: [/x] production")
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def workspace(console) -> Workspace:
    console.write(CONFIG + TOKEN)
    console.paths.config_file.chmod(0o600)
    console.paths.state_dir.mkdir(exist_ok=True)
    (console.paths.state_dir / "console.json").write_text('{"version": 1, "environment": "production"}')
    one = Workspace()
    console.compare_counts = one.compare
    return one


@pytest.fixture
async def delivered(console, clock) -> dict[str, int]:
    """Three deliveries of production by when Segment answered: 14, 13 and 2 hours before the present one."""
    ids = {}
    async with SQLiteJournal(console.paths.journal_file, clock=clock) as journal:
        for number, (name, hours) in enumerate((("long ago", 30), ("in the short hour", 3), ("after it", 2))):
            given = NewDelivery("production", f"sprig-{number:032x}", survey_name=name, user_id="u", body=b'{"a":1}')
            (added,) = await journal.add([given])
            ids[name] = added.id
            claim = await journal.claim(ClaimRequest("production", events=10, payload_bytes=99_999, lease_ms=60_000))
            attempt = Attempt(
                started_at=THIS_HOUR - hours * HOUR_MS + 60_000,
                status=200,
                outcome="delivered",
                latency_ms=38,
                events=1,
            )
            await journal.settle(claim, [Settlement(ids=claim.ids, state=State.DELIVERED, attempt=attempt)])
    return ids


def words(console) -> str:
    """The screen without its frames, each word once separated."""
    return " ".join(console.text().replace("│", " ").split())


def on_screen(pilot):
    return isinstance(pilot.app.screen, ReconcileScreen)


async def test_screen_and_an_error_above_what_was_compared_before(console, clock, workspace, snapshot):
    async with console.running(size=SIZES[0], clock=clock, engine=False) as pilot:
        await console.press("c")
        await console.until(lambda: "short by 3" in console.text())
        await console.press("n")
        await snapshot(pilot, "reconcile", sizes=SIZES)
        await pilot.resize_terminal(*SIZES[0])
        workspace.answer = SprigTuiError("Segment's Public API\x1b cannot be reached", hint="try again")
        await console.press("r")
        await console.until(lambda: "Public API␛ cannot be reached; try again" in words(console))
        assert "short by 3" in console.text()


async def test_screen_shows_every_verdict_and_hostile_names_as_text(console, clock, workspace, snapshot):
    hours = [bucket(23 - at, at * 7) for at in range(24)]
    hours[4:7] = [
        replace(one, received=None, verdict=Verdict.CANNOT_ASK, obstacle=Obstacle.TOO_OLD) for one in hours[4:7]
    ]
    hours[9] = bucket(14, 63, 90, verdict=Verdict.MORE)
    hours[12] = bucket(11, 84, short=84)
    hours[23] = bucket(0, 161, 30, verdict=Verdict.TOO_YOUNG)
    destination = replace(
        AMPLITUDE, name=HOSTILE, kind="", discards=(replace(AMPLITUDE.discards[0], reason="\x1b]0;x\x07[/x]"),)
    )
    others = [environment(f"staging-{at}", buckets=day(short_at=at)) for at in range(3)]
    workspace.answer = report(
        environment(buckets=tuple(hours), source_name=HOSTILE, source_enabled=False, destinations=(destination,)),
        environment("development", verdict=Verdict.CANNOT_ASK, obstacle=Obstacle.NO_KEY, buckets=()),
        *others,
        event=HOSTILE,
        complete=False,
    )
    async with console.running(size=SIZES[0], clock=clock, engine=False) as pilot:
        await console.press("c")
        await console.until(lambda: "short by 84" in console.text())
        await snapshot(pilot, "reconcile-verdicts", sizes=SIZES[:2])


async def test_walk_from_the_picture_to_the_deliveries_by_keys_by_mouse_and_by_the_palette(
    console, clock, workspace, delivered
):
    async with console.running(clock=clock, engine=False) as pilot:
        await console.press("c")
        await console.until(lambda: "! 11:00 to 12:00: short by 3" in console.text())
        await console.press("G")
        assert "┊ 14:00 to 15:00: too young to say" in console.text()
        assert len(workspace.asked) == 1
        assert workspace.asked[0].until - workspace.asked[0].since == 24 * HOUR_MS
        await console.press("j", "h")
        assert "✓ 13:00 to 14:00: agrees" in console.text()
        assert "development is the source" in console.text()
        await console.press("n")
        assert console.notices()[-1] == "no time of this environment is short"
        await console.press("k", "G", "n")
        assert "! 11:00 to 12:00: short by 3" in console.text()
        await console.press("home")
        assert "✓ 20 Sep 15:00 to 16:00: agrees" in console.text()
        await console.press("n", "enter")
        assert not on_screen(pilot)
        assert pilot.app.focused_scope() == "deliveries"
        await console.until(lambda: pilot.app.main.deliveries.lines.count == 1)
        text = "env:production status:delivered sent-since:2026-09-21T11:00 sent-until:2026-09-21T12:00"
        assert pilot.app.main.deliveries.filter.text == text
        assert pilot.app.main.deliveries.lines.selected == delivered["in the short hour"]

        # a click chooses a time, and another one opens it
        await console.press("escape", "c", "G")
        assert on_screen(pilot)
        assert not pilot.app.main.deliveries.filter.text
        y, row = next((y, row) for y, row in enumerate(console.text().splitlines()) if "!!!" in row)
        at = (row.index("!!!"), y)
        await pilot.click(offset=at)
        assert "! 11:00 to 12:00: short by 3" in console.text()
        await pilot.click(offset=at)
        await pilot.pause()
        assert not on_screen(pilot)
        assert pilot.app.main.deliveries.filter.text == text
        assert clock.now() == NOW

        # the palette and the help have the screen and its commands
        await console.press("ctrl+p", *"reconcile")
        await console.until(lambda: "Environments: Reconcile with Segment's counts" in console.text())
        await pilot.pause(0.2)
        await console.press("enter")
        await console.until(lambda: on_screen(pilot))
        await console.press("question_mark")
        await console.until(lambda: "Help: Reconcile" in console.text())
        await console.press("escape", "ctrl+p", *"short")
        await console.until(lambda: "Reconcile: Send the short ones again" in console.text())


async def test_each_range_is_asked_for_once_and_again_on_demand(console, clock, workspace):
    async with console.running(clock=clock, engine=False):
        await console.press("c")
        await console.until(lambda: "short by 3" in console.text())
        await console.press("t")
        assert "last 14 days" in console.text()
        await console.press("t", "t")
        assert "last 4 hours" in console.text()
        await console.press("T", "T", "T")
        assert "last 24 hours" in console.text()
        lengths = [one.until - one.since for one in workspace.asked]
        assert lengths == [RANGES[at].length_ms for at in (1, 2, 3, 0)]
        assert [one.granularity for one in workspace.asked] == [RANGES[at].granularity for at in (1, 2, 3, 0)]
        await console.press("r")
        assert len(workspace.asked) == 5
        clock.advance(3600)
        await console.press("t")
        assert len(workspace.asked) == 6, "what is an hour old is asked for again"


async def test_asking_goes_on_behind_the_keys_and_escape_stops_it(console, clock, workspace):
    workspace.answer = report(environment(buckets=day(short_at=0)))
    async with console.running(clock=clock, engine=False) as pilot:
        await console.press("c")
        await console.until(lambda: "agrees" in console.text())
        workspace.go_on.clear()
        await console.press("r")
        assert "asking Segment … 3 of 12 requests: [/x] production  esc stops it" in console.text()
        await console.press("left")
        assert "13:00 to 14:00: agrees" in console.text()
        await console.press("r")
        assert console.notices()[-1] == "Segment is being asked"
        await console.press("escape")
        assert workspace.cancelled == 1
        assert "stopped: nothing newer was compared" in console.text()
        assert on_screen(pilot)
        await console.press("r")
        await console.press("t")
        assert workspace.cancelled == 2, "another range is another question"
        await console.press("q", "q")
        assert not on_screen(pilot)
        await console.until(lambda: workspace.cancelled == 3)


async def test_without_a_token_the_next_step_is_said(console, clock, workspace):
    console.write(CONFIG)
    async with console.running(clock=clock, engine=False, size=(80, 24)) as pilot:
        await console.press("c")
        await console.until(lambda: "sprig-tui keys workspace" in console.text())
        await console.press("n", "enter", "R", "up", "left", "end")
        assert workspace.asked == []
        console.write(CONFIG + TOKEN)
        await console.until(lambda: pilot.app.session.settings.workspace.token)
        await console.press("r")
        await console.until(lambda: "short by 3" in console.text())


async def test_without_a_journal_the_reason_is_said(console, workspace):
    console.paths.journal_file.write_bytes(b"this is no journal" * 100)
    async with console.running(ready=False, size=(80, 24)) as pilot:
        await console.until(lambda: pilot.app.session.trouble)
        await console.press("c")
        await console.until(lambda: "the journal is not open" in console.text())
        assert workspace.asked == []


async def test_journal_without_deliveries_is_no_shortfall(console, clock, workspace):
    workspace.answer = report(environment(buckets=tuple(bucket(at, 0) for at in range(23, -1, -1)), destinations=()))
    async with console.running(clock=clock, engine=False) as pilot:
        await console.press("c")
        await console.until(lambda: "nothing to compare: nothing was delivered" in console.text())
        assert "14:00 to 15:00: nothing was delivered" in console.text()
        await console.press("enter", "R")
        assert on_screen(pilot)
        assert console.notices()[-2:] == [
            "nothing was delivered in this time",
            "no time of this environment is short: nothing to send again",
        ]


async def states(pilot) -> dict[str, State]:
    rows = (await pilot.app.session.journal.page(Query(), limit=100)).deliveries
    return {row.survey_name: row.state for row in rows}


async def test_short_ones_are_sent_again_after_a_question(console, clock, workspace, delivered):
    async with console.running(clock=clock, engine=False, size=(80, 24)) as pilot:
        await console.press("c")
        await console.until(lambda: "short by 3" in console.text())
        await console.press("R")
        await console.until(lambda: "Replay 1 delivery?" in console.text())
        assert "Segment has not counted 3 of them; which ones is not known, so all" in console.text()
        assert "of 11:00 to 12:00 are sent again" in console.text()
        assert "a day ago" not in console.text()
        await console.press("enter")
        assert set((await states(pilot)).values()) == {State.DELIVERED}, "no is the default"
        await console.press("R", "y")
        await console.until(lambda: "1 queued again" in " ".join(console.notices()))
        assert await states(pilot) == {
            "long ago": State.DELIVERED,
            "in the short hour": State.QUEUED,
            "after it": State.DELIVERED,
        }
        assert on_screen(pilot)
        await console.until(lambda: "in about seven minutes r says whether they arrived" in console.text())
        await console.press("r")
        await console.until(lambda: "in about seven minutes" not in console.text())


async def test_protected_environment_asks_for_its_name_and_names_the_risk(console, clock, workspace, delivered):
    console.write(CONFIG.replace("protected = false", "protected = true") + TOKEN)
    workspace.answer = report(environment(buckets=(bucket(30, 40, short=1), *day(short_at=0))))
    async with console.running(clock=clock, engine=False, size=(80, 24)) as pilot:
        await console.press("c")
        await console.until(lambda: "short by 1" in console.text())
        await console.press("R")
        await console.until(lambda: "Type production" in console.text())
        assert "would then count what it has twice" in words(console)
        await console.press(*"production", "enter")
        await console.until(lambda: "1 queued again" in " ".join(console.notices()))
        assert (await states(pilot))["long ago"] is State.QUEUED


async def test_read_only_console_compares_but_does_not_send(console, clock, workspace, delivered):
    async with console.running(clock=clock, read_only=True) as pilot:
        await console.press("c")
        await console.until(lambda: "short by 3" in console.text())
        await console.press("R")
        assert "read-only" in console.notices()[-1]
        assert on_screen(pilot)


async def test_selected_one_of_many_environments_is_in_view_with_its_bars(console, clock, workspace):
    workspace.answer = report(*[environment(f"env-{at}", buckets=day(short_at=at % 5)) for at in range(30)])
    async with console.running(clock=clock, engine=False, size=(80, 24)) as pilot:
        await console.press("c")
        await console.until(lambda: "● Env-0" in console.text())
        await pilot.app.screen.chart.run_action("cursor(29)")
        await pilot.resize_terminal(60, 15)
        await console.until(lambda: "● Env-29" in console.text() and "▲" in console.text())
        longest = max(len(row) for row in console.text().splitlines())
        assert longest <= 60
