"""Deliveries that Segment took at given times, written into a journal without an engine."""

from __future__ import annotations

import itertools

from sprig_tui.journal.base import Journal
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.open import open_journal
from sprig_tui.journal.records import Attempt, Settlement, State
from support.records import make_entry

SEGMENT_URL = "https://api.segment.io"
_numbers = itertools.count(1)


async def deliver_at(
    journal: Journal, at: int, number: int, environment: str = "production", *, url: str = SEGMENT_URL
) -> tuple[int, ...]:
    """Journal so many answers, and settle them as taken at this time (ms since 1970) by this URL; returns the ids."""
    await journal.add([make_entry(next(_numbers), environment) for _ in range(number)])
    claim = await journal.claim(ClaimRequest(environment, events=2500, payload_bytes=10_000_000, lease_ms=60_000))
    attempt = Attempt(started_at=at, status=200, latency_ms=0.0, outcome="delivered", events=number, endpoint=url)
    await journal.settle(claim, [Settlement(ids=claim.ids, state=State.DELIVERED, attempt=attempt)])
    return claim.ids


async def write_journal(place: str, deliveries: list[tuple[int, int, str]], url: str) -> None:
    """A journal with deliveries: (time, how many, environment)."""
    async with open_journal(place) as journal:
        for at, number, environment in deliveries:
            await deliver_at(journal, at, number, environment, url=url)
