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
| no OAuth token               | queued, without an attempt: nothing was sent | waits; pauses if only other OAuth      |
|                              |                                              | credentials can help                   |

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
    from sprig_tui.segment.oauth.token_response import TokenFailure


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

OAUTH_PAUSES = (PauseReason.OAUTH_KEY_UNUSABLE, PauseReason.OAUTH_CLIENT_REFUSED, PauseReason.OAUTH_TOKEN_REFUSED)
"""Reasons that end when the OAuth credentials change."""
ENGINE_PAUSES = (PauseReason.KEY_REFUSED, PauseReason.WRONG_ENDPOINT, *OAUTH_PAUSES)


def key_refused(environment: Environment, status: int) -> Pause:
    """Pause over a rejected write key or token; the detail shows later whether the key has changed."""
    if (oauth := environment.oauth_credentials) is not None:
        detail = PauseDetail(client=oauth.client_id, status=status, credentials=oauth.fingerprint)
        return PauseReason.OAUTH_TOKEN_REFUSED, detail
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


def token_failed(environment: Environment, failure: TokenFailure) -> Pause:
    """Pause or wait over an OAuth token that could not be had."""
    from sprig_tui.segment.oauth.token_response import TokenFailureKind

    oauth = environment.oauth_credentials
    client, credentials, url = (oauth.client_id, oauth.fingerprint, oauth.token_url) if oauth else ("", "", "")
    if failure.kind is TokenFailureKind.KEY_UNUSABLE:
        return PauseReason.OAUTH_KEY_UNUSABLE, PauseDetail(error=failure.error, credentials=credentials)
    detail = PauseDetail(
        client=client,
        endpoint=url,
        status=failure.status,
        error=failure.error,
        asked_ms=0 if failure.is_final else retry_after_ms(failure.retry_after_s),
        credentials=credentials,
    )
    return (PauseReason.OAUTH_CLIENT_REFUSED if failure.is_final else PauseReason.TOKEN_SERVER_FAILED), detail


def is_first_retry_after(lane: Lane) -> bool:
    """Whether the lane waits for a Retry-After that did not directly follow another failure."""
    asked = lane.reason is PauseReason.RETRY_AFTER or (
        lane.reason is PauseReason.TOKEN_SERVER_FAILED and lane.detail.asked_ms > 0
    )
    return lane.failures < 2 and asked


def pause_is_outdated(lane: Lane, environment: Environment) -> bool:
    """Whether a lane was paused over a key or an endpoint that the environment no longer has.

    A manual pause is never outdated. Keys too short to show any character look the same here; `Engine.reload` compares
    the keys themselves.
    """
    if lane.state != "paused":
        return False
    if lane.reason is PauseReason.KEY_REFUSED:
        return lane.detail.key != _shown_key(environment) or environment.oauth_credentials is not None
    if lane.reason in OAUTH_PAUSES:
        oauth = environment.oauth_credentials
        return oauth is None or lane.detail.credentials != oauth.fingerprint
    if lane.reason is PauseReason.WRONG_ENDPOINT:
        return lane.detail.endpoint != environment.base_url
    return False


def is_engine_pause(lane: Lane) -> bool:
    """Whether the engine paused the lane, over a key, OAuth credentials or an endpoint."""
    return lane.state == "paused" and lane.reason in ENGINE_PAUSES


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

    def decide(  # noqa: PLR0911 - one for each kind of result
        self, result: SendResult, history: RequestHistory, attempt: Attempt, lane: Lane, now: int
    ) -> RetryDecision:
        """The decision on a result.

        `lane` is the lane as claimed, `now` the wall time in ms, `attempt` the record of the request for the journal.
        """
        if result.token_failure is not None:
            return self._wait_for_token(result, result.token_failure, history, lane, now)
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

    def _wait_for_token(
        self, result: SendResult, failure: TokenFailure, history: RequestHistory, lane: Lane, now: int
    ) -> RetryDecision:
        """Nothing was sent, so there is no attempt: no retry is used up, and no window begins."""
        reason, detail = token_failed(self.environment, failure)
        queued = Settlement(ids=history.ids, state=State.QUEUED, error=result.error)
        if failure.is_final:
            until = now + probe_interval_ms(lane.pauses)
            paused = LaneChange(epoch=lane.epoch, state="paused", until=until, reason=reason, detail=detail)
            return RetryDecision((queued,), paused, halt=True)
        until = now + (retry_after_ms(failure.retry_after_s) or backoff_ms(lane.failures, self.random))
        waiting = LaneChange(epoch=lane.epoch, state="waiting", until=until, reason=reason, detail=detail)
        return RetryDecision((queued,), waiting, halt=True)

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
