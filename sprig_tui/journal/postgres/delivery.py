"""Delivery from the server: claims and settlements, and the leases whose making or release was lost on the way."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import asyncpg
from msgspec.structs import replace

from sprig_tui.journal.claim_rules import MAX_LANE_WAIT_MS, ClaimRequest, empty_claim
from sprig_tui.journal.payload_codec import DAMAGED_ERROR, DamagedPayloadError
from sprig_tui.journal.postgres import claim as claims
from sprig_tui.journal.postgres import forgetting, forgotten_persons, payloads
from sprig_tui.journal.records import Claim, LaneChange, Settlement, State

if TYPE_CHECKING:
    from sprig_tui.clock import Clock
    from sprig_tui.journal.postgres.connection import ServerPool
    from sprig_tui.journal.postgres.forgotten_persons import ForgottenList

_ORPHANED_LEASE_TTL_S = MAX_LANE_WAIT_MS / 1000
"""Seconds for which releasing a lease of unknown length is retried."""

_log = logging.getLogger(__name__)


class EnvironmentNumber(Protocol):
    """Looks up the number of an environment and an endpoint (empty for its own)."""

    async def __call__(self, connection: asyncpg.Connection, environment: str, endpoint: str = "", /) -> int:
        """The number; it is stored where there was none."""
        ...


class ServerDelivery:
    """Claims, settles, renews and releases over the pool of a journal."""

    def __init__(
        self, server: ServerPool, clock: Clock, forgotten: ForgottenList, environment_number: EnvironmentNumber
    ) -> None:
        self._server = server
        self._clock = clock
        self._forgotten = forgotten
        self._environment_number = environment_number
        self.orphaned_leases: dict[int, float] = {}
        """Leases that the server may have made for this process, but whose response or release was lost, with the
        monotonic time of their expiry. Released until then: the server may make one after its release."""

    async def claim(self, request: ClaimRequest) -> Claim:
        """Lease what is due, with its bodies; what is of forgotten persons is erased, what is damaged fails."""
        lease = claims.new_lease_id()
        environment, endpoint = request.environment, request.endpoint

        async def claim_due(connection: asyncpg.Connection) -> tuple[Claim, bool]:
            number = await self._environment_number(connection, environment, endpoint)
            if self.orphaned_leases:
                await claims.release_orphaned(connection, self.orphaned_leases)
                self._drop_expired_orphans()
            try:
                claim, is_searched = await claims.claim_due(connection, request, number, lease, self._clock.now())
                if claim.lease or not (request.adopt and endpoint and claim.lane.state != "paused"):
                    return claim, is_searched
                own = await self._environment_number(connection, environment)
                if not await claims.adopt_queued(connection, own, number, request.events, self._clock.now()):
                    return claim, is_searched
                return await claims.claim_due(connection, request, number, lease, self._clock.now())
            except BaseException:
                # the server may have made the lease all the same, and a lease on a probe would block the whole lane
                self.orphaned_leases[lease] = time.monotonic() + request.lease_ms / 1000
                raise

        claim, is_searched = await self._server.execute(claim_due)
        return await self._read_claimed(claim, is_searched=is_searched) if claim.lease else claim

    async def _read_claimed(self, claim: Claim, *, is_searched: bool) -> Claim:
        """The claim with its payload; with `is_searched` some of its deliveries may be of forgotten persons."""
        try:
            if is_searched:
                claim = await asyncio.shield(self._without_forgotten(claim))
            payload = await self._server.execute(lambda c: payloads.read_bodies(c, claim.ids)) if claim.ids else []
        except DamagedPayloadError as error:
            await asyncio.shield(self._fail_damaged(claim, error))
            return empty_claim(claim.lane, self._clock.now(), claim.endpoint)
        except BaseException:
            await asyncio.shield(self.release(claim))
            raise
        if not claim.ids:
            await self.release(claim)
            return empty_claim(claim.lane, self._clock.now(), claim.endpoint)
        return replace(claim, payload=b",".join(payload))

    async def _without_forgotten(self, claim: Claim) -> Claim:
        """The claim without the deliveries of forgotten persons, which are erased."""

        async def work(connection: asyncpg.Connection) -> list[int]:
            persons = await self._forgotten.refresh(connection)
            if persons is None:
                return []
            theirs = await forgotten_persons.forgotten_positions(connection, persons, claim)
            if theirs:
                ids = [claim.ids[at] for at in theirs]
                await forgetting.erase(connection, persons, ids, self._clock.now(), lease=claim.lease)
            return theirs

        theirs = await self._server.transact(work)
        return claim.only([at for at in range(len(claim.ids)) if at not in {*theirs}], b"") if theirs else claim

    def _drop_expired_orphans(self) -> None:
        now = time.monotonic()
        self.orphaned_leases = {lease: until for lease, until in self.orphaned_leases.items() if until > now}

    async def _fail_damaged(self, claim: Claim, damaged: DamagedPayloadError) -> None:
        """Settle deliveries with damaged payloads as failed, and release the others."""
        _log.error("%s", damaged.message)
        await self.settle(claim, (Settlement(ids=damaged.ids, state=State.FAILED, error=DAMAGED_ERROR),))
        await self.release(claim)

    async def settle(self, claim: Claim, settlements: Sequence[Settlement], lane: LaneChange | None = None) -> int:
        """Record outcomes in one transaction."""

        async def work(connection: asyncpg.Connection) -> int:
            number = await self._environment_number(connection, claim.environment, claim.endpoint)
            return await claims.settle(connection, claim, number, settlements, lane, self._clock.now())

        if any(settlement.reason for settlement in settlements):
            return await self._server.transact(work)
        return await self._server.call_with_retries(work)

    async def extend(self, claim: Claim, lease_ms: int) -> bool:
        """Renew the lease; False if it has expired and was released."""

        async def work(connection: asyncpg.Connection) -> bool:
            number = await self._environment_number(connection, claim.environment, claim.endpoint)
            return await claims.extend(connection, claim, number, lease_ms, self._clock.now())

        return await self._server.execute(work)

    async def release(self, claim: Claim) -> None:
        """Release what the claim still leases; where that fails, the next claims try it again."""

        async def work(connection: asyncpg.Connection) -> None:
            await claims.release(
                connection, claim, await self._environment_number(connection, claim.environment, claim.endpoint)
            )

        try:
            await self._server.execute(work)
        except BaseException:
            self.orphaned_leases[claim.lease] = time.monotonic() + _ORPHANED_LEASE_TTL_S
            raise
