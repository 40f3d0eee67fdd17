"""Retry policy: what the result of a request means for its deliveries and for their lane; pure.

| result                       | deliveries                                   | lane                                   |
|------------------------------|----------------------------------------------|----------------------------------------|
| delivered                    | delivered                                    | opens, if it was not open              |
| rejected, one event          | failed                                       | opens: the endpoint is up              |
| rejected, several events     | split in halves, each sent separately        | opens                                  |
| rejected, endpoint at fault  | queued, no retry used up                     | pauses: the URL is wrong, not the data |
| rejected, final              | failed                                       | pauses: the rest would fail as well    |
| retry                        | queued behind those never tried; failed when | waits                                  |
|                              | retries and window are both used up          |                                        |
| retry with Retry-After       | queued, no retry used up; failed when the    | waits as long as Retry-After says      |
|                              | window is used up                            |                                        |
| retry, endpoint at fault     | queued, no retry used up                     | waits: redirects, sign-in pages pass   |
| key rejected                 | queued, no retry used up                     | pauses until the key changes           |

A lane that pauses here is probed with one delivery after 1, 5 and 15 minutes, then every hour. A 403 mostly comes
from a proxy or a firewall, since Segment answers 200 to wrong keys, and often passes without any change here.
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
"""Upper bound of the first backoff (rule shared by Segment's official clients)."""
RETRY_BACKOFF_FACTOR = 2
MAX_RETRY_BACKOFF_MS = 60_000

PROBE_INTERVALS_MS = (60_000, 300_000, 900_000, 3_600_000)
"""Waits before the probes of a lane paused over a key or an endpoint; the last one repeats."""

RandomSource = Callable[[], float]
"""A random number in [0, 1), such as `random.random`."""


def backoff_ms(failures: int, random: RandomSource) -> int:
    """Milliseconds to wait after `failures` earlier failures in a row (0 for the first).

    Full jitter, applied after the clamp, so that workers that failed together do not retry together.
    """
    # 2 ** 20 exceeds the clamp already: a lane with a million failures must not compute 2 ** 1_000_000
    ceiling = min(MAX_RETRY_BACKOFF_MS, INITIAL_RETRY_BACKOFF_MS * RETRY_BACKOFF_FACTOR ** min(max(failures, 0), 20))
    return int(random() * ceiling)


def retry_after_ms(retry_after_s: float | None) -> int:
    """Segment's Retry-After in milliseconds, capped; 0 where there is none."""
    if retry_after_s is None or not retry_after_s > 0:
        return 0
    return int(min(retry_after_s * 1000.0, MAX_RETRY_AFTER_MS))


def probe_interval_ms(pauses: int) -> int:
    """Milliseconds until a paused lane is probed, after `pauses` earlier pauses in a row (0 for the first)."""
    return PROBE_INTERVALS_MS[min(max(pauses, 0), len(PROBE_INTERVALS_MS) - 1)]


Pause = tuple[PauseReason, PauseDetail]


def key_refused(environment: Environment, status: int) -> Pause:
    """Pause over a rejected write key; the masked key shows later whether the key has changed."""
    return PauseReason.KEY_REFUSED, PauseDetail(key=_shown_key(environment), status=status)


def wrong_endpoint(environment: Environment, status: int, error: str) -> Pause:
    """Pause over a result that says that the URL is wrong, not the events."""
    detail = PauseDetail(endpoint=environment.base_url, status=status, error="" if status else error)
    return PauseReason.WRONG_ENDPOINT, detail


def wait_reason(result: SendResult, asked_ms: int) -> Pause:
    """Reason of a wait before a retry; `asked_ms` is the Retry-After, 0 for none."""
    if asked_ms:
        return PauseReason.RETRY_AFTER, PauseDetail(status=result.status, asked_ms=asked_ms)
    if result.endpoint_fault:
        return PauseReason.NOT_SEGMENT, PauseDetail(status=result.status, error=result.error)
    if result.status:
        return PauseReason.HTTP_ERROR, PauseDetail(status=result.status)
    return PauseReason.NETWORK_ERROR, PauseDetail(error=result.error)


def is_first_retry_after(lane: Lane) -> bool:
    """Whether the lane waits for a Retry-After that did not directly follow another failure."""
    return lane.failures < 2 and lane.reason is PauseReason.RETRY_AFTER


def pause_is_outdated(lane: Lane, environment: Environment) -> bool:
    """Whether a lane was paused over a key or an endpoint that the environment no longer has.

    A manual pause is never outdated. Keys too short to show any character look the same here; `Engine.reload` compares
    the keys themselves.
    """
    if lane.state != "paused":
        return False
    if lane.reason is PauseReason.KEY_REFUSED:
        return lane.detail.key != _shown_key(environment)
    if lane.reason is PauseReason.WRONG_ENDPOINT:
        return lane.detail.endpoint != environment.base_url
    return False


def is_engine_pause(lane: Lane) -> bool:
    """Whether the engine paused the lane, over a key or an endpoint."""
    return lane.state == "paused" and lane.reason in (PauseReason.KEY_REFUSED, PauseReason.WRONG_ENDPOINT)


def _shown_key(environment: Environment) -> str:
    return environment.write_key.masked() if environment.write_key else "none"


class RequestHistory(Struct, frozen=True, gc=False):
    """Deliveries of one request, oldest first, and their earlier attempts."""

    ids: tuple[int, ...]
    retries_used: tuple[int, ...]
    """Earlier attempts that used up a retry, by delivery."""
    first_attempts: tuple[int, ...]
    """Start of the retry window in wall time, ms; 0 where it starts with this attempt."""


class RetryDecision(Struct, frozen=True):
    """Settlements, lane change and next step that follow from a result."""

    settlements: tuple[Settlement, ...]
    lane: LaneChange | None = None
    split: bool = False
    """Keep the deliveries claimed and send both halves."""
    halt: bool = False
    """Send nothing more of this claim."""


class RetryPolicy(Struct, frozen=True):
    """Rules of an environment by which results are turned into decisions."""

    settings: DeliverySettings
    environment: Environment
    random: RandomSource

    def decide(
        self, result: SendResult, history: RequestHistory, attempt: Attempt, lane: Lane, now: int
    ) -> RetryDecision:
        """The decision on a result.

        `lane` is the lane as claimed, `now` the wall time in ms, `attempt` the record of the request for the journal.
        """
        if result.kind == "delivered":
            # the error is empty, unless the body contradicts the status
            delivered = Settlement(ids=history.ids, state=State.DELIVERED, attempt=attempt, error=result.error)
            return RetryDecision((delivered,), _open_lane(lane, result))
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
        asked_ms = retry_after_ms(result.retry_after_s)
        failed: list[int] = []
        queued: list[int] = []
        window_ms = self.settings.retry_window * 1000.0
        for delivery_id, used, first in zip(history.ids, history.retries_used, history.first_attempts, strict=True):
            age = now - (first or attempt.started_at)
            # a Retry-After uses up no retry: only the window limits it
            exhausted = (
                not result.endpoint_fault and (asked_ms > 0 or used >= self.settings.max_retries) and age >= window_ms
            )
            (failed if exhausted else queued).append(delivery_id)
        settlements = tuple(
            Settlement(
                ids=tuple(ids),
                state=state,
                attempt=attempt,
                # behind those that were never tried, which one bad delivery among these must not block
                due_at=attempt.started_at,
                uses_retry=not result.endpoint_fault and not asked_ms,
                starts_window=not result.endpoint_fault,
                error=result.error,
            )
            for ids, state in ((queued, State.QUEUED), (failed, State.FAILED))
            if ids
        )
        wait_ms = asked_ms or backoff_ms(lane.failures, self.random)
        reason, detail = wait_reason(result, asked_ms)
        change = LaneChange(
            epoch=lane.epoch, state="waiting", until=now + wait_ms, reason=reason, detail=detail, status=result.status
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
