"""SQLiteJournal: the journal protocol over one writer thread and two reader threads."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, TypeVar

from sprig_tui.clock import Clock, SystemClock
from sprig_tui.errors import JournalCorruptError
from sprig_tui.journal.accepted import AcceptedBin
from sprig_tui.journal.base import NO_OVERRIDES, Direction, Journal
from sprig_tui.journal.block_counts import MAX_STALE_BLOCKS
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.forget_key import key_file_beside
from sprig_tui.journal.forgetting import EraseResult, ForgetReceipt, ForgottenIdentifier, PersonScan
from sprig_tui.journal.payload_codec import DamagedPayloadError
from sprig_tui.journal.persons import Identifier, NameSearch, PersonMatcher
from sprig_tui.journal.query import MATCH_ALL, Query
from sprig_tui.journal.readiness import WriteHistory, with_deadline
from sprig_tui.journal.records import (
    AddResult,
    Changes,
    Claim,
    Counts,
    Delivery,
    DeliveryDetail,
    DeliveryPage,
    IdPage,
    JournalIdentity,
    Lane,
    LaneChange,
    NewDelivery,
    Notification,
    PruneResult,
    ReplayJob,
    ReplayState,
    Settlement,
    State,
    TombstoneCounts,
    WithdrawResult,
    WorkerInfo,
    WorkerLeases,
)
from sprig_tui.journal.sqlite import add as adding
from sprig_tui.journal.sqlite import forgetting, forgotten_persons, lanes, maintenance, pruning, tables, tombstones
from sprig_tui.journal.sqlite import read as reading
from sprig_tui.journal.sqlite import replay as replays
from sprig_tui.journal.sqlite import scrub as scrubbing
from sprig_tui.journal.sqlite import statistics as counting
from sprig_tui.journal.sqlite import verify as verifying
from sprig_tui.journal.sqlite.connection import ReaderPool, connect_writer, empty_wal, make_folder
from sprig_tui.journal.sqlite.delivery import FileDelivery
from sprig_tui.journal.sqlite.errors import journal_error
from sprig_tui.journal.sqlite.file_check import FileCheck
from sprig_tui.journal.sqlite.repair import RepairLimiter
from sprig_tui.journal.sqlite.retention import SQLiteRetention
from sprig_tui.journal.sqlite.verify import back_up
from sprig_tui.journal.sqlite.writer import Writer
from sprig_tui.journal.statistics import Statistics, StatisticsRequest
from sprig_tui.journal.verify import VerifyReport

T = TypeVar("T")


class SQLiteJournal(Journal):
    """A journal in one file in WAL mode, shared by several tasks, threads and processes; writes take turns.

    Acknowledged writes survive a power cut, except leases and heartbeats.
    """

    def __init__(self, path: str | os.PathLike[str], *, clock: Clock | None = None, busy_timeout: float = 10.0) -> None:
        self.path = str(path)
        self.clock = clock or SystemClock()
        self.writes = WriteHistory()
        self._busy_timeout = busy_timeout
        self._writes = False
        """Whether this process writes, rather than only reads."""
        self._file_check = FileCheck(self.path)
        self._writer = Writer(self._connect, self.path, self._file_check.check)
        self._readers = ReaderPool(self.path, busy_timeout, self._file_check)
        self.retention = SQLiteRetention(self, self.clock)
        self._delivery = FileDelivery(self.path, self.clock, self._read, self._write)
        self._repairs = RepairLimiter(self.path, busy_timeout, self.clock, self._readers.run)

    async def open(self) -> None:
        make_folder(self.path)
        self._writer.start()
        try:
            # a process that only reads must need neither the write lock nor write permission
            if not await self._readers.is_current():
                await self._writer.run(lambda _: None)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        await self._writer.close()
        self._readers.close()

    def subscribe(self, on_notification: Callable[[Notification], None]) -> Callable[[], None]:  # noqa: ARG002 - SQLite sends none
        return lambda: None

    def _connect(self) -> sqlite3.Connection:
        return connect_writer(self.path, self._busy_timeout, self._file_check)

    async def _write(
        self, work: Callable[[sqlite3.Connection], T], *, durable: bool = True, if_awaited: bool = False
    ) -> T:
        """As Writer.run; after damage, rebuild what can be rebuilt, and retry."""
        self._writes = True
        repairs = self._repairs.done
        try:
            return await self._writer.run(work, durable=durable, skip_if_cancelled=if_awaited)
        except JournalCorruptError:
            if not await self._repairs.repair(since=repairs):
                raise
            return await self._writer.run(work, durable=durable, skip_if_cancelled=if_awaited)

    async def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """The result of a read; after damage, a process that also writes repairs the file and retries."""
        repairs = self._repairs.done
        try:
            return await self._readers.read(work)
        except DamagedPayloadError:
            raise
        except JournalCorruptError:
            if not self._writes or not await self._repairs.repair(since=repairs):
                raise
            return await self._readers.read(work)

    # -- adding ------------------------------------------------------------------------------------------------------

    async def add(self, entries: Sequence[NewDelivery], *, deadline: float | None = None) -> list[AddResult]:
        if deadline is None:
            return (await self.add_and_claim(entries, ()))[0]
        # a write that has not begun when the time is up is skipped
        adding = with_deadline(self._add(entries, (), skip_if_cancelled=True), deadline, self.path)
        return (await self.writes.track(adding))[0]

    async def add_and_claim(
        self, entries: Sequence[NewDelivery], claim_requests: Sequence[ClaimRequest]
    ) -> tuple[list[AddResult], tuple[Claim, ...]]:
        return await self.writes.track(self._add(entries, claim_requests))

    async def _add(
        self, entries: Sequence[NewDelivery], claim_requests: Sequence[ClaimRequest], *, skip_if_cancelled: bool = False
    ) -> tuple[list[AddResult], tuple[Claim, ...]]:
        if not entries:
            return [], ()
        return await self._write(
            lambda c: adding.AddOperation(c, self.clock.now()).add(entries, claim_requests),
            if_awaited=skip_if_cancelled,
        )

    # -- delivery --------------------------------------------------------------------------------------------------

    async def claim(self, request: ClaimRequest) -> Claim:
        return await self._delivery.claim(request)

    async def settle(self, claim: Claim, settlements: Sequence[Settlement], lane: LaneChange | None = None) -> int:
        return await self._delivery.settle(claim, settlements, lane)

    async def extend(self, claim: Claim, lease_ms: int) -> bool:
        return await self._delivery.extend(claim, lease_ms)

    async def release(self, claim: Claim) -> None:
        await self._delivery.release(claim)

    async def lanes(self, endpoint: str = "") -> dict[str, Lane]:
        return await self._read(lambda c: reading.read_lanes(c, endpoint))

    async def set_lane(
        self, environment: str, state: Literal["open", "paused"], cause: str = "", *, by: str = "", endpoint: str = ""
    ) -> Lane:
        return await self._write(lambda c: lanes.set_lane(c, environment, endpoint, state, cause, by, self.clock.now()))

    async def merge_endpoint(self, environment: str, endpoint: str) -> int:
        self._writes = True  # a worker calls this before it delivers
        if not await self._read(lambda c: lanes.count_bound_for(c, environment, endpoint)):
            return 0
        return await self._write(lambda c: lanes.merge_endpoint(c, environment, endpoint))

    async def withdraw(self, ids: Sequence[int]) -> WithdrawResult:
        return await self._write(lambda c: replays.withdraw(c, ids, self.clock.now()))

    # -- reading -----------------------------------------------------------------------------------------------------

    async def page(
        self, query: Query, *, cursor: int = 0, limit: int = 100, direction: Direction = "older", budget_ms: int = 0
    ) -> DeliveryPage:
        return await self._read(
            lambda c: reading.read_page(c, query, cursor, limit, older=direction == "older", budget_ms=budget_ms)
        )

    async def ids(
        self, query: Query, *, cursor: int = 0, limit: int = 10_000, direction: Direction = "older", budget_ms: int = 0
    ) -> IdPage:
        return await self._read(
            lambda c: reading.read_ids(c, query, cursor, limit, older=direction == "older", budget_ms=budget_ms)
        )

    async def get_many(self, ids: Sequence[int], query: Query = MATCH_ALL) -> tuple[Delivery, ...]:
        return await self._read(lambda c: reading.get_many(c, ids, query))

    async def count(self, query: Query, *, cap: int = 0) -> int:
        return await self._read(lambda c: reading.count_matches(c, query, cap))

    async def counts(self) -> Counts:
        return await self._read(reading.read_counts)

    async def repaired(self) -> dict[str, dict[State, int]]:
        return await self._read(reading.read_repaired)

    async def statistics(self, request: StatisticsRequest) -> Statistics:
        return await self._read(lambda c: counting.read_statistics(c, request, self.clock.now()))

    async def keep_counts(self, blocks: int = 8, *, spared: int = MAX_STALE_BLOCKS) -> int:
        stale = await self._readers.read(partial(counting.stale_blocks, spared=spared))
        for block, _ in stale[:blocks]:
            found = await self._readers.read(partial(counting.count_stale, block=block))
            if found is not None:
                # what a power cut undoes is done again
                await self._write(partial(counting.store_counts, block=block, found=found), durable=False)
        return max(0, len(stale) - blocks)

    async def recount(self) -> None:
        await self._write(tables.mark_all_stale)

    async def get(self, delivery_id: int) -> DeliveryDetail | None:
        return await self._read(lambda c: reading.get(c, delivery_id))

    async def bodies(self, ids: Sequence[int]) -> dict[int, bytes]:
        return await self._read(lambda c: reading.read_bodies(c, ids))

    async def find(self, environment: str, message_id: str) -> Delivery | None:
        return await self._read(lambda c: reading.find(c, environment, message_id))

    async def changes(self, cursor: str = "", *, limit: int = 1000) -> Changes:
        return await self._read(lambda c: reading.read_changes(c, cursor, limit))

    async def count_queued(self, first_id: int, last_id: int) -> int:
        return await self._read(lambda c: reading.count_queued(c, first_id, last_id))

    async def count_by_state(self, first_id: int, last_id: int) -> dict[tuple[State, str], int]:
        return await self._read(lambda c: reading.count_by_state(c, first_id, last_id))

    async def accepted(
        self, environment: str, *, since: int, until: int, endpoint: str = ""
    ) -> tuple[AcceptedBin, ...]:
        return await self._read(lambda c: reading.read_accepted(c, environment, since, until, endpoint))

    async def accepted_ids(self, environment: str, since: int, until: int, *, endpoint: str = "") -> tuple[int, ...]:
        return await self._read(lambda c: reading.read_accepted_ids(c, environment, since, until, endpoint))

    # -- replay ----------------------------------------------------------------------------------------------------

    async def requeue(
        self, ids: Sequence[int], *, as_new: bool = False, overrides: Mapping[str, str] = NO_OVERRIDES
    ) -> list[AddResult]:
        return await self._write(
            lambda c: replays.requeue(c, ids, self.clock.now(), as_new=as_new, overrides=overrides)
        )

    async def start_replay(
        self, query: Query, *, as_new: bool = False, overrides: Mapping[str, str] = NO_OVERRIDES
    ) -> ReplayJob:
        last_id, total = await self._read(lambda c: replays.replay_extent(c, query))
        return await self._write(
            lambda c: replays.start_replay(
                c, query, self.clock.now(), as_new=as_new, last_id=last_id, total=total, overrides=overrides
            )
        )

    async def step_replay(self, job_id: int, limit: int = 500) -> ReplayJob:
        return await self._write(lambda c: replays.step_replay(c, job_id, limit, self.clock.now()))

    async def set_replay(self, job_id: int, state: ReplayState) -> ReplayJob:
        return await self._write(lambda c: replays.set_replay_state(c, job_id, state))

    async def replays(self) -> list[ReplayJob]:
        return await self._read(replays.read_jobs)

    async def check_writable(self) -> None:
        await self._write(maintenance.check_writable)

    async def oldest_queued(self) -> dict[str, int]:
        return await self._read(maintenance.oldest_queued)

    async def identity(self) -> JournalIdentity:
        return await self._read(tables.read_identity)

    async def positions(self, kind: str) -> dict[str, bytes]:
        return await self._read(lambda c: tables.read_positions(c, kind))

    async def save_positions(self, kind: str, updates: Mapping[str, bytes], *, removed: Sequence[str] = ()) -> None:
        await self._write(lambda c: tables.save_positions(c, kind, updates, removed))

    async def verify(self, seconds: float | None = None) -> VerifyReport:
        if seconds is not None:
            return await self._read(lambda c: verifying.quick_check(c, seconds))
        return await self._read(verifying.verify)

    async def back_up(self, target: Path) -> int:
        """Write a consistent copy to a new file; returns its size in bytes.

        The backup has the identity of the journal. Raises SprigTuiError if it cannot be written, JournalCorruptError if
        the journal is damaged; then no file is left.
        """
        return await self._readers.read(lambda c: back_up(c, target))

    # -- workers and maintenance -------------------------------------------------------------------------------------

    async def heartbeat(self, worker: WorkerInfo) -> None:
        await self._write(lambda c: maintenance.record_heartbeat(c, worker, self.clock.now()), durable=False)

    async def unregister_worker(self, worker_id: str) -> None:
        await self._write(lambda c: maintenance.unregister_worker(c, worker_id), durable=False)

    async def workers(self) -> tuple[WorkerInfo, ...]:
        return await self._read(lambda c: maintenance.live_workers(c, self.clock.now()))

    async def worker_leases(self) -> tuple[WorkerLeases, ...]:
        return await self._read(lambda c: maintenance.worker_leases(c, self.clock.now()))

    async def prune(self, before: int, *, dry_run: bool = False, forget: bool = False) -> PruneResult:
        write = partial(self._write, durable=False)
        # a page that cannot be moved is no reason to repair the file
        give_back = partial(self._writer.run, durable=False)
        run = pruning.PruneRun(self._read, write, before, forget=forget, give_back=give_back)
        if dry_run:
            return await run.count()
        pruned = await run.delete()
        await run.clear_slack(self.path)
        await self.check_writable()  # brings all that was written to the disk
        await run.give_back_space()
        await asyncio.to_thread(empty_wal, self.path)
        return pruned

    async def tidy_tombstones(self) -> None:
        """Join the log of the tombstone filter into its bitmap, if it is due."""
        await pruning.PruneRun(self._read, self._write, 0, forget=False).tidy()

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """The result of `work` in one read transaction, for the modules beside this one."""
        return await self._read(work)

    async def write(self, work: Callable[[sqlite3.Connection], T], *, durable: bool = True) -> T:
        """The result of `work` in a transaction of the writer, for the modules beside this one."""
        return await self._write(work, durable=durable)

    async def tombstones(self) -> TombstoneCounts:
        return await self._read(tombstones.count_tombstones)

    # -- forgotten persons -------------------------------------------------------------------------------------------

    async def forgotten(self) -> tuple[ForgottenIdentifier, ...]:
        return await self._read(forgotten_persons.read_forgotten)

    async def forget_receipts(self) -> tuple[ForgetReceipt, ...]:
        return await self._read(forgotten_persons.read_receipts)

    async def begin_forget(self, identifiers: Sequence[Identifier], actor: str) -> int:
        return await self._write(lambda c: forgotten_persons.begin(c, identifiers, actor, self.clock.now()))

    async def find_persons(
        self, after: int, identifiers: Sequence[Identifier] = (), *, forgotten: bool = False
    ) -> PersonScan:
        matcher = None if forgotten else PersonMatcher.of(identifiers)
        return await self._read(lambda c: forgetting.scan(c, matcher, NameSearch(identifiers), after))

    async def forgotten_matcher(self) -> PersonMatcher:
        persons = await self._read(forgotten_persons.forgotten_persons)
        return persons.matcher if persons is not None else PersonMatcher.of(())

    async def erase(self, ids: Sequence[int]) -> EraseResult:
        return await self._write(lambda c: forgetting.erase(c, ids, self.clock.now()))

    async def erase_quotes(self) -> int:
        texts = await self._read(forgetting.quoting_texts)
        return await self._write(lambda c: forgetting.remove_quotes(c, texts)) if texts else 0

    async def end_forget(
        self, receipt: int, counts: Mapping[str, int], *, regulation: str = "", done: bool = True
    ) -> ForgetReceipt:
        return await self._write(
            lambda c: forgotten_persons.end(c, receipt, counts, regulation, self.clock.now(), done=done)
        )

    async def undo_forget(self, identifiers: Sequence[Identifier] | None, actor: str) -> int:
        return await self._write(lambda c: forgotten_persons.undo(c, identifiers, actor, self.clock.now()))

    async def scrub(self) -> bool:
        def run() -> bool:
            # a connection of its own: a file is not rewritten within a transaction
            with contextlib.closing(self._connect()) as connection:
                scrubbing.scrub(connection, self.path)
            return True

        try:
            return await asyncio.to_thread(run)
        except sqlite3.Error as error:
            raise journal_error(error, self.path) from error

    @property
    def forget_key_file(self) -> Path | None:
        return key_file_beside(self.path)
