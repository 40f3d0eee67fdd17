"""A record or delivery in the Payload pane, mapped by the rules and environments of now, and again when they change."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from textual.message import Message
from textual.reactive import reactive

from sprig_tui.clock import Clock, SystemClock
from sprig_tui.console.notify import notify_error, notify_warning
from sprig_tui.console.payload.inspection import Inspection, inspect_delivery, inspect_mapping, inspect_record
from sprig_tui.console.payload.pane import PayloadPane
from sprig_tui.errors import ConfigError
from sprig_tui.ingest import EntryBuilder
from sprig_tui.journal.records import Delivery, DeliveryDetail
from sprig_tui.mapping.records import Mapping, Rules
from sprig_tui.sprig.records import Record, StudyResponse


class FilePlace(NamedTuple):
    """Where a record stands: its number, from 0, in files; or the number of a delivery, and no files."""

    files: tuple[str, ...]
    number: int


class RecordEdit(NamedTuple):
    """A record as a person changed it, and what stood there before."""

    record: Record
    before: bytes
    detail: DeliveryDetail | None
    """The delivery, where it is one."""


class MappedPane(PayloadPane):
    """Set `environments`, `rules` and `environment`; what is shown follows."""

    environment: reactive[str] = reactive("", repaint=False, init=False)
    """The selected environment: where records go that name none."""
    rules: reactive[Rules] = reactive(Rules(), repaint=False, init=False)

    class RecordShown(Message):
        """Another record is in sight; None when there is none."""

        def __init__(self, inspection: Inspection | None) -> None:
            super().__init__()
            self.inspection = inspection

    def __init__(self, *, clock: Clock | None = None, id: str | None = None) -> None:  # noqa: A002 - Textual's own word
        super().__init__(id=id)
        self._clock = clock or SystemClock()
        self.detail: DeliveryDetail | None = None
        """The delivery that is shown, where it is one."""
        self.in_file = False
        """Whether the record is that of the open file at its present number."""
        self.place: FilePlace | None = None
        """What is shown, whether edited or not."""
        self._edits: dict[FilePlace, RecordEdit] = {}
        self._intake: EntryBuilder | None = None

    def show_delivery(self, detail: DeliveryDetail, *, remapped: bool = False) -> None:
        """A delivery of the log as it was sent; `remapped`: as it would be made now.

        Where a person edited it, and did not send that, the edited one.
        """
        self.place = FilePlace((), detail.delivery.id)
        self.in_file = False
        if (edit := self._edits.get(self.place)) is not None:
            self.show_record(edit.record, edited=True)
            return
        self.detail = detail
        self._show(inspect_delivery(detail, self.intake(), self._clock.now(), remapped=remapped))

    def show_record(
        self, record: Record, mapping: Mapping | None = None, *, edited: bool = False, in_file: bool = False
    ) -> None:
        """A record; with its mapping where that was made already."""
        self.detail = None
        self.in_file = in_file
        if mapping is not None and isinstance(record, StudyResponse):
            self._show(inspect_mapping(record, mapping, edited=edited))
        else:
            self._show(inspect_record(record, self.intake(), self._clock.now(), edited=edited))

    def update_delivery(self, delivery: Delivery) -> None:
        """What became of the delivery that is shown."""
        if self.detail is not None:
            self.detail = msgspec.structs.replace(self.detail, delivery=delivery)
        super().update_delivery(delivery)

    # -- what was edited and not sent ----------------------------------------------------------------------------------

    @property
    def edited(self) -> int:
        """Records that were edited here and not sent."""
        return len(self._edits)

    def keep_edit(self, record: Record) -> None:
        """Show a record as the person changed it, now and whenever its place is gone to again."""
        shown = self.inspection
        if self.place is None or shown is None:
            return
        before = self._edits.get(self.place)
        kept = before or RecordEdit(record, shown.raw, self.detail)
        self._edits[self.place] = kept._replace(record=record)
        self.show_record(record, edited=True, in_file=self.in_file)

    def forget_edit(self, place: FilePlace | None) -> None:
        """It was sent: the log has it."""
        if place is not None:
            self._edits.pop(place, None)

    def edited_at(self, place: FilePlace, record: Record) -> Record | None:
        """What the person made of this record; None where nothing, and where another record stands there by now."""
        edit = self._edits.get(place)
        if edit is not None and edit.before != record.raw:
            del self._edits[place]
            notify_warning(
                self.app, f"record {place.number + 1:,} of the file is another one now: your edit of it is gone"
            )
            return None
        return edit.record if edit is not None else None

    def undo_edit(self) -> RecordEdit | None:
        """Drop the edit of what is shown, and return it; None where it is not edited."""
        return self._edits.pop(self.place, None) if self.place is not None else None

    def intake(self) -> EntryBuilder:
        """What maps, by the present rules, environments and selection; not for other threads."""
        if self._intake is None:
            self._intake = self.make_intake()
        return self._intake

    def make_intake(self) -> EntryBuilder:
        """One more of the same, such as for a thread."""
        known = self.environment in self.environments
        try:
            return EntryBuilder(self.rules, self.environments, self.environment if known else None, clock=self._clock)
        except ConfigError as error:
            # Rules that cannot be kept are refused when the config is read; until then the last good ones count.
            notify_error(self.app, error)
            return EntryBuilder(Rules(), self.environments, self.environment if known else None, clock=self._clock)

    def _show(self, inspection: Inspection | None) -> None:
        self.inspection = inspection
        self.post_message(self.RecordShown(inspection))

    def watch_environment(self) -> None:
        """Records that name no environment go elsewhere now."""
        self._map_again()

    def watch_rules(self) -> None:
        """What is shown is mapped by the new rules."""
        self._map_again()

    def watch_environments(self) -> None:
        """Keys, regions, environment ids may have changed."""
        self._map_again()

    def _map_again(self) -> None:
        self._intake = None
        shown = self.inspection
        if shown is None or not self.is_mounted:
            return
        if self.detail is not None:
            self._show(inspect_delivery(self.detail, self.intake(), self._clock.now(), remapped=shown.remapped))
        elif shown.record is not None:
            self._show(inspect_record(shown.record, self.intake(), self._clock.now(), edited=shown.edited))
