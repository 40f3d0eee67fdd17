"""A terminal: a pty with a program in it, and the screen as a terminal emulator (pyte) shows it."""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import termios
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import pyte

from .processes import Process, activity, end

PATIENCE_S = 30.0
"""How long a condition may take on a busy machine; where it holds, nothing waits."""
ENTER, ESCAPE, TAB, SHIFT_TAB, BACKSPACE = "\r", "\x1b", "\t", "\x1b[Z", "\x7f"
F3 = "\x1bOR"
ESCAPE_IN_BURST = "\x1b[27u"
"""Escape as terminals with kitty's protocol write it; a bare one right before a letter is alt and the letter."""
UP, DOWN, RIGHT, LEFT = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"
HOME, END, PAGE_UP, PAGE_DOWN = "\x1b[H", "\x1b[F", "\x1b[5~", "\x1b[6~"


def ctrl(letter: str) -> str:
    """Ctrl and a letter, as a terminal writes it."""
    return chr(ord(letter.upper()) - 64)


TAKEN_TIMEOUT_S = 1.0
"""Seconds to wait for a program that reads nothing, such as an editor that sleeps."""
PACE_S = 0.025
"""Seconds between two keys of a person at least: what comes faster is a burst to the console."""


PRESS_PACE_S = 0.06
"""Seconds between two keys that are pressed one at a time: a busy machine may hand over two together."""


REST_S = 0.04
"""Seconds in which a program at rest does nothing: longer than between two frames, shorter than between two ticks."""


class Size(NamedTuple):
    """Columns and rows; `str` is such as 120x40."""

    columns: int
    rows: int

    def __str__(self) -> str:
        return f"{self.columns}x{self.rows}"


FULL, MIDDLE, NARROW, TINY = Size(120, 40), Size(100, 30), Size(80, 24), Size(60, 15)
SIZES = (FULL, MIDDLE, NARROW, TINY)


class _Screen(pyte.Screen):
    """As pyte, a quarter of its cost for what programs write most: plain text, colours, and where the cursor goes.

    A full screen of Textual is thousands of short sequences; pyte's parser takes each letter of them by itself.
    """

    _TOKENS = re.compile(
        r"(?P<text>[ -~\u00a1-\u02ff\u2500-\u25ff]+)|\x1b\[(?P<colours>[0-9;]*)m|\x1b\[(?P<row>\d+);(?P<column>\d+)H"
        # for the terminal alone: strings (DCS, APC, PM), and private sequences that pyte would take for text
        r"|\x1b[P_^].*?\x1b\\|\x1b\[[<=>][0-9;]*[a-zA-Z]"
        r"|(?P<other>\x1b(?:\[[?0-9;]*\$?[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|[=>78A-Z])|.)",
        re.DOTALL,
    )
    _CUT = re.compile(r"\x1b(?:\[[?<=>0-9;]*|\][^\x07\x1b]*|[P_^][^\x1b]*)?$")

    def __init__(self, size: Size) -> None:
        super().__init__(*size)
        self._other_jobs = pyte.Stream(self)
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""
        self._shells: tuple[dict[int, dict[int, Any]], int, int] | None = None
        self._colours: dict[tuple[Any, str], Any] = {}
        self._letters: dict[tuple[Any, str], Any] = {}

    def feed(self, data: bytes) -> None:
        """Take in what a program wrote."""
        text = self._rest + self._decode(data)
        cut = self._CUT.search(text)
        self._rest = text[cut.start() :] if cut else ""
        for token in self._TOKENS.finditer(text, 0, cut.start() if cut else len(text)):
            match token.lastgroup:
                case "text":
                    self._put(token["text"])
                case "colours":
                    self._colour(token["colours"])
                case "column":
                    self.cursor_position(int(token["row"]), int(token["column"]))
                case "other" if token["other"] in ("\x1b[?1049h", "\x1b[?1049l"):
                    self._turn_over(token["other"][-1] == "h")
                case "other":
                    self._other_jobs.feed(token["other"])

    def _turn_over(self, alternate: bool) -> None:
        """To the screen that programs get, and back to the one that the shell had."""
        if alternate:
            kept = {row: dict(line) for row, line in self.buffer.items()}
            self._shells = kept, self.cursor.x, self.cursor.y
            self.erase_in_display(2)
        elif self._shells is not None:
            kept, column, row = self._shells
            self._shells = None
            self.erase_in_display(2)
            for at, line in kept.items():
                self.buffer[at].update(line)
            self.cursor_position(row + 1, column + 1)

    def _put(self, text: str) -> None:
        cursor = self.cursor
        if cursor.x + len(text) > self.columns:
            self.draw(text)
            return
        line, attributes, letters = self.buffer[cursor.y], cursor.attrs, self._letters
        for at, letter in enumerate(text, cursor.x):
            known = letters.get((attributes, letter))
            if known is None:
                known = letters[attributes, letter] = attributes._replace(data=letter)
            line[at] = known
        cursor.x += len(text)

    def _colour(self, text: str) -> None:
        before = self.cursor.attrs
        known = self._colours.get((before, text))
        if known is None:
            self.select_graphic_rendition(*(int(one or 0) for one in text.split(";")))
            known = self._colours[before, text] = self.cursor.attrs
        self.cursor.attrs = known


