"""What Segment's servers check: the write key, then each message; the reasons are Segment's own names."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from sprig_tui.segment import discards

MIN_KEY_CHARS = 8
"""A shorter key gets 400, as an empty one does; where the real border lies is not documented (`abc123` is below)."""

ROUTES: Mapping[str, str] = {
    **{f"/v1/{kind}": kind for kind in ("track", "identify", "page", "screen", "group", "alias", "batch")},
    **{f"/v1/{kind[0]}": kind for kind in ("track", "identify", "page", "screen", "group", "alias", "batch")},
    "/v1/import": "batch",
}
"""Path to message type; long and short forms, and the old alias of batch."""

_REQUIRED_ID_FIELDS = {"group": "groupId", "alias": "previousId"}
_TYPES_WITH_TRAITS = frozenset({"identify", "group"})


def key_in_header(authorization: str) -> str | None:
    """The write key of a Basic header (`KEY:`, the colon forgiven); None where there is none to read."""
    scheme, _, token = authorization.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(token.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return None


def mask(key: str) -> str:
    """First and last four characters, or none of a short key."""
    return f"{key[:4]}…{key[-4:]}" if len(key) >= 16 else "…"


def discard_reason(message: Mapping[str, Any]) -> str | None:
    """Why Segment drops this message after having answered 200; None when it is kept."""
    kind = message.get("type")
    if kind == "track":
        return _identity_discard_reason(message) or _track_discard_reason(message)
    if not isinstance(kind, str) or kind not in ROUTES.values() or kind == "batch":
        return discards.MULTI_USER_ERROR
    needed = _REQUIRED_ID_FIELDS.get(kind)
    if needed and message.get(needed) is None:
        return discards.ID_REQUIRED
    if kind in _TYPES_WITH_TRAITS and not isinstance(message.get("traits", {}), dict):
        return discards.TRAITS_NOT_OBJECT
    if kind in ("page", "screen") and not isinstance(message.get("properties", {}), dict):
        return discards.PROPERTIES_NOT_OBJECT
    return None if kind == "alias" else _identity_discard_reason(message)


def _identity_discard_reason(message: Mapping[str, Any]) -> str | None:
    ids = [message[name] for name in ("userId", "anonymousId") if message.get(name) is not None]
    if not ids:
        return discards.NO_USER_ANON_ID
    if any(not isinstance(one, str) or not one.strip() for one in ids):
        return discards.ID_NOT_STRING
    return None


def _track_discard_reason(message: Mapping[str, Any]) -> str | None:
    event = message.get("event")
    if event is None or event == "":
        return discards.EVENT_NOT_DEFINED
    if not isinstance(event, str):
        return discards.EVENT_NOT_STRING
    return None if isinstance(message.get("properties", {}), dict) else discards.PROPERTIES_NOT_OBJECT
