"""The Payload pane's commands: opening, moving, editing, copying, and asking to send."""

from __future__ import annotations

from collections.abc import Coroutine
from pathlib import Path
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message

from sprig_tui.clock import Clock
from sprig_tui.console.commands import Commanded, bindings
from sprig_tui.console.dialogs import Prompt
from sprig_tui.console.keyboard import opening
from sprig_tui.console.notices import tell, tell_fault, warn
from sprig_tui.console.payload.commands import COMMANDS
from sprig_tui.console.payload.edit_flow import edited_record
from sprig_tui.console.payload.json_tree import Node
from sprig_tui.console.payload.picker import Picker
from sprig_tui.console.payload.records_pane import RecordsPane
from sprig_tui.console.payload.spans import Copied
from sprig_tui.console.payload.views import VIEWS, curl_text
from sprig_tui.errors import InputError
from sprig_tui.sprig.records import Record

_NEEDS_RECORD = frozenset({"send_record", "edit_record", "copy_value", "copy_json", "copy_curl"})
_NEEDS_FILE = frozenset({"send_file", "next_record", "previous_record", "go_to_record", "only_troubled"})


class PayloadInspector(Commanded, RecordsPane):
    """Shows the records of a file, or what the log selects.

    Set `environments`, `rules` and `environment` (where records go that name none); `state_dir` is for what the editor
    edits. It sends and copies nothing itself: it asks by messages.
    """

    HELP = (
        "One record at a time: what is sent for it, where each value comes from, and what is off. Enter opens a long or"
        " nested value in place. Nothing leaves before you send it."
    )
    VERBS = COMMANDS
    BINDINGS: ClassVar[list[BindingType]] = bindings(COMMANDS)

    class SendRequested(Message):
        """These records are to be sent; `edited` ones were changed by a person (`Entry.edited`)."""

        def __init__(self, records: tuple[Record, ...], *, edited: bool, environment: str) -> None:
            super().__init__()
            self.records = records
            self.edited = edited
            self.environment = environment
            """Where they would go, as the pane says."""

    class SendAllRequested(Message):
        """Every record of some files is to be sent; `total` is their number once `complete`."""

        def __init__(self, sources: tuple[str, ...], name: str, total: int, *, complete: bool) -> None:
            super().__init__()
            self.sources = sources
            self.name = name
            self.total = total
            self.complete = complete

    class CopyRequested(Message):
        """`text` is to be copied; `what` names it for the notice."""

        def __init__(self, text: str, what: str) -> None:
            super().__init__()
            self.text = text
            self.what = what

    def __init__(
        self,
        *,
        state_dir: Path | None = None,
        clock: Clock | None = None,
        id: str | None = None,  # noqa: A002 - Textual's own word
    ) -> None:
        super().__init__(clock=clock, id=id)
        self.state_dir = state_dir
        self._had_record = (False, False)

    def refusal(self, action: str) -> str:
        """Also refuses what there is nothing for."""
        if said := super().refusal(action):
            return said
        if action in _NEEDS_RECORD and self.inspection is None:
            return "no payload is shown: open a file with o, or select a delivery"
        if action in _NEEDS_FILE and self.browser is None:
            return "no file is open: o opens one"
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

    # -- opening and moving -------------------------------------------------------------------------------------------

    def action_open_file(self) -> None:
        """Ask for a path."""
        browser = self.browser
        folder = Path(browser.file.sources[0]).absolute().parent if browser is not None else Path.cwd()

        self._flow(self._pick(f"{str(folder).rstrip('/')}/"))

    async def _pick(self, start: str) -> None:
        if paths := await self.app.push_screen_wait(Picker(start)):
            self.show_file(paths)
            self.focus()

    def _flow(self, work: Coroutine[None, None, None]) -> None:
        self.run_worker(opening(self.app, work), group="payload-flow", exclusive=True, exit_on_error=False)

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

        self._flow(ask())

    def action_only_troubled(self) -> None:
        """Troubled records only, or all."""
        self.toggle_troubled()

    def action_next_view(self) -> None:
        """The next of the four views."""
        self.view_name = VIEWS[(VIEWS.index(self.view_name) + 1) % len(VIEWS)]

    def action_previous_view(self) -> None:
        """The view before."""
        self.view_name = VIEWS[VIEWS.index(self.view_name) - 1]

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
        shown = self.inspection
        if shown is None:
            return
        if self.detail is not None and not shown.remapped:
            warn(self.app, "this stands in the log already: replay it there, or edit it, or map it again with m")
        elif shown.record is None:
            warn(self.app, "the record behind this delivery cannot be read by itself: send its file")
        elif shown.withheld:
            warn(self.app, f"this would be withheld, not sent: {shown.detail or shown.withheld}")
        else:
            self.post_message(self.SendRequested((shown.record,), edited=shown.edited, environment=shown.environment))

    def action_send_file(self) -> None:
        """Ask to send every record of the open file."""
        browser = self.browser
        if browser is not None:
            file = browser.file
            self.post_message(self.SendAllRequested(file.sources, file.name, file.count, complete=file.complete))

    # -- editing and copying ------------------------------------------------------------------------------------------

    def action_edit_record(self) -> None:
        """See `EditRecord`."""
        self._flow(self._edit())

    async def _edit(self) -> None:
        """Give the record to the editor, and show what comes back."""
        shown = self.inspection
        if shown is None:
            return
        if self.state_dir is None:
            warn(self.app, "there is no state folder to edit in: see sprig-tui paths")
            return
        try:
            record = await edited_record(self.app, shown, self.state_dir)
        except InputError as error:
            tell_fault(self.app, error)
            return
        if record is None:
            tell(self.app, "nothing was changed")
        else:
            self.show_record(record, edited=True, in_file=self.in_file)

    def action_copy_value(self) -> None:
        """Copy what the line with the cursor is about."""
        view = self.view
        copied = view.copied(self.lines.cursor) if view is not None and 0 <= self.lines.cursor < len(view) else None
        self._copy(copied, "there is no value in this line")

    def action_copy_json(self) -> None:
        """Copy the call."""
        body = self.inspection.body if self.inspection is not None else b""
        self._copy(Copied(Node(body).pretty(), "the JSON") if body else None, "no call is made of this record")

    def action_copy_curl(self) -> None:
        """Copy the curl command."""
        shown = self.inspection
        text = "\n".join(curl_text(shown, self.environments)) if shown is not None and shown.body else ""
        self._copy(Copied(text, "the curl command") if text else None, "no call is made of this record")

    def _copy(self, copied: Copied | None, why_not: str) -> None:
        if copied is None:
            tell(self.app, f"nothing was copied: {why_not}")
        else:
            self.post_message(self.CopyRequested(copied.text, copied.what))
