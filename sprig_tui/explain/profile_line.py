"""Line of the Profile API: whether the event itself is among the user's events. It is the only proof of one event."""

from __future__ import annotations

from sprig_tui.clock import Clock
from sprig_tui.errors import SprigTuiError
from sprig_tui.explain.answers import failed, unknown
from sprig_tui.explain.call import Call
from sprig_tui.explain.model import Answer, Check, Line, Obstacle, Origin
from sprig_tui.formatting import local_time
from sprig_tui.journal.records import Delivery
from sprig_tui.segment.profile_api import ProfileApiClient

MAX_AGE_MS = 14 * 86_400_000
"""The Profile API has no older events."""
_MARGIN_MS = 86_400_000
"""Before the answer's own time and after now: the API selects by a time that clocks may shift."""
_NOT_FOUND_WHY = (
    "not among the user's events, which is no proof: the source may not feed this space, "
    "and the newest events may take minutes"
)


async def profile_line(api: ProfileApiClient, clock: Clock, delivery: Delivery, call: Call | None) -> Line:
    """The answer of the Profile API; never raises a SprigTuiError."""
    check, source, now = Check.PROFILE, Origin.PROFILE_API, clock.now()
    if call is None or not call.user_id:
        why = "it is asked by the user, and the call has no userId"
        return unknown(check, Obstacle.DEPENDS, why, source=source, at=now)
    if now - delivery.settled_at > MAX_AGE_MS:
        why = "the Profile API has the events of 14 days only"
        return unknown(check, Obstacle.TOO_OLD, why, source=source, at=now)
    since = min(time for time in (delivery.answered_at, delivery.settled_at) if time > 0) - _MARGIN_MS
    try:
        found = await api.find_event(call.user_id, call.event, delivery.message_id, max(0, since), now + _MARGIN_MS)
    except SprigTuiError as error:
        return failed(check, error, at=clock.now(), source=source)
    now = clock.now()
    if found is None:
        return unknown(check, Obstacle.UNCLEAR, _NOT_FOUND_WHY, source=source, at=now)
    at = f": {local_time(found.time):%Y-%m-%d %H:%M:%S}" if found.time else ""
    evidence = f"Segment has it{at}" + (f", from the source {found.source_id}" if found.source_id else "")
    return Line(check=check, answer=Answer.YES, evidence=evidence, source=source, at=now)
