"""Reading and changing the config while the console is open: at once, atomically, never over somebody else's change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING

from sprig_tui.config.contents import join_names
from sprig_tui.config.environment import Environment
from sprig_tui.config.reload import ConfigReloader
from sprig_tui.config.save import delete_environment, save_console, save_environment
from sprig_tui.config.startup import removed_since_last_use
from sprig_tui.config.toml_edit import TomlValue
from sprig_tui.console.session import Session
from sprig_tui.errors import ConfigError

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings

_log = logging.getLogger(__name__)

OnReload = Callable[["Settings"], Coroutine[None, None, None]]


class ConfigEditor:
    """The one place in the console where the config is read again and written."""

    def __init__(self, session: Session, on_reload: OnReload) -> None:
        """`reloaded` hears of other settings, whoever wrote them."""
        self._session = session
        self._on_reload = on_reload
        self.missing = "; ".join(
            f"{text}; {hint}" for text, hint in removed_since_last_use(session.dependencies.paths, session.settings)
        )
        """What the config had when it was last in use and did not have at the start."""
        self._config_reload = ConfigReloader(session.dependencies.paths, session.settings, session.dependencies.load)
        self._busy = asyncio.Lock()

    @property
    def fault(self) -> str:
        """Why the config as it is on disk is not the one in use, for as long as that is so."""
        found = self._config_reload
        return f"{found.message}; {found.hint}; going on with the settings from before" if found.message else ""

    async def reload_if_changed(self) -> str:
        """Read the config again; what to tell of it, empty where nothing is new.

        Raises ConfigError, once, when it cannot be used: then the settings are as they were.
        """
        if self._busy.locked():
            return ""
        async with self._busy:
            return await self._reload_changes()

    async def read_again(self) -> None:
        """Read the settings though the config is the same: what pulls learnt of surveys is part of them."""
        async with self._busy:
            await self._reload_changes()

    def close(self) -> None:
        """Nobody looks any more."""
        self._config_reload.close()

    async def save(self, expected: Environment | None, name: str, changes: Mapping[str, TomlValue | None]) -> None:
        """Write keys of one environment (None removes one) and go on with them.

        `seen` is the environment as the person saw it when deciding, None for a new one: when it is another by now,
        nothing is written. Raises ConfigError; the file is then as it was.
        """
        async with self._busy:
            await self._check_unchanged(expected, name)
            await self._write(save_environment, self._session.dependencies.paths, name, changes)

    async def drop(self, expected: Environment) -> None:
        """Take an environment's table out of the config; as `save`."""
        async with self._busy:
            await self._check_unchanged(expected, expected.name)
            await self._write(delete_environment, self._session.dependencies.paths, expected.name)

    async def save_theme(self, name: str) -> None:
        """Write the theme that was picked; as `save`. Nothing is written where the config names it already."""
        async with self._busy:
            seen = self._session.settings.console.get("theme")
            await self._reload_before_write()
            now = self._session.settings.console.get("theme")
            if now != seen:
                raise ConfigError("the theme was changed on disk meanwhile; nothing was written", hint="pick it again")
            if now != name:
                await self._write(save_console, self._session.dependencies.paths, {"theme": name})

    async def _check_unchanged(self, expected: Environment | None, name: str) -> None:
        await self._reload_before_write()
        if self._session.settings.environments.get(name) != expected:
            raise ConfigError(
                f"environment {name} was changed on disk meanwhile; nothing was written",
                hint="look at it as it is now, then change it again",
            )

    async def _write(self, write: Callable[..., str], *arguments: object) -> None:
        digest = await asyncio.to_thread(write, *arguments, digest=self._session.settings.document.digest)
        await self._reload_changes(written=digest)

    async def _reload_before_write(self) -> None:
        """Know what is on disk before it is written over; raises ConfigError where that is not to be used."""
        await self._reload_changes()
        if self._config_reload.message:
            raise ConfigError(f"{self._config_reload.message}; nothing was written", hint=self._config_reload.hint)

    async def _reload_changes(self, *, written: str = "") -> str:
        news = await asyncio.to_thread(self._config_reload.poll, written=written)
        if news is None:
            return ""
        if news.kind == "held":
            _log.warning("going on with the config as it was: %s", news.message)
            raise ConfigError(news.message, hint=news.hint)
        if news.kind == "changed":
            self._config_reload.apply(news.settings)
            self.missing = ""
        await self._on_reload(news.settings)
        if not news.removed or written:
            return "the config changed on disk; it was read again"
        _log.warning("the config no longer has %s", join_names(news.removed))
        return f"the config changed on disk; it no longer has {join_names(news.removed)}"
