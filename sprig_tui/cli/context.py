"""Settings, journal and input files, opened for a command."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from sprig_tui.cli import diagnostics
from sprig_tui.errors import JournalError, JournalUnreachableError

if TYPE_CHECKING:
    from sprig_tui.config.secrets import SecretKind
    from sprig_tui.config.settings import Settings
    from sprig_tui.delivery.suppressed_users import SuppressedUsers
    from sprig_tui.journal.base import Journal
    from sprig_tui.journal.open import PendingJournal
    from sprig_tui.sprig.reader import ReadProgress, RecordReader


Result = TypeVar("Result")

READ_TIMEOUT_S = 5.0
"""Seconds to open a shared journal, and to answer one query, for commands that only read."""


def open_settings(*, quiet: bool = False) -> Settings:
    """The settings; their warnings, and what they lost since the last use, go to stderr. Raises ConfigError."""
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
            diagnostics.warning(f"{settings.document.file}: {name} is unknown", f"did you mean {meant}?")
    return settings


def read_secrets(
    settings: Settings, *kinds: SecretKind, environments: Iterable[str] | None = None, quiet: bool = False
) -> Settings:
    """The settings with the secrets of these kinds that commands and the keyring keep; of all kinds without `kinds`.

    `environments` limits Write Keys, webhook tokens and keys of Sprig's API to those. Blocks while they are read, so it
    is called before there is an event loop, or in a thread. What cannot be read is a warning, and missing.
    """
    from sprig_tui.config.secret_reader import process_secrets
    from sprig_tui.config.secrets import SECRET_KINDS

    process_secrets.require(kinds or SECRET_KINDS, environments)
    interactive = sys.stderr.isatty()
    found = process_secrets.read(
        settings, terminal=interactive, on_read=diagnostics.info if interactive else lambda _: None
    )
    for warning in found.warnings:
        if not quiet and warning not in settings.warnings:
            diagnostics.warning(warning.message)
    return found


def load_suppressed(settings: Settings) -> SuppressedUsers:
    """The stored list of suppressed users; empty without one, and without a token."""
    from sprig_tui.config.paths import find_paths
    from sprig_tui.delivery.suppressed_users import SuppressedUsersStore

    return SuppressedUsersStore(find_paths().state_dir, settings.workspace).load()


def suggest_tables(settings: Settings) -> Iterator[tuple[str, str]]:
    """Unknown tables of the config that look like a misspelt one, and the known name."""
    import difflib

    from sprig_tui.config.schema import KNOWN_TABLES

    for name in settings.unknown_tables:
        for meant in difflib.get_close_matches(name.lower(), KNOWN_TABLES, n=1, cutoff=0.8):
            yield name[:60], meant


def journal_exists(settings: Settings) -> bool:
    """Whether there is a journal; a shared one is assumed to exist."""
    from sprig_tui.journal.url import is_server_url

    return is_server_url(settings.journal) or os.path.exists(settings.journal)  # noqa: PTH110 - Path.exists may raise


def _journal_of(settings: Settings) -> AbstractAsyncContextManager[Journal]:
    from sprig_tui.config.paths import find_paths
    from sprig_tui.journal.open import open_journal

    return open_journal(settings.journal, key_folder=find_paths().state_dir)


@asynccontextmanager
async def awaited_journal(settings: Settings) -> AsyncIterator[PendingJournal]:
    """The journal of the settings, opened in the background; temporary problems are reported.

    Raises JournalError for permanent problems.
    """
    from sprig_tui.journal.open import PendingJournal

    def waits(error: JournalError) -> None:
        diagnostics.warning(f"waiting for the journal: {error.message}", error.hint)

    async with PendingJournal(lambda: _journal_of(settings), waits) as journal:
        yield journal


@asynccontextmanager
async def journal_session(settings: Settings) -> AsyncIterator[Journal]:
    """The journal of the settings, created where it is missing. Raises JournalError."""
    async with _journal_of(settings) as journal:
        yield journal


@asynccontextmanager
async def existing_journal_session(settings: Settings) -> AsyncIterator[Journal | None]:
    """The journal of the settings for a command that only reads; None where there is none, and none is created.

    Raises JournalError, of a shared one after `READ_TIMEOUT_S` at the latest.
    """
    from sprig_tui.journal.url import is_server_url

    if not journal_exists(settings):
        yield None
        return
    async with AsyncExitStack() as stack:
        opening = stack.enter_async_context(_journal_of(settings))
        yield await run_within_read_timeout(opening, settings) if is_server_url(settings.journal) else await opening


async def run_within_read_timeout(work: Coroutine[Any, Any, Result], settings: Settings) -> Result:
    """The result of work on the journal; raises JournalUnreachableError after `READ_TIMEOUT_S`."""
    import asyncio  # `preview` needs no event loop

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
        from click import UsageError

        raise UsageError("standard input (-) can be read once only")
    if "-" in files and sys.stdin.isatty():
        diagnostics.info("reading answers from this terminal; Ctrl-D ends them, Ctrl-C gives up")
    # unbuffered, so that a thread that waits for standard input holds no lock at exit
    stdin = open(0, "rb", buffering=0, closefd=False) if "-" in files else None  # noqa: SIM115 - never closed here
    return read_responses(files, stdin=stdin, progress=progress, force=force)
