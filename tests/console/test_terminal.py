"""The real program in a real terminal: it starts, answers, quits, and leaves the terminal as it found it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sprig_tui.config.paths import paths_in_folder

PATIENCE = 30.0
ALTERNATE_ON, ALTERNATE_OFF = b"\x1b[?1049h", b"\x1b[?1049l"

TAKE_CONTROL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)
"""The terminal becomes the one whose end the kernel tells with SIGHUP."""


class Terminal:
    """A pseudo-terminal with the program in it."""

    def __init__(self, home: Path, *arguments: str, controlling: bool = False) -> None:
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        environ = {**os.environ, "SPRIG_TUI_HOME": str(home), "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
        self.process = subprocess.Popen(
            [sys.executable, *(("-c", TAKE_CONTROL) if controlling else ()), "-m", "sprig_tui", *arguments],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env=environ,
            start_new_session=True,
        )
        self.seen = b""

    def hang_up(self) -> None:
        """As when the window is closed: nobody holds the terminal but the program."""
        os.close(self.master)
        os.close(self.slave)

    def until(self, *wanted: bytes) -> None:
        """Read until the program has written all of these since the last time."""
        deadline = time.monotonic() + PATIENCE
        start = len(self.seen)
        while not all(one in self.seen[start:] for one in wanted):
            assert time.monotonic() < deadline, self.seen[-2000:]
            if select.select([self.master], [], [], 0.1)[0]:
                self.seen += os.read(self.master, 65_536)

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def leave(self) -> int:
        """The exit code, once it has ended and everything is read."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < deadline, self.seen[-2000:]
            if select.select([self.master], [], [], 0.05)[0]:
                self.seen += os.read(self.master, 65_536)
        while select.select([self.master], [], [], 0.1)[0]:
            self.seen += os.read(self.master, 65_536)
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for descriptor in (self.master, self.slave):
            with contextlib.suppress(OSError):
                os.close(descriptor)


@pytest.fixture
def terminal(tmp_path) -> Iterator[type]:
    opened: list[Terminal] = []

    # the set-up screen of a first start is walked in tests/terminal
    mark = paths_in_folder(str(tmp_path / "home")).state_dir / "set-up"

    def start(*arguments: str, controlling: bool = False) -> Terminal:
        if not arguments:
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.write_bytes(b"off\n")
        opened.append(Terminal(tmp_path / "home", *arguments, controlling=controlling))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def assert_as_it_was(one: Terminal) -> None:
    assert one.seen.count(ALTERNATE_ON) == one.seen.count(ALTERNATE_OFF) == 1
    assert one.seen.rindex(ALTERNATE_OFF) > one.seen.rindex(ALTERNATE_ON)
    assert termios.tcgetattr(one.slave)[:4] == one.before[:4]
    assert b"\x1b[?25h" in one.seen[one.seen.rindex(ALTERNATE_OFF) - 400 :]


def test_console_starts_shows_help_and_quits(terminal, tmp_path):
    one = terminal()
    one.until(b"Environments", b"no deliveries yet")
    one.press("?")
    one.until(b"Help")
    one.press("q")
    one.until(b"no deliveries yet")
    one.press("q")
    assert one.leave() == 0
    assert_as_it_was(one)
    assert not (tmp_path / "home" / "config.toml").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_the_console_cleanly(terminal, number):
    one = terminal()
    one.until(b"Environments", b"no deliveries yet")
    one.process.send_signal(number)
    assert one.leave() == 0
    assert_as_it_was(one)


@pytest.mark.parametrize("controlling", [False, True], ids=["without a word", "with SIGHUP"])
def test_hangup_of_terminal_ends_the_console(terminal, controlling):
    one = terminal(controlling=controlling)
    one.until(b"Environments", b"no deliveries yet")
    one.hang_up()
    assert one.process.wait(PATIENCE) == 0


def test_demo_writes_nothing_in_the_home_folder(terminal, tmp_path):
    one = terminal("demo")
    one.until(b"Environments", b"sample_payloads", b"no deliveries yet")
    one.press("q")
    assert one.leave() == 0
    assert_as_it_was(one)
    assert not (tmp_path / "home").exists()


def test_invalid_config_is_a_sentence_and_exit_2(terminal, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "config.toml").write_text("[environments.production\n")
    one = terminal()
    assert one.leave() == 2
    assert ALTERNATE_ON not in one.seen
    assert b"not valid TOML" in one.seen


def test_first_paint_shows_environments_and_payload(terminal):
    one = terminal()
    one.until(b"Deliveries")
    for word in (b"Environments", b"Production", b"no key: press a to add one", b"Payload"):
        assert word in one.seen[: one.seen.index(b"Deliveries")]
