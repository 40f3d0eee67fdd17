"""PostgresJournal: the journal protocol over a pool of connections; the server coordinates the processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import asyncpg

from sprig_tui.clock import Clock
from sprig_tui.journal.accepted import AcceptedBin
from sprig_tui.journal.base import NO_OVERRIDES, Direction, Journal
from sprig_tui.journal.block_counts import MAX_STALE_BLOCKS
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.forgetting import EraseResult, ForgetReceipt, ForgottenIdentifier, PersonScan
from sprig_tui.journal.persons import Identifier, NameSearch, PersonMatcher
from sprig_tui.journal.postgres import add as adding
from sprig_tui.journal.postgres import claim as claims
from sprig_tui.journal.postgres import forgetting, forgotten_persons, maintenance, tables, tombstones
from sprig_tui.journal.postgres import read as reading
from sprig_tui.journal.postgres import replay as replays
from sprig_tui.journal.postgres import statistics as counting
from sprig_tui.journal.postgres.connection import ServerPool
from sprig_tui.journal.postgres.delivery import ServerDelivery
from sprig_tui.journal.postgres.forgotten_persons import ForgottenList
from sprig_tui.journal.postgres.notify import NotificationCallback, NotificationListener
from sprig_tui.journal.postgres.pruning import PruneRun
from sprig_tui.journal.postgres.retention import PostgresRetention
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
from sprig_tui.journal.statistics import Statistics, StatisticsRequest
from sprig_tui.journal.tombstone_filter import TombstoneFilter
from sprig_tui.journal.url import redact_url
from sprig_tui.journal.verify import VerifyReport

_NOTIFY_INTERVAL_S = 0.1
"""Minimum seconds between two notifications about adds: each takes a lock that the whole server shares."""


class PostgresJournal(Journal):
    """A journal in a PostgreSQL database, shared by any number of processes on any number of machines.

    `url` is a libpq URL: `postgresql://user@host:5432/database?sslmode=verify-full`; passwords may also come from
    PGPASSFILE or PGPASSWORD. The schema is created by `migrate`. Acknowledged writes survive a power cut as far as the
    server's `synchronous_commit` allows, except leases and heartbeats. Belongs to one event loop.
    """

    def __init__(self, url: str, *, clock: Clock | None = None, key_folder: Path | None = None) -> None:
        """`key_folder` holds the key of the list of forgotten persons."""
        self.url = url
        # cleared on each new connection, because the server may be another or a restored one
        self._environment_numbers: dict[tuple[str, str], int] = {}
        self._server = ServerPool(url, on_connect=self._environment_numbers.clear)
        self._listener = NotificationListener(url)
        self.retention = PostgresRetention(self, self._server)
        self.clock: Clock = clock or self._server.clock
        self.writes = WriteHistory()
        self._tombstone_filter = TombstoneFilter()
        self._forgotten = ForgottenList(key_folder)
        self.delivery = ServerDelivery(self._server, self.clock, self._forgotten, self._environment_number)
        self._notified_at = float("-inf")

    async def open(self) -> None:
        """Connect, and check the schema; `migrate` creates it."""
        await self._server.open()
        self._forgotten.use_identity(self._server.identity)

    async def close(self) -> None:
        """Finish what is on its way, then let go."""
        await self._listener.close()
        await self._server.close()

    def subscribe(self, on_notification: NotificationCallback) -> Callable[[], None]:
        return self._listener.subscribe(on_notification)

    async def _environment_number(self, connection: asyncpg.Connection, environment: str, endpoint: str = "") -> int:
        """The number of an environment and an endpoint (empty for its own), cached."""
        number = self._environment_numbers.get((environment, endpoint))
        if number is None:
            number = await tables.environment_number(connection, environment, endpoint)
            self._environment_numbers[environment, endpoint] = number
        return number

    # -- adding ------------------------------------------------------------------------------------------------------

    async def add(self, entries: Sequence[NewDelivery], *, deadline: float | None = None) -> list[AddResult]:
        storing = self._add(entries)
        if deadline is not None:
            storing = with_deadline(storing, deadline, redact_url(self.url))
        return await self.writes.track(storing)

    async def _add(self, entries: Sequence[NewDelivery]) -> list[AddResult]:
        if not entries:
            return []

        async def work(connection: asyncpg.Connection) -> list[AddResult]:
            if self._forgotten.is_stale:
                await self._forgotten.refresh(connection)
            persons = self._forgotten.persons
            taken = entries if persons is None else persons.withhold(entries)
            places = {(entry.environment, entry.endpoint) for entry in taken}
            numbers = {place: await self._environment_number(connection, *place) for place in places}
            # look up and store in separate statements, so that no lock is held while the client decides
            plan = await adding.make_plan(connection, taken, self._tombstone_filter)
            try:
                first = await adding.store_plan(
                    connection,
                    plan,
                    numbers,
                    self.clock.now(),
                    notify=self._should_notify(),
                    forget_version=persons.version if persons is not None else 0,
                )
            except asyncpg.SerializationError:
                self._forgotten.is_stale = True  # the cause may be that the list has changed
                raise
            return plan.results(first)

        return await self._server.call_with_retries(work)

    async def add_and_claim(
        self,
        entries: Sequence[NewDelivery],
        claim_requests: Sequence[ClaimRequest],  # noqa: ARG002 - any free worker on any machine claims them
    ) -> tuple[list[AddResult], tuple[Claim, ...]]:
        return await self.add(entries), ()

    def _should_notify(self) -> bool:
        now = time.monotonic()
        if now - self._notified_at < _NOTIFY_INTERVAL_S:
            return False
        self._notified_at = now
        return True

    # -- delivery --------------------------------------------------------------------------------------------------

    async def claim(self, request: ClaimRequest) -> Claim:
        return await self.delivery.claim(request)

    async def settle(self, claim: Claim, settlements: Sequence[Settlement], lane: LaneChange | None = None) -> int:
        return await self.delivery.settle(claim, settlements, lane)

    async def extend(self, claim: Claim, lease_ms: int) -> bool:
        return await self.delivery.extend(claim, lease_ms)

    async def release(self, claim: Claim) -> None:
        await self.delivery.release(claim)

    async def lanes(self, endpoint: str = "") -> dict[str, Lane]:
        return await self._server.execute(lambda c: reading.read_lanes(c, endpoint))

    async def set_lane(
        self, environment: str, state: Literal["open", "paused"], cause: str = "", *, by: str = "", endpoint: str = ""
    ) -> Lane:

        async def work(connection: asyncpg.Connection) -> Lane:
            number = await self._environment_number(connection, environment, endpoint)
            return await claims.set_lane(connection, environment, number, state, cause, by, self.clock.now())

        return await self._server.call_with_retries(work)

    async def merge_endpoint(self, environment: str, endpoint: str) -> int:
        if not await self._server.execute(lambda c: claims.count_bound_for(c, environment, endpoint)):
            return 0

        async def work(connection: asyncpg.Connection) -> int:
            own = await self._environment_number(connection, environment)
            return await claims.merge_endpoint(
                connection, own, await self._environment_number(connection, environment, endpoint)
            )

        return await self._server.transact(work)

    async def withdraw(self, ids: Sequence[int]) -> WithdrawResult:
        return await self._server.call_with_retries(lambda c: replays.withdraw(c, ids, self.clock.now()))

    # -- reading -----------------------------------------------------------------------------------------------------

    async def page(
        self, query: Query, *, cursor: int = 0, limit: int = 100, direction: Direction = "older", budget_ms: int = 0
    ) -> DeliveryPage:
        return await self._server.execute(
            lambda c: reading.read_page(c, query, cursor, limit, older=direction == "older", budget_ms=budget_ms)
        )

    async def ids(
        self, query: Query, *, cursor: int = 0, limit: int = 10_000, direction: Direction = "older", budget_ms: int = 0
    ) -> IdPage:
        return await self._server.execute(
            lambda c: reading.read_ids(c, query, cursor, limit, older=direction == "older", budget_ms=budget_ms)
        )

    async def get_many(self, ids: Sequence[int], query: Query = MATCH_ALL) -> tuple[Delivery, ...]:
        return await self._server.execute(lambda c: reading.get_many(c, ids, query))

    async def count(self, query: Query, *, cap: int = 0) -> int:
        return await self._server.execute(lambda c: reading.count_matches(c, query, cap))

    async def counts(self) -> Counts:
        return await self._server.execute(reading.read_counts)

    async def repaired(self) -> dict[str, dict[State, int]]:
        return await self._server.execute(reading.read_repaired)

    async def statistics(self, request: StatisticsRequest) -> Statistics:
        return await self._server.execute(lambda c: counting.read_statistics(c, request, self.clock.now()))

    async def keep_counts(self, blocks: int = 8, *, spared: int = MAX_STALE_BLOCKS) -> int:
        stale = await self._server.execute(partial(counting.stale_blocks, spared=spared))
        for block, _ in stale[:blocks]:
            found = await self._server.execute(partial(counting.count_stale, block=block))
            if found is not None:
                await self._server.transact(partial(counting.store_counts, block=block, found=found))
        return max(0, len(stale) - blocks)

    async def recount(self) -> None:
        await self._server.transact(counting.mark_all_stale)

    async def get(self, delivery_id: int) -> DeliveryDetail | None:
        return await self._server.execute(lambda c: reading.get(c, delivery_id))

    async def bodies(self, ids: Sequence[int]) -> dict[int, bytes]:
        return await self._server.execute(lambda c: reading.read_bodies(c, ids))

    async def find(self, environment: str, message_id: str) -> Delivery | None:
        return await self._server.execute(lambda c: reading.find(c, environment, message_id))

    async def changes(self, cursor: str = "", *, limit: int = 1000) -> Changes:
        return await self._server.execute(lambda c: reading.read_changes(c, cursor, limit))

    async def count_queued(self, first_id: int, last_id: int) -> int:
        return await self._server.execute(lambda c: reading.count_queued(c, first_id, last_id))

    async def count_by_state(self, first_id: int, last_id: int) -> dict[tuple[State, str], int]:
        return await self._server.execute(lambda c: reading.count_by_state(c, first_id, last_id))

    async def accepted(
        self, environment: str, *, since: int, until: int, endpoint: str = ""
    ) -> tuple[AcceptedBin, ...]:
        return await self._server.execute(lambda c: reading.read_accepted(c, environment, since, until, endpoint))

    async def accepted_ids(self, environment: str, since: int, until: int, *, endpoint: str = "") -> tuple[int, ...]:
        return await self._server.execute(lambda c: reading.read_accepted_ids(c, environment, since, until, endpoint))

    # -- replay ----------------------------------------------------------------------------------------------------

    async def requeue(
        self, ids: Sequence[int], *, as_new: bool = False, overrides: Mapping[str, str] = NO_OVERRIDES
    ) -> list[AddResult]:

        async def work(connection: asyncpg.Connection) -> list[AddResult]:
            persons = await self._forgotten.refresh(connection)
            return await replays.requeue(
                connection, ids, self.clock.now(), as_new=as_new, overrides=overrides, persons=persons
            )

        return await self._server.transact(work)

    async def start_replay(
        self, query: Query, *, as_new: bool = False, overrides: Mapping[str, str] = NO_OVERRIDES
    ) -> ReplayJob:
        return await self._server.execute(
            lambda c: replays.start_replay(c, query, self.clock.now(), as_new=as_new, overrides=overrides)
        )

    async def step_replay(self, job_id: int, limit: int = 500) -> ReplayJob:

        async def work(connection: asyncpg.Connection) -> ReplayJob:
            persons = await self._forgotten.refresh(connection)
            return await replays.step_replay(connection, job_id, limit, self.clock.now(), persons)

        return await self._server.transact(work)

    async def set_replay(self, job_id: int, state: ReplayState) -> ReplayJob:
        return await self._server.execute(lambda c: replays.set_replay_state(c, job_id, state))

    async def replays(self) -> list[ReplayJob]:
        return await self._server.execute(replays.read_jobs)

    async def check_writable(self) -> None:
        await self._server.transact(maintenance.check_writable)

    async def durability_warnings(self) -> tuple[str, ...]:
        """Reasons why the server may lose acknowledged writes, as sentences; empty for none."""
        return await self._server.execute(maintenance.durability_warnings)

    async def oldest_queued(self) -> dict[str, int]:
        return await self._server.execute(maintenance.oldest_queued)

    async def identity(self) -> JournalIdentity:
        return await self._server.execute(tables.read_identity)

    async def positions(self, kind: str) -> dict[str, bytes]:
        return await self._server.execute(lambda c: tables.read_positions(c, kind))

    async def save_positions(self, kind: str, updates: Mapping[str, bytes], *, removed: Sequence[str] = ()) -> None:
        await self._server.transact(lambda c: tables.save_positions(c, kind, updates, removed))

    async def verify(self, seconds: float | None = None) -> VerifyReport:
        return await self._server.execute(maintenance.verify if seconds is None else maintenance.quick_check)

    # -- workers and maintenance -------------------------------------------------------------------------------------

    async def heartbeat(self, worker: WorkerInfo) -> None:
        await self._server.execute(lambda c: maintenance.record_heartbeat(c, worker, self.clock.now()))

    async def unregister_worker(self, worker_id: str) -> None:
        await self._server.execute(lambda c: maintenance.unregister_worker(c, worker_id))

    async def workers(self) -> tuple[WorkerInfo, ...]:
        return await self._server.execute(lambda c: maintenance.live_workers(c, self.clock.now()))

    async def worker_leases(self) -> tuple[WorkerLeases, ...]:
        return await self._server.execute(lambda c: maintenance.worker_leases(c, self.clock.now()))

    async def prune(self, before: int, *, dry_run: bool = False, forget: bool = False) -> PruneResult:
        run = PruneRun(self._server, before, forget=forget)
        return await (run.count() if dry_run else run.delete())

    async def tidy_tombstones(self) -> None:
        """Join the log of the tombstone filter into its bitmap, if it is due."""
        await PruneRun(self._server, 0, forget=False).tidy()

    async def tombstones(self) -> TombstoneCounts:
        return await self._server.execute(tombstones.count_tombstones)

    # -- forgotten persons -------------------------------------------------------------------------------------------

    async def forgotten(self) -> tuple[ForgottenIdentifier, ...]:
        return await self._server.execute(forgotten_persons.read_forgotten)

    async def forget_receipts(self) -> tuple[ForgetReceipt, ...]:
        return await self._server.execute(forgotten_persons.read_receipts)

    async def begin_forget(self, identifiers: Sequence[Identifier], actor: str) -> int:
        return await self._server.transact(
            lambda c: forgotten_persons.begin(c, self._forgotten, identifiers, actor, self.clock.now())
        )

    async def find_persons(
        self, after: int, identifiers: Sequence[Identifier] = (), *, forgotten: bool = False
    ) -> PersonScan:

        async def work(connection: asyncpg.Connection) -> PersonScan:
            matcher = PersonMatcher.of(identifiers)
            if forgotten:
                persons = await self._forgotten.refresh(connection)
                if persons is None:
                    return PersonScan((), after, more=False, scanned=0)
                matcher = persons.matcher
            return await forgetting.scan(connection, matcher, NameSearch(identifiers), after)

        return await self._server.execute(work)

    async def forgotten_matcher(self) -> PersonMatcher:
        persons = await self._server.execute(self._forgotten.refresh)
        return persons.matcher if persons is not None else PersonMatcher.of(())

    async def erase(self, ids: Sequence[int]) -> EraseResult:

        async def work(connection: asyncpg.Connection) -> EraseResult:
            persons = await self._forgotten.refresh(connection)
            if persons is None or not ids:
                return EraseResult({})
            return await forgetting.erase(connection, persons, ids, self.clock.now())

        return await self._server.transact(work)

    async def erase_quotes(self) -> int:

        async def work(connection: asyncpg.Connection) -> list[str]:
            persons = await self._forgotten.refresh(connection)
            return [] if persons is None else await forgetting.quoting_texts(connection, persons)

        texts = await self._server.execute(work)
        return await self._server.transact(lambda c: forgetting.remove_quotes(c, texts)) if texts else 0

    async def end_forget(
        self, receipt: int, counts: Mapping[str, int], *, regulation: str = "", done: bool = True
    ) -> ForgetReceipt:
        return await self._server.transact(
            lambda c: forgotten_persons.end(c, receipt, counts, regulation, self.clock.now(), done=done)
        )

    async def undo_forget(self, identifiers: Sequence[Identifier] | None, actor: str) -> int:
        return await self._server.transact(
            lambda c: forgotten_persons.undo(c, self._forgotten, identifiers, actor, self.clock.now())
        )

    async def scrub(self) -> bool:
        return False

    @property
    def forget_key_file(self) -> Path | None:
        return self._forgotten.file
