"""Batch delivery: sends one claim, bisects it if Segment rejects it, and settles the results."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from sprig_tui.clock import Clock
from sprig_tui.config.secret_reader import process_secrets
from sprig_tui.delivery.clock_jumps import ClockJumpDetector
from sprig_tui.delivery.retry import RequestHistory, RetryDecision
from sprig_tui.delivery.sender import BatchRequest, RequestSender
from sprig_tui.delivery.settlement import SettlementWriter
from sprig_tui.delivery.suppressed_users import SuppressedUsers
from sprig_tui.journal.records import Attempt, Claim, Settlement, State
from sprig_tui.reasons import Reason

if TYPE_CHECKING:
    from sprig_tui.segment.client import SendResult


class BatchSlice(Struct, frozen=True, gc=False):
    """Neighbouring deliveries of a claim that are sent in one request: positions `start` to `stop`, exclusive."""

    start: int
    stop: int
    splits: int = 0
    """Rejected requests that contained these deliveries before."""

    def __len__(self) -> int:
        return self.stop - self.start


def split_in_halves(batch_slice: BatchSlice) -> tuple[BatchSlice, BatchSlice]:
    """The two halves, older first; `batch_slice` holds at least two events."""
    middle = (batch_slice.start + batch_slice.stop + 1) // 2
    return (
        BatchSlice(batch_slice.start, middle, batch_slice.splits + 1),
        BatchSlice(middle, batch_slice.stop, batch_slice.splits + 1),
    )


class PayloadSlicer:
    """Cuts slices out of a claim's payload without parsing it."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self._starts: list[int] = []

    def payload(self, batch_slice: BatchSlice) -> bytes:
        """Bodies of the slice, joined by commas; the whole payload is returned without a copy."""
        if len(batch_slice) == len(self._claim.sizes):
            return self._claim.payload
        if not self._starts:
            # each body but the last is followed by one comma
            self._starts = list(accumulate((size + 1 for size in self._claim.sizes), initial=0))
        return self._claim.payload[self._starts[batch_slice.start] : self._starts[batch_slice.stop] - 1]


def without_positions(claim: Claim, positions: Collection[int]) -> Claim:
    """The claim without the deliveries at these positions."""
    gone = set(positions)
    kept = [position for position in range(len(claim.ids)) if position not in gone]
    slicer = PayloadSlicer(claim)
    return claim.only(kept, b",".join(slicer.payload(BatchSlice(at, at + 1)) for at in kept))


class BatchListener(Protocol):
    """Lane, as its batches see it."""

    def on_result(self, result: SendResult, decision: RetryDecision) -> None:
        """Called with each result before it is settled."""

    @property
    def suppressed_users(self) -> SuppressedUsers:
        """The users whose deliveries must not be sent."""


class BatchContext(Struct, frozen=True):
    """Dependencies shared by all batches of a lane."""

    sender: RequestSender
    settlement_writer: SettlementWriter
    clock: Clock
    clock_jumps: ClockJumpDetector
    listener: BatchListener


class BatchDelivery:
    """Delivers one claim: every delivery of it is settled or released in the end."""

    def __init__(self, context: BatchContext, claim: Claim) -> None:
        self.claim = claim
        self._context = context
        self._slicer = PayloadSlicer(claim)
        self._pending_slices = [BatchSlice(0, len(claim.ids))]
        """What is to be sent, positions in the claim; the next one is the last."""
        self._lane_change_made = False

    async def run(self) -> None:
        """Send until nothing is left or nothing more may be sent, then release the rest."""
        try:
            await self._withhold_suppressed()
            while self._pending_slices:
                if not await self._send_slice(self._pending_slices[-1]):
                    break
        except BaseException:
            # also after an internal error: otherwise the deliveries would be blocked until the lease expires
            await self._context.settlement_writer.settle_and_release(self.claim, ())
            raise
        if self._pending_slices:
            await self._context.settlement_writer.release(self.claim)

    async def _withhold_suppressed(self) -> None:
        """Withhold the deliveries of suppressed users, here, since everything that is sent passes here."""
        users = self._context.listener.suppressed_users
        positions = users.positions(self.claim)
        if not positions:
            return
        ids = tuple(self.claim.ids[at] for at in positions)
        withheld = Settlement(ids=ids, state=State.WITHHELD, reason=Reason.SUPPRESSED, detail=users.detail)
        await self._context.settlement_writer.settle(self.claim, (withheld,), None)
        rest = without_positions(self.claim, positions)
        if not rest.ids:
            self._pending_slices.clear()
            # a probe that sent nothing has found out nothing: its lane waits for another
            await self._context.settlement_writer.release(self.claim)
            return
        self.claim, self._slicer = rest, PayloadSlicer(rest)
        self._pending_slices = [BatchSlice(0, len(rest.ids))]

    async def _send_slice(self, batch_slice: BatchSlice) -> bool:
        """Send the slice on top of the stack and settle the result; False to send nothing more."""
        sender, writer = self._context.sender, self._context.settlement_writer
        span = slice(batch_slice.start, batch_slice.stop)
        began = self._context.clock_jumps.check_and_adjust(self.claim.first_attempts[span])
        history = RequestHistory(self.claim.ids[span], self.claim.retries_used[span], began)
        # every request but the first counts, whatever its result, as in Segment's own clients
        retry_count = max(self.claim.attempts[span]) + batch_slice.splits
        request = BatchRequest(self._slicer.payload(batch_slice), len(batch_slice), retry_count)
        try:
            result = await sender.send(self.claim, request)
        except asyncio.CancelledError:
            if request.started_at:
                # Segment may have received it: log the attempt, so that the next request counts as a retry
                aborted = Attempt(
                    started_at=request.started_at,
                    error="aborted",
                    outcome="retry",
                    events=len(batch_slice),
                    endpoint=request.endpoint,
                )
                queued = Settlement(ids=history.ids, state=State.QUEUED, attempt=aborted, error=aborted.error)
                await writer.settle_and_release(self.claim, (queued,))
            raise
        if result is None:
            return False
        attempt = Attempt(
            started_at=request.started_at,
            status=result.status,
            error=result.error,
            outcome=result.kind,
            latency_ms=result.latency_ms,
            events=len(batch_slice),
            body_bytes=result.body_bytes,
            excerpt=result.excerpt,
            endpoint=request.endpoint,
        )
        now = self._context.clock.now()
        environment = sender.config.policy.environment
        # with OAuth it is the token that is rejected, or there is none
        rejects_key = result.kind == "key-refused" and environment.oauth is None
        if rejects_key and (key := environment.write_key) is not None:
            process_secrets.report_rejected(key)
        decision = sender.config.policy.decide(result, history, attempt, self.claim.lane, now)
        self._pending_slices.pop()
        if decision.split:
            self._pending_slices.extend(reversed(split_in_halves(batch_slice)))
        if decision.halt:
            sender.close_epoch(self.claim.lane.epoch)
        self._context.listener.on_result(result, decision)
        # the first lane change made under this claim's epoch ends the epoch; the journal would ignore a second
        change = None if self._lane_change_made else decision.lane
        self._lane_change_made = self._lane_change_made or change is not None
        await writer.settle(self.claim, decision.settlements, change)
        return not decision.halt
