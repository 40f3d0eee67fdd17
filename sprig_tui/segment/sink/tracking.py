"""Tracking endpoint of the fake Segment: decompress, find the key, apply faults, check, enrich, store."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol
from uuid import uuid4

import msgspec
from msgspec import Raw, Struct

from sprig_tui.clock import Clock
from sprig_tui.segment import limits
from sprig_tui.segment.limits import MAX_BATCH_EVENTS, MAX_BODY_BYTES, MAX_EVENT_BYTES, MAX_PROPERTIES
from sprig_tui.segment.sink.faults import FaultScript
from sprig_tui.segment.sink.messages import SUCCESS_REPLY, SinkReply, SinkRequest, error_reply
from sprig_tui.segment.sink.store import EventStore, ReceivedEvent, RequestRecord, Stats
from sprig_tui.segment.timestamps import format_iso, parse_instant, parse_usual_ms
from sprig_tui.text import mask


class ReceivedBatch:
    """One request received at `received_ms`; `envelope` is its batch with `sentAt`, `context` and `integrations`."""

    def __init__(self, envelope: Mapping[str, Any], received_ms: int) -> None:
        self._sent_at = envelope.get("sentAt")
        self._sent_ms = _parse_ms(self._sent_at)
        self._shared_fields = {
            name: envelope[name] for name in ("context", "integrations") if isinstance(envelope.get(name), dict)
        }
        self._received_ms = received_ms
        self._received_at = format_iso(received_ms)

    def enrich(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """The message as a destination would get it.

        `timestamp = receivedAt - (sentAt - originalTimestamp)` (facts: common spec). Without a valid `sentAt` the
        sender's time is used, without a valid `timestamp` the time of arrival. Properties beyond 10,000 are dropped
        silently, as at Segment.
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


MIN_KEY_CHARS = 8
"""A shorter key gets a 400, as an empty one; the real limit is not documented (`abc123` is below it)."""

ROUTES: Mapping[str, str] = {
    **{f"/v1/{kind}": kind for kind in ("track", "identify", "page", "screen", "group", "alias", "batch")},
    **{f"/v1/{kind[0]}": kind for kind in ("track", "identify", "page", "screen", "group", "alias", "batch")},
    "/v1/import": "batch",
}
"""Path -> message type: long and short forms, and the old alias of batch."""

_REQUIRED_ID_FIELDS = {"group": "groupId", "alias": "previousId"}
_TYPES_WITH_TRAITS = frozenset({"identify", "group"})


