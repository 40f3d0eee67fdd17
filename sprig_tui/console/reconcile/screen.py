"""Reconcile screen: what was delivered against what Segment counted. Result: a filter for Deliveries, or None."""

from __future__ import annotations

import textwrap
from collections.abc import Coroutine, Iterable, Iterator
from typing import ClassVar, NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static
from textual.worker import Worker

from sprig_tui.console.commands.base import HasCommands, bindings
from sprig_tui.console.commands.reconcile import COMMANDS, AskAgain, CloseReconcile, ReplayShort
from sprig_tui.console.deliveries.replay import ReplayActions
from sprig_tui.console.keyboard.queue import track_flow
from sprig_tui.console.notify import notify, notify_error, notify_warning
from sprig_tui.console.reconcile.chart import ReconcileChart
from sprig_tui.console.reconcile.words import (
    HEADING,
    Sentence,
    asked_text,
    column_sentences,
    deliveries_filter,
    environment_sentences,
    report_sentences,
    span_text,
)
from sprig_tui.console.session import CountsRange, Session
from sprig_tui.console.theme import MUTED
from sprig_tui.console.widgets.key_bar import KeyBar
from sprig_tui.console.widgets.panel import Caption
from sprig_tui.errors import SprigTuiError
from sprig_tui.reconcile.model import EnvironmentReport, Report, shortfalls
from sprig_tui.segment.limits import SAFE_REPEAT_MS
from sprig_tui.segment.metrics import Granularity
from sprig_tui.text import one_line, printable

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
FRESH_MS = 300_000
"""A comparison younger than this is shown as it is when the screen is opened; Segment's counts are as late."""
CHART_SHARE = 0.6
"""Of the rows, at most; the words have the rest."""
MIN_CHART_ROWS = 6
WORKSPACE_ADVICE = (
    "Segment cannot be asked: there is no token of its Public API. In a shell, sprig-tui keys workspace asks for one"
    " and says where to make it; then press {key} here."
)


class Range(NamedTuple):
    """A range of time that can be compared, up to now."""

    title: str
    length_ms: int
    granularity: Granularity


RANGES = (
    Range("last 4 hours", 4 * HOUR_MS, Granularity.MINUTE),
    Range("last 24 hours", DAY_MS, Granularity.HOUR),
    Range("last 14 days", 14 * DAY_MS, Granularity.HOUR),
    Range("last 30 days", 30 * DAY_MS, Granularity.DAY),
)
DEFAULT_RANGE = 1
_STYLES = {
    HEADING: "bold",
    "good": "$text-success",
    "bad": "$text-error",
    "warning": "$text-warning",
    "accent": "$text-accent",
    "muted": MUTED,
}


