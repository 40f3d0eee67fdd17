"""Latency of claim and settle, alone and with a long history of delivered rows."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Self

import asyncpg
from full_journal import fill_journal
from msgspec import Struct
from shared_jobs import chunks

from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.open import open_journal
from sprig_tui.journal.records import Attempt, NewDelivery, Settlement, State


class Latencies(Struct, frozen=True):
    """Milliseconds of one call, and microseconds of CPU of a delivery."""

    claim_p50: float
    claim_p99: float
    settle_p50: float
    settle_p99: float
    rate: float
    """Deliveries claimed and settled per second by one task."""
    server_us: float = 0.0
    """CPU of the server for claiming and settling one."""
    add_us: float = 0.0
    """CPU of the server for adding one."""

    @classmethod
    def of_all(cls, runs: Sequence[Self]) -> Self:
        """The median of each figure."""
        return cls(*(statistics.median(getattr(run, name) for run in runs) for name in cls.__struct_fields__))


async def measure_latencies(
    place: str, entries: Sequence[NewDelivery], batch: int, *, cpu: Callable[[], float] = lambda: 0.0
) -> Latencies:
    """Add the entries, then claim and settle them in batches, as one worker does."""
    claims: list[float] = []
    settles: list[float] = []
    async with open_journal(place) as journal:
        start = cpu()
        for some in chunks(entries):
            await journal.add(some)
        filled = cpu()
        began = time.perf_counter()
        while True:
            before = time.perf_counter()
            taken = await journal.claim(
                ClaimRequest("production", events=batch, payload_bytes=2_000_000, lease_ms=60_000)
            )
            if not taken.lease:
                break
            between = time.perf_counter()
            attempt = Attempt(started_at=time.time_ns() // 1_000_000, status=200, latency_ms=38, events=len(taken.ids))
            done = await journal.settle(taken, [Settlement(ids=taken.ids, state=State.DELIVERED, attempt=attempt)])
            assert done == len(taken.ids)
            claims.append(between - before)
            settles.append(time.perf_counter() - between)
        seconds = time.perf_counter() - began
        settled = cpu()
    number = len(entries)
    return Latencies(
        *(1000 * one for one in (*_shares(claims), *_shares(settles))),
        number / seconds,
        (settled - filled) / number * 1e6,
        (filled - start) / number * 1e6,
    )


def _shares(times: Sequence[float]) -> tuple[float, float]:
    """Median and 99th percentile."""
    ordered = sorted(times)
    return statistics.median(ordered), ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]


async def write_history(url: str, rows: int) -> float:
    """Add and deliver this many rows; returns the seconds. Does not wait for the disk, to be faster."""
    connection = await asyncpg.connect(url)
    name = await connection.fetchval("SELECT current_database()")
    try:
        await connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
        began = time.perf_counter()
        async with open_journal(url) as journal:
            await fill_journal(journal, rows)
        await connection.execute(f'ALTER DATABASE "{name}" RESET synchronous_commit')
    finally:
        await connection.close()
    return time.perf_counter() - began
