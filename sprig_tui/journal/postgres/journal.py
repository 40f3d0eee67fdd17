"""PostgresJournal: the contract over a pool of connections; the server does the coordinating."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, Self, TypeVar

import asyncpg
from msgspec.structs import replace

from sprig_tui.clock import Clock
from sprig_tui.errors import JournalLockedError
from sprig_tui.journal.address import shown
from sprig_tui.journal.claiming import Wanted, nothing
from sprig_tui.journal.contract import MAX_LANE_WAIT_MS, NOWHERE_ELSE
from sprig_tui.journal.lane_causes import cause_of, detail_text
from sprig_tui.journal.packing import DAMAGED, DamagedPayloadError
from sprig_tui.journal.pause_reason import manual
from sprig_tui.journal.postgres import (
    adding,
    claims,
    health,
    looking,
    packs,
    positions,
    replaying,
    settling,
    upkeep,
    verifying,
    workers,
)
from sprig_tui.journal.postgres.connecting import Server
from sprig_tui.journal.postgres.faults import PASSING
from sprig_tui.journal.postgres.listening import Hear, Listener
from sprig_tui.journal.postgres.texts import storable
from sprig_tui.journal.query import EVERYTHING, Query
from sprig_tui.journal.readiness import WriteHistory, within
from sprig_tui.journal.records import (
    Added,
    Changes,
    Claim,
    Counts,
    Delivery,
    Detail,
    Entry,
    Hold,
    Identity,
    Ids,
    JobState,
    Lane,
    LaneChange,
    Page,
    Pruned,
    ReplayJob,
    Settlement,
    State,
    Withdrawn,
    Worker,
)
from sprig_tui.journal.verifying import Verified

T = TypeVar("T")
Work = Callable[[asyncpg.Connection], Awaitable[T]]

_TRIES = 8
"""Of a transaction that met another; each time it finds what that one did."""
_LOST_S = MAX_LANE_WAIT_MS / 1000
"""Seconds for which a lease is given back again and again, where its length is not known."""
_CALL_OUT_EVERY_S = 0.1
"""Seconds between two notices of what was added: each takes a lock that the whole server shares."""

_log = logging.getLogger(__name__)


class PostgresJournal:
    """A journal in a PostgreSQL database, shared by any number of processes on any number of machines.

    `url` is what libpq takes: `postgresql://user@host:5432/database?sslmode=verify-full`; passwords are found as libpq
    finds them (PGPASSFILE, PGPASSWORD). The schema is made by `migrate`. What is acknowledged survives a power cut as
    far as the server's `synchronous_commit` says; only leases may be forgotten in one. Belongs to one event loop.
    """

    def __init__(self, url: str, *, clock: Clock | None = None) -> None:
        self.url = url
        # a number is no longer sure when the server may be another, or one restored
        self._numbers: dict[tuple[str, str], int] = {}
        self._server = Server(url, connected=self._numbers.clear)
        self._listener = Listener(url)
        self.clock: Clock = clock or self._server.clock
        self.writes = WriteHistory()
        self._called_out_at = float("-inf")
        self._lost: dict[int, float] = {}
        """Leases that the server may have given us, and nobody here uses: its answer was lost, or our giving back. Each
        until it has run out by itself (monotonic): the server may make it after we asked to give it back."""

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Connect, and check the schema; it is not made here (see `migrate`)."""
        await self._server.open()

    async def close(self) -> None:
        """Finish what is on its way, then let go."""
        await self._listener.close()
        await self._server.close()

    def subscribe(self, hear: Hear) -> Callable[[], None]:
        """See the contract."""
        return self._listener.subscribe(hear)

    # -- ways to the server --------------------------------------------------------------------------------------------

    async def _do(self, work: Work[T]) -> T:
        """Statements that each stand for themselves."""
        async with self._server.connection() as connection:
            return await work(connection)

    async def _call(self, work: Work[T]) -> T:
        """A change that is one statement: it ends at the server, so that no lock is held for as long as we sleep.

        Done again where another transaction got in between.
        """
        for _ in range(_TRIES):
            async with self._server.connection() as connection:
                try:
                    return await work(connection)
                except PASSING:
                    continue
        raise JournalLockedError(f"the journal {shown(self.url)} is too busy", hint="try again")

    async def _transact(self, work: Work[T]) -> T:
        """Statements that hold together; done again like a call."""

        async def whole(connection: asyncpg.Connection) -> T:
            async with connection.transaction():
                return await work(connection)

        return await self._call(whole)

    async def _number(self, connection: asyncpg.Connection, environment: str, endpoint: str = "") -> int:
        """The number of an environment and the endpoint that its deliveries are bound for; made on first use."""
        number = self._numbers.get((environment, endpoint))
        if number is None:
            number = await connection.fetchval(
                "SELECT environment_number($1::text, $2::text)", environment, storable(endpoint)
            )
            self._numbers[environment, endpoint] = number
        return number

    # -- what came in --------------------------------------------------------------------------------------------------

    async def add(self, entries: Sequence[Entry], *, deadline: float | None = None) -> list[Added]:
        """See the contract."""
        storing = self._add(entries)
        if deadline is not None:
            storing = within(storing, deadline, shown(self.url))
        return await self.writes.watched(storing)

    async def _add(self, entries: Sequence[Entry]) -> list[Added]:
        if not entries:
            return []

        async def work(connection: asyncpg.Connection) -> list[Added]:
            places = {(entry.environment, entry.endpoint) for entry in entries}
            numbers = {place: await self._number(connection, *place) for place in places}
            # looked up and stored apart: nothing is held while this side thinks
            plan = await adding.planned(connection, entries)
            first = await adding.store(connection, plan, numbers, self.clock.now(), call_out=self._may_call_out())
            return plan.outcome(first)

        return await self._call(work)

    async def add_and_claim(
        self,
        entries: Sequence[Entry],
        wanted: Sequence[Wanted],  # noqa: ARG002 - claims are for whoever is free first, on any machine
    ) -> tuple[list[Added], tuple[Claim, ...]]:
        """See the contract; claims none."""
        return await self.add(entries), ()

    def _may_call_out(self) -> bool:
        now = time.monotonic()
        if now - self._called_out_at < _CALL_OUT_EVERY_S:
            return False
        self._called_out_at = now
        return True

    # -- delivery ------------------------------------------------------------------------------------------------------

    async def claim(  # noqa: PLR0913 - see the contract
        self,
        environment: str,
        *,
        events: int,
        payload_bytes: int,
        lease_ms: int,
        rate: float = 0.0,
        owner: str = "",
        endpoint: str = "",
        adopt: bool = False,
        waited_until: int = 0,
    ) -> Claim:
        """See the contract."""
        wanted = Wanted(
            environment,
            events,
            payload_bytes,
            lease_ms,
            rate,
            owner,
            endpoint=endpoint,
            adopt=adopt,
            waited_until=waited_until,
        )
        lease = claims.new_lease()

        async def take(connection: asyncpg.Connection) -> Claim:
            number = await self._number(connection, environment, endpoint)
            if self._lost:
                await claims.release_lost(connection, self._lost)
                self._forget_what_ran_out()
            try:
                claim = await claims.take(connection, wanted, number, lease, self.clock.now())
                if claim.lease or not (adopt and endpoint and claim.lane.state != "paused"):
                    return claim
                own = await self._number(connection, environment)
                if not await claims.adopt(connection, own, number, events, self.clock.now()):
                    return claim
                return await claims.take(connection, wanted, number, lease, self.clock.now())
            except BaseException:
                # it may have been made all the same, and a lease on a probe would hold the whole lane up
                self._lost[lease] = time.monotonic() + lease_ms / 1000
                raise

        claim = await self._do(take)
        if not claim.lease:
            return claim
        try:
            payload = await self._do(lambda c: packs.bodies(c, claim.ids))
        except DamagedPayloadError as error:
            await asyncio.shield(self._set_aside(claim, error))
            return nothing(claim.lane, self.clock.now(), claim.endpoint)
        except BaseException:
            await asyncio.shield(self.release(claim))
            raise
        return replace(claim, payload=b",".join(payload))

    def _forget_what_ran_out(self) -> None:
        now = time.monotonic()
        self._lost = {lease: until for lease, until in self._lost.items() if until > now}

    async def _set_aside(self, claim: Claim, damaged: DamagedPayloadError) -> None:
        """Fail what cannot be read, so that it holds nothing else up, and give the rest back."""
        _log.error("%s", damaged.message)
        await self.settle(claim, (Settlement(ids=damaged.ids, state=State.FAILED, error=DAMAGED),))
        await self.release(claim)

    async def settle(self, claim: Claim, settlements: Sequence[Settlement], lane: LaneChange | None = None) -> int:
        """See the contract."""

        async def work(connection: asyncpg.Connection) -> int:
            number = await self._number(connection, claim.environment, claim.endpoint)
            return await settling.settle(connection, claim, number, settlements, lane, self.clock.now())

        return await self._call(work)

    async def extend(self, claim: Claim, lease_ms: int) -> bool:
        """See the contract."""

        async def work(connection: asyncpg.Connection) -> bool:
            number = await self._number(connection, claim.environment, claim.endpoint)
            return await claims.extend(connection, claim, number, lease_ms, self.clock.now())

        return await self._do(work)

    async def release(self, claim: Claim) -> None:
        """See the contract."""

        async def work(connection: asyncpg.Connection) -> None:
            await claims.release(connection, claim, await self._number(connection, claim.environment, claim.endpoint))

        try:
            await self._do(work)
        except BaseException:
            self._lost[claim.lease] = time.monotonic() + _LOST_S
            raise

    async def lanes(self, endpoint: str = "") -> dict[str, Lane]:
        """See the contract."""
        return await self._do(lambda c: looking.lanes(c, endpoint))

    async def set_lane(
        self, environment: str, state: Literal["open", "paused"], cause: str = "", *, endpoint: str = ""
    ) -> Lane:
        """See the contract."""

        async def work(connection: asyncpg.Connection) -> Lane:
            number = await self._number(connection, environment, endpoint)
            reason, detail = manual(state, storable(cause))
            row = await connection.fetchrow(
                "SELECT * FROM set_lane($1, $2, $3, $4, $5, $6)",
                number,
                state,
                cause_of(reason, detail),
                self.clock.now(),
                reason.value,
                detail_text(detail),
            )
            return claims.lane_of(environment, row)

        return await self._do(work)

    async def make_own(self, environment: str, endpoint: str) -> int:
        """See the contract."""
        if not await self._do(lambda c: claims.bound_for(c, environment, endpoint)):
            return 0

        async def work(connection: asyncpg.Connection) -> int:
            own = await self._number(connection, environment)
            return await claims.make_own(connection, own, await self._number(connection, environment, endpoint))

        return await self._transact(work)

    async def withdraw(self, ids: Sequence[int]) -> Withdrawn:
        """See the contract."""
        return await self._call(lambda c: replaying.withdraw(c, ids, self.clock.now()))

    # -- looking -------------------------------------------------------------------------------------------------------

    async def page(
        self,
        query: Query,
        *,
        cursor: int = 0,
        limit: int = 100,
        direction: Literal["older", "newer"] = "older",
        budget_ms: int = 0,
    ) -> Page:
        """See the contract."""
        return await self._do(
            lambda c: looking.page(c, query, cursor, limit, older=direction == "older", budget_ms=budget_ms)
        )

    async def ids(
        self,
        query: Query,
        *,
        cursor: int = 0,
        limit: int = 10_000,
        direction: Literal["older", "newer"] = "older",
        budget_ms: int = 0,
    ) -> Ids:
        """See the contract."""
        return await self._do(
            lambda c: looking.ids(c, query, cursor, limit, older=direction == "older", budget_ms=budget_ms)
        )

    async def rows(self, ids: Sequence[int], query: Query = EVERYTHING) -> tuple[Delivery, ...]:
        """See the contract."""
        return await self._do(lambda c: looking.rows(c, ids, query))

    async def count(self, query: Query, *, cap: int = 0) -> int:
        """See the contract."""
        return await self._do(lambda c: looking.count(c, query, cap))

    async def counts(self) -> Counts:
        """See the contract."""
        return await self._do(looking.counts)

    async def get(self, delivery_id: int) -> Detail | None:
        """See the contract."""
        return await self._do(lambda c: looking.get(c, delivery_id))

    async def find(self, environment: str, message_id: str) -> Delivery | None:
        """See the contract."""
        return await self._do(lambda c: looking.find(c, environment, message_id))

    async def changes(self, cursor: str = "", *, limit: int = 1000) -> Changes:
        """See the contract."""
        return await self._do(lambda c: looking.changes(c, cursor, limit))

    async def waiting(self, first_id: int, last_id: int) -> int:
        """See the contract."""
        return await self._do(lambda c: looking.waiting(c, first_id, last_id))

    async def tally(self, first_id: int, last_id: int) -> dict[tuple[State, str], int]:
        """See the contract."""
        return await self._do(lambda c: looking.tally(c, first_id, last_id))

    # -- replay --------------------------------------------------------------------------------------------------------

    async def requeue(
        self, ids: Sequence[int], *, as_new: bool = False, elsewhere: Mapping[str, str] = NOWHERE_ELSE
    ) -> list[Added]:
        """See the contract."""
        return await self._transact(
            lambda c: replaying.requeue(c, ids, self.clock.now(), as_new=as_new, elsewhere=elsewhere)
        )

    async def start_replay(
        self, query: Query, *, as_new: bool = False, elsewhere: Mapping[str, str] = NOWHERE_ELSE
    ) -> ReplayJob:
        """See the contract."""
        return await self._do(lambda c: replaying.start(c, query, self.clock.now(), as_new=as_new, elsewhere=elsewhere))

    async def step_replay(self, job_id: int, limit: int = 500) -> ReplayJob:
        """See the contract."""
        return await self._transact(lambda c: replaying.step(c, job_id, limit, self.clock.now()))

    async def set_replay(self, job_id: int, state: JobState) -> ReplayJob:
        """See the contract."""
        return await self._do(lambda c: replaying.set_state(c, job_id, state))

    async def replays(self) -> list[ReplayJob]:
        """See the contract."""
        return await self._do(replaying.jobs)

    # -- health --------------------------------------------------------------------------------------------------------

    async def check_writable(self) -> None:
        """See the contract."""
        await self._transact(health.write_probe)

    async def doubts(self) -> tuple[str, ...]:
        """Why the server may lose what it acknowledged, in words; nothing where it does not."""
        return await self._do(health.doubts)

    async def oldest_queued(self) -> dict[str, int]:
        """See the contract."""
        return await self._do(health.oldest_queued)

    # -- what it is, and how far inputs were read ----------------------------------------------------------------------

    async def identity(self) -> Identity:
        """See the contract."""
        return await self._do(positions.identity)

    async def positions(self, kind: str) -> dict[str, bytes]:
        """See the contract."""
        return await self._do(lambda c: positions.positions(c, kind))

    async def keep_positions(self, kind: str, kept: Mapping[str, bytes], *, forgotten: Sequence[str] = ()) -> None:
        """See the contract."""
        await self._transact(lambda c: positions.keep(c, kind, kept, forgotten))

    # -- whether it is whole -------------------------------------------------------------------------------------------

    async def verify(self, seconds: float | None = None) -> Verified:
        """See the contract."""
        return await self._do(verifying.verify if seconds is None else verifying.quick)

    # -- workers -------------------------------------------------------------------------------------------------------

    async def report(self, worker: Worker) -> None:
        """See the contract."""
        await self._do(lambda c: workers.report(c, worker, self.clock.now()))

    async def sign_off(self, worker_id: str) -> None:
        """See the contract."""
        await self._do(lambda c: workers.sign_off(c, worker_id))

    async def workers(self) -> tuple[Worker, ...]:
        """See the contract."""
        return await self._do(lambda c: workers.alive(c, self.clock.now()))

    async def holds(self) -> tuple[Hold, ...]:
        """See the contract."""
        return await self._do(lambda c: workers.holds(c, self.clock.now()))

    # -- upkeep --------------------------------------------------------------------------------------------------------

    async def prune(self, before: int, *, dry_run: bool = False) -> Pruned:
        """See the contract."""
        if dry_run:
            return await self._do(lambda c: upkeep.would_prune(c, before))
        total: Counter[State] = Counter()
        size = after = 0
        while True:
            start = after
            pruned, after = await self._transact(lambda c: upkeep.prune_stretch(c, before, start))  # noqa: B023 - awaited here
            total.update(pruned.by_state)
            size += pruned.bytes
            if not after:
                break
        unused = await self._do(lambda c: upkeep.unused_attempts(c, before))
        for at in range(0, len(unused), upkeep.STRETCH):
            await self._do(lambda c: upkeep.drop_attempts(c, unused[at : at + upkeep.STRETCH]))  # noqa: B023 - awaited here
        return Pruned(dict(total), size)
