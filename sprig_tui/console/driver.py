"""Terminal driver that ends the console when the terminal is gone."""

from __future__ import annotations

import os
import select
import selectors
import sys
import termios
import threading
from codecs import getincrementaldecoder
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO, cast

from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from sprig_tui.console.keyboard.bracketed import BurstPaste, PasteSplitter
from sprig_tui.console.keyboard.key_parser import KeyParser
from sprig_tui.console.textual_private import MAX_QUEUED_WRITES, TerminalDriver

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sprig_tui.console.console_app import ConsoleApp

INPUT_POLL_S = 0.1
"""Seconds between two checks whether the console ends."""
MAX_READ_BYTES = 4096
"""A read of this length is followed by more of the same write."""
MAX_QUEUED_FRAME_WRITES = MAX_QUEUED_WRITES // 2
"""Writes that may wait for the terminal before frames are dropped; the rest is room for what is no frame."""


def can_be_resumed() -> bool:
    """Whether a shell with job control started this process, and can resume it with `fg`."""
    return os.getsid(0) != os.getpgrp()


def console_driver(chosen: type[Driver], *, browser: bool) -> type[Driver]:
    """The driver of a browser, or the console's own where Textual has chosen its driver for terminals."""
    if browser:
        from sprig_tui.console.browser_driver import BrowserDriver

        return BrowserDriver
    return HangupDriver if chosen is LinuxDriver else chosen


class HangupDriver(TerminalDriver):
    """Calls the app's `hang_up` once the terminal is closed, whether or not the kernel sends SIGHUP.

    Textual's driver would read the end of the input in a busy loop, and the app would wait forever for the writing
    thread, which ends at the first error.
    """

    def __init__(self, app: Any, **settings: Any) -> None:
        super().__init__(app, **settings)
        self.set_output(_SafeOutput(cast("TextIO", sys.__stderr__), self._on_hangup, self._on_written))
        self._dropped_frame = False
        self._lock = threading.Lock()
        self._lost = False
        self._watch: threading.Thread | None = None
        self._reader: threading.Thread | None = None
        """The thread that reads keys."""

    def start_application_mode(self) -> None:
        """Start as Textual does, drop keys typed while another program had the terminal, and watch for its end."""
        if self._watch is not None:
            with suppress(termios.error):  # the terminal is gone; the watch thread reports it
                termios.tcflush(self.fileno, termios.TCIFLUSH)
        super().start_application_mode()  # type: ignore[no-untyped-call]
        if self._watch is None:
            self._watch = threading.Thread(target=self._watch_for_end, name="terminal-watch", daemon=True)
            self._watch.start()

    def takes_frame(self) -> bool:
        """Whether a frame can be written without waiting for the terminal.

        A terminal that takes nothing (a stalled connection, ctrl+s) must not stop the engine, which shares the event
        loop. Once the terminal takes output again, the whole screen is painted.
        """
        if self.queued_writes() < MAX_QUEUED_FRAME_WRITES:
            return True
        self._dropped_frame = True
        # looked at again: the writing thread may have written everything before the line above
        return self.queued_writes() < MAX_QUEUED_FRAME_WRITES

    def _on_written(self) -> None:
        """Everything that was queued is written; called in the writing thread."""
        if self._dropped_frame:
            self._dropped_frame = False
            with suppress(RuntimeError):  # the loop has ended, and so has the app
                self.call_app(lambda app: app.refresh())

    def run_input_thread(self) -> None:
        """Read as Textual does; a read error means that the terminal is gone."""
        reader = self._reader = threading.current_thread()
        parser = KeyParser(self.new_parser(), cast("ConsoleApp", self.app).announce_keys)
        pastes = PasteSplitter(self._on_oversized_paste, self._on_stalled_paste)
        burst = BurstPaste(self._on_oversized_paste)
        decode = getincrementaldecoder("utf-8")(errors="replace").decode
        read_at, more = 0.0, False
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self.fileno, selectors.EVENT_READ)
                # SIGCONT without a stop, as when the terminal closes, starts another one: the newest reads
                while not self.exit_event.is_set() and self._reader is reader:
                    if selector.select(INPUT_POLL_S):
                        # before the read: what is written after it has a later time, whatever delays this thread
                        if not more:
                            read_at = Message().time
                        data = os.read(self.fileno, MAX_READ_BYTES)
                        more = len(data) == MAX_READ_BYTES
                        for part in pastes.feed(decode(data)):
                            if isinstance(part, str) and burst.take(part):
                                continue
                            self._process_events(burst.end())
                            if isinstance(part, str):
                                self._process_events(parser.feed(part, read_at))
                            else:
                                self._process_events((*parser.end_escape(), part))
                    else:
                        # not after a read: the rest of a sequence may have come while this thread stood still
                        self._process_events((*burst.end(), *parser.tick()))
                        pastes.wait(Message().time - read_at)
        except OSError:
            self._on_hangup()

    def _process_events(self, messages: Iterable[Message]) -> None:
        for message in messages:
            self.process_message(message)

    def _on_oversized_paste(self, size: int) -> None:
        with suppress(RuntimeError):  # the loop has ended, and so has the app
            self.call_app(lambda app: cast("ConsoleApp", app).refuse_oversized_paste(size))

    def _on_stalled_paste(self, size: int | None) -> None:
        with suppress(RuntimeError):  # the loop has ended, and so has the app
            self.call_app(lambda app: cast("ConsoleApp", app).report_stalled_paste(size))

    def _watch_for_end(self) -> None:
        poll = select.poll()
        poll.register(self.fileno, 0)  # POLLHUP is reported even if no event is requested
        # systems that cannot poll a terminal report POLLNVAL, which does not mean that it is gone
        if any(flags & select.POLLHUP for _, flags in poll.poll()):
            self._on_hangup()

    def _on_hangup(self) -> None:
        with self._lock:
            if self._lost:
                return
            self._lost = True
            # later writes, also by the interpreter at its exit, must not fail
            nowhere = os.open(os.devnull, os.O_RDWR)
            for standard in (sys.__stdin__, sys.__stdout__, sys.__stderr__):
                if standard is not None:
                    os.dup2(nowhere, standard.fileno())
            os.close(nowhere)
        self.exit_event.set()
        with suppress(RuntimeError):  # the loop has ended, and so has the app
            self.call_app(lambda app: cast("ConsoleApp", app).hang_up())


class _SafeOutput:
    """Output of the driver; an error means that the terminal is gone, and the writing thread survives it."""

    def __init__(self, file: TextIO, on_hangup: Callable[[], None], on_written: Callable[[], None]) -> None:
        self._file = file
        self._on_hangup = on_hangup
        self._on_written = on_written

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
        else:
            self._on_written()

    def fileno(self) -> int:
        return self._file.fileno()
