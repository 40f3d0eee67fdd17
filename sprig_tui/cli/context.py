"""Opening what commands work with: settings and the journal."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sprig_tui.cli import diagnostics
from sprig_tui.config.paths import find_paths
from sprig_tui.config.reload import ConfigReloader, ConfigUpdate, join_names
from sprig_tui.config.settings import load_settings
from sprig_tui.errors import ConfigError, JournalError, JournalUnreachableError

if TYPE_CHECKING:
    from sprig_tui.cli.run_options import RunOptions
    from sprig_tui.config.journal import PendingJournal
    from sprig_tui.config.settings import Settings
    from sprig_tui.delivery.engine import Engine
    from sprig_tui.journal.base import Journal
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
    from sprig_tui.config.journal import PendingJournal, open_journal

    def waits(error: JournalError) -> None:
        diagnostics.warning(f"waiting for the journal: {error.message}", error.hint)

    async with PendingJournal(lambda: open_journal(settings.journal), waits) as journal:
        yield journal


@asynccontextmanager
async def journal_session(settings: Settings) -> AsyncIterator[Journal]:
    """The journal of the settings, open; made where it is missing. Raises JournalError."""
    from sprig_tui.config.journal import open_journal

    async with open_journal(settings.journal) as journal:
        yield journal


@asynccontextmanager
async def existing_journal_session(settings: Settings) -> AsyncIterator[Journal | None]:
    """The journal of the settings for a command that only looks, open; None where there is none, and none is made.

    Raises JournalError, of a shared one after `READ_TIMEOUT_S` at the latest.
    """
    from sprig_tui.config.journal import open_journal
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


RELOAD_INTERVAL_S = 1.0
"""Seconds between two looks at the config file."""


def ignore_message(_: str) -> None:
    """Nobody asks."""


async def reload_on_change(
    engine: Engine | None,
    settings: Settings,
    options: RunOptions,
    on_reload: Callable[[Settings], None] = lambda _: None,
    *,
    reload_requested: asyncio.Event | None = None,
    on_config_problem: Callable[[str], None] = ignore_message,
) -> None:
    """Take up the config, and what pulls learnt of surveys, whenever it changes, until cancelled.

    `taken_up` hears of it; it may raise ConfigError against it. `held` hears why the config on disk is not in use, and
    an empty text when it is again. `asked` is set when a person wants it read now, as it stands (SIGHUP).
    """
    paths = find_paths()
    reload = ConfigReloader(paths, settings, lambda: load_settings(paths))
    try:
        while True:
            confirmed = await wait_for_request(reload_requested, RELOAD_INTERVAL_S)
            news = await asyncio.to_thread(reload.poll, confirmed=confirmed)
            if news is not None and news.kind == "changed":
                news = await _apply(reload, news, engine, options, on_reload)
            if news is not None:
                _report_news(news)
                on_config_problem(reload.message)
            elif confirmed:
                _report_unchanged(reload)
    finally:
        reload.close()


async def wait_for_request(reload_requested: asyncio.Event | None, seconds: float) -> bool:
    """Wait so long, or until it is set; whether it was, and it is cleared then."""
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
