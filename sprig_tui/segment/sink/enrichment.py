"""What Segment adds to a message on arrival: the id, the moment, and the corrected time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from sprig_tui.segment.limits import MAX_PROPERTIES
from sprig_tui.segment.timestamps import format_iso, parse_instant, parse_usual_ms


class ReceivedBatch:
    """One request's arrival at `received_ms`; `envelope` is its batch: `sentAt`, `context` and `integrations` count."""

    def __init__(self, envelope: Mapping[str, Any], received_ms: int) -> None:
        self._sent_at = envelope.get("sentAt")
        self._sent_ms = _parse_ms(self._sent_at)
        self._shared_fields = {
            name: envelope[name] for name in ("context", "integrations") if isinstance(envelope.get(name), dict)
        }
        self._received_ms = received_ms
        self._received_at = format_iso(received_ms)

    def enrich(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """The message as a destination would see it.

        `timestamp = receivedAt - (sentAt - originalTimestamp)` (facts: common spec); without a readable `sentAt` the
        sender's time stands, without a readable `timestamp` the time of arrival does. Of more than 10,000 properties
        the rest is dropped, as Segment does without a word.
        """
        event = dict(message)
        for name, shared in self._shared_fields.items():
            own = event.get(name)
            event[name] = {**shared, **own} if isinstance(own, dict) else shared
        properties = event.get("properties")
        if isinstance(properties, dict) and len(properties) > MAX_PROPERTIES:
            event["properties"] = dict(list(properties.items())[:MAX_PROPERTIES])
        message_id = event.get("messageId")
        if not isinstance(message_id, str) or not message_id:
            event["messageId"] = f"sink-{uuid4()}"
        sent_ms = self._sent_ms
        if self._sent_at is not None:
            event["sentAt"] = self._sent_at
        elif "sentAt" in event:
            sent_ms = _parse_ms(event["sentAt"])
        event.pop("writeKey", None)
        event["receivedAt"] = self._received_at
        original = event.get("timestamp")
        if original is not None:
            event["originalTimestamp"] = original
        event["timestamp"] = self._corrected(_parse_ms(original), sent_ms)
        return event

    def _corrected(self, original_ms: int | None, sent_ms: int | None) -> str:
        if original_ms is None:
            return self._received_at
        try:
            return format_iso(original_ms if sent_ms is None else self._received_ms - (sent_ms - original_ms))
        except OverflowError:
            return self._received_at


def _parse_ms(written: object) -> int | None:
    if not isinstance(written, str):
        return None
    usual = parse_usual_ms(written)
    if usual is not None:
        return usual
    instant = parse_instant(written)
    return None if instant is None else instant.ms
