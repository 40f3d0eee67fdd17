"""Driver for a console in a browser: packets on standard input and output in place of a terminal."""

from __future__ import annotations

import os
import queue
import select
import sys
import threading
import time
from codecs import getincrementaldecoder
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import msgspec
from textual import events
from textual.geometry import Size
from textual.message import Message

from sprig_tui.browser.packets import DATA, PacketError, PacketReader, encode_data
from sprig_tui.console.keyboard.bracketed import PasteSplitter
from sprig_tui.console.keyboard.key_parser import KeyParser
from sprig_tui.console.textual_private import PacedDriver

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sprig_tui.console.console_app import ConsoleApp

INPUT_POLL_S = 0.1
"""Seconds between two checks whether the console ends."""
MAX_READ_BYTES = 65_536
MAX_QUEUED_FRAMES = 16
"""Writes that may wait for the browser before frames are dropped."""
LEAVE_TIMEOUT_S = 15.0
"""Seconds after the end of the input until the process ends, whatever the console waits for."""
FLUSH_TIMEOUT_S = 1.0
"""Seconds that the last writes get at the end."""
_ENTER = "\x1b[?1049h\x1b[?1000h\x1b[?1003h\x1b[?1015h\x1b[?1006h\x1b[?25l\x1b[?2004h"
_LEAVE = "\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?2004l\x1b[?1049l"


class BrowserDriver(PacedDriver):
    """Calls the app's `hang_up` when the input ends: the browser is gone, or the server is.

    A browser that reads slowly never stops the event loop, which the engine shares: frames are dropped, and once it has
    read what was written the whole screen is painted.
    """

    def __init__(self, app: Any, **settings: Any) -> None:
        super().__init__(app, **settings)
        if self._size is None:
            columns, lines = (int(os.environ.get(name, "0") or 0) for name in ("COLUMNS", "LINES"))
            self._size = (columns or 80, lines or 24)
        self._input, self._output = sys.__stdin__.fileno(), sys.__stdout__.fileno()  # type: ignore[union-attr]
        self._writes: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._dropped_frame = False
        self._ended = threading.Event()
        self._written = threading.Event()
        self._written.set()

    # -- what Textual calls ---------------------------------------------------------------------------------------

    def start_application_mode(self) -> None:
        """Begin to read and to write; the browser's terminal is there already."""
        for work, name in ((self._read_input, "browser-input"), (self._write_output, "browser-output")):
            threading.Thread(target=work, name=name, daemon=True).start()
        self.write(_ENTER)
        self.send_message(events.Resize(Size(*cast("tuple[int, int]", self._size)), Size(*self._size)))  # type: ignore[misc]

    def disable_input(self) -> None:
        """Read no more keys."""
        self._ended.set()

    def stop_application_mode(self) -> None:
        """Give the last writes some time."""
        self._ended.set()
        self.write(_LEAVE)
        self._written.wait(FLUSH_TIMEOUT_S)

    def write(self, data: str) -> None:
        """Queue text for the browser's terminal."""
        self._written.clear()
        self._writes.put(encode_data(data.encode("utf-8", "replace")))

    def open_url(self, url: str, new_tab: bool = True) -> None:
        """Open nothing: a program on the server's machine would, and the browser's user is elsewhere."""

    def takes_frame(self) -> bool:
        """Whether the browser keeps up."""
        if self._writes.qsize() < MAX_QUEUED_FRAMES:
            return True
        self._dropped_frame = True
        # looked at again: the writing thread may have written everything before the line above
        return self._writes.qsize() < MAX_QUEUED_FRAMES

    # -- threads --------------------------------------------------------------------------------------------------

    def _write_output(self) -> None:
        with suppress(OSError):  # the server has gone; the end of the input says the same
            while True:
                packet = self._writes.get()
                while packet:
                    packet = packet[os.write(self._output, packet) :]
                if self._writes.empty():
                    self._written.set()
                    if self._dropped_frame:
                        self._dropped_frame = False
                        with suppress(RuntimeError):  # the loop has ended, and so has the app
                            self.call_app(lambda app: app.refresh())

    def _read_input(self) -> None:
        packets = PacketReader()
        parser = KeyParser(self.new_parser(), cast("ConsoleApp", self.app).announce_keys)
        pastes = PasteSplitter(self._on_oversized_paste, self._on_stalled_paste)
        decode = getincrementaldecoder("utf-8")(errors="replace").decode
        read_at = 0.0
        with suppress(OSError, PacketError):
            while True:
                if select.select([self._input], [], [], INPUT_POLL_S)[0]:
                    # before the read: what is written after it has a later time, whatever delays this thread
                    read_at = Message().time
                    data = os.read(self._input, MAX_READ_BYTES)
                    if not data:
                        break
                    for kind, body in packets.feed(data):
                        if kind == DATA:
                            for part in pastes.feed(decode(body)):
                                self._process_events(parser.feed(part, read_at) if isinstance(part, str) else (part,))
                            # a browser gives a key whole
                            self._process_events(parser.end_escape())
                        else:
                            self._take_meta(body)
                else:
                    pastes.wait(Message().time - read_at)
                self._process_events(parser.tick())
        self._on_hangup()

    def _process_events(self, messages: Iterable[Message]) -> None:
        for message in messages:
            if not self._ended.is_set():
                self.process_message(message)

    def _on_oversized_paste(self, size: int) -> None:
        with suppress(RuntimeError):  # the loop has ended, and so has the app
            self.call_app(lambda app: cast("ConsoleApp", app).refuse_oversized_paste(size))

    def _on_stalled_paste(self, size: int | None) -> None:
        with suppress(RuntimeError):  # the loop has ended, and so has the app
            self.call_app(lambda app: cast("ConsoleApp", app).report_stalled_paste(size))

    def _take_meta(self, body: bytes) -> None:
        match msgspec.json.decode(body):
            case {"type": "resize", "width": int(width), "height": int(height)}:
                self._size = (width, height)
                self.send_message(events.Resize(Size(width, height), Size(width, height)))
            case {"type": "focus"}:
                self.send_message(events.AppFocus())
            case {"type": "blur"}:
                self.send_message(events.AppBlur())

    def _on_hangup(self) -> None:
        with suppress(RuntimeError):  # the loop has ended, and so has the app
            self.call_app(lambda app: cast("ConsoleApp", app).hang_up())
        # nobody is there to press q again: what the console waits for must not keep it for ever
        time.sleep(LEAVE_TIMEOUT_S)
        os._exit(1)
