"""Config reload while a long-running command runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from sprig_tui.cli import diagnostics
from sprig_tui.config.contents import join_names
from sprig_tui.config.paths import find_paths
from sprig_tui.config.reload import ConfigReloader, ConfigUpdate
from sprig_tui.config.secret_reader import process_secrets
from sprig_tui.config.settings import load_settings
from sprig_tui.errors import ConfigError, JournalError

if TYPE_CHECKING:
    from sprig_tui.cli.run_options import RunOptions
    from sprig_tui.config.settings import Settings
    from sprig_tui.delivery.engine import Engine

RELOAD_INTERVAL_S = 1.0
"""Seconds between two looks at the config file."""


def ignore_message(_: str) -> None:
    """Discard the message."""


async def reload_on_change(
    engine: Engine | None,
    settings: Settings,
    options: RunOptions,
    on_reload: Callable[[Settings], None] = lambda _: None,
    *,
    reload_requested: asyncio.Event | None = None,
    on_config_problem: Callable[[str], None] = ignore_message,
) -> None:
    """Apply the config, and the surveys that pulls have found, whenever they change, until cancelled.

    `on_reload` receives new settings, and may raise ConfigError to reject them. `on_config_problem` receives the
    reason why the config on disk is not in use, and an empty text when it is again. `reload_requested` is set to
    apply the config at once (SIGHUP).
    """
    paths = find_paths()
    reload = ConfigReloader(paths, settings, lambda: process_secrets.reread(load_settings(paths)))
    try:
        while True:
            confirmed = await wait_for_request(reload_requested, RELOAD_INTERVAL_S)
            if confirmed:
                process_secrets.expire()
            news = await asyncio.to_thread(reload.poll, confirmed=confirmed)
            if news is not None and news.kind == "changed":
                news = await _apply(reload, news, engine, options, on_reload)
            if news is not None:
                _report_news(news)
                on_config_problem(reload.message)
            elif confirmed:
                _report_unchanged(reload)
    finally:
        process_secrets.stop()
        reload.close()


async def wait_for_request(reload_requested: asyncio.Event | None, seconds: float) -> bool:
    """Wait for the event, at most so many seconds. True where it was set; it is cleared."""
    if reload_requested is None:
        await asyncio.sleep(seconds)
        return False
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await reload_requested.wait()
    came = reload_requested.is_set()
    reload_requested.clear()
    return came


async def _apply(
    reload: ConfigReloader,
    news: ConfigUpdate,
    engine: Engine | None,
    options: RunOptions,
    on_reload: Callable[[Settings], None],
) -> ConfigUpdate | None:
    found, before = news.settings, reload.settings
    try:
        on_reload(found)
        if engine is not None:
            await engine.reload(options.environments(found), options.delivery(found))
            if engine.suppression is not None:
                engine.suppression.use(found.workspace)
    except (ConfigError, JournalError) as error:
        return reload.reject(error.message, error.hint)
    reload.apply(found)
    for warning in found.warnings:
        if warning not in before.warnings:
            diagnostics.warning(warning.message)
    if found.journal != before.journal:
        diagnostics.warning(
            "the config names another journal", "this process goes on with the one it has; start it again to change it"
        )
    if found.document.digest == before.document.digest:
        _report_changed_secrets(before, found)
    return news if found.document.digest != before.document.digest else None


def _report_changed_secrets(before: Settings, found: Settings) -> None:
    """Name each environment with another secret than before."""
    for name, now in found.environments.items():
        was = before.environments[name]
        if (was.write_key, was.webhook_token, was.sprig_api_key) != (
            now.write_key,
            now.webhook_token,
            now.sprig_api_key,
        ):
            diagnostics.info(f"{name}: a secret of it was read again, and is another one now")


def _report_news(news: ConfigUpdate) -> None:
    if news.kind == "held":
        diagnostics.warning(f"going on with the config as it was: {news.message}", news.hint)
    elif news.kind == "restored":
        diagnostics.info("the config on disk is the one in use again")
    elif news.removed:
        diagnostics.warning(f"the config changed, and is taken up; it no longer has {join_names(news.removed)}")
    else:
        diagnostics.info("the config changed, and is taken up")


def _report_unchanged(reload: ConfigReloader) -> None:
    if reload.message:
        diagnostics.warning(f"going on with the config as it was: {reload.message}", reload.hint)
    else:
        diagnostics.info("the config was read again: nothing changed")
