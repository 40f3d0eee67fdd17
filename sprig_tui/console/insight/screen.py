"""Insight screen: what the journal holds, as bars and plots. Result: a filter for Deliveries, or None."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import Screen

from sprig_tui.console.commands.base import HasCommands, bindings
from sprig_tui.console.commands.insight import COMMANDS
from sprig_tui.console.insight.bar_list import BarList
from sprig_tui.console.insight.bars import Bar
from sprig_tui.console.insight.groupings import GROUPINGS, Grouping, Shown
from sprig_tui.console.insight.tab_bar import TabBar
from sprig_tui.console.insight.timeline import Timeline
from sprig_tui.console.notify import notify_warning
from sprig_tui.console.session import Session
from sprig_tui.console.widgets.key_bar import KeyBar
from sprig_tui.console.widgets.line_list import LineList
from sprig_tui.console.widgets.panel import Caption
from sprig_tui.errors import JournalError
from sprig_tui.journal.statistics import Statistics, StatisticsRequest, Unit
from sprig_tui.journal.statistics_filters import StatisticsFilters
from sprig_tui.text import one_line, printable

REFRESH_S = 2.0
"""Seconds between two reads of the counts."""
REFRESH_COST_FACTOR = 5
"""At least so many times as long as a read took: one of counts that are not kept yet takes seconds."""
BUCKETS: dict[Unit, int] = {"hour": 48, "day": 30}
TITLES: dict[Unit, str] = {"hour": "last 48 hours", "day": "last 30 days"}
MIN_CHART_ROWS = 5
"""Fewer tell nothing: the charts are left out."""
MAX_CHART_ROWS = 24
NARROW_CELLS = 100
"""Width below which the note has two rows."""


@dataclass
class InsightView:
    """What of the screen is kept while it is closed."""

    grouping: int = 0
    unit: Unit = "hour"
    environment: str = ""
    """Empty for all."""
    known: dict[StatisticsRequest, Statistics] = field(default_factory=dict)
    """The last counts by request: what was shown before is shown at once, and counted again."""


class InsightScreen(HasCommands, Screen[str]):
    """Shows one grouping at a time; the counts are read in the background, again and again while it is open."""

    HELP = (
        "What the journal holds, as bars: over time, by survey, environment, reason, failure and endpoint; how fast"
        " it went; and which surveys have anonymous answers. ] and [ go between these, up and down choose a bar,"
        " left and right a time. Enter shows the deliveries of the bar in the log. It follows what arrives."
    )
    COMMAND_CLASSES = COMMANDS
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(COMMANDS),
        Binding("tab", "next_grouping", show=False),
        Binding("shift+tab", "previous_grouping", show=False),
    ]
    AUTO_FOCUS = "BarList"

    def __init__(self, session: Session, view: InsightView) -> None:
        """`view` is changed by the keys."""
        super().__init__()
        self._session = session
        self._view = view
        self._trouble = ""
        self._wake = asyncio.Event()
        self.tabs = TabBar([grouping.name for grouping in GROUPINGS])
        self.timeline = Timeline()
        self.list = BarList()
        self._notice = Caption(classes="insight-notice")
        self._note = Caption(classes="insight-note")
        self._frame = Vertical(
            self.tabs, self._notice, self.timeline, self.list, self._note, classes="pane insight-frame"
        )

    def compose(self) -> ComposeResult:
        yield self._frame
        yield KeyBar()

    def on_mount(self) -> None:
        """Read the counts in the background."""
        self.tabs.chosen = self._view.grouping
        self._show(first=True)
        self.run_worker(self._follow(), group="insight", exit_on_error=False)

    # -- the counts ----------------------------------------------------------------------------------------------------

    @property
    def request(self) -> StatisticsRequest:
        """What is shown."""
        view = self._view
        environments = (view.environment,) if view.environment else ()
        return StatisticsRequest(environments=environments, unit=view.unit, buckets=BUCKETS[view.unit])

    @property
    def statistics(self) -> Statistics | None:
        """The last counts of it; None before they are known."""
        return self._view.known.get(self.request)

    async def _follow(self) -> None:
        while True:
            self._wake.clear()
            begun = monotonic()
            await self._read(self.request)
            with suppress(TimeoutError):
                async with asyncio.timeout(max(REFRESH_S, REFRESH_COST_FACTOR * (monotonic() - begun))):
                    await self._wake.wait()

    async def _read(self, request: StatisticsRequest) -> None:
        journal, before = self._session.journal, self._view.known.get(request)
        trouble = ""
        if journal is None:
            trouble = printable(self._session.trouble, limit=600) or "the journal is not open yet"
        else:
            try:
                self._view.known[request] = await journal.statistics(request)
            except JournalError as error:
                trouble = printable(error.message, limit=600)
        if trouble and self._view.known:
            trouble += "; what is shown is from before"
        if trouble != self._trouble or (request == self.request and self._view.known.get(request) != before):
            self._trouble = trouble
            self._show()

    # -- what is shown -------------------------------------------------------------------------------------------------

    @property
    def grouping(self) -> Grouping:
        """The chosen one."""
        return GROUPINGS[self._view.grouping]

    def _show(self, *, first: bool = False) -> None:
        """Show the counts in the chosen grouping; `first` where it is another grouping than before."""
        view, statistics = self._view, self.statistics
        environment = one_line(view.environment, limit=40) or "all environments"
        self._frame.border_title = Content(
            " ── ".join(("Insight", self.grouping.title, TITLES[view.unit], environment))
        )
        self._notice.show(Content(self._trouble))
        self._fit()
        self._show_time()
        self._show_bars(first=first)
        if statistics is not None and first and self.grouping.follows_time:
            self._move_cursor_to_time()

    def _show_time(self) -> None:
        charts = self.grouping.charts
        if self.statistics is not None:
            self.timeline.show(self.statistics.buckets, charts or (lambda _: ()), self._session.clock.now())

    def _show_bars(self, *, first: bool = False) -> None:
        statistics, bucket = self.statistics, self.timeline.bucket
        if statistics is None or bucket is None:
            self.list.show((), hint="" if self._trouble else "counting …")
        else:
            shown = Shown(
                statistics,
                StatisticsFilters(statistics),
                self.timeline.buckets,
                bucket,
                self._session.clock.now(),
            )
            self.list.show(self.grouping.bars(shown), hint=self.grouping.hint(shown.statistics), first=first)
        self._frame.border_subtitle = Content(legend(self.list.bars))
        self._show_note()

    def _show_note(self) -> None:
        bar = self.list.selected
        self._note.show(Content(one_line(bar.note if bar else "", limit=300)))

    def _fit(self) -> None:
        """Give the charts their share of the rows, or leave them out where there are too few."""
        # set here, because classes by the width would cost another pass of styles when the screen opens
        note_rows = 2 if self.size.width < NARROW_CELLS else 1
        self._note.styles.height = note_rows
        notice_rows = self._notice.outer_size.height if self._notice.display else 0
        # the note has its rows also while there is none
        rows = self._frame.content_size.height - self.tabs.outer_size.height - notice_rows - note_rows
        wanted = min(MAX_CHART_ROWS, rows - self.grouping.rows - 1)
        shown = self.grouping.charts is not None and wanted >= MIN_CHART_ROWS
        self.timeline.styles.height = max(1, wanted)
        self.timeline.display = shown

    def on_resize(self, event: events.Resize) -> None:
        del event
        self.call_after_refresh(self._fit)

    # -- choosing ------------------------------------------------------------------------------------------------------

    @on(LineList.Highlighted, "BarList")
    def _on_highlighted(self, event: LineList.Highlighted) -> None:
        event.stop()
        if self.grouping.follows_time and event.index >= 0:
            self.timeline.choose(len(self.timeline.buckets) - 1 - event.index)
        self._show_note()

    @on(BarList.Sideways)
    def _on_sideways(self, event: BarList.Sideways) -> None:
        event.stop()
        if self.grouping.charts is not None:
            self.timeline.choose(self.timeline.index + event.steps)

    @on(Timeline.Chosen)
    def _on_time_chosen(self, event: Timeline.Chosen) -> None:
        event.stop()
        if self.grouping.follows_time:
            self._move_cursor_to_time()
        else:
            self._show_bars()

    def _move_cursor_to_time(self) -> None:
        self.list.cursor = len(self.timeline.buckets) - 1 - self.timeline.index

    @on(TabBar.Clicked)
    def _on_tab_clicked(self, event: TabBar.Clicked) -> None:
        event.stop()
        self._change_grouping(event.index)

    def _change_grouping(self, index: int) -> None:
        self._view.grouping = self.tabs.chosen = index % len(GROUPINGS)
        self._show(first=True)

    # -- commands ------------------------------------------------------------------------------------------------------

    def action_close_insight(self) -> None:
        self.dismiss(None)

    @on(LineList.Selected, "BarList")
    @on(Timeline.Opened)
    def action_filter_by_bar(self) -> None:
        """Close, and show the deliveries of the chosen bar."""
        bar = self.list.selected
        if bar is None:
            notify_warning(self.app, "there is no bar to filter by")
        elif not bar.total:
            notify_warning(self.app, "there are none of these")
        elif not (text := bar.find()):
            notify_warning(self.app, "no filter finds these deliveries alone")
        else:
            self.dismiss(text)

    def action_next_grouping(self) -> None:
        self._change_grouping(self._view.grouping + 1)

    def action_previous_grouping(self) -> None:
        self._change_grouping(self._view.grouping - 1)

    def action_hours_or_days(self) -> None:
        self._view.unit = "day" if self._view.unit == "hour" else "hour"
        self._change_request()

    def action_next_insight_environment(self) -> None:
        # those of the journal too, which the config may no longer have
        known = [name for statistics in self._view.known.values() for name in statistics.environments]
        names = list(dict.fromkeys(["", *self._session.settings.environments, *known]))
        at = names.index(self._view.environment) if self._view.environment in names else 0
        self._view.environment = names[(at + 1) % len(names)]
        self._change_request()

    def _change_request(self) -> None:
        """Show the last counts of what is asked for now, and read them again."""
        self._show()
        self._wake.set()


def legend(bars: Sequence[Bar]) -> str:
    """What the glyphs mean, where bars have several."""
    shades = dict.fromkeys(part.shade for bar in bars for part in bar.parts)
    return "  ".join(f"{shade.glyph} {shade.name}" for shade in shades) if len(shades) > 1 else ""
