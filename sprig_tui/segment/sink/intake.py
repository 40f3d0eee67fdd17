"""Takes tracking requests in as Segment does: unpack, find the key, strike faults, check, enrich, keep."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from sprig_tui.clock import Clock
from sprig_tui.segment import discards
from sprig_tui.segment.limits import MAX_BATCH_EVENTS, MAX_BODY_BYTES, MAX_EVENT_BYTES
from sprig_tui.segment.sink.enrichment import ReceivedBatch
from sprig_tui.segment.sink.exchange import SUCCESS_REPLY, SinkReply, SinkRequest, error_reply
from sprig_tui.segment.sink.faults import FaultScript
from sprig_tui.segment.sink.stats import RequestRecord, Stats
from sprig_tui.segment.sink.store import EventStore, ReceivedEvent
from sprig_tui.segment.sink.validation import MIN_KEY_CHARS, ROUTES, discard_reason, key_in_header, mask

_ENVELOPE = msgspec.json.Decoder(dict[str, Raw])
_BATCH = msgspec.json.Decoder(list[Raw])
_JSON_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_MESSAGE_IDS = re.compile(rb'"messageId":\s?"([^"]*)"')


class _Rejection(Exception):  # noqa: N818 - an answer on its way out, not an error
    def __init__(self, message: str, code: str = "invalid_request") -> None:
        super().__init__(message)
        self.code = code


class _EventCounts(Struct):
    """What became of one request's events."""

    events: int = 0
    accepted: int = 0
    duplicates: int = 0
    rejected: Counter[str] = msgspec.field(default_factory=Counter)
    reason: str = ""

    def reject(self, reason: str, events: int = 1) -> None:
        self.rejected[reason] += events
        self.reason = self.reason or reason


class TrackingEndpoint:
    """Where tracking requests end up.

    `keys` maps a write key to its source's name; None lets every well-formed key in. With `counting` events are
    counted and not read: `counting="events"` by their ids in the text, `"ids"` counts distinct ids as well.
    """

    def __init__(
        self,
        *,
        store: EventStore,
        stats: Stats,
        clock: Clock,
        keys: Mapping[str, str] | None,
        disabled: Collection[str],
        counting: str = "",
        on_request: Callable[[RequestRecord], None],
    ) -> None:
        self.script = FaultScript()
        self._store = store
        self._stats = stats
        self._clock = clock
        self._keys = keys
        self._disabled = frozenset(disabled)
        self._counting = counting
        self._on_request = on_request
        self._number = 0

    def handle(self, request: SinkRequest) -> SinkReply:
        """Handle one tracking request; the reply may be spoiled by a fault rule."""
        self._number += 1
        number, now = self._number, self._clock.now()
        tally, body, key = _EventCounts(), b"", ""
        fault = None
        try:
            body = _decompress_body(request)
            key = self._write_key(request, body)
            fault = self.script.choose(number, body, key, self._source_name(key))
            reply = SUCCESS_REPLY
            if fault is None or fault.accepts_events:
                self._process(request, body, key, now, number, tally)
        except _Rejection as refused:
            tally.reason = str(refused)
            reply = error_reply(400, str(refused), refused.code, close=request.body is None)
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

    def _source_name(self, key: str) -> str:
        return self._keys.get(key, "") if self._keys is not None else ""

    def _write_key(self, request: SinkRequest, body: bytes) -> str:
        """The header's key counts before the body's, as the official clients send both and mean the same."""
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
        blocked = self._block_reason(key) or (discards.EMPTY_BATCH if not messages else None)
        if blocked or len(messages) > MAX_BATCH_EVENTS:
            # Over 2,500 events the whole batch is lost behind a 200; Segment documents no name for it.
            tally.reject(blocked or discards.MULTI_USER_ERROR, len(messages))
            return
        shared: dict[str, Any] = {}
        if ROUTES[request.path] == "batch":
            shared = {name: _decode_value(envelope[name]) for name in _SHARED_FIELDS if name in envelope}
        arrival, source, masked = ReceivedBatch(shared, now), self._source_name(key), mask(key)
        for message in messages:
            reason = discard_reason(message)
            if reason is not None:
                tally.reject(reason)
                continue
            event = arrival.enrich(message)
            new = self._store.add(ReceivedEvent(request=number, source=source, key=masked, event=event))
            tally.accepted += new
            tally.duplicates += not new

    def _block_reason(self, key: str) -> str | None:
        if self._keys is not None and key not in self._keys:
            return discards.UNKNOWN_SOURCE
        return discards.SOURCE_DISABLED if key in self._disabled else None

    def _count_events(self, body: bytes, kind: str, key: str, tally: _EventCounts) -> None:
        if not (body.lstrip()[:1] == b"{" and body.rstrip()[-1:] == b"}"):
            raise _Rejection("the body is not a JSON object")
        ids = _MESSAGE_IDS.findall(body) if self._counting == "ids" else None
        tally.events = (body.count(b'"messageId"') if ids is None else len(ids)) if kind == "batch" else 1
        blocked = self._block_reason(key)
        if blocked or tally.events > MAX_BATCH_EVENTS:
            tally.reject(blocked or discards.MULTI_USER_ERROR, tally.events)
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
    """The unpacked body, but never much more than the limit: a few bytes can unfold to gigabytes."""
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
