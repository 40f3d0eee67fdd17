"""Background tasks: the session, the snapshot poller, the config watch and the log file."""

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
    """Tasks that run from the first paint until the console ends.

    `reload_config` reads a changed config and returns a text about it. `on_snapshot` gets each new snapshot,
    `on_notice` and `on_warning` get texts for the user.
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
        """False while the terminal has no focus: then one poll a second is enough."""

    def start(self) -> None:
        """Open the journal, start the engine, and poll."""
        self.start_log()
        works = (self._session.run(), self._poll_loop(), self._watch_config())
        self._tasks = [asyncio.create_task(self._run_guarded(work)) for work in works]

    def start_log(self) -> None:
        """Write the program's errors to the log file from now on."""
        from sprig_tui.console.log_file import start_log_file

        if self._log_file is None:
            self._log_file = start_log_file(self._session.dependencies.paths.log_file, self._secrets)

    def _secrets(self) -> list[str]:
        return self._session.settings.secrets()

    def wake(self) -> None:
        """Poll now: something changed."""
        self._wakeup.set()

    def poll_now(self) -> None:
        """Show the known state at once: the next key after a change of settings must act on the new ones."""
        self._on_snapshot(self._poller.build())

    async def stop(self) -> None:
        """Give requests in flight a moment to finish, then close the journal."""
        self._session.close()
        tasks, self._tasks = self._tasks, []
        if tasks:
            session, *others = tasks
            for task in others:
                task.cancel()
            try:
                await asyncio.wait((session,), timeout=DRAIN_TIMEOUT_S + 2)
            finally:
                session.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        if self._log_file is not None:
            from sprig_tui.console.log_file import stop_log_file

            stop_log_file(self._log_file)
            self._log_file = None

    async def _run_guarded(self, work: Coroutine[None, None, None]) -> None:
        """Run a task; an unexpected error is logged and reported, and the console stays open."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 - the outer edge
            _log.exception("unexpected fault in the background")
            name = type(error).__name__
            self._on_warning(f"unexpected fault: {name}; what was journaled is safe, start again to resume")

    async def _poll_loop(self) -> None:
        shown = None
        engine, jumps = None, 0
        while True:
            self._wakeup.clear()
            snapshot = await self._poller.poll()
            if self._session.engine is not engine:
                engine, jumps = self._session.engine, 0
            if engine is not None:
                for jump in engine.snapshot().clock_jumps[jumps:]:
                    self._on_warning(describe_jump(jump))
                    jumps += 1
            if snapshot != shown:
                shown = snapshot
                self._on_snapshot(snapshot)
            with suppress(TimeoutError):
                async with asyncio.timeout(ACTIVE_POLL_S if snapshot.moving and self.has_focus else IDLE_POLL_S):
                    await self._wakeup.wait()

    async def _watch_config(self) -> None:
        while True:
            await asyncio.sleep(IDLE_POLL_S)
            try:
                if text := await self._reload_config():
                    self._on_notice(text)
            except SprigTuiError as error:
                self._on_warning(f"{error.message}; the previous settings stay in use\n{error.hint}")
