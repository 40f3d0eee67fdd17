"""Timeline: charts over the same time below each other, one column of which is chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

from rich.style import Style
from textual import events
from textual.message import Message

from sprig_tui.console.insight.plots import AXIS_CELLS, CHOSEN
from sprig_tui.console.insight.words import bucket_start, bucket_text
from sprig_tui.console.widgets.line import Line, TextSpan
from sprig_tui.console.widgets.line_list import LineList
from sprig_tui.console.widgets.time_axis import column_cells, time_axis
from sprig_tui.journal.statistics import Bucket

INDENT = TextSpan(" " * AXIS_CELLS)


class Chart(NamedTuple):
    """A heading, and what is drawn below it."""

    heading: Line
    """Empty for none."""
    rows: Callable[[int, int, int], list[Line]]
    """Of the width of the columns in cells, the number of rows and the index of the chosen column."""


Charts = Callable[[Sequence[Bucket]], Sequence[Chart]]


class Timeline(LineList, can_focus=False, inherit_bindings=False):
    """Shows a column for each bucket; posts `Chosen` for another one, `Opened` for a click on the chosen one."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"line--chosen"}
    DEFAULT_CSS = """
    Timeline > .line--chosen { background: $block-cursor-blurred-background; }
    """

    class Chosen(Message):
        """Another column was chosen."""

    class Opened(Message):
        """The chosen column was clicked again."""

    def __init__(self) -> None:
        super().__init__()
        self.buckets: Sequence[Bucket] = ()
        """Oldest first; those that fit the width."""
        self._all: Sequence[Bucket] = ()
        self._charts: Charts = lambda _: ()
        self._now = 0
        self._time = 0
        """In the chosen column; 0 for the newest one."""
        self._lines: list[Line] = []

    def show(self, buckets: Sequence[Bucket], charts: Charts, now: int) -> None:
        """Show these; the chosen time stays where it is among them."""
        self._all, self._charts, self._now = buckets, charts, now
        self.lay_out()

    def lay_out(self) -> None:
        """Lay the charts out for the size of the widget; where it is too narrow the oldest columns are left out."""
        region = self.scrollable_content_region
        width = region.width - AXIS_CELLS
        if width < 1 or region.height < 1:
            self.buckets, self._lines = self._all, []
        else:
            self.buckets = self._all[-width:]
            self._lines = self._chart_lines(width, region.height) if self.buckets else []
        self.resize(len(self._lines))
        self.revise()

    def _chart_lines(self, width: int, height: int) -> list[Line]:
        charts = self._charts(self.buckets)
        room = height - 1 - sum(bool(chart.heading) for chart in charts)
        lines: list[Line] = []
        for number, chart in enumerate(charts):
            rows = room // len(charts) + (number < room % len(charts))
            if rows > 0:
                lines += [chart.heading] if chart.heading else []
                lines += chart.rows(width, rows, self.index)
        chosen = self.buckets[self.index]
        axis = time_axis(
            len(self.buckets),
            width,
            chosen=self.index,
            label=bucket_text(chosen, self._now),
            oldest=bucket_start(self.buckets[0], self._now),
            newest=bucket_start(self.buckets[-1], self._now),
        )
        return [*lines, (INDENT, *axis)]

    def on_resize(self) -> None:
        self.lay_out()

    def line(self, index: int) -> Line | None:
        return self._lines[index] if index < len(self._lines) else ()

    # -- the chosen column ---------------------------------------------------------------------------------------------

    @property
    def index(self) -> int:
        """Index of the chosen bucket; the newest one until another was chosen, -1 where there is none."""
        last = len(self.buckets) - 1
        return next((at for at, one in enumerate(self.buckets) if one.since <= self._time < one.until), last)

    @property
    def bucket(self) -> Bucket | None:
        """The chosen one; None where there is none."""
        return self.buckets[self.index] if self.buckets else None

    def choose(self, index: int) -> None:
        """Choose a column."""
        if not self.buckets:
            return
        index = max(0, min(index, len(self.buckets) - 1))
        if index == self.index:
            return
        # the newest one stays the newest when the next hour begins
        self._time = self.buckets[index].since if index < len(self.buckets) - 1 else 0
        self.lay_out()
        self.post_message(self.Chosen())

    def on_click(self, event: events.Click) -> None:
        """Choose the column that was clicked; the chosen one again opens it."""
        offset = event.get_content_offset(self)
        if offset is None or not self.buckets:
            return
        event.stop()
        event.prevent_default()  # a list would open the line
        width = self.scrollable_content_region.width - AXIS_CELLS
        at = (offset.x - AXIS_CELLS) // column_cells(len(self.buckets), width)
        if not 0 <= at < len(self.buckets):
            return
        if at == self.index:
            self.post_message(self.Opened())
        self.choose(at)

    # -- drawing -------------------------------------------------------------------------------------------------------

    def _style(self, name: str, cursor: bool) -> Style:
        """As in `LineList`, without a cursor; the chosen column has the background of one."""
        del cursor
        if not name.endswith(CHOSEN):
            return super()._style(name, cursor=False)
        plain = super()._style(name.removesuffix(CHOSEN), cursor=False)
        # the colours of the parts stay
        return plain + Style(bgcolor=self.get_component_rich_style("line--chosen").bgcolor, bold=True)
