"""Reading and changing the config while the console is open: at once, atomically, never over somebody else's change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING

from sprig_tui.config.editing import Value
from sprig_tui.config.environment import Environment
from sprig_tui.config.writing import drop_environment, save_console, save_environment
from sprig_tui.console.core import Core
from sprig_tui.console.environments.config_watch import ConfigWatch
from sprig_tui.errors import ConfigError

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings

Reloaded = Callable[["Settings"], Coroutine[None, None, None]]


class ConfigDesk:
    """The one place in the console where the config is read again and written."""

    def __init__(self, core: Core, reloaded: Reloaded) -> None:
        """`reloaded` hears of other settings, whoever wrote them."""
        self._core = core
        self._reloaded = reloaded
        self._watch = ConfigWatch(core.sources.paths.config_file, core.settings.document.digest)
        self._busy = asyncio.Lock()
        self.fault = ""
        """Why the config as it is on disk is not the one in use, for as long as that is so."""

    async def look(self) -> bool:
        """Read the config again if it changed on disk; whether it did. Raises ConfigError when it cannot be used."""
        if self._busy.locked() or not self._watch.changed():
            return False
        async with self._busy:
            await self._read()
        return True

    async def read_again(self) -> None:
        """Read the settings though the config is the same: what pulls learnt of surveys is part of them."""
        async with self._busy:
            await self._read()

    async def save(self, seen: Environment | None, name: str, changes: Mapping[str, Value | None]) -> None:
        """Write keys of one environment (None removes one) and go on with them.

        `seen` is the environment as the person saw it when deciding, None for a new one: when it is another by now,
        nothing is written. Raises ConfigError; the file is then as it was.
        """
        async with self._busy:
            await self._check(seen, name)
            await self._write(save_environment, self._core.sources.paths, name, changes)

    async def drop(self, seen: Environment) -> None:
        """Take an environment's table out of the config; as `save`."""
        async with self._busy:
            await self._check(seen, seen.name)
            await self._write(drop_environment, self._core.sources.paths, seen.name)

    async def save_theme(self, name: str) -> None:
        """Write the theme that was picked; as `save`. Nothing is written where the config names it already."""
        async with self._busy:
            seen = self._core.settings.console.get("theme")
            if self._watch.changed():
                await self._read()
            now = self._core.settings.console.get("theme")
            if now != seen:
                raise ConfigError("the theme was changed on disk meanwhile; nothing was written", hint="pick it again")
            if now != name:
                await self._write(save_console, self._core.sources.paths, {"theme": name})

    async def _check(self, seen: Environment | None, name: str) -> None:
        if self._watch.changed():
            await self._read()
        if self._core.settings.environments.get(name) != seen:
            raise ConfigError(
                f"environment {name} was changed on disk meanwhile; nothing was written",
                hint="look at it as it is now, then change it again",
            )

    async def _write(self, write: Callable[..., str], *arguments: object) -> None:
        digest = await asyncio.to_thread(write, *arguments, digest=self._core.settings.document.digest)
        self._watch.know(digest)
        await self._read()

    async def _read(self) -> None:
        try:
            settings = await asyncio.to_thread(self._core.sources.load)
        except ConfigError as error:
            self.fault = f"{error.message}; {error.hint}; going on with the settings from before"
            raise
        self.fault = ""
        self._watch.know(settings.document.digest)
        await self._reloaded(settings)
