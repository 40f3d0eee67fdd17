"""What goes on behind the screen: journal and engine, the pulse that feeds the screen, the watch on the config."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING

from sprig_tui.console.session import DRAIN_TIMEOUT_S, Session
from sprig_tui.console.snapshot import ACTIVE_POLL_S, IDLE_POLL_S, ConsoleSnapshot, SnapshotPoller
from sprig_tui.delivery.clock_jumps import describe_jump
from sprig_tui.errors import SprigTuiError

if TYPE_CHECKING:
    from sprig_tui.console.log_file import LogFile

_log = logging.getLogger(__name__)

OnText = Callable[[str], None]


class BackgroundTasks:
    """Begins after the first paint, ends before the last.

    `look` reads the config again if it changed, and says so in words. `show` gets each new picture, `tell` and
    `warn` what a person should read.
    """

    def __init__(
        self,
        session: Session,
        *,
        reload_config: Callable[[], Awaitable[str]],
        on_snapshot: Callable[[ConsoleSnapshot], None],
        on_notice: OnText,
        on_warning: OnText,
    ) -> None:
        self._session = session
        self._reload_config = reload_config
        self._on_snapshot, self._on_notice, self._on_warning = on_snapshot, on_notice, on_warning
        self._poller = SnapshotPoller(session)
        self._wakeup = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._log_file: LogFile | None = None
        self.has_focus = True
        """False while the terminal has no focus: then a look each second is enough."""

    def start(self) -> None:
        """Open the journal, start the engine, begin to look."""
        self.start_log()
        works = (self._session.run(), self._poll_loop(), self._watch_config())
        self._tasks = [asyncio.create_task(self._run_guarded(work)) for work in works]

    def start_log(self) -> None:
        """Write the program's own troubles to the state folder from now on."""
        from sprig_tui.console.log_file import start_log_file

        if self._log_file is None:
            self._log_file = start_log_file(self._session.dependencies.paths.log_file, self._secrets)

    def _secrets(self) -> list[str]:
        return self._session.settings.secrets()

    def wake(self) -> None:
        """Something changed: look now."""
        self._wakeup.set()

    def poll_now(self) -> None:
        """Show what is known at once: keys that follow a change of the settings are about what it left."""
        self._on_snapshot(self._poller.build())

    async def stop(self) -> None:
        """Let what is on the wire finish, for a moment, then close the journal."""
        self._session.close()
        tasks, self._tasks = self._tasks, []
        if tasks:
            core, *others = tasks
            for task in others:
                task.cancel()
            try:
                await asyncio.wait((core,), timeout=DRAIN_TIMEOUT_S + 2)
            finally:
                core.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        if self._log_file is not None:
            from sprig_tui.console.log_file import stop_log_file

            stop_log_file(self._log_file)
            self._log_file = None

    async def _run_guarded(self, work: Coroutine[None, None, None]) -> None:
        """The outer edge: a fault of ours is said and logged, and the screen stays."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 - the outer edge
            _log.exception("unexpected fault in the background")
            name = type(error).__name__
            self._on_warning(f"unexpected fault: {name}; what was journaled is safe, start again to go on with it")

    async def _poll_loop(self) -> None:
        shown = None
        engine, jumps = None, 0
        while True:
            self._wakeup.clear()
            vitals = await self._poller.poll()
            if self._session.engine is not engine:
                engine, jumps = self._session.engine, 0
            if engine is not None:
                for jump in engine.snapshot().clock_jumps[jumps:]:
                    self._on_warning(describe_jump(jump))
                    jumps += 1
            if vitals != shown:
                shown = vitals
                self._on_snapshot(vitals)
            with suppress(TimeoutError):
                async with asyncio.timeout(ACTIVE_POLL_S if vitals.moving and self.has_focus else IDLE_POLL_S):
                    await self._wakeup.wait()

    async def _watch_config(self) -> None:
        while True:
            await asyncio.sleep(IDLE_POLL_S)
            try:
                if said := await self._reload_config():
                    self._on_notice(said)
            except SprigTuiError as error:
                self._on_warning(f"{error.message}; going on with the settings from before\n{error.hint}")
