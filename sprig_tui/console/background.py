"""What goes on behind the screen: journal and engine, the pulse that feeds the screen, the watch on the config."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING

from sprig_tui.console.core import DRAIN, Core
from sprig_tui.console.vitals import BUSY, IDLE, Pulse, Vitals
from sprig_tui.delivery.clock_jumps import describe_jump
from sprig_tui.errors import SprigTuiError

if TYPE_CHECKING:
    from sprig_tui.console.log_file import LogFile

_log = logging.getLogger(__name__)

Say = Callable[[str], None]


class Background:
    """Begins after the first paint, ends before the last.

    `look` reads the config again if it changed, and says so in words. `show` gets each new picture, `tell` and
    `warn` what a person should read.
    """

    def __init__(
        self,
        core: Core,
        *,
        look: Callable[[], Awaitable[str]],
        show: Callable[[Vitals], None],
        tell: Say,
        warn: Say,
    ) -> None:
        self._core = core
        self._look = look
        self._show, self._tell, self._warn = show, tell, warn
        self._pulse = Pulse(core)
        self._stir = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._log_file: LogFile | None = None
        self.watched = True
        """False while the terminal has no focus: then a look each second is enough."""

    def begin(self) -> None:
        """Open the journal, start the engine, begin to look."""
        self.begin_log()
        works = (self._core.run(), self._beat(), self._watch_config())
        self._tasks = [asyncio.create_task(self._guarded(work)) for work in works]

    def begin_log(self) -> None:
        """Write the program's own troubles to the state folder from now on."""
        from sprig_tui.console.log_file import begin_log

        if self._log_file is None:
            self._log_file = begin_log(self._core.sources.paths.log_file, self._secrets)

    def _secrets(self) -> list[str]:
        return self._core.settings.secrets()

    def stir(self) -> None:
        """Something changed: look now."""
        self._stir.set()

    def show_now(self) -> None:
        """Show what is known at once: keys that follow a change of the settings are about what it left."""
        self._show(self._pulse.picture())

    async def end(self) -> None:
        """Let what is on the wire finish, for a moment, then close the journal."""
        self._core.close()
        tasks, self._tasks = self._tasks, []
        if tasks:
            core, *others = tasks
            for task in others:
                task.cancel()
            try:
                await asyncio.wait((core,), timeout=DRAIN + 2)
            finally:
                core.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        if self._log_file is not None:
            from sprig_tui.console.log_file import end_log

            end_log(self._log_file)
            self._log_file = None

    async def _guarded(self, work: Coroutine[None, None, None]) -> None:
        """The outer edge: a fault of ours is said and logged, and the screen stays."""
        try:
            await work
        except Exception as error:  # noqa: BLE001 - the outer edge
            _log.exception("unexpected fault in the background")
            name = type(error).__name__
            self._warn(f"unexpected fault: {name}; what was journaled is safe, start again to go on with it")

    async def _beat(self) -> None:
        shown = None
        engine, jumps = None, 0
        while True:
            self._stir.clear()
            vitals = await self._pulse.take()
            if self._core.engine is not engine:
                engine, jumps = self._core.engine, 0
            if engine is not None:
                for jump in engine.snapshot().clock_jumps[jumps:]:
                    self._warn(describe_jump(jump))
                    jumps += 1
            if vitals != shown:
                shown = vitals
                self._show(vitals)
            with suppress(TimeoutError):
                async with asyncio.timeout(BUSY if vitals.moving and self.watched else IDLE):
                    await self._stir.wait()

    async def _watch_config(self) -> None:
        while True:
            await asyncio.sleep(IDLE)
            try:
                if said := await self._look():
                    self._tell(said)
            except SprigTuiError as error:
                self._warn(f"{error.message}; going on with the settings from before\n{error.hint}")
