"""What `/readyz` and `/metrics` tell: whether the journal takes writes now, and how the lanes are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from sprig_tui.delivery.metrics import DeliveryMetrics
from sprig_tui.errors import JournalError
from sprig_tui.journal.contract import Journal
from sprig_tui.journal.readiness import Readiness

LANES_TIMEOUT_S = 2.0
"""Seconds that reading the lanes may take: a journal that needs longer takes nothing now."""


class ReadinessCheck:
    """Asks the journal. A lane that waits or is paused makes nothing unready: what comes is stored, and waits.

    `trouble` tells, in words, what kept the last real write from being stored; empty where it was.
    """

    def __init__(
        self, journal: Journal, metrics: DeliveryMetrics, *, get_problem: Callable[[], str] = lambda: ""
    ) -> None:
        self._journal = journal
        self._metrics = metrics
        self._get_problem = get_problem
        self._readiness = Readiness(journal)

    async def ready(self) -> tuple[bool, Mapping[str, Any]]:
        """Whether the journal takes writes now, and what there is to know."""
        standing = await self._readiness.check()
        said = self._get_problem() or standing.message
        if not standing.ready or self._get_problem():
            return False, {"journal": said, "hint": standing.hint, "lanes": {}}
        try:
            async with asyncio.timeout(LANES_TIMEOUT_S):
                lanes = await self._journal.lanes()
        except JournalError as error:
            return False, {"journal": error.message, "hint": error.hint, "lanes": {}}
        except TimeoutError:
            return False, {
                "journal": f"the journal could not be read within {LANES_TIMEOUT_S:g} s",
                "hint": "",
                "lanes": {},
            }
        told = {
            name: {
                "state": lane.state,
                "cause": lane.cause,
                "reason": lane.reason or None,
                "until": lane.until,
                "last_status": lane.last_status,
            }
            for name, lane in lanes.items()
            if name
        }
        return True, {"journal": said, "lanes": told}

    async def metrics(self) -> tuple[bytes, str]:
        """The text for Prometheus and its content type."""
        return await self._metrics.render(), self._metrics.content_type
