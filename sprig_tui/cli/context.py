"""Opening what commands work with: settings and the journal."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sprig_tui.cli import diagnostics
from sprig_tui.errors import JournalError, JournalUnreachableError

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.journal.base import Journal
    from sprig_tui.journal.open import PendingJournal
    from sprig_tui.sprig.reader import ReadProgress, RecordReader


Result = TypeVar("Result")

READ_TIMEOUT_S = 5.0
"""Seconds that a shared journal gets to be opened, and to answer one look, where somebody waits at a terminal."""


def open_settings(*, quiet: bool = False) -> Settings:
    """The settings; what is off in them is said on stderr, and what they had last time. Raises ConfigError."""
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.startup import load_settings_at_start, removed_since_last_use

    paths = find_paths()
    settings = load_settings_at_start(paths)
    if not quiet:
        for text, hint in removed_since_last_use(paths, settings):
            diagnostics.warning(text, hint)
        for warning in settings.warnings:
            diagnostics.warning(warning.message)
        for name, meant in suggest_tables(settings):
            diagnostics.warning(f"{settings.document.file}: {name} is none of ours", f"did you mean {meant}?")
    return settings


def suggest_tables(settings: Settings) -> Iterator[tuple[str, str]]:
    """Tables left alone whose name is so close to one of ours that it was surely meant, and that one."""
    import difflib

    from sprig_tui.config.schema import KNOWN_TABLES

    for name in settings.unknown_tables:
        for meant in difflib.get_close_matches(name.lower(), KNOWN_TABLES, n=1, cutoff=0.8):
            yield name[:60], meant


def journal_exists(settings: Settings) -> bool:
    """Whether opening the journal would find one; of a shared one, that it should."""
    from sprig_tui.journal.url import is_server_url

    return is_server_url(settings.journal) or os.path.exists(settings.journal)  # noqa: PTH110 - Path.exists may raise


@asynccontextmanager
async def awaited_journal(settings: Settings) -> AsyncIterator[PendingJournal]:
    """The journal of the settings as soon as it can be opened; what keeps it from that, and passes, is said.

    Raises JournalError for what does not pass.
    """
    from sprig_tui.journal.open import PendingJournal, open_journal

    def waits(error: JournalError) -> None:
        diagnostics.warning(f"waiting for the journal: {error.message}", error.hint)

    async with PendingJournal(lambda: open_journal(settings.journal), waits) as journal:
        yield journal


@asynccontextmanager
async def journal_session(settings: Settings) -> AsyncIterator[Journal]:
    """The journal of the settings, open; made where it is missing. Raises JournalError."""
    from sprig_tui.journal.open import open_journal

    async with open_journal(settings.journal) as journal:
        yield journal


@asynccontextmanager
async def existing_journal_session(settings: Settings) -> AsyncIterator[Journal | None]:
    """The journal of the settings for a command that only looks, open; None where there is none, and none is made.

    Raises JournalError, of a shared one after `READ_TIMEOUT_S` at the latest.
    """
    from sprig_tui.journal.open import open_journal
    from sprig_tui.journal.url import is_server_url

    if not journal_exists(settings):
        yield None
        return
    async with AsyncExitStack() as stack:
        opening = stack.enter_async_context(open_journal(settings.journal))
        yield await run_within_read_timeout(opening, settings) if is_server_url(settings.journal) else await opening


async def run_within_read_timeout(work: Coroutine[Any, Any, Result], settings: Settings) -> Result:
    """The result of work on the journal; raises JournalUnreachableError after `READ_TIMEOUT_S`."""
    import asyncio  # preview and its like wait for nothing

    from sprig_tui.journal.url import is_server_url

    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait((task,), timeout=READ_TIMEOUT_S)
    if done:
        return task.result()
    task.cancel()
    shared = is_server_url(settings.journal)
    raise JournalUnreachableError(
        f"the journal {settings.journal_name} did not answer within {READ_TIMEOUT_S:g} s",
        hint="check that its server runs and is not overloaded" if shared else "see what holds it, or its disk",
    )


def read_files(files: tuple[str, ...], progress: ReadProgress | None = None, *, force: bool = False) -> RecordReader:
    """Records of the files; raises InputError before any is read. Standard input is read once, unbuffered."""
    from sprig_tui.sprig.reader import read_responses

    if files.count("-") > 1:
        raise click.UsageError("standard input (-) can be read once only")
    if "-" in files and sys.stdin.isatty():
        diagnostics.info("reading answers from this terminal; Ctrl-D ends them, Ctrl-C gives up")
    # Unbuffered: a thread that still waits for standard input must not hold its lock when the program ends.
    stdin = open(0, "rb", buffering=0, closefd=False) if "-" in files else None  # noqa: SIM115 - as above, and never ours to close
    return read_responses(files, stdin=stdin, progress=progress, force=force)