def key_in_header(authorization: str) -> str | None:
    """The write key of a Basic header (`KEY:`, the colon is optional); None without a readable one."""
    scheme, _, token = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(token.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return None


def discard_reason(message: Mapping[str, Any]) -> str | None:
    """Segment's reason to discard this message after a 200; None if it is kept."""
    kind = message.get("type")
    if kind == "track":
        return _identity_discard_reason(message) or _track_discard_reason(message)
    if not isinstance(kind, str) or kind not in ROUTES.values() or kind == "batch":
        return limits.MULTI_USER_ERROR
    needed = _REQUIRED_ID_FIELDS.get(kind)
    if needed and message.get(needed) is None:
        return limits.ID_REQUIRED
    if kind in _TYPES_WITH_TRAITS and not isinstance(message.get("traits", {}), dict):
        return limits.TRAITS_NOT_OBJECT
    if kind in ("page", "screen") and not isinstance(message.get("properties", {}), dict):
        return limits.PROPERTIES_NOT_OBJECT
    return None if kind == "alias" else _identity_discard_reason(message)


def _identity_discard_reason(message: Mapping[str, Any]) -> str | None:
    ids = [message[name] for name in ("userId", "anonymousId") if message.get(name) is not None]
    if not ids:
        return limits.NO_USER_ANON_ID
    if any(not isinstance(value, str) or not value.strip() for value in ids):
        return limits.ID_NOT_STRING
    return None


def _track_discard_reason(message: Mapping[str, Any]) -> str | None:
    event = message.get("event")
    if event is None or event == "":
        return limits.EVENT_NOT_DEFINED
    if not isinstance(event, str):
        return limits.EVENT_NOT_STRING
    return None if isinstance(message.get("properties", {}), dict) else limits.PROPERTIES_NOT_OBJECT


_ENVELOPE = msgspec.json.Decoder(dict[str, Raw])
_BATCH = msgspec.json.Decoder(list[Raw])
_JSON_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_MESSAGE_IDS = re.compile(rb'"messageId":\s?"([^"]*)"')


class _Rejection(Exception):  # noqa: N818 - a reply, not an error of the program
    def __init__(self, message: str, code: str = "invalid_request", status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class _EventCounts(Struct):
    """Counts of one request's events."""

    events: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: Counter[str] = msgspec.field(default_factory=Counter)
    reason: str = ""

    def reject(self, reason: str, events: int = 1) -> None:
        self.rejected[reason] += events
        self.reason = self.reason or reason


class TrackingObserver(Protocol):
    """What happens to events behind the answer: the workspace, if the sink has one. Times are ms since 1970 UTC."""

    def loss_reason(self, key: str, message: Mapping[str, Any]) -> str:
        """Why an event is dropped after its 200, without being remembered; empty if it is taken."""
        ...

    def on_rejected(self, key: str, message: Mapping[str, Any], at: int, reason: str) -> None:
        """Notice an event that was discarded for Segment's `reason`."""
        ...

    def on_received(self, key: str, event: Mapping[str, Any], at: int, *, repeat: bool) -> None:
        """Notice an accepted event; `repeat` if its message id is known."""
        ...


class TrackingEndpoint:
    """Handler of tracking requests.

    `keys` maps a write key to its source's name; None accepts every well-formed key. With `counting` events are
    counted and not parsed: `"events"` counts the ids in the text, `"ids"` also counts distinct ids. `accepts_token`
    tells of an Authorization header whether its OAuth token is valid; None requires none.
    """

    def __init__(  # noqa: PLR0913 - parts of the sink, all by name
        self,
        *,
        store: EventStore,
        stats: Stats,
        clock: Clock,
        keys: Mapping[str, str] | None,
        disabled: Collection[str],
        counting: str = "",
        on_request: Callable[[RequestRecord], None],
        observer: TrackingObserver | None = None,
        accepts_token: Callable[[str], bool] | None = None,
    ) -> None:
        self.script = FaultScript()
        self._store = store
        self._stats = stats
        self._clock = clock
        self._keys = keys
        self._disabled = disabled
        self._counting = counting
        self._on_request = on_request
        self._observer = observer
        self._accepts_token = accepts_token
        self._number = 0

    def handle(self, request: SinkRequest) -> SinkReply:
        """Handle one tracking request; a fault rule may change the reply."""
        self._number += 1
        number, now = self._number, self._clock.now()
        tally, body, key = _EventCounts(), b"", ""
        fault = None
        try:
            body = _decompress_body(request)
            key = self._write_key(request, body)
            fault = self.script.choose(number, body, key, self._source_name(key))
            reply = SUCCESS_REPLY
            self._check_token(request)
            if fault is None or fault.accepts_events:
                self._process(request, body, key, now, number, tally)
        except _Rejection as rejection:
            tally.reason = str(rejection)
            reply = error_reply(rejection.status, str(rejection), rejection.code, close=request.body is None)
        if fault is not None:
            reply = fault.apply(reply, now)
        seen = RequestRecord(
            number=number,
            connection=request.connection,
            at=now,
            path=request.path,
            status=reply.status if reply.ending == "answer" else 0,
            fault=fault.label if fault is not None else "",
            source=self._source_name(key),
            key=mask(key) if key else "",
            retry_count=request.headers.get("x-retry-count", ""),
            body_bytes=len(body),
            events=tally.events,
            accepted=tally.accepted,
            duplicates=tally.duplicates,
            rejected=tally.rejected.total(),
            reason=tally.reason,
        )
        self._stats.count(seen, len(request.body or b""), reply.ending, tally.rejected)
        self._on_request(seen)
        return reply

    def _check_token(self, request: SinkRequest) -> None:
        if self._accepts_token is not None and not self._accepts_token(request.headers.get("authorization", "")):
            raise _Rejection("the source requires a valid OAuth token", "unauthorized", 401)

    def _source_name(self, key: str) -> str:
        return self._keys.get(key, "") if self._keys is not None else ""

    def _write_key(self, request: SinkRequest, body: bytes) -> str:
        """The header's key takes precedence over the body's; the official clients send both, with the same value."""
        key = key_in_header(request.headers.get("authorization", ""))
        if not key:
            written = _decode_value(_decode_envelope(body).get("writeKey", Raw(b"null")))
            key = written if isinstance(written, str) else ""
        if len(key) < MIN_KEY_CHARS:
            raise _Rejection("the write key is missing or too short", "invalid_write_key")
        return key

    def _process(self, request: SinkRequest, body: bytes, key: str, now: int, number: int, tally: _EventCounts) -> None:
        if self._counting:
            self._count_events(body, ROUTES[request.path], key, tally)
            return
        envelope = _decode_envelope(body)
        messages = _decode_messages(envelope, body, ROUTES[request.path])
        tally.events = len(messages)
        blocked = self._block_reason(key) or (limits.EMPTY_BATCH if not messages else None)
        if blocked or len(messages) > MAX_BATCH_EVENTS:
            # a batch of more than 2,500 events is discarded after a 200; Segment documents no name for it
            self._reject_all(blocked or limits.MULTI_USER_ERROR, messages, key, now, tally)
            return
        shared: dict[str, Any] = {}
        if ROUTES[request.path] == "batch":
            shared = {name: _decode_value(envelope[name]) for name in _SHARED_FIELDS if name in envelope}
        arrival, source, masked = ReceivedBatch(shared, now), self._source_name(key), mask(key)
        for message in messages:
            reason = discard_reason(message)
            if reason is not None:
                tally.reject(reason)
                if self._observer is not None:
                    self._observer.on_rejected(key, message, now, reason)
                continue
            if self._observer is not None and (lost := self._observer.loss_reason(key, message)):
                tally.reject(lost)
                continue
            event = arrival.enrich(message)
            new = self._store.add(ReceivedEvent(request=number, source=source, key=masked, event=event))
            if self._observer is not None:
                self._observer.on_received(key, event, now, repeat=not new)
            tally.accepted += new
            tally.duplicates += not new

    def _reject_all(self, reason: str, messages: list[dict[str, Any]], key: str, now: int, tally: _EventCounts) -> None:
        tally.reject(reason, len(messages))
        if self._observer is not None:
            for message in messages:
                self._observer.on_rejected(key, message, now, reason)

    def _block_reason(self, key: str) -> str | None:
        if self._keys is not None and key not in self._keys:
            return limits.UNKNOWN_SOURCE
        return limits.SOURCE_DISABLED if key in self._disabled else None

    def _count_events(self, body: bytes, kind: str, key: str, tally: _EventCounts) -> None:
        if not (body.lstrip()[:1] == b"{" and body.rstrip()[-1:] == b"}"):
            raise _Rejection("the body is not a JSON object")
        ids = _MESSAGE_IDS.findall(body) if self._counting == "ids" else None
        tally.events = (body.count(b'"messageId"') if ids is None else len(ids)) if kind == "batch" else 1
        blocked = self._block_reason(key)
        if blocked or tally.events > MAX_BATCH_EVENTS:
            tally.reject(blocked or limits.MULTI_USER_ERROR, tally.events)
            return
        tally.accepted = tally.events if not ids else self._store.ids.add_all(ids)
        tally.duplicates = tally.events - tally.accepted


_SHARED_FIELDS = ("sentAt", "context", "integrations")


def _decompress_body(request: SinkRequest) -> bytes:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    body = request.body
    if body is not None and encoding == "gzip":
        body = _gunzip(body)
    elif encoding not in ("", "identity", "gzip"):
        raise _Rejection(f"content encoding {encoding[:40]!r} is not supported")
    if body is None or len(body) > MAX_BODY_BYTES:
        raise _Rejection(f"the body is larger than {MAX_BODY_BYTES:,} bytes", "request_too_large")
    return body


def _gunzip(packed: bytes) -> bytes:
    """The decompressed body, cut just above the limit: a few bytes can expand to gigabytes."""
    unpacked = b""
    while packed:
        stream = zlib.decompressobj(wbits=31)
        try:
            unpacked += stream.decompress(packed, MAX_BODY_BYTES + 1 - len(unpacked))
        except zlib.error as error:
            raise _Rejection("the body is not gzip, or damaged") from error
        if len(unpacked) > MAX_BODY_BYTES:
            break
        if not stream.eof:
            raise _Rejection("the gzip body breaks off")
        packed = stream.unused_data
    return unpacked


def _decode_envelope(body: bytes) -> dict[str, Raw]:
    try:
        return _ENVELOPE.decode(body)
    except _JSON_ERRORS as error:
        raise _Rejection(f"invalid JSON: {error}", "invalid_json") from error


def _decode_value(raw: Raw) -> Any:
    try:
        return msgspec.json.decode(raw)
    except _JSON_ERRORS as error:
        raise _Rejection(f"invalid JSON: {error}", "invalid_json") from error


def _decode_messages(envelope: dict[str, Raw], body: bytes, kind: str) -> list[dict[str, Any]]:
    if kind != "batch":
        raws = [Raw(body)]
    else:
        try:
            raws = _BATCH.decode(envelope.get("batch", Raw(b"[]")))
        except _JSON_ERRORS as error:
            raise _Rejection(f"batch is not a list: {error}", "invalid_json") from error
    messages = []
    for index, raw in enumerate(raws):
        if len(memoryview(raw)) > MAX_EVENT_BYTES:
            raise _Rejection(f"batch[{index}] is larger than {MAX_EVENT_BYTES:,} bytes", "message_too_large")
        message = _decode_value(raw)
        if not isinstance(message, dict):
            raise _Rejection(f"batch[{index}] is not an object", "invalid_json")
        messages.append(message if kind == "batch" else {**message, "type": kind})
    return messages
