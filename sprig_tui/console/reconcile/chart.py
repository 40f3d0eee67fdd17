"""Reconcile chart: environments down, buckets across as bars; the cursor is on an environment and a column of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from sprig_tui.console.environments.status import environment_title
from sprig_tui.console.reconcile.columns import (
    LEGEND,
    VERDICT_STYLES,
    Column,
    chart_rows,
    make_columns,
)
from sprig_tui.console.reconcile.words import SIGNS, environment_verdict, span_text
from sprig_tui.console.widgets.line import Line, TextSpan
from sprig_tui.console.widgets.line_list import LineList
from sprig_tui.console.widgets.time_axis import column_cells, time_axis
from sprig_tui.formatting import relative_time
from sprig_tui.reconcile.model import EnvironmentReport, Verdict

MAX_BAR_ROWS = 8
"""Rows of the selected environment's bars; more would not tell more."""
MIN_BAR_ROWS = 3
CHOSEN = "-chosen"
"""End of the style names of the chosen column."""
INDENT = TextSpan("  ")


class ChartLine(NamedTuple):
    """A line and its environment; the index is -1 for the legend."""

    environment: int
    spans: Line
    head: bool = False
    """Whether the cursor can be on it."""


class ReconcileChart(LineList, inherit_bindings=False):
    """Shows `reports`; posts `Chosen` when another environment or column is chosen, `Opened` for enter."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"line--chosen"}
    DEFAULT_CSS = """
    ReconcileChart > .line--chosen { background: $block-cursor-blurred-background; text-style: bold; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(
            binding
            for binding in LineList.BINDINGS
            if isinstance(binding, Binding) and binding.id not in ("list.open", "list.first", "list.last")
        ),
        Binding("home,g", "end_column(-1)", "First", show=False, id="list.first"),
        Binding("end,G", "end_column(1)", "Last", show=False, id="list.last"),
    ]

    class Chosen(Message):
        """Another environment or column was chosen."""

    class Paged(Message):
        """The words below are to be scrolled by so many screenfuls."""

        def __init__(self, pages: float) -> None:
            super().__init__()
            self.pages = pages

    class Opened(Message):
        """The chosen column was clicked again."""

    def __init__(self) -> None:
        super().__init__()
        self.reports: Sequence[EnvironmentReport] = ()
        self.selected = 0
        """Index of the selected environment."""
        self._wanted = ""
        """The environment to select, also while there is nothing to show."""
        self.now = 0
        self.max_rows = 0
        self._chosen: dict[str, int] = {}
        """The start of the chosen column by environment, so that it stays with another width."""
        self._columns: list[tuple[Column, ...]] = []
        self._lines: list[ChartLine] = []

    # -- what is shown -------------------------------------------------------------------------------------------------

    def show(self, reports: Sequence[EnvironmentReport], now: int, *, environment: str = "") -> None:
        """Show these, with the cursor on an environment; where it is empty, on the one before."""
        wanted = environment or (self.report.environment if self.report else self._wanted)
        self._wanted = wanted
        self.reports = reports
        self.now = now
        names = [report.environment for report in reports]
        self.selected = names.index(wanted) if wanted in names else 0
        self.lay_out()

    def lay_out(self) -> None:
        """Lay the lines out for the width, in `max_rows` where they fit."""
        width = self.scrollable_content_region.width - INDENT_CELLS
        if width < 1:
            return
        self._columns = [make_columns(report.buckets, width) for report in self.reports]
        self._lines = self._chart_lines(width)
        self.resize(len(self._lines))
        self.invalidate()
        self._cursor_to_selected()

    def on_resize(self) -> None:
        """Keep the selected environment and its bars in view."""
        self.lay_out()

    def _chart_lines(self, width: int) -> list[ChartLine]:
        room = self.max_rows - 1
        selected_rows, other_rows = bar_rows(len(self.reports), room)
        lines = []
        for index, report in enumerate(self.reports):
            lines.append(ChartLine(index, _head_spans(report, index == self.selected), head=True))
            rows = selected_rows if index == self.selected else other_rows
            chosen = self.column_index if index == self.selected else -1
            columns = self._columns[index]
            if columns:
                lines += [ChartLine(index, (INDENT, *row)) for row in chart_rows(columns, width, rows, chosen)]
            if index == self.selected and columns:
                lines.append(ChartLine(index, (INDENT, *self._axis(columns, width))))
        if lines:
            lines.append(ChartLine(-1, (INDENT, *LEGEND)))
        return lines

    def _axis(self, columns: Sequence[Column], width: int) -> Line:
        """The chosen time below its bar, and the oldest and newest time where there is room."""
        chosen = columns[self.column_index]
        return time_axis(
            len(columns),
            width,
            chosen=self.column_index,
            label=span_text(chosen.start, chosen.end, self.now),
            oldest=relative_time(columns[0].start, self.now),
            newest=relative_time(columns[-1].end, self.now),
        )

    def line(self, index: int) -> Line | None:
        return self._lines[index].spans if index < len(self._lines) else ()

    @property
    def wanted_rows(self) -> int:
        """Rows that the lines take."""
        return len(self._lines)

    # -- the cursor ----------------------------------------------------------------------------------------------------

    @property
    def report(self) -> EnvironmentReport | None:
        """The selected environment's; None where there is none."""
        return self.reports[self.selected] if self.selected < len(self.reports) else None

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns of the selected environment."""
        return self._columns[self.selected] if self.selected < len(self._columns) else ()

    @property
    def column_index(self) -> int:
        """Index of the chosen column: the one that holds the time that was chosen, at first the newest short one."""
        report, columns = self.report, self.columns
        time = self._chosen.get(report.environment, -1) if report else -1
        short = (at for at, one in reversed([*enumerate(columns)]) if one.verdict is Verdict.SHORT)
        first = next(short, len(columns) - 1)
        return next((at for at, one in enumerate(columns) if one.start <= time < one.end), first)

    @property
    def column(self) -> Column | None:
        """The chosen column; None where there is none."""
        return self.columns[self.column_index] if self.columns else None

    def choose(self, column: int) -> None:
        """Choose a column of the selected environment."""
        if self.report is None or not self.columns:
            return
        column = max(0, min(column, len(self.columns) - 1))
        if column != self.column_index:
            self._chosen[self.report.environment] = self.columns[column].start
            self.lay_out()
            self.post_message(self.Chosen())

    def select(self, index: int) -> None:
        """Select an environment; the chosen time stays, so that environments can be compared."""
        if not 0 <= index < len(self.reports) or index == self.selected:
            return
        if self.column is not None:
            self._chosen[self.reports[index].environment] = self.column.start
        self.selected = index
        self.lay_out()
        self.post_message(self.Chosen())

    def _cursor_to_selected(self) -> None:
        for index, line in enumerate(self._lines):
            if line.head and line.environment == self.selected:
                self.set_reactive(LineList.cursor, index)
                self.scroll_to_line(min(len(self._lines) - 1, index + self.scrollable_content_region.height - 1))
                self.scroll_to_line(index)
        self.refresh()

    def action_cursor(self, lines: int) -> None:
        """Select the next or previous environment."""
        self.select(self.selected + lines)

    def action_sideways(self, cells: int) -> None:
        """Choose the column to the left or right."""
        self.choose(self.column_index + (1 if cells > 0 else -1))

    def action_end_column(self, side: int) -> None:
        """Choose the oldest or the newest column."""
        self.choose(0 if side < 0 else len(self.columns) - 1)

    def action_page(self, pages: float) -> None:
        """Scroll the words below."""
        self.post_message(self.Paged(pages))

    def next_short(self) -> bool:
        """Choose the next short column, after the last one the first; False where there is none."""
        short = [at for at, one in enumerate(self.columns) if one.verdict is Verdict.SHORT]
        if short:
            self.choose(next((at for at in short if at > self.column_index), short[0]))
        return bool(short)

    def on_click(self, event: events.Click) -> None:
        """Choose what was clicked; the chosen column again opens it."""
        offset = event.get_content_offset(self)
        if offset is None or not 0 <= offset.y + self.scroll_offset.y < len(self._lines):
            return
        event.stop()
        line = self._lines[offset.y + self.scroll_offset.y]
        if line.environment < 0:
            return
        self.select(line.environment)
        width = self.scrollable_content_region.width - INDENT_CELLS
        at = (offset.x - INDENT_CELLS) // column_cells(len(self.columns), width)
        if line.head or not 0 <= at < len(self.columns):
            return
        if at == self.column_index:
            self.post_message(self.Opened())
        self.choose(at)

    # -- drawing -------------------------------------------------------------------------------------------------------

    def _style(self, name: str, cursor: bool) -> Style:
        """As in `LineList`; the chosen column has the background of a cursor."""
        if not name.endswith(CHOSEN):
            return super()._style(name, cursor)
        return super()._style(name.removesuffix(CHOSEN), cursor) + self.get_component_rich_style("line--chosen")


INDENT_CELLS = len(INDENT.text)


def bar_rows(environments: int, room: int) -> tuple[int, int]:
    """Rows of the bars of the selected environment and of each other one; `room` is for everything but the legend."""
    spare = room - environments - 1
    for others in (3, 2, 1, 0):
        selected = min(MAX_BAR_ROWS, spare - (environments - 1) * others)
        if selected >= max(MIN_BAR_ROWS, others):
            return selected, others
    return MIN_BAR_ROWS, 0


def _head_spans(report: EnvironmentReport, selected: bool) -> Line:
    name = environment_title(report.environment)
    return (
        TextSpan(f"{'●' if selected else '○'} {name}  ", "strong"),
        TextSpan(f"{SIGNS[report.verdict]} {environment_verdict(report)}", VERDICT_STYLES[report.verdict]),
    )
