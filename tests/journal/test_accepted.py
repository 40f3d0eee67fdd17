"""Accepted sends by time: first acceptances, repeats, requests without an answer, and what does not count."""

from __future__ import annotations

import pytest

from sprig_tui.journal.accepted import AcceptedBin, bin_start
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.records import Attempt, Settlement, State

HOUR = 3_600_000
START = 1_800_000_000_000 - 1_800_000_000_000 % HOUR
"""A full hour."""
SINK = "http://127.0.0.1:8080"


@pytest.fixture
def send(journal):
    """Claim what is due and settle it as sent at this time; returns the ids."""

    async def run(at, outcome="delivered", *, status=200, latency_ms=40.0, endpoint="", url="", events=100):
        claim = await journal.claim(
            ClaimRequest("production", events=events, payload_bytes=475_000, lease_ms=60_000, endpoint=endpoint)
        )
        attempt = Attempt(
            started_at=at,
            status=status,
            latency_ms=latency_ms,
            outcome=outcome,
            events=len(claim.ids),
            endpoint=url,
        )
        state = {"delivered": State.DELIVERED, "refused": State.FAILED, "retry": State.QUEUED}[outcome]
        await journal.settle(claim, [Settlement(ids=claim.ids, state=state, attempt=attempt)])
        return claim.ids

    return run


def taken(start, first=0, *more, **fields):
    """A bin of which one request carried what was accepted for the first time."""
    return AcceptedBin(start, first, *more, is_one_request=first > 0, **fields)


async def bins(journal, *, since=START - HOUR, until=START + 3 * HOUR, **terms):
    return await journal.accepted("production", since=since, until=until, **terms)


async def test_each_delivery_counts_in_the_bin_of_its_response(journal, entry, send):
    await journal.add([entry() for _ in range(5)])
    await send(START + 70, events=2)
    await send(START + 1_000, events=3)
    assert await bins(journal) == (taken(START + 100, 2, 2), taken(START + 1_000, 3, 3))


async def test_ids_of_two_requests_in_one_bin_may_have_been_stamped_apart(journal, entry, send):
    await journal.add([entry() for _ in range(5)])
    await send(START, events=3, latency_ms=0)
    await send(START + 60, events=2, latency_ms=0)
    assert await bins(journal) == (AcceptedBin(START, 5, 5, is_one_request=False),)
    await journal.requeue([1, 2, 3, 4, 5])
    await send(START + HOUR, latency_ms=0)
    [first, again] = await bins(journal)
    assert (first.first, first.is_one_request, again.first, again.is_one_request) == (5, False, 0, False)


async def test_window_includes_its_start_and_excludes_its_end(journal, entry, send):
    for offset in (0, 10_000, 20_000):
        await journal.add([entry()])
        await send(START + offset, latency_ms=0.9)
    found = await bins(journal, since=START, until=START + 20_000)
    assert [one.start - START for one in found] == [0, 10_000]
    assert await journal.accepted_ids("production", START, START + 20_000) == (1, 2)


async def test_repeats_name_the_bin_of_the_first_acceptance(journal, entry, send):
    await journal.add([entry(), entry(), entry()])
    await send(START)
    await journal.requeue([1, 2])
    await send(START + HOUR, latency_ms=0)
    await journal.requeue([1])
    await send(START + 2 * HOUR, latency_ms=0)
    assert await bins(journal) == (
        taken(START, 3, 3),
        taken(START + HOUR, 0, 2, ((START, 2),)),
        taken(START + 2 * HOUR, 0, 1, ((START, 1),)),
    )
    assert await journal.accepted_ids("production", START, START + HOUR) == (3,), "the others were sent again later"
    assert await journal.accepted_ids("production", START, START + 3 * HOUR) == (1, 2, 3)


async def test_repeat_of_an_acceptance_before_the_window_is_no_first(journal, entry, send):
    await journal.add([entry()])
    await send(START, latency_ms=0)
    await journal.requeue([1])
    await send(START + HOUR, latency_ms=0)
    found = await bins(journal, since=START + HOUR, until=START + 2 * HOUR)
    assert found == (taken(START + HOUR, 0, 1, ((START, 1),)),)


async def test_delivery_that_is_queued_again_still_counts_once(journal, entry, send):
    await journal.add([entry(), entry()])
    await send(START, latency_ms=0)
    await journal.requeue([1])
    assert await bins(journal) == (taken(START, 2, 2),)
    await send(START + HOUR, "refused", status=400)
    assert await bins(journal) == (taken(START, 2, 2),), "a replay that fails takes nothing back"
    assert await journal.accepted_ids("production", START, START + HOUR) == (1, 2)


