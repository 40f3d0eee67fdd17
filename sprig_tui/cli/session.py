"""Delivery session: the journal, the signals and the engine of one command that delivers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from sprig_tui.cli import diagnostics
from sprig_tui.cli.context import awaited_journal, journal_session
from sprig_tui.cli.progress import engine_log
from sprig_tui.cli.reload import ignore_message, reload_on_change
from sprig_tui.cli.shutdown import STOP_DEADLINE_S, ShutdownRequested, ShutdownSignals
from sprig_tui.config.paths import find_paths
from sprig_tui.delivery.context import ResultListener, ignore_result
from sprig_tui.delivery.engine import Engine
from sprig_tui.delivery.retention import RetentionWorker
from sprig_tui.delivery.suppression_watch import SuppressionWatch
from sprig_tui.delivery.wait import WaitResult, wait_until_settled
from sprig_tui.errors import ExitCode
from sprig_tui.webhooks.capture_folders import capture_folders

if TYPE_CHECKING:
    from sprig_tui.cli.run_options import RunOptions
    from sprig_tui.config.environment import Environment
    from sprig_tui.config.settings import Settings
    from sprig_tui.ingest.id_ranges import IdRanges
    from sprig_tui.journal.base import Journal
    from sprig_tui.journal.open import PendingJournal

Result = TypeVar("Result")

DRAIN_TIMEOUT_S = 4.0
"""Seconds that requests in flight get to finish after the first signal; a second one aborts them.

A stop takes 8 s at most, whatever hangs, since Docker kills after 10.
"""


class DeliverySession:
    """An open journal, the signal handlers, and the engine once `start_engine` was called."""

    def __init__(
        self,
        settings: Settings,
        options: RunOptions,
        journal: Journal,
        signals: ShutdownSignals,
        stack: AsyncExitStack,
        pending: PendingJournal | None = None,
    ) -> None:
        """`stack` closes what the session opens; `pending` is the journal where it may be opened later."""
        self.settings = settings
        self.options = options
        self.journal = journal
        self.signals = signals
        self.stack = stack
        self.engine: Engine | None = None
        self.stopped = False
        """Whether a signal ended the work that `run` was given."""
        self._pending = pending
        self._reload_requested = signals.hangup_event()

    @property
    def is_open(self) -> bool:
        """Whether the journal could be opened."""
        return self._pending is None or self._pending.is_open

    async def opened(self) -> None:
        """Return when the journal is open. Raises JournalError."""
        if self._pending is not None:
            await self._pending.opened()

    async def wait_until_open(self) -> bool:
        """Wait for the journal; False where a signal came first. Raises JournalError."""
        await self.run(self.opened())
        return not self.stopped

    async def start_engine(
        self,
        role: str,
        environments: Mapping[str, Environment] | None = None,
        *,
        adopt: bool = False,
        on_result: ResultListener = ignore_result,
    ) -> Engine:
        """Start to deliver for these environments, or for all of the settings."""
        served = self.options.environments(self.settings) if environments is None else dict(environments)
        delivery = self.options.delivery(self.settings)
        watch = SuppressionWatch(find_paths().state_dir, self.settings.workspace)
        engine = Engine(self.journal, served, delivery, role=role, adopt=adopt, on_result=on_result, suppression=watch)
        self.engine = await self.stack.enter_async_context(engine)
        return engine

    def wake_engine(self, environment: str) -> None:
        """Let the engine, where one runs, look for new deliveries of this environment."""
        if self.engine is not None:
            self.engine.wake(environment)

    async def run(self, work: Coroutine[Any, Any, Result]) -> Result | None:
        """The result of the work; None, with `stopped` set and the work cancelled, when a signal comes first."""
        try:
            return await self.signals.guard(work)
        except ShutdownRequested:
            self.stopped = True
            return None

    async def wait_until_settled(
        self, ids: IdRanges, environments: Sequence[str], on_progress: Callable[[int], None]
    ) -> WaitResult:
        """Wait for these deliveries, or until they stall; at once where no engine runs."""
        if self.engine is None:
            return WaitResult()
        return await wait_until_settled(
            self.journal,
            ids,
            list(environments),
            engine=self.engine,
            timeout_s=self.options.give_up_after,
            on_progress=on_progress,
        )

    async def reload_on_change(
        self, on_reload: Callable[[Settings], None], on_config_problem: Callable[[str], None] = ignore_message
    ) -> None:
        """Apply the config whenever it changes, and at SIGHUP, until cancelled; and its retention meanwhile."""
        state_dir = find_paths().state_dir
        retention = RetentionWorker(
            self.journal,
            self.settings.retention,
            on_report=diagnostics.info,
            capture_folders=lambda: capture_folders(state_dir),
        )

        def use(settings: Settings) -> None:
            on_reload(settings)
            retention.use(settings.retention)

        applying = asyncio.create_task(retention.run())
        try:
            await reload_on_change(
                self.engine,
                self.settings,
                self.options,
                use,
                reload_requested=self._reload_requested,
                on_config_problem=on_config_problem,
            )
        finally:
            applying.cancel()
            await asyncio.wait((applying,))

    async def drain(self) -> None:
        """Let requests in flight finish; a second signal aborts them."""
        if self.engine is not None:
            await self.signals.drain(self.engine.drain(DRAIN_TIMEOUT_S))

    @property
    def service_exit_code(self) -> ExitCode:
        """The exit code of a command that runs until it is stopped: being stopped is no failure."""
        return ExitCode.INTERRUPTED if self.signals.forced.is_set() else ExitCode.OK


@asynccontextmanager
async def delivery_session(
    settings: Settings, options: RunOptions, journal: Journal | None = None
) -> AsyncIterator[DeliverySession]:
    """The session of a command that ends by itself. Opens the journal, unless the caller has; raises JournalError."""
    async with AsyncExitStack() as stack:
        if journal is None:
            journal = await stack.enter_async_context(journal_session(settings))
        signals = ShutdownSignals(deadline_s=STOP_DEADLINE_S, last_code=ExitCode.INTERRUPTED)
        stack.enter_context(signals)
        stack.enter_context(engine_log())
        yield DeliverySession(settings, options, journal, signals, stack)


@asynccontextmanager
async def service_session(
    settings: Settings, options: RunOptions, *, log_level: int = logging.WARNING
) -> AsyncIterator[DeliverySession]:
    """The session of a command that runs until it is stopped.

    The journal may be opened later (`wait_until_open`), and SIGHUP reloads the config. Raises JournalError for a
    journal that waiting does not mend.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(engine_log(log_level))
        signals = stack.enter_context(ShutdownSignals(reload_on_hangup=True, deadline_s=STOP_DEADLINE_S))
        pending = await stack.enter_async_context(awaited_journal(settings))
        yield DeliverySession(settings, options, pending.journal, signals, stack, pending)
