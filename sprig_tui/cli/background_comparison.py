"""Comparisons with Segment's counts in the background of `run` and `listen` (`[reconcile] every`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sprig_tui.clock import SystemClock

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from sprig_tui.config.settings import Settings
    from sprig_tui.journal.base import Journal
    from sprig_tui.reconcile.model import Report
    from sprig_tui.reconcile.periodic import PeriodicComparison

COMPARED_TIME_MS = 86_400_000
"""The last 24 hours, as those of the command `reconcile`."""


def background_comparison(settings: Settings, journal: Journal, registry: CollectorRegistry) -> PeriodicComparison:
    """The comparison that `run` of it makes every so often, with its gauges in this registry."""
    from sprig_tui.config.paths import find_paths
    from sprig_tui.reconcile.metrics import ReconcileMetrics
    from sprig_tui.reconcile.periodic import PeriodicComparison

    clock = SystemClock()

    async def compare(settings: Settings) -> Report:
        from sprig_tui.cli.workspace import public_api
        from sprig_tui.reconcile.run import reconcile

        now = clock.now()
        async with public_api(settings.workspace, on_wait=lambda _: None, unasked=True) as api:
            return await reconcile(
                settings,
                journal,
                api,
                environments=[name for name, found in settings.environments.items() if found.write_key is not None],
                since=now - COMPARED_TIME_MS,
                until=now,
                clock=clock,
                destinations=False,
            )

    return PeriodicComparison(settings, find_paths(), ReconcileMetrics(registry, clock), compare, clock=clock)
