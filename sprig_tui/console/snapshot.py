"""Console snapshot: the immutable state that the screen shows, and the poller that builds it."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from msgspec import Struct

from sprig_tui.console.environments.status import EnvironmentView, Level, view_of
from sprig_tui.console.session import Session
from sprig_tui.delivery.hold import hold_of
from sprig_tui.delivery.snapshot import EngineSnapshot
from sprig_tui.delivery.worker_table import orphaned_leases, orphaned_parts
from sprig_tui.errors import JournalError
from sprig_tui.journal.records import Counts, Lane, ReplayJob, State, WorkerLeases

if TYPE_CHECKING:
    from sprig_tui.config.environment import Environment
    from sprig_tui.config.paths import Paths
    from sprig_tui.console.reconcile.last import LastComparisons
    from sprig_tui.journal.base import Journal

ACTIVE_POLL_S = 0.1
IDLE_POLL_S = 1.0
"""Seconds between two polls."""
ORPHANS_INTERVAL_MS = 2_000
"""Milliseconds between two reads of the leases of dead workers."""
REPAIRED_INTERVAL_MS = 2_000
"""Milliseconds between two counts of the repaired deliveries."""
HISTORY_SAMPLES = 8
"""Seconds that the sparkline shows."""


class ConsoleSnapshot(Struct, frozen=True, kw_only=True):
    """State of the console at one moment; equal snapshots need no repaint."""

    environments: tuple[EnvironmentView, ...] = ()
    queued: int = 0
    failed: int = 0
    withheld: int = 0
    """Over all environments, unknown ones included."""
    repaired_failed: int = 0
    repaired_withheld: int = 0
    """Those whose place another delivery took; included in the numbers."""
    deliveries: int = 0
    """All in the journal, whatever their state."""
    replays: tuple[ReplayJob, ...] = ()
    """Bulk replays that run or are paused, newest first."""
    journal: str = "opening"
    """`opening`, the kind of journal, or `lost`."""
    trouble: str = ""
    moving: bool = False


def _make_comparisons(paths: Paths) -> LastComparisons:
    """The reader of the last comparisons; its code is loaded after the first paint."""
    from sprig_tui.console.reconcile.last import LastComparisons

    return LastComparisons(paths)


class SnapshotPoller:
    """Builds snapshots; keeps the last numbers while the journal cannot be read."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._counts = Counts({})
        self._lanes: dict[str, Lane] = {}
        self._oldest: dict[str, int] = {}
        """As of `Journal.oldest_queued`, while a lane is held."""
        self._fault = ""
        self._history: dict[str, deque[int]] = {}
        self._delivered: dict[str, int] = {}
        self._sampled_at = 0
        self._opened = False
        self._orphans: dict[str, list[WorkerLeases]] = {}
        self._orphans_at = 0
        self._repaired: dict[State, int] = {}
        self._repaired_at = 0
        self._repaired_of: tuple[int, ...] = ()
        """The counts of the journal as of which they were counted."""
        self._comparisons: LastComparisons | None = None

    async def poll(self) -> ConsoleSnapshot:
        """Check the journal's file, read the journal, and build a snapshot."""
        self._session.check_file()
        await self._read()
        await self._read_comparisons()
        return self.build()

    def build(self) -> ConsoleSnapshot:
        """Build a snapshot without reading the journal; before it is open, of the environments in the config."""
        session = self._session
        snapshot = session.engine.snapshot() if session.engine is not None else None
        now = session.clock.now()
        self._sample(snapshot, now)
        views = tuple(
            view_of(
                environment,
                lane=self._lanes.get(name),
                live=snapshot.environments.get(name) if snapshot else None,
                counts=self._counts.by_environment.get(name, {}),
                leased=self._counts.leased.get(name, 0),
                elsewhere=self._counts.queued_elsewhere.get(name, 0),
                history=tuple(self._history.get(name, ())),
                now=now,
                permissions=session.permissions,
                opened=self._opened,
                orphaned=orphaned_parts(self._orphans.get(name, ())),
                hold=hold_of(self._lanes[name], self._counts, self._oldest) if name in self._lanes else None,
                counted=self._counted(environment, now),
            )
            for name, environment in session.settings.environments.items()
        )
        replays = snapshot.replays if snapshot else ()
        return ConsoleSnapshot(
            environments=views,
            queued=max(0, self._total(State.QUEUED) - sum(self._counts.queued_elsewhere.values())),
            failed=self._total(State.FAILED),
            withheld=self._total(State.WITHHELD),
            repaired_failed=self._repaired.get(State.FAILED, 0),
            repaired_withheld=self._repaired.get(State.WITHHELD, 0),
            deliveries=sum(sum(states.values()) for states in self._counts.by_environment.values()),
            replays=replays,
            journal=self._journal_kind(),
            trouble=session.trouble or self._fault or (snapshot.replay_error if snapshot else ""),
            moving=any(
                view.rate or view.in_flight or (view.queued and view.key and not view.paused_or_waiting)
                for view in views
            )
            or any(job.state == "running" for job in replays),
        )

    def _counted(self, environment: Environment, now: int) -> tuple[str, Level]:
        if self._comparisons is None or environment.write_key is None:
            return "", ""
        return self._comparisons.text_of(environment.name, now)

    def _journal_kind(self) -> str:
        if self._session.journal is None:
            return "lost" if self._opened else "opening"
        place = self._session.settings.journal
        return place.partition("://")[0] if "://" in place else "sqlite"

    async def _read(self) -> None:
        journal = self._session.journal
        if journal is None:
            return
        try:
            self._counts, self._lanes = await journal.counts(), await journal.lanes()
            is_any_held = any(lane.is_held for lane in self._lanes.values())
            self._oldest = await journal.oldest_queued() if is_any_held else {}
        except JournalError as error:
            if self._session.journal is journal:
                self._fault = f"{error.message}; the numbers shown are the last known"
        else:
            self._fault = ""
            self._opened = True
            await self._read_orphans(journal)
            await self._read_repaired(journal)

    async def _read_comparisons(self) -> None:
        """Read the last comparison with Segment's counts, which any process may have made."""
        if self._comparisons is None:
            self._comparisons = await asyncio.to_thread(_make_comparisons, self._session.dependencies.paths)
        if self._comparisons.is_outdated():
            await asyncio.to_thread(self._comparisons.read)

    async def _read_orphans(self, journal: Journal) -> None:
        """Read the leases of dead workers, now and then, and only while other processes hold leases."""
        engine = self._session.engine
        own = engine.snapshot().in_flight if engine is not None else 0
        now = self._session.clock.now()
        if sum(self._counts.leased.values()) <= own:
            self._orphans = {}
        elif not 0 <= now - self._orphans_at < ORPHANS_INTERVAL_MS:
            self._orphans_at = now
            orphans: dict[str, list[WorkerLeases]] = {}
            with suppress(JournalError):
                for leases in await orphaned_leases(journal):
                    orphans.setdefault(leases.environment, []).append(leases)
            self._orphans = orphans

    async def _read_repaired(self, journal: Journal) -> None:
        """Count the repaired deliveries, now and then, and only where the counts changed and some need a repair."""
        totals = tuple(self._total(state) for state in State)
        now = self._session.clock.now()
        if totals == self._repaired_of or 0 <= now - self._repaired_at < REPAIRED_INTERVAL_MS:
            return
        self._repaired_at, self._repaired_of = now, totals
        self._repaired = {}
        if self._total(State.FAILED) or self._total(State.WITHHELD):
            with suppress(JournalError):
                for states in (await journal.repaired()).values():
                    for state, number in states.items():
                        self._repaired[state] = self._repaired.get(state, 0) + number

    def _total(self, state: State) -> int:
        return sum(states.get(state, 0) for states in self._counts.by_environment.values())

    def _sample(self, snapshot: EngineSnapshot | None, now: int) -> None:
        """Record the rates once a second: the engine's own, or those of other processes."""
        elapsed = (now - self._sampled_at) / 1000
        if 0 <= elapsed < 1:
            return
        self._sampled_at = now
        for name in self._session.settings.environments:
            delivered = self._counts.by_environment.get(name, {}).get(State.DELIVERED, 0)
            live = snapshot.environments.get(name) if snapshot else None
            if live is not None:
                rate = round(live.rate)
            elif name not in self._delivered or elapsed <= 0:
                rate = 0
            else:
                rate = max(0, round((delivered - self._delivered[name]) / elapsed))
            if self._opened:  # the first count would show all deliveries ever made as a rate
                self._delivered[name] = delivered
            self._history.setdefault(name, deque([0] * HISTORY_SAMPLES, HISTORY_SAMPLES)).append(rate)
