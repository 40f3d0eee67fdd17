"""Deliveries pane: the live log with its filter, its marks, and the actions on what is chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive, var

from sprig_tui.clock import Clock, SystemClock
from sprig_tui.console.clipboard import CopyRequested
from sprig_tui.console.commands.base import HasCommands, bindings
from sprig_tui.console.commands.deliveries import COMMANDS
from sprig_tui.console.deliveries.delivery_actions import NO_JOURNAL, DeliveryActions
from sprig_tui.console.deliveries.detail import DetailResult, DetailScreen
from sprig_tui.console.deliveries.filter_bar import FilterBar, FilterInput
from sprig_tui.console.deliveries.log_lines import LogLines, LogPosition
from sprig_tui.console.deliveries.log_updater import LogUpdater
from sprig_tui.console.deliveries.row_format import (
    FRAME_CELLS,
    TitleState,
    clickable_title,
    empty_log_hints,
)
from sprig_tui.console.keyboard.queue import LOADING_GROUP_PREFIX, track_flow
from sprig_tui.console.notify import notify, notify_error, notify_warning
from sprig_tui.console.widgets.columns import ChosenColumn
from sprig_tui.console.widgets.line import fit_span
from sprig_tui.console.widgets.line_list import LineList
from sprig_tui.console.widgets.panel import Caption, Panel
from sprig_tui.errors import FilterError, JournalError
from sprig_tui.journal.base import Journal
from sprig_tui.journal.export_format import json_line
from sprig_tui.journal.filter import NO_FILTERS
from sprig_tui.journal.query import MATCH_ALL, Query
from sprig_tui.journal.records import Delivery
from sprig_tui.text import printable


class DeliveryLog(HasCommands, Panel, Vertical):
    """The log of all deliveries. Assign `journal` when it is opened, None when it is closed: the rows stay."""

    HELP = (
        "Every record that was ever read is here: queued, delivered, failed or withheld, with its reason. The newest is"
        " at the bottom; the log follows it until you scroll away."
    )
    COMMAND_CLASSES = COMMANDS
    BINDINGS: ClassVar[list[BindingType]] = bindings(COMMANDS)

    journal: var[Journal | None] = var(None)
    filter: reactive[Query] = reactive(MATCH_ALL, repaint=False)
    """What is shown; assign another to filter."""
    environment_names: var[tuple[str, ...]] = var(())
    """Completions for `env:`."""
    saved_filters: var[Mapping[str, str]] = var(NO_FILTERS)
    """Filters of the config, for `@name`."""
    file_hint: var[str] = var("")
    """Hint about the open file, shown while there are no deliveries."""
    held_environments: var[frozenset[str]] = var(frozenset())
    """Environments whose queue is held: their deliveries change without a change of their own."""
    trouble: var[str] = var("")
    """Error shown below the rows on narrow screens."""

    class DeliverySelected(Message):
        """The cursor is on another delivery, or that delivery changed; `by_person`: the user moved the cursor."""

        def __init__(self, delivery: Delivery, *, by_person: bool) -> None:
            super().__init__()
            self.delivery = delivery
            self.by_person = by_person

    class Queued(Message):
        """Deliveries were queued again, or a job that queues them was made: the engine may look now."""

    class RepairRequested(Message):
        """The user wants to repair the delivery under the cursor, which was chosen by this."""

    class FilterChanged(Message):
        """Another filter was applied."""

        def __init__(self, query: Query) -> None:
            super().__init__()
            self.query = query

    def __init__(self, *, clock: Clock | None = None, id: str | None = None) -> None:  # noqa: A002 - Textual's own word
        super().__init__(id=id)
        self.clock = clock or SystemClock()
        self.lines = LogLines(self.clock, on_cursor=self._on_cursor)
        self.bar = FilterBar(self.clock.now, lambda: self.environment_names, lambda: self.saved_filters)
        self._filter_before = MATCH_ALL
        """The filter before one was typed."""
        self._position_before: LogPosition | None = None
        self._returns_to: LogPosition | None = None
        """Where to show the filter that is assigned."""
        self._opens_at: LogPosition | None = None
        """Where to show the journal that is opened next."""
        self._is_typing = False
        self._actions = DeliveryActions(self, self.clock)
        self.job_line = self._actions.job_line
        self.replays, self.forgets = self._actions.replays, self._actions.forgets
        # kept as attributes: the updater still runs for a moment while the console closes and unmounts children
        self._header = Caption(classes="log-header")
        self._trouble_caption = Caption(classes="log-trouble")
        self.updater = LogUpdater(self.lines, on_change=self._refresh_texts, on_selected=self._post_selected)
        self._title_state: TitleState | None = None
        self._ready = False

    def compose(self) -> ComposeResult:
        yield self.bar
        yield self._header
        yield self.lines
        yield self._trouble_caption
        yield self.job_line

    def on_mount(self) -> None:
        self._ready = True
        self.bar.close()
        self.run_worker(self.updater.run(), group="watch")
        self.run_worker(self.updater.read_rows(), group="rows")
        self.run_worker(self.job_line.run(lambda: self.journal), group="jobs")
        self._refresh_texts()

    @property
    def focused_lines(self) -> LineList:
        """The lines that get the focus."""
        return self.lines

    def focus(self, scroll_visible: bool = True) -> Self:
        """Focus the rows."""
        self.lines.focus(scroll_visible)
        return self

    # -- what is shown -------------------------------------------------------------------------------------------------

    def watch_journal(self, before: Journal | None, journal: Journal | None) -> None:
        """Search a newly opened journal, with the cursor where it was."""
        del before
        if journal is not None:
            opens_at, self._opens_at = self._opens_at, None
            keep = self.updater.search is not None
            self.updater.set_filter(journal, self.filter, keep=keep, position=opens_at)
        self._refresh_texts()

    def watch_filter(self, query: Query) -> None:
        if self.journal is not None:
            self.updater.set_filter(
                self.journal, query, position=self._returns_to, by_person=not self._is_typing and not self._returns_to
            )
        self.post_message(self.FilterChanged(query))
        self._refresh_texts()

    def open_at(self, delivery_id: int) -> None:
        """Put the cursor on a delivery: now, or once the journal is open."""
        position = LogPosition(following=False, cursor_id=delivery_id, top_id=delivery_id)
        if self.journal is None:
            self._opens_at = position
        else:
            self.updater.set_filter(self.journal, self.filter, position=position)

    def watch_saved_filters(self) -> None:
        """Filter again by a filter that names a saved one, which may mean something else now."""
        if "@" not in self.filter.text:
            return
        try:
            self.filter = self.bar.parse(self.filter.text)
        except FilterError as error:
            notify_warning(self.app, f"{error.message}: the log shows what it meant before")

    def watch_held_environments(self) -> None:
        """Search again: what is held is a matter of the lane."""
        if self.journal is not None and self.updater.search is not None:
            self.updater.set_filter(self.journal, self.filter, keep=True)

    def watch_file_hint(self) -> None:
        self._refresh_texts()

    def watch_trouble(self) -> None:
        self._refresh_texts()

    @property
    def following(self) -> bool:
        """Whether the log follows the newest delivery."""
        return self.lines.following

    def wake(self) -> None:
        """Poll now: something was added or sent."""
        self.updater.wake()

    def queue_changed(self) -> None:
        """Deliveries were queued, or a replay job was made or changed: poll now, and post `Queued` for the engine."""
        self.post_message(self.Queued())
        self.job_line.wake()
        self.wake()

    def _refresh_texts(self) -> None:
        """Update title, error and hints where they changed."""
        search = self.updater.search
        is_behind = search is not None and (self.journal is None or self.updater.is_behind)
        state = TitleState(
            filter=search.query.text if search is not None and is_behind else self.filter.text,
            shown=len(search.matches) if search else 0,
            total=search.total if search else 0,
            searched=search.searched if search else 1.0,
            following=self.lines.following,
            new=self.lines.new_rows,
            marked=len(self.lines.marks),
            width=self.outer_size.width - FRAME_CELLS,
        )
        if not self._ready:
            return
        self._trouble_caption.show(Content(printable(self.trouble or self.updater.trouble, limit=400)))
        hints = empty_log_hints(state, opened=search is not None, file=self.file_hint, sends=not self.refusal("replay"))
        if state != self._title_state or hints != self.lines.hints:
            self._title_state = state
            self.retitle(clickable_title(state))
            self.lines.hints = hints
            if not state.shown:
                self.lines.refresh()

    def on_resize(self) -> None:
        self.call_after_refresh(self._show_header)

    # -- columns -------------------------------------------------------------------------------------------------------

    def choose_columns(self, chosen: tuple[ChosenColumn, ...]) -> None:
        """Show these columns, as far as they fit; none for those that the width suggests."""
        self.lines.choose_columns(chosen)
        if self._ready:
            self._show_header()

    def action_choose_columns(self) -> None:
        self._actions.run_flow(self._ask_columns())

    async def _ask_columns(self) -> None:
        from sprig_tui.console.widgets.column_chooser import ColumnChooser, ColumnsChosen

        listed = self.lines.column_list(self.choose_columns)
        chosen = await self.app.push_screen_wait(ColumnChooser(listed, self.lines.chosen))
        if chosen is not None:
            self.post_message(ColumnsChosen("columns", chosen))

    def on_click(self, event: events.Click) -> None:
        """Choose columns by a click on their titles."""
        if event.widget is self._header:
            event.stop()
            self.action_choose_columns()

    def _show_header(self) -> None:
        text = "".join(fit_span(part.text, part.width) for part in self.lines.header())
        self._header.show(Content(text))

    @on(LogLines.Changed)
    def _on_lines_changed(self, event: LogLines.Changed) -> None:
        event.stop()
        self._refresh_texts()

    @on(LineList.Selected)
    def _on_line_selected(self, event: LineList.Selected) -> None:
        event.stop()
        self.action_delivery_detail()

    def _on_cursor(self) -> None:
        if self.lines.selected:
            self.updater.select(self.lines.selected)

    def _post_selected(self, delivery: Delivery, by_person: bool) -> None:
        self.post_message(self.DeliverySelected(delivery, by_person=by_person))

    @property
    def is_selected_stale(self) -> bool:
        """Whether the user chose a delivery or a filter that is not shown yet."""
        return self.updater.is_selected_stale

    def mark_shown(self, delivery_id: int) -> None:
        """The payload of this delivery was shown, or cannot be."""
        if delivery_id == self.lines.selected:
            self.lines.has_unshown_choice = False

    def stop_following(self) -> None:
        """Stay on the delivery under the cursor: the Payload pane shows it."""
        self.lines.follow(False)

    # -- filter --------------------------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        self._filter_before, self._position_before = self.filter, self.lines.position
        self.bar.ask(self.filter.text)

    def use_filter(self, text: str) -> None:
        """Filter by a text, such as the name of a saved filter; a mistake in it is shown."""
        try:
            query = self.bar.parse(text)
        except FilterError as error:
            notify_error(self.app, error)
            return
        self.bar.input.add_to_history(query.text)
        self.filter = query

    def action_save_filter(self) -> None:
        self.post_message(FilterInput.SaveRequested(self.filter.text))

    def action_clear_filter(self) -> None:
        if self.lines.marks:
            self.lines.unmark()
        elif self.filter.terms:
            self.filter = MATCH_ALL

    @on(FilterBar.Applied)
    def _on_filter_applied(self, event: FilterBar.Applied) -> None:
        event.stop()
        self.lines.focus()
        if event.query == self.filter:
            self.updater.choose()
        self.filter = event.query
        # keys that are typed ahead are for what matches
        self.run_worker(self.updater.wait_until_shown(), group=f"{LOADING_GROUP_PREFIX}filter", exclusive=True)

    @on(FilterBar.Typed)
    def _on_filter_typed(self, event: FilterBar.Typed) -> None:
        """Show what matches; what is typed next replaces a search that is not done."""
        event.stop()
        self._is_typing = True
        self.filter = event.query
        self._is_typing = False

    @on(FilterBar.Rejected)
    def _on_filter_rejected(self, event: FilterBar.Rejected) -> None:
        """Show what was shown before it was typed."""
        event.stop()
        self._restore_filter()

    @on(FilterBar.Left)
    def _on_filter_left(self, event: FilterBar.Left) -> None:
        event.stop()
        self.lines.focus()
        self._restore_filter()

    def _restore_filter(self) -> None:
        """Show what was shown before a filter was typed, at the same position."""
        self._returns_to = self._position_before
        self.filter = self._filter_before
        self._returns_to = None

    # -- cursor and marks ----------------------------------------------------------------------------------------------

    def action_mark(self) -> None:
        self.lines.toggle_mark()

    def action_follow(self) -> None:
        self.lines.follow(not self.lines.following)
        if self.lines.following and self.lines.selected:
            self.updater.select(self.lines.selected)

    def action_next_failed(self) -> None:
        self.run_worker(track_flow(self.app, self._go_to_failed(older=False)), group="failed", exclusive=True)

    def action_previous_failed(self) -> None:
        self.run_worker(track_flow(self.app, self._go_to_failed(older=True)), group="failed", exclusive=True)

    async def _go_to_failed(self, *, older: bool) -> None:
        """Go to the next failed delivery; after the last one, start at the other end."""
        search = self.updater.search
        if search is None:
            return
        start = self.lines.selected
        try:
            failed_id, wraps = await search.next_failed_around(start, older=older)
        except JournalError as error:
            notify_error(self.app, error)
            return
        if not self.lines.go_to(failed_id):
            notify(self.app, f"no failed delivery {'matches the filter' if self.filter.terms else 'in the log'}")
        elif failed_id == start:
            notify(self.app, "this is the only failed delivery")
        elif wraps:
            notify(
                self.app, f"on from the {'newest' if older else 'oldest'}: the {'last' if older else 'first'} failed"
            )

    def action_delivery_detail(self) -> None:
        search = self.updater.search
        if search is None or not self.lines.selected or self.journal is None:
            notify_warning(self.app, NO_JOURNAL if self.journal is None else "no delivery is selected")
            return
        selected = self.lines.selected
        screen = DetailScreen(lambda: self.journal, search.matches, selected, self.replays, self.clock, self.forgets)
        self.app.push_screen(screen, self._after_detail)

    def _after_detail(self, result: DetailResult | None) -> None:
        """Put the cursor on the delivery that the detail screen showed last, and let it be repaired."""
        if result is None:
            return
        is_listed = self.lines.go_to(result.delivery_id)
        if result.repairs:
            if is_listed:
                self.updater.choose()
            else:
                self.use_filter(f"id:{result.delivery_id}")
            self.post_message(self.RepairRequested())
        self.wake()

    def action_copy_delivery(self) -> None:
        if (row := self.lines.selected_row) is not None:
            self.post_message(CopyRequested(json_line(row), f"delivery {row.id}"))

    # -- actions on what is chosen -------------------------------------------------------------------------------------

    def action_replay(self) -> None:
        self._actions.replay(as_new=False)

    def action_send_as_new(self) -> None:
        self._actions.replay(as_new=True)

    def action_replay_filter(self) -> None:
        self._actions.replay_matching(as_new=False)

    def action_send_filter_as_new(self) -> None:
        self._actions.replay_matching(as_new=True)

    def action_withdraw(self) -> None:
        self._actions.withdraw()

    def action_withdraw_filter(self) -> None:
        self._actions.withdraw_matching()

    def action_forget(self) -> None:
        self._actions.forget()

    def action_explain_delivery(self) -> None:
        self._actions.explain()

    def action_export(self) -> None:
        self._actions.export()

    def action_pause_replay(self) -> None:
        self._actions.pause_or_resume()

    def action_cancel_job(self) -> None:
        self._actions.cancel()