class ReconcileScreen(HasCommands, Screen[str]):
    """Compares the environments of the config, asking in the background."""

    HELP = (
        "What we delivered against what Segment counted. Segment's 200 says taken, not arrived. A bar is what we"
        " delivered in one hour; what Segment has not counted of it is marked. Up and down choose the environment, left"
        " and right the time; page up and down scroll the words."
    )
    COMMAND_CLASSES = COMMANDS
    BINDINGS: ClassVar[list[BindingType]] = bindings(COMMANDS)
    AUTO_FOCUS = "ReconcileChart"

    def __init__(self, session: Session, replays: ReplayActions, environment: str, last: Report | None = None) -> None:
        """`environment` is selected at first; `last` is the comparison made before, by any process."""
        super().__init__()
        self._session = session
        self._replays = replays
        self._environment = environment
        self._reports: dict[int, Report] = {}
        """By index of the range."""
        self._range = DEFAULT_RANGE
        if last is not None and {one.environment for one in last.environments} >= set(session.settings.environments):
            known = _range_of(last)
            self._range = DEFAULT_RANGE if known is None else known
            self._reports |= {} if known is None else {known: last}
        self._progress = ""
        self._asking: Worker[None] | None = None
        self._trouble = ""
        self.chart = ReconcileChart()
        self._notice = Caption(classes="reconcile-notice")
        self._words = Static("", classes="reconcile-words", markup=False)
        self._scroll = VerticalScroll(self._words, classes="reconcile-scroll", can_focus=False)
        self._frame = Vertical(self._notice, self.chart, self._scroll, classes="pane reconcile-frame")

    def compose(self) -> ComposeResult:
        yield self._frame
        yield KeyBar()

    def on_mount(self) -> None:
        """Show the last comparison, and ask where it is old."""
        self._show()
        report = self.report
        if report is None or not 0 <= self._session.clock.now() - report.asked_at < FRESH_MS:
            self._ask()

    @property
    def report(self) -> Report | None:
        """The comparison of the range that is shown."""
        return self._reports.get(self._range)

    # -- what is shown -------------------------------------------------------------------------------------------------

    def _show(self) -> None:
        """Show the comparison of the range."""
        report, now = self.report, self._session.clock.now()
        self.chart.show(report.environments if report else (), now, environment=self._environment)
        self._environment = ""
        self._fit()
        self._show_texts()

    def on_resize(self, event: events.Resize) -> None:
        del event
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        """Give the chart the rows that it needs, and the words the rest."""
        rows = self._frame.content_size.height
        if rows < 1:
            return
        self.chart.max_rows = max(MIN_CHART_ROWS, int(rows * CHART_SHARE))
        self.chart.lay_out()
        self.chart.styles.height = min(self.chart.max_rows, self.chart.wanted_rows)
        self._show_words()

    def _show_texts(self) -> None:
        titles = ["Reconcile", RANGES[self._range].title]
        if self.report:
            titles.append(one_line(self.report.event, limit=40))
        self._frame.border_title = Content(" ── ".join(titles))
        asked = asked_text(self.report, self._session.clock.now()) if self.report else ""
        self._frame.border_subtitle = Content(asked)
        self._notice.show(Content(self._notice_text()))
        self._show_words()
        self.refresh_bindings()

    def _notice_text(self) -> str:
        if self.is_asking:
            key = self.app.shown_key(CloseReconcile)  # type: ignore[attr-defined] # the console's app
            return f"asking Segment … {printable(self._progress, limit=200)}  {key} stops it"
        return self._trouble

    def _show_words(self) -> None:
        # a scrollbar takes a cell as soon as the words are longer than their room
        width = max(20, self._scroll.container_size.width - self._scroll.scrollbar_size_vertical)
        self._words.update(words_content(self._sentences(), width))

    def _sentences(self) -> Iterator[Sentence]:
        report, column, selected = self.report, self.chart.column, self.chart.report
        now = self._session.clock.now()
        if report is None:
            return
        if column is not None:
            yield from column_sentences(column, now, replay_key=self._key_of_replay())
        if selected is not None:
            yield Sentence("")
            yield from environment_sentences(selected)
        yield Sentence("")
        yield from report_sentences(report)

    def _key_of_replay(self) -> str:
        return str(self.app.shown_key(ReplayShort))  # type: ignore[attr-defined] # the console's app

    @on(ReconcileChart.Chosen)
    def _on_chosen(self, event: ReconcileChart.Chosen) -> None:
        event.stop()
        self._scroll.scroll_home(animate=False)
        self._fit()

    @on(ReconcileChart.Paged)
    def _on_paged(self, event: ReconcileChart.Paged) -> None:
        event.stop()
        rows = round(event.pages * max(1, self._scroll.size.height - 1))
        self._scroll.scroll_relative(y=rows, animate=False)

    # -- asking --------------------------------------------------------------------------------------------------------

    @property
    def is_asking(self) -> bool:
        """Whether Segment is being asked."""
        return self._asking is not None and not self._asking.is_finished

    def _ask(self) -> None:
        """Ask in the background; one question at a time."""
        self._trouble = self._why_not_asked()
        if not self._trouble:
            self._progress = ""
            self._asking = self.run_worker(self._compare(self._range), group="asking", exclusive=True)
        self._show_texts()
        self.call_after_refresh(self._fit)

    def _why_not_asked(self) -> str:
        session = self._session
        if session.dependencies.compare_counts is None:
            return "Segment cannot be asked from here: there is no workspace"
        if session.settings.workspace.token is None:
            key = self.app.shown_key(AskAgain)  # type: ignore[attr-defined] # the console's app
            return WORKSPACE_ADVICE.format(key=key)
        if session.journal is None:
            return f"the journal is not open: {printable(session.trouble, limit=300) or 'try again in a moment'}"
        return ""

    async def _compare(self, index: int) -> None:
        session = self._session
        compare, journal = session.dependencies.compare_counts, session.journal
        if compare is None or journal is None:
            return
        now = session.clock.now()
        asked = CountsRange(now - RANGES[index].length_ms, now, RANGES[index].granularity)
        try:
            report = await compare(session.settings, journal, asked, self._show_progress)
        except SprigTuiError as error:
            self._end_asking(f"Segment was not asked to the end: {error.message}; {error.hint}".rstrip("; "))
        else:
            self._reports[index] = report
            self._end_asking("")

    def _end_asking(self, trouble: str) -> None:
        self._asking = None
        self._trouble = printable(trouble, limit=600)
        self._show()

    def _show_progress(self, text: str) -> None:
        if text != self._progress:
            self._progress = text
            self._notice.show(Content(self._notice_text()))

    # -- commands ------------------------------------------------------------------------------------------------------

    def action_close_reconcile(self) -> None:
        """Stop asking; with nothing asked, close."""
        if self._asking is None or not self.is_asking:
            self.dismiss(None)
            return
        self._asking.cancel()
        self._end_asking("stopped: nothing newer was compared")

    def action_ask_again(self) -> None:
        if self.is_asking:
            notify(self.app, "Segment is being asked")
        else:
            self._ask()

    def action_next_range(self) -> None:
        self._change_range(1)

    def action_previous_range(self) -> None:
        self._change_range(-1)

    def _change_range(self, steps: int) -> None:
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None
        self._range = (self._range + steps) % len(RANGES)
        self._trouble = ""
        self._show()
        report = self.report
        if report is None or not 0 <= self._session.clock.now() - report.asked_at < FRESH_MS:
            self._ask()

    def action_next_short(self) -> None:
        if not self.chart.next_short():
            notify(self.app, "no time of this environment is short")

    @on(ReconcileChart.Opened)
    def action_show_short(self) -> None:
        """Close, and show what was delivered in the chosen time: of a short one in the whole span that lacks some."""
        report, column = self.chart.report, self.chart.column
        if report is None or column is None:
            notify_warning(self.app, "nothing was compared yet")
            return
        if not column.distinct and not any(one.sends for one in column.buckets):
            notify_warning(self.app, "nothing was delivered in this time")
            return
        short = shortfalls(column.buckets)
        start = min([one.start for one in short], default=column.start)
        end = max([one.end for one in short], default=column.end)
        self.dismiss(deliveries_filter(report.environment, start, end))

    def action_replay_short(self) -> None:
        report = self.chart.report
        if report is None or not shortfalls(report.buckets):
            notify_warning(self.app, "no time of this environment is short: nothing to send again")
        else:
            self._run_flow(self._replay_short(report))

    async def _replay_short(self, report: EnvironmentReport) -> None:
        journal, now = self._session.journal, self._session.clock.now()
        if journal is None:
            notify_warning(self.app, "the journal is not open")
            return
        short = shortfalls(report.buckets)
        ids: set[int] = set()
        try:
            endpoint = self._session.settings.environment(report.environment).base_url
            for one in short:
                ids.update(await journal.accepted_ids(report.environment, one.start, one.end, endpoint=endpoint))
        except SprigTuiError as error:  # the journal's, or that of an environment that is no longer in the config
            notify_error(self.app, error)
            return
        if not ids:
            notify_warning(self.app, "nothing is left to send again: it was sent again since, or pruned")
            return
        if await self._replays.replay(journal, sorted(ids), as_new=False, about=replay_about(report, now)):
            key = self.app.shown_key(AskAgain)  # type: ignore[attr-defined] # the console's app
            self._trouble = f"sent again: in about seven minutes {key} says whether they arrived"
            self._show_texts()
            self.call_after_refresh(self._fit)

    def _run_flow(self, work: Coroutine[None, None, object]) -> None:
        self.run_worker(track_flow(self.app, work), group="work", exclusive=True)


