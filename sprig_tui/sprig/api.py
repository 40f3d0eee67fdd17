"""Sprig's REST API: its client, the classification of its responses, and the parsing of its pages."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Literal, NamedTuple, Self

import msgspec
from msgspec import DecodeError, Raw, Struct

from sprig_tui.clock import Clock
from sprig_tui.http.client import Revealable, bearer_headers, host_of, make_client, read_body, redirect_host
from sprig_tui.http.errors import describe_error
from sprig_tui.http.lean import httpx
from sprig_tui.http.retry_after import retry_after
from sprig_tui.sprig.formats.detect import parse_document, parse_raw_record
from sprig_tui.sprig.json_stream import DEFAULT_MAX_RECORD_BYTES, RawRecord, split_document
from sprig_tui.sprig.raw_json import decode_text, json_type_name, object_members
from sprig_tui.sprig.records import Origin, Record, StudyResponse
from sprig_tui.sprig.unsendable import invalid_record, malformed_reason, unreadable_reason
from sprig_tui.text import redact, without_controls

RESPONSES_PATH = "/v1/responses"
SURVEYS_PATH = "/v1/surveys"
MAX_BODY_BYTES = 64_000_000
"""Longest response body that is read; a page of 1,000 records with snapshots has some 2 MB."""
MAX_ERROR_BYTES = 65_536
TIMEOUT_S = 30.0
_KEEP_ALIVE_S = 15.0

ApiResponseKind = Literal["ok", "none", "key-refused", "limited", "too-large", "refused", "retry"]
"""`none` is 404, which on a list means that nothing matches; `limited` is 429, the rate limit."""

ORIGIN_NAME = "api"
MAX_CURSOR_CHARS = 4_096
"""A cursor has to fit into a URL; Sprig's have some 30 characters."""

_item_decoder = msgspec.json.Decoder(list[Raw])


class ApiResponse(msgspec.Struct, frozen=True, kw_only=True):
    """Result of one request."""

    kind: ApiResponseKind
    status: int = 0
    """HTTP status; 0 without a response."""
    body: bytes = b""
    """The whole decompressed body of a 2xx response; empty for any other."""
    error: str = ""
    """Such as `http 503`, `connection reset` or the error message in the body; never holds the key."""
    retry_after_s: float | None = None
    """Seconds of the Retry-After header, at most 300 (Sprig documents none; proxies send it)."""
    latency_ms: float = 0.0


