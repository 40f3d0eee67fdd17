"""Previews of the Payload pane: what records become by its rules, environments and selection; nothing is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sprig_tui.clock import Clock
from sprig_tui.console.notify import notify_error
from sprig_tui.console.payload.inspection import Inspection, inspect_delivery, inspect_record
from sprig_tui.console.payload.records.listed_record import RecordAssessor
from sprig_tui.errors import ConfigError
from sprig_tui.ingest import EntryBuilder
from sprig_tui.journal.records import DeliveryDetail
from sprig_tui.mapping.records import Rules
from sprig_tui.segment.lints import Lint
from sprig_tui.sprig.records import Record

if TYPE_CHECKING:
    from sprig_tui.console.payload.inspector import PayloadInspector


class Previews:
    """Builders and inspections by the settings that a Payload pane has now; each builder is for one thread."""

    def __init__(self, pane: PayloadInspector, clock: Clock) -> None:
        self._pane = pane
        self._clock = clock
        self._current: EntryBuilder | None = None
        self.rules_error = ""
        """Why the rules cannot be used; others stand in for them then."""

    def refresh(self) -> None:
        """Drop the current builder: rules, environments or the selected one changed."""
        self._current = None

    def _builder(self) -> EntryBuilder:
        """The builder of the thread that draws the screen."""
        if self._current is None:
            self._current = self.make_builder()
        return self._current

    def make_builder(self, rules: Rules | None = None, *, environment: str = "") -> EntryBuilder:
        """Another builder with the same settings, such as for a thread; or for other rules or another environment."""
        pane = self._pane
        environment = environment or pane.environment
        selected = environment if environment in pane.environments else None
        try:
            builder = EntryBuilder(rules or pane.rules, pane.environments, selected, clock=self._clock)
        except ConfigError as error:
            self.rules_error = error.message
            # invalid rules are rejected when the config is read; others stand in for them, which show no value that
            # is to be hashed
            notify_error(pane.app, error)
            stand_in = Rules(omit=pane.rules.omit | pane.rules.hash | pane.rules.hmac) if pane.rules.hmac else Rules()
            return EntryBuilder(stand_in, pane.environments, selected, clock=self._clock)
        self.rules_error = ""
        return builder

    def of_record(self, record: Record, *, edited: bool, origin: DeliveryDetail | None) -> Inspection:
        """A record as it would be sent; one that was made of `origin` goes where that went."""
        now = self._clock.now()
        builder = self._builder()
        if origin is not None and origin.delivery.environment in self._pane.environments:
            builder = self.make_builder(environment=origin.delivery.environment)
        found = inspect_record(record, builder, now, edited=edited, check_plan=self._pane.check_plan)
        return msgspec.structs.replace(found, rules_error=self.rules_error)

    def of_delivery(self, detail: DeliveryDetail, *, remapped: bool) -> Inspection:
        """A delivery as it was sent, or `remapped` by the present rules."""
        now = self._clock.now()
        builder = self._builder()
        found = inspect_delivery(detail, builder, now, remapped=remapped, check_plan=self._pane.check_plan)
        return msgspec.structs.replace(found, rules_error=self.rules_error if found.remapped else "")

    def remapped_body(self, detail: DeliveryDetail) -> bytes:
        """The call of a delivery by the present rules; empty where its record cannot be mapped."""
        again = inspect_delivery(detail, self._builder(), self._clock.now(), remapped=True)
        return again.body if again.remapped else b""

    def assessor(self) -> RecordAssessor:
        """What tells the list what would become of a record; the list shows answers whatever the journal keeps."""
        pane = self._pane
        builder = self.make_builder(msgspec.structs.replace(pane.rules, store_raw="full"))
        return RecordAssessor(builder, self._clock.now(), self.check_plan, pane.editing.peek)

    def check_plan(self, environment: str, body: bytes) -> tuple[Lint, ...]:
        """Lints by the tracking plans that the pane has when this is called."""
        return self._pane.check_plan(environment, body)
