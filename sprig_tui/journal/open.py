"""Opening a journal: by its path or URL, once or with retries.

Long-running commands use `PendingJournal`: its server may be unreachable, its disk full, or another process may hold
it. Until it is open every method raises the JournalUnavailableError that prevents it, and webhooks get a 503.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from sprig_tui.errors import ConfigError, JournalUnavailableError, SprigTuiError
from sprig_tui.journal.readiness import WriteHistory
from sprig_tui.journal.url import is_server_url

if TYPE_CHECKING:
    from sprig_tui.clock import Clock
    from sprig_tui.journal.base import Journal


def open_journal(
    place: str | os.PathLike[str], *, clock: Clock | None = None, key_folder: Path | None = None
) -> AbstractAsyncContextManager[Journal]:
    """A journal by its path or URL, to be entered: `async with` opens it, and creates a missing file.

    `key_folder` holds the key of forgotten persons of a journal on PostgreSQL; that of a file is beside it.

    Raises ConfigError for a URL that is not supported, and on entering JournalError if it cannot be opened.
    """
    text = os.fspath(place)
    scheme, separator, rest = text.partition("://")
    if is_server_url(text):
        return _postgres_journal(text, clock, key_folder)
    if separator and scheme not in ("file", "sqlite"):
        # not quoted further: the rest of a URL may contain a password
        raise ConfigError(
            f"there are no {scheme[:20]}:// journals: a journal is an SQLite file or a PostgreSQL database",
            hint="set journal.path, or journal.url = 'postgresql://...', or leave the [journal] table out",
        )
    if separator:
        text = rest
    if not text:
        raise ConfigError("the journal's place is empty", hint="set journal.path, or leave the [journal] table out")
    from sprig_tui.journal.sqlite import SQLiteJournal

    return SQLiteJournal(text, clock=clock)


def _postgres_journal(url: str, clock: Clock | None, key_folder: Path | None) -> AbstractAsyncContextManager[Journal]:
    from sprig_tui.journal.postgres import PostgresJournal

    return PostgresJournal(url, clock=clock, key_folder=key_folder)


FIRST_OPEN_TIMEOUT_S = 1.0
"""Wait for the first attempt; then the program continues without the journal and rejects webhooks."""
MIN_REOPEN_BACKOFF_S = 0.5
MAX_REOPEN_BACKOFF_S = 10.0
"""Pause between two attempts, doubled each time."""
CLOSE_TIMEOUT_S = 1.0
"""Time that closing may take: a server that hangs must not delay a shutdown."""

JournalOpener = Callable[[], AbstractAsyncContextManager["Journal"]]


class PendingJournal:
    """A journal that opens in the background.

    `async with` returns when it is open, when the first attempt has failed, or after `FIRST_OPEN_TIMEOUT_S`. Further
    attempts are made in a task.

    Permanent errors (damage, missing permissions, a newer version) are raised there or from `opened`. `on_wait` is
    called once for each new reason to wait.
    """

    def __init__(
        self, opener: JournalOpener, on_wait: Callable[[JournalUnavailableError], None] = lambda _: None
    ) -> None:
        self._opener = opener
        self._on_wait = on_wait
        self._stack = AsyncExitStack()
        self._inner: Journal | None = None
        self._error = JournalUnavailableError("the journal is not open yet", hint="it is tried again and again")
        self._reported_message = ""
        self._failed = asyncio.Event()
        """Set when the first attempt has failed."""
        self._no_writes = WriteHistory()
        self._open_task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._open_task = asyncio.create_task(self._open_with_retries())
        failing = asyncio.create_task(self._failed.wait())
        await asyncio.wait(
            (self._open_task, failing), timeout=FIRST_OPEN_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
        )
        failing.cancel()
        if self._open_task.done():
            try:
                await self._open_task
            except SprigTuiError:
                await self._stack.aclose()
                raise
        elif not self._reported_message:
            self._report_wait(
                JournalUnavailableError("the journal does not answer", hint="it is tried again and again")
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open_task is not None and not self._open_task.done():
            self._open_task.cancel()
            await asyncio.wait((self._open_task,), timeout=CLOSE_TIMEOUT_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S if self._inner is None else 3 * CLOSE_TIMEOUT_S):
                await self._stack.aclose()

    @property
    def is_open(self) -> bool:
        """Whether the journal is open."""
        return self._inner is not None

    @property
    def journal(self) -> Journal:
        """This object, typed as a journal."""
        return cast("Journal", self)

    @property
    def writes(self) -> WriteHistory:
        """History of real writes; empty until the journal is open."""
        return self._inner.writes if self._inner is not None else self._no_writes

    async def opened(self) -> None:
        """Wait until the journal is open; raises permanent errors."""
        assert self._open_task is not None  # noqa: S101 - inside `async with`
        await asyncio.shield(self._open_task)

    async def _open_with_retries(self) -> None:
        pause = MIN_REOPEN_BACKOFF_S
        while True:
            try:
                self._inner = await self._stack.enter_async_context(self._opener())
            except JournalUnavailableError as error:
                self._report_wait(error)
            else:
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, MAX_REOPEN_BACKOFF_S)

    def _report_wait(self, error: JournalUnavailableError) -> None:
        self._error = error
        self._failed.set()
        if error.message != self._reported_message:
            self._reported_message = error.message
            self._on_wait(error)

    def __getattr__(self, name: str) -> Any:
        if self._inner is not None:
            return getattr(self._inner, name)
        return self._raise_unavailable

    async def _raise_unavailable(self, *_: Any, **__: Any) -> Any:
        raise type(self._error)(self._error.message, hint=self._error.hint)
