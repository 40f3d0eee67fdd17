"""Names of the events that were delivered in a short time.

The config has one name, and Segment's counts are picked by it. Calls of before it was changed, or that were edited
before they were sent, have another: under that name Segment counted them, and they are not missing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from sprig_tui.journal.base import Journal
from sprig_tui.reconcile.model import Shortfall

MAX_READ = 1_000
"""Deliveries whose payload is read; of more, so many at equal distances."""


class _Call(Struct):
    event: Any = None


_decode_call = msgspec.json.Decoder(_Call).decode


async def delivered_event_names(
    journal: Journal, environment: str, times: Iterable[Shortfall], *, endpoint: str
) -> frozenset[str]:
    """The names in what Segment took in these times, as far as the payloads are still there. Raises JournalError."""
    ids: list[int] = []
    for time in times:
        ids += await journal.accepted_ids(environment, time.start, time.end, endpoint=endpoint)
    step = -(-len(ids) // MAX_READ) or 1
    names: set[str] = set()
    for number in ids[::step]:
        detail = await journal.get(number)
        if detail is not None and detail.body:
            names.add(_event_of(detail.body))
    return frozenset(filter(None, names))


def _event_of(body: bytes) -> str:
    """Empty where it cannot be read."""
    try:
        event = _decode_call(body).event
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""
    return event if isinstance(event, str) else ""
