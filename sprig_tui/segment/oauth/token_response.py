"""Response of a token server: an access token, or why there is none; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

import msgspec
from msgspec import Struct

from sprig_tui.text import without_controls

DEFAULT_TOKEN_LIFE_S = 60.0
"""Life of a token whose server names none that can be used (the official client's value)."""
MAX_TOKEN_LIFE_S = 31 * 86_400.0
"""The longest that Segment offers is 30 days (docs, connections/oauth)."""
MAX_RENEWAL_LEAD_S = 300.0
"""A token is renewed this long before its end, or a tenth of its life, whichever is less."""
MAX_TOKEN_CHARS = 16_384
DEFAULT_LIMIT_WAIT_S = 5.0
"""Wait after a 429 without a time (the official clients' value)."""
MAX_ERROR_CHARS = 160

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""A Bearer token (RFC 6750, 2.1): nothing that could end a header."""
_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
_LONG_RUN = re.compile(r"[A-Za-z0-9_+/=%-]{24,}")
"""Text that may be a part of an assertion or a token, in any coding."""
_REJECTED = (400, 401, 415)
"""Statuses that a repeat does not change: wrong client, key or scope."""


class AccessToken(Struct, frozen=True, kw_only=True):
    """A Bearer token; its repr does not show it."""

    text: str
    renew_at: int
    """Wall time in ms from which another one is asked for."""

    def __repr__(self) -> str:
        return f"AccessToken(renew_at={self.renew_at})"


class TokenFailureKind(StrEnum):
    """Why there is no token."""

    KEY_UNUSABLE = "key_unusable"
    """The private key cannot sign."""
    REJECTED = "rejected"
    """400, 401 or 415: only another client, key or scope helps."""
    LIMITED = "limited"
    """429."""
    UNAVAILABLE = "unavailable"
    """Another status."""
    UNUSABLE = "unusable"
    """A 200 that holds no token."""
    UNREACHABLE = "unreachable"
    """No response."""


class TokenFailure(Struct, frozen=True, kw_only=True):
    """One failed request for a token."""

    kind: TokenFailureKind
    status: int = 0
    """HTTP status of the token server; 0 without a response."""
    error: str = ""
    """Error for display; never holds the assertion, the token or the key."""
    retry_after_s: float = 0.0
    """Seconds that the token server asked to wait, at most 300; 0 for none."""

    @property
    def is_final(self) -> bool:
        """Whether another try changes nothing until someone acts."""
        return self.kind in (TokenFailureKind.KEY_UNUSABLE, TokenFailureKind.REJECTED)


def read_token_response(
    status: int, headers: Mapping[str, str], body: bytes, *, complete: bool, now_ms: int
) -> AccessToken | TokenFailure:
    """The meaning of a response.

    `headers` has lower-case names, `complete` says whether the body was read to its end.
    """
    if status == 200:
        return _read_token(body, complete=complete, now_ms=now_ms)
    error = _error_text(body) or f"http {status}"
    if status in _REJECTED:
        return TokenFailure(kind=TokenFailureKind.REJECTED, status=status, error=error)
    from sprig_tui.http.retry_after import retry_after

    wait = retry_after(headers, now_ms=now_ms) or 0.0
    if status == 429:
        wait = wait or DEFAULT_LIMIT_WAIT_S
        return TokenFailure(kind=TokenFailureKind.LIMITED, status=status, error=error, retry_after_s=wait)
    return TokenFailure(kind=TokenFailureKind.UNAVAILABLE, status=status, error=error, retry_after_s=wait)


def _read_token(body: bytes, *, complete: bool, now_ms: int) -> AccessToken | TokenFailure:
    if not complete:
        return _unusable("its answer is too long")
    fields = _json_object(body)
    if fields is None:
        return _unusable("its answer is no JSON object")
    token = fields.get("access_token")
    if not isinstance(token, str) or not token:
        return _unusable("its answer holds no access_token")
    if len(token) > MAX_TOKEN_CHARS or not _TOKEN.fullmatch(token):
        return _unusable("its access_token has characters that no token has, or too many")
    life = _life_s(fields.get("expires_in"))
    lead = min(MAX_RENEWAL_LEAD_S, life / 10)
    return AccessToken(text=token, renew_at=now_ms + int((life - lead) * 1000))


def _unusable(error: str) -> TokenFailure:
    return TokenFailure(kind=TokenFailureKind.UNUSABLE, status=200, error=error)


def _life_s(expires_in: object) -> float:
    """Seconds; a life that is missing, not a number or not positive becomes the default."""
    if isinstance(expires_in, str) and re.fullmatch(r"[0-9]{1,12}", expires_in):
        expires_in = int(expires_in)
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float) or not expires_in > 0:
        return DEFAULT_TOKEN_LIFE_S
    return float(min(expires_in, MAX_TOKEN_LIFE_S))


def _error_text(body: bytes) -> str:
    """`error` of the response with its description (RFC 6749, 5.2), without what may be an echoed assertion."""
    fields = _json_object(body)
    if fields is None:
        return ""
    code, description = fields.get("error"), fields.get("error_description")
    parts = [code] if isinstance(code, str) and _CODE.fullmatch(code) else []
    if isinstance(description, str) and description.strip():
        parts.append(without_controls(description))
    return _LONG_RUN.sub("…", ": ".join(parts))[:MAX_ERROR_CHARS]


def _json_object(body: bytes) -> dict[str, object] | None:
    try:
        fields = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None
