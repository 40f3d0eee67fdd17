"""Config editor of the console: reloads the config and writes changes, never over a change made elsewhere."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from sprig_tui.config.environment import Environment
from sprig_tui.config.secret_reader import process_secrets
from sprig_tui.config.secrets import WRITE_KEY
from sprig_tui.console.session import Session
from sprig_tui.errors import ConfigError

if TYPE_CHECKING:
    from sprig_tui.config.reload import ConfigReloader
    from sprig_tui.config.secret_storage import DroppedEntry, Tables
    from sprig_tui.config.secrets import Workspace
    from sprig_tui.config.settings import Settings
    from sprig_tui.config.toml_edit import TomlValue

_log = logging.getLogger(__name__)

OnReload = Callable[["Settings"], Coroutine[None, None, None]]


class ConfigEditor:
    """The only code of the console that reloads and writes the config."""

    def __init__(
        self,
        session: Session,
        on_reload: OnReload,
        on_entry_dropped: Callable[[DroppedEntry], None] = lambda _: None,
    ) -> None:
        """`on_reload` gets the settings after each change, whether made here or by another program.

        `on_entry_dropped` is told of each entry of the keyring that the config no longer names after a change made
        here.
        """
        self._session = session
        self._on_reload = on_reload
        self._on_entry_dropped = on_entry_dropped
        self.missing = ""
        """What was removed from the config since the console last used it, as a sentence; empty for nothing."""
        self._is_following = False
        self._busy = asyncio.Lock()

    @cached_property
    def _config_reload(self) -> ConfigReloader:
        from sprig_tui.config.reload import ConfigReloader
        from sprig_tui.config.startup import removed_since_last_use

        paths, settings = self._session.dependencies.paths, self._session.settings
        self.missing = "; ".join(f"{text}; {hint}" for text, hint in removed_since_last_use(paths, settings))
        self._is_following = True
        load = self._session.dependencies.load
        # SIGHUP tells a console that its terminal is gone
        return ConfigReloader(paths, settings, load, ways_to_confirm="leave the console and open it again")

    def follow(self) -> None:
        """Look for what is missing since the last use, and follow the file: called after the first paint."""
        _ = self._config_reload

    @property
    def fault(self) -> str:
        """Why the config on disk is not in use; empty while it is."""
        if not self._is_following:
            return ""
        reloader = self._config_reload
        if not reloader.message:
            return ""
        return f"{reloader.message}; {reloader.hint}; the previous settings stay in use"

    async def reload_if_changed(self) -> str:
        """Reload the config if it changed; returns the notice to show, empty for no change.

        Raises ConfigError, once per change, when the file cannot be used: the settings then stay as they were.
        """
        if self._busy.locked():
            return ""
        async with self._busy:
            return await self._reload_changes()

    async def read_again(self) -> None:
        """Load the settings again although the config is the same: they include survey names that a pull found."""
        async with self._busy:
            await self._reload_changes()

    def close(self) -> None:
        """Stop watching the file."""
        process_secrets.stop()
        if self._is_following:
            self._config_reload.close()

    async def save(self, expected: Environment | None, name: str, changes: Mapping[str, TomlValue | None]) -> None:
        """Write config keys of one environment (None removes a key) and use them.

        A secret takes the place of an entry of the keyring that the config has for it, and the entry is removed.
        `expected` is the environment as the user saw it, None for a new one. If it differs from the one on disk,
        nothing is written and ConfigError is raised.
        """
        from sprig_tui.config.save import save_environment
        from sprig_tui.config.secret_storage import in_config_only

        async with self._busy:
            await self._check_unchanged(expected, name)
            before = self._session.settings.document.tables
            await self._write(save_environment, self._session.dependencies.paths, name, in_config_only(changes))
        await self._drop_entries(before)

    async def replace_write_key(self, expected: Environment, key: str) -> None:
        """Write a new Write Key to where the present one is kept, and use it; checks and errors as in `save`.

        That is the config, or the entry of the keyring that the config names.
        """
        from sprig_tui.config.secret_storage import store_in_keyring

        name = expected.name
        if expected.write_key is None or expected.write_key.reference is None:
            await self.save(expected, name, {WRITE_KEY.key: key})
            return
        async with self._busy:
            await self._check_unchanged(expected, name)
            document = self._session.settings.document
            paths = self._session.dependencies.paths
            await asyncio.to_thread(
                store_in_keyring, paths, document.tables, WRITE_KEY, name, key, {}, digest=document.digest
            )
            await self._reload_changes()
        await self._drop_entries(document.tables)

    async def drop(self, expected: Environment) -> None:
        """Remove an environment's table from the config; checks and errors as in `save`."""
        from sprig_tui.config.save import delete_environment

        async with self._busy:
            await self._check_unchanged(expected, expected.name)
            before = self._session.settings.document.tables
            await self._write(delete_environment, self._session.dependencies.paths, expected.name)
        await self._drop_entries(before)

    async def save_workspace(self, expected: Workspace, changes: Mapping[str, TomlValue | None]) -> None:
        """Write config keys of the Segment workspace and use them; checks and errors as in `save`."""
        from sprig_tui.config.save import save_workspace
        from sprig_tui.config.secret_storage import in_config_only

        async with self._busy:
            await self._reload_before_write()
            if self._session.settings.workspace != expected:
                raise ConfigError(
                    "the Segment workspace was changed on disk meanwhile; nothing was written",
                    hint="look at it as it is now, then change it again",
                )
            before = self._session.settings.document.tables
            await self._write(save_workspace, self._session.dependencies.paths, in_config_only(changes))
        await self._drop_entries(before)

    async def save_preference(self, key: str, value: TomlValue | None, *, called: str) -> None:
        """Write a key of `[console]` (None removes it), unless the config has it so; checks and errors as in `save`.

        `called` is its name in messages, such as `the theme`.
        """
        from sprig_tui.config.save import save_console

        async with self._busy:
            before = self._session.settings.console.get(key)
            await self._reload_before_write()
            on_disk = self._session.settings.console.get(key)
            if on_disk != before:
                raise ConfigError(
                    f"{called}: changed on disk meanwhile; nothing was written", hint="look at it, then choose again"
                )
            if on_disk != value:
                await self._write(save_console, self._session.dependencies.paths, {key: value})

    async def save_filter(self, name: str, text: str) -> None:
        """Write a filter of `[filters]`, unless that name was changed on disk meanwhile; errors as in `save`."""
        from sprig_tui.config.save import save_filter

        async with self._busy:
            before = self._session.settings.filters.get(name)
            await self._reload_before_write()
            if self._session.settings.filters.get(name) not in (before, text):
                raise ConfigError(
                    f"the filter @{name} was changed on disk meanwhile; nothing was written",
                    hint="look at it, then save again",
                )
            await self._write(save_filter, self._session.dependencies.paths, name, text)

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

    async def _drop_entries(self, before: Tables) -> None:
        """Remove the entries of the keyring that the config no longer names; the keyring may ask a person first."""
        from sprig_tui.config.secret_storage import drop_entries

        document = self._session.settings.document
        for dropped in await asyncio.to_thread(drop_entries, document.file, before, document.tables):
            self._on_entry_dropped(dropped)

    async def _reload_before_write(self) -> None:
        """Reload before a write; raises ConfigError when the file on disk cannot be used."""
        await self._reload_changes()
        if self._config_reload.message:
            raise ConfigError(f"{self._config_reload.message}; nothing was written", hint=self._config_reload.hint)

    async def _reload_changes(self, *, written: str = "") -> str:
        news = await asyncio.to_thread(self._config_reload.poll, written=written)
        if news is None:
            return ""
        if news.kind == "held":
            _log.warning("the previous settings stay in use: %s", news.message)
            raise ConfigError(news.message, hint=news.hint)
        if news.kind == "changed":
            self._config_reload.apply(news.settings)
            self.missing = ""
        await self._on_reload(news.settings)
        from sprig_tui.config.contents import join_names

        if not news.removed or written:
            return "the config changed on disk; it was read again"
        _log.warning("the config no longer has %s", join_names(news.removed))
        return f"the config changed on disk; it no longer has {join_names(news.removed)}"
