"""Column chooser: the dialog in which the columns of a list are ticked, moved and sized."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static

from sprig_tui.console.widgets.columns import (
    MAX_CHOSEN_CELLS,
    MIN_CHOSEN_CELLS,
    ChosenColumn,
    PlacedColumn,
    SizedColumn,
)
from sprig_tui.console.widgets.dialogs import TYPED_AHEAD_TEXT, Dialog, check_mark, hint, plain_content
from sprig_tui.console.widgets.line import Line, TextSpan
from sprig_tui.console.widgets.line_list import LineList

MARK_CELLS, NAME_CELLS = 4, 13
Chosen = tuple[ChosenColumn, ...]


class ColumnsChosen(Message):
    """Other columns were chosen for a list; none for those that its width suggests."""

    def __init__(self, key: str, columns: Chosen) -> None:
        """`key` is the one of `[console]`."""
        super().__init__()
        self.key = key
        self.columns = columns


class ColumnList(NamedTuple):
    """The list whose columns are chosen."""

    title: str
    columns: Sequence[SizedColumn]
    """All of them."""
    defaults: Chosen
    """Those at the present width where nothing is chosen."""
    place: Callable[[Chosen], tuple[PlacedColumn, ...]]
    """Where columns come to stand at the present width."""
    show: Callable[[Chosen], None]
    """Shows columns in the list."""


class ColumnOrder:
    """All columns of a list in the order of the user, with ticks and widths."""

    def __init__(self, listed: ColumnList, chosen: Chosen) -> None:
        self._listed = listed
        self.names: list[str] = []
        self.widths: dict[str, int] = {}
        self.ticked: set[str] = set()
        self.take(chosen)

    def take(self, chosen: Chosen) -> None:
        """Start from these columns; the others follow them, or stand between them where nothing is chosen."""
        every = [column.name for column in self._listed.columns]
        shown = chosen or self._listed.defaults
        self.ticked = {column.name for column in shown}
        self.widths = {column.name: column.width for column in shown if column.width}
        first = [column.name for column in chosen]
        self.names = [*first, *(name for name in every if name not in first)]

    @property
    def chosen(self) -> Chosen:
        """The ticked columns; none where they are those that the width suggests."""
        columns = tuple(ChosenColumn(name, self.widths.get(name, 0)) for name in self.names if name in self.ticked)
        return () if columns == self._listed.defaults else columns

    def toggle(self, name: str) -> bool:
        """Tick or untick a column; returns False for the last one, which stays."""
        if self.ticked == {name}:
            return False
        self.ticked ^= {name}
        return True

    def move(self, name: str, places: int) -> int:
        """Move a column; returns its place."""
        before = self.names.index(name)
        after = min(max(before + places, 0), len(self.names) - 1)
        self.names.insert(after, self.names.pop(before))
        return after

    def widen(self, name: str, cells: int) -> None:
        """Show a column, with so many cells more than it has now."""
        least = next(column.min_cells for column in self._listed.columns if column.name == name)
        width = self.widths.get(name) or self.placed_widths().get(name, least)
        self.widths[name] = min(max(width + cells, MIN_CHOSEN_CELLS), MAX_CHOSEN_CELLS)
        self.ticked.add(name)

    def placed_widths(self) -> dict[str, int]:
        """Width of each column that fits."""
        return {column.name: column.width for column in self._listed.place(self.chosen)}


class ColumnLines(LineList, inherit_bindings=False):
    """One line per column: whether it is shown, its name, its width."""

    BINDINGS: ClassVar[list[BindingType]] = [
        binding
        for binding in LineList.BINDINGS
        if getattr(binding, "id", "") not in ("list.open", "list.left", "list.right")
    ]

    def __init__(self, order: ColumnOrder) -> None:
        super().__init__(id="column-lines")
        self._order = order

    def on_mount(self) -> None:
        self.resize(len(self._order.names))

    def line(self, index: int) -> Line | None:
        name = self._order.names[index]
        ticked = name in self._order.ticked
        placed, width = self._order.placed_widths().get(name), self._order.widths.get(name)
        if not ticked:
            size = "not shown"
        elif placed is None:
            size = f"{width or 'no'} cells, no room now" if width else "no room now"
        elif width is None:
            size = f"automatic, {placed} cells now"
        else:
            size = f"{width} cells" + (f", {placed} now" if placed != width else "")
        style = "" if ticked else "muted"
        return [
            TextSpan(check_mark(ticked), "good" if ticked else "muted", MARK_CELLS),
            TextSpan(name, style, NAME_CELLS),
            TextSpan(size, "warning" if ticked and placed is None else "muted"),
        ]


class ColumnChooser(Dialog[Chosen | None]):
    """Asks for the columns of a list, which shows them meanwhile. Result: the columns, or None for no change."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "accept", "use"),
        Binding("space", "show_or_hide", "show or hide"),
        Binding("shift+up,K", "move(-1)", "up"),
        Binding("shift+down,J", "move(1)", "down"),
        Binding("left,h,minus", "widen(-1)", "narrower"),
        Binding("right,l,plus,equals_sign", "widen(1)", "wider"),
        Binding("a", "automatic", "automatic width"),
        Binding("r", "reset", "reset"),
    ]

    def __init__(self, listed: ColumnList, chosen: Chosen) -> None:
        super().__init__(listed.title)
        self._listed = listed
        self._before = chosen
        self._order = ColumnOrder(listed, chosen)
        self._lines = ColumnLines(self._order)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog-box", id="columns"):
            yield from self.head()
            yield self._lines
            yield Static("", classes="dialog-fault")
            yield Static(
                hint(
                    ("space shows or hides", "space"),
                    ("K up", "K"),
                    ("J down", "J"),
                    ("- narrower", "minus"),
                    ("+ wider", "plus"),
                    ("a automatic", "a"),
                    ("r reset", "r"),
                    ("enter keeps it", "enter"),
                    ("escape cancels", "escape"),
                ),
                classes="dialog-hint",
            )

    def on_mount(self) -> None:
        self._lines.focus()

    def _show(self, problem: str = "") -> None:
        self._listed.show(self._order.chosen)
        self._lines.invalidate()
        self.query_one(".dialog-fault", Static).update(plain_content(problem))

    @property
    def _current(self) -> str:
        return self._order.names[self._lines.cursor]

    def action_show_or_hide(self) -> None:
        """Show or hide the column."""
        self._show("" if self._order.toggle(self._current) else "one column has to stay")

    def action_move(self, places: int) -> None:
        """Move the column."""
        self._lines.cursor = self._order.move(self._current, places)
        self._show()

    def action_widen(self, cells: int) -> None:
        """Make the column wider or narrower."""
        self._order.widen(self._current, cells)
        self._show()

    def action_automatic(self) -> None:
        """Give the column what its content needs."""
        self._order.widths.pop(self._current, None)
        self._show()

    def action_reset(self) -> None:
        """Show the columns that the width suggests."""
        self._order.take(())
        self._show()

    def action_accept(self) -> None:
        if self.typed_ahead():
            self.query_one(".dialog-fault", Static).update(plain_content(TYPED_AHEAD_TEXT))
        else:
            chosen = self._order.chosen
            self.dismiss(chosen if chosen != self._before else None)

    def action_leave(self) -> None:
        self._listed.show(self._before)
        self.dismiss(None)

    @on(LineList.Highlighted)
    def _on_highlighted(self, event: LineList.Highlighted) -> None:
        event.stop()
        if isinstance(event, LineList.Selected):
            self.action_show_or_hide()

    def on_resize(self, event: events.Resize | None = None) -> None:
        super().on_resize()
        del event
        # the list behind has another width
        self.call_after_refresh(self._show)
