"""Taking up a changed config while a command that does not end by itself goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from sprig_tui.cli import diagnostics
from sprig_tui.config.paths import find_paths
from sprig_tui.config.reload import ConfigReloader, ConfigUpdate, join_names
from sprig_tui.config.settings import load_settings
from sprig_tui.errors import ConfigError, JournalError

if TYPE_CHECKING:
    from sprig_tui.cli.terms import Terms
    from sprig_tui.config.settings import Settings
    from sprig_tui.delivery.engine import Engine

RELOAD_EVERY = 1.0
"""Seconds between two looks at the config file."""


def nobody(_: str) -> None:
    """Nobody asks."""


async def keep_current(
    engine: Engine | None,
    settings: Settings,
    terms: Terms,
    taken_up: Callable[[Settings], None] = lambda _: None,
    *,
    asked: asyncio.Event | None = None,
    held: Callable[[str], None] = nobody,
) -> None:
    """Take up the config, and what pulls learnt of surveys, whenever it changes, until cancelled.

    `taken_up` hears of it; it may raise ConfigError against it. `held` hears why the config on disk is not in use, and
    an empty text when it is again. `asked` is set when a person wants it read now, as it stands (SIGHUP).
    """
    paths = find_paths()
    reload = ConfigReloader(paths, settings, lambda: load_settings(paths))
    try:
        while True:
            confirmed = await asked_within(asked, RELOAD_EVERY)
            news = await asyncio.to_thread(reload.poll, confirmed=confirmed)
            if news is not None and news.kind == "changed":
                news = await _take(reload, news, engine, terms, taken_up)
            if news is not None:
                _say(news)
                held(reload.message)
            elif confirmed:
                _say_again(reload)
    finally:
        reload.close()


async def asked_within(asked: asyncio.Event | None, seconds: float) -> bool:
    """Wait so long, or until it is set; whether it was, and it is cleared then."""
    if asked is None:
        await asyncio.sleep(seconds)
        return False
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asked.wait()
    came = asked.is_set()
    asked.clear()
    return came


async def _take(
    reload: ConfigReloader,
    news: ConfigUpdate,
    engine: Engine | None,
    terms: Terms,
    taken_up: Callable[[Settings], None],
) -> ConfigUpdate | None:
    found, before = news.settings, reload.settings
    try:
        taken_up(found)
        if engine is not None:
            await engine.reload(terms.environments(found), terms.delivery(found))
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
    return news if found.document.digest != before.document.digest else None


def _say(news: ConfigUpdate) -> None:
    if news.kind == "held":
        diagnostics.warning(f"going on with the config as it was: {news.message}", news.hint)
    elif news.kind == "restored":
        diagnostics.note("the config on disk is the one in use again")
    elif news.removed:
        diagnostics.warning(f"the config changed, and is taken up; it no longer has {join_names(news.removed)}")
    else:
        diagnostics.note("the config changed, and is taken up")


def _say_again(reload: ConfigReloader) -> None:
    if reload.message:
        diagnostics.warning(f"going on with the config as it was: {reload.message}", reload.hint)
    else:
        diagnostics.note("the config was read again: nothing changed")
