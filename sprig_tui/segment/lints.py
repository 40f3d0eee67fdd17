"""Lints of track calls: everything that Segment would discard or misread, found before it is sent.

Segment answers 200 to nearly everything and discards it later. A lint's code is Segment's own name for the reason
(`limits`) if there is one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from sprig_tui.segment import limits
from sprig_tui.segment.limits import MAX_EVENT_BYTES, MAX_MESSAGE_ID_CHARS, MAX_PROPERTIES
from sprig_tui.segment.placeholder_ids import is_placeholder_user_id, placeholder_note
from sprig_tui.segment.timestamps import parse_instant

NOT_JSON = "not_json"
EVENT_TOO_LARGE = "event_too_large"
TOO_MANY_PROPERTIES = "too_many_properties"
TYPE_NOT_TRACK = "type_not_track"
INTEGRATION_MISSING = "integration_missing"
MESSAGE_ID_MISSING = "message_id_missing"
MESSAGE_ID_TOO_LONG = "message_id_too_long"
TIMESTAMP_MISSING = "timestamp_missing"
TIMESTAMP_INVALID = "timestamp_invalid"
TIMESTAMP_BEFORE_1970 = "timestamp_before_1970"
TIMESTAMP_IN_FUTURE = "timestamp_in_future"
USER_ID_LONG = "user_id_long"
USER_ID_NOBODY = "user_id_nobody"
SENT_AT_SET = "sent_at_set"
RECEIVED_AT_SET = "received_at_set"
SCHEMA_VIOLATION = "schema_violation"
UNPLANNED = "unplanned"
PLAN_UNCHECKED = "plan_unchecked"
PLAN_CODES = frozenset({SCHEMA_VIOLATION, UNPLANNED, PLAN_UNCHECKED})
"""Codes of the tracking plan, which is checked apart from the call: `config.tracking_plans`."""

MAX_USER_ID_CHARS = 255
"""Characters of a userId that every destination accepts; Segment documents no limit of its own."""
MAX_FUTURE_MS = 300_000
"""Time by which a timestamp may be ahead of this machine's clock without a lint: clocks differ."""


class Lint(Struct, frozen=True, gc=False):
    """One problem of a track call."""

    code: str
    path: str
    """Dotted path in the call, such as `userId`; empty for the whole call."""
    message: str
    level: Literal["warning", "error"] = "error"
    """`error`: Segment would discard it or store it wrongly; `warning`: it is accepted, but unusual."""


def lint(track: Mapping[str, Any] | bytes, now_ms: int) -> tuple[Lint, ...]:
    """The problems of a track call, given as a dict or as the JSON that would be sent; errors first.

    `now_ms` is the wall time in milliseconds since 1970. Never raises: unreadable input is a lint.
    """
    try:
        body = track if isinstance(track, bytes) else _encode_json(track)
        body.decode()
        call = _OBJECT.decode(body)
    except (ValueError, TypeError, RecursionError) as error:
        return (Lint(NOT_JSON, "", f"not a JSON object: {_error_text(error)}"),)
    lints = [
        *_size_lints(body),
        *_user_id_lints(call),
        *_event_lints(call),
        *_property_lints(call),
        *_context_lints(call),
    ]
    lints += [*_message_id_lints(call), *_timestamp_lints(call, now_ms)]
    return tuple(sorted(lints, key=lambda lint: lint.level))


def timestamp_lint(ms: int, now_ms: int) -> Lint | None:
    """The problem of a time, in milliseconds since 1970, as the time of an answer."""
    if ms < 0:
        return Lint(TIMESTAMP_BEFORE_1970, "timestamp", "before 1970: Segment may refuse it")
    if ms > now_ms + MAX_FUTURE_MS:
        return Lint(TIMESTAMP_IN_FUTURE, "timestamp", "in the future: is a clock wrong?", "warning")
    return None


_OBJECT = msgspec.json.Decoder(dict[str, Raw])


