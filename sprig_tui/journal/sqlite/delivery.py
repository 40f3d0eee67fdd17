"""Delivery from the file: claims and settlements, which go row by row once the file is found damaged."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from msgspec.structs import replace

from sprig_tui.errors import JournalCorruptError
from sprig_tui.journal.claim_rules import ClaimRequest, empty_claim
from sprig_tui.journal.payload_codec import DamagedPayloadError
from sprig_tui.journal.records import Claim, LaneChange, Settlement
from sprig_tui.journal.sqlite import claim as claims
from sprig_tui.journal.sqlite import forgetting, forgotten_persons
from sprig_tui.journal.sqlite import settle as settling
from sprig_tui.journal.sqlite.connection import RunWork
from sprig_tui.journal.sqlite.tables import with_damage_flag

if TYPE_CHECKING:
    from sprig_tui.clock import Clock

T = TypeVar("T")

MAX_UNWRITABLE_ROWS = 1_000
"""Number of rows of a damaged file that are found unwritable, one by one, before a claim fails."""

_log = logging.getLogger(__name__)


class RunWrite(Protocol):
    """Runs a function in a transaction of the file's writer."""

    async def __call__(
        self, work: Callable[[sqlite3.Connection], T], /, *, durable: bool = True, if_awaited: bool = False
    ) -> T:
        """The result of `work`; with `if_awaited` it is skipped once nobody waits for it."""
        ...


class FileDelivery:
    """Claims, settles, renews and releases; remembers what of the file cannot be read or written."""

    def __init__(self, path: str, clock: Clock, read: RunWork, write: RunWrite) -> None:
        self._path = path
        self._clock = clock
        self._read, self._write = read, write
        self._is_damaged = False
        """Whether damage was found in the file."""
        self._unreadable_ids: frozenset[int] = frozenset()

    async def claim(self, request: ClaimRequest) -> Claim:
        """Lease what is due, with its bodies; what is of forgotten persons is erased, what is damaged fails."""
        try:
            claim = await self._claim(request)
        except JournalCorruptError:
            claim = await self._claim_from_damaged(request)
        if not claim.lease:
            return claim
        try:
            bodies, theirs = await self._read(lambda c: forgotten_persons.read_claimed(c, claim))
            if theirs:
                claim, bodies = await asyncio.shield(self._without_forgotten(claim, bodies, theirs))
        except DamagedPayloadError as error:
            await asyncio.shield(self._fail_damaged(claim, error))
            return empty_claim(claim.lane, self._clock.now(), claim.endpoint)
        except BaseException:
            await asyncio.shield(self.release(claim))
            raise
        if not claim.ids:
            await self.release(claim)
            return empty_claim(claim.lane, self._clock.now(), claim.endpoint)
        return replace(claim, payload=b",".join(bodies))

    async def settle(self, claim: Claim, settlements: Sequence[Settlement], lane: LaneChange | None = None) -> int:
        """Record outcomes in one transaction, or where the file is damaged each that can be recorded."""
        try:
            return await self._settle(claim, settlements, lane)
        except JournalCorruptError:
            return await self._settle_in_damaged(claim, settlements, lane)

    async def extend(self, claim: Claim, lease_ms: int) -> bool:
        """Renew the lease; a power cut may undo that."""
        return await self._write(lambda c: claims.extend(c, claim, lease_ms, self._clock.now()), durable=False)

    async def release(self, claim: Claim) -> None:
        """Release what the claim still leases; a power cut may undo that."""
        await self._write(lambda c: claims.release(c, claim), durable=False)

    async def _without_forgotten(
        self, claim: Claim, bodies: list[bytes], theirs: Sequence[int]
    ) -> tuple[Claim, list[bytes]]:
        """The claim without the deliveries at these positions, which are erased."""
        ids = [claim.ids[at] for at in theirs]
        await self._write(lambda c: forgetting.erase(c, ids, self._clock.now(), lease=claim.lease))
        kept = [at for at in range(len(claim.ids)) if at not in {*theirs}]
        return claim.only(kept, b""), [bodies[at] for at in kept]

    async def _claim(self, request: ClaimRequest) -> Claim:
        return await self._write(
            lambda c: claims.claim_due(
                with_damage_flag(c, self._is_damaged), request, self._clock.now(), self._unreadable_ids
            ),
            durable=False,
            if_awaited=True,
        )

    async def _claim_from_damaged(self, request: ClaimRequest) -> Claim:
        """Claim all that fit, or the first delivery that can be updated.

        A readable row may be unwritable, because updating it needs a damaged page.
        """
        await self._mark_damaged()
        for _ in range(MAX_UNWRITABLE_ROWS):
            for some in (request, replace(request, events=1)):
                with contextlib.suppress(JournalCorruptError):
                    return await self._claim(some)
            first = await self._read(lambda c: claims.first_due_id(c, request, self._unreadable_ids))
            if first is None:
                break
            self._unreadable_ids |= {first}
        return await self._claim(request)

    async def _settle_in_damaged(self, claim: Claim, settlements: Sequence[Settlement], lane: LaneChange | None) -> int:
        """Settle one by one; deliveries that cannot be settled are not sent again by this process."""
        await self._mark_damaged()
        done = 0
        for settlement in settlements:
            for delivery_id in settlement.ids:
                try:
                    done += await self._settle(claim, (replace(settlement, ids=(delivery_id,)),), None)
                except JournalCorruptError:
                    self._unreadable_ids |= {delivery_id}
        if lane is not None:
            await self._settle(claim, (), lane)
        return done

    async def _mark_damaged(self) -> None:
        """From now on deliver row by row, and skip unreadable rows."""
        if not self._is_damaged:
            self._is_damaged = True
            _log.error(
                "the journal %s is damaged: what cannot be read stays queued, the rest is delivered; run: sprig-tui"
                " journal verify",
                self._path,
            )
        self._unreadable_ids |= await self._read(claims.unreadable_ids)

    async def _fail_damaged(self, claim: Claim, damaged: DamagedPayloadError) -> None:
        """Settle deliveries with damaged payloads as failed, and release the others."""
        _log.error("%s", damaged.message)
        await self._write(
            lambda c: settling.fail_and_release(
                with_damage_flag(c, self._is_damaged), claim, damaged.ids, self._clock.now()
            )
        )

    async def _settle(self, claim: Claim, settlements: Sequence[Settlement], lane: LaneChange | None) -> int:
        return await self._write(
            lambda c: settling.settle(
                with_damage_flag(c, self._is_damaged), claim, settlements, lane, self._clock.now()
            )
        )
