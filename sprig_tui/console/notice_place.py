"""Notice placement: the rows of a screen where notices hide nothing that is being read.

A person reads the line of the cursor, the newest delivery of a log that follows, and the top of a text that was just
opened. Notices stand at the other end of that list or text; beside a dialog they stand above or below it.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from textual.containers import ScrollableContainer
from textual.geometry import Region
from textual.screen import ModalScreen, Screen
from textual.scroll_view import ScrollView
from textual.widget import Widget

from sprig_tui.console.textual_private import MAX_SHOWN_NOTICES
from sprig_tui.console.widgets.line_list import LineList

NOTICE_ROWS = 3
"""Rows that most notices take; where a list leaves as many empty, they stand there."""
LONG_NOTICE_ROWS = 8
"""Rows that the longest notice takes on 80 columns."""


class NoticePlace(NamedTuple):
    """Rows for notices: from which edge of the screen, how far from it, and how many at most."""

    edge: Literal["top", "bottom"]
    margin: int
    rows: int

    @property
    def notices(self) -> int:
        """How many notices have room: of a pile that has none, Textual would cut the newest off."""
        return MAX_SHOWN_NOTICES if self.rows >= LONG_NOTICE_ROWS else 1


def notice_place(screen: Screen[Any], reading: Widget | None = None) -> NoticePlace | None:
    """The place on this screen; None where it has no layout yet.

    `reading` is the list or text beside whose cursor they stand; the one with the focus, or the largest, by default.
    """
    if isinstance(screen, ModalScreen):
        box = next(iter(screen.query(".dialog-box")), None)
        return _beside(box.region, screen) if box is not None and box.region else None
    reading = reading if reading is not None else _body(screen)
    if reading is None or not reading.region:
        return None
    region, height = reading.region, screen.size.height
    if _is_read_at_its_end(reading):
        # the last row of a screen names its keys
        return NoticePlace("top", region.y, max(NOTICE_ROWS, min(_max_rows(screen), height - 1 - region.y)))
    return NoticePlace("bottom", height - region.bottom, max(NOTICE_ROWS, min(_max_rows(screen), region.height - 1)))


def _beside(box: Region, screen: Screen[Any]) -> NoticePlace:
    """Above a dialog or below it, where there is more room; the lower edge of one that leaves none.

    The last row of the screen stays free where it can: the keys of the panes tell whether a dialog is in front.
    """
    above, below = box.y, screen.size.height - box.bottom
    margin = 1 if below > NOTICE_ROWS else 0
    rows = max(NOTICE_ROWS, min(_max_rows(screen), max(above, below - margin)))
    if max(above, below) < NOTICE_ROWS or below > above:
        return NoticePlace("bottom", margin, rows)
    return NoticePlace("top", 0, rows)


def _max_rows(screen: Screen[Any]) -> int:
    """Rows for several notices: the newest is always shown whole where nothing else bounds them."""
    return max(LONG_NOTICE_ROWS, screen.size.height * 2 // 5)


def _body(screen: Screen[Any]) -> Widget | None:
    """What is read on a screen."""
    if isinstance(screen.focused, (ScrollView, ScrollableContainer)):
        return screen.focused
    bodies = [one for one in screen.query(Widget) if isinstance(one, (ScrollView, ScrollableContainer)) and one.region]
    return max(bodies, key=lambda one: one.region.area, default=None)


def _is_read_at_its_end(body: Widget) -> bool:
    if not isinstance(body, LineList):
        return 0 < body.max_scroll_y <= body.scroll_y
    height = body.size.height
    if body.count - body.scroll_y <= height - NOTICE_ROWS:  # the rows below are empty
        return False
    return not body.has_focus or body.cursor - body.scroll_y >= height / 2
