"""Client of Segment's Profile API: whether one event is among a user's events in a Unify space.

It is the only proof that a single event arrived, and only for a space that the source feeds.
Facts: Segment's docs (unify/profile-api).
"""

from __future__ import annotations

from typing import Self

from msgspec import Struct

from sprig_tui.clock import Clock
from sprig_tui.http.client import Revealable


class FoundEvent(Struct, frozen=True):
    """Event that Segment has."""

    message_id: str
    event: str
    time: int
    """Its timestamp; milliseconds since 1970 UTC, 0 if the answer does not say."""
    source_id: str = ""


class ProfileApiClient:
    """Client of one space. Raises SegmentApiError for a rejection, SegmentApiUnreachableError without a response."""

    def __init__(self, base_url: str, space_id: str, token: Revealable, *, clock: Clock, timeout: float = 15.0) -> None:
        self._url = base_url.rstrip("/")
        self._space_id = space_id
        self._token = token.reveal()
        self._clock = clock
        self._timeout = timeout

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is open yet."""

    async def find_event(self, user_id: str, event: str, message_id: str, start: int, end: int) -> FoundEvent | None:
        """The event of this message id among the user's events of `start` to `end` (ms); None if it is not there."""
        raise NotImplementedError
