"""Console session: owns the journal and the engine, and reopens them after errors."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from sprig_tui.clock import Clock, SystemClock
from sprig_tui.console.commands.base import Permissions
from sprig_tui.errors import JournalError, SprigTuiError
from sprig_tui.journal.records import State

if TYPE_CHECKING:
    from sprig_tui.config.paths import Paths
    from sprig_tui.config.settings import Settings
    from sprig_tui.console.setup.services import SetupServices
    from sprig_tui.delivery.engine import Engine
    from sprig_tui.delivery.retention import RetentionWorker
    from sprig_tui.explain.model import Line
    from sprig_tui.journal.base import Journal
    from sprig_tui.journal.records import DeliveryDetail
    from sprig_tui.reconcile.model import Report
    from sprig_tui.segment.metrics import Granularity
    from sprig_tui.segment.public_api_models import Source

MIN_REOPEN_BACKOFF_S = 0.5
MAX_REOPEN_BACKOFF_S = 10.0
"""Pauses between attempts to open the journal."""
DRAIN_TIMEOUT_S = 3.0
"""Time for requests in flight to finish when the console closes."""

_NO_FILE = (0, 0)

_log = logging.getLogger(__name__)


class CountsRange(NamedTuple):
    """Range of time to compare with Segment's counts, ms since 1970; `until` is exclusive."""

    since: int
    until: int
    granularity: Granularity


CompareCounts: TypeAlias = "Callable[[Settings, Journal, CountsRange, Callable[[str], None]], Awaitable[Report]]"
"""Of all environments of the settings; the last argument is called with the progress as text."""


ExplainDelivery: TypeAlias = (
    "Callable[[Settings, Journal | None, DeliveryDetail, bool, Callable[[str], None]], AsyncGenerator[Line]]"
)
"""The lines as they come; whether the payload may be sent to Segment; the last argument is called while it waits."""


class ConsoleDependencies(NamedTuple):
    """Functions that the command line passes in, so that the console imports neither a database driver nor HTTP."""

    paths: Paths
    load: Callable[[], Settings]
    """Reads the config; raises ConfigError."""
    open_journal: Callable[[str], AbstractAsyncContextManager[Journal]]
    """Opens the journal at the place or URL in the settings; entering raises JournalError."""
    make_engine: Callable[[Journal, Settings], Engine]
    warm_up: Callable[[], None] = lambda: None
    """Imports the modules of the engine; called in a thread, so that the app stays responsive."""
    label: str = ""
    """Kind of console for the status line, such as `demo`; empty for the usual one."""
    list_sources: Callable[[Settings], Awaitable[tuple[Source, ...]]] | None = None
    """Lists the workspace's sources; raises SegmentApiError. None where that is not offered."""
    compare_counts: CompareCounts | None = None
    """Compares what was delivered with Segment's counts; raises SprigTuiError. None where that is not offered."""
    explain: ExplainDelivery | None = None
    """Explains where a delivery is; raises SprigTuiError. None where that is not offered."""
    setup: Callable[[], SetupServices] | None = None
    """Makes what the set-up asks of Segment and Sprig. None where that is not offered."""


