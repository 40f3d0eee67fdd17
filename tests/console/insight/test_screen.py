"""Insight screen in the real console, with statistics built by hand, and once with a journal's own."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from sprig_tui.console.insight.groupings import GROUPINGS
from sprig_tui.console.insight.screen import InsightScreen
from sprig_tui.errors import JournalError
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.records import Attempt, NewDelivery, Settlement, State
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.journal.statistics import StatisticsRequest

from . import figures

CONFIG = """\
[environments.production]
write_key = "Zq8TinventedKeyOfThirtyTwoChE1Rk"
[environments.development]
write_key = "Bb7UanotherMadeUpKeyOfThirty2c9Q"
"""
SIZES = [(40, 10), (80, 24), (120, 40)]
NEXT = "right_square_bracket"


class Counts:
    """What the journal answers; `go_on` holds an answer back."""

    def __init__(self) -> None:
        self.asked: list[StatisticsRequest] = []
        self.more = 0
        self.error: JournalError | None = None
        self.go_on = asyncio.Event()
        self.go_on.set()


@pytest.fixture
def counts(console, clock) -> Counts:
    console.write(CONFIG)
    made = Counts()

    class CountedJournal(SQLiteJournal):
        async def statistics(self, request):
            made.asked.append(request)
            await made.go_on.wait()
            if made.error:
                raise made.error
            return figures.statistics(request, at=clock.now(), more=made.more)

    console.journal_class = CountedJournal
    return made


def answer(number: int) -> NewDelivery:
    """Every third one is anonymous; the names of the surveys are hostile."""
    anonymous = number % 3 == 0
    return NewDelivery(
        "production",
        f"sprig-{number:032x}",
        reason="anonymous" if anonymous else "",
        survey_id=f"{number % 2}:x y",
        survey_name=figures.HOSTILE,
        user_id="" if anonymous else "acct_1",
        body=b'{"a":1}',
    )


def on_screen(pilot):
    return isinstance(pilot.app.screen, InsightScreen)


async def open_insight(console, pilot):
    await console.press("I")
    await console.until(lambda: on_screen(pilot) and pilot.app.screen.statistics is not None)
    await pilot.pause()


async def test_screen_at_three_sizes(console, clock, counts, snapshot):
    async with console.running(size=SIZES[0], clock=clock, engine=False) as pilot:
        await open_insight(console, pilot)
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await console.until(lambda size=size: pilot.app.screen.size == size)
            for grouping in GROUPINGS:
                assert pilot.app.screen.list.cursor == 0
                if grouping.name in ("time", "survey", "speed", "anonymous"):
                    if grouping.charts is None or grouping.follows_time:
                        await console.press("down")
                    await snapshot(pilot, f"insight-{grouping.name}")
                await console.press("home", NEXT)


async def test_keys_choose_bars_and_times_and_enter_filters_the_log(console, clock, counts):
    async with console.running(clock=clock, read_only=True, size=(80, 24)) as pilot:
        await open_insight(console, pilot)
        screen = pilot.app.screen
        assert "│14:00 to 15:00: 1,284 delivered" in console.text()
        await console.press("left", "h")
        assert "12:00 to 13:00: " in console.text()
        await console.press("right", "down", "down")
        assert "13:00 to 14:00: " in console.text()
        assert screen.list.selected.label == "queued"
        await console.press("down")
        expected = screen.list.selected.find()
        assert "status:withheld" in expected
        await console.press("enter")
        assert not on_screen(pilot)
        assert pilot.app.focused_scope() == "deliveries"
        assert pilot.app.main.deliveries.filter.text == expected
        # the grouping, the unit and the environment stay, those of the last time
        await open_insight(console, pilot)
        await console.press("d")
        await console.until(lambda: pilot.app.screen.statistics is not None)
        assert pilot.app.screen.list.size.height >= pilot.app.screen.list.count == 5, "no bar is hidden by the chart"
        await console.press("tab", "e")
        await console.until(lambda: "by survey ── last 30 days ── production" in console.text())
        assert counts.asked[-1] == StatisticsRequest(environments=("production",), unit="day", buckets=30)
        await console.press("escape", "I")
        assert "by survey ── last 30 days ── production" in console.text()
        await console.press("end", "enter")
        assert console.notices()[-1] == "no filter finds these deliveries alone", "of all the other surveys"
        await console.press("e", "e", "shift+tab", "shift+tab")
        await console.until(lambda: "anonymous answers, by survey ── last 30 days ── all" in console.text())
        await console.press("question_mark")
        assert "Help: Insight" in console.text()
        await console.press("escape", "q")
        assert not on_screen(pilot)


async def test_mouse_chooses_groupings_bars_and_times(console, clock, counts):
    async with console.running(clock=clock, engine=False) as pilot:
        await open_insight(console, pilot)
        screen = pilot.app.screen
        await pilot.click(screen.timeline, offset=(9, 3))
        await pilot.pause()
        assert screen.timeline.index == 0
        await pilot.click(screen.tabs, offset=(console.text().split("\n")[1].index("survey") - 1, 0))
        await pilot.pause()
        assert "Insight ── by survey" in console.text()
        await pilot.click(screen.list, offset=(3, 1))
        await pilot.pause()
        assert screen.list.cursor == 1
        expected = screen.list.selected.find()
        await pilot.click(screen.list, offset=(3, 1))
        await pilot.pause()
        assert not on_screen(pilot)
        assert pilot.app.main.deliveries.filter.text == expected
        await open_insight(console, pilot)
        await console.press("left_square_bracket")
        at = screen.timeline.index
        await pilot.click(pilot.app.screen.timeline, offset=(8 + 2 * (at + 40), 2))
        await pilot.pause()
        await pilot.click(pilot.app.screen.timeline, offset=(8 + 2 * (at + 40), 2))
        await pilot.pause()
        assert not on_screen(pilot)


async def test_it_follows_the_journal_without_moving_the_cursor(console, clock, counts, monkeypatch):
    monkeypatch.setattr("sprig_tui.console.insight.screen.REFRESH_S", 0.01)
    async with console.running(clock=clock, engine=False, size=(80, 24)) as pilot:
        counts.go_on.clear()
        await console.press("I")
        assert "counting …" in console.text()
        await console.press(NEXT, NEXT, "d", "d", "left_square_bracket", "left_square_bracket", "enter")
        assert on_screen(pilot), "keys work before the counts are there"
        assert console.notices()[-1] == "there is no bar to filter by"
        counts.go_on.set()
        screen = pilot.app.screen
        await console.until(lambda: screen.statistics is not None)
        await console.press("down", "left")
        before = screen.list.selected, screen.timeline.bucket.since
        counts.more = 5_000
        asked = len(counts.asked)
        await console.until(lambda: len(counts.asked) > asked + 1)
        assert (screen.list.selected.key, screen.timeline.bucket.since) == (before[0].key, before[1])
        await console.press("right")
        total = screen.list.bars[1].total
        assert total > 5_000
        clock.advance(3600)
        await console.until(
            lambda: len(screen.timeline.buckets) and screen.timeline.buckets[-1].since > before[1] + 3_700_000
        )
        assert screen.timeline.index == len(screen.timeline.buckets) - 1, "the newest hour stays the newest"
        counts.error = JournalError("the journal [/x]\x1b[2J cannot be read")
        await console.until(lambda: "cannot be read; what is shown is from before" in console.text())
        assert screen.list.count == 5
        await pilot.resize_terminal(40, 10)
        await pilot.pause()
        await pilot.resize_terminal(120, 40)
        await pilot.pause()
        assert screen.timeline.display
        counts.error = None
        await console.until(lambda: "cannot be read" not in console.text())
        console.paths.journal_file.rename(console.paths.journal_file.with_suffix(".away"))
        await console.until(lambda: "the journal was moved or deleted" in console.text())
        assert screen.list.count == 5, "what was counted is still shown"
        await console.press("escape", "I")
        await console.until(lambda: on_screen(pilot) and "the journal was moved or deleted" in console.text())
        assert pilot.app.screen.list.count == 5
        await console.press("d", "e", NEXT, "enter")
        assert console.notices()[-1] == "there is no bar to filter by", "of what was never counted"
        await console.press("left", "down", "J", "q")
        assert not on_screen(pilot)


async def test_bars_of_a_real_journal_are_what_the_log_shows(console, clock):
    console.write(CONFIG)
    console.journal_class = partial(SQLiteJournal, clock=clock)
    async with console.journal_class(console.paths.journal_file) as journal:
        await journal.add([answer(number) for number in range(30)])
        claim = await journal.claim(ClaimRequest("production", events=20, payload_bytes=99_999, lease_ms=60_000))
        attempt = Attempt(
            started_at=clock.now(),
            status=400,
            outcome="refused",
            latency_ms=38,
            events=20,
            endpoint="https://api.segment.io",
        )
        await journal.settle(
            claim,
            [
                Settlement(ids=claim.ids[:5], state=State.FAILED, attempt=attempt, error="http 400"),
                Settlement(ids=claim.ids[5:], state=State.DELIVERED, attempt=attempt),
            ],
        )
    async with console.running(clock=clock, engine=False) as pilot:
        for grouping in GROUPINGS:
            await open_insight(console, pilot)
            while pilot.app.screen.grouping is not grouping:
                await console.press(NEXT)
            await console.press("end" if grouping.name in ("time", "survey") else "home")
            bar = pilot.app.screen.list.selected
            assert bar is not None, grouping.name
            await console.press("enter")
            deliveries = pilot.app.main.deliveries
            await console.until(lambda shown=deliveries, bar=bar: shown.lines.count == bar.total)
            assert deliveries.filter.text == bar.find()


async def test_empty_journal_has_times_without_deliveries(console, clock):
    console.write(CONFIG)
    async with console.running(clock=clock, engine=False, size=(80, 24)) as pilot:
        await open_insight(console, pilot)
        await console.press("enter")
        assert console.notices()[-1] == "there are none of these"
        for grouping in GROUPINGS[1:]:
            await console.press(NEXT)
            assert grouping.follows_time or "nothing arrived" in console.text()
        assert "no answer is anonymous" not in console.text(), "there are no answers"
        assert on_screen(pilot)
