"""The Deliveries pane: the live log, its filter, marks, replays and exports."""

from __future__ import annotations

from typing import ClassVar, Self

from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import var

from sprig_tui.clock import Clock, SystemClock
from sprig_tui.console.commands import bindings
from sprig_tui.console.deliveries.commands import COMMANDS
from sprig_tui.console.deliveries.detail_screen import DetailScreen
from sprig_tui.console.deliveries.filter_bar import FilterBar
from sprig_tui.console.deliveries.job_line import JobLine
from sprig_tui.console.deliveries.log_jobs import NO_JOURNAL, LogJobs
from sprig_tui.console.deliveries.log_lines import LogLines
from sprig_tui.console.deliveries.log_watch import LogWatch
from sprig_tui.console.deliveries.title_text import Standing, clickable, hints
from sprig_tui.console.framed import Caption, Framed
from sprig_tui.console.keyboard import opening
from sprig_tui.console.line import fit
from sprig_tui.console.line_view import LineView
from sprig_tui.console.notices import tell, tell_fault, warn
from sprig_tui.errors import JournalError
from sprig_tui.journal.contract import Journal
from sprig_tui.journal.export_format import json_line
from sprig_tui.journal.query import MATCH_ALL, Query
from sprig_tui.journal.records import Delivery
from sprig_tui.text import printable


