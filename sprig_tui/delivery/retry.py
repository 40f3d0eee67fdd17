"""What an answer means for the deliveries it was for, and for their lane; pure.

| answer                       | deliveries                                   | lane                                   |
|------------------------------|----------------------------------------------|----------------------------------------|
| delivered                    | delivered                                    | opens, if it was not open              |
| refused, one event           | failed                                       | opens: the endpoint is up              |
| refused, several events      | split in halves, each sent by itself         | opens                                  |
| refused, endpoint at fault   | go back, no retry used up                    | pauses: the URL is wrong, not they     |
| refused, final               | failed                                       | pauses: the others need not fail, too  |
| retry                        | go back behind the untried; failed when      | waits                                  |
|                              | retries and window are both spent            |                                        |
| retry with Retry-After       | go back, no retry used up; failed when the   | waits for as long as was asked         |
|                              | window is spent                              |                                        |
| retry, endpoint at fault     | go back, no retry used up                    | waits: a redirect or sign-in page ends |
| key refused                  | go back, no retry used up                    | pauses until the key changes           |

A lane that pauses here is probed with one delivery after 1, 5 and 15 minutes, then every hour: a 403 is mostly a
proxy's or a firewall's, since Segment answers 200 to wrong keys, and it passes without anybody doing anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from sprig_tui.config.environment import DeliverySettings, Environment
from sprig_tui.journal.pause_reasons import PauseDetail, PauseReason, pause_text
from sprig_tui.journal.records import Attempt, Lane, LaneChange, Settlement, State
from sprig_tui.segment.limits import MAX_RETRY_AFTER_MS

if TYPE_CHECKING:
    from sprig_tui.segment.client import SendResult


INITIAL_RETRY_BACKOFF_MS = 500
"""Upper end of the first wait (the official clients' shared rule, facts/segment.md 2)."""
RETRY_BACKOFF_FACTOR = 2
MAX_RETRY_BACKOFF_MS = 60_000

PROBE_INTERVALS_MS = (60_000, 300_000, 900_000, 3_600_000)
"""How long a lane that is paused over a key or an endpoint waits for its next probe; the last one over and over."""

RandomSource = Callable[[], float]
"""A random number in [0, 1), such as `random.random`."""


def backoff_ms(failures: int, random: RandomSource) -> int:
    """Milliseconds to wait after `failures` earlier failures in a row (0 for the first).

    Full jitter, drawn after the clamp, so that workers that failed together do not come back together.
    """
    # 2 ** 20 is far over the clamp already; a lane that failed a million times must not compute 2 ** 1_000_000
    ceiling = min(MAX_RETRY_BACKOFF_MS, INITIAL_RETRY_BACKOFF_MS * RETRY_BACKOFF_FACTOR ** min(max(failures, 0), 20))
    return int(random() * ceiling)


def retry_after_ms(retry_after_s: float | None) -> int:
    """Segment's Retry-After in milliseconds, capped; 0 where it asked for nothing usable."""
    if retry_after_s is None or not retry_after_s > 0:
        return 0
    return int(min(retry_after_s * 1000.0, MAX_RETRY_AFTER_MS))


def probe_interval_ms(pauses: int) -> int:
    """Milliseconds until a paused lane is probed, after `pauses` earlier pauses in a row (0 for the first)."""
    return PROBE_INTERVALS_MS[min(max(pauses, 0), len(PROBE_INTERVALS_MS) - 1)]


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


class RequestHistory(Struct, frozen=True, gc=False):
    """What one request carried, oldest first, and what those deliveries went through before."""

    ids: tuple[int, ...]
    retries_used: tuple[int, ...]
    """Attempts before this one that used up a retry, by delivery."""
    first_attempts: tuple[int, ...]
    """Wall time at which the retry window began, ms; 0 where it begins with this attempt."""


class RetryDecision(Struct, frozen=True):
    """What to do now."""

    settlements: tuple[Settlement, ...]
    lane: LaneChange | None = None
    split: bool = False
    """The claim keeps the deliveries: send both halves."""
    halt: bool = False
    """Send nothing more of this claim."""


class RetryPolicy(Struct, frozen=True):
    """Everything a decision rests on that is not the answer."""

    settings: DeliverySettings
    environment: Environment
    random: RandomSource

    def decide(
        self, result: SendResult, history: RequestHistory, attempt: Attempt, lane: Lane, now: int
    ) -> RetryDecision:
        """Decide. `lane` is as the claim saw it, `now` wall time in ms, `attempt` the request as it is kept."""
        if result.kind == "delivered":
            # no error, unless the body contradicts the status
            arrived = Settlement(ids=history.ids, state=State.DELIVERED, attempt=attempt, error=result.error)
            return RetryDecision((arrived,), _open_lane(lane, result))
        if result.kind == "retry":
            return self._retry(result, history, attempt, lane, now)
        if result.kind == "key-refused":
            pause = key_refused(self.environment, result.status)
            return self._pause(result, history, attempt, lane, pause, now)
        if result.endpoint_fault or not result.bisect:
            pause = wrong_endpoint(self.environment, result.status, result.error)
            return self._pause(result, history, attempt, lane, pause, now)
        if len(history.ids) == 1:
            failed = Settlement(ids=history.ids, state=State.FAILED, attempt=attempt, error=result.error)
            return RetryDecision((failed,), _open_lane(lane, result))
        kept = Settlement(ids=history.ids, state=None, attempt=attempt, error=result.error)
        return RetryDecision((kept,), _open_lane(lane, result), split=True)

    def _retry(
        self, result: SendResult, history: RequestHistory, attempt: Attempt, lane: Lane, now: int
    ) -> RetryDecision:
        asked = retry_after_ms(result.retry_after_s)
        spent: list[int] = []
        left: list[int] = []
        window_ms = self.settings.retry_window * 1000.0
        for delivery, used, first in zip(history.ids, history.retries_used, history.first_attempts, strict=True):
            age = now - (first or attempt.started_at)
            # an answer that says when to come back uses up no retry: the window alone bounds it
            over = not result.endpoint_fault and (asked > 0 or used >= self.settings.max_retries) and age >= window_ms
            (spent if over else left).append(delivery)
        settlements = tuple(
            Settlement(
                ids=tuple(ids),
                state=state,
                attempt=attempt,
                # behind those that were never tried: should one of these be the cause, it must not hold them up
                due_at=attempt.started_at,
                uses_retry=not result.endpoint_fault and not asked,
                starts_window=not result.endpoint_fault,
                error=result.error,
            )
            for ids, state in ((left, State.QUEUED), (spent, State.FAILED))
            if ids
        )
        wait = asked or backoff_ms(lane.failures, self.random)
        reason, detail = wait_reason(result, asked)
        change = LaneChange(
            epoch=lane.epoch, state="waiting", until=now + wait, reason=reason, detail=detail, status=result.status
        )
        return RetryDecision(settlements, change, halt=True)

    def _pause(
        self, result: SendResult, history: RequestHistory, attempt: Attempt, lane: Lane, pause: Pause, now: int
    ) -> RetryDecision:
        reason, detail = pause
        settled = Settlement(
            ids=history.ids,
            state=State.FAILED if result.final else State.QUEUED,
            attempt=attempt,
            uses_retry=result.final,
            starts_window=result.final,
            error=result.error or pause_text(reason, detail),
        )
        until = now + probe_interval_ms(lane.pauses)
        change = LaneChange(
            epoch=lane.epoch, state="paused", until=until, reason=reason, detail=detail, status=result.status
        )
        return RetryDecision((settled,), change, halt=True)


def _open_lane(lane: Lane, result: SendResult) -> LaneChange | None:
    if lane.state == "open" and not lane.failures:
        return None
    return LaneChange(epoch=lane.epoch, state="open", status=result.status)
