"""Periodic comparison in the background of `run` and `listen`: `[reconcile] every`.

Of several processes on one machine one asks: each looks at the last report in the state folder, and asks only if it
is older than the interval and nobody else is asking. A comparison that fails is a log line and a gauge, never more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from sprig_tui.clock import Clock
from sprig_tui.config.paths import Paths
from sprig_tui.config.settings import Settings
from sprig_tui.errors import ConfigError, SprigTuiError
from sprig_tui.files import file_lock, make_folder
from sprig_tui.reconcile import last_report
from sprig_tui.reconcile.metrics import ReconcileMetrics
from sprig_tui.reconcile.model import Obstacle, Report
from sprig_tui.text import one_line

Compare = Callable[[Settings], Awaitable[Report]]
"""Ask Segment, and compare; raises SprigTuiError."""

LOOK_INTERVAL_S = 60.0
"""Between two looks at the last report: the console and the command `reconcile` write it too."""
MAX_COMPARISON_S = 900.0
"""A comparison that takes longer is cancelled."""
LOCK_FILE = "reconcile-every"
"""Locked, in the state folder, by the process that asks."""
_TEMPORARY = frozenset({Obstacle.UNREACHABLE, Obstacle.RATE_LIMITED})

_log = logging.getLogger(__name__)


class PeriodicComparison:
    """Comparisons every so often, with their metrics. `run` goes on until it is cancelled."""

    def __init__(
        self, settings: Settings, paths: Paths, metrics: ReconcileMetrics, compare: Compare, *, clock: Clock
    ) -> None:
        self._settings = settings
        self._paths = paths
        self._metrics = metrics
        self._compare = compare
        self._clock = clock
        self._changed = asyncio.Event()
        self._failed_at = 0
        """Time of the last failure, ms; 0 after a comparison that did not fail."""
        self._last_error = ""

    def reconfigure(self, settings: Settings) -> None:
        """Use these settings from now on."""
        self._settings = settings
        self._failed_at = 0
        self._changed.set()

    async def run(self) -> None:
        """Compare whenever it is due, until cancelled."""
        while True:
            self._changed.clear()
            try:
                wait_s = await self.step()
            except Exception as error:  # noqa: BLE001 - the outer edge: delivery goes on whatever happens here
                self._fail(error.message if isinstance(error, SprigTuiError) else f"{type(error).__name__}: {error}")
                wait_s = LOOK_INTERVAL_S
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()

    async def step(self) -> float | None:
        """Show the last report, and compare if it is due; returns the seconds to the next step, None for never."""
        settings = self._settings
        with_key = [name for name, found in settings.environments.items() if found.write_key is not None]
        if not settings.reconcile_every_s or settings.workspace.token is None or not with_key:
            self._metrics.show({})
            return None
        remaining_s = await self._look(with_key)
        if remaining_s > 0:
            return min(remaining_s, LOOK_INTERVAL_S)
        make_folder(self._paths.state_dir)
        try:
            with file_lock(self._paths.state_dir / LOCK_FILE, 0.0):
                # another process may just have asked
                if await self._look(with_key) <= 0:
                    await self._ask(settings)
        except ConfigError as error:
            if not isinstance(error.__cause__, TimeoutError):
                raise
            return LOOK_INTERVAL_S  # another process is asking
        return min(await self._look(with_key), LOOK_INTERVAL_S)

    async def _look(self, names: list[str]) -> float:
        """Show the last reports; returns in how many seconds the next comparison is due, 0 for now."""
        reports = await asyncio.to_thread(last_report.load_by_environment, self._paths)
        self._metrics.show({name: report for name, report in reports.items() if name in names})
        now = self._clock.now()
        return max(0, self._due_at(reports, names, now) - now) / 1000

    def _due_at(self, reports: Mapping[str, Report], names: list[str], now: int) -> int:
        every_ms = int(self._settings.reconcile_every_s * 1000)
        oldest = min(reports[name].asked_at if name in reports else 0 for name in names)
        if oldest > now:
            oldest = 0  # written under a clock far ahead
        # after a failure there is no newer report
        return max(oldest, self._failed_at) + every_ms

    async def _ask(self, settings: Settings) -> None:
        try:
            async with asyncio.timeout(MAX_COMPARISON_S):
                report = await self._compare(settings)
        except SprigTuiError as error:
            self._fail(error.message)
            return
        except TimeoutError:
            self._fail(f"it took longer than {MAX_COMPARISON_S / 60:g} minutes")
            return
        unheard = [one for one in report.environments if one.obstacle in _TEMPORARY]
        if len(unheard) == len(report.environments):
            # the report before says more
            self._fail(next((one.detail for one in unheard if one.detail), "Segment's Public API did not answer"))
            return
        await asyncio.to_thread(last_report.save, self._paths, report)
        self._failed_at, self._last_error = 0, ""
        self._metrics.set_failed(failed=False)

    def _fail(self, text: str) -> None:
        text = one_line(text)
        if text != self._last_error:
            _log.warning("the comparison with Segment's counts failed: %s", text)
        self._last_error = text
        self._failed_at = self._clock.now()
        self._metrics.set_failed(failed=True)
