"""Reconciliation through the real client, against a fake Public API on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from support import workspace_lookalike
from support.clocks import ManualClock
from support.counted_workspace import HOUR, CountedWorkspace, Happened
from support.workspace_lookalike import breaks_off, destination, goes_on, hangs_up, source

from sprig_tui.config.settings import Settings
from sprig_tui.errors import JournalLockedError
from sprig_tui.journal.base import Journal
from sprig_tui.reconcile.model import EnvironmentReport, Obstacle, Report, Verdict
from sprig_tui.reconcile.queries import Progress
from sprig_tui.reconcile.windows import plan
from sprig_tui.segment.metrics import Granularity, Step
from sprig_tui.segment.timestamps import format_iso

PRODUCTION, DEVELOPMENT = "src0000000000000000001", "src0000000000000000002"
AMPLITUDE, CUSTOMER_IO = "dst0000000000000000001", "dst0000000000000000002"
RECEIVED = "successfully-received"
OTHER_KEY = "Xq8TaaaaBBBBcccc1111DDDDeeee1Rkx"

Compare = Callable[..., Any]


def of(report: Report, name: str) -> EnvironmentReport:
    return next(found for found in report.environments if found.environment == name)


@pytest.fixture
def ago(clock: ManualClock) -> Callable[[float], int]:
    """The time so many hours ago."""
    return lambda hours: clock.now() - round(hours * HOUR)


async def test_each_environment_is_compared_with_the_source_of_its_key(
    compare_with_segment: Compare, counts: CountedWorkspace, send: Compare, ago: Compare
) -> None:
    await send(ago(5), 12)
    await send(ago(4), 7)
    await send(ago(5), 3, "development")
    counts.happen(
        [
            Happened(RECEIVED, PRODUCTION, ago(5), 12),
            Happened(RECEIVED, PRODUCTION, ago(4), 4),
            Happened(RECEIVED, PRODUCTION, ago(5), 99, event="Order Completed"),
            Happened(RECEIVED, DEVELOPMENT, ago(5), 3),
        ]
    )
    report = await compare_with_segment()
    production, development = of(report, "production"), of(report, "development")
    assert (production.source_name, production.source_enabled) == ("Acme production", True)
    assert (production.verdict, production.short) == (Verdict.SHORT, 3)
    short = [bucket for bucket in production.buckets if bucket.verdict is Verdict.SHORT]
    assert [(bucket.distinct, bucket.received, bucket.short) for bucket in short] == [(7, 4, 3)]
    assert short[0].start <= ago(4) < short[0].end
    assert (development.verdict, development.short) == (Verdict.AGREES, 0)
    assert len(production.buckets) == 25
    assert production.granularity is Granularity.HOUR
    assert report.complete
    assert report.requests == len(counts.asked)


@pytest.mark.parametrize(
    ("ahead_s", "verdict"), [(100, Verdict.AGREES), (-100, Verdict.AGREES), (3_600, None), (-200, None)]
)
async def test_clock_that_differs_gives_no_verdict(
    compare_with_segment: Compare,
    counts: CountedWorkspace,
    send: Compare,
    ago: Compare,
    clock: ManualClock,
    ahead_s: int,
    verdict: Verdict | None,
) -> None:
    await send(ago(5) + ahead_s * 1000, 12)
    counts.happen([Happened(RECEIVED, PRODUCTION, ago(5), 12)])
    segment_clock = ManualClock()
    segment_clock.ms = clock.ms
    counts.clock = segment_clock
    clock.ms += ahead_s * 1000
    production = of(await compare_with_segment(environments=["production"]), "production")
    if verdict is None:
        assert (production.verdict, production.obstacle) == (Verdict.CANNOT_ASK, Obstacle.CLOCK)
    else:
        assert (production.verdict, production.obstacle) == (verdict, Obstacle.NONE)


async def test_discards_have_their_reasons_and_steps(
    compare_with_segment: Compare, counts: CountedWorkspace, send: Compare, ago: Compare
) -> None:
    await send(ago(5), 12)
    counts.happen(
        [
            Happened(RECEIVED, PRODUCTION, ago(5), 10),
            Happened("failed-on-ingest", PRODUCTION, ago(5), 2, reason="source_disabled"),
            Happened("filtered-at-source", PRODUCTION, ago(5), 4, reason="unplanned"),
            Happened("filtered-at-source", PRODUCTION, ago(5), 50, reason="unplanned", event="Order Completed"),
            Happened("filtered-at-destination", PRODUCTION, ago(5), 1, AMPLITUDE, "FILTERED_BY_RULES"),
            Happened("failed-delivery", PRODUCTION, ago(5), 2, AMPLITUDE, "BAD_REQUEST"),
            Happened("successful-delivery", PRODUCTION, ago(5), 2, AMPLITUDE, "successes.attempt.1"),
            Happened("successful-delivery", PRODUCTION, ago(5), 1, AMPLITUDE, "successes.attempt.3"),
        ]
    )
    production = of(await compare_with_segment(environments=["production"]), "production")
    assert [(one.step, one.reason, one.count) for one in production.discards] == [
        (Step.FAILED_ON_INGEST, "source_disabled", 2),
        (Step.FILTERED_AT_SOURCE, "unplanned", 4),
    ]
    bucket = next(one for one in production.buckets if one.distinct)
    assert (bucket.failed_on_ingest, bucket.filtered_at_source) == (2, 4)
    amplitude, customer_io = production.destinations
    assert (amplitude.delivered, amplitude.filtered, amplitude.failed, amplitude.retried) == (3, 1, 2, 1)
    assert amplitude.verdict is Verdict.AGREES, "10 received, 4 filtered at the source: 6 went on"
    assert [(one.step, one.reason, one.count) for one in amplitude.discards] == [
        (Step.FILTERED_AT_DESTINATION, "FILTERED_BY_RULES", 1),
        (Step.FAILED_DELIVERY, "BAD_REQUEST", 2),
    ]
    assert (customer_io.enabled, customer_io.obstacle, customer_io.delivered) == (False, Obstacle.DISABLED, None)


@pytest.mark.parametrize(
    ("hours", "delivered", "verdict", "obstacle"),
    [
        (9, 10, Verdict.AGREES, Obstacle.NONE),
        (9, 9, Verdict.SHORT, Obstacle.NONE),
        (2, 9, Verdict.TOO_YOUNG, Obstacle.NONE),
        (9, 0, Verdict.CANNOT_ASK, Obstacle.NOT_COUNTED),
    ],
)
async def test_destination_has_four_hours_for_its_retries(
    compare_with_segment: Compare, counts: CountedWorkspace, ago: Compare, hours: float, delivered: int,
    verdict: Verdict, obstacle: Obstacle,
) -> None:  # fmt: skip
    counts.happen(
        [
            Happened(RECEIVED, PRODUCTION, ago(hours), 10),
            Happened("successful-delivery", PRODUCTION, ago(hours), delivered, AMPLITUDE),
        ]
    )
    production = of(await compare_with_segment(environments=["production"]), "production")
    assert (production.destinations[0].verdict, production.destinations[0].obstacle) == (verdict, obstacle)


async def test_sources_that_got_our_event_are_found_by_one_query(
    compare_with_segment: Compare, counts: CountedWorkspace, ago: Compare
) -> None:
    stranger = counts.sources[2]["id"]
    counts.happen(
        [
            Happened(RECEIVED, PRODUCTION, ago(5), 12),
            Happened(RECEIVED, DEVELOPMENT, ago(5), 2),
            Happened(RECEIVED, stranger, ago(3), 40),
            Happened(RECEIVED, stranger, ago(2), 1),
            Happened(RECEIVED, stranger, ago(2), 9, event="Order Completed"),
        ]
    )
    report = await compare_with_segment(environments=["production"])
    assert [(one.source_name, one.environment, one.total) for one in report.strays] == [
        ("Marketing site", "", 41),
        ("Acme production", "production", 12),
        ("Acme dev", "development", 2),
    ]
    assert sum("/events/volume" in path for path in counts.asked) == 1


async def test_without_hold_back_the_present_is_judged(
    compare_with_segment: Compare, counts: CountedWorkspace, clock: ManualClock, send: Compare
) -> None:
    await send(clock.now() - 1_000, 12)
    counts.happen([Happened(RECEIVED, PRODUCTION, clock.now() - 1_000, 11)])
    assert of(await compare_with_segment(), "production").verdict is Verdict.TOO_YOUNG
    for since in (24, 1):
        report = await compare_with_segment(hold_back_ms=0, since=clock.now() - since * HOUR)
        assert (of(report, "production").verdict, of(report, "production").short) == (Verdict.SHORT, 1)


# -- what cannot be asked ---------------------------------------------------------------------------------------------


async def test_keys_of_another_workspace_and_missing_keys_are_told_apart(
    compare_with_segment: Compare, configure: Callable[..., Settings], send: Compare, ago: Compare
) -> None:
    await send(ago(5), 12)
    report = await compare_with_segment(settings=configure(production=OTHER_KEY))
    production, development = of(report, "production"), of(report, "development")
    assert (production.verdict, production.obstacle) == (Verdict.CANNOT_ASK, Obstacle.NOT_IN_WORKSPACE)
    assert sum(bucket.distinct for bucket in production.buckets) == 12, "our 200s are known all the same"
    assert {bucket.received for bucket in production.buckets} == {None}
    assert development.obstacle is Obstacle.NO_KEY
    assert report.complete


async def test_token_that_sees_no_keys_says_so(compare_with_segment: Compare) -> None:
    report = await compare_with_segment(token=workspace_lookalike.MEMBER_TOKEN)
    assert {found.obstacle for found in report.environments} == {Obstacle.KEYS_HIDDEN}


@pytest.mark.parametrize(
    ("part", "status", "obstacle"),
    [
        ("/successfully-received", 401, Obstacle.PERMISSION),
        ("/successfully-received", 403, Obstacle.PERMISSION),
        ("/successfully-received", 402, Obstacle.PLAN),
        ("/successfully-received", 404, Obstacle.PLAN),
        ("/successfully-received", 422, Obstacle.ANSWER_UNCLEAR),
    ],
)
async def test_refused_step_is_an_obstacle_of_its_environment_alone(
    compare_with_segment: Compare, counts: CountedWorkspace, ago: Compare, part: str, status: int, obstacle: Obstacle
) -> None:
    counts.happen([Happened(RECEIVED, DEVELOPMENT, ago(5), 2)])
    counts.refusals = {f"{part}?sourceId={PRODUCTION}": status}
    report = await compare_with_segment()
    production, development = of(report, "production"), of(report, "development")
    assert (production.verdict, production.obstacle) == (Verdict.CANNOT_ASK, obstacle)
    assert str(status) in production.detail
    assert {bucket.received for bucket in production.buckets} == {None}
    assert development.verdict is Verdict.MORE
    assert report.strays, "the volume was asked all the same"
    assert not report.complete


async def test_route_that_fails_does_not_cost_the_others(
    compare_with_segment: Compare, counts: CountedWorkspace, ago: Compare
) -> None:
    counts.refusals = {"/events/volume": 500}
    counts.happen([Happened(RECEIVED, PRODUCTION, ago(5), 2)])
    report = await compare_with_segment(environments=["production"])
    assert of(report, "production").verdict is Verdict.MORE
    assert not report.strays
    assert not report.complete


async def test_refused_destination_leaves_the_others_alone(
    compare_with_segment: Compare, counts: CountedWorkspace, ago: Compare
) -> None:
    counts.destinations[1]["enabled"] = True
    counts.refusals = {f"destinationConfigId={AMPLITUDE}": 403}
    counts.happen(
        [
            Happened(RECEIVED, PRODUCTION, ago(9), 2),
            Happened("successful-delivery", PRODUCTION, ago(9), 2, CUSTOMER_IO),
        ]
    )
    report = await compare_with_segment(environments=["production"])
    amplitude, customer_io = of(report, "production").destinations
    assert (amplitude.verdict, amplitude.obstacle) == (Verdict.CANNOT_ASK, Obstacle.PERMISSION)
    assert customer_io.verdict is Verdict.AGREES


async def test_part_of_the_time_that_is_refused_leaves_the_rest_compared(
    compare_with_segment: Compare, counts: CountedWorkspace, clock: ManualClock, send: Compare, ago: Compare
) -> None:
    await send(ago(20 * 24), 5)
    await send(ago(12 * 24), 6)
    await send(ago(5), 7)
    counts.happen([Happened(RECEIVED, PRODUCTION, ago(20 * 24), 5), Happened(RECEIVED, PRODUCTION, ago(5), 4)])
    second = plan(ago(30 * 24), clock.now(), clock.now())[1]
    counts.refusals = {f"/{RECEIVED}?sourceId={PRODUCTION}&startTime={quote(format_iso(second.start), safe='')}": 422}
    report = await compare_with_segment(since=ago(30 * 24), environments=["production"])
    production = of(report, "production")
    refused = [bucket for bucket in production.buckets if bucket.obstacle is Obstacle.ANSWER_UNCLEAR]
    assert (refused[0].start, refused[-1].end) == (second.start, second.end)
    assert {(bucket.verdict, bucket.received) for bucket in refused} == {(Verdict.CANNOT_ASK, None)}
    assert sum(bucket.distinct for bucket in refused) == 6
    assert (production.verdict, production.short) == (Verdict.SHORT, 3)
    assert production.obstacle is Obstacle.ANSWER_UNCLEAR
    assert not report.complete


async def test_what_was_sent_under_another_event_name_is_not_missing(
    compare_with_segment: Compare, counts: CountedWorkspace, send: Compare, ago: Compare
) -> None:
    await send(ago(5), 12)  # the event of these bodies is `x`
    counts.happen([Happened(RECEIVED, PRODUCTION, ago(5), 9, event="x")])
    production = of(await compare_with_segment(environments=["production"]), "production")
    assert (production.verdict, production.short) == (Verdict.SHORT, 3)
    counts.happen([Happened(RECEIVED, PRODUCTION, ago(5), 3, event="x")])
    production = of(await compare_with_segment(environments=["production"]), "production")
    assert production.verdict is Verdict.AGREES


async def test_destinations_that_cannot_be_listed_are_said(
    compare_with_segment: Compare, counts: CountedWorkspace, ago: Compare
) -> None:
    counts.refusals = {"/connected-destinations": 403}
    counts.happen([Happened(RECEIVED, PRODUCTION, ago(9), 2)])
    production = of(await compare_with_segment(environments=["production"]), "production")
    assert (production.verdict, production.obstacle) == (Verdict.MORE, Obstacle.PERMISSION)
    assert not production.destinations
    assert "connected-destinations" in production.detail


async def test_half_an_answer_is_no_count(
    compare_with_segment: Compare, counts: CountedWorkspace, ago: Compare
) -> None:
    counts.happen([Happened(RECEIVED, PRODUCTION, ago(5), 12)])
    counts.problems = [goes_on, goes_on, breaks_off, *[breaks_off] * 20]
    report = await compare_with_segment(environments=["production"])
    production = of(report, "production")
    assert (production.verdict, production.obstacle) == (Verdict.CANNOT_ASK, Obstacle.UNREACHABLE)
    assert {bucket.received for bucket in production.buckets} == {None}


async def test_api_out_of_reach_is_asked_no_further(compare_with_segment: Compare, counts: CountedWorkspace) -> None:
    counts.destinations = [destination(n, f"D {n}", PRODUCTION) for n in range(40)]
    counts.problems = [goes_on, goes_on, *[hangs_up] * 500]
    report = await compare_with_segment()
    assert {found.obstacle for found in report.environments} == {Obstacle.UNREACHABLE}
    assert len(counts.asked) <= 2 + 4 * 3, "four queries at once, three attempts each"
    assert not report.complete


async def test_time_before_the_counters_is_said(
    compare_with_segment: Compare, counts: CountedWorkspace, send: Compare, ago: Compare
) -> None:
    await send(ago(40 * 24), 5)
    await send(ago(5), 2)
    counts.happen([Happened(RECEIVED, PRODUCTION, ago(5), 2)])
    production = of(await compare_with_segment(since=ago(60 * 24), environments=["production"]), "production")
    first = production.buckets[0]
    assert (first.verdict, first.obstacle, first.distinct, first.received) == (
        Verdict.CANNOT_ASK, Obstacle.TOO_OLD, 5, None,
    )  # fmt: skip
    assert (production.verdict, production.obstacle) == (Verdict.AGREES, Obstacle.TOO_OLD)
    asked = len(counts.asked)
    report = await compare_with_segment(since=ago(60 * 24), until=ago(40 * 24))
    assert {found.obstacle for found in report.environments} == {Obstacle.TOO_OLD}
    assert len(counts.asked) == asked, "nothing is asked for in vain"


async def test_journal_that_cannot_be_read_is_an_error(
    compare_with_segment: Compare, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def locked(*_: object, **__: object) -> None:
        raise JournalLockedError("the journal is locked")

    monkeypatch.setattr(journal, "accepted", locked)
    with pytest.raises(JournalLockedError):
        await compare_with_segment()


# -- cost, progress, cancellation -------------------------------------------------------------------------------------


async def test_cost_of_a_large_workspace_over_thirty_days_of_hours_is_bounded(
    compare_with_segment: Compare, counts: CountedWorkspace, ago: Compare
) -> None:
    counts.sources += [source(n, f"Source {n}", f"key{n:029d}") for n in range(10, 307)]
    counts.destinations = [destination(n, f"Destination {n}", PRODUCTION) for n in range(40)]
    counts.happen(
        [
            Happened(step, PRODUCTION, ago(24 * day + 5), 10, name, "some reason")
            for day in range(1, 29)
            for step, name in [
                (RECEIVED, ""),
                ("failed-on-ingest", ""),
                *(("successful-delivery", one["id"]) for one in counts.destinations),
            ]
        ]
    )
    report = await compare_with_segment(environments=["production"], since=ago(30 * 24))
    sources, volume, connected = 2, 1, 1
    steps_of_source, steps_of_destinations = 3 * 3 + 3, 40 * 3 + 40
    assert report.requests <= sources + volume + connected + steps_of_source + steps_of_destinations
    production = of(report, "production")
    assert production.granularity is Granularity.HOUR
    assert len(production.buckets) == 30 * 24
    assert sum(bucket.received or 0 for bucket in production.buckets) == 280
    assert {one.verdict for one in production.destinations} == {Verdict.AGREES}


@pytest.mark.parametrize("queries", [0, 1, 3, 8])
async def test_progress_is_told_and_cancelling_ends_it_at_once(
    compare_with_segment: Compare, counts: CountedWorkspace, queries: int
) -> None:
    seen: list[Progress] = []
    reached = asyncio.Event()

    def listen(progress: Progress) -> None:
        seen.append(progress)
        if progress.done >= queries:
            reached.set()

    work = asyncio.ensure_future(compare_with_segment(on_progress=listen))
    await reached.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert seen[0] == Progress(0, 1, "sources of the workspace")
    assert all(progress.done < progress.planned for progress in seen)
    assert queries < 3 or any(progress.what.startswith("production") for progress in seen)