class DeliveryLog(LogJobs, Framed, Vertical):
    """Give it a `journal` once that is open; None (again) while there is none: what is shown stays."""

    HELP = (
        "Every record that was ever read is here: queued, delivered, failed or withheld, with its reason. The newest is"
        " at the bottom; the log follows it until you scroll away."
    )
    VERBS = COMMANDS
    BINDINGS: ClassVar[list[BindingType]] = bindings(COMMANDS)

    environment_names: var[tuple[str, ...]] = var(())
    """For completing `env:`."""
    file_hint: var[str] = var("")
    """What can be done with the open file, while no delivery is there."""
    trouble: var[str] = var("")
    """What is to be said below the rows, where there is no other room for it."""

    class DeliverySelected(Message):
        """The cursor stands on another delivery, or that one changed; `by_person`: a key or a click put it there."""

        def __init__(self, delivery: Delivery, *, by_person: bool) -> None:
            super().__init__()
            self.delivery = delivery
            self.by_person = by_person

    class FilterChanged(Message):
        """Another filter is applied."""

        def __init__(self, query: Query) -> None:
            super().__init__()
            self.query = query

    class CopyRequested(Message):
        """A text is to be copied."""

        def __init__(self, text: str, what: str) -> None:
            super().__init__()
            self.text = text
            self.what = what

    def __init__(self, *, clock: Clock | None = None, id: str | None = None) -> None:  # noqa: A002 - Textual's own word
        super().__init__(id=id)
        self.clock = clock or SystemClock()
        self.lines = LogLines(self.clock)
        self.bar = FilterBar(self.clock.now, lambda: self.environment_names)
        self.job_line = JobLine()
        # held, not looked up: the watch goes on for a moment while the console closes and children are gone
        self._header = Caption(classes="log-header")
        self._trouble = Caption(classes="log-trouble")
        self.log_watch = LogWatch(self.lines, changed=self._say, selected=self._tell_selected)
        self._standing: Standing | None = None
        self._ready = False

    def compose(self) -> ComposeResult:
        """Filter, titles, rows, trouble, job."""
        yield self.bar
        yield self._header
        yield self.lines
        yield self._trouble
        yield self.job_line

    def on_mount(self) -> None:
        """Hide what has nothing to say, start to look."""
        self._ready = True
        self.bar.close()
        self.run_worker(self.log_watch.run(), group="watch")
        self.run_worker(self.log_watch.read_rows(), group="rows")
        self.run_worker(self.job_line.run(lambda: self.journal), group="jobs")
        self._say()

    def focus(self, scroll_visible: bool = True) -> Self:
        """The rows are what has the focus."""
        self.lines.focus(scroll_visible)
        return self

    # -- what is shown -------------------------------------------------------------------------------------------------

    def watch_journal(self, before: Journal | None, journal: Journal | None) -> None:
        """The journal is open (again): search it, staying where the person is."""
        del before
        if journal is not None:
            self.log_watch.ask(journal, self.filter, keep=self.log_watch.search is not None)
        self._say()

    def watch_filter(self, query: Query) -> None:
        """Another filter."""
        if self.journal is not None:
            self.log_watch.ask(self.journal, query, by_person=True)
        self.post_message(self.FilterChanged(query))
        self._say()

    def watch_file_hint(self) -> None:
        """A file was opened, or counted."""
        self._say()

    def watch_trouble(self) -> None:
        """Something went wrong, or is over."""
        self._say()

    @property
    def following(self) -> bool:
        """Whether the log stays with the newest."""
        return self.lines.following

    def stir(self) -> None:
        """Something was added or sent: look now."""
        self.log_watch.stir()

    def queued(self) -> None:
        """Something was queued again: look, and tell."""
        super().queued()
        self.stir()

    def _say(self) -> None:
        """Title, trouble and hints, where they changed."""
        search = self.log_watch.search
        standing = Standing(
            filter=self.filter.text,
            shown=len(search.matches) if search else 0,
            total=search.total if search else 0,
            searched=search.searched if search else 1.0,
            following=self.lines.following,
            new=self.lines.new,
            marked=len(self.lines.marks),
        )
        if not self._ready:
            return
        self._trouble.say(Content(printable(self.trouble or self.log_watch.trouble, limit=400)))
        said = hints(standing, opened=search is not None, file=self.file_hint, sends=not self.refusal("replay"))
        if standing != self._standing or said != self.lines.hints:
            self._standing = standing
            self.retitle(clickable(standing))
            self.lines.hints = said
            if not standing.shown:
                self.lines.refresh()

    def on_resize(self) -> None:
        """The titles stand over their columns."""
        self.call_after_refresh(self._show_header)

    def _show_header(self) -> None:
        text = "".join(fit(part.text, part.width) for part in self.lines.header())
        self._header.say(Content(text))

    @on(LogLines.Changed)
    def _changed(self, event: LogLines.Changed) -> None:
        event.stop()
        self._say()

    @on(LineView.Moved)
    def _moved(self, event: LineView.Moved) -> None:
        event.stop()
        if isinstance(event, LineView.Chosen):
            self.action_delivery_detail()
        elif self.lines.selected:
            self.log_watch.select(self.lines.selected)

    def _tell_selected(self, delivery: Delivery, by_person: bool) -> None:
        self.post_message(self.DeliverySelected(delivery, by_person=by_person))

    @property
    def behind(self) -> bool:
        """Whether the person chose a delivery, or asked for others, and nobody was shown it yet."""
        return self.log_watch.behind

    def told(self, delivery_id: int) -> None:
        """This delivery was shown, or cannot be."""
        if delivery_id == self.lines.selected:
            self.lines.untold = False

    def stay(self) -> None:
        """Stay on the delivery under the cursor: it is being looked at elsewhere."""
        self.lines.follow(False)

    # -- filter --------------------------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        """See `Filter`."""
        self.bar.ask(self.filter.text)

    def action_clear_filter(self) -> None:
        """See `Clear`."""
        if self.lines.marks:
            self.lines.unmark()
        elif self.filter.terms:
            self.filter = MATCH_ALL

    @on(FilterBar.Applied)
    def _applied(self, event: FilterBar.Applied) -> None:
        event.stop()
        self.lines.focus()
        self.filter = event.query

    @on(FilterBar.Left)
    def _left(self, event: FilterBar.Left) -> None:
        event.stop()
        self.lines.focus()

    # -- moving and marking --------------------------------------------------------------------------------------------

    def action_mark(self) -> None:
        """See `Mark`."""
        self.lines.toggle_mark()

    def action_follow(self) -> None:
        """See `Follow`."""
        self.lines.follow(not self.lines.following)
        if self.lines.following and self.lines.selected:
            self.log_watch.select(self.lines.selected)

    def action_next_failed(self) -> None:
        """See `NextFailed`."""
        self.run_worker(opening(self.app, self._go_to_failed(older=False)), group="failed", exclusive=True)

    def action_previous_failed(self) -> None:
        """See `PreviousFailed`."""
        self.run_worker(opening(self.app, self._go_to_failed(older=True)), group="failed", exclusive=True)

    async def _go_to_failed(self, *, older: bool) -> None:
        """To the next one, and behind the last one on from the other end."""
        search = self.log_watch.search
        if search is None:
            return
        start = self.lines.selected
        try:
            found = await search.next_failed(start, older=older)
            wraps = not found
            if wraps:
                found = await search.next_failed(0, older=older)
        except JournalError as error:
            tell_fault(self.app, error)
            return
        if not self.lines.go_to(found):
            tell(self.app, f"no failed delivery {'matches the filter' if self.filter.terms else 'in the log'}")
        elif found == start:
            tell(self.app, "this is the only failed delivery")
        elif wraps:
            tell(self.app, f"on from the {'newest' if older else 'oldest'}: the {'last' if older else 'first'} failed")

    def action_delivery_detail(self) -> None:
        """See `ShowDetail`."""
        search = self.log_watch.search
        if search is None or not self.lines.selected or self.journal is None:
            warn(self.app, NO_JOURNAL if self.journal is None else "no delivery is selected")
            return
        screen = DetailScreen(self.journal, search.matches, self.lines.selected, self.desk(self.journal), self.clock)
        self.app.push_screen(screen, self._back)

    def _back(self, delivery_id: int | None) -> None:
        """The detail screen went through the log: so does the cursor."""
        if delivery_id:
            self.lines.go_to(delivery_id)
        self.stir()

    def action_copy_delivery(self) -> None:
        """See `CopyDelivery`."""
        if (row := self.lines.selected_row) is not None:
            self.post_message(self.CopyRequested(json_line(row), f"delivery {row.id}"))
