"""The Payload pane's commands: opening, moving, editing, copying, and asking to send."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message

from sprig_tui.clock import Clock
from sprig_tui.console.clipboard import CopyRequested
from sprig_tui.console.commands.base import HasCommands, bindings
from sprig_tui.console.commands.payload import COMMANDS
from sprig_tui.console.keyboard.queue import track_flow
from sprig_tui.console.notify import notify, notify_error, notify_warning
from sprig_tui.console.payload.external_editor import edited_record
from sprig_tui.console.payload.file_picker import FilePicker
from sprig_tui.console.payload.mapped_pane import FilePlace
from sprig_tui.console.payload.navigation import RecordsPane
from sprig_tui.console.payload.views import VIEW_NAMES, curl_text
from sprig_tui.console.payload.views.base import CopiedText
from sprig_tui.console.payload.views.json import JsonNode
from sprig_tui.console.widgets.dialogs import Prompt
from sprig_tui.errors import InputError
from sprig_tui.sprig.records import Record

_NEEDS_RECORD = frozenset({"send_record", "edit_record", "copy_value", "copy_json", "copy_curl"})
_NEEDS_FILE = frozenset({"send_file", "next_record", "previous_record", "go_to_record", "only_troubled"})


SHOW_TIMEOUT_S = 3.0
"""Longest wait for what the log selects to be shown, before a command gives up."""


class PayloadInspector(HasCommands, RecordsPane):
    """Shows the records of a file, or what the log selects.

    Set `environments`, `rules` and `environment` (where records go that name none); `state_dir` is for what the editor
    edits. It sends and copies nothing itself: it asks by messages.
    """

    HELP = (
        "One record at a time: what is sent for it, where each value comes from, and what is off. Enter opens a long or"
        " nested value in place. Nothing leaves before you send it."
    )
    COMMAND_CLASSES = COMMANDS
    BINDINGS: ClassVar[list[BindingType]] = bindings(COMMANDS)

    class SendRequested(Message):
        """These records are to be sent; `edited` ones were changed by a person (`Entry.edited`)."""

        def __init__(
            self, records: tuple[Record, ...], *, edited: bool, environment: str, place: FilePlace | None = None
        ) -> None:
            super().__init__()
            self.place = place
            """Where an edited one is kept until it is sent."""
            self.records = records
            self.edited = edited
            self.environment = environment
            """Where they would go, as the pane says."""

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
        super().__init__(clock=clock, id=id)
        self.state_dir = state_dir
        self.is_stale: Callable[[], bool] = lambda: False
        """Whether another record is on its way here, and what is shown is not what the person means."""
        self._had_record = (False, False)

    def refusal(self, action: str) -> str:
        """Also refuses what there is nothing for."""
        if said := super().refusal(action):
            return said
        if action in _NEEDS_RECORD and self.inspection is None:
            return "no payload is shown: open a file with o, or select a delivery"
        if action in _NEEDS_FILE and self.browser is None:
            return "no file is open: o opens one"
        if action == "undo_edit" and (self.inspection is None or self.place not in self._edits):
            return "this record was not edited here"
        if action == "map_again" and (self.detail is None or self.inspection is None or self.inspection.record is None):
            return "only a delivery of the log can be mapped again, and only if its record can be read by itself"
        return ""

    def watch_inspection(self) -> None:
        """What can be done now may be another thing."""
        before = self._had_record
        super().watch_inspection()
        self._had_record = (self.inspection is not None, self.detail is not None)
        if self._had_record != before:
            self.refresh_bindings()

    async def _is_shown(self) -> bool:
        """Wait until the record in sight is the one that the log selects; False, and said, where it takes too long."""
        try:
            async with asyncio.timeout(SHOW_TIMEOUT_S):
                while self.is_stale():  # noqa: ASYNC110 - the log tells in several ways that it is so far
                    await asyncio.sleep(0.02)
        except TimeoutError:
            notify_warning(
                self.app, "nothing was done: what the log selects cannot be shown yet; try again in a moment"
            )
            return False
        return True

    def _when_shown(self, action: Callable[[], None]) -> None:
        async def later() -> None:
            if await self._is_shown():
                action()

        if self.is_stale():
            self._run_flow(later())
        else:
            action()

    # -- opening and moving -------------------------------------------------------------------------------------------

    def action_open_file(self) -> None:
        """Ask for a path."""
        browser = self.browser
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

    def action_next_record(self) -> None:
        """To the next record."""
        self.step(1)

    def action_previous_record(self) -> None:
        """To the record before."""
        self.step(-1)

    def action_go_to_record(self) -> None:
        """Ask for a number."""
        browser = self.browser
        if browser is None:
            return
        more = "" if browser.file.complete else " or more"

        def check(typed: str) -> str:
            digits = typed.strip().replace(",", "")
            return "" if digits.isdecimal() and 0 < len(digits) < 13 and int(digits) else "type a number from 1 on"

        async def ask() -> None:
            prompt = Prompt("Go to record", f"1 to {browser.file.count:,}{more}", check=check)
            if (typed := await self.app.push_screen_wait(prompt)) is not None:
                self.go_to(int(typed.strip().replace(",", "")) - 1)

        self._run_flow(ask())

    def action_only_troubled(self) -> None:
        """Troubled records only, or all."""
        self.toggle_problems()

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

    # -- sending ------------------------------------------------------------------------------------------------------

    def action_send_record(self) -> None:
        """Ask to send what is shown."""
        self._when_shown(self._send_record)

    def _send_record(self) -> None:
        shown = self.inspection
        if shown is None:
            return
        if self.detail is not None and not shown.remapped:
            notify_warning(
                self.app, "this stands in the log already: replay it there, or edit it, or map it again with m"
            )
        elif shown.record is None:
            notify_warning(self.app, "the record behind this delivery cannot be read by itself: send its file")
        elif shown.withheld:
            notify_warning(self.app, f"this would be withheld, not sent: {shown.detail or shown.withheld}")
        else:
            place = self.place if self.place in self._edits else None
            self.post_message(
                self.SendRequested((shown.record,), edited=shown.edited, environment=shown.environment, place=place)
            )

    def action_send_file(self) -> None:
        """Ask to send every record of the open file."""
        browser = self.browser
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
            self.keep_edit(record)
            notify(self.app, "the edit is kept until s sends it or U undoes it; the file stays as it is")

    def action_undo_edit(self) -> None:
        """Show the record as it was."""
        edit = self.undo_edit()
        if edit is None:
            return
        if edit.detail is not None:
            self.show_delivery(edit.detail)
        elif self.place is not None:
            self.go_to(self.place.number)

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
