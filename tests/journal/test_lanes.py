"""Contract of lanes: one state shared by all workers."""

from __future__ import annotations

import pytest

from sprig_tui.journal.claim_rules import MAX_LANE_WAIT_MS
from sprig_tui.journal.pause_reasons import PauseDetail, PauseReason
from sprig_tui.journal.records import LaneChange, Settlement, State

UNAVAILABLE = PauseReason.HTTP_ERROR, PauseDetail(status=503)
REFUSED = PauseReason.KEY_REFUSED, PauseDetail(key="Zq8T…e1Rk", status=401)


@pytest.fixture
def fail(journal, attempt):
    """Settle a claim as failed for now, and let its lane wait (or what `change` says)."""

    async def run(taken, clock, *, seconds: float = 10.0, until=None, state="waiting", why=UNAVAILABLE):
        until = clock.now() + int(seconds * 1000) if until is None else until
        await journal.settle(
            taken,
            [Settlement(ids=taken.ids, state=State.QUEUED, attempt=attempt(503))],
            LaneChange(epoch=taken.lane.epoch, state=state, until=until, reason=why[0], detail=why[1]),
        )

    return run


async def lane_of(journal):
    return (await journal.lanes())["production"]


async def test_new_lane_is_open(journal, entry, claim):
    await journal.add([entry()])
    lane = await lane_of(journal)
    assert (lane.state, lane.failures, lane.last_status) == ("open", 0, 0)


async def test_waiting_lane_blocks_its_environment_only(journal, entry, claim, fail, clock):
    await journal.add([entry(), entry(), entry("development")])
    await fail(await claim(events=1), clock)
    held = await claim()
    assert (held.ids, held.retry_at, held.lane.reason) == ((), clock.now() + 10_000, "http_error")
    assert (await claim("development")).ids


async def test_after_the_wait_only_one_probe_is_claimed(journal, entry, claim, fail, clock, attempt):
    await journal.add([entry() for _ in range(300)])
    await fail(await claim(events=1), clock)
    clock.advance(10)
    probe = await claim()
    assert probe.probe
    assert 1 <= len(probe.ids) <= 100
    assert probe.lane.state == "probing"
    other = await claim()
    assert (other.ids, other.lane.state) == ((), "probing")
    await journal.settle(
        probe,
        [Settlement(ids=probe.ids, state=State.DELIVERED, attempt=attempt())],
        LaneChange(epoch=probe.lane.epoch, state="open"),
    )
    lane = await lane_of(journal)
    assert (lane.state, lane.failures, lane.since) == ("open", 0, 0)
    assert len((await claim()).ids) == 200


async def test_consecutive_failures_are_counted_over_probes(journal, entry, claim, fail, clock):
    await journal.add([entry()])
    began = clock.now()
    for number in range(1, 4):
        await fail(await claim(), clock)
        lane = await lane_of(journal)
        assert (lane.state, lane.failures, lane.since) == ("waiting", number, began)
        clock.advance(10)


async def test_parallel_failures_count_once(journal, entry, claim, fail, clock):
    await journal.add([entry() for _ in range(4)])
    taken = [await claim(events=1) for _ in range(4)]
    for one in taken:
        await fail(one, clock)
    assert (await lane_of(journal)).failures == 1


async def test_late_success_does_not_open_a_waiting_lane(journal, entry, claim, fail, clock, attempt):
    await journal.add([entry(), entry()])
    slow, quick = await claim(events=1), await claim(events=1)
    await fail(quick, clock)
    await journal.settle(
        slow,
        [Settlement(ids=slow.ids, state=State.DELIVERED, attempt=attempt())],
        LaneChange(epoch=slow.lane.epoch, state="open"),
    )
    assert (await lane_of(journal)).state == "waiting"


async def test_probe_of_a_dead_worker_is_claimed_by_another(journal, entry, claim, fail, clock):
    await journal.add([entry()])
    await fail(await claim(), clock)
    clock.advance(10)
    dead = await claim(lease_ms=5000)
    assert dead.probe
    assert (await claim()).retry_at == clock.now() + 5000
    clock.advance(5)
    assert (await claim()).probe


async def test_released_probe_is_claimed_again(journal, entry, claim, fail, clock):
    await journal.add([entry()])
    await fail(await claim(), clock)
    clock.advance(10)
    await journal.release(await claim())
    again = await claim()
    assert again.probe
    assert again.lane.failures == 1


async def test_paused_lane_without_due_deliveries_is_not_probed(journal, entry, claim, fail, clock, attempt):
    await journal.add([entry()])
    await fail(await claim(), clock, seconds=1)
    clock.advance(1)
    probe = await claim()
    await journal.settle(
        probe,
        [Settlement(ids=probe.ids, state=State.FAILED, attempt=attempt(400))],
        LaneChange(epoch=probe.lane.epoch, state="waiting", until=clock.now()),
    )
    assert (await claim()).ids == ()
    assert (await lane_of(journal)).state == "waiting"
    await journal.add([entry()])
    assert (await claim()).probe


