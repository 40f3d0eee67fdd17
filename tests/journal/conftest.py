"""Fixtures: each kind of journal, and makers of entries, claims and attempts."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from typing import Literal

import pytest
from support.clocks import ManualClock
from support.records import make_entry

from sprig_tui.journal.base import Journal
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.open import open_journal
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import Attempt, NewDelivery, Settlement, State


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def journal(journal_place, clock, tmp_path) -> AsyncIterator[Journal]:
    """Each kind of journal, empty and open."""
    async with open_journal(journal_place, clock=clock, key_folder=tmp_path) as opened:
        yield opened


_numbers = itertools.count(1)


@pytest.fixture
def entry() -> Callable[..., NewDelivery]:
    """Make an entry; each is another answer unless told otherwise."""

    def make(environment: str = "production", **fields) -> NewDelivery:
        return make_entry(next(_numbers), environment, **fields)

    return make


@pytest.fixture
def claim(journal):
    """Claim with the numbers that most tests do not care about."""

    async def take(environment="production", *, on=None, **terms):
        terms = {"events": 2500, "payload_bytes": 475_000, "lease_ms": 60_000, **terms}
        return await (on or journal).claim(ClaimRequest(environment, **terms))

    return take


@pytest.fixture
def attempt(clock):
    """An attempt that started now."""

    def make(status: int = 200, **fields) -> Attempt:
        return Attempt(started_at=clock.now(), status=status, latency_ms=38.0, events=1, **fields)

    return make


@pytest.fixture
def deliver(journal, claim, attempt):
    """Claim what is due and settle it in this state."""

    async def run(state: State = State.DELIVERED, *, status: int = 200, **fields) -> tuple[int, ...]:
        taken = await claim()
        if taken.lease:
            await journal.settle(taken, [Settlement(ids=taken.ids, state=state, attempt=attempt(status), **fields)])
        return taken.ids

    return run


@pytest.fixture
def search():
    """Go through all pages of a search with a budget of 1 ms; the ids found, and how many calls it took."""

    async def run(journal: Journal, query: Query, direction: Literal["older", "newer"]) -> tuple[list[int], int]:
        found: list[int] = []
        cursor = calls = 0
        while True:
            page = await journal.page(query, cursor=cursor, limit=3, direction=direction, budget_ms=1)
            calls += 1
            ids = [one.id for one in page.deliveries]
            found += ids
            if not page.more:
                return sorted(found), calls
            cursor = page.reached or (ids[0] if direction == "older" else ids[-1])

    return run
