"""Taking up a changed config while a command that does not end by itself goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from sprig_tui.cli import diagnostics
from sprig_tui.cli.opening import open_settings
from sprig_tui.errors import ConfigError, JournalError

if TYPE_CHECKING:
    from sprig_tui.cli.terms import Terms
    from sprig_tui.config.settings import Settings
    from sprig_tui.delivery.engine import Engine

RELOAD_EVERY = 1.0
"""Seconds between two looks at the config file."""


async def keep_current(
    engine: Engine | None,
    settings: Settings,
    terms: Terms,
    taken_up: Callable[[Settings], None] = lambda _: None,
) -> None:
    """Take up the config, and what pulls learnt of surveys, whenever it changes, until cancelled.

    `taken_up` hears of it.
    One that cannot be used is said, and the last good one holds.
    """
    digest, document, told = settings.digest, settings.document.digest, ""
    while True:
        await asyncio.sleep(RELOAD_EVERY)
        try:
            found = open_settings(quiet=True)
            if found.digest != digest:
                if engine is not None:
                    await engine.reload(terms.environments(found), terms.delivery(found))
                taken_up(found)
                if found.document.digest != document:
                    diagnostics.note("the config changed, and is taken up")
                digest, document, told = found.digest, found.document.digest, ""
        except (ConfigError, JournalError) as error:
            if error.message != told:
                told = error.message
                diagnostics.warning(f"going on with the config as it was: {error.message}", error.hint)
