"""The way of one claim: its request, the requests of its halves if it is refused, and what is written down."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from sprig_tui.delivery.bisect import Cuts, Stretch, halves
from sprig_tui.delivery.ledger import Ledger
from sprig_tui.delivery.retry import Decision, History, Policy
from sprig_tui.journal.records import Attempt, Claim, Settlement, State

if TYPE_CHECKING:
    from sprig_tui.segment.client import Answer


class Request(Struct):
    """One request on its way through the lane."""

    payload: bytes
    """Bodies joined by commas."""
    events: int
    retry_count: int
    started_at: int = 0
    """Wall time in ms at which it went onto the wire; 0 while it waits for that."""
    endpoint: str = ""
    """URL that it was made to."""


class Wire(Protocol):
    """What a flight needs of its lane."""

    @property
    def ledger(self) -> Ledger:
        """Where outcomes are written."""

    @property
    def policy(self) -> Policy:
        """The rules as they are now."""

    def now(self) -> int:
        """Wall time in ms."""

    def in_present_time(self, moments: tuple[int, ...]) -> tuple[int, ...]:
        """Wall times noted before, ms, as the clock of now would have told them; 0 stays 0."""

    async def send(self, claim: Claim, request: Request) -> Answer | None:
        """Wait for a connection and for the moment, then make the request; None when nothing may be sent any more."""

    def note(self, answer: Answer, decision: Decision, claim: Claim) -> None:
        """Hear what an answer led to, before it is written down."""


class Flight:
    """Carries one claim to its end: every delivery settled or given back."""

    def __init__(self, wire: Wire, claim: Claim) -> None:
        self.claim = claim
        self._wire = wire
        self._cuts = Cuts(claim)
        self._stack = [Stretch(0, len(claim.ids))]
        self._lane_told = False

    async def run(self) -> None:
        """Send until nothing is left or nothing more may be sent; whatever ends it, the rest is given back."""
        try:
            while self._stack:
                if not await self._carry(self._stack[-1]):
                    break
        except BaseException:
            # also for a fault of our own: the deliveries must not wait for the lease to run out
            await self._wire.ledger.last_words(self.claim, ())
            raise
        if self._stack:
            await self._wire.ledger.release(self.claim)

    async def _carry(self, stretch: Stretch) -> bool:
        """Send the stretch on top of the stack and write down what became of it; False to send nothing more."""
        span = slice(stretch.start, stretch.stop)
        began = self._wire.in_present_time(self.claim.first_attempts[span])
        history = History(self.claim.ids[span], self.claim.retries_used[span], began)
        # counts every request but the first, whatever it was answered, as Segment's clients do
        repeats = max(self.claim.attempts[span]) + stretch.splits
        request = Request(self._cuts.payload(stretch), len(stretch), repeats)
        try:
            answer = await self._wire.send(self.claim, request)
        except asyncio.CancelledError:
            if request.started_at:
                # Segment may have got it: the log says so, and the next request of these is a second attempt
                broken = Attempt(
                    started_at=request.started_at,
                    error="broken off by us",
                    outcome="retry",
                    events=len(stretch),
                    endpoint=request.endpoint,
                )
                back = Settlement(ids=history.ids, state=State.QUEUED, attempt=broken, error=broken.error)
                await self._wire.ledger.last_words(self.claim, (back,))
            raise
        if answer is None:
            return False
        attempt = Attempt(
            started_at=request.started_at,
            status=answer.status,
            error=answer.error,
            outcome=answer.kind,
            latency_ms=answer.latency_ms,
            events=len(stretch),
            body_bytes=answer.body_bytes,
            excerpt=answer.excerpt,
            endpoint=request.endpoint,
        )
        decision = self._wire.policy.decide(answer, history, attempt, self.claim.lane, self._wire.now())
        self._stack.pop()
        if decision.split:
            self._stack.extend(reversed(halves(stretch)))
        self._wire.note(answer, decision, self.claim)
        # the first change that is made under this claim's epoch ends that epoch: a second would be ignored
        change = None if self._lane_told else decision.lane
        self._lane_told = self._lane_told or change is not None
        await self._wire.ledger.settle(self.claim, decision.settlements, change)
        return not decision.halt
