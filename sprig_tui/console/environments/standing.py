"""How one environment stands, in words: what is known, never more (Segment answers 200 to a wrong key too)."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from sprig_tui.console.environments.spans import relative_time, time_ago, time_left
from sprig_tui.journal.pause_reason import PauseReason
from sprig_tui.journal.records import Lane

Level = Literal["", "muted", "good", "warning", "bad"]


class EnvironmentStatus(Struct, frozen=True, gc=False):
    """A mark that does not need colour, a sentence, and what came back last."""

    mark: str
    text: str
    level: Level = ""
    last: str = ""
    """Such as `last answer 200, 2 s ago` or `never used`."""
    brief: str = ""
    """How the sentence begins, for where there is no room for all of it; empty where it is short."""


class StatusInputs(Struct, frozen=True, kw_only=True):
    """What the sentence rests on."""

    lane: Lane
    has_key: bool
    queued: int
    in_flight: int
    """Deliveries on the wire, by any process."""
    rate: int
    """Deliveries per second."""
    held: tuple[str, str] = ("", "")
    """What workers that are gone still hold, and until when; empty for nothing."""
    engine: bool
    """Whether this console delivers."""
    read_only: bool = False
    opened: bool = True
    """Whether the journal has told anything yet; else the lane is not known."""
    trouble: str = ""
    """Why the lane stands still on our side."""


def status_of(facts: StatusInputs, now: int) -> EnvironmentStatus:
    """The one sentence that matters most; `now` is ms since 1970."""
    busy = bool(facts.rate or facts.in_flight)
    last = _last_activity(facts.lane, now, busy=busy) if facts.has_key or facts.lane.last_status else ""
    if (unready := _unready_status(facts, last)) is not None:
        return unready
    lane = facts.lane
    if lane.state == "paused":
        return _paused_status(lane, now, last)
    if lane.state == "probing" and lane.pauses and lane.until > now:
        return _brief_status("◌", "trying one answer", f": {lane.cause}", "warning", last)
    if lane.state in ("waiting", "probing") and lane.until > now:
        return _waiting_status(lane, now, last)
    if lane.state in ("waiting", "probing") and facts.queued:
        return _brief_status("◌", "next try is due", f": {lane.cause}", "warning", last)
    return _open_status(facts, last)


def _unready_status(facts: StatusInputs, last: str) -> EnvironmentStatus | None:
    """What stands in the way on our side."""
    if facts.trouble:
        return EnvironmentStatus("✗", facts.trouble, "bad", last)
    if not facts.has_key:
        waiting = f", {facts.queued:,} queued" if facts.queued else ""
        return _brief_status(
            "·", "no key", f"{waiting}: press a to add one", "warning" if facts.queued else "muted", last
        )
    return None if facts.opened else EnvironmentStatus("·", "opening the journal", "muted")


def _last_activity(lane: Lane, now: int, *, busy: bool) -> str:
    if lane.last_status:
        return f"last answer {lane.last_status}, {time_ago(lane.last_at, now)}"
    return "" if lane.failures or busy else "never used"


def _paused_status(lane: Lane, now: int, last: str) -> EnvironmentStatus:
    again = f" now, or it is tried in {time_left(lane.until, now)}" if lane.until > now else ""
    if lane.reason is PauseReason.KEY_REFUSED:
        rest = f", Segment refuses the key: {lane.cause}; a replaces it, p tries again{again}"
        return _brief_status("‖", "paused", rest, "bad", last)
    if lane.reason is PauseReason.WRONG_ENDPOINT:
        return _brief_status("‖", "paused", f", {lane.cause}; e changes it, p tries again{again}", "bad", last)
    cause = lane.detail.text if lane.reason is PauseReason.MANUAL else lane.cause
    if cause:
        return _brief_status("‖", "paused", f" ({cause}); p resumes", "warning", last)
    return _brief_status("‖", "paused by hand", "; p resumes", "warning", last)


def _waiting_status(lane: Lane, now: int, last: str) -> EnvironmentStatus:
    if lane.state == "probing":
        return _brief_status("◌", "trying one batch", f": {lane.cause}" if lane.cause else "", "warning", last)
    wait = time_left(lane.until, now)
    if lane.reason is PauseReason.RETRY_AFTER:
        return _brief_status("◷", f"waiting {wait}", f" (Segment asked, {lane.detail.status})", "warning", last)
    since = f" since {relative_time(lane.since, now)}" if lane.since else ""
    if lane.reason is PauseReason.HTTP_ERROR:
        return _brief_status("◷", "failing", f"{since}: {lane.cause}; next try in {wait}", "warning", last)
    return _brief_status("◷", "unreachable", f"{since}: {lane.cause}; next try in {wait}", "bad", last)


def _brief_status(mark: str, brief: str, rest: str, level: Level, last: str) -> EnvironmentStatus:
    return EnvironmentStatus(mark, brief + rest, level, last, brief)


def _open_status(facts: StatusInputs, last: str) -> EnvironmentStatus:
    held, until = facts.held
    if held and not facts.rate:
        return _brief_status("◷", held, f", {until}", "warning", last)
    if facts.rate or facts.in_flight:
        return EnvironmentStatus("▲", f"delivering {facts.rate:,}/s", "good", last)
    if facts.queued and not facts.engine:
        why = "read-only" if facts.read_only else "--no-engine"
        return _brief_status("○", f"{facts.queued:,} queued", f", not delivered from here ({why})", "warning", last)
    if facts.queued:
        return EnvironmentStatus("△", f"{facts.queued:,} queued", "", last)
    return EnvironmentStatus("△", "nothing queued", "muted", last)
