"""Payload pane: shows a record in one of four views; moves, edits, copies, and asks to send."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

import msgspec
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive

from sprig_tui.clock import Clock, SystemClock
from sprig_tui.config.environment import Environment
from sprig_tui.console.clipboard import CopyRequested
from sprig_tui.console.commands.base import HasCommands, bindings
from sprig_tui.console.commands.payload import COMMANDS
from sprig_tui.console.keyboard.queue import track_flow
from sprig_tui.console.notify import notify, notify_error, notify_warning
from sprig_tui.console.payload.call_diff import CompareScreen, call_diff
from sprig_tui.console.payload.external_editor import edited_record
from sprig_tui.console.payload.field_edit import field_value, with_value
from sprig_tui.console.payload.file_picker import FilePicker, dropped_paths
from sprig_tui.console.payload.inspection import Inspection, PlanCheck, inspect_delivery, inspect_record, no_plan
from sprig_tui.console.payload.navigation import RecordNavigator, RecordRef
from sprig_tui.console.payload.payload_lines import PayloadLines
from sprig_tui.console.payload.records.listed_record import RecordAssessor
from sprig_tui.console.payload.records.listing import RecordListing
from sprig_tui.console.payload.records.record_list import RecordList
from sprig_tui.console.payload.summary import LIST_NAME, payload_title, reason_line, verdict_content, verdict_spans
from sprig_tui.console.payload.views import VIEW_NAMES, curl_text, make_view
from sprig_tui.console.payload.views.base import CopiedText, RecordView
from sprig_tui.console.payload.views.fields import FieldsView, field_header
from sprig_tui.console.payload.views.json import JsonNode
from sprig_tui.console.screens.explain import ExplainRequested
from sprig_tui.console.widgets.dialogs import Prompt
from sprig_tui.console.widgets.line_list import LineList
from sprig_tui.console.widgets.panel import Caption, Panel
from sprig_tui.errors import ConfigError, InputError
from sprig_tui.ingest import EntryBuilder
from sprig_tui.journal.records import Delivery, DeliveryDetail
from sprig_tui.mapping.records import Rules
from sprig_tui.segment.lints import Lint
from sprig_tui.sprig.records import Record, StudyResponse

_NEEDS_RECORD = frozenset({"send_record", "edit_record", "edit_field", "copy_value", "copy_json", "copy_curl"})
_NEEDS_RECORD_KEPT = {
    "edit_record": "it cannot be edited",
    "edit_field": "it cannot be edited",
    "map_again": "it cannot be mapped again",
}
_NEEDS_FILE = frozenset(
    {"send_file", "next_record", "previous_record", "go_to_record", "only_troubled", "list_records"}
)


SHOW_TIMEOUT_S = 3.0
"""Longest wait for what the log selects to be shown, before a command gives up."""


class RecordEdit(NamedTuple):
    """A record as edited by the user, and what it replaces."""

    record: Record
    before: bytes
    """The record as read, to notice that the file has another one in that place by now."""
    detail: DeliveryDetail | None
    """The delivery, where the edited record is one."""


class PayloadInspector(HasCommands, Panel):
    """Payload pane: one record of an open file, or the delivery that the log selects.

    Set `environments`, `rules` and `environment`; the record shown is mapped again. Messages ask for what the pane does
    not do itself: sending and copying.
    """

    HELP = (
        "One record at a time: what is sent for it, where each value comes from, and its problems. Enter opens a long"
        " or nested value in place. Nothing leaves before you send it."
    )
    COMMAND_CLASSES = COMMANDS
    BINDINGS: ClassVar[list[BindingType]] = bindings(COMMANDS)

    inspection: reactive[Inspection | None] = reactive(None, repaint=False, always_update=True)
    """The record shown."""
    view_name: reactive[str] = reactive("Fields", repaint=False)
    environments: reactive[Mapping[str, Environment]] = reactive({}, repaint=False, init=False)
    """By name, as in the config."""
    environment: reactive[str] = reactive("", repaint=False, init=False)
    """The selected environment: records that name none are sent there."""
    rules: reactive[Rules] = reactive(Rules(), repaint=False, init=False)

    class RecordShown(Message):
        """Another record is shown, or none, or the file was counted."""

    class SendRequested(Message):
        """These records are to be sent."""

        def __init__(
            self,
            records: tuple[Record, ...],
            *,
            environment: str,
            edits: Sequence[RecordRef | None] = (),
            origin: DeliveryDetail | None = None,
        ) -> None:
            super().__init__()
            self.origin = origin
            """The delivery that a single record was changed of, or is mapped again of."""
            self.records = records
            self.edits = tuple(edits) or (None,) * len(records)
            """For each record that a person changed (`Entry.edited`), where the edit is kept until it is sent."""
            self.environment = environment
            """Where they would go, as the pane says; empty for several records."""

    class SendAllRequested(Message):
        """Every record of some files is to be sent; `total` is their number once `complete`."""

        def __init__(self, sources: tuple[str, ...], name: str, total: int, *, complete: bool, edited: int = 0) -> None:
            super().__init__()
            self.edited = edited
            """Records of them that were edited here: the files do not have that."""
            self.sources = sources
            self.name = name
            self.total = total
            self.complete = complete

    def __init__(
        self,
        *,
        state_dir: Path | None = None,
        clock: Clock | None = None,
        id: str | None = None,  # noqa: A002 - Textual's own word
    ) -> None:
        """`state_dir` is the folder for the files that the editor edits."""
        super().__init__(id=id, classes="pane")
        self.state_dir = state_dir
        self.is_stale: Callable[[], bool] = lambda: False
        """Whether the log has selected another delivery, which is not shown yet."""
        self.check_plan: PlanCheck = no_plan
        """Lints of the stored tracking plan of an environment."""
        self.detail: DeliveryDetail | None = None
        """The delivery shown; None for a record of a file, and for an edited one."""
        self.place: RecordRef | None = None
        """The place of the record shown, whether edited or not."""
        self.lines = PayloadLines(id="payload-lines")
        """The widget with the cursor."""
        self._clock = clock or SystemClock()
        self.navigator = RecordNavigator(
            self,
            self._clock,
            self.make_builder,
            self._check_plan,
            on_record=self._show_file_record,
            on_progress=self._show_progress,
            on_position=self._show_position,
        )
        self._edits: dict[RecordRef, RecordEdit] = {}
        """Edited records that were not sent yet."""
        self._builder: EntryBuilder | None = None
        self._rules_error = ""
        """Why the rules cannot be used; others stand in for them then."""
        self._views: dict[str, RecordView] = {}
        self._progress_text = ""
        self._head = Caption(classes="payload-head")
        self._verdict = Caption(classes="payload-verdict")
        self._had_record = (False, False)
        self.records = RecordList(self._clock, self._make_assessor, lambda: tuple(self.environments))
        """The list of the open file's records; mounted when it is first shown."""
        self.listing = RecordListing(self, self.records)

    def compose(self) -> ComposeResult:
        """Head, lines, verdict."""
        yield self._head
        yield self.lines
        yield self._verdict

    def focus(self, scroll_visible: bool = True, **options: bool) -> PayloadInspector:
        """Focus the lines, which have the cursor."""
        self.focused_lines.focus(scroll_visible, **options)
        return self

    @property
    def focused_lines(self) -> LineList:
        """The lines that get the focus: those of the list, or of the record or delivery that is shown beside it."""
        in_list = self.listing.shown and (self.navigator.in_view or self.listing.hides_record)
        return self.records.lines if in_list else self.lines

    def on_unmount(self) -> None:
        """End the threads that still read."""
        self.navigator.close()

    # -- what is shown -------------------------------------------------------------------------------------------------

    def show_file(self, path: str | Path | Sequence[str]) -> None:
        """Open a file, a folder, or several."""
        self.navigator.open(path)

    def open_pasted(self, text: str) -> bool:
        """Open the files that a pasted text names; False where it names none that exist."""
        paths = dropped_paths(text)
        if paths:
            self.show_file(paths)
        return bool(paths)

    def show_delivery(self, detail: DeliveryDetail, *, remapped: bool = False) -> None:
        """Show a delivery as it was sent, or `remapped` by the present rules; an unsent edit of it takes precedence."""
        self.place = RecordRef((), detail.delivery.id)
        self.navigator.in_view = False
        self.listing.on_delivery()
        if (edit := self._edits.get(self.place)) is not None:
            self._show_record(edit.record, edited=True)
            return
        self.detail = detail
        self._show_delivery(detail, remapped=remapped)

    def update_delivery(self, delivery: Delivery) -> None:
        """Show the new state of the delivery; its call and its opened lines stay."""
        if self.detail is not None:
            self.detail = msgspec.structs.replace(self.detail, delivery=delivery)
        if self.inspection is not None and self.inspection.delivery is not None:
            updated = msgspec.structs.replace(self.inspection, delivery=delivery)
            self.set_reactive(PayloadInspector.inspection, updated)
            self._update_verdict()

    def _show_file_record(self, place: RecordRef, record: Record) -> None:
        self.place = place
        edited = self._edited_at(place, record)
        self._show_record(edited or record, edited=edited is not None)
        self.listing.on_record(place.number)

    def _show_record(self, record: Record, *, edited: bool) -> None:
        self.detail = None
        self._show_inspected(record, edited=edited)

    def _show_inspected(self, record: Record, *, edited: bool) -> None:
        now, origin = self._clock.now(), self._compared_detail
        builder = self.builder()
        if origin is not None and origin.delivery.environment in self.environments:
            builder = self.make_builder(environment=origin.delivery.environment)
        found = inspect_record(record, builder, now, edited=edited, check_plan=self.check_plan)
        self._show(msgspec.structs.replace(found, rules_error=self._rules_error))

    def _show_delivery(self, detail: DeliveryDetail, *, remapped: bool) -> None:
        now = self._clock.now()
        found = inspect_delivery(detail, self.builder(), now, remapped=remapped, check_plan=self.check_plan)
        self._show(msgspec.structs.replace(found, rules_error=self._rules_error if found.remapped else ""))

    def _show(self, inspection: Inspection) -> None:
        self.inspection = inspection
        self.post_message(self.RecordShown())

    def _show_position(self, counted: bool) -> None:
        self.update_title()
        if counted:
            self.post_message(self.RecordShown())

    def _show_progress(self, text: str) -> None:
        self._progress_text = text
        self._update_verdict()

    @property
    def view(self) -> RecordView | None:
        """The view shown."""
        return self.lines.view

    def watch_inspection(self) -> None:
        """Show the views of another record from their first lines."""
        self._views.clear()
        self._show_view()
        before = self._had_record
        self._had_record = (self.inspection is not None, self.detail is not None)
        if self._had_record != before:
            self.refresh_bindings()

    def watch_view_name(self) -> None:
        """Show the record in the other view."""
        self._show_view()

    def on_resize(self) -> None:
        """Cut title and head to the width."""
        self.listing.fit()
        self.update_title()
        self.update_head()

    def _show_view(self) -> None:
        if not self.lines.is_mounted:
            return
        shown = self.inspection
        if shown is None:
            self.lines.show(None)
        else:
            view = self._views.get(self.view_name)
            if view is None:
                view = self._views[self.view_name] = make_view(self.view_name, shown, self.environments)
            self.lines.show(view)
        self.update_title()
        self.update_head()
        self._update_verdict()

    def update_title(self) -> None:
        """Show the position and the view in the title."""
        width = max(self.size.width - 4, 20)
        view = LIST_NAME if self.listing.hides_record else self.view_name
        self.retitle(payload_title(self.inspection, self.navigator.position(), view, width))

    def update_head(self) -> None:
        """Show the titles of the columns."""
        width = self.lines.scrollable_content_region.width or self.size.width
        if self.listing.hides_record:
            self._head.show(Content(""))
            return
        self._head.show(Content(field_header(width) if isinstance(self.view, FieldsView) else ""))

    def _update_verdict(self) -> None:
        shown = self.inspection
        content = progress = Content.styled(self._progress_text, "$text-accent")
        if shown is not None:
            content = verdict_content(verdict_spans(shown, self.environments), reason_line(shown, self.environments))
            if self._progress_text:
                content = Content.assemble(progress, " · ", content)
        self._verdict.show(content)

    # -- mapping -------------------------------------------------------------------------------------------------------

    def builder(self) -> EntryBuilder:
        """The builder that maps by the present rules, environments and selection; for this thread only."""
        if self._builder is None:
            self._builder = self.make_builder()
        return self._builder

    def _make_assessor(self) -> RecordAssessor:
        """What tells the list what would become of a record; the list shows answers whatever the journal keeps."""
        builder = self.make_builder(msgspec.structs.replace(self.rules, store_raw="full"))
        return RecordAssessor(builder, self._clock.now(), self._check_plan, self.peek_edit)

    def make_builder(self, rules: Rules | None = None, *, environment: str = "") -> EntryBuilder:
        """Another builder with the same settings, such as for a thread; or for other rules or another environment."""
        environment = environment or self.environment
        selected = environment if environment in self.environments else None
        try:
            builder = EntryBuilder(rules or self.rules, self.environments, selected, clock=self._clock)
        except ConfigError as error:
            self._rules_error = error.message
            # invalid rules are rejected when the config is read; others stand in for them, which show no value that
            # is to be hashed
            notify_error(self.app, error)
            stand_in = Rules(omit=self.rules.omit | self.rules.hash | self.rules.hmac) if self.rules.hmac else Rules()
            return EntryBuilder(stand_in, self.environments, selected, clock=self._clock)
        self._rules_error = ""
        return builder

    def _check_plan(self, environment: str, body: bytes) -> tuple[Lint, ...]:
        return self.check_plan(environment, body)

    def watch_environment(self) -> None:
        """Map again: records that name no environment go to another one."""
        self._map_again()

    def watch_rules(self) -> None:
        """Map again by the new rules."""
        self._map_again()

    def watch_environments(self) -> None:
        """Map again: keys, regions or environment ids may have changed."""
        self._map_again()

    def _map_again(self) -> None:
        self._builder = None
        shown = self.inspection
        if shown is None or not self.is_mounted:
            return
        if self.detail is not None:
            self._show_delivery(self.detail, remapped=shown.remapped)
        elif shown.record is not None:
            self._show_inspected(shown.record, edited=shown.edited)
        self.listing.reassess()

    # -- edits that were not sent --------------------------------------------------------------------------------------

    @property
    def edited(self) -> int:
        """The number of edited records that were not sent."""
        return len(self._edits)

    def forget_sent(self, sent: PayloadInspector.SendRequested) -> None:
        """Drop the edits and the marks of records that were sent: the log has them."""
        for place in sent.edits:
            if place is not None and self._edits.pop(place, None) is not None:
                self._reassess_listed(place)
        if len(sent.records) > 1:
            self.records.unmark()

    def peek_edit(self, number: int, record: Record) -> Record | None:
        """The record of the open file as edited; callable in any thread."""
        browser = self.navigator.browser
        edit = self._edits.get(RecordRef(browser.file.sources, number)) if browser is not None and self._edits else None
        return edit.record if edit is not None and edit.before == record.raw else None

    def _reassess_listed(self, place: RecordRef) -> None:
        if place.files:
            self.listing.reassess(place.number)

    def _keep_edit(self, record: Record) -> None:
        shown = self.inspection
        if self.place is None or shown is None:
            return
        edit = self._edits.get(self.place) or RecordEdit(record, shown.raw, self.detail)
        self._edits[self.place] = edit._replace(record=record)
        self._show_record(record, edited=True)
        self._reassess_listed(self.place)

    def _edited_at(self, place: RecordRef, record: Record) -> Record | None:
        """The edited record of this place; None where there is none, or the file has another record there by now."""
        edit = self._edits.get(place)
        if edit is not None and edit.before != record.raw:
            del self._edits[place]
            notify_warning(
                self.app, f"record {place.number + 1:,} of the file is another one now: your edit of it is gone"
            )
            return None
        return edit.record if edit is not None else None

    # -- commands ------------------------------------------------------------------------------------------------------

    def refusal(self, action: str) -> str:  # noqa: PLR0911 - a reason for each
        """Also refuses what there is nothing for."""
        if reason := super().refusal(action):
            return reason
        if action in _NEEDS_RECORD and self.inspection is None:
            return "no payload is shown: open a file with o, or select a delivery"
        if action == "explain" and self.detail is None:
            return "explain: this is no delivery of the log; select one there"
        if action in _NEEDS_FILE and self.navigator.browser is None:
            return "no file is open: o opens one"
        if action == "compare" and self._compared_detail is None:
            return "compare: this is no delivery of the log, and no edited one"
        if action == "undo_edit" and (self.inspection is None or self.place not in self._edits):
            return "this record was not edited here"
        if action in _NEEDS_RECORD_KEPT and self.inspection is not None and self.inspection.no_record:
            return f"{_NEEDS_RECORD_KEPT[action]}: {self.inspection.no_record}"
        if action == "map_again" and (self.detail is None or self.inspection is None or self.inspection.record is None):
            return "only a delivery of the log can be mapped again, and only if its record can be read by itself"
        return ""

    async def _is_shown(self) -> bool:
        """Wait until the delivery that the log selects is shown; False, with a notice, where it takes too long."""
        try:
            async with asyncio.timeout(SHOW_TIMEOUT_S):
                while self.is_stale() or self.listing.is_ahead:  # noqa: ASYNC110 - no single event reports it
                    await asyncio.sleep(0.02)
        except TimeoutError:
            notify_warning(self.app, "nothing was done: what is selected cannot be shown yet; try again in a moment")
            return False
        return True

    def _when_shown(self, action: Callable[[], None]) -> None:
        async def later() -> None:
            if await self._is_shown():
                action()

        if self.is_stale() or self.listing.is_ahead:
            self._run_flow(later())
        else:
            action()

    # -- opening and moving -------------------------------------------------------------------------------------------

    def action_open_file(self) -> None:
        """Ask for a path."""
        browser = self.navigator.browser
        folder = Path(browser.file.sources[0]).absolute().parent if browser is not None else Path.cwd()

        self._run_flow(self._pick(f"{str(folder).rstrip('/')}/"))

    async def _pick(self, start: str) -> None:
        if paths := await self.app.push_screen_wait(FilePicker(start)):
            self.show_file(paths)
            self.focus()

    def _run_flow(self, work: Coroutine[None, None, None]) -> None:
        self.run_worker(track_flow(self.app, work), group="payload-flow", exclusive=True, exit_on_error=False)

    def on_paste(self, event: events.Paste) -> None:
        """A path dropped on the terminal is opened; any other text is not for this pane."""
        if self.open_pasted(event.text):
            event.stop()

    # -- the list of records -------------------------------------------------------------------------------------------

    def action_list_records(self) -> None:
        """List the records, or show the record alone again."""
        self._run_flow(self.listing.toggle())

    def action_back_to_list(self) -> None:
        """Show the list as it was, with the cursor on the record shown."""
        self.listing.go_back()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Escape goes back to the list only where there is one."""
        if action == "back_to_list":
            return self.listing.goes_back
        return super().check_action(action, parameters)

    @on(RecordList.Moved)
    def _on_list_moved(self, event: RecordList.Moved) -> None:
        event.stop()
        self.listing.follow(event)

    @on(RecordList.ReadAgain)
    def _on_list_read_again(self, event: RecordList.ReadAgain) -> None:
        event.stop()
        self.navigator.reopen()

    async def _send_marked(self) -> None:
        if (marked := await self.listing.read_marked()) is not None:
            self.post_message(self.SendRequested(marked.records, environment="", edits=marked.edits))

    def action_next_record(self) -> None:
        """To the next record."""
        self.listing.leave_record()
        self.navigator.step(1)

    def action_previous_record(self) -> None:
        """To the record before."""
        self.listing.leave_record()
        self.navigator.step(-1)

    def action_go_to_record(self) -> None:
        """Ask for a number."""
        browser = self.navigator.browser
        if browser is None:
            return
        more = "" if browser.file.complete else " or more"

        def check(typed: str) -> str:
            digits = typed.strip().replace(",", "")
            return "" if digits.isdecimal() and 0 < len(digits) < 13 and int(digits) else "type a number from 1 on"

        async def ask() -> None:
            prompt = Prompt("Go to record", f"1 to {browser.file.count:,}{more}", check=check)
            if (typed := await self.app.push_screen_wait(prompt)) is not None:
                self.listing.leave_record()
                self.navigator.go_to(int(typed.strip().replace(",", "")) - 1)

        self._run_flow(ask())

    def action_only_troubled(self) -> None:
        """Troubled records only, or all."""
        self.navigator.toggle_problems()

    def action_view(self, name: str) -> None:
        """Show one of the four views: a click on its tab."""
        if name in VIEW_NAMES:
            self.view_name = name

    def action_next_view(self) -> None:
        """The next of the four views."""
        self.view_name = VIEW_NAMES[(VIEW_NAMES.index(self.view_name) + 1) % len(VIEW_NAMES)]

    def action_previous_view(self) -> None:
        """The view before."""
        self.view_name = VIEW_NAMES[VIEW_NAMES.index(self.view_name) - 1]

    def action_show_fields(self) -> None:
        """The Fields view."""
        self.view_name = "Fields"

    def action_show_json(self) -> None:
        """The JSON view."""
        self.view_name = "JSON"

    def action_show_raw(self) -> None:
        """The Raw view."""
        self.view_name = "Raw"

    def action_show_curl(self) -> None:
        """The curl view."""
        self.view_name = "curl"

    def action_map_again(self) -> None:
        """A delivery as it would be made now, or as it was sent."""
        if self.detail is not None and self.inspection is not None:
            self.show_delivery(self.detail, remapped=not self.inspection.remapped)

    def action_explain(self) -> None:
        """Ask for an explanation of the delivery."""
        self._when_shown(self._request_explanation)

    def _request_explanation(self) -> None:
        if self.detail is not None:
            self.post_message(ExplainRequested(self.detail))

    # -- sending ------------------------------------------------------------------------------------------------------

    def action_send_record(self) -> None:
        """Ask to send the marked records of the list, or what is shown."""
        if self.listing.shown and self.records.marked:
            self._run_flow(self._send_marked())
        else:
            self._when_shown(self._send_record)

    def _send_record(self) -> None:
        shown = self.inspection
        if shown is None:
            return
        if self.detail is not None and not shown.remapped:
            notify_warning(self.app, "this is in the log already: replay it there, or edit it, or map it again with m")
        elif shown.record is None:
            notify_warning(self.app, "the record behind this delivery cannot be read by itself: send its file")
        elif shown.rules_error:
            notify_warning(self.app, shown.rules_error)
        elif shown.withheld:
            notify_warning(self.app, f"this would be withheld, not sent: {shown.detail or shown.withheld}")
        else:
            place = self.place if self.place in self._edits else None
            origin = self._compared_detail
            self.post_message(
                self.SendRequested((shown.record,), environment=shown.environment, edits=[place], origin=origin)
            )

    @property
    def _compared_detail(self) -> DeliveryDetail | None:
        """The delivery that what is shown was made of: mapped again, or with an edited record."""
        if self.detail is not None:
            return self.detail
        edit = self._edits.get(self.place) if self.place is not None else None
        return edit.detail if edit is not None else None

    def action_compare(self) -> None:
        """Show what differs from the call as it was sent."""
        self._when_shown(self._compare)

    def _compare(self) -> None:
        shown, origin = self.inspection, self._compared_detail
        if shown is None or origin is None:
            return
        after = shown.body
        if self.detail is not None and not shown.remapped:
            again = inspect_delivery(origin, self.builder(), self._clock.now(), remapped=True)
            after = again.body if again.remapped else b""
        if not after or not origin.body:
            notify(self.app, "there is nothing to compare: no call is made of it now, or none was made before")
            return
        title = f"Delivery {origin.delivery.id}: - as it was, + as it would be sent now"
        self.app.push_screen(CompareScreen(title, call_diff(origin.body, after)))

    def action_send_file(self) -> None:
        """Ask to send every record of the open file."""
        browser = self.navigator.browser
        if browser is not None:
            file = browser.file
            edited = sum(place.files == file.sources for place in self._edits)
            self.post_message(
                self.SendAllRequested(file.sources, file.name, file.count, complete=file.complete, edited=edited)
            )

    # -- editing and copying ------------------------------------------------------------------------------------------

    def action_edit_record(self) -> None:
        """See `EditRecord`."""
        self._run_flow(self._edit())

    async def _edit(self) -> None:
        """Give the record to the editor, and show what comes back."""
        if not await self._is_shown():
            return
        shown = self.inspection
        if shown is None:
            return
        if self.state_dir is None:
            notify_warning(self.app, "there is no state folder to edit in: see sprig-tui paths")
            return
        try:
            record = await edited_record(self.app, shown, self.state_dir)
        except InputError as error:
            notify_error(self.app, error)
            return
        if record is None:
            notify(self.app, "nothing was changed")
        else:
            self._keep_edit(record)
            notify(self.app, "the edit is kept until s sends it or U undoes it; the file stays as it is")

    def action_edit_field(self) -> None:
        """Ask for another value of the field under the cursor."""
        self._run_flow(self._edit_field())

    async def _edit_field(self) -> None:
        if not await self._is_shown():
            return
        shown, view, at = self.inspection, self.view, self.lines.cursor
        path = view.path_at(at) if view is not None and 0 <= at < len(view) else ""
        if shown is None or not path:
            notify_warning(self.app, "no field is under the cursor: choose one in the Fields view")
            return
        try:
            before = field_value(shown.record, path)
            prompt = Prompt(f"{path} of the record", "Empty leaves it out.", value=before)
            typed = await self.app.push_screen_wait(prompt)
            if typed is None or typed == before or not isinstance(shown.record, StudyResponse):
                return
            record = with_value(shown.record, path, typed)
        except InputError as error:
            notify_error(self.app, error)
            return
        if self.inspection is shown:
            self._keep_edit(record)
            self.lines.cursor = at

    def action_undo_edit(self) -> None:
        """Show the record as it was."""
        edit = self._edits.pop(self.place, None) if self.place is not None else None
        if edit is None:
            return
        if edit.detail is not None:
            self.show_delivery(edit.detail)
        elif self.place is not None:
            self._reassess_listed(self.place)
            self.navigator.go_to(self.place.number)

    def action_copy_value(self) -> None:
        """Copy what the line with the cursor is about."""
        self._when_shown(self._copy_value)

    def _copy_value(self) -> None:
        view = self.view
        copied = view.copy_line(self.lines.cursor) if view is not None and 0 <= self.lines.cursor < len(view) else None
        self._copy(copied, "there is no value in this line")

    def action_copy_json(self) -> None:
        """Copy the call."""
        self._when_shown(self._copy_json)

    def _copy_json(self) -> None:
        body = self.inspection.body if self.inspection is not None else b""
        self._copy(CopiedText(JsonNode(body).pretty(), "the JSON") if body else None, "no call is made of this record")

    def action_copy_curl(self) -> None:
        """Copy the curl command."""
        self._when_shown(self._copy_curl)

    def _copy_curl(self) -> None:
        shown = self.inspection
        text = "\n".join(curl_text(shown, self.environments)) if shown is not None and shown.body else ""
        self._copy(CopiedText(text, "the curl command") if text else None, "no call is made of this record")

    def _copy(self, copied: CopiedText | None, why_not: str) -> None:
        if copied is None:
            notify(self.app, f"nothing was copied: {why_not}")
        else:
            self.post_message(CopyRequested(copied.text, copied.what))
