"""The lines of the log: rows of a search, drawn as they come into sight; follows the newest until one scrolls away."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Iterable, Sequence
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message

from sprig_tui.clock import Clock
from sprig_tui.console.deliveries.row_format import PlacedColumn, delivery_row, header_row, place_columns
from sprig_tui.console.deliveries.search import DeliverySearch
from sprig_tui.console.widgets.line import Line, TextSpan
from sprig_tui.console.widgets.line_list import LineList
from sprig_tui.journal.records import Delivery

REMOVED_TEXT = "removed from the journal"


class LogLines(LineList, inherit_bindings=False):
    """Shows `search`; whoever owns it reads the rows that `wanted` asks for, and calls `settle` when positions moved.

    The cursor and the first line in sight are kept by delivery, not by position, so that nothing moves under the
    person's eyes when lines come before them.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        binding
        for binding in LineList.BINDINGS
        if getattr(binding, "id", "") not in ("list.open", "list.left", "list.right")
    ]

    class Changed(Message):
        """Following began or ended, or other deliveries are marked."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.search: DeliverySearch | None = None
        self.columns: tuple[PlacedColumn, ...] = ()
        self.marks: set[int] = set()
        self.following = True
        self.new_rows = 0
        """Arrived since following ended."""
        self.rows_wanted = asyncio.Event()
        """Set when rows in sight, or next to come into sight, may not be read yet."""
        self.hints: tuple[str, ...] = ()
        self.has_unshown_choice = False
        """Whether the person chose a delivery that nobody has been shown yet; set at once, with the key."""
        self._cursor_id = 0
        self._top_id = 0
        self._to_oldest = False
        self._arranging = False

    # -- what is shown -------------------------------------------------------------------------------------------------

    def show_search(self, search: DeliverySearch, *, keep: bool) -> None:
        """Another search: from its newest on, or (`keep`) from where one is."""
        self.search = search
        if not keep:
            self.following, self.new_rows, self._to_oldest = True, 0, False
        self.invalidate()
        self.restore_position()

    def restore_position(self) -> None:
        """Positions moved: keep to the newest, the oldest, or to the deliveries in sight."""
        if self.search is None or not self.is_attached:
            return
        matches = self.search.matches
        count = len(matches)
        height = max(1, self.scrollable_content_region.height)
        if self.following or not count:
            cursor, top = count - 1, max(0, count - height)
        elif self._to_oldest:
            cursor = top = 0
        else:
            cursor, top = matches.position(self._cursor_id), matches.position(self._top_id)
        self._arranging = True
        self.rearrange(count, cursor=cursor, top=top)
        self._arranging = False
        self._post_change()
        if not count:
            self.refresh()

    def add_new(self, number: int) -> None:
        """So many came in at the end."""
        if not self.following:
            self.new_rows += number

    def redraw(self, ids: Iterable[int]) -> None:
        """These rows changed."""
        if self.search is not None:
            matches = self.search.matches
            self.invalidate([matches.position(one) for one in ids if one in matches])

    def visible_ids(self) -> list[int]:
        """Ids in sight."""
        return self.search.matches.slice(self.is_visible.start, self.is_visible.stop) if self.search is not None else []

    def newest_ids(self) -> list[int]:
        """Ids that will be in sight at the end."""
        if self.search is None:
            return []
        count = len(self.search.matches)
        return self.search.matches.slice(count - max(1, self.scrollable_content_region.height), count)

    def surrounding_ids(self) -> list[int]:
        """Ids in sight, and as many before and behind."""
        if self.search is None:
            return []
        seen = self.is_visible
        return self.search.matches.slice(seen.start - len(seen), seen.stop + len(seen))

    # -- lines ---------------------------------------------------------------------------------------------------------

    def line(self, index: int) -> Line | None:
        """A row; None until it is read."""
        if self.search is None:
            return None
        delivery_id = self.search.matches[index]
        delivery = self.search.row(delivery_id)
        if delivery is None:
            if self.search.is_removed(delivery_id):
                return [TextSpan("", "", 2), TextSpan(REMOVED_TEXT, "muted")]
            self.rows_wanted.set()
            return None
        return delivery_row(delivery, self.columns, now=self._clock.now(), marked=delivery_id in self.marks)

    def line_key(self, index: int) -> Hashable:
        """The delivery."""
        return self.search.matches[index] if self.search is not None else index

    def empty_lines(self) -> Sequence[Line]:
        """What to do while nothing is shown."""
        return [(), *([TextSpan("  " + hint, "muted")] for hint in self.hints)]

    def header(self) -> Line:
        """The titles over the columns."""
        return header_row(self.columns)

    # -- moving --------------------------------------------------------------------------------------------------------

    @property
    def selected(self) -> int:
        """The delivery under the cursor; 0 for none."""
        if self.search is None or not 0 <= self.cursor < len(self.search.matches):
            return 0
        return self.search.matches[self.cursor]

    @property
    def selected_row(self) -> Delivery | None:
        """The same as it was read."""
        return self.search.row(self.selected) if self.search is not None else None

    def go_to(self, delivery_id: int) -> bool:
        """Put the cursor on a delivery; False where it is not in the list."""
        if self.search is None or delivery_id not in self.search.matches:
            return False
        self.cursor = self.search.matches.position(delivery_id)
        return True

    def toggle_mark(self) -> None:
        """Mark the delivery under the cursor, or not, and go on to the next."""
        if chosen := self.selected:
            self.marks ^= {chosen}
            self.redraw([chosen])
            self.action_cursor(1)
            self.post_message(self.Changed())

    def unmark(self) -> None:
        """Take all marks away."""
        marked = list(self.marks)
        self.marks.clear()
        self.redraw(marked)
        self.post_message(self.Changed())

    def follow(self, following: bool) -> None:
        """Stay with the newest, or where one is."""
        if following:
            self._set_following(True)
            self.has_unshown_choice = True
            self.restore_position()
        else:
            self._set_following(False)

    def action_first(self) -> None:
        """The oldest, also when the search has yet to come to it."""
        super().action_first()
        self._set_following(self.count <= 1)
        self._to_oldest = self.search is not None and not self.search.matches.complete

    def action_last(self) -> None:
        """The newest, and stay with it."""
        super().action_last()
        self.follow(True)

    def watch_cursor(self, before: int, now: int) -> None:
        """The person went to another line."""
        super().watch_cursor(before, now)
        self._to_oldest = False
        self.has_unshown_choice = True
        self._set_following(now == self.count - 1)
        self._post_change()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scrolled: away from the end ends following, back to it begins it again."""
        super().watch_scroll_y(old_value, new_value)
        self.rows_wanted.set()
        if not self._arranging and round(old_value) != round(new_value):
            at_end = new_value >= self.max_scroll_y
            self._set_following(at_end and (self.following or new_value > old_value))
            self._post_change()

    def on_resize(self, event: events.Resize) -> None:
        """Other columns fit."""
        del event
        columns = place_columns(self.scrollable_content_region.width)
        if columns != self.columns:
            self.columns = columns
            self.invalidate()
        self.restore_position()

    def _set_following(self, following: bool) -> None:
        if following:
            self.new_rows = 0
        if following != self.following:
            self.following = following
            self.post_message(self.Changed())

    def _post_change(self) -> None:
        """Remember by delivery where the cursor and the view are."""
        self._cursor_id = self.selected
        if self.search is not None and self.count:
            self._top_id = self.search.matches[min(self.scroll_offset.y, self.count - 1)]
