"""Opening what commands work with: settings, the journal, the console."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sprig_tui.cli import diagnostics
from sprig_tui.errors import ExitCode

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.journal.contract import Journal


def open_settings(*, quiet: bool = False) -> Settings:
    """The settings; what is off in them is said on stderr. Raises ConfigError."""
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.settings import load_settings

    settings = load_settings(find_paths())
    if not quiet:
        for text in settings.warnings:
            diagnostics.warning(text)
    return settings


@asynccontextmanager
async def opened_journal(settings: Settings) -> AsyncIterator[Journal]:
    """The journal of the settings, open; made where it is missing. Raises JournalError."""
    from sprig_tui.config.journal import open_journal

    async with open_journal(settings.journal) as journal:
        yield journal


def open_console(*, read_only: bool) -> int:
    """Run the console; without a terminal, or where it is not installed, say in a sentence what to use."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        diagnostics.fault(
            "the console needs a terminal",
            "without one use sprig-tui send, log, run or demo; sprig-tui --help lists them all",
        )
        return ExitCode.USAGE
    if importlib.util.find_spec("sprig_tui.console.app") is None:
        diagnostics.fault(
            "this version has no console yet", "use sprig-tui demo, preview, send and log; see sprig-tui --help"
        )
        return ExitCode.USAGE
    run = importlib.import_module("sprig_tui.console.app").run
    result: int = run(read_only=read_only)
    return result
