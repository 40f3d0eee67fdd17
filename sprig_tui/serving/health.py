"""What `/readyz` and `/metrics` tell: whether the journal takes writes now, and how the lanes are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from sprig_tui.delivery.metrics import DeliveryMetrics
from sprig_tui.errors import JournalError
from sprig_tui.journal.contract import Journal

LOOK_EVERY = 1.0
"""Seconds for which an answer holds: a look writes to the disk, and anyone may ask."""
LOOK_SECONDS = 2.0
"""A journal that takes longer for a look takes nothing now."""


class JournalHealth:
    """Asks the journal. A lane that waits or is paused makes nothing unready: what comes is stored, and waits.

    `trouble` tells, in words, what kept the last real write from being stored; empty where it was.
    """

    def __init__(self, journal: Journal, metrics: DeliveryMetrics, *, trouble: Callable[[], str] = lambda: "") -> None:
        self._journal = journal
        self._metrics = metrics
        self._trouble = trouble
        self._looking: asyncio.Task[tuple[bool, Mapping[str, Any]]] | None = None
        """One look at a time: those that hang must not pile up before the journal."""
        self._looked_at = float("-inf")
        self._found: tuple[bool, Mapping[str, Any]] = (False, {})

    async def ready(self) -> tuple[bool, Mapping[str, Any]]:
        """Whether the journal takes writes now, and what there is to know."""
        if self._looking is None and time.monotonic() - self._looked_at >= LOOK_EVERY:
            self._looking = asyncio.create_task(self._look())
        if (looking := self._looking) is not None:
            await asyncio.wait((looking,), timeout=LOOK_SECONDS)
            if not looking.done():
                return False, {"journal": self._trouble() or f"no answer within {LOOK_SECONDS:g} s", "lanes": {}}
            if self._looking is looking:
                self._found, self._looking, self._looked_at = looking.result(), None, time.monotonic()
        ready, facts = self._found
        trouble = self._trouble()
        return (False, {**facts, "journal": trouble}) if trouble else (ready, facts)

    async def _look(self) -> tuple[bool, Mapping[str, Any]]:
        try:
            await self._journal.check_writable()
            lanes = await self._journal.lanes()
        except JournalError as error:
            return False, {"journal": error.message, "lanes": {}}
        told = {
            name: {"state": lane.state, "cause": lane.cause, "until": lane.until, "last_status": lane.last_status}
            for name, lane in lanes.items()
            if name
        }
        return True, {"journal": "writable", "lanes": told}

    async def metrics(self) -> tuple[bytes, str]:
        """The text for Prometheus and its content type."""
        return await self._metrics.text(), self._metrics.content_type