class SprigClient:
    """Client of Sprig's REST API for one environment: `async with SprigClient(url, key, clock=...) as client`.

    `base_url` has no `/v1`. The key is sent as `Authorization: Bearer`, and selects Production or Development (Sprig
    API v2.2.1, overview). `timeout` is in seconds for each phase of a request, `deadline` for the whole request.
    Proxies and certificates are those of `make_client`, redirects are not followed, and bodies are read up to
    `max_body` bytes. Raises ConfigError for an invalid address.
    """

    def __init__(
        self,
        base_url: str,
        key: Revealable,
        *,
        clock: Clock,
        timeout: float = TIMEOUT_S,
        deadline: float | None = None,
        max_body: int = MAX_BODY_BYTES,
    ) -> None:
        self._url = base_url.rstrip("/")
        self._host = host_of(self._url, "the api url", "such as https://api.sprig.com")
        self._key = key.reveal()
        self._clock = clock
        self._timeout = timeout
        self._deadline = 4 * timeout if deadline is None else deadline
        self._max_body = max_body
        self._http = make_client(
            self._url,
            headers=bearer_headers(self._key, "application/json"),
            timeout=timeout,
            limits=httpx.Limits(max_connections=2, max_keepalive_connections=1, keepalive_expiry=_KEEP_ALIVE_S),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Drop every connection."""
        await self._http.aclose()

    async def get(self, path: str, parameters: Mapping[str, str]) -> ApiResponse:
        """GET one page; a network error is returned as a response of kind `retry`, not raised."""
        started = time.perf_counter()
        body, network_error, truncated = b"", "", False
        response: httpx.Response | None = None
        try:
            async with asyncio.timeout(self._deadline):
                async with self._http.stream("GET", self._url + path, params=dict(parameters)) as response:
                    body, truncated = await self._read_body(response)
        except TimeoutError:
            network_error = f"no whole answer within {self._deadline:g} s"
        except (httpx.HTTPError, httpx.StreamError, OSError, UnicodeError) as error:
            network_error = describe_error(error, host=self._host, timeout_s=self._timeout)
        latency_ms = (time.perf_counter() - started) * 1000
        if response is None:
            return ApiResponse(kind="retry", error=network_error, latency_ms=latency_ms)
        return self._to_response(response, body, network_error, truncated=truncated, latency_ms=latency_ms)

    async def _read_body(self, response: httpx.Response) -> tuple[bytes, bool]:
        """The body, and whether it was longer than the limit."""
        limit = self._max_body if response.is_success else MAX_ERROR_BYTES
        if response.headers.get("content-encoding", "identity").strip().lower() not in ("gzip", "identity", ""):
            return b"", False
        body = bytearray()
        whole = await read_body(response.aiter_bytes(), body, limit)
        return bytes(body), not whole

    def _to_response(
        self, response: httpx.Response, body: bytes, network_error: str, *, truncated: bool, latency_ms: float
    ) -> ApiResponse:
        status = response.status_code
        kind = classify(status)
        if kind == "ok" and truncated:
            kind, network_error = "too-large", f"more than {self._max_body:,} bytes"
        elif kind == "ok" and network_error:
            kind = "retry"
        elif kind == "ok":
            encoding = response.headers.get("content-encoding", "identity").strip().lower()
            if encoding not in ("gzip", "identity", ""):
                kind, network_error = "refused", "the answer is compressed in an encoding that was not requested"
        waits = kind in ("limited", "retry")
        return ApiResponse(
            kind=kind,
            status=status,
            body=body if kind == "ok" else b"",
            error="" if kind == "ok" else network_error or self._error_text(response, body),
            retry_after_s=retry_after(response.headers, now_ms=self._clock.now()) if waits else None,
            latency_ms=latency_ms,
        )

    def _error_text(self, response: httpx.Response, body: bytes) -> str:
        status = response.status_code
        if 300 <= status < 400:
            host = redact(redirect_host(response.headers, self._host), (self._key,), replacement="…")
            return f"redirected to {without_controls(host)[:100]}"
        words = without_controls(redact(_error_message(body), (self._key,), replacement="…"))[:200]
        return f"{status}: {words}" if words else f"http {status}"


def classify(status: int) -> ApiResponseKind:
    """The meaning of an HTTP status of one of Sprig's lists (facts: errors of API v2.2.1).

    403 is a missing or wrong key (Sprig does not use 401), 429 the rate limit, and 404, by the older documentation, a
    query without matches. 407 (from a proxy), 408, 5xx and unknown families are retried; other 4xx and redirects are
    not.
    """
    if 200 <= status < 300:
        return "ok"
    known: dict[int, ApiResponseKind] = {401: "key-refused", 403: "key-refused", 404: "none", 429: "limited"}
    known |= {407: "retry", 408: "retry"}
    if status in known:
        return known[status]
    return "refused" if 300 <= status < 500 else "retry"


def _error_message(body: bytes) -> str:
    """The message in `{"error": "..."}`, or in the older API's list of texts; empty for any other body."""
    try:
        message = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    if isinstance(message, dict):
        message = message.get("error") or message.get("message")
    if isinstance(message, list):
        message = "; ".join(text for text in message if isinstance(text, str))
    return message if isinstance(message, str) else ""


class ResponsePage(NamedTuple):
    """A page of `GET /v1/responses`."""

    records: list[Record]
    """All records of the page, invalid ones as Unsendable; for a body that is not a page, one Unsendable of it."""
    cursor: str = ""
    """Cursor of the next page; empty after the last."""
    fault: str = ""
    """How the page differs from the specification, so that it has no next page; empty for a valid page."""


class ListedSurvey(Struct, frozen=True, rename="camel", gc=False):
    """One survey of `GET /v1/surveys`, with the fields that the mapping uses."""

    id: int | str
    name: str | None = None
    created_at: str | None = None


class SurveyPage(NamedTuple):
    """A page of `GET /v1/surveys`."""

    surveys: list[ListedSurvey]
    cursor: str = ""
    fault: str = ""
    """As in `ResponsePage`."""
    unreadable: int = 0
    """Entries that are not surveys."""


class _Envelope(NamedTuple):
    items: list[Raw]
    cursor: str = ""
    fault: str = ""


def parse_response_page(body: bytes) -> ResponsePage:
    """The records of a page; never raises. Whole records inside a broken page are read too."""
    items, cursor, fault = _parse_envelope(body)
    records: list[Record] = [_parse_record(bytes(item), index) for index, item in enumerate(items)]
    if fault:
        records = records or _salvage_responses(body)
        records.append(invalid_record(body, Origin(ORIGIN_NAME), f"not a page of responses: {fault}"))
    return ResponsePage(records, cursor, fault)


def parse_survey_page(body: bytes) -> SurveyPage:
    """The surveys of a page; never raises."""
    items, cursor, fault = _parse_envelope(body)
    surveys: list[ListedSurvey] = []
    for item in items:
        try:
            surveys.append(msgspec.json.decode(item, type=ListedSurvey))
        except (DecodeError, UnicodeDecodeError, RecursionError):
            continue
    return SurveyPage(surveys, cursor, fault, len(items) - len(surveys))


def _parse_envelope(body: bytes) -> _Envelope:
    """The list and the cursor."""
    if body.lstrip()[:1] == b"<":
        return _Envelope([], "", "it is HTML, as sign-in and error pages are")
    try:
        fields = object_members(body)
        items = _item_decoder.decode(fields["data"])
    except KeyError:
        return _Envelope([], "", "it has no data")
    except msgspec.ValidationError:
        return _Envelope([], "", _wrong_type_text(body))
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        fault = malformed_reason(body, error) if isinstance(error, DecodeError) else "not valid JSON"
        return _Envelope([], "", unreadable_reason(body) or fault)
    return _Envelope(items, *_parse_cursor(fields.get("cursor")))


def _parse_cursor(raw: Raw | None) -> tuple[str, str]:
    """The cursor and its fault; a null, missing or empty cursor means the last page."""
    if raw is None or bytes(raw) == b"null":
        return "", ""
    cursor = decode_text(raw)
    if cursor is None:
        return "", f"cursor: expected text or null, got {json_type_name(bytes(raw))}"
    if len(cursor) > MAX_CURSOR_CHARS:
        return "", f"cursor: {len(cursor):,} characters"
    return cursor, ""


def _wrong_type_text(body: bytes) -> str:
    try:
        data = object_members(body)["data"]
    except msgspec.ValidationError:
        return f"expected an object, got {json_type_name(body.strip())}"
    return f"data: expected a list, got {json_type_name(bytes(data))}"


def _parse_record(raw: bytes, index: int) -> Record:
    path = f"data[{index}]"
    if len(raw) > DEFAULT_MAX_RECORD_BYTES:
        origin = Origin(ORIGIN_NAME, "rest", 0, path)
        return next(iter(parse_document(raw, origin)), None) or invalid_record(raw, origin, "too large")
    return parse_raw_record(RawRecord(raw, 0, path), ORIGIN_NAME, 0)


def _salvage_responses(body: bytes) -> list[Record]:
    """The readable answers in a broken page, such as one that is cut off."""
    raw_records = (raw for raw in split_document(body) if raw.path and not raw.fault)
    records = (parse_raw_record(RawRecord(raw.raw, 0, raw.path), ORIGIN_NAME, 0) for raw in raw_records)
    return [record for record in records if isinstance(record, StudyResponse)]
