"""Settlement writes: what a lane has begun to write when it is cancelled is written."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from support.engine_bench import Bench

from sprig_tui.delivery.settlement import SettlementWriter
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.records import Claim, Settlement, State

WRITES: dict[str, Callable[[SettlementWriter, Claim], Awaitable[None]]] = {
    "release": lambda writer, claim: writer.release(claim),
    "settle": lambda writer, claim: writer.settle(claim, [Settlement(ids=claim.ids, state=State.DELIVERED)], None),
}


class SlowJournal:
    """The real journal, whose writes of a claim wait until they may go on, as at a locked file."""

    def __init__(self, journal: Any) -> None:
        self._journal = journal
        self.begun, self.may_go_on = asyncio.Event(), asyncio.Event()

    async def release(self, *given: Any) -> None:
        await self._after_the_lock(self._journal.release, given)

    async def settle(self, *given: Any) -> None:
        await self._after_the_lock(self._journal.settle, given)

    async def _after_the_lock(self, write: Callable[..., Awaitable[None]], given: tuple[Any, ...]) -> None:
        self.begun.set()
        await self.may_go_on.wait()
        await write(*given)


@pytest.mark.parametrize("write", WRITES)
async def test_a_write_that_is_cancelled_is_finished_within_its_grace(bench: Bench, write: str) -> None:
    await bench.queue(range(3))
    request = ClaimRequest("production", events=3, payload_bytes=10**6, lease_ms=60_000)
    claim = await bench.journal.claim(request)
    journal: Any = SlowJournal(bench.journal)
    writer = SettlementWriter(journal, bench.time, lambda _: None)
    writing = asyncio.ensure_future(WRITES[write](writer, claim))
    await journal.begun.wait()
    writing.cancel()
    await asyncio.sleep(0)  # the cancellation arrives while the journal is locked
    journal.may_go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await writing
    if write == "settle":
        assert await bench.states(claim.ids) == [State.DELIVERED] * 3
    else:  # no lease is left that would block them until it expires
        assert (await bench.journal.claim(request)).ids == claim.ids
