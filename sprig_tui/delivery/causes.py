"""Why a lane is shut, in words that the log and the console show; and when such a cause no longer holds."""

from __future__ import annotations

from sprig_tui.config.environment import Environment
from sprig_tui.journal.records import Lane

_KEY = "write key"
_ASKED = "Segment asked for"
_ENDPOINT = "check the endpoint"


def key_refused(environment: Environment, status: int) -> str:
    """The Write Key, masked, so that a later look can tell whether the lane still uses that one."""
    masked = environment.write_key.masked() if environment.write_key else "none"
    return f"{_KEY} {masked} refused ({status})"


def endpoint_fault(environment: Environment, status: int, error: str) -> str:
    """An answer that says the URL is wrong, not the events."""
    said = f"it answers {status}" if status else error
    return f"{_ENDPOINT} {environment.base_url}: {said}"


def asked_to_wait(status: int, milliseconds: int) -> str:
    """A Retry-After."""
    return f"{status}, {_ASKED} {milliseconds / 1000:g} s"


def is_first_wish_to_wait(lane: Lane) -> bool:
    """Whether the lane waits because Segment asked for it, and had not asked just before."""
    return lane.failures < 2 and _ASKED in lane.cause


def no_longer_holds(lane: Lane, environment: Environment) -> bool:
    """Whether a lane was paused for a key or an endpoint that the environment no longer has.

    A lane paused by hand stays paused. Two keys too short to show any character look the same here; `Engine.reload`
    knows better, as it has both.
    """
    if lane.state != "paused":
        return False
    if lane.cause.startswith(f"{_KEY} "):
        masked = environment.write_key.masked() if environment.write_key else "none"
        return f" {masked} " not in lane.cause
    if lane.cause.startswith(f"{_ENDPOINT} "):
        return f" {environment.base_url}:" not in lane.cause
    return False


def is_ours(lane: Lane) -> bool:
    """Whether the engine itself paused the lane, over a key or an endpoint."""
    return lane.state == "paused" and lane.cause.startswith((f"{_KEY} ", f"{_ENDPOINT} "))
