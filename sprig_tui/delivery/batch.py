"""The way of one claim: its request, the requests of its halves if it is refused, and what is written down."""

from __future__ import annotations

import asyncio
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from sprig_tui.delivery.retry import RequestHistory, RetryDecision, RetryPolicy
from sprig_tui.delivery.settlement import SettlementWriter
from sprig_tui.journal.records import Attempt, Claim, Settlement, State

if TYPE_CHECKING:
    from sprig_tui.segment.client import SendResult


class BatchSlice(Struct, frozen=True, gc=False):
    """Neighbours in a claim that are sent as one request: positions `start` to `stop`, exclusive."""

    start: int
    stop: int
    splits: int = 0
    """Requests that carried these before and were refused."""

    def __len__(self) -> int:
        return self.stop - self.start


def split_in_halves(batch_slice: BatchSlice) -> tuple[BatchSlice, BatchSlice]:
    """The two halves, older first; `stretch` holds at least two events."""
    middle = (batch_slice.start + batch_slice.stop + 1) // 2
    return (
        BatchSlice(batch_slice.start, middle, batch_slice.splits + 1),
        BatchSlice(middle, batch_slice.stop, batch_slice.splits + 1),
    )


class PayloadSlicer:
    """Cuts stretches out of a claim's payload without parsing it."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self._starts: list[int] = []

    def payload(self, batch_slice: BatchSlice) -> bytes:
        """The bodies of a stretch, joined by commas; the whole payload is not copied."""
        if len(batch_slice) == len(self._claim.sizes):
            return self._claim.payload
        if not self._starts:
            # each body is followed by one comma, but for the last
            self._starts = list(accumulate((size + 1 for size in self._claim.sizes), initial=0))
        return self._claim.payload[self._starts[batch_slice.start] : self._starts[batch_slice.stop] - 1]


class BatchRequest(Struct):
    """One request on its way through the lane."""

    payload: bytes
    """Bodies joined by commas."""
    events: int
    retry_count: int
    started_at: int = 0
    """Wall time in ms at which it went onto the wire; 0 while it waits for that."""
    endpoint: str = ""
    """URL that it was made to."""


class BatchContext(Protocol):
    """What a flight needs of its lane."""

    @property
    def settlement_writer(self) -> SettlementWriter:
        """Where outcomes are written."""

    @property
    def policy(self) -> RetryPolicy:
        """The rules as they are now."""

    def now(self) -> int:
        """Wall time in ms."""

    def adjust_times(self, moments: tuple[int, ...]) -> tuple[int, ...]:
        """Wall times noted before, ms, as the clock of now would have told them; 0 stays 0."""

    async def send(self, claim: Claim, request: BatchRequest) -> SendResult | None:
        """Wait for a connection and for the moment, then make the request; None when nothing may be sent any more."""

    def record_result(self, result: SendResult, decision: RetryDecision, claim: Claim) -> None:
        """Hear what an answer led to, before it is written down."""


class BatchDelivery:
    """Carries one claim to its end: every delivery settled or given back."""

    def __init__(self, context: BatchContext, claim: Claim) -> None:
        self.claim = claim
        self._context = context
        self._slicer = PayloadSlicer(claim)
        self._pending_slices = [BatchSlice(0, len(claim.ids))]
        self._lane_change_made = False

    async def run(self) -> None:
        """Send until nothing is left or nothing more may be sent; whatever ends it, the rest is given back."""
        try:
            while self._pending_slices:
                if not await self._send_slice(self._pending_slices[-1]):
                    break
        except BaseException:
            # also for a fault of our own: the deliveries must not wait for the lease to run out
            await self._context.settlement_writer.settle_and_release(self.claim, ())
            raise
        if self._pending_slices:
            await self._context.settlement_writer.release(self.claim)

    async def _send_slice(self, batch_slice: BatchSlice) -> bool:
        """Send the stretch on top of the stack and write down what became of it; False to send nothing more."""
        span = slice(batch_slice.start, batch_slice.stop)
        began = self._context.adjust_times(self.claim.first_attempts[span])
        history = RequestHistory(self.claim.ids[span], self.claim.retries_used[span], began)
        # counts every request but the first, whatever it was answered, as Segment's clients do
        repeats = max(self.claim.attempts[span]) + batch_slice.splits
        request = BatchRequest(self._slicer.payload(batch_slice), len(batch_slice), repeats)
        try:
            answer = await self._context.send(self.claim, request)
        except asyncio.CancelledError:
            if request.started_at:
                # Segment may have got it: the log says so, and the next request of these is a second attempt
                broken = Attempt(
                    started_at=request.started_at,
                    error="broken off by us",
                    outcome="retry",
                    events=len(batch_slice),
                    endpoint=request.endpoint,
                )
                back = Settlement(ids=history.ids, state=State.QUEUED, attempt=broken, error=broken.error)
                await self._context.settlement_writer.settle_and_release(self.claim, (back,))
            raise
        if answer is None:
            return False
        attempt = Attempt(
            started_at=request.started_at,
            status=answer.status,
            error=answer.error,
            outcome=answer.kind,
            latency_ms=answer.latency_ms,
            events=len(batch_slice),
            body_bytes=answer.body_bytes,
            excerpt=answer.excerpt,
            endpoint=request.endpoint,
        )
        decision = self._context.policy.decide(answer, history, attempt, self.claim.lane, self._context.now())
        self._pending_slices.pop()
        if decision.split:
            self._pending_slices.extend(reversed(split_in_halves(batch_slice)))
        self._context.record_result(answer, decision, self.claim)
        # the first change that is made under this claim's epoch ends that epoch: a second would be ignored
        change = None if self._lane_change_made else decision.lane
        self._lane_change_made = self._lane_change_made or change is not None
        await self._context.settlement_writer.settle(self.claim, decision.settlements, change)
        return not decision.halt
