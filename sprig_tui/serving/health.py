"""What `/readyz` and `/metrics` tell: whether the journal takes writes now, and how the lanes are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from sprig_tui.delivery.metrics import DeliveryMetrics
from sprig_tui.errors import JournalError
from sprig_tui.journal.contract import Journal

LOOK_EVERY = 1.0
"""Seconds for which an answer holds: a look writes to the disk, and anyone may ask."""


class JournalHealth:
    """Asks the journal. A lane that waits or is paused makes nothing unready: what comes is stored, and waits."""

    def __init__(self, journal: Journal, metrics: DeliveryMetrics) -> None:
        self._journal = journal
        self._metrics = metrics
        self._looking = asyncio.Lock()
        self._looked_at = float("-inf")
        self._found: tuple[bool, Mapping[str, Any]] = (False, {})

    async def ready(self) -> tuple[bool, Mapping[str, Any]]:
        """Whether the journal takes writes now, and what there is to know."""
        async with self._looking:
            if time.monotonic() - self._looked_at >= LOOK_EVERY:
                self._found = await self._look()
                self._looked_at = time.monotonic()
            return self._found

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
