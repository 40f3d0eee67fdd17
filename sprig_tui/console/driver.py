"""The terminal that the console is on: as Textual drives it, but when it goes away the console ends."""

from __future__ import annotations

import os
import select
import selectors
import signal
import sys
import termios
import threading
from codecs import getincrementaldecoder
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO, cast

from textual import events
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sprig_tui.console.app import SprigTui

INPUT_POLL_S = 0.1
"""Seconds between two looks at whether the console ends."""
MAX_READ_BYTES = 4096
"""A read that brings so much is followed by more of the same write."""


def can_be_resumed() -> bool:
    """Whether a shell with job control started this: the session's leader is of another job, and can say `fg`."""
    return os.getsid(0) != os.getpgrp()


class HangupDriver(LinuxDriver):
    """Calls the app's `hang_up` once the other end is closed, whether or not the kernel sends SIGHUP.

    Left to itself Textual would read the end of the input for ever, at the cost of a core, and once its writing thread
    had died of the first error the app would wait for it for ever.
    """

    def __init__(self, app: Any, **settings: Any) -> None:
        super().__init__(app, **settings)
        self._file = cast("Any", _SafeOutput(cast("TextIO", sys.__stderr__), self._on_hangup))
        self._lock = threading.Lock()
        self._lost = False
        self._watch: threading.Thread | None = None

    def _sigtstp_application(self, *_: object) -> None:
        """As Textual, but the whole job stops: a program that started this one (`uv run`) must not keep the shell."""
        if self._auto_restart:
            self.suspend_application_mode()
            self._must_signal_resume = True
        os.killpg(os.getpgrp(), signal.SIGSTOP)

    def start_application_mode(self) -> None:
        """As Textual, and from then on watched; what was typed while another program had the terminal is dropped."""
        if self._watch is not None:
            with suppress(termios.error):  # the terminal is gone, which is told elsewhere
                termios.tcflush(self.fileno, termios.TCIFLUSH)
        super().start_application_mode()  # type: ignore[no-untyped-call]
        if self._watch is None:
            self._watch = threading.Thread(target=self._watch_for_end, name="terminal-watch", daemon=True)
            self._watch.start()

    def run_input_thread(self) -> None:
        """As Textual, but all events of one read have one time, and a terminal that cannot be read has hung up.

        What one write brings is read at once: bursts of keys are told by these times, however busy the machine is.
        """
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")(errors="replace").decode
        read_at, more = 0.0, False
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self.fileno, selectors.EVENT_READ)
                while not self.exit_event.is_set():
                    if selector.select(INPUT_POLL_S):
                        data = os.read(self.fileno, MAX_READ_BYTES)
                        if not more:
                            read_at = Message().time
                        more = len(data) == MAX_READ_BYTES
                        self._process_events(parser.feed(decode(data)), read_at)
                    self._process_events(parser.tick(), read_at)
        except OSError:
            self._on_hangup()

    def _process_events(self, messages: Iterable[Message], read_at: float) -> None:
        for message in messages:
            if isinstance(message, events.Key):
                message.time = read_at
            self.process_message(message)

    def _watch_for_end(self) -> None:
        poll = select.poll()
        poll.register(self.fileno, 0)  # no event is asked for: the end is told all the same
        # systems that cannot poll a terminal answer POLLNVAL, which says nothing of it
        if any(flags & select.POLLHUP for _, flags in poll.poll()):
            self._on_hangup()

    def _on_hangup(self) -> None:
        with self._lock:
            if self._lost:
                return
            self._lost = True
            # whatever is still written, on the way out or by the interpreter at its end, must not fail
            nowhere = os.open(os.devnull, os.O_RDWR)
            for standard in (sys.__stdin__, sys.__stdout__, sys.__stderr__):
                if standard is not None:
                    os.dup2(nowhere, standard.fileno())
            os.close(nowhere)
        self.exit_event.set()
        with suppress(RuntimeError):  # the loop has ended already, and so has the app
            self._loop.call_soon_threadsafe(cast("SprigTui", self._app).hang_up)


class _SafeOutput:
    """What the driver writes to: an error there is the terminal's end, and the writing thread outlives it."""

    def __init__(self, file: TextIO, on_hangup: Callable[[], None]) -> None:
        self._file = file
        self._on_hangup = on_hangup

    def write(self, text: str) -> None:
        try:
            self._file.write(text)
        except OSError:
            self._on_hangup()

    def flush(self) -> None:
        try:
            self._file.flush()
        except OSError:
            self._on_hangup()

    def fileno(self) -> int:
        return self._file.fileno()
