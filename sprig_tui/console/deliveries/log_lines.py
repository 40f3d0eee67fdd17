"""Log lines: draws the rows of a search on demand, and follows the newest until the user scrolls away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Hashable, Sequence
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual import events
from textual.binding import BindingType
from textual.cache import LRUCache
from textual.message import Message

from sprig_tui.clock import Clock
from sprig_tui.console.deliveries.row_format import (
    COLUMNS,
    default_columns,
    delivery_row,
    header_row,
    place_columns,
)
from sprig_tui.console.deliveries.search import DeliverySearch
from sprig_tui.console.textual_private import bound_actions
from sprig_tui.console.widgets.columns import ChosenColumn, PlacedColumn
from sprig_tui.console.widgets.line import Line, TextSpan
from sprig_tui.console.widgets.line_list import LineList
from sprig_tui.journal.records import Delivery

if TYPE_CHECKING:
    from sprig_tui.console.widgets.column_chooser import ColumnList

MAX_QUESTIONS = 2_000
_MOVES = ("cursor(", "page(", "first", "last")
"""Beginnings of the actions that move the cursor."""
REMOVED_TEXT = "removed from the journal"


class LogPosition(NamedTuple):
    """Where the user is in the log."""

    following: bool
    cursor_id: int
    top_id: int


class LogLines(LineList, inherit_bindings=False):
    """Virtual list of the deliveries of `search`.

    `LogUpdater` reads the rows when `rows_wanted` is set, and calls `restore_position` when positions change. The
    cursor and the top line are kept by delivery id, so that the view stays still when lines are inserted above it.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        binding
        for binding in LineList.BINDINGS
        if getattr(binding, "id", "") not in ("list.open", "list.left", "list.right")
    ]

    class Changed(Message):
        """Following began or ended, or the marks changed."""

    def __init__(self, clock: Clock, *, on_cursor: Callable[[], None] = lambda: None) -> None:
        """`on_cursor` is called in place of `Highlighted`, which would pass several queues for each key."""
        super().__init__()
        self._clock = clock
        self._on_cursor = on_cursor
        self.search: DeliverySearch | None = None
        self.columns: tuple[PlacedColumn, ...] = ()
        self.chosen: tuple[ChosenColumn, ...] = ()
        """Columns of the user; none for those that the width suggests."""
        self.questions: LRUCache[int, str] = LRUCache(MAX_QUESTIONS)
        """Texts of questions by delivery, for the column that shows them; empty for a delivery that has none."""
        self.marks: set[int] = set()
        self.following = True
        self.new_rows = 0
        """Matches that arrived since following ended."""
        self.rows_wanted = asyncio.Event()
        """Set when rows in view or next to it may not be read yet."""
        self.hints: tuple[str, ...] = ()
        self.has_unshown_choice = False
        """Whether the user chose a delivery whose payload is not shown yet; set with the key press."""
        self.choices = 0
        """How often the user has chosen."""
        self.is_replaced = False
        """Whether the rows of another search are about to be shown in place of these."""
        self._cursor_id = 0
        self._top_id = 0
        self._to_oldest = False
        self._arranging = False

    # -- what is shown -------------------------------------------------------------------------------------------------

    @property
    def position(self) -> LogPosition:
        """Where the user is."""
        return LogPosition(self.following, self._cursor_id, self._top_id)

    def show_search(self, search: DeliverySearch, *, keep: bool, position: LogPosition | None = None) -> None:
        """Show another search, from its newest delivery, at a position or, with `keep`, at the present one."""
        self.search = search
        if position is not None:
            self.following, self._cursor_id, self._top_id = position
            self._to_oldest = False
        elif not keep:
            self.following, self.new_rows, self._to_oldest = True, 0, False
        self.invalidate()
        self.restore_position()

    def restore_position(self) -> None:
        """After positions changed: stay with the newest, the oldest, or the deliveries in view."""
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
        """Count new matches at the end."""
        if not self.following:
            self.new_rows += number

    def redraw(self, ids: Collection[int]) -> None:
        """Draw these rows again."""
        visible = {delivery_id: index for index, delivery_id in enumerate(self.visible_ids(), self.is_visible.start)}
        self.invalidate([visible[delivery_id] for delivery_id in ids if delivery_id in visible])
        for delivery_id in ids:
            if delivery_id not in visible:
                self.drop_cached(delivery_id)

    def visible_ids(self) -> list[int]:
        """Ids in view."""
        return self.search.matches.slice(self.is_visible.start, self.is_visible.stop) if self.search is not None else []

    def newest_ids(self) -> list[int]:
        """Ids in view when scrolled to the end."""
        if self.search is None:
            return []
        count = len(self.search.matches)
        return self.search.matches.slice(count - max(1, self.scrollable_content_region.height), count)

    def surrounding_ids(self) -> list[int]:
        """Ids in view, and a page before and after them."""
        if self.search is None:
            return []
        visible = self.is_visible
        return self.search.matches.slice(visible.start - len(visible), visible.stop + len(visible))

    # -- lines ---------------------------------------------------------------------------------------------------------

    def line(self, index: int) -> Line | None:
        if self.search is None or index >= len(self.search.matches):  # rows left the filter since the last count
            return None
        delivery_id = self.search.matches[index]
        delivery = self.search.row(delivery_id)
        if delivery is None:
            if self.search.is_removed(delivery_id):
                return [TextSpan("", "", 2), TextSpan(REMOVED_TEXT, "muted")]
            self.rows_wanted.set()
            return None
        return delivery_row(
            delivery,
            self.columns,
            now=self._clock.now(),
            marked=delivery_id in self.marks,
            question=self.questions.get(delivery_id) if self.shows_questions else "",
        )

    def line_key(self, index: int) -> Hashable:
        """The id of the delivery."""
        if self.search is None or index >= len(self.search.matches):
            return "no delivery", index
        return self.search.matches[index]

    def empty_lines(self) -> Sequence[Line]:
        """The hints, while there are no rows."""
        return [(), *([TextSpan("  " + hint, "muted")] for hint in self.hints)]

    def header(self) -> Line:
        """The column titles."""
        return header_row(self.columns)

    # -- columns -------------------------------------------------------------------------------------------------------

    @property
    def shows_questions(self) -> bool:
        """Whether there is a column for the texts of the questions, which are read with the payloads."""
        return any(column.name == "question" for column in self.columns)

    def unread_questions(self) -> list[int]:
        """Deliveries in view whose question is to be read."""
        if not self.shows_questions:
            return []
        return [delivery_id for delivery_id in self.visible_ids() if delivery_id not in self.questions]

    def choose_columns(self, chosen: tuple[ChosenColumn, ...]) -> None:
        """Show these columns, as far as they fit; none for those that the width suggests."""
        self.chosen = chosen
        if self.is_attached:
            self._place_columns()

    def column_list(self, on_choose: Callable[[tuple[ChosenColumn, ...]], None]) -> ColumnList:
        """The columns to choose from, for a log of this width."""
        # imported here: the first paint needs no dialog
        from sprig_tui.console.widgets.column_chooser import ColumnList

        def width() -> int:
            return self.scrollable_content_region.width

        return ColumnList(
            "Columns of the log",
            COLUMNS,
            default_columns(width()),
            lambda chosen: place_columns(width(), chosen),
            on_choose,
        )

    def _place_columns(self) -> None:
        columns = place_columns(self.scrollable_content_region.width, self.chosen)
        if columns != self.columns:
            self.columns = columns
            self.invalidate()
            self.rows_wanted.set()

    # -- moving --------------------------------------------------------------------------------------------------------

    @property
    def selected(self) -> int:
        """Id of the delivery under the cursor; 0 for none."""
        if self.search is None or not 0 <= self.cursor < len(self.search.matches):
            return 0
        return self.search.matches[self.cursor]

    @property
    def selected_row(self) -> Delivery | None:
        """The delivery under the cursor, if it was read."""
        return self.search.row(self.selected) if self.search is not None else None

    def go_to(self, delivery_id: int) -> bool:
        """Put the cursor on a delivery; returns False if it is not in the list."""
        if self.search is None or delivery_id not in self.search.matches:
            return False
        self.cursor = self.search.matches.position(delivery_id)
        return True

    def toggle_mark(self) -> None:
        """Mark or unmark the delivery under the cursor, and go to the next."""
        if delivery_id := self.selected:
            self.marks ^= {delivery_id}
            self.redraw([delivery_id])
            self.action_cursor(1)
            self.post_message(self.Changed())

    def unmark(self) -> None:
        """Remove all marks."""
        marked = list(self.marks)
        self.marks.clear()
        self.redraw(marked)
        self.post_message(self.Changed())

    def supersedes_loading(self, key: str) -> bool:
        """Whether the key moves the cursor: then the payload that is still loading is not wanted any more.

        Not while a filter is applied: the key is for the rows that match it.
        """
        return not self.is_replaced and any(action.startswith(_MOVES) for action in bound_actions(self, key))

    def choose(self) -> None:
        """The user chose the delivery under the cursor."""
        self.has_unshown_choice = True
        self.choices += 1

    def follow(self, following: bool) -> None:
        """Follow the newest delivery, or stop following."""
        if following:
            self._set_following(True)
            self.choose()
            self.restore_position()
        else:
            self._set_following(False)

    def action_first(self) -> None:
        """Go to the oldest, and stay there while the search finds older ones."""
        super().action_first()
        self._set_following(self.count <= 1)
        self._to_oldest = self.search is not None and not self.search.matches.complete

    def action_last(self) -> None:
        """Go to the newest and follow."""
        super().action_last()
        self.follow(True)

    def watch_cursor(self, before: int, now: int) -> None:
        super().watch_cursor(before, now)
        self._to_oldest = False
        self.choose()
        self._set_following(now == self.count - 1)
        self._post_change()

    def report_cursor(self, index: int) -> None:
        del index
        self._on_cursor()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Scrolling away from the end stops following; scrolling back to it resumes it."""
        super().watch_scroll_y(old_value, new_value)
        self.rows_wanted.set()
        if not self._arranging and round(old_value) != round(new_value):
            at_end = new_value >= self.max_scroll_y
            self._set_following(at_end and (self.following or new_value > old_value))
            self._post_change()

    def on_resize(self, event: events.Resize) -> None:
        del event
        self._place_columns()
        self.restore_position()

    def _set_following(self, following: bool) -> None:
        if following:
            self.new_rows = 0
        if following != self.following:
            self.following = following
            self.post_message(self.Changed())

    def _post_change(self) -> None:
        """Remember the ids at the cursor and at the top."""
        self._cursor_id = self.selected
        # rows may have left the filter since the last count
        if self.search is not None and (known := min(self.count, len(self.search.matches))):
            self._top_id = self.search.matches[min(self.scroll_offset.y, known - 1)]
