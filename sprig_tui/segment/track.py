"""The track call, in the shape Segment's HTTP Tracking API takes it."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct, UnsetType


class Track(Struct, frozen=True, rename="camel", gc=False):
    """One track call; UNSET fields are left out (facts/segment-streams.md has the table).

    `messageId` stands first, where another id can take its place. `sentAt` is no field: it is stamped on the batch at
    each attempt. `receivedAt` is none either: Segment sets it.
    """

    message_id: str
    user_id: str | UnsetType
    event: str
    type: str
    properties: Any
    """An object of any make: Struct, dict or Raw."""
    context: Any
    """An object that holds `integration`."""
    timestamp: str | UnsetType
    """ISO-8601: when the answer was given."""
    integrations: Any = msgspec.UNSET
    """Destination name to allowed; UNSET leaves it to the source's settings."""


_ENCODER = msgspec.json.Encoder()


def encode_track(track: Track) -> bytes:
    """The call as compact JSON.

    Raises ValueError when a text holds a lone surrogate (UnicodeEncodeError) or a number has more digits than Python
    converts.
    """
    return _ENCODER.encode(track)
