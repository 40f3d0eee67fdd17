"""Edit actions of the Payload pane: edit a record in the editor or one field in place, and undo it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sprig_tui.console.notify import notify, notify_error, notify_warning
from sprig_tui.console.payload.external_editor import edited_record
from sprig_tui.console.payload.field_edit import field_value, with_value
from sprig_tui.console.payload.record_browser import RecordRef
from sprig_tui.console.widgets.dialogs import Prompt
from sprig_tui.errors import InputError
from sprig_tui.sprig.records import Record, StudyResponse

if TYPE_CHECKING:
    from sprig_tui.console.payload.inspector import PayloadInspector
    from sprig_tui.console.payload.send_requests import SendRequested


class EditActions:
    """Edits of the record that a Payload pane shows; `edits` of the pane keeps them until they are sent."""

    def __init__(self, pane: PayloadInspector) -> None:
        self._pane = pane

    async def edit(self) -> None:
        """Give the record to the editor, and show what comes back."""
        if not await self._pane.flows.is_shown():
            return
        shown, app = self._pane.inspection, self._pane.app
        if shown is None:
            return
        if self._pane.state_dir is None:
            notify_warning(app, "there is no state folder to edit in: see sprig-tui paths")
            return
        try:
            record = await edited_record(app, shown, self._pane.state_dir)
        except InputError as error:
            notify_error(app, error)
            return
        if record is None:
            notify(app, "nothing was changed")
        else:
            self._keep(record)
            notify(app, "the edit is kept until s sends it or U undoes it; the file stays as it is")

    async def edit_field(self) -> None:
        """Ask for another value of the field under the cursor, and show the record with it."""
        if not await self._pane.flows.is_shown():
            return
        shown, view, at = self._pane.inspection, self._pane.view, self._pane.lines.cursor
        path = view.path_at(at) if view is not None and 0 <= at < len(view) else ""
        if shown is None or not path:
            notify_warning(self._pane.app, "no field is under the cursor: choose one in the Fields view")
            return
        try:
            before = field_value(shown.record, path)
            prompt = Prompt(f"{path} of the record", "Empty leaves it out.", value=before)
            typed = await self._pane.app.push_screen_wait(prompt)
            if typed is None or typed == before or not isinstance(shown.record, StudyResponse):
                return
            record = with_value(shown.record, path, typed)
        except InputError as error:
            notify_error(self._pane.app, error)
            return
        if self._pane.inspection is shown:
            self._keep(record)
            self._pane.lines.cursor = at

    def undo(self) -> None:
        """Show the record as it was before its edit."""
        place = self._pane.place
        edit = self._pane.edits.remove(place)
        if edit is None or place is None:
            return
        if edit.detail is not None:
            self._pane.show_delivery(edit.detail)
        else:
            self._reassess(place)
            self._pane.navigator.go_to(place.number)

    def edited_at(self, place: RecordRef, record: Record) -> Record | None:
        """`record` of this place as edited; an edit of another record in the place is dropped with a notice."""
        edits = self._pane.edits
        edited = edits.at(place, record)
        if edited is None and edits.remove(place) is not None:
            number = place.number + 1
            notify_warning(self._pane.app, f"record {number:,} of the file is another one now: your edit of it is gone")
        return edited

    def peek(self, number: int, record: Record) -> Record | None:
        """The record of the open file as edited; callable in any thread."""
        browser = self._pane.navigator.browser
        return self._pane.edits.at(RecordRef(browser.file.sources, number), record) if browser is not None else None

    def forget_sent(self, sent: SendRequested) -> None:
        """Drop the edits and the marks of records that were sent: the log has them."""
        for place in sent.edits:
            if place is not None and self._pane.edits.remove(place) is not None:
                self._reassess(place)
        if sent.marked:
            self._pane.records.unmark()

    def _reassess(self, place: RecordRef) -> None:
        """Assess one record of the list again: its edit changed."""
        if place.files:
            self._pane.listing.reassess(place.number)

    def _keep(self, record: Record) -> None:
        pane = self._pane
        if pane.place is None or pane.inspection is None:
            return
        pane.edits.keep(pane.place, record, before=pane.inspection.raw, detail=pane.detail)
        pane.show_record(record, edited=True)
        self._reassess(pane.place)
