"""Progress of a run on stderr, with rate and time left, and the engine's log."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self

from sprig_tui.cli import diagnostics
from sprig_tui.clock import SystemClock
from sprig_tui.delivery.worker_table import format_orphaned_leases, orphaned_leases
from sprig_tui.errors import JournalError
from sprig_tui.formatting import format_duration

if TYPE_CHECKING:
    from sprig_tui.delivery.engine import Engine
    from sprig_tui.delivery.snapshot import EngineSnapshot, LaneSnapshot
    from sprig_tui.ingest.ingest import IngestResult
    from sprig_tui.journal.base import Journal
    from sprig_tui.sprig.reader import ReadProgress

REDRAW_INTERVAL_S = 0.1
ORPHAN_CHECK_AFTER_S = 1.0
"""Seconds without a settled delivery before orphaned leases are looked up."""


class RunProgress:
    """Progress line of one run, redrawn while the context is entered."""

    def __init__(
        self,
        engine: Engine | None,
        journal: Journal | None,
        *,
        read_progress: ReadProgress | None = None,
        total: int = 0,
    ) -> None:
        """`journal` tells which dead worker still holds deliveries; None: not asked."""
        self.ingested: IngestResult | None = None
        self._read_progress = read_progress
        self._engine = engine
        self._journal = journal
        self._queued = 0
        self._total = total
        self._is_waiting = total > 0
        self._line = diagnostics.ProgressLine()
        self._task: asyncio.Task[None] | None = None
        self._changed_at = time.monotonic()
        self._orphaned_text = ""

    def __enter__(self) -> Self:
        self._line.__enter__()
        self._task = asyncio.get_running_loop().create_task(self._redraw_loop())
        return self

    def __exit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
        self._line.__exit__()

    def begin_waiting(self) -> None:
        """Switch from records read to deliveries settled."""
        self._is_waiting = True
        self._total = len(self.ingested.ids) if self.ingested else 0
        self._queued = self._total

    def set_queued(self, queued: int) -> None:
        """Set the number of deliveries still queued."""
        if queued != self._queued:
            self._changed_at, self._orphaned_text = time.monotonic(), ""
        self._queued = queued

    async def _redraw_loop(self) -> None:
        while True:
            await self._check_orphans()
            if self._line.is_due:
                self._line.update(self._text())
            await asyncio.sleep(REDRAW_INTERVAL_S)

    async def _check_orphans(self) -> None:
        """Report once that a dead worker holds the remaining deliveries, and until when."""
        still = time.monotonic() - self._changed_at
        if self._journal is None or not self._is_waiting or not self._queued or still < ORPHAN_CHECK_AFTER_S:
            return
        self._changed_at = time.monotonic()
        with suppress(JournalError):
            text = format_orphaned_leases(await orphaned_leases(self._journal))
            if text and not self._orphaned_text and not diagnostics.is_terminal():
                diagnostics.info(f"{text}; then this continues")
            self._orphaned_text = text

    def _text(self) -> str:
        snapshot = self._engine.snapshot() if self._engine else None
        rate = snapshot.rate if snapshot else 0.0
        parts = []
        if self._is_waiting:
            done = self._total - self._queued
            parts.append(f"{done:,} of {self._total:,} settled")
        else:
            parts.append(self._reading_text())
        if snapshot:
            parts.append(f"delivered {sum(lane.delivered for lane in snapshot.environments.values()):,}")
            parts.append(f"{rate:,.0f}/s")
            if self._is_waiting:
                parts.append(diagnostics.time_left(self._total - self._queued, self._total, rate))
            parts.append(self._orphaned_text)
            parts.extend(lane_problems(snapshot))
        return "  ".join(part for part in parts if part)

    def _reading_text(self) -> str:
        if self.ingested is not None and self._read_progress is not None:
            return f"read {self.ingested.records:,}{_read_share(self._read_progress)}"
        return "reading"


def _read_share(reading: ReadProgress) -> str:
    if not reading.bytes_total:
        return ""
    return f" ({min(100, 100 * reading.bytes_read // reading.bytes_total)} %)"


def lane_problems(snapshot: EngineSnapshot) -> list[str]:
    """Problems of lanes, one phrase each."""
    found = [text for lane in snapshot.environments.values() if (text := _lane_problem(lane))]
    return [*found, snapshot.replay_error] if snapshot.replay_error else found


def _lane_problem(lane: LaneSnapshot) -> str:
    if lane.local_error:
        return f"{lane.environment}: {lane.local_error}"
    state = lane.lane.state
    if state == "open":
        return ""
    left = max(0, lane.lane.until - SystemClock().now()) / 1000
    wait = f" {format_duration(round(left))}" if state == "waiting" and left >= 1 else ""
    return f"{lane.environment} {state}{wait}: {lane.lane.cause}"


class _DiagnosticsHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        diagnostics.warning(record.getMessage())


@contextmanager
def engine_log(level: int = logging.WARNING) -> Iterator[None]:
    """Show log records of the package as messages on stderr."""
    logger, handler = logging.getLogger("sprig_tui"), _DiagnosticsHandler(level)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
