"""Client of Segment's Profile API: whether one event is among a user's events in a Unify space.

    async with ProfileApiClient("https://profiles.segment.com", "spa_1", token, clock=SystemClock()) as api:
        found = await api.find_event("user-7", "Survey Answered", message_id, start, end)

It is the only proof that a single event arrived, and only for a space that the source feeds. Segment keeps 14 days
there, and drops events with more than 300 properties. Facts: Segment's docs (unify/profile-api,
unify/profile-api-limits).
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from urllib.parse import quote

from msgspec import UNSET, Struct, UnsetType

from sprig_tui.clock import Clock
from sprig_tui.errors import SegmentApiError
from sprig_tui.http.client import Revealable
from sprig_tui.segment.api_transport import ApiAddress, ApiClient, ApiTransport, Request
from sprig_tui.segment.public_api_json import ListPage, decode, required, to_ms_or_zero
from sprig_tui.segment.timestamps import format_iso

PAGE_SIZE = 100
"""Events of a page; the API allows no more."""
MAX_PAGES = 20
_LABEL = "GET /v1/spaces/{id}/collections/users/profiles/{user}/events"


class FoundEvent(Struct, frozen=True):
    """Event that Segment has."""

    message_id: str
    event: str
    time: int
    """Its timestamp; milliseconds since 1970 UTC, 0 if the answer does not say."""
    source_id: str = ""


class _Event(Struct):
    message_id: str | None = None
    event: str | None = None
    timestamp: int | float | str | None = None
    source_id: str | None = None


class _Cursor(Struct):
    next: str | None = None
    has_more: bool | None = None


class _Events(Struct):
    data: list[_Event] | UnsetType | None = UNSET
    cursor: _Cursor | None = None


class ProfileApiClient(ApiClient):
    """Client of one space. Raises SegmentApiError for a rejection, SegmentApiUnreachableError without a response.

    Errors name the route, never the user. Parameters are those of PublicApiClient.
    """

    def __init__(
        self,
        base_url: str,
        space_id: str,
        token: Revealable,
        *,
        clock: Clock,
        timeout: float = 15.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        on_wait: Callable[[float], None] = lambda _: None,
    ) -> None:
        secret = token.reveal()
        basic = base64.b64encode(f"{secret}:".encode()).decode()
        self._profiles = f"/v1/spaces/{quote(space_id, safe='')}/collections/users/profiles"
        self._transport = ApiTransport(
            ApiAddress(
                base_url,
                noun="the address of Segment's Profile API",
                token_hint="the token belongs to one Unify space, and may be revoked or be of another region",  # noqa: S106
            ),
            {"Authorization": f"Basic {basic}", "Accept": "application/json", "Accept-Encoding": "gzip"},
            [secret, basic],
            clock=clock,
            timeout=timeout,
            sleep=sleep,
            on_wait=on_wait,
        )

    async def find_event(self, user_id: str, event: str, message_id: str, start: int, end: int) -> FoundEvent | None:
        """The event of this message id among the user's events of `start` to `end` (ms); None if it is not there.

        None also means that the space knows no such user. Ids are stored in lower case, so that form is asked for
        first, and then the id as it is.
        """
        for user in dict.fromkeys((user_id.lower(), user_id)):
            found = await self._find_event(user, event, message_id, start, end)
            if found is not None:
                return found
        return None

    async def _find_event(self, user_id: str, event: str, message_id: str, start: int, end: int) -> FoundEvent | None:
        path = f"{self._profiles}/user_id:{quote(user_id, safe='')}/events"
        query = [("start", format_iso(start)), ("end", format_iso(end)), ("limit", str(PAGE_SIZE))]
        if "," not in event:  # `include` is a list with commas, which have no documented escape
            query.append(("include", event))
        cursor, seen = "", {""}
        for _ in range(MAX_PAGES):
            place = [("next", cursor)] if cursor else []
            try:
                body = await self._transport.send(Request(_LABEL, path, [*query, *place]))
            except SegmentApiError as error:
                if error.status == 404:  # no such profile
                    return None
                raise
            page = _parse_events(body)
            for found in page.items:
                if found.message_id == message_id:
                    return found
            cursor = page.next_cursor
            if not cursor:
                return None
            if cursor in seen:
                break
            seen.add(cursor)
        raise SegmentApiError(
            f"the user has more than {MAX_PAGES * PAGE_SIZE:,} events in that time, or the pages do not come to an end",
            hint="ask for a shorter time",
            request=_LABEL,
        )


def _parse_events(body: bytes) -> ListPage[FoundEvent]:
    try:
        page = decode(body, _Events)
        events = required(page.data, "data")
    except SegmentApiError as error:
        error.request = _LABEL
        raise
    found = tuple(
        FoundEvent(one.message_id or "", one.event or "", to_ms_or_zero(one.timestamp), one.source_id or "")
        for one in events
    )
    cursor = page.cursor or _Cursor()
    return ListPage(found, (cursor.next or "") if cursor.has_more is not False else "")
