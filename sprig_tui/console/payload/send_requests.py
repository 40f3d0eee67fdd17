"""Send requests of the Payload pane: what it asks the main screen to send, and the comparison shown before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.message import Message

from sprig_tui.console.notify import notify, notify_warning
from sprig_tui.console.payload.call_diff import CompareScreen, Comparison, call_diff
from sprig_tui.console.payload.record_browser import RecordRef
from sprig_tui.journal.records import DeliveryDetail
from sprig_tui.sprig.held_input import InputSource
from sprig_tui.sprig.records import Record

if TYPE_CHECKING:
    from sprig_tui.console.payload.inspector import PayloadInspector


NOTHING_TO_COMPARE = "there is nothing to compare: no call is made of it now, or none was made before"


class SendRequested(Message, namespace="payload_inspector"):
    """These records are to be sent."""

    def __init__(
        self,
        records: tuple[Record, ...],
        *,
        environment: str,
        edits: Sequence[RecordRef | None] = (),
        origin: DeliveryDetail | None = None,
        marked: bool = False,
    ) -> None:
        super().__init__()
        self.marked = marked
        """Whether they were marked: they may not be on the screen, so that even one is asked about."""
        self.origin = origin
        """The delivery that a single record was changed of, or is mapped again of."""
        self.records = records
        self.edits = tuple(edits) or (None,) * len(records)
        """For each record that a person changed (`Entry.edited`), where the edit is kept until it is sent."""
        self.environment = environment
        """Where they would go, as the pane says; empty for several records."""


class CompareRequested(Message, namespace="payload_inspector"):
    """A delivery is to be compared with the one that it was made of, beside these comparisons."""

    def __init__(self, detail: DeliveryDetail, comparisons: Sequence[Comparison]) -> None:
        super().__init__()
        self.detail = detail
        self.comparisons = comparisons


class SendAllRequested(Message, namespace="payload_inspector"):
    """Every record of some files is to be sent; `total` is their number once `complete`."""

    def __init__(
        self,
        sources: tuple[InputSource, ...],
        name: str,
        total: int,
        *,
        complete: bool,
        edited: int = 0,
        listed: int | None = None,
        so_far: bool = False,
    ) -> None:
        super().__init__()
        self.so_far = so_far
        """Whether more may come: only the first `total` records are sent."""
        self.edited = edited
        """Records of them that were edited here: the files do not have that."""
        self.listed = listed
        """Records that the filter of the list shows; None where all are listed."""
        self.sources = sources
        self.name = name
        self.total = total
        self.complete = complete


class SendRequests:
    """Posts the requests of a Payload pane for what it shows, or says why there is nothing to send."""

    def __init__(self, pane: PayloadInspector) -> None:
        self._pane = pane

    def send_record(self) -> None:
        """Ask to send what is shown."""
        pane, shown = self._pane, self._pane.inspection
        if shown is None:
            return
        if pane.detail is not None and not shown.remapped:
            notify_warning(pane.app, "this is in the log already: replay it there, or edit it, or map it again with m")
        elif shown.record is None:
            notify_warning(pane.app, "the record behind this delivery cannot be read by itself: send its file")
        elif shown.rules_error:
            notify_warning(pane.app, shown.rules_error)
        elif shown.withheld:
            notify_warning(pane.app, f"this would be withheld, not sent: {shown.detail or shown.withheld}")
        else:
            place = pane.place if pane.place in pane.edits else None
            request = SendRequested(
                (shown.record,), environment=shown.environment, edits=[place], origin=pane.compared_detail
            )
            pane.post_message(request)

    async def send_marked(self) -> None:
        """Ask to send the marked records of the list."""
        if (marked := await self._pane.listing.read_marked()) is not None:
            self._pane.post_message(SendRequested(marked.records, environment="", edits=marked.edits, marked=True))

    def send_file(self) -> None:
        """Ask to send every record of the open file."""
        browser = self._pane.navigator.browser
        if browser is not None:
            file = browser.file
            edited = self._pane.edits.count_in(file.sources)
            request = SendAllRequested(
                file.sources,
                file.name,
                file.count,
                complete=file.complete,
                edited=edited,
                listed=self._pane.listing.filtered,
                so_far=file.awaits_more,
            )
            self._pane.post_message(request)

    def compare(self) -> None:
        """Show what differs from the call of the delivery as it was sent."""
        pane, shown, origin = self._pane, self._pane.inspection, self._pane.compared_detail
        if shown is None or origin is None:
            return
        after = pane.previews.remapped_body(origin) if pane.detail is not None and not shown.remapped else shown.body
        comparisons = []
        if after and origin.body:
            title = f"Delivery {origin.delivery.id}: - as it was, + as it would be sent now"
            comparisons.append(Comparison(title, call_diff(origin.body, after)))
        if pane.detail is not None and pane.detail.delivery.origin_id:
            pane.post_message(CompareRequested(pane.detail, comparisons))
        elif comparisons:
            pane.app.push_screen(CompareScreen(*comparisons))
        else:
            notify(pane.app, NOTHING_TO_COMPARE)
