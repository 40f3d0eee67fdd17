"""Payload pane: shows a record in one of four views; moves, edits, copies, and asks to send."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import msgspec
from textual import on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.message import Message
from textual.reactive import reactive

from sprig_tui.clock import Clock, SystemClock
from sprig_tui.config.environment import Environment
from sprig_tui.console.clipboard import CopyRequested
from sprig_tui.console.commands.base import Command, HasCommands, bindings
from sprig_tui.console.commands.payload import COMMANDS, OpenFile
from sprig_tui.console.deliveries.repair import FORM_HINT
from sprig_tui.console.notify import notify, notify_warning
from sprig_tui.console.payload.edit_actions import EditActions
from sprig_tui.console.payload.edits import RecordEdits
from sprig_tui.console.payload.file_picker import FilePicker
from sprig_tui.console.payload.flows import PaneFlows
from sprig_tui.console.payload.inspection import Inspection, PlanCheck, no_plan
from sprig_tui.console.payload.navigation import RecordNavigator, ask_record_number
from sprig_tui.console.payload.pasted import PastedText, held_paste, recognise_paste
from sprig_tui.console.payload.presenter import RecordPresenter
from sprig_tui.console.payload.previews import Previews
from sprig_tui.console.payload.record_browser import RecordRef
from sprig_tui.console.payload.records.listing import RecordListing
from sprig_tui.console.payload.records.record_list import RecordList
from sprig_tui.console.payload.refusals import PaneState, refusal
from sprig_tui.console.payload.send_requests import SendRequests
from sprig_tui.console.payload.views import VIEW_NAMES, copied_call, copied_curl
from sprig_tui.console.payload.views.base import CopiedText, RecordView
from sprig_tui.console.screens.explain import ExplainRequested
from sprig_tui.console.widgets.line_list import LineList
from sprig_tui.console.widgets.panel import Panel
from sprig_tui.journal.records import Delivery, DeliveryDetail
from sprig_tui.mapping.records import Rules
from sprig_tui.sprig.held_input import InputSource
from sprig_tui.sprig.records import Record


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

    class LaidOut(Message):
        """The list is beside the record now, or not any more."""

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
        self.check_plan: PlanCheck = no_plan
        """Lints of the stored tracking plan of an environment."""
        self.detail: DeliveryDetail | None = None
        """The delivery shown; None for a record of a file, and for an edited one."""
        self.place: RecordRef | None = None
        """The place of the record shown, whether edited or not."""
        self.presenter = RecordPresenter(self)
        self.lines = self.presenter.lines
        """The widget with the cursor."""
        self._clock = clock or SystemClock()
        self.previews = Previews(self, self._clock)
        self.navigator = RecordNavigator(
            self,
            self._clock,
            self.previews.make_builder,
            self.previews.check_plan,
            on_record=self._show_file_record,
            on_progress=self.presenter.show_progress,
            on_position=self._show_position,
        )
        self.edits = RecordEdits()
        """Edited records that were not sent yet."""
        self.editing = EditActions(self)
        self._send_requests = SendRequests(self)
        self._had_record = (False, False)
        self.records = RecordList(self._clock, self.previews.assessor, lambda: tuple(self.environments))
        """The list of the open file's records; mounted when it is first shown."""
        self.listing = RecordListing(self, self.records)
        self.flows = PaneFlows(self, lambda: self.listing.is_ahead)

    def compose(self) -> ComposeResult:
        """Head, lines, verdict."""
        yield from self.presenter.widgets()

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

    def show_file(self, path: str | Path | Sequence[InputSource]) -> None:
        """Open a file, a folder, or several, or what is held. Where files are out of reach, only what is held."""
        on_disk = isinstance(path, (str, Path)) or any(isinstance(one, str) for one in path)
        if on_disk and (refusal := self.refusal(OpenFile.action())):
            notify_warning(self.app, refusal)
            return
        self.navigator.open(path)

    def open_pasted(self, text: str) -> PastedText:
        """Open the files that a pasted text names, or the records that it holds; returns what it is."""
        pasted = recognise_paste(text, files=not self.refusal(OpenFile.action()))
        if pasted.opens:
            self.show_file(pasted.paths or [held_paste(text, self._clock.now())])
        return pasted

    def show_delivery(self, detail: DeliveryDetail, *, remapped: bool = False) -> None:
        """Show a delivery as it was sent, or `remapped` by the present rules; an unsent edit of it takes precedence."""
        self.place = RecordRef((), detail.delivery.id)
        self.navigator.leave()
        self.listing.on_delivery()
        if (edit := self.edits.get(self.place)) is not None:
            self.show_record(edit.record, edited=True)
            return
        self.detail = detail
        self._show(self.previews.of_delivery(detail, remapped=remapped))

    def update_delivery(self, delivery: Delivery) -> None:
        """Show the new state of the delivery; its call and its opened lines stay."""
        if self.detail is not None:
            self.detail = msgspec.structs.replace(self.detail, delivery=delivery)
        if self.inspection is not None and self.inspection.delivery is not None:
            updated = msgspec.structs.replace(self.inspection, delivery=delivery)
            self.set_reactive(PayloadInspector.inspection, updated)
            self.presenter.update_verdict()

    def _show_file_record(self, place: RecordRef, record: Record) -> None:
        self.place = place
        edited = self.editing.edited_at(place, record)
        self.show_record(edited or record, edited=edited is not None)
        self.listing.on_record(place.number)

    def show_record(self, record: Record, *, edited: bool) -> None:
        """Show a record in place of the delivery; `edited` marks it as edited."""
        self.detail = None
        self._show(self.previews.of_record(record, edited=edited, origin=self.compared_detail))

    def _show(self, inspection: Inspection) -> None:
        self.inspection = inspection
        self.post_message(self.RecordShown())

    def _show_position(self, counted: bool) -> None:
        self.presenter.update_title()
        if counted:
            self.post_message(self.RecordShown())

    @property
    def view(self) -> RecordView | None:
        """The view shown."""
        return self.lines.view

    def watch_inspection(self) -> None:
        """Show the views of another record from their first lines."""
        self.presenter.show_record()
        before = self._had_record
        self._had_record = (self.inspection is not None, self.detail is not None)
        if self._had_record != before:
            self.refresh_bindings()

    def watch_view_name(self) -> None:
        """Show the record in the other view."""
        self.presenter.show_view()

    def on_resize(self) -> None:
        """Cut title and head to the width."""
        self.listing.fit()
        self.presenter.update_title()
        self.presenter.update_head()

    # -- mapping -------------------------------------------------------------------------------------------------------

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
        self.previews.refresh()
        shown = self.inspection
        if shown is None or not self.is_mounted:
            return
        if self.detail is not None:
            self._show(self.previews.of_delivery(self.detail, remapped=shown.remapped))
        elif shown.record is not None:
            self.show_record(shown.record, edited=shown.edited)
        self.listing.reassess()

    # -- edits that were not sent --------------------------------------------------------------------------------------

    @property
    def edited(self) -> int:
        """The number of edited records that were not sent."""
        return len(self.edits)

    # -- commands ------------------------------------------------------------------------------------------------------

    def refusal(self, action: str) -> str:
        """Also refuses what there is nothing for."""
        if reason := super().refusal(action):
            return reason
        state = PaneState(
            self.inspection,
            is_delivery=self.detail is not None,
            is_comparable=self.compared_detail is not None,
            is_edited=self.place in self.edits,
            has_file=self.navigator.browser is not None,
            is_hidden=self.listing.hides_record,
        )
        return refusal(action, state)

    def unasked_command(self, action: str) -> type[Command] | None:
        """Marked records are sent after a question of their own."""
        if action == "send_record" and self.listing.sends_marked:
            return None
        return super().unasked_command(action)

    # -- opening and moving -------------------------------------------------------------------------------------------

    def action_open_file(self) -> None:
        self.flows.run(self._ask_and_open())

    async def _ask_and_open(self) -> None:
        browser = self.navigator.browser
        picker = FilePicker.beside(browser.file.sources[0] if browser is not None else None)
        if paths := await self.app.push_screen_wait(picker):
            self.show_file(paths)
            self.focus()

    # -- the list of records -------------------------------------------------------------------------------------------

    def action_list_records(self) -> None:
        self.flows.run(self.listing.toggle())

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

    def action_next_record(self) -> None:
        self._step(1)

    def action_previous_record(self) -> None:
        self._step(-1)

    def _step(self, step: int) -> None:
        self.listing.leave_record()
        if not self.listing.step(step):
            self.navigator.step(step)

    def action_go_to_record(self) -> None:
        browser = self.navigator.browser
        if browser is None:
            return

        async def go_to() -> None:
            if (number := await ask_record_number(self.app, browser)) is not None:
                self.go_to_record(number)

        self.flows.run(go_to())

    def go_to_record(self, number: int) -> None:
        """Show record `number`, from 0, of the open file."""
        self.listing.leave_record()
        self.navigator.go_to(number)

    def action_only_troubled(self) -> None:
        self.navigator.toggle_problems()

    def action_view(self, name: str) -> None:
        """Show one of the four views: a click on its tab."""
        if name in VIEW_NAMES:
            self.view_name = name

    def action_next_view(self) -> None:
        self.view_name = VIEW_NAMES[(VIEW_NAMES.index(self.view_name) + 1) % len(VIEW_NAMES)]

    def action_previous_view(self) -> None:
        self.view_name = VIEW_NAMES[VIEW_NAMES.index(self.view_name) - 1]

    def action_show_fields(self) -> None:
        self.view_name = "Fields"

    def action_show_json(self) -> None:
        self.view_name = "JSON"

    def action_show_raw(self) -> None:
        self.view_name = "Raw"

    def action_show_curl(self) -> None:
        self.view_name = "curl"

    def action_map_again(self) -> None:
        """A delivery as it would be made now, or as it was sent."""
        if self.detail is not None and self.inspection is not None:
            self.show_delivery(self.detail, remapped=not self.inspection.remapped)

    def repair(self) -> None:
        """Show the delivery that the log selects, mapped again, with the cursor on the first field with an error."""
        self.flows.when_shown(self._show_for_repair)

    def _show_for_repair(self) -> None:
        if self.detail is not None and self.inspection is not None and not self.inspection.remapped:
            if reason := self.refusal("map_again"):
                notify_warning(self.app, reason)
                return
            self.show_delivery(self.detail, remapped=True)
        self.view_name = "Fields"
        fields = self.inspection.fields if self.inspection is not None else ()
        self.lines.cursor = next((at for at, field in enumerate(fields) if field.level == "error"), 0)
        notify(self.app, FORM_HINT)

    def action_explain(self) -> None:
        self.flows.when_shown(self._request_explanation)

    def _request_explanation(self) -> None:
        if self.detail is not None:
            self.post_message(ExplainRequested(self.detail))

    # -- sending ------------------------------------------------------------------------------------------------------

    def action_send_record(self) -> None:
        """Ask to send the marked records of the list, or what is shown."""
        if self.listing.sends_marked:
            self.flows.run(self._send_requests.send_marked())
        else:
            self.flows.when_shown(self._send_requests.send_record)

    @property
    def compared_detail(self) -> DeliveryDetail | None:
        """The delivery that what is shown was made of: mapped again, or with an edited record."""
        if self.detail is not None:
            return self.detail
        edit = self.edits.get(self.place)
        return edit.detail if edit is not None else None

    def action_compare(self) -> None:
        """Show what differs from the call as it was sent."""
        self.flows.when_shown(self._send_requests.compare)

    def action_send_file(self) -> None:
        self._send_requests.send_file()

    # -- editing and copying ------------------------------------------------------------------------------------------

    def action_edit_record(self) -> None:
        self.flows.run(self.editing.edit())

    def action_edit_field(self) -> None:
        self.flows.run(self.editing.edit_field())

    def action_undo_edit(self) -> None:
        self.editing.undo()

    def action_copy_value(self) -> None:
        self._copy(self.presenter.copied_line, "there is no value in this line")

    def action_copy_json(self) -> None:
        self._copy(lambda: copied_call(self.inspection), "no call is made of this record")

    def action_copy_curl(self) -> None:
        self._copy(lambda: copied_curl(self.inspection, self.environments), "no call is made of this record")

    def _copy(self, make_text: Callable[[], CopiedText | None], why_not: str) -> None:
        def copy() -> None:
            if (copied := make_text()) is None:
                notify(self.app, f"nothing was copied: {why_not}")
            else:
                self.post_message(CopyRequested(copied.text, copied.what))

        self.flows.when_shown(copy)
