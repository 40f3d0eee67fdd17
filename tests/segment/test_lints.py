"""Lints of track calls: Segment's names for all discard reasons, and no exceptions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sprig_tui.segment import limits, lints
from sprig_tui.segment.lints import Lint, lint
from sprig_tui.segment.track import Track, encode_track

NOW = 1_800_000_000_000


def call(**changes: Any) -> dict[str, Any]:
    good = {
        "messageId": "sprig-" + "0" * 32,
        "type": "track",
        "userId": "acct_88213",
        "event": "SDK - Submitted - Survey Response",
        "properties": {"response": 4},
        "context": {"integration": {"name": "sprig", "version": "1.0.0"}},
        "timestamp": "2025-03-04T16:21:09.114Z",
    }
    return {key: value for key, value in {**good, **changes}.items() if value is not ...}


@pytest.mark.parametrize(
    "good",
    [
        call(),
        call(anonymousId="a", userId=...),
        call(properties=...),
        call(userId="x" * 255, messageId="m" * 100),
        call(timestamp="1970-01-01T00:00:00Z"),
        call(properties={str(number): 0 for number in range(2_000)}),
        call(event="質問 🙂"),
    ],
)
def test_valid_call_has_no_lints(good: dict[str, Any]) -> None:
    assert lint(good, NOW) == ()
    assert lint(json.dumps(good).encode(), NOW) == ()


@pytest.mark.parametrize(
    ("changes", "code", "path", "level"),
    [
        ({"userId": ...}, limits.NO_USER_ANON_ID, "userId", "error"),
        ({"userId": None}, limits.NO_USER_ANON_ID, "userId", "error"),
        ({"userId": ""}, limits.ID_NOT_STRING, "userId", "error"),
        ({"userId": "  "}, limits.ID_NOT_STRING, "userId", "error"),
        ({"userId": 2603}, limits.ID_NOT_STRING, "userId", "error"),
        ({"userId": True}, limits.ID_NOT_STRING, "userId", "error"),
        ({"userId": ["a"]}, limits.ID_NOT_STRING, "userId", "error"),
        ({"userId": {}}, limits.ID_NOT_STRING, "userId", "error"),
        ({"anonymousId": 7}, limits.ID_NOT_STRING, "anonymousId", "error"),
        ({"userId": "x" * 256}, lints.USER_ID_LONG, "userId", "warning"),
        ({"event": ...}, limits.EVENT_NOT_DEFINED, "event", "error"),
        ({"event": ""}, limits.EVENT_NOT_DEFINED, "event", "error"),
        ({"event": None}, limits.EVENT_NOT_DEFINED, "event", "error"),
        ({"event": 1}, limits.EVENT_NOT_STRING, "event", "error"),
        ({"event": {}}, limits.EVENT_NOT_STRING, "event", "error"),
        ({"type": "identify"}, lints.TYPE_NOT_TRACK, "type", "error"),
        ({"type": ...}, lints.TYPE_NOT_TRACK, "type", "error"),
        ({"properties": None}, limits.PROPERTIES_NOT_OBJECT, "properties", "error"),
        ({"properties": []}, limits.PROPERTIES_NOT_OBJECT, "properties", "error"),
        ({"properties": "x"}, limits.PROPERTIES_NOT_OBJECT, "properties", "error"),
        ({"context": ...}, lints.INTEGRATION_MISSING, "context.integration", "error"),
        ({"context": []}, lints.INTEGRATION_MISSING, "context.integration", "error"),
        ({"context": {"integration": {}}}, lints.INTEGRATION_MISSING, "context.integration", "error"),
        ({"context": {"integration": "sprig"}}, lints.INTEGRATION_MISSING, "context.integration", "error"),
        ({"messageId": ...}, lints.MESSAGE_ID_MISSING, "messageId", "error"),
        ({"messageId": 1}, lints.MESSAGE_ID_MISSING, "messageId", "error"),
        ({"messageId": "m" * 101}, lints.MESSAGE_ID_TOO_LONG, "messageId", "error"),
        ({"timestamp": ...}, lints.TIMESTAMP_MISSING, "timestamp", "error"),
        ({"timestamp": "yesterday"}, lints.TIMESTAMP_INVALID, "timestamp", "error"),
        ({"timestamp": 1741105269114}, lints.TIMESTAMP_INVALID, "timestamp", "error"),
        ({"timestamp": "1969-12-31T23:59:59.999Z"}, lints.TIMESTAMP_BEFORE_1970, "timestamp", "error"),
        ({"timestamp": "2027-01-15T08:06:00Z"}, lints.TIMESTAMP_IN_FUTURE, "timestamp", "warning"),
        ({"sentAt": "2025-03-04T16:21:09.114Z"}, lints.SENT_AT_SET, "sentAt", "warning"),
        ({"receivedAt": "2025-03-04T16:21:09.114Z"}, lints.RECEIVED_AT_SET, "receivedAt", "warning"),
    ],
)
def test_fault_has_one_lint(changes: dict[str, Any], code: str, path: str, level: str) -> None:
    assert [(one.code, one.path, one.level) for one in lint(call(**changes), NOW)] == [(code, path, level)]


def test_timestamp_slightly_ahead_has_no_lint() -> None:
    assert lint(call(timestamp="2027-01-15T08:05:00Z"), NOW) == ()


def test_event_size_is_counted_in_bytes_of_json() -> None:
    room = 32_768 - len(json.dumps(call(event=""), separators=(",", ":")).encode())
    assert lint(call(event="é" * (room // 2) + "x" * (room % 2)), NOW) == ()
    (found,) = lint(call(event="é" * (room // 2) + "x" * (room % 2 + 1)), NOW)
    assert found == Lint(lints.EVENT_TOO_LARGE, "", "32,769 bytes; Segment takes 32,768 per event")


def test_too_many_properties_is_a_lint() -> None:
    many = call(properties={str(number): 0 for number in range(10_001)})
    assert [one.code for one in lint(many, NOW)] == [lints.EVENT_TOO_LARGE, lints.TOO_MANY_PROPERTIES]


def test_lint_errors_come_before_warnings() -> None:
    found = lint(call(userId="x" * 300, timestamp=..., sentAt="x"), NOW)
    assert [one.level for one in found] == ["error", "warning", "warning"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"a":1}{"b":2}',
        b'{"userId":"\xff"}',
        b'{"userId":"\\ud800"}',
        b"[" * 100_000,
        b'{"a":' + b"[" * 100_000,
        '{"é":1}'.encode("utf-16"),
    ],
)
def test_body_that_is_no_json_object_has_one_lint(body: bytes) -> None:
    (found,) = lint(body, NOW)
    assert (found.code, found.path, found.level) == (lints.NOT_JSON, "", "error")
    assert len(found.message) < 200


@pytest.mark.parametrize("value", ["\ud800", float("nan"), b"bytes", {1, 2}])
def test_call_that_json_cannot_encode_has_one_lint(value: object) -> None:
    (found,) = lint(call(event=value), NOW)
    assert found.code == lints.NOT_JSON


def test_number_too_large_for_a_double_is_accepted() -> None:
    body = b'{"userId":1e400,"event":1e400,"timestamp":1e400}'
    codes = [one.code for one in lint(body, NOW)]
    assert limits.ID_NOT_STRING in codes
    assert limits.EVENT_NOT_STRING in codes
    assert lints.TIMESTAMP_INVALID in codes


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["messageId", "type", "userId", "anonymousId", "event", "properties", "context", "timestamp"]),
        JSON,
    )
)
@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # a busy machine is no fault
def test_lints_of_dict_and_json_agree(track: dict[str, Any]) -> None:
    body = json.dumps(track, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    assert lint(body, NOW) == lint(json.loads(body), NOW)


@given(st.binary(max_size=80))
def test_lint_of_any_bytes_does_not_raise(body: bytes) -> None:
    assert lint(body, NOW)


def test_encoded_track_keeps_its_order_and_omits_unset_fields() -> None:
    from msgspec import UNSET, Raw

    track = Track("sprig-1", UNSET, "Answered", "track", {"response": Raw(b"1e400")}, Raw(b"{}"), UNSET)
    assert (
        encode_track(track)
        == b'{"messageId":"sprig-1","event":"Answered","type":"track","properties":{"response":1e400},"context":{}}'
    )