async def test_two_acceptances_in_the_same_moment_are_one_first(journal, entry, send):
    await journal.add([entry()])
    await send(START, latency_ms=0)
    await journal.requeue([1])
    await send(START, latency_ms=0)
    assert await bins(journal) == (taken(START, 1, 2, ((START, 1),)),)


async def test_replay_as_new_is_another_message_id(journal, entry, send):
    await journal.add([entry()])
    await send(START, latency_ms=0)
    await journal.requeue([1], as_new=True)
    await send(START + HOUR, latency_ms=0)
    assert await bins(journal) == (taken(START, 1, 1), taken(START + HOUR, 1, 1))


async def test_requests_without_an_answer_may_have_arrived(journal, entry, send, clock):
    await journal.add([entry(), entry()])
    await send(START, "retry", status=0, latency_ms=0)
    await send(START + HOUR, "retry", status=502, latency_ms=0)
    await send(START + HOUR + 1_000, "retry", status=429, latency_ms=0)
    await send(START + 2 * HOUR, latency_ms=0, events=1)
    assert await bins(journal) == (
        taken(START, unanswered=((0, 1), (START + 2 * HOUR, 1))),
        taken(START + HOUR, unanswered=((0, 1), (START + 2 * HOUR, 1))),
        taken(START + 2 * HOUR, 1, 1),
    )
    assert await journal.accepted_ids("production", START - HOUR, START + 3 * HOUR) == (1,)


async def test_failed_and_withheld_deliveries_do_not_count(journal, entry, send):
    await journal.add([entry(), entry(reason="anonymous")])
    await send(START, "refused", status=400)
    assert await bins(journal) == ()
    assert await journal.accepted_ids("production", 0, START + HOUR) == ()


async def test_deliveries_of_runs_with_endpoint_do_not_count(journal, entry, send):
    await journal.add([entry(endpoint=SINK), entry()])
    assert await send(START, endpoint=SINK, url=SINK) == (1,)
    assert await bins(journal) == ()
    assert await send(START, latency_ms=0) == (2,)
    await journal.merge_endpoint("production", SINK)
    assert await bins(journal) == (taken(START, 1, 1),), "rebound later, but not sent there"


async def test_only_one_endpoint_can_be_asked_for(journal, entry, send):
    for number, url in enumerate((SINK, "https://api.segment.io", "")):
        await journal.add([entry()])
        await send(START + number * 1_000, latency_ms=0, url=url)
    found = await bins(journal, endpoint="https://api.segment.io")
    assert [one.start - START for one in found] == [1_000, 2_000], "one of a version that recorded no endpoint counts"
    ids = await journal.accepted_ids("production", START, START + HOUR, endpoint="https://api.segment.io")
    assert ids == (2, 3)


async def test_other_environments_do_not_count(journal, entry, send):
    await journal.add([entry(), entry("development")])
    await send(START, latency_ms=0)
    assert await bins(journal) == (taken(START, 1, 1),)
    assert await journal.accepted("development", since=0, until=2 * START) == ()
    assert await journal.accepted("nobody's", since=0, until=2 * START) == ()


async def test_pruned_deliveries_are_missing(journal, entry, send):
    await journal.add([entry(), entry()])
    await send(START, latency_ms=0, events=1)
    await send(START + HOUR, latency_ms=0)
    await journal.prune(START + 1_000)
    assert await bins(journal) == (taken(START + HOUR, 1, 1),)


async def test_long_window_has_coarse_bins_away_from_full_hours(journal, entry, send):
    times = (START - 120_123, START + 119_999, START + 1_799_999, START + 1_800_000)
    for at in times:
        await journal.add([entry()])
        await send(at, latency_ms=0)
    found = await bins(journal, since=START - 12 * HOUR, until=START + 12 * HOUR)
    assert [one.start - START for one in found] == [-120_200, 119_900, 1_770_000, 1_800_000]
    assert [one.width for one in found] == [100, 100, 30_000, 30_000]
    assert [one.start for one in found] == [bin_start(at, START - 12 * HOUR, START + 12 * HOUR) for at in times]
    short = await bins(journal)
    assert [one.start - START for one in short] == [-120_200, 119_900, 1_799_900, 1_800_000]
    assert [one.start for one in short] == [bin_start(at, START - HOUR, START + 3 * HOUR) for at in times]
