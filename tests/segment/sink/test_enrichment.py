"""Fake Segment: timestamps are corrected by the sender's clock, and batch fields are merged in."""

from __future__ import annotations

from typing import Any

import pytest

from sprig_tui.segment.sink.tracking import ReceivedBatch
from sprig_tui.segment.timestamps import format_iso

RECEIVED_MS = 1_793_620_800_000


def test_timestamp_is_corrected_by_the_senders_clock() -> None:
    event = ReceivedBatch({"sentAt": "2026-11-02T12:10:00.000Z"}, RECEIVED_MS).enrich(
        {"messageId": "a", "timestamp": "2026-11-02T12:05:00.000Z"}
    )
    assert event == {
        "messageId": "a",
        "sentAt": "2026-11-02T12:10:00.000Z",
        "originalTimestamp": "2026-11-02T12:05:00.000Z",
        "receivedAt": "2026-11-02T12:00:00.000Z",
        "timestamp": "2026-11-02T11:55:00.000Z",
    }


@pytest.mark.parametrize(
    ("sent_at", "timestamp", "corrected"),
    [
        (None, "2026-11-01T00:00:00Z", "2026-11-01T00:00:00.000Z"),
        ("junk", "2026-11-01T00:00:00+01:00", "2026-10-31T23:00:00.000Z"),
        ("2026-11-02T12:00:00Z", None, "2026-11-02T12:00:00.000Z"),
        ("2026-11-02T12:00:00Z", "soon", "2026-11-02T12:00:00.000Z"),
        ("2026-11-02T12:00:00Z", 17, "2026-11-02T12:00:00.000Z"),
        ("0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z", "2026-11-02T12:00:00.000Z"),
    ],
)
def test_timestamp_with_missing_or_invalid_times(sent_at: Any, timestamp: Any, corrected: str) -> None:
    message = {"messageId": "a"} | ({} if timestamp is None else {"timestamp": timestamp})
    event = ReceivedBatch({} if sent_at is None else {"sentAt": sent_at}, RECEIVED_MS).enrich(message)
    assert event["timestamp"] == corrected
    assert event.get("originalTimestamp") == timestamp
    assert event.get("sentAt") == sent_at


def test_single_call_uses_its_own_sent_at() -> None:
    event = ReceivedBatch({}, RECEIVED_MS).enrich(
        {"timestamp": "2026-11-02T12:05:00.000Z", "sentAt": "2026-11-02T12:10:00.000Z"}
    )
    assert event["timestamp"] == "2026-11-02T11:55:00.000Z"


def test_context_of_the_event_takes_precedence_over_the_batch() -> None:
    envelope = {"context": {"ip": "0.0.0.0", "app": "a"}, "integrations": {"All": False}}  # noqa: S104 - sample data
    arrival = ReceivedBatch(envelope, RECEIVED_MS)
    assert arrival.enrich({"context": {"app": "b"}})["context"] == {"ip": "0.0.0.0", "app": "b"}  # noqa: S104 - sample
    assert arrival.enrich({"integrations": "odd"})["integrations"] == {"All": False}


@pytest.mark.parametrize("given", [{}, {"messageId": ""}, {"messageId": None}, {"messageId": 5}])
def test_missing_message_id_is_generated(given: dict[str, Any]) -> None:
    arrival = ReceivedBatch({}, RECEIVED_MS)
    first, second = arrival.enrich(given)["messageId"], arrival.enrich(given)["messageId"]
    assert first != second
    assert first.startswith("sink-")


def test_properties_beyond_the_limit_are_dropped() -> None:
    event = ReceivedBatch({}, RECEIVED_MS).enrich({"properties": {f"p{n}": n for n in range(10_001)}})
    assert len(event["properties"]) == 10_000
    assert "p10000" not in event["properties"]


def test_enriching_does_not_change_the_input() -> None:
    message = {"messageId": "a", "timestamp": format_iso(0), "context": {}}
    ReceivedBatch({"context": {"a": 1}}, RECEIVED_MS).enrich(message)
    assert message == {"messageId": "a", "timestamp": format_iso(0), "context": {}}
