"""Pause reasons of lanes, their texts, and the conversion from and to the sentences of older journals.

Journals up to schema 5 store a reason as an English sentence in the column `cause`. That is a frozen format, whatever
today's texts are: an older program that shares the journal reads and writes only `cause`, so this one fills it in too.
The columns `reason` and `detail` are valid while `reason_epoch` is the lane's `epoch`; after a change by an older
program only `cause` is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import MappingProxyType

import msgspec
from msgspec import Struct


class PauseReason(StrEnum):
    """Why a lane is not open; the value is what the journal stores and `--json` shows."""

    NONE = ""
    """The lane is open, or no reason is stored."""
    KEY_REFUSED = "key_refused"
    """`detail.key`, `detail.status`."""
    WRONG_ENDPOINT = "wrong_endpoint"
    """A response that says the URL is wrong, not the events: `detail.endpoint`, `detail.status` or `detail.error`."""
    RETRY_AFTER = "retry_after"
    """`detail.status`, `detail.asked_ms`."""
    HTTP_ERROR = "http_error"
    """`detail.status`."""
    NOT_SEGMENT = "not_segment"
    """A redirect, a sign-in page, a proxy that wants a password: `detail.status`, `detail.error`."""
    NETWORK_ERROR = "network_error"
    """No response: `detail.error`."""
    OAUTH_KEY_UNUSABLE = "oauth_key_unusable"
    """The private key cannot sign: `detail.error`, `detail.credentials`."""
    OAUTH_CLIENT_REFUSED = "oauth_client_refused"
    """By the token server: `detail.client`, `detail.endpoint` (its URL), `detail.status`, `detail.error`,
    `detail.credentials`."""
    OAUTH_TOKEN_REFUSED = "oauth_token_refused"  # noqa: S105 - a code
    """By the Tracking API, and a new one as well: `detail.client`, `detail.status`, `detail.credentials`."""
    TOKEN_SERVER_FAILED = "token_server_failed"  # noqa: S105 - a code
    """No token for now: `detail.endpoint` (its URL), `detail.status`, `detail.error`, `detail.asked_ms`."""
    MANUAL = "manual"
    """Held by a user until one resumes it: `detail.by` and `detail.at`; `detail.text` if they gave a reason."""
    OTHER = "other"
    """A sentence of another version that matches no pattern: `detail.text`."""


class PauseDetail(Struct, frozen=True, omit_defaults=True, gc=False):
    """Details of a reason; fields that the reason does not use are empty."""

    status: int = 0
    """HTTP status."""
    key: str = ""
    """The masked write key, such as `Zq8T…e1Rk`; `none` for a missing one."""
    endpoint: str = ""
    """Base URL."""
    asked_ms: int = 0
    """Retry-After of Segment, milliseconds."""
    error: str = ""
    """Message of the network, the HTTP client or the server: for display, never parsed."""
    client: str = ""
    """App ID of the OAuth client."""
    credentials: str = ""
    """Fingerprint of the OAuth credentials, which shows later whether they have changed."""
    text: str = ""
    """Text of a user, or a sentence that matches no pattern."""
    by: str = ""
    """Who holds the lane, such as `anna@build-1`; empty for holds of older versions."""
    at: int = 0
    """When it was held, ms; 0 for holds of older versions."""


NO_DETAIL = PauseDetail()


def _wrong_endpoint(detail: PauseDetail) -> str:
    problem = f"it answers {detail.status}" if detail.status else detail.error
    return f"check the endpoint {detail.endpoint}: {problem}"


def _client_refused(detail: PauseDetail) -> str:
    return f"{detail.endpoint} refuses the OAuth client {detail.client} ({detail.status}): {detail.error}"


def _token_refused(detail: PauseDetail) -> str:
    return f"Segment refuses the OAuth token of client {detail.client}, and a new one too ({detail.status})"


def _token_server_failed(detail: PauseDetail) -> str:
    status = f" ({detail.status})" if detail.status else ""
    asked = f", asked for {detail.asked_ms / 1000:g} s" if detail.asked_ms else ""
    return f"no OAuth token from {detail.endpoint}{status}: {detail.error}{asked}"


def _held(detail: PauseDetail) -> str:
    return f"held by {detail.by or 'hand'}" + (f": {detail.text}" if detail.text else "")


SENTENCES: Mapping[PauseReason, Callable[[PauseDetail], str]] = MappingProxyType(
    {
        PauseReason.NONE: lambda _: "",
        PauseReason.KEY_REFUSED: lambda detail: f"write key {detail.key} refused ({detail.status})",
        PauseReason.WRONG_ENDPOINT: _wrong_endpoint,
        PauseReason.RETRY_AFTER: lambda detail: f"{detail.status}, Segment asked for {detail.asked_ms / 1000:g} s",
        PauseReason.HTTP_ERROR: lambda detail: str(detail.status),
        PauseReason.NOT_SEGMENT: lambda detail: detail.error,
        PauseReason.NETWORK_ERROR: lambda detail: detail.error,
        PauseReason.OAUTH_KEY_UNUSABLE: lambda detail: detail.error,
        PauseReason.OAUTH_CLIENT_REFUSED: _client_refused,
        PauseReason.OAUTH_TOKEN_REFUSED: _token_refused,
        PauseReason.TOKEN_SERVER_FAILED: _token_server_failed,
        PauseReason.MANUAL: _held,
        PauseReason.OTHER: lambda detail: detail.text,
    }
)
"""Text of each reason, for display only."""


def manual(state: str, text: str, by: str, now: int) -> tuple[PauseReason, PauseDetail]:
    """The reason of a lane that a user sets to this state, with their text."""
    if state == "open":
        return PauseReason.NONE, NO_DETAIL
    return PauseReason.MANUAL, PauseDetail(text=text, by=by, at=now)


def pause_text(reason: PauseReason, detail: PauseDetail) -> str:
    """The reason as text, for the console, the command line, monitors and the log."""
    return SENTENCES[reason](detail)


_BY_HAND = "by hand"
_DETAIL = msgspec.json.Decoder(PauseDetail)

_CAUSES: Mapping[PauseReason, Callable[[PauseDetail], str]] = MappingProxyType(
    {
        PauseReason.NONE: lambda _: "",
        PauseReason.KEY_REFUSED: lambda detail: f"write key {detail.key} refused ({detail.status})",
        PauseReason.WRONG_ENDPOINT: lambda detail: (
            f"check the endpoint {detail.endpoint}: "
            + (f"it answers {detail.status}" if detail.status else detail.error)
        ),
        PauseReason.RETRY_AFTER: lambda detail: f"{detail.status}, Segment asked for {detail.asked_ms / 1000:g} s",
        PauseReason.HTTP_ERROR: lambda detail: str(detail.status),
        PauseReason.NOT_SEGMENT: lambda detail: detail.error,
        PauseReason.NETWORK_ERROR: lambda detail: detail.error,
        PauseReason.OAUTH_KEY_UNUSABLE: lambda detail: detail.error,
        PauseReason.OAUTH_CLIENT_REFUSED: _client_refused,
        PauseReason.OAUTH_TOKEN_REFUSED: _token_refused,
        PauseReason.TOKEN_SERVER_FAILED: _token_server_failed,
        PauseReason.MANUAL: lambda detail: detail.text or _BY_HAND,
        PauseReason.OTHER: lambda detail: detail.text,
    }
)

_PATTERNS: tuple[tuple[PauseReason, str], ...] = (
    (
        PauseReason.KEY_REFUSED,
        r"(?s:write key (?P<key>.+) refused \((?P<status>\d+)\))",
    ),
    (PauseReason.WRONG_ENDPOINT, r"check the endpoint (?P<endpoint>\S+): it answers (?P<status>\d+)"),
    (PauseReason.WRONG_ENDPOINT, r"(?s:check the endpoint (?P<endpoint>\S+): (?P<error>.*))"),
    (PauseReason.RETRY_AFTER, r"(?P<status>\d+), Segment asked for (?P<asked>\d+(?:\.\d+)?) s"),
    (PauseReason.HTTP_ERROR, r"(?P<status>\d+)"),
    (PauseReason.MANUAL, f"(?:paused )?{_BY_HAND}"),
    (PauseReason.NOT_SEGMENT, r"(?s:(?P<error>redirected to .*: check the endpoint))"),
    (PauseReason.NOT_SEGMENT, r"(?P<error>http \d+ with a web page: check the endpoint)"),
    (PauseReason.NOT_SEGMENT, r"(?P<error>the proxy wants a user and password \(407\))"),
)
"""All sentences of versions up to schema 5, the most specific first; the groups are fields of the detail."""


def cause_of(reason: PauseReason, detail: PauseDetail) -> str:
    """The sentence that a program of schema 5 would have written."""
    # reasons that it did not know have no sentence of their own there
    return (_CAUSES.get(reason) or SENTENCES[reason])(detail)


def reason_of(cause: str, state: str) -> tuple[PauseReason, PauseDetail]:
    """The reason of a lane in this state with this sentence; `OTHER` with the text if it matches no pattern."""
    if not cause:
        return (PauseReason.MANUAL if state == "paused" else PauseReason.NONE), NO_DETAIL
    for reason, pattern in _PATTERNS:
        if match := re.fullmatch(pattern, cause):
            return reason, _detail_in(match.groupdict())
    if state in ("waiting", "probing"):
        # the only other reason to wait is a network error, which is stored in the words of the network
        return PauseReason.NETWORK_ERROR, PauseDetail(error=cause)
    return PauseReason.OTHER, PauseDetail(text=cause)


def _detail_in(groups: Mapping[str, str]) -> PauseDetail:
    asked_ms = round(float(groups.get("asked", 0)) * 1000)
    return PauseDetail(
        status=int(groups.get("status", 0)),
        asked_ms=asked_ms,
        key=groups.get("key", ""),
        endpoint=groups.get("endpoint", ""),
        error=groups.get("error", ""),
    )


def detail_text(detail: PauseDetail) -> str:
    """A detail as the journal stores it."""
    return "" if detail == NO_DETAIL else msgspec.json.encode(detail).decode()


def stored_reason(
    state: str, cause: str, epoch: int, reason: str, detail: str, reason_epoch: int
) -> tuple[PauseReason, PauseDetail]:
    """The reason in the columns of a lane's row."""
    if not reason or reason_epoch != epoch:
        return reason_of(cause, state)
    try:
        return PauseReason(reason), _DETAIL.decode(detail) if detail else NO_DETAIL
    except ValueError:
        # written by a newer program, which puts a text for older ones into `cause`
        return PauseReason.OTHER, PauseDetail(text=cause)
