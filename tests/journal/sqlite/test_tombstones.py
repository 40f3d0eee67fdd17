"""Tombstones in a file: upgrade, damage, repair, salvage, backup, and what a person could find in them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.clocks import ManualClock
from support.older_journals import make_older
from support.pages import damage, pages_of
from support.records import make_entry

from sprig_tui.errors import JournalCorruptError, JournalError
from sprig_tui.journal import tombstone_filter
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.dedup import identity_key
from sprig_tui.journal.query import MATCH_ALL
from sprig_tui.journal.records import REMOVED_ID, Attempt, Settlement, State
from sprig_tui.journal.sqlite import SQLiteJournal, maintenance, pruning
from sprig_tui.journal.sqlite.identity_index import merge_recent_ids
from sprig_tui.journal.sqlite.prepared_removal import PreparedRemoval
from sprig_tui.journal.sqlite.salvage import salvage_journal
from sprig_tui.journal.tombstones import end_minute, make_fingerprint, removed_identity

COUNT = 1_000


async def deliver_and_prune(journal: SQLiteJournal, clock: ManualClock) -> None:
    while True:
        taken = await journal.claim(ClaimRequest("production", events=2_500, payload_bytes=475_000, lease_ms=60_000))
        if not taken.lease:
            break
        await journal.settle(taken, [Settlement(ids=taken.ids, state=State.DELIVERED)])
    clock.advance(1)
    await journal.prune(clock.now())


@pytest.fixture
def answers():
    return [make_entry(number, user_id=f"mira{number}@example.com", answer="Geheimnis") for number in range(COUNT)]


@pytest.fixture
async def path(tmp_path, answers, clock) -> Path:
    """A file whose deliveries are all removed."""
    async with SQLiteJournal(tmp_path / "j.db", clock=clock) as journal:
        await journal.add(answers)
        await journal.save_positions("pull", {"production": b"1"})
        await deliver_and_prune(journal, clock)
    return tmp_path / "j.db"


async def known(path: Path, answers, clock) -> int:
    """How many of the answers are known."""
    async with SQLiteJournal(path, clock=clock) as journal:
        return sum(one.outcome == "known" for one in await journal.add(answers))


async def test_rows_hold_hashes_and_numbers(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT * FROM tombstones").fetchall()
        dump = repr(rows)
    assert len(rows) == COUNT
    assert {tuple(map(type, row)) for row in rows} == {(int, int, int, bytes)}
    assert {len(row[3]) for row in rows} == {15}
    for text in ("mira", "example", "Geheimnis", "acct", "sprig-"):
        assert text not in dump


async def test_schema_6_file_is_upgraded_and_remembers_from_then_on(tmp_path, answers, clock):
    path = tmp_path / "j.db"
    async with SQLiteJournal(path, clock=clock) as journal:
        await journal.add(answers[:10])
    make_older(path, 6)
    async with SQLiteJournal(path, clock=clock) as journal:
        assert {one.outcome for one in await journal.add(answers[:10])} == {"known"}
        await deliver_and_prune(journal, clock)
    assert await known(path, answers[:11], clock) == 10


@pytest.mark.parametrize("name", ["tombstones", "tombstone_filter"])
@pytest.mark.parametrize("loaded", [False, True])
async def test_repair_loses_no_more_than_the_damaged_page(path, answers, clock, name, loaded, monkeypatch):
    if loaded:
        monkeypatch.setattr(tombstone_filter, "_DIRECT_LOOKUPS", 0)
    pages = pages_of(path, name, ("leaf", "overflow"))
    damage(path, pages[len(pages) // 2])
    async with SQLiteJournal(path, clock=clock) as journal:
        results = await journal.add([*answers, make_entry(COUNT)])
        lost = sum(one.outcome == "new" for one in results) - 1
        assert lost == 0 if name == "tombstone_filter" else 0 < lost < 150
        assert results[-1].outcome == "new"
        await deliver_and_prune(journal, clock)
        assert sum((await journal.tombstones()).by_environment.values()) == COUNT + 1
    assert await known(path, answers, clock) == COUNT


async def test_damaged_content_of_the_filter_is_noticed(path, answers, clock, monkeypatch):
    monkeypatch.setattr(tombstone_filter, "_DIRECT_LOOKUPS", 0)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        size = connection.execute("SELECT length(content) FROM tombstone_filter").fetchone()[0]
        connection.execute("UPDATE tombstone_filter SET content = zeroblob(?)", (size,))
        connection.commit()
    assert await known(path, answers, clock) == COUNT


@pytest.mark.parametrize("place", ["none", "tombstones", "tombstone_filter"])
async def test_salvage_carries_tombstones(path, answers, clock, tmp_path, place, monkeypatch):
    monkeypatch.setattr(tombstone_filter, "_DIRECT_LOOKUPS", 0)
    if place != "none":
        pages = pages_of(path, place, ("leaf", "overflow"))
        damage(path, pages[len(pages) // 2])
    done = await asyncio.to_thread(salvage_journal, str(path), str(tmp_path / "new.db"))
    assert done.is_complete == (not done.lost) == (place != "tombstones")
    if place == "tombstones":
        assert "tombstones: of some removed deliveries" in done.lost[0]
        assert COUNT - 150 < await known(tmp_path / "new.db", answers, clock) < COUNT
    else:
        assert await known(tmp_path / "new.db", answers, clock) == COUNT
    async with SQLiteJournal(tmp_path / "new.db") as new:
        assert await new.positions("pull") == {"production": b"1"}, "nothing is read again"


async def test_backup_and_verification_carry_tombstones(path, answers, clock, tmp_path):
    async with SQLiteJournal(path, clock=clock) as journal:
        await journal.back_up(tmp_path / "backup.db")
        assert (await journal.verify()).problems == ()
    assert await known(tmp_path / "backup.db", answers, clock) == COUNT
    damage(path, pages_of(path, "tombstones", ("leaf",))[0])
    async with SQLiteJournal(path, clock=clock) as journal:
        found = await journal.verify()
        assert any("tombstones cannot be read" in one for one in found.problems)
        with pytest.raises(JournalCorruptError):
            await journal.back_up(tmp_path / "other.db")


STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "deliver", "prune"]), st.lists(st.integers(0, 11), min_size=1, max_size=4)),
    max_size=12,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, direct=st.sampled_from([0, 10, 4_000]), log=st.sampled_from([(1, 1), (4, 8), (16_384, 262_144)]))
def test_delivered_answers_are_never_queued_again(steps, direct, log, tmp_path_factory, monkeypatch):
    monkeypatch.setattr(tombstone_filter, "_DIRECT_LOOKUPS", direct)
    monkeypatch.setattr(tombstone_filter, "_LOG_KEYS", log)

    async def run(path: Path) -> None:
        clock, sent = ManualClock(), set()
        async with SQLiteJournal(path, clock=clock) as journal:
            for step, numbers in steps:
                if step == "add":
                    results = await journal.add([make_entry(number) for number in numbers])
                    assert all(
                        one.outcome == "known" for number, one in zip(numbers, results, strict=True) if number in sent
                    )
                elif step == "deliver":
                    request = ClaimRequest("production", events=len(numbers), payload_bytes=9_999, lease_ms=60_000)
                    taken = await journal.claim(request)
                    if taken.lease:
                        ids = [one.message_id for one in await journal.get_many(taken.ids)]
                        numbered = {make_entry(number).message_id: number for number in range(12)}
                        assert not sent & {numbered[one] for one in ids}
                        sent |= {numbered[one] for one in ids}
                        await journal.settle(taken, [Settlement(ids=taken.ids, state=State.DELIVERED)])
                else:
                    clock.advance(1)
                    await journal.prune(clock.now())
            clock.advance(1)
            await journal.prune(clock.now())
            results = await journal.add([make_entry(number) for number in sorted(sent)])
            assert all((one.id, one.outcome) == (REMOVED_ID, "known") for one in results)

    asyncio.run(run(tmp_path_factory.mktemp("steps") / "j.db"))


async def test_tombstones_of_a_prune_are_those_of_single_deliveries(tmp_path, clock):
    path = tmp_path / "j.db"
    message_ids = ["sprig-" + "f" * 32, "sprig-" + "7" * 32, "a\nb", 'q"\\', "\u2028ü", "x" * 99, "sprig-" + " " * 32]
    entries = [
        make_entry(
            at,
            environment=("production", "développement")[at % 2],
            message_id=message_id,
            digest=(b"\0\xff" * 4, b"", b"sealed!")[at % 3],
            question_id=("", 'q"1', "q2")[at % 3],
            updated_at=(0, 1_760_000_000_123, 1 << 60)[at % 3],
            reason=("", "newer-revision", "anonymous")[at % 3] if at < 3 else "",
        )
        for at, message_id in enumerate(message_ids)
    ]
    async with SQLiteJournal(path, clock=clock) as journal:
        await journal.add(entries)
        for environment in ("production", "développement"):
            claim = await journal.claim(ClaimRequest(environment, events=9, payload_bytes=99_999, lease_ms=60_000))
            attempt = Attempt(started_at=clock.now(), status=200, latency_ms=9, outcome="delivered")
            await journal.settle(claim, [Settlement(ids=claim.ids, state=State.DELIVERED, attempt=attempt)])
        clock.advance(3600)
        with contextlib.closing(sqlite3.connect(path)) as connection:
            rows = connection.execute(
                "SELECT (SELECT name FROM environments e WHERE e.id = d.environment),"  # noqa: S608 - our own columns
                f" {maintenance.REMOVED_COLUMNS} {maintenance.FROM_ENDED}",
                (clock.now(),),
            ).fetchall()
            expected = []
            for name, delivery_id, state, _, number, ended_at, leaves, *columns in rows:
                stored = removed_identity(delivery_id, name, state, columns)
                key = identity_key(name, stored.message_id)
                if leaves:
                    expected.append((key, number, end_minute(ended_at), make_fingerprint(stored)))
            assert (len(rows), len(expected)) == (7, 6)
            await journal.prune(clock.now())
            assert connection.execute("SELECT * FROM tombstones ORDER BY key").fetchall() == sorted(expected)


def once_stored(monkeypatch, work: Callable[[], Awaitable[object]]) -> None:
    """Have a prune do this once, after it has stored the tombstones of the second stretch."""
    store, stretches = pruning.PruneRun._store_tombstones, itertools.count(1)

    async def store_and_work(run: pruning.PruneRun, prepared: PreparedRemoval) -> None:
        await store(run, prepared)
        if next(stretches) == 2:
            await work()

    monkeypatch.setattr(pruning.PruneRun, "_store_tombstones", store_and_work)


async def test_what_another_prune_removes_meanwhile_stays_known(tmp_path, clock, monkeypatch):
    monkeypatch.setattr(pruning, "STRETCH_IDS", 7)
    entries = [make_entry(at) for at in range(20)]
    async with SQLiteJournal(tmp_path / "j.db", clock=clock) as journal:
        await journal.add(entries)
        claim = await journal.claim(ClaimRequest("production", events=20, payload_bytes=475_000, lease_ms=60_000))
        await journal.settle(claim, [Settlement(ids=claim.ids, state=State.DELIVERED)])
        clock.advance(1)
        once_stored(monkeypatch, lambda: journal.prune(clock.now()))
        pruned = await journal.prune(clock.now())
        assert pruned.by_state == {State.DELIVERED: 7}
        assert {result.outcome for result in await journal.add(entries)} == {"known"}


async def fail(journal: SQLiteJournal, clock: ManualClock, **terms: str) -> None:
    """Claim what is queued; the server refuses it."""
    claim = await journal.claim(ClaimRequest("production", events=9, payload_bytes=475_000, lease_ms=60_000, **terms))
    attempt = Attempt(started_at=clock.now(), status=400, latency_ms=9, outcome="refused")
    await journal.settle(claim, [Settlement(ids=claim.ids, state=State.FAILED, attempt=attempt)])
    clock.advance(60)


async def test_what_is_withdrawn_during_a_prune_stays_known(tmp_path, clock, monkeypatch):
    """It had failed when the prune read it, and would have left no tombstone."""
    monkeypatch.setattr(pruning, "STRETCH_IDS", 2)
    entries = [make_entry(at) for at in range(4)]
    async with SQLiteJournal(tmp_path / "j.db", clock=clock) as journal:
        await journal.add(entries)
        await fail(journal, clock)

        async def withdraw() -> None:
            await journal.requeue([4])
            await journal.withdraw([4])

        once_stored(monkeypatch, withdraw)
        assert (await journal.prune(clock.now())).by_state == {State.FAILED: 3}
        assert (await journal.prune(clock.now())).by_state == {State.WITHHELD: 1}
        assert [one.outcome for one in await journal.add(entries)] == ["new", "new", "new", "known"]


async def test_what_moves_to_its_environment_during_a_prune_stays_known(tmp_path, clock, monkeypatch):
    """As bound for another endpoint it would have left no tombstone."""
    monkeypatch.setattr(pruning, "STRETCH_IDS", 2)
    url = "https://elsewhere.example"
    entries = [make_entry(at, endpoint=url) for at in range(4)]
    async with SQLiteJournal(tmp_path / "j.db", clock=clock) as journal:
        await journal.add(entries)
        claim = await journal.claim(
            ClaimRequest("production", events=9, payload_bytes=475_000, lease_ms=60_000, endpoint=url)
        )
        await journal.settle(claim, [Settlement(ids=claim.ids, state=State.DELIVERED)])
        clock.advance(60)
        once_stored(monkeypatch, lambda: journal.merge_endpoint("production", url))
        assert (await journal.prune(clock.now())).by_state == {State.DELIVERED: 2}
        assert (await journal.prune(clock.now())).by_state == {State.DELIVERED: 2}
        results = await journal.add([make_entry(at) for at in range(4)])
        assert [one.outcome for one in results] == ["new", "new", "known", "known"]
        assert (await journal.verify()).problems == ()


@pytest.mark.parametrize("by", ["prune", "retention"])
@pytest.mark.parametrize("merged", [False, True])
async def test_tombstone_that_a_killed_prune_left_keeps_no_failed_answer_out(tmp_path, clock, monkeypatch, merged, by):
    entries = [make_entry(at) for at in range(3)]
    async with SQLiteJournal(tmp_path / "j.db", clock=clock) as journal:
        await journal.add(entries)
        await journal.withdraw([1, 2, 3])
        if merged:
            await journal.write(lambda c: merge_recent_ids(c, at=1))
        clock.advance(60)

        async def killed(*_: object) -> None:
            raise JournalError("killed")

        with monkeypatch.context() as patch:
            patch.setattr(pruning.PruneRun, "_remove", killed)
            with pytest.raises(JournalError, match="killed"):
                await journal.prune(clock.now())
        await journal.requeue([1])
        await fail(journal, clock)
        if by == "prune":
            await journal.prune(clock.now())
        else:
            rows = f"SELECT {maintenance.REMOVED_COLUMNS} {maintenance.FROM_ENDED} ORDER BY d.id"
            await journal.write(lambda c: maintenance.remove_rows(c, c.execute(rows, (clock.now(),)).fetchall()))
        assert [one.outcome for one in await journal.add(entries)] == ["new", "known", "known"]


async def killed_prune(journal: SQLiteJournal, before: int, monkeypatch) -> None:
    """A prune that is killed once it has removed the deliveries."""

    async def killed(*_: object) -> None:
        raise JournalError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(pruning.PruneRun, "_drop_identities", killed)
        with pytest.raises(JournalError, match="killed"):
            await journal.prune(before)


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("kept", [0, 1])
async def test_the_next_prune_drops_the_identities_that_a_killed_one_left(tmp_path, clock, monkeypatch, merged, kept):
    monkeypatch.setattr(pruning, "KEYS_A_SCAN", 2)
    path = tmp_path / "j.db"
    async with SQLiteJournal(path, clock=clock) as journal:
        await journal.add([make_entry(at) for at in range(6 + kept)])
        if merged:
            await journal.write(lambda c: merge_recent_ids(c, at=1, parts=1))
        claim = await journal.claim(ClaimRequest("production", events=6, payload_bytes=475_000, lease_ms=60_000))
        await journal.settle(claim, [Settlement(ids=claim.ids, state=State.DELIVERED)])
        clock.advance(60)
        await killed_prune(journal, clock.now(), monkeypatch)
        with contextlib.closing(sqlite3.connect(path)) as connection:
            held = "SELECT count(*) FROM (SELECT key FROM recent_ids UNION ALL SELECT key FROM ids)"
            assert connection.execute(held).fetchone() == (6 + kept,)
            assert (await journal.prune(clock.now())).by_state == {}
            assert connection.execute(held).fetchone() == (kept,)
        assert [one.outcome for one in await journal.add([make_entry(at) for at in range(7)])] == [
            *["known"] * 6,
            "known" if kept else "new",
        ]


async def test_identity_that_a_killed_prune_left_is_free(tmp_path, clock, monkeypatch):
    path = tmp_path / "j.db"
    entries = [make_entry(at) for at in range(3)]
    async with SQLiteJournal(path, clock=clock) as journal:
        await journal.add(entries)
        claim = await journal.claim(ClaimRequest("production", events=3, payload_bytes=475_000, lease_ms=60_000))
        await journal.settle(claim, [Settlement(ids=claim.ids, state=State.DELIVERED)])
        clock.advance(60)

        await killed_prune(journal, clock.now(), monkeypatch)
        assert await journal.count(MATCH_ALL) == 0
        await journal.prune(clock.now(), forget=True)
        assert {result.outcome for result in await journal.add(entries)} == {"new"}
        assert {result.outcome for result in await journal.add(entries)} == {"known"}


async def test_a_prune_in_stretches_leaves_what_a_prune_of_each_delivery_left(tmp_path, clock, monkeypatch):
    monkeypatch.setattr(pruning, "STRETCH_IDS", 7)
    monkeypatch.setattr(pruning, "READ_IDS", 3)
    monkeypatch.setattr(pruning, "KEYS_A_STEP", 2)
    monkeypatch.setattr(pruning, "PRUNE_CHUNK_ROWS", 4)
    path = tmp_path / "j.db"
    async with SQLiteJournal(path, clock=clock) as journal:
        await journal.add([make_entry(at, reason="" if at % 3 else "anonymous") for at in range(40)])
        claim = await journal.claim(ClaimRequest("production", events=20, payload_bytes=475_000, lease_ms=60_000))
        attempt = Attempt(started_at=clock.now(), status=200, latency_ms=9, outcome="delivered")
        await journal.settle(claim, [Settlement(ids=claim.ids, state=State.DELIVERED, attempt=attempt)])
        clock.advance(3600)
        # one is queued again once its tombstone is stored, and stays
        again = claim.ids[9]
        once_stored(monkeypatch, lambda: journal.requeue([again]))
        pruned = await journal.prune(clock.now())
        assert pruned.by_state == {State.DELIVERED: 19, State.WITHHELD: 14}
        assert sum((await journal.tombstones()).by_environment.values()) == 19
        with contextlib.closing(sqlite3.connect(path)) as connection:
            held = "SELECT delivery FROM recent_ids UNION ALL SELECT delivery FROM ids ORDER BY 1"
            left = [row[0] for row in connection.execute("SELECT id FROM deliveries ORDER BY id")]
            assert [row[0] for row in connection.execute(held)] == left
            assert again in left
        results = await journal.add([make_entry(at) for at in range(40)])
        assert [result.outcome for result in results] == ["known" if at % 3 else "new" for at in range(40)]
