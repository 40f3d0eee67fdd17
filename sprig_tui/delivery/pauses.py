"""Pauses and waits of a lane: their reasons as the engine finds them, and whether a reason still applies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sprig_tui.config.environment import Environment
from sprig_tui.journal.pause_reason import PauseDetail, PauseReason
from sprig_tui.journal.records import Lane

if TYPE_CHECKING:
    from sprig_tui.segment.client import SendResult

Pause = tuple[PauseReason, PauseDetail]


def key_refused(environment: Environment, status: int) -> Pause:
    """The write key, masked, so that a later check can tell whether the lane still uses that one."""
    return PauseReason.KEY_REFUSED, PauseDetail(key=_shown_key(environment), status=status)


def wrong_endpoint(environment: Environment, status: int, error: str) -> Pause:
    """An answer that says the URL is wrong, not the events."""
    detail = PauseDetail(endpoint=environment.base_url, status=status, error="" if status else error)
    return PauseReason.WRONG_ENDPOINT, detail


def wait_reason(answer: SendResult, asked_ms: int) -> Pause:
    """Why a request is made again later; `asked_ms` is its Retry-After, 0 for none."""
    if asked_ms:
        return PauseReason.RETRY_AFTER, PauseDetail(status=answer.status, asked_ms=asked_ms)
    if answer.endpoint_fault:
        return PauseReason.NOT_SEGMENT, PauseDetail(status=answer.status, error=answer.error)
    if answer.status:
        return PauseReason.HTTP_ERROR, PauseDetail(status=answer.status)
    return PauseReason.NETWORK_ERROR, PauseDetail(error=answer.error)


def is_first_retry_after(lane: Lane) -> bool:
    """Whether the lane waits because Segment asked for it, and had not asked just before."""
    return lane.failures < 2 and lane.reason is PauseReason.RETRY_AFTER


def pause_is_outdated(lane: Lane, environment: Environment) -> bool:
    """Whether a lane was paused for a key or an endpoint that the environment no longer has.

    A lane paused by hand stays paused. Two keys too short to show any character look the same here; `Engine.reload`
    knows better, as it has both.
    """
    if lane.state != "paused":
        return False
    if lane.reason is PauseReason.KEY_REFUSED:
        return lane.detail.key != _shown_key(environment)
    if lane.reason is PauseReason.WRONG_ENDPOINT:
        return lane.detail.endpoint != environment.base_url
    return False


def is_engine_pause(lane: Lane) -> bool:
    """Whether the engine itself paused the lane, over a key or an endpoint."""
    return lane.state == "paused" and lane.reason in (PauseReason.KEY_REFUSED, PauseReason.WRONG_ENDPOINT)


def _shown_key(environment: Environment) -> str:
    return environment.write_key.masked() if environment.write_key else "none"
