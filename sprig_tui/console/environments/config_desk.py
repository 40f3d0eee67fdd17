"""Reading and changing the config while the console is open: at once, atomically, never over somebody else's change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING

from sprig_tui.config.editing import TomlValue
from sprig_tui.config.environment import Environment
from sprig_tui.config.reload import ConfigReloader, join_names
from sprig_tui.config.starting import removed_since_last_use
from sprig_tui.config.writing import delete_environment, save_console, save_environment
from sprig_tui.console.core import Core
from sprig_tui.errors import ConfigError

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings

_log = logging.getLogger(__name__)

Reloaded = Callable[["Settings"], Coroutine[None, None, None]]


class ConfigDesk:
    """The one place in the console where the config is read again and written."""

    def __init__(self, core: Core, reloaded: Reloaded) -> None:
        """`reloaded` hears of other settings, whoever wrote them."""
        self._core = core
        self._reloaded = reloaded
        self.missing = "; ".join(
            f"{text}; {hint}" for text, hint in removed_since_last_use(core.sources.paths, core.settings)
        )
        """What the config had when it was last in use and did not have at the start."""
        self._reload = ConfigReloader(core.sources.paths, core.settings, core.sources.load)
        self._busy = asyncio.Lock()

    @property
    def fault(self) -> str:
        """Why the config as it is on disk is not the one in use, for as long as that is so."""
        found = self._reload
        return f"{found.message}; {found.hint}; going on with the settings from before" if found.message else ""

    async def look(self) -> str:
        """Read the config again; what to tell of it, empty where nothing is new.

        Raises ConfigError, once, when it cannot be used: then the settings are as they were.
        """
        if self._busy.locked():
            return ""
        async with self._busy:
            return await self._look()

    async def read_again(self) -> None:
        """Read the settings though the config is the same: what pulls learnt of surveys is part of them."""
        async with self._busy:
            await self._look()

    def close(self) -> None:
        """Nobody looks any more."""
        self._reload.close()

    async def save(self, seen: Environment | None, name: str, changes: Mapping[str, TomlValue | None]) -> None:
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
            await self._write(delete_environment, self._core.sources.paths, seen.name)

    async def save_theme(self, name: str) -> None:
        """Write the theme that was picked; as `save`. Nothing is written where the config names it already."""
        async with self._busy:
            seen = self._core.settings.console.get("theme")
            await self._look_first()
            now = self._core.settings.console.get("theme")
            if now != seen:
                raise ConfigError("the theme was changed on disk meanwhile; nothing was written", hint="pick it again")
            if now != name:
                await self._write(save_console, self._core.sources.paths, {"theme": name})

    async def _check(self, seen: Environment | None, name: str) -> None:
        await self._look_first()
        if self._core.settings.environments.get(name) != seen:
            raise ConfigError(
                f"environment {name} was changed on disk meanwhile; nothing was written",
                hint="look at it as it is now, then change it again",
            )

    async def _write(self, write: Callable[..., str], *arguments: object) -> None:
        digest = await asyncio.to_thread(write, *arguments, digest=self._core.settings.document.digest)
        await self._look(written=digest)

    async def _look_first(self) -> None:
        """Know what is on disk before it is written over; raises ConfigError where that is not to be used."""
        await self._look()
        if self._reload.message:
            raise ConfigError(f"{self._reload.message}; nothing was written", hint=self._reload.hint)

    async def _look(self, *, written: str = "") -> str:
        news = await asyncio.to_thread(self._reload.poll, written=written)
        if news is None:
            return ""
        if news.kind == "held":
            _log.warning("going on with the config as it was: %s", news.message)
            raise ConfigError(news.message, hint=news.hint)
        if news.kind == "changed":
            self._reload.apply(news.settings)
            self.missing = ""
        await self._reloaded(news.settings)
        if not news.removed or written:
            return "the config changed on disk; it was read again"
        _log.warning("the config no longer has %s", join_names(news.removed))
        return f"the config changed on disk; it no longer has {join_names(news.removed)}"