async def test_manual_pause_lasts_until_it_is_resumed(journal, entry, claim, fail, clock):
    await journal.add([entry()])
    await fail(await claim(), clock, until=0, state="paused", why=REFUSED)
    clock.advance(86_400)
    held = await claim()
    assert (held.ids, held.retry_at, (held.lane.reason, held.lane.detail)) == ((), 0, REFUSED)
    assert (await journal.set_lane("production", "open")).state == "open"
    assert (await claim()).ids


async def test_pause_with_an_end_is_probed_with_one_delivery(journal, entry, claim, fail, clock):
    await journal.add([entry() for _ in range(5)])
    await fail(await claim(), clock, state="paused", until=clock.now() + 60_000, why=REFUSED)
    held = await claim()
    assert (held.ids, held.retry_at, held.lane.pauses) == ((), clock.now() + 60_000, 1)
    clock.advance(60)
    probe = await claim()
    assert (len(probe.ids), probe.probe, probe.lane.state) == (1, True, "probing")
    assert (await claim()).ids == (), "one probe and no other"
    await fail(probe, clock, state="paused", until=clock.now() + 300_000, why=REFUSED)
    assert (await lane_of(journal)).pauses == 2
    clock.advance(299)
    assert (await claim()).ids == ()
    clock.advance(1)
    assert len((await claim()).ids) == 1


async def test_successful_probe_ends_the_pause(journal, entry, claim, fail, attempt, clock):
    await journal.add([entry() for _ in range(5)])
    await fail(await claim(), clock, state="paused", until=clock.now() + 60_000)
    clock.advance(60)
    probe = await claim()
    arrived = Settlement(ids=probe.ids, state=State.DELIVERED, attempt=attempt())
    await journal.settle(probe, [arrived], LaneChange(epoch=probe.lane.epoch, state="open"))
    lane = await lane_of(journal)
    assert (lane.state, lane.pauses, lane.failures) == ("open", 0, 0)
    assert len((await claim()).ids) == 4


async def test_probe_without_a_result_leaves_the_lane_paused(journal, entry, claim, fail, clock):
    await journal.add([entry() for _ in range(5)])
    await fail(await claim(), clock, state="paused", until=clock.now() + 60_000, why=REFUSED)
    clock.advance(60)
    await journal.release(await claim())
    lane = await lane_of(journal)
    assert (lane.state, lane.pauses, (lane.reason, lane.detail)) == ("paused", 1, REFUSED)
    assert len((await claim()).ids) == 1, "the next probe may start at once"


async def test_pause_set_by_a_clock_far_ahead_ends(journal, entry, claim, fail, clock):
    await journal.add([entry()])
    await fail(await claim(), clock, state="paused", until=clock.now() + 86_400_000)
    assert len((await claim()).ids) == 1


@pytest.mark.parametrize("state", ["waiting", "paused"])
async def test_wait_that_is_over_by_the_monotonic_clock_is_over(journal, entry, claim, fail, clock, state):
    await journal.add([entry()])
    until = clock.now() + 60_000
    await fail(await claim(), clock, state=state, until=until)
    assert (await claim(waited_until=until - 1)).ids == ()
    assert (await claim(waited_until=until)).probe


async def test_manual_pause_is_not_undone_by_batches_in_flight(journal, entry, claim, attempt):
    await journal.add([entry(), entry()])
    taken = await claim(events=1)
    await journal.set_lane("production", "paused", "paused by hand")
    await journal.settle(
        taken,
        [Settlement(ids=taken.ids, state=State.DELIVERED, attempt=attempt())],
        LaneChange(epoch=taken.lane.epoch, state="open"),
    )
    assert (await lane_of(journal)).state == "paused"


async def test_wait_set_by_a_clock_far_ahead_ends(journal, entry, claim, fail, clock):
    await journal.add([entry()])
    clock.advance(86_400)
    await fail(await claim(), clock)
    clock.advance(-86_400)
    assert (await claim()).probe
    assert MAX_LANE_WAIT_MS == 300_000


async def test_long_request_keeps_its_probe(journal, entry, claim, fail, clock):
    await journal.add([entry(), entry()])
    await fail(await claim(events=1), clock)
    clock.advance(10)
    probe = await claim(events=1, lease_ms=1000)
    clock.advance(0.9)
    assert await journal.extend(probe, 1000)
    clock.advance(0.9)
    assert (await claim()).ids == ()


async def test_probe_with_a_long_lease_is_the_only_one(journal, entry, claim, fail, clock):
    await journal.add([entry() for _ in range(300)])
    await fail(await claim(events=1), clock)
    clock.advance(10)
    probe = await claim(lease_ms=MAX_LANE_WAIT_MS * 3)
    assert probe.probe
    assert not (await claim()).lease
    assert await journal.extend(probe, MAX_LANE_WAIT_MS * 3)
    assert not (await claim()).lease


async def test_probes_of_suspect_deliveries_shrink(journal, entry, claim, fail, clock):
    await journal.add([entry() for _ in range(120)])
    await fail(await claim(), clock)
    sizes = []
    for _ in range(10):
        clock.advance(10)
        probe = await claim()
        sizes.append(len(probe.ids))
        await fail(probe, clock)
    assert sizes == [100, 100, 100, 50, 25, 12, 6, 3, 1, 1]
