"""The console in a pseudo-terminal of 120x40: what it writes is read all the time, as a terminal would."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios
from collections.abc import Mapping
from types import TracebackType
from typing import Self

_ESCAPES = re.compile(rb"\x1b(\[[0-9;?<>=]*[a-zA-Z]|[()][A-Z0-9]|[=>]|\][^\x07\x1b]*(\x07|\x1b\\))")
_KEPT = 400_000
"""Bytes of what it wrote that are kept."""


class PtyConsole:
    """`sprig-tui` in a terminal; a context manager that leaves none behind."""

    def __init__(self) -> None:
        self._master = -1
        self._written = b""
        self._state_changed = asyncio.Event()
        self.process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.end()

    async def start(self, environ: Mapping[str, str], *options: str) -> None:
        """Start it; again when it was killed."""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self._written = b""
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sprig_tui", *options),
            env={**environ, "TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        asyncio.get_running_loop().add_reader(self._master, self._read)

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process is not None and self.process.returncode is None

    def written(self) -> str:
        """What it wrote since the start or `forget`, without escape sequences."""
        return _ESCAPES.sub(b"", self._written).decode(errors="replace")

    def forget(self) -> None:
        """Look only at what it writes from now on."""
        self._written = b""

    async def shows(self, text: str) -> None:
        """Wait until it has written the text. Raises AssertionError when it ends first."""
        while text not in self.written():
            assert self.running, self.written()[-2000:]
            self._state_changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._state_changed.wait(), 1.0)

    def press(self, keys: str) -> None:
        """Type."""
        os.write(self._master, keys.encode())

    async def end(self, how: signal.Signals = signal.SIGKILL) -> int:
        """End it with a signal; returns its exit code."""
        if self.process is None:
            return 0
        if self.running:
            self.process.send_signal(how)
        code = await self.process.wait()
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        self.process = None
        return code

    def _read(self) -> None:
        try:
            some = os.read(self._master, 65_536)
        except OSError:  # Linux says EIO when the other end is closed
            some = b""
        if not some:
            asyncio.get_running_loop().remove_reader(self._master)
        self._written = (self._written + some)[-_KEPT:]
        self._state_changed.set()
