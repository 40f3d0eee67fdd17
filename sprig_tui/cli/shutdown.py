"""Shutdown signals: the first SIGINT or SIGTERM stops cleanly, the second aborts; SIGHUP reloads."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Coroutine
from types import FrameType
from typing import Any, Self, TypeVar

from sprig_tui.cli import diagnostics
from sprig_tui.errors import ExitCode

Result = TypeVar("Result")
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
SIGNAL_DEBOUNCE_S = 0.5
"""Seconds within which two signals are one: `timeout` and some supervisors signal a process and its group at once."""

STOP_DEADLINE_S = 7.5
"""Seconds from the first signal until the process exits at the latest: Docker kills after ten."""


class ShutdownRequested(Exception):  # noqa: N818 - not an error: what the person asked for
    """The first signal arrived during the work."""


class ShutdownSignals:
    """Signal handlers while the context is entered, inside a running event loop.

    `reload_on_hangup`: SIGHUP reloads config and certificate; sent because the terminal closed, it stops the process.
    `deadline_s`: seconds after the first signal until the process exits with `last_code`, whatever it waits for.
    Acknowledged deliveries are in the journal by then, and leases expire as those of a killed process do.
    """

    def __init__(
        self, *, reload_on_hangup: bool = False, deadline_s: float | None = None, last_code: ExitCode = ExitCode.OK
    ) -> None:
        self.requested = asyncio.Event()
        """After the first signal."""
        self.forced = asyncio.Event()
        """After the second."""
        self._loop = asyncio.get_running_loop()
        self._first_at = 0.0
        self._deadline_s = deadline_s
        self._last_code = last_code
        self._deadline_timer: threading.Timer | None = None
        """A thread, since the event loop may be blocked by one that hangs."""
        self._handles_hangup = reload_on_hangup and sys.platform != "win32"
        self._terminal = next((number for number in range(3) if _is_terminal(number)), None)
        self._hangup_events: list[asyncio.Event] = []
        self._previous_handlers: dict[signal.Signals, Any] = {}
        """Handlers of systems whose event loop takes no signals (Windows)."""

    def __enter__(self) -> Self:
        for number in STOP_SIGNALS:
            try:
                self._loop.add_signal_handler(number, self._on_signal)
            except NotImplementedError:
                self._previous_handlers[number] = signal.signal(number, self._on_signal_without_loop)
        if self._handles_hangup:
            self._loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        return self

    def __exit__(self, *_: object) -> None:
        if self._deadline_timer is not None:
            self._deadline_timer.cancel()
        for number in STOP_SIGNALS:
            if number in self._previous_handlers:
                signal.signal(number, self._previous_handlers[number])
            else:
                self._loop.remove_signal_handler(number)
        if self._handles_hangup:
            self._loop.remove_signal_handler(signal.SIGHUP)

    def hangup_event(self) -> asyncio.Event:
        """A new event for the caller, set at each SIGHUP that asks to reload."""
        self._hangup_events.append(asyncio.Event())
        return self._hangup_events[-1]

    def _on_hangup(self) -> None:
        if self._terminal is not None and not _is_terminal(self._terminal):
            self.request()
        for event in self._hangup_events:
            event.set()

    def _on_signal_without_loop(self, _number: int, _frame: FrameType | None) -> None:
        self._loop.call_soon_threadsafe(self._on_signal)

    def request(self) -> None:
        """Request a clean stop, as the first signal does. Repeated requests change nothing."""
        if not self.requested.is_set():
            self._first_at = self._loop.time()
            self.requested.set()
            if self._deadline_s is not None:
                self._deadline_timer = threading.Timer(self._deadline_s, _exit_at_deadline, (self._last_code,))
                self._deadline_timer.daemon = True
                self._deadline_timer.start()

    def _on_signal(self) -> None:
        if self.requested.is_set() and self._loop.time() - self._first_at > SIGNAL_DEBOUNCE_S:
            self.forced.set()
        self.request()

    async def guard(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of the work. Raises ShutdownRequested, with the work cancelled, at the first signal."""
        return await _run_until(work, self.requested)

    async def complete(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result of work that the first signal does not stop. Raises ShutdownRequested at the second."""
        return await _run_until(work, self.forced)

    async def drain(self, work: Coroutine[Any, Any, bool]) -> None:
        """Let requests in flight finish; a second signal aborts them."""
        if self.requested.is_set():
            diagnostics.info("stopping: requests on the wire finish first; again to stop at once")
        try:
            await _run_until(work, self.forced)
        except ShutdownRequested:
            diagnostics.info("stopped at once; what was on the wire is queued again under the same message ids")


def _exit_at_deadline(code: ExitCode) -> None:
    diagnostics.warning("stopped without waiting for the journal, which does not answer; what it has is safe there")
    os._exit(code)


def _is_terminal(descriptor: int) -> bool:
    """Whether it is a terminal that is still connected."""
    return os.isatty(descriptor)


async def _run_until(work: Coroutine[Any, Any, Result], event: asyncio.Event) -> Result:
    task = asyncio.ensure_future(work)
    waiter = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait((task, waiter), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        task.cancel()
        await asyncio.wait((task,))
        if not task.cancelled() and task.exception() is None:
            return task.result()
        raise ShutdownRequested
    finally:
        waiter.cancel()
        task.cancel()
