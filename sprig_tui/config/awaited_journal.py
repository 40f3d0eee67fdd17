"""Awaited journal: one that may not be there yet, for programs that are always on.

Its server may be away, its disk full, or another process hold it: all of that passes. Until it is open every method
raises the JournalUnavailableError that keeps it from being opened, so that whoever asks hears 503 and why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

from sprig_tui.errors import JournalUnavailableError, SprigTuiError
from sprig_tui.journal.readiness import WriteHistory

if TYPE_CHECKING:
    from sprig_tui.journal.contract import Journal

FIRST_S = 1.0
"""Seconds that the first try gets before the program goes on without: a webhook is rather refused than not answered."""
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0
"""Seconds between two tries, doubled each time."""
CLOSE_S = 1.0
"""Seconds that the end of a connection may take: a server that hangs must not hold up a stop."""

Open = Callable[[], AbstractAsyncContextManager["Journal"]]


class AwaitedJournal:
    """Opened by `async with`, which returns once a try has failed, after `FIRST_S` at the latest; then it goes on.

    Raises, there or from `opened`, what does not pass: damage, a lack of rights, a newer version. `waits` hears of each
    reason to wait once.
    """

    def __init__(self, open_it: Open, waits: Callable[[JournalUnavailableError], None] = lambda _: None) -> None:
        self._open = open_it
        self._waits = waits
        self._stack = AsyncExitStack()
        self._inner: Journal | None = None
        self._trouble = JournalUnavailableError("the journal is not open yet", hint="it is tried again and again")
        self._told = ""
        self._failed = asyncio.Event()
        """After a first try that failed."""
        self._none = WriteHistory()
        self._opening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._opening = asyncio.create_task(self._keep_trying())
        failing = asyncio.create_task(self._failed.wait())
        await asyncio.wait((self._opening, failing), timeout=FIRST_S, return_when=asyncio.FIRST_COMPLETED)
        failing.cancel()
        if self._opening.done():
            try:
                await self._opening
            except SprigTuiError:
                await self._stack.aclose()
                raise
        elif not self._told:
            self._tell(JournalUnavailableError("the journal does not answer", hint="it is tried again and again"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opening is not None and not self._opening.done():
            self._opening.cancel()
            await asyncio.wait((self._opening,), timeout=CLOSE_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S if self._inner is None else 3 * CLOSE_S):
                await self._stack.aclose()

    @property
    def is_open(self) -> bool:
        """Whether it is there."""
        return self._inner is not None

    @property
    def journal(self) -> Journal:
        """This, as the journal that it will be."""
        return cast("Journal", self)

    @property
    def writes(self) -> WriteHistory:
        """What is known of real writes; nothing until it is open."""
        return self._inner.writes if self._inner is not None else self._none

    async def opened(self) -> None:
        """Return when it is open; raises what does not pass."""
        assert self._opening is not None  # noqa: S101 - inside `async with`
        await asyncio.shield(self._opening)

    async def _keep_trying(self) -> None:
        pause = FIRST_PAUSE_S
        while True:
            try:
                self._inner = await self._stack.enter_async_context(self._open())
            except JournalUnavailableError as error:
                self._tell(error)
            else:
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _tell(self, error: JournalUnavailableError) -> None:
        self._trouble = error
        self._failed.set()
        if error.message != self._told:
            self._told = error.message
            self._waits(error)

    def __getattr__(self, name: str) -> Any:
        if self._inner is not None:
            return getattr(self._inner, name)
        return self._not_yet

    async def _not_yet(self, *_: Any, **__: Any) -> Any:
        raise type(self._trouble)(self._trouble.message, hint=self._trouble.hint)
