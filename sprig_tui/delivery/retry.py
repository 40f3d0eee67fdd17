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

from typing import TYPE_CHECKING

from msgspec import Struct

from sprig_tui.config.delivery import DeliverySettings
from sprig_tui.config.environment import Environment
from sprig_tui.delivery import pauses
from sprig_tui.delivery.backoff import RandomSource, backoff_ms, probe_interval_ms, retry_after_ms
from sprig_tui.delivery.pauses import Pause
from sprig_tui.journal.pause_reason import pause_text
from sprig_tui.journal.records import Attempt, Lane, LaneChange, Settlement, State

if TYPE_CHECKING:
    from sprig_tui.segment.client import SendResult


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
            pause = pauses.key_refused(self.environment, result.status)
            return self._pause(result, history, attempt, lane, pause, now)
        if result.endpoint_fault or not result.bisect:
            pause = pauses.wrong_endpoint(self.environment, result.status, result.error)
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
        reason, detail = pauses.wait_reason(result, asked)
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
