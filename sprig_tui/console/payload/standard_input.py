"""Standard input as a held input: read by a thread as it comes, and kept until the console ends.

The first part is kept in memory, the rest in a file without a name: the kernel removes it with the process, however
that ends, and nobody else can open it. A file that standard input was redirected from is read in its place.
"""

from __future__ import annotations

import io
import os
import shutil
import stat
import tempfile
import threading
from pathlib import Path
from typing import BinaryIO

from sprig_tui.errors import SprigTuiError
from sprig_tui.files import make_folder
from sprig_tui.formatting import size_text
from sprig_tui.sprig.held_input import StopCheck, StoppedError

MAX_MEMORY_BYTES = 16_000_000
"""Bytes that are kept in memory; a longer input goes to a file."""
MAX_HELD_BYTES = 2_000_000_000
"""Bytes that are kept at all."""
MIN_FREE_BYTES = 500_000_000
"""Space on the disk that is left to others."""
_SPACE_CHECK_BYTES = 64_000_000
_READ_BYTES = 262_144
_STOP_CHECK_S = 0.2
"""Seconds between two looks whether a reader that waits for more is to stop."""
_NEXT_STEP = "sprig-tui send - takes standard input of any length"


class StandardInput:
    """What a pipe gives, as far as it came; `start` begins to read. Readers of any thread may open it at once."""

    name = "stdin"
    title = "standard input"

    def __init__(self, descriptor: int, state_dir: Path) -> None:
        """`state_dir` is the folder whose disk takes what is too long for memory; the descriptor is closed at the end.

        A regular file is read from where the descriptor stands, and is not copied.
        """
        self._descriptor = descriptor
        self._state_dir = state_dir
        self._memory = bytearray()
        self._file = -1
        """Descriptor of the file that has all of it; -1 while memory has."""
        self._start = 0
        """Offset in the file at which the input begins."""
        self._size = 0
        self._ended = False
        self._followers_waiting = 0
        self._grown = threading.Condition()
        self.shortfall = ""

    def start(self) -> None:
        """Read from now on."""
        status = os.fstat(self._descriptor)
        if stat.S_ISREG(status.st_mode):
            self._file, self._start = self._descriptor, os.lseek(self._descriptor, 0, os.SEEK_CUR)
            self._size, self._ended = max(0, status.st_size - self._start), True
            return
        # a daemon: a read that never returns must not keep the process alive
        threading.Thread(target=self._read_all, name="standard-input", daemon=True).start()

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._size

    @property
    def ended(self) -> bool:
        """Whether its producer has ended, or no more is taken."""
        return self._ended

    @property
    def is_drained(self) -> bool:
        """Whether a reader that follows waits for more."""
        return self._followers_waiting > 0

    def open(self, follow: StopCheck | None = None) -> BinaryIO:
        """See `HeldInput`."""
        return _HeldStream(self, follow)  # type: ignore[return-value] # a RawIOBase has all that is used

    def read_at(self, offset: int, size: int, follow: StopCheck | None) -> bytes:
        """Bytes from an offset on; at the end empty or, with `follow`, as soon as there are some."""
        with self._grown:
            while offset >= self._size and not self._ended and follow is not None:
                if follow():
                    raise StoppedError
                self._followers_waiting += 1
                self._grown.wait(_STOP_CHECK_S)
                self._followers_waiting -= 1
            size = min(size, self._size - offset)
            if size <= 0:
                return b""
            if self._file < 0:
                return bytes(memoryview(self._memory)[offset : offset + size])
        return os.pread(self._file, size, self._start + offset)

    # -- the thread ----------------------------------------------------------------------------------------------------

    def _read_all(self) -> None:
        try:
            checked = 0
            while data := os.read(self._descriptor, _READ_BYTES):
                if self._size + len(data) > MAX_HELD_BYTES:
                    self._end(f"only the first {size_text(MAX_HELD_BYTES)} of standard input are kept: {_NEXT_STEP}")
                    return
                if self._size + len(data) > MAX_MEMORY_BYTES:
                    if self._file < 0 or self._size - checked > _SPACE_CHECK_BYTES:
                        checked = self._size
                        self._require_space()
                    if self._file < 0:
                        self._move_to_file()
                self._append(data)
        except (OSError, SprigTuiError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            self._end(f"only the first {size_text(self._size)} of standard input are kept: {why}\n{_NEXT_STEP}")
        else:
            self._end("")

    def _append(self, data: bytes) -> None:
        if self._file >= 0:
            rest = data
            offset = self._size
            while rest:
                written = os.pwrite(self._file, rest, offset)
                rest, offset = rest[written:], offset + written
        with self._grown:
            if self._file < 0:
                self._memory += data
            self._size += len(data)
            self._grown.notify_all()

    def _require_space(self) -> None:
        make_folder(self._state_dir)
        if shutil.disk_usage(self._state_dir).free < MIN_FREE_BYTES:
            raise OSError(0, f"the disk of {self._state_dir} has less than {size_text(MIN_FREE_BYTES)} left")

    def _move_to_file(self) -> None:
        with tempfile.TemporaryFile(dir=self._state_dir, buffering=0) as file:
            descriptor = os.dup(file.fileno())
        rest, offset = bytes(self._memory), 0
        while offset < len(rest):
            offset += os.pwrite(descriptor, rest[offset : offset + _READ_BYTES], offset)
        with self._grown:
            self._file = descriptor
            self._memory = bytearray()

    def _end(self, shortfall: str) -> None:
        # the producer learns that nobody reads on
        os.close(self._descriptor)
        with self._grown:
            self.shortfall = shortfall
            self._ended = True
            self._grown.notify_all()


class _HeldStream(io.RawIOBase):
    """A stream over the input, with a position of its own."""

    def __init__(self, held: StandardInput, follow: StopCheck | None) -> None:
        self._held = held
        self._follow = follow
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._held.size}[whence]
        self._position = base + offset
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override] # what RawIOBase gives it
        data = self._held.read_at(self._position, len(buffer), self._follow)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
