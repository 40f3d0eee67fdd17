"""Contract of `heartbeat`, `unregister_worker`, `workers` and `worker_leases`."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from support.records import make_worker

from sprig_tui.delivery.worker_table import without_live_worker
from sprig_tui.errors import JournalError
from sprig_tui.journal.claim_rules import WORKER_TTL_MS, ClaimRequest
from sprig_tui.journal.records import Settlement, State, WorkerLeases

FIRST = make_worker(environments=("production", "staging"), started_at=1_789_999_000_000, rate=212.5)
SECOND = replace(
    FIRST, id="b" * 32, role="listen", host="mill-2", pid=17, environments=(), started_at=1_789_999_500_000
)


async def test_new_journal_has_no_workers(journal):
    assert await journal.workers() == ()


async def test_worker_is_listed_as_in_its_heartbeat(journal, clock):
    await journal.heartbeat(replace(FIRST, seen_at=5, leased=9))
    assert await journal.workers() == (replace(FIRST, seen_at=clock.now(), leased=0),)


async def test_heartbeat_replaces_the_previous_one(journal, clock):
    await journal.heartbeat(FIRST)
    clock.advance(10)
    newer = replace(FIRST, rate=0.0, environments=("production",))
    await journal.heartbeat(newer)
    assert await journal.workers() == (replace(newer, seen_at=clock.now()),)


async def test_workers_are_listed_in_the_order_of_their_start(journal):
    third = replace(FIRST, id="0" * 32, started_at=FIRST.started_at + 1)
    for worker in (SECOND, third, FIRST):
        await journal.heartbeat(worker)
    assert [worker.id for worker in await journal.workers()] == [FIRST.id, third.id, SECOND.id]


async def test_worker_without_heartbeat_is_not_listed(journal, clock):
    await journal.heartbeat(FIRST)
    clock.advance(WORKER_TTL_MS / 1000 - 1)
    await journal.heartbeat(SECOND)
    assert [worker.id for worker in await journal.workers()] == [FIRST.id, SECOND.id]
    clock.advance(1)
    assert [worker.id for worker in await journal.workers()] == [SECOND.id]
    await journal.heartbeat(FIRST)
    assert [worker.id for worker in await journal.workers()] == [FIRST.id, SECOND.id], "it was only slow"


async def test_dead_workers_are_deleted_by_any_heartbeat(journal, clock):
    await journal.heartbeat(FIRST)
    clock.advance(WORKER_TTL_MS / 1000)
    await journal.heartbeat(SECOND)
    clock.ms -= WORKER_TTL_MS // 2
    assert [worker.id for worker in await journal.workers()] == [SECOND.id], "not even a clock set back finds it"


async def test_heartbeat_under_a_clock_far_ahead_keeps_no_worker_alive(journal, clock):
    clock.advance(365 * 86_400)
    await journal.heartbeat(FIRST)
    clock.advance(-365 * 86_400)
    assert await journal.workers() == ()
    await journal.heartbeat(SECOND)
    assert [worker.id for worker in await journal.workers()] == [SECOND.id]


async def test_unregistering_deletes_one_worker_and_ignores_unknown_ones(journal):
    await journal.heartbeat(FIRST)
    await journal.heartbeat(SECOND)
    await journal.unregister_worker(FIRST.id)
    await journal.unregister_worker(FIRST.id)
    await journal.unregister_worker("nobody")
    assert [worker.id for worker in await journal.workers()] == [SECOND.id]


async def test_leased_deliveries_are_counted_until_settled(journal, entry, attempt):
    async def take(environment, events, owner):
        return await journal.claim(
            ClaimRequest(environment, events=events, payload_bytes=475_000, lease_ms=60_000, owner=owner)
        )

    async def held():
        return {worker.id: worker.leased for worker in await journal.workers()}

    await journal.add([entry() for _ in range(10)])
    await journal.add([entry("staging") for _ in range(3)])
    await journal.heartbeat(FIRST)
    await journal.heartbeat(SECOND)
    mine = await take("production", 4, FIRST.id)
    await take("staging", 2, FIRST.id)
    await take("production", 3, SECOND.id)
    await take("production", 1, "someone who reports nothing")
    assert await held() == {FIRST.id: 6, SECOND.id: 3}
    settled = Settlement(ids=mine.ids[:3], state=State.DELIVERED, attempt=attempt())
    await journal.settle(mine, [settled])
    assert await held() == {FIRST.id: 3, SECOND.id: 3}
    await journal.release(mine)
    assert await held() == {FIRST.id: 2, SECOND.id: 3}


async def test_expired_lease_is_not_counted(journal, entry, clock):
    await journal.add([entry()])
    await journal.claim(ClaimRequest("production", events=1, payload_bytes=475_000, lease_ms=5_000, owner=FIRST.id))
    clock.advance(5)
    await journal.heartbeat(FIRST)
    assert [worker.leased for worker in await journal.workers()] == [0]


async def test_heartbeats_are_not_among_the_changes(journal, entry):
    await journal.add([entry()])
    cursor = (await journal.changes()).cursor
    await journal.heartbeat(FIRST)
    await journal.unregister_worker(FIRST.id)
    assert (await journal.changes(cursor)).deliveries == ()
    assert sorted((await journal.counts()).by_environment) == ["production"]


async def test_closed_journal_rejects_heartbeats(journal):
    await journal.close()
    with pytest.raises(JournalError):
        await journal.heartbeat(FIRST)
    with pytest.raises(JournalError):
        await journal.workers()


async def test_leases_are_listed_by_environment_and_worker(journal, clock, entry):
    await journal.add([entry() for _ in range(5)] + [entry("staging")])
    for environment, events, owner in (
        ("production", 2, FIRST.id),
        ("production", 1, FIRST.id),
        ("staging", 9, "gone"),
    ):
        await journal.claim(
            ClaimRequest(environment, events=events, payload_bytes=475_000, lease_ms=60_000, owner=owner)
        )
    until = clock.now() + 30_000  # then others take over, unless they are heard of
    assert await journal.worker_leases() == (
        WorkerLeases(environment="production", owner=FIRST.id, deliveries=3, until=until),
        WorkerLeases(environment="staging", owner="gone", deliveries=1, until=until),
    )
    await journal.heartbeat(FIRST)
    assert without_live_worker(await journal.worker_leases(), await journal.workers()) == (
        WorkerLeases(environment="staging", owner="gone", deliveries=1, until=until),
    )
    clock.advance(60)
    assert await journal.worker_leases() == (), "what has run out is held by nobody"
