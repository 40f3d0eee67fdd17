"""Retry policy: settlements and lane change that follow from a result, the history and the time."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.config.environment import DeliverySettings, Environment, WriteKey
from sprig_tui.delivery import retry
from sprig_tui.delivery.retry import RequestHistory, RetryDecision, RetryPolicy, backoff_ms, retry_after_ms
from sprig_tui.journal.pause_reasons import NO_DETAIL, PauseDetail, PauseReason
from sprig_tui.journal.records import Attempt, Lane, LaneChange, State
from sprig_tui.segment.client import SendResult
from sprig_tui.segment.outcome import classify

KEY = "Zq8TinventedKeyOfThirtyTwoCharE1Rk"
NOW = 1_790_000_000_000
HOUR = 3_600_000
OPEN = Lane(environment="production", epoch=7)
PROBING = Lane(environment="production", state="probing", failures=3, epoch=9)


def policy(**settings: float) -> RetryPolicy:
    environment = Environment(name="production", write_key=WriteKey(KEY))
    return RetryPolicy(DeliverySettings(**settings), environment, lambda: 0.5)


def result(status: int, error: str = "", retry_after_s: float | None = None) -> SendResult:
    outcome = classify(status) if status else classify(503)
    return SendResult(
        kind=outcome.kind,
        status=status,
        error=error or (f"http {status}" if outcome.kind != "delivered" else ""),
        retry_after_s=retry_after_s,
        bisect=outcome.bisect,
        endpoint_fault=outcome.endpoint_fault,
        final=outcome.final,
    )


def decide(
    result: SendResult,
    *,
    attempts: tuple[int, ...] = (0,),
    first: tuple[int, ...] | None = None,
    lane: Lane = OPEN,
    rules: RetryPolicy | None = None,
) -> RetryDecision:
    history = RequestHistory(tuple(range(1, len(attempts) + 1)), attempts, first or (0,) * len(attempts))
    attempt = Attempt(
        started_at=NOW - 50, status=result.status, error=result.error, outcome=result.kind, events=len(attempts)
    )
    return (rules or policy()).decide(result, history, attempt, lane, NOW)


def outcomes(decision: RetryDecision) -> list[tuple[tuple[int, ...], State | None, bool]]:
    return [(settled.ids, settled.state, settled.uses_retry) for settled in decision.settlements]


@pytest.mark.parametrize("status", [200, 201, 204])
def test_delivered_result_settles_as_delivered(status: int) -> None:
    decision = decide(result(status), attempts=(0, 4))
    assert outcomes(decision) == [((1, 2), State.DELIVERED, True)]
    assert (decision.lane, decision.split, decision.halt) == (None, False, False)


@pytest.mark.parametrize("status", [200, 400])
def test_any_verdict_on_events_opens_a_probed_lane(status: int) -> None:
    assert decide(result(status), lane=PROBING).lane == LaneChange(epoch=9, state="open", status=status)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_single_rejected_event_fails(status: int) -> None:
    decision = decide(result(status, "invalid_request"))
    assert outcomes(decision) == [((1,), State.FAILED, True)]
    assert decision.settlements[0].error == "invalid_request"
    assert not decision.halt


@pytest.mark.parametrize("status", [400, 413, 422])
def test_rejected_batch_is_split_and_fails_nothing(status: int) -> None:
    decision = decide(result(status), attempts=(0, 0, 0))
    assert outcomes(decision) == [((1, 2, 3), None, True)]
    assert (decision.split, decision.halt) == (True, False)


@pytest.mark.parametrize("status", [402, 404, 405, 415, 418, 501, 505])
@pytest.mark.parametrize("events", [1, 3])
def test_wrong_endpoint_result_pauses_and_fails_nothing(status: int, events: int) -> None:
    decision = decide(result(status), attempts=(10,) * events, first=(NOW - 99 * HOUR,) * events)
    assert [state for _, state, counts in outcomes(decision) if not counts] == [State.QUEUED]
    assert decision.lane is not None
    assert decision.lane.state == "paused"
    detail = PauseDetail(endpoint="https://api.segment.io", status=status)
    assert (decision.lane.reason, decision.lane.detail) == (PauseReason.WRONG_ENDPOINT, detail)
    assert decision.halt


@pytest.mark.parametrize("status", [401, 403])
def test_rejected_key_pauses_and_uses_up_no_retry(status: int) -> None:
    decision = decide(result(status), attempts=(10, 0), first=(NOW - 99 * HOUR, 0))
    assert outcomes(decision) == [((1, 2), State.QUEUED, False)]
    assert decision.lane == LaneChange(
        epoch=7,
        state="paused",
        until=NOW + 60_000,
        reason=PauseReason.KEY_REFUSED,
        detail=PauseDetail(key="Zq8T…E1Rk", status=status),
        status=status,
    )
    assert KEY not in repr(decision)


@pytest.mark.parametrize("status", [408, 410, 429, 460, 500, 502, 503, 504, 599])
def test_transient_failure_is_queued_and_the_lane_waits(status: int) -> None:
    decision = decide(result(status), attempts=(0, 3))
    assert outcomes(decision) == [((1, 2), State.QUEUED, True)]
    assert decision.lane == LaneChange(
        epoch=7,
        state="waiting",
        until=NOW + 250,
        reason=PauseReason.HTTP_ERROR,
        detail=PauseDetail(status=status),
        status=status,
    )
    assert decision.halt


def test_failure_without_a_response_names_the_network_error() -> None:
    decision = decide(result(0, "connection refused"))
    assert decision.lane is not None
    assert decision.lane.reason is PauseReason.NETWORK_ERROR
    assert decision.lane.detail.error == "connection refused"


def test_retry_after_takes_precedence_over_backoff() -> None:
    decision = decide(result(429, retry_after_s=40), lane=PROBING)
    assert decision.lane == LaneChange(
        epoch=9,
        state="waiting",
        until=NOW + 40_000,
        reason=PauseReason.RETRY_AFTER,
        detail=PauseDetail(status=429, asked_ms=40_000),
        status=429,
    )


def test_backoff_grows_with_lane_failures() -> None:
    decision = decide(result(503), lane=PROBING)
    assert decision.lane is not None
    assert decision.lane.until == NOW + 2_000  # half of 0.5 s * 2 ** 3


@pytest.mark.parametrize(("pauses", "minutes"), [(0, 1), (1, 5), (2, 15), (3, 60), (4, 60), (1_000_000, 60)])
@pytest.mark.parametrize("status", [401, 403, 404, 501])
def test_probe_interval_grows_with_pauses(status: int, pauses: int, minutes: int) -> None:
    lane = Lane(environment="production", state="probing", pauses=pauses, epoch=9)
    decision = decide(result(status), lane=lane)
    assert decision.lane is not None
    assert (decision.lane.state, decision.lane.until) == ("paused", NOW + minutes * 60_000)


def test_final_rejection_fails_its_deliveries_and_pauses() -> None:
    decision = decide(result(511), attempts=(0, 3))
    assert outcomes(decision) == [((1, 2), State.FAILED, True)]
    assert decision.lane is not None
    assert (decision.lane.state, decision.halt) == ("paused", True)


@pytest.mark.parametrize("status", [429, 503, 500])
@pytest.mark.parametrize("used", [0, 10, 99])
def test_retry_after_uses_up_the_window_and_no_retries(status: int, used: int) -> None:
    asked = result(status, retry_after_s=40)
    decision = decide(asked, attempts=(used, used), first=(NOW - 12 * HOUR + 1, NOW - 12 * HOUR))
    assert outcomes(decision) == [((1,), State.QUEUED, False), ((2,), State.FAILED, False)]
    assert all(settlement.starts_window for settlement in decision.settlements)


@pytest.mark.parametrize("status", [302, 401, 403, 404])
def test_rejected_key_or_wrong_endpoint_starts_no_window(status: int) -> None:
    assert not any(settlement.starts_window for settlement in decide(result(status)).settlements)


@pytest.mark.parametrize("status", [302, 307, 407])
def test_response_not_from_segment_waits_and_uses_up_nothing(status: int) -> None:
    decision = decide(result(status), attempts=(99,), first=(NOW - 99 * HOUR,))
    assert outcomes(decision) == [((1,), State.QUEUED, False)]
    assert decision.lane is not None
    assert decision.lane.state == "waiting"


@pytest.mark.parametrize(
    ("attempts", "age_h", "over"),
    [(10, 12, True), (10, 11.9, False), (9, 99, False), (0, 0, False), (11, 13, True)],
)
def test_delivery_fails_only_when_retries_and_window_are_used_up(attempts: int, age_h: float, over: bool) -> None:
    decision = decide(result(503), attempts=(attempts, 0), first=(NOW - int(age_h * HOUR), 0))
    states = {ids: state for ids, state, _ in outcomes(decision)}
    assert states == ({(2,): State.QUEUED, (1,): State.FAILED} if over else {(1, 2): State.QUEUED})


def test_without_retries_or_window_the_first_error_is_final() -> None:
    decision = decide(result(503), rules=policy(max_retries=0, retry_window=0))
    assert outcomes(decision) == [((1,), State.FAILED, True)]
    assert decision.lane is not None


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 24 * HOUR)), min_size=1, max_size=20))
def test_every_delivery_of_a_request_gets_exactly_one_outcome(history: list[tuple[int, int]]) -> None:
    attempts = tuple(number for number, _ in history)
    first = tuple(NOW - age if number else 0 for number, age in history)
    for status in (200, 302, 400, 401, 404, 503):
        settled_ids = [
            number for ids, _, _ in outcomes(decide(result(status), attempts=attempts, first=first)) for number in ids
        ]
        assert sorted(settled_ids) == list(range(1, len(history) + 1))


def lane(pause: retry.Pause, state: str = "paused") -> Lane:
    reason, detail = pause
    return Lane(environment="production", state=state, reason=reason, detail=detail)  # type: ignore[arg-type] # parametrised


def test_key_pause_is_outdated_by_another_key() -> None:
    environment = Environment(name="production", write_key=WriteKey(KEY))
    other = Environment(name="production", write_key=WriteKey("n" * 32))
    paused = lane(retry.key_refused(environment, 401))
    assert not retry.pause_is_outdated(paused, environment)
    assert retry.pause_is_outdated(paused, other)
    assert retry.is_engine_pause(paused)


def test_endpoint_pause_is_outdated_by_another_endpoint() -> None:
    here = Environment(name="production", endpoint="https://proxy.example/segment")
    paused = lane(retry.wrong_endpoint(here, 404, "http 404"))
    assert not retry.pause_is_outdated(paused, here)
    assert retry.pause_is_outdated(paused, Environment(name="production", endpoint="https://proxy.example"))
    assert retry.pause_is_outdated(paused, Environment(name="production"))


def test_manual_pause_is_never_outdated() -> None:
    environment = Environment(name="production", write_key=WriteKey(KEY))
    for known in (
        lane((PauseReason.MANUAL, NO_DETAIL)),
        lane((PauseReason.HTTP_ERROR, PauseDetail(status=503)), "waiting"),
        lane((PauseReason.NONE, NO_DETAIL), "open"),
    ):
        assert not retry.pause_is_outdated(known, environment)
        assert not retry.is_engine_pause(known)


@pytest.mark.parametrize(
    ("failures", "ceiling"),
    [(0, 500), (1, 1_000), (2, 2_000), (6, 32_000), (7, 60_000), (8, 60_000), (10**9, 60_000), (-3, 500)],
)
def test_backoff_ceiling_doubles_up_to_a_minute(failures: int, ceiling: int) -> None:
    assert backoff_ms(failures, lambda: 1.0) == ceiling
    assert backoff_ms(failures, lambda: 0.0) == 0


@given(st.integers(0, 40), st.floats(0, 1, exclude_max=True))
def test_backoff_jitter_is_applied_after_the_clamp(failures: int, drawn: float) -> None:
    assert backoff_ms(failures, lambda: drawn) == int(drawn * backoff_ms(failures, lambda: 1.0))


@pytest.mark.parametrize(
    ("asked", "milliseconds"),
    [(None, 0), (0, 0), (-1.0, 0), (1.5, 1_500), (40, 40_000), (300, 300_000), (86_400, 300_000), (math.inf, 300_000)],
)
def test_retry_after_is_capped(asked: float | None, milliseconds: int) -> None:
    assert retry_after_ms(asked) == milliseconds


def test_retry_after_nan_is_ignored() -> None:
    assert retry_after_ms(math.nan) == 0
