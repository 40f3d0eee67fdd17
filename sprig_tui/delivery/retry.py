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
from sprig_tui.delivery.backoff import Draw, asked_ms, backoff_ms, probe_after_ms
from sprig_tui.delivery.pauses import Pause
from sprig_tui.journal.pause_reason import pause_text
from sprig_tui.journal.records import Attempt, Lane, LaneChange, Settlement, State

if TYPE_CHECKING:
    from sprig_tui.segment.client import Answer


class History(Struct, frozen=True, gc=False):
    """What one request carried, oldest first, and what those deliveries went through before."""

    ids: tuple[int, ...]
    retries_used: tuple[int, ...]
    """Attempts before this one that used up a retry, by delivery."""
    first_attempts: tuple[int, ...]
    """Wall time at which the retry window began, ms; 0 where it begins with this attempt."""


class Decision(Struct, frozen=True):
    """What to do now."""

    settlements: tuple[Settlement, ...]
    lane: LaneChange | None = None
    split: bool = False
    """The claim keeps the deliveries: send both halves."""
    halt: bool = False
    """Send nothing more of this claim."""


class Policy(Struct, frozen=True):
    """Everything a decision rests on that is not the answer."""

    settings: DeliverySettings
    environment: Environment
    draw: Draw

    def decide(self, answer: Answer, history: History, attempt: Attempt, lane: Lane, now: int) -> Decision:
        """Decide. `lane` is as the claim saw it, `now` wall time in ms, `attempt` the request as it is kept."""
        if answer.kind == "delivered":
            # no error, unless the body contradicts the status
            arrived = Settlement(ids=history.ids, state=State.DELIVERED, attempt=attempt, error=answer.error)
            return Decision((arrived,), _opened(lane, answer))
        if answer.kind == "retry":
            return self._again(answer, history, attempt, lane, now)
        if answer.kind == "key-refused":
            pause = pauses.key_refused(self.environment, answer.status)
            return self._paused(answer, history, attempt, lane, pause, now)
        if answer.endpoint_fault or not answer.bisect:
            pause = pauses.wrong_endpoint(self.environment, answer.status, answer.error)
            return self._paused(answer, history, attempt, lane, pause, now)
        if len(history.ids) == 1:
            failed = Settlement(ids=history.ids, state=State.FAILED, attempt=attempt, error=answer.error)
            return Decision((failed,), _opened(lane, answer))
        kept = Settlement(ids=history.ids, state=None, attempt=attempt, error=answer.error)
        return Decision((kept,), _opened(lane, answer), split=True)

    def _again(self, answer: Answer, history: History, attempt: Attempt, lane: Lane, now: int) -> Decision:
        asked = asked_ms(answer.retry_after_s)
        spent: list[int] = []
        left: list[int] = []
        window_ms = self.settings.retry_window * 1000.0
        for delivery, used, first in zip(history.ids, history.retries_used, history.first_attempts, strict=True):
            age = now - (first or attempt.started_at)
            # an answer that says when to come back uses up no retry: the window alone bounds it
            over = not answer.endpoint_fault and (asked > 0 or used >= self.settings.max_retries) and age >= window_ms
            (spent if over else left).append(delivery)
        settlements = tuple(
            Settlement(
                ids=tuple(ids),
                state=state,
                attempt=attempt,
                # behind those that were never tried: should one of these be the cause, it must not hold them up
                due_at=attempt.started_at,
                uses_retry=not answer.endpoint_fault and not asked,
                starts_window=not answer.endpoint_fault,
                error=answer.error,
            )
            for ids, state in ((left, State.QUEUED), (spent, State.FAILED))
            if ids
        )
        wait = asked or backoff_ms(lane.failures, self.draw)
        reason, detail = pauses.wait_reason(answer, asked)
        change = LaneChange(
            epoch=lane.epoch, state="waiting", until=now + wait, reason=reason, detail=detail, status=answer.status
        )
        return Decision(settlements, change, halt=True)

    def _paused(
        self, answer: Answer, history: History, attempt: Attempt, lane: Lane, pause: Pause, now: int
    ) -> Decision:
        reason, detail = pause
        settled = Settlement(
            ids=history.ids,
            state=State.FAILED if answer.final else State.QUEUED,
            attempt=attempt,
            uses_retry=answer.final,
            starts_window=answer.final,
            error=answer.error or pause_text(reason, detail),
        )
        until = now + probe_after_ms(lane.pauses)
        change = LaneChange(
            epoch=lane.epoch, state="paused", until=until, reason=reason, detail=detail, status=answer.status
        )
        return Decision((settled,), change, halt=True)


def _opened(lane: Lane, answer: Answer) -> LaneChange | None:
    if lane.state == "open" and not lane.failures:
        return None
    return LaneChange(epoch=lane.epoch, state="open", status=answer.status)
