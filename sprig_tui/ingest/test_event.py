"""Test event: a recognisable track call, to look for in Segment, since a 200 proves nothing about the key."""

from __future__ import annotations

import secrets

import sprig_tui
from sprig_tui.journal.records import NewDelivery
from sprig_tui.segment.timestamps import format_iso
from sprig_tui.segment.track import Track, derived_message_id, encode_track

EVENT_NAME = "sprig-tui test event"
TEST_USER_ID = "sprig-tui-test"


def make_test_event(environment: str, now_ms: int, nonce: str = "") -> NewDelivery:
    """A journal entry for a test event. Each has its own message id, so Segment does not drop it as a duplicate."""
    identity = derived_message_id("sprig-tui-test", environment, str(now_ms), nonce or secrets.token_hex(8))
    body = encode_track(
        Track(
            message_id=identity,
            user_id=TEST_USER_ID,
            event=EVENT_NAME,
            type="track",
            properties={"environment": environment, "sentBy": "sprig-tui", "test": True},
            context={"integration": {"name": "sprig-tui", "version": sprig_tui.__version__}},
            timestamp=format_iso(now_ms),
        )
    )
    return NewDelivery(
        environment=environment,
        message_id=identity,
        digest=identity.encode()[-8:],
        survey_name=EVENT_NAME,
        user_id=TEST_USER_ID,
        answer="test",
        answered_at=now_ms,
        source="test event",
        raw=body,
        body=body,
    )
