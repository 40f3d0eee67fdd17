"""Pages of the fake Public API: `pagination.count` from 1 to 1,000, and opaque cursors."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from sprig_tui.segment.sink.workspace.errors import invalid
from sprig_tui.segment.sink.workspace.query import one_text

MAX_COUNT = 1_000
DEFAULT_COUNT = 200


def page(
    items: Sequence[Any], query: Mapping[str, Any], *, max_size: int = MAX_COUNT, max_count: int = MAX_COUNT
) -> tuple[list[Any], Any]:
    """The entries that a query asks for, and the `pagination` of the answer; raises ApiError (422).

    A page has at most `max_size` entries; more than `max_count` must not be asked for.
    """
    given = query.get("pagination", {})
    if not isinstance(given, Mapping):
        raise invalid("pagination", '"pagination" must be an object')
    size = _count(one_text(given.get("count")), max_count) if "count" in given else DEFAULT_COUNT
    size = min(size, max_size)
    start = _position(one_text(given.get("cursor"))) if given.get("cursor") else 0
    answer: dict[str, Any] = {"current": cursor(start), "totalEntries": len(items)}
    if start + size < len(items):
        answer["next"] = cursor(start + size)
    if start:
        answer["previous"] = cursor(max(0, start - size))
    return list(items[start : start + size]), answer


def cursor(start: int) -> str:
    """The cursor of the page that begins with this entry."""
    return base64.b64encode(str(start).encode()).decode()


def _count(text: str, max_count: int) -> int:
    text = text.removesuffix(".0")  # as the SDK for Python writes a count that is a float
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= max_count):
        raise invalid("pagination.count", f'"count" must be between 1 and {max_count}')
    return int(text)


def _position(text: str) -> int:
    try:
        return max(0, int(base64.b64decode(text, validate=True)))
    except (binascii.Error, ValueError):
        raise invalid("pagination.cursor", '"cursor" is not one of ours') from None