def _encode_json(track: Mapping[str, Any]) -> bytes:
    return json.dumps(dict(track), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def _error_text(error: Exception) -> str:
    if isinstance(error, UnicodeError):
        return "it holds text that is not valid Unicode"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(error)[:120]


def _size_lints(body: bytes) -> Iterator[Lint]:
    if len(body) > MAX_EVENT_BYTES:
        yield Lint(EVENT_TOO_LARGE, "", f"{len(body):,} bytes; Segment takes {MAX_EVENT_BYTES:,} per event")


def _user_id_lints(call: dict[str, Raw]) -> Iterator[Lint]:
    given = {name: _decode_scalar(call[name]) for name in ("userId", "anonymousId") if name in call}
    if all(value is None for value in given.values()):
        yield Lint(limits.NO_USER_ANON_ID, "userId", "no User ID: Segment drops it without a word")
    for name, value in given.items():
        if value is not None and (not isinstance(value, str) or not value.strip()):
            what = "blank" if isinstance(value, str) else "not a text"
            yield Lint(limits.ID_NOT_STRING, name, f"{what}: Segment takes only a text that is not empty")
        elif isinstance(value, str) and len(value) > MAX_USER_ID_CHARS:
            message = f"{len(value):,} characters; many destinations take {MAX_USER_ID_CHARS} at most"
            yield Lint(USER_ID_LONG, name, message, "warning")
        elif isinstance(value, str) and is_placeholder_user_id(value):
            yield Lint(USER_ID_NOBODY, name, f"{placeholder_note(value)}: is it really this person's id?", "warning")


def _event_lints(call: dict[str, Raw]) -> Iterator[Lint]:
    if _decode_scalar(call.get("type")) != "track":
        yield Lint(TYPE_NOT_TRACK, "type", 'must be "track"')
    event = _decode_scalar(call.get("event"))
    if event is None or event == "":
        yield Lint(limits.EVENT_NOT_DEFINED, "event", "no event name")
    elif not isinstance(event, str):
        yield Lint(limits.EVENT_NOT_STRING, "event", "the event name is not a text")


def _property_lints(call: dict[str, Raw]) -> Iterator[Lint]:
    if "properties" not in call:
        return
    properties = _decode_object(call["properties"])
    if properties is None:
        yield Lint(limits.PROPERTIES_NOT_OBJECT, "properties", "not an object")
    elif len(properties) > MAX_PROPERTIES:
        message = f"{len(properties):,} properties; Segment drops what is over {MAX_PROPERTIES:,}"
        yield Lint(TOO_MANY_PROPERTIES, "properties", message)


def _context_lints(call: dict[str, Raw]) -> Iterator[Lint]:
    context = _decode_object(call.get("context"))
    integration = None if context is None else _decode_object(context.get("integration"))
    if not integration:
        yield Lint(INTEGRATION_MISSING, "context.integration", "must be an object that says where the call comes from")


def _message_id_lints(call: dict[str, Raw]) -> Iterator[Lint]:
    message_id = _decode_scalar(call.get("messageId"))
    if not isinstance(message_id, str) or not message_id.strip():
        yield Lint(MESSAGE_ID_MISSING, "messageId", "must be a text that is not empty, or repeats are not recognised")
    elif len(message_id) > MAX_MESSAGE_ID_CHARS:
        message = f"{len(message_id):,} characters; Segment takes {MAX_MESSAGE_ID_CHARS}"
        yield Lint(MESSAGE_ID_TOO_LONG, "messageId", message)


def _timestamp_lints(call: dict[str, Raw], now_ms: int) -> Iterator[Lint]:
    written = _decode_scalar(call.get("timestamp"))
    if written is None:
        yield Lint(TIMESTAMP_MISSING, "timestamp", "no time: Segment would take the time of arrival")
    else:
        instant = parse_instant(written) if isinstance(written, str) else None
        problem = (
            Lint(TIMESTAMP_INVALID, "timestamp", "neither an ISO-8601 time nor 10 or 13 digits (s or ms since 1970)")
            if instant is None
            else timestamp_lint(instant.ms, now_ms)
        )
        if problem is not None:
            yield problem
    if "sentAt" in call:
        message = "stamped afresh on each attempt: a fixed one shifts the timestamp when it is sent later"
        yield Lint(SENT_AT_SET, "sentAt", message, "warning")
    if "receivedAt" in call:
        yield Lint(RECEIVED_AT_SET, "receivedAt", "never sent: Segment sets it on arrival", "warning")


def _decode_scalar(raw: Raw | None) -> object:
    """The value of a text, number, true, false or null; Ellipsis for a list or an object, None when absent."""
    if raw is None:
        return None
    if bytes(raw).lstrip()[:1] in {b"{", b"["}:
        return ...
    try:
        return msgspec.json.decode(raw)
    except ValueError:
        # a number too large for a double: a value, but not text
        return ...


def _decode_object(raw: Raw | None) -> dict[str, Raw] | None:
    if raw is None or bytes(raw).lstrip()[:1] != b"{":
        return None
    return _OBJECT.decode(raw)