class Terminal:
    """What a person has before them: keys to press, a mouse, and a screen to look at.

    Waiting is always for a condition; where it does not come to hold, the failure shows the screen.
    """

    def __init__(self, size: Size = FULL) -> None:
        self.size = size
        self.master, self.slave = pty.openpty()
        self._tell_size(size)
        self.before = termios.tcgetattr(self.slave)
        """The terminal's modes before the program began."""
        self.written = bytearray()
        """Everything that was ever written to the terminal."""
        self.process: Process
        self._screen = _Screen(size)
        self._rows: list[str] | None = None
        self._written_at = 0.0

    def run(self, process: Process) -> Self:
        """From now on it is this process that is looked at."""
        self.process = process
        return self

    # -- hands ---------------------------------------------------------------------------------------------------------

    def write(self, keys: str) -> None:
        """All of these keys in one write, as type-ahead, a slow line or a macro gives them."""
        # each write is a burst of its own to the console
        time.sleep(max(0.0, self._written_at + PACE_S - time.monotonic()))
        data = keys.encode()
        while data:
            data = data[os.write(self.master, data) :]
        self._until_taken()
        self._written_at = time.monotonic()

    def _until_taken(self) -> None:
        """Until the terminal holds nothing unread, so that a busy machine seldom joins two writes; some never read."""
        deadline = time.monotonic() + TAKEN_TIMEOUT_S
        while self.slave >= 0 and self._unread_bytes() and time.monotonic() < deadline:
            self.read(0.005)

    def _unread_bytes(self) -> int:
        return int(struct.unpack("i", fcntl.ioctl(self.slave, termios.FIONREAD, b"\0" * 4))[0])

    def press_unread(self, key: str) -> None:
        """One key, of a person whose terminal has stalled: nothing that is written to it is read."""
        time.sleep(max(0.0, self._written_at + PACE_S - time.monotonic()))
        os.write(self.master, key.encode())
        deadline = time.monotonic() + PATIENCE_S
        while self._unread_bytes():
            assert time.monotonic() < deadline, "the key is never taken"
            time.sleep(0.001)
        self._written_at = time.monotonic()

    def press(self, *keys: str) -> None:
        """Keys one at a time, each in a write of its own, at a pace that no burst has."""
        for key in keys:
            time.sleep(max(0.0, self._written_at + PRESS_PACE_S - time.monotonic()))
            self.write(key)

    def type(self, text: str) -> None:
        """A text, letter by letter."""
        self.press(*text)

    def paste(self, text: str) -> None:
        """As terminals with bracketed paste do it."""
        self.write(f"\x1b[200~{text}\x1b[201~")

    def click(self, column: int, row: int, *, times: int = 1) -> None:
        """The left button, on a cell counted from 0."""
        for _ in range(times):
            self.write(f"\x1b[<0;{column + 1};{row + 1}M\x1b[<0;{column + 1};{row + 1}m")

    def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        """The left button, held from one cell to another."""
        self.write(f"\x1b[<0;{start[0] + 1};{start[1] + 1}M")
        self.write(f"\x1b[<32;{end[0] + 1};{end[1] + 1}M")
        self.write(f"\x1b[<0;{end[0] + 1};{end[1] + 1}m")

    def click_on(self, text: str, *, nth: int = 0, times: int = 1) -> None:
        """The left button, in the middle of a text that is on the screen."""
        column, row = self.place(text, nth=nth)
        self.click(column + len(text) // 2, row, times=times)

    def wheel(self, column: int, row: int, *, down: bool = True) -> None:
        """One notch."""
        self.write(f"\x1b[<{65 if down else 64};{column + 1};{row + 1}M")

    def resize(self, size: Size) -> None:
        """Another size of the window: the kernel tells the program by SIGWINCH."""
        self.read()
        self.size = size
        self._screen.resize(size.rows, size.columns)
        self._rows = None
        self._tell_size(size)

    @property
    def other_size(self) -> Size:
        """FULL in a narrow window, else NARROW."""
        return FULL if self.size == NARROW else NARROW

    def reshape(self, size: Size) -> None:
        """As `resize`, of a terminal that keeps nothing: what shows after it was painted in the new size."""
        self.resize(size)
        self._screen.erase_in_display(2)

    def hang_up(self) -> None:
        """The window is closed."""
        for descriptor in (self.master, self.slave):
            os.close(descriptor)
        self.master = self.slave = -1

    def _tell_size(self, size: Size) -> None:
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", size.rows, size.columns, 0, 0))

    # -- eyes ----------------------------------------------------------------------------------------------------------

    @property
    def rows(self) -> list[str]:
        """The screen, row by row, without the blanks at the end."""
        if self._rows is None:
            self._rows = [self._row(row) for row in range(self.size.rows)]
        return self._rows

    @property
    def notices(self) -> str:
        """What is said in the corner, in one line: a notice is broken where its box ends."""
        return " ".join(" ".join(row.split("▌")[-1].strip(" │╯╮─") for row in self.rows if "▌" in row).split())

    def _row(self, row: int) -> str:
        line = self._screen.buffer[row]
        # the second half of a wide letter holds nothing
        return "".join(line[column].data for column in range(self.size.columns)).rstrip()

    @property
    def text(self) -> str:
        """The screen."""
        return "\n".join(self.rows)

    @property
    def picture(self) -> tuple[tuple[object, ...], ...]:
        """The screen with all its colours, to compare with another one."""
        size = self.size
        return tuple(
            tuple(self._screen.buffer[row][column] for column in range(size.columns)) for row in range(size.rows)
        )

    def box(self, text: str) -> tuple[tuple[object, ...], ...]:
        """The frame around a text, with its colours; what changes behind it is not in it."""
        column, row = self.place(text)
        line = self._line(row)
        left = max(at for at in range(column) if line[at] == "│")
        right = min(at for at in range(column, self.size.columns) if line[at] == "│")
        edges = [at for at in range(self.size.rows) if self._line(at)[left] in "╭╰"]
        top, bottom = max(at for at in edges if at < row), min(at for at in edges if at > row)
        cells = self._screen.buffer
        return tuple(tuple(cells[at][one] for one in range(left, right + 1)) for at in range(top, bottom + 1))

    def _line(self, row: int) -> list[str]:
        return [self._screen.buffer[row][column].data for column in range(self.size.columns)]

    def settle(self) -> None:
        """Until the program rests: it has taken every key, and painted what they led to.

        For pictures, which may come in several frames, and for keys that a program at work would not take. A program
        that waits for a processor or for a frame is at work; so a busy machine only delays this.
        """
        deadline = time.monotonic() + PATIENCE_S
        before, now = None, (activity(self.process.pid), len(self.written))
        while now != before or now[0] is None:
            assert time.monotonic() < deadline, f"it never rests:\n{self.framed()}"
            self.read(REST_S)
            before, now = now, (activity(self.process.pid), len(self.written))

    def places(self, text: str) -> list[tuple[int, int]]:
        """(column, row) of each place where the text stands."""
        return [
            (found.start(), row) for row, line in enumerate(self.rows) for found in re.finditer(re.escape(text), line)
        ]

    def place(self, text: str, *, nth: int = 0) -> tuple[int, int]:
        """(column, row) where the text stands for the first (or nth) time, once it stands there.

        A screen comes in several writes: between two of them a text that moves stands nowhere.
        """
        self.until(lambda: len(self.places(text)) > nth, f"{text!r} on the screen {nth + 1} times")
        return self.places(text)[nth]

    def cell(self, column: int, row: int) -> pyte.screens.Char:
        """A character with its colours: `.data`, `.fg`, `.bg`, `.bold`, `.reverse`."""
        return self._screen.buffer[row][column]

    @property
    def cursor_shown(self) -> bool:
        """Whether the terminal shows its cursor."""
        return not self._screen.cursor.hidden

    # -- patience ------------------------------------------------------------------------------------------------------

    def shows(self, *wanted: str, gone: tuple[str, ...] | str = ()) -> None:
        """Wait until all of these are on the screen, and none of `gone`."""
        absent = (gone,) if isinstance(gone, str) else gone
        self.until(
            lambda: all(one in self.text for one in wanted) and not any(one in self.text for one in absent),
            f"{wanted} on the screen" + (f" and not {absent}" if absent else ""),
        )

    def shows_in_both(self, *wanted: str, gone: tuple[str, ...] | str = ()) -> None:
        """As `shows`, in this size, and in the other one of FULL and NARROW, in which the window stays."""
        self.shows(*wanted, gone=gone)
        self.reshape(self.other_size)
        self.shows(*wanted, gone=gone)

    def until(self, holds: Callable[[], object], what: str = "what was expected") -> None:
        """Wait until something holds, looking again whenever the screen changed (and ten times a second)."""
        deadline = time.monotonic() + PATIENCE_S
        self.read()
        while not holds():
            over = self.process.poll()
            assert over is None, f"it ended with {over}, without {what}:\n{self.framed()}"
            assert time.monotonic() < deadline, f"{PATIENCE_S:g} s without {what}:\n{self.framed()}"
            self.read(0.1)

    def leave(self) -> int:
        """The exit code, once the program has ended, and everything that it wrote is read."""
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it does not end:\n{self.framed()}"
            self.read(0.05)
        self.read()
        code = self.process.poll()
        assert code is not None
        return code

    def read(self, wait_s: float = 0.0) -> None:
        """Take in what was written, waiting so long for the first of it."""
        while self.master >= 0 and select.select([self.master], [], [], wait_s)[0]:
            try:
                data = os.read(self.master, 65_536)
            except OSError:  # the other end is closed
                return
            self.written += data
            self._screen.feed(data)
            self._rows = None
            wait_s = 0.0

    def framed(self) -> str:
        """The screen for a failure."""
        edge = "+" + "-" * self.size.columns + "+"
        return "\n".join([edge, *(f"|{row:<{self.size.columns}}|" for row in self.rows), edge])

    # -- at the end ----------------------------------------------------------------------------------------------------

    def assert_as_it_was(self) -> None:
        """The terminal is as the program found it: the person's screen, cooked, cursor shown, no mouse, no pastes."""
        self.assert_is_quiet(b"2004")
        assert termios.tcgetattr(self.slave)[:4] == self.before[:4]

    def assert_is_quiet(self, *modes: bytes) -> None:
        """The person's screen, cursor shown, no mouse; a shell that is in front may have asked for pastes."""
        written = bytes(self.written)
        for mode in (b"1049", b"1000", b"1003", b"1006", *modes):
            on, off = written.rfind(b"\x1b[?" + mode + b"h"), written.rfind(b"\x1b[?" + mode + b"l")
            assert off > on, f"mode {mode.decode()} is still on"
        assert self.cursor_shown

    def close(self) -> None:
        """Leave nothing behind."""
        end(self.process)
        for descriptor in (self.master, self.slave):
            with contextlib.suppress(OSError):
                os.close(descriptor)
