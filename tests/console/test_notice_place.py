"""Where notices stand: they hide nothing that is being read, on each kind of screen."""

from __future__ import annotations

import asyncio

import pytest
from textual.screen import ModalScreen
from textual.widgets._toast import Toast

from sprig_tui.console.notice_place import NOTICE_ROWS
from sprig_tui.console.notify import notify_warning
from sprig_tui.console.screens.topics import TopicsScreen
from sprig_tui.console.widgets.line_list import LineList

from .screen_snapshot import settle, text_of
from .test_screens import ROOT, SCREENS, SIZES, Walk, configure, ids

__all__ = ["ids"]

SAID = "development: the endpoint https://segment.example/v1 cannot be reached, so nothing is sent; check its address"


def cursor_row(app) -> int:
    lines = app.screen.focused
    assert isinstance(lines, LineList)
    return lines.region.y + lines.cursor - round(lines.scroll_y)


def newest_row(app) -> int:
    """The row of the newest delivery that is on the screen."""
    lines = app.main.deliveries.lines
    return lines.region.y + min(lines.count - round(lines.scroll_y), lines.size.height) - 1


def dialog_rows(app) -> set[int]:
    """The rows of a dialog; of one that leaves no room beside it, those from the top."""
    assert isinstance(app.screen, ModalScreen)
    box = app.screen.query_one(".dialog-box").region
    beside = max(box.y, app.size.height - box.bottom)
    return set(range(box.y, box.bottom if beside >= NOTICE_ROWS else box.bottom - NOTICE_ROWS - 1))


READ = {
    "console": lambda app: {cursor_row(app), newest_row(app)},
    "console-at-environments": lambda app: {cursor_row(app), newest_row(app)},
    "console-at-payload": lambda app: {cursor_row(app), newest_row(app)},
    "zoomed": lambda app: {cursor_row(app), newest_row(app)},
    "marked-and-filtered": lambda app: {cursor_row(app)},
    "file": lambda app: {cursor_row(app), newest_row(app)},
    "detail-with-relatives": lambda _: set(range(1, 11)),
    "help-detail": dialog_rows,
    "add-key": dialog_rows,
    "replay-filter": dialog_rows,
    "export": dialog_rows,
}
"""Rows that a person reads, by scene."""


async def hidden_rows(pilot) -> set[int]:
    """Show a notice, and take it away: the rows that it changed."""
    app = pilot.app
    before = text_of(app).splitlines()
    notify_warning(app, f"{SAID} ({len(app.notices.notices)})")
    async with asyncio.timeout(10):
        while SAID[:16] not in text_of(app):
            await pilot.pause(0.02)
    after = text_of(app).splitlines()
    app.clear_notifications()
    await settle(pilot)
    rows = {row for row, (old, new) in enumerate(zip(before, after, strict=True)) if old != new}
    assert rows
    return rows


@pytest.mark.parametrize("name", READ)
async def test_a_notice_hides_nothing_that_is_being_read(console, clock, ids, monkeypatch, name):
    monkeypatch.chdir(ROOT)
    configure(console)
    async with console.running(size=SIZES[0], clock=clock, engine=False) as pilot:
        await console.until(lambda: pilot.app.main.payload.detail is not None)
        await SCREENS[name](Walk(console, pilot, ids))
        for size in SIZES[:2]:
            await pilot.resize_terminal(*size)
            await settle(pilot)
            assert not await hidden_rows(pilot) & READ[name](pilot.app), (size, text_of(pilot.app))


async def test_a_notice_leaves_the_end_of_a_text_for_one_who_scrolled_there(console, clock):
    async with console.running(size=SIZES[0], clock=clock, engine=False) as pilot:
        topic = TopicsScreen("console")
        await pilot.app.push_screen(topic)
        await console.until(lambda: topic.lines.count > 100)
        await console.press("end")
        assert max(await hidden_rows(pilot)) < 12
        await console.press("home")
        assert min(await hidden_rows(pilot)) > 12


async def test_a_notice_moves_off_a_dialog_that_opens_below_it(console, clock, ids):
    configure(console)
    async with console.running(size=SIZES[1], clock=clock, engine=False) as pilot:
        await console.press("1")
        notify_warning(pilot.app, SAID)
        await console.until(lambda: "nothing is sent" in console.text())
        await console.press("x")
        await console.until(lambda: isinstance(pilot.app.screen, ModalScreen))
        box = pilot.app.screen.query_one(".dialog-box")
        await console.until(lambda: box.region and any(toast.region for toast in pilot.app.screen.query(Toast)))
        assert not any(toast.region.overlaps(box.region) for toast in pilot.app.screen.query(Toast))
