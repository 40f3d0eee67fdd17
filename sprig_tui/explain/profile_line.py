"""Line of the Profile API: whether the event itself is among the user's events. It is the only proof of one event."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sprig_tui.clock import Clock
from sprig_tui.config.secrets import Workspace
from sprig_tui.errors import SprigTuiError
from sprig_tui.explain.answers import failed, unknown
from sprig_tui.explain.call import Call
from sprig_tui.explain.model import Answer, Check, Line, Obstacle, Origin
from sprig_tui.formatting import local_time
from sprig_tui.journal.records import Delivery
from sprig_tui.segment.profile_api import FoundEvent, ProfileApiClient

MAX_AGE_MS = 14 * 86_400_000
"""The Profile API has no older events."""
_MARGIN_MS = 86_400_000
"""Before the answer's own time and after now: the API selects by a time that clocks may shift."""
_NOT_CONFIGURED_WHY = "needs a Unify space: profile_space and profile_token in [segment] of the config"
_OBSTACLE_TEXTS = {
    Obstacle.NOT_DELIVERED: "it was never sent",
    Obstacle.TOO_OLD: "the Profile API has the events of 14 days only",
}
_NOT_FOUND_WHY = (
    "not among the user's events, which is no proof: the source may not feed this space, "
    "and the newest events may take minutes"
)


async def profile_line(
    workspace: Workspace,
    delivery: Delivery,
    call: Call | None,
    *,
    clock: Clock,
    timeout_s: float,
    sleep: Callable[[float], Awaitable[None]],
    on_wait: Callable[[float], None],
) -> Line:
    """The line; what would be needed where no space is configured. Never raises a SprigTuiError."""
    now = clock.now()
    if not workspace.profile_space or workspace.profile_token is None:
        return _unknown(Obstacle.NO_TOKEN, _NOT_CONFIGURED_WHY, now, Origin.CONFIG)
    if call is None or not call.user_id:
        return _unknown(Obstacle.DEPENDS, "it is asked by the user, and the call has no userId", now, Origin.JOURNAL)
    if (obstacle := _obstacle(delivery, now)) is not Obstacle.NONE:
        return _unknown(obstacle, _OBSTACLE_TEXTS[obstacle], now, Origin.JOURNAL)
    try:
        api = ProfileApiClient(
            workspace.profile_url,
            workspace.profile_space,
            workspace.profile_token,
            clock=clock,
            timeout=timeout_s,
            sleep=sleep,
            on_wait=on_wait,
        )
        async with api:
            found = await _find(api, delivery, call, now)
    except SprigTuiError as error:
        return failed(Check.PROFILE, error, at=clock.now(), source=Origin.PROFILE_API)
    if found is None:
        return _unknown(Obstacle.UNCLEAR, _NOT_FOUND_WHY, clock.now())
    at = f": {local_time(found.time):%Y-%m-%d %H:%M:%S}" if found.time else ""
    evidence = f"Segment has it{at}" + (f", from the source {found.source_id}" if found.source_id else "")
    return Line(check=Check.PROFILE, answer=Answer.YES, evidence=evidence, source=Origin.PROFILE_API, at=clock.now())


def _obstacle(delivery: Delivery, now: int) -> Obstacle:
    """Why the event cannot be there to be found, if so."""
    if not delivery.attempts:
        return Obstacle.NOT_DELIVERED
    too_old = now - (delivery.settled_at or delivery.added_at) > MAX_AGE_MS
    return Obstacle.TOO_OLD if too_old else Obstacle.NONE


async def _find(api: ProfileApiClient, delivery: Delivery, call: Call, now: int) -> FoundEvent | None:
    times = [time for time in (delivery.answered_at, delivery.settled_at) if time > 0]
    since = max(0, min(times, default=now) - _MARGIN_MS)
    return await api.find_event(call.user_id, call.event, delivery.message_id, since, now + _MARGIN_MS)


def _unknown(obstacle: Obstacle, why: str, at: int, source: Origin = Origin.PROFILE_API) -> Line:
    return unknown(Check.PROFILE, obstacle, why, source=source, at=at)