def replay_about(report: EnvironmentReport, now: int) -> str:
    """What the replay of short times is about, and what it risks where Segment may have forgotten the ids."""
    short = shortfalls(report.buckets)
    spans = ", ".join(span_text(one.start, one.end, now) for one in short[:3])
    spans += f" and {len(short) - 3} more" if len(short) > 3 else ""
    number = sum(one.short for one in short)
    lines = [f"Segment has not counted {number:,} of them; which ones is not known, so all of {spans} are sent again"]
    if any(one.start < now - SAFE_REPEAT_MS for one in short):
        lines.append(
            "some were delivered about a day ago or before: Segment may have forgotten their ids, and would then count"
            " what it has twice"
        )
    return "\n".join(lines)


def words_content(sentences: Iterable[Sentence], width: int) -> Content:
    """The sentences below each other, wrapped with their indent."""
    pieces: list[str | tuple[str, str]] = []
    for sentence in sentences:
        style = _STYLES.get(sentence.style, "")
        first, others = " " * sentence.indent, " " * (sentence.indent + 2)
        text = printable(sentence.text)
        for line in textwrap.wrap(text, width, initial_indent=first, subsequent_indent=others) or [""]:
            pieces += [(line, style) if style else line, "\n"]
    return Content.assemble(*pieces)


def _range_of(report: Report) -> int | None:
    """The range that a comparison is of; None for one of another length."""
    lengths = [abs(report.until - report.since - one.length_ms) for one in RANGES]
    nearest = min(range(len(RANGES)), key=lengths.__getitem__)
    return nearest if lengths[nearest] * 10 < RANGES[nearest].length_ms else None