class Session:
    """Journal and engine of one console.

    `journal` and `engine` are None while they are not open; `trouble` then has the reason and the next step.
    `on_change` is called after each change of these three.
    """

    def __init__(
        self,
        dependencies: ConsoleDependencies,
        settings: Settings,
        permissions: Permissions,
        *,
        clock: Clock | None = None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self.dependencies = dependencies
        self.settings = settings
        self.permissions = permissions
        self.clock = clock or SystemClock()
        self._journal: Journal | None = None
        self.engine: Engine | None = None
        self.trouble = ""
        self.queued_at_close = 0
        """Deliveries in the queue when the journal was closed."""
        self.on_change = on_change
        self._wakeup = asyncio.Event()
        self._closing = False
        self._missing_place = ""
        """The journal's file, once it was moved or deleted."""
        self._retention: RetentionWorker | None = None
        self._known_file: tuple[Path, tuple[int, int]] | None = None
        self._is_lost = False
        """Whether the file of the open journal was moved or deleted; the engine may still finish its requests."""

    @property
    def journal(self) -> Journal | None:
        """The open journal; None also once its file was moved or deleted."""
        return None if self._is_lost else self._journal

    @property
    def delivers(self) -> bool:
        """Whether this console has an engine, or will have one."""
        return self.permissions.engine and not self.permissions.read_only

    async def run(self) -> None:
        """Keep the journal open until `close`; after an error open it again."""
        pause = MIN_REOPEN_BACKOFF_S
        while not self._closing:
            if self._missing_place and _file_identity(self._missing_place) == (Path(self._missing_place), _NO_FILE):
                await self._wait_before_reopen(1.0)
                continue
            self._missing_place = ""
            try:
                await self._hold_open()
                pause = MIN_REOPEN_BACKOFF_S
            except SprigTuiError as error:
                _log.warning("%s", error.message)
                self._set_state(f"{error.message}; {error.hint}" if error.hint else error.message)
                await self._wait_before_reopen(pause)
                pause = min(2 * pause, MAX_REOPEN_BACKOFF_S)

    async def _hold_open(self) -> None:
        place = self.settings.journal
        await asyncio.to_thread(self.dependencies.warm_up)
        async with self.dependencies.open_journal(place) as journal:
            self._known_file = _file_identity(place)
            self._is_lost = False
            self._journal = journal
            retention = asyncio.create_task(self._retain(journal))
            try:
                if self.delivers:
                    async with self.dependencies.make_engine(journal, self.settings) as engine:
                        self.engine = engine
                        self._set_state("")
                        await self._wait_until_lost(place)
                        await engine.drain(DRAIN_TIMEOUT_S)
                        await self._count_queued(journal)
                else:
                    self._set_state("")
                    await self._wait_until_lost(place)
                    await self._count_queued(journal)
            finally:
                retention.cancel()
                await asyncio.wait((retention,))
                self._retention = None
                self._journal = self.engine = self._known_file = None
                self._is_lost = False
                if not self._closing:
                    self.on_change()

    async def _retain(self, journal: Journal) -> None:
        """Remove what the config keeps no longer; a console that only reads removes nothing."""
        if self.permissions.read_only or not self.permissions.config:
            return
        # imported late: the first paint does not need it
        from sprig_tui.delivery.retention import RetentionWorker
        from sprig_tui.webhooks.capture_folders import capture_folders

        state_dir = self.dependencies.paths.state_dir
        self._retention = RetentionWorker(
            journal, self.settings.retention, capture_folders=lambda: capture_folders(state_dir)
        )
        await self._retention.run()

    async def _count_queued(self, journal: Journal) -> None:
        with suppress(JournalError):
            counts = await journal.counts()
            self.queued_at_close = sum(states.get(State.QUEUED, 0) for states in counts.by_environment.values())

    def queued_at_close_text(self) -> str:
        """The text for the shell about queued deliveries; empty for the demo, whose journal is deleted."""
        if not self.queued_at_close or not self.permissions.config:
            return ""
        number = self.queued_at_close
        deliveries = "1 delivery stays" if number == 1 else f"{number:,} deliveries stay"
        return f"sprig-tui: {deliveries} queued; the next sprig-tui, or sprig-tui run, sends them"

    async def _wait_until_lost(self, place: str) -> None:
        while not self._closing and not self._is_lost and place == self.settings.journal:
            await self._wait_before_reopen(None)

    async def _wait_before_reopen(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wakeup.wait()
        except TimeoutError:
            pass
        self._wakeup.clear()

    def close(self) -> None:
        """Let requests in flight finish, close the journal, and end `run`."""
        self._closing = True
        self._wakeup.set()

    def check_file(self) -> None:
        """Check whether the journal's file was moved, replaced or deleted; `run` then reopens it."""
        if self._known_file is None or self._is_lost:
            return
        path, known = self._known_file
        if _file_identity(str(path)) != (path, known):
            self._missing_place, self._is_lost = str(path), True
            # the next step comes first: a long path would push it off a narrow screen
            self._set_state(
                f"the journal was moved or deleted: put it back, or press J to begin a new one; it was {path}"
            )
            _log.warning("the journal %s was moved or deleted", path)
            self._wakeup.set()

    def start_new_journal(self) -> bool:
        """Open the journal now, or a new one where it is missing; False when the journal is open."""
        if self.journal is not None:
            return False
        self._missing_place = ""
        self._wakeup.set()
        return True

    async def reload(self, settings: Settings) -> None:
        """Apply changed settings; raises JournalError when a lane could not be resumed."""
        self.settings = settings
        self._wakeup.set()
        if self._retention is not None:
            self._retention.use(settings.retention)
        if self.engine is not None:
            await self.engine.reload(settings.environments, settings.delivery)
            if self.engine.suppression is not None:
                self.engine.suppression.use(settings.workspace)

    def _set_state(self, trouble: str) -> None:
        self.trouble = trouble
        self.on_change()


def _file_identity(place: str) -> tuple[Path, tuple[int, int]] | None:
    """Path, device and inode of a journal file, with `_NO_FILE` for a missing one; None for a database."""
    if "://" in place:
        return None
    path = Path(place)
    try:
        status = os.stat(path)  # noqa: PTH116 - twice as fast as Path.stat, and called every second
    except OSError:
        return path, _NO_FILE
    return path, (status.st_dev, status.st_ino)
