"""Reading and mapping in a process of its own: large files and delivery do not take turns at one interpreter."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

import msgspec

from sprig_tui.config.childenv import child_environ
from sprig_tui.errors import InputError
from sprig_tui.intake.worker import LENGTH, Order, Part

if TYPE_CHECKING:
    from sprig_tui.intake.entries import Intake
    from sprig_tui.journal.records import NewDelivery
    from sprig_tui.sprig.reading import Responses

SMALLEST = 4_000_000
"""Bytes of input from which it pays: to start, the process takes about as long as it does to read that much."""
PIPE_BYTES = 1 << 20
"""What the system keeps of the answer until it is read, where it lets us choose: the two take turns less often."""
_CODE = "import sys; sys.path[:] = sys.argv[1:]; from sprig_tui.intake.worker import main; main()"
"""The same modules as here, wherever they come from."""
_AGAIN = "send it again: what was stored before stays, and nothing is sent twice"

_read_part = msgspec.msgpack.Decoder(Part).decode
_encode = msgspec.msgpack.Encoder().encode
_log = logging.getLogger(__name__)


def pays(responses: Responses) -> bool:
    """Whether a process of its own would be done sooner: a large input of files, from its beginning, and two cores."""
    return responses.progress.bytes_total >= SMALLEST and _cores() > 1 and responses.repeatable


def entries_apart(responses: Responses, order: Order, here: Intake) -> Iterator[NewDelivery]:
    """The entries, in order, as a generator: closing it ends the process. Where none can be started, made `here`.

    Raises InputError when the process ends before its time.
    """
    worker = Worker()
    try:
        if not worker.start(order):
            _log.warning("no process could be started to read in; going on without one")
            yield from map(here.entry, responses)
            return
        progress = responses.progress
        progress.records = 0  # some may have been looked at here
        for part in worker.parts():
            progress.bytes_read = part.bytes_read
            progress.records += len(part.entries)
            progress.current = os.fsdecode(part.current)
            here.count(part.entries)
            yield from part.entries
    finally:
        worker.end()


class Worker:
    """The process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, order: Order) -> bool:
        """Start it; returns whether it is up, and at work."""
        data = _encode(order)
        with contextlib.suppress(OSError, msgspec.DecodeError):
            self._process = process = subprocess.Popen(  # noqa: S603 - our own interpreter and code
                [sys.executable, "-S", "-c", _CODE, *sys.path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env=child_environ(),
            )
            if process.stdin is None or process.stdout is None:
                return False
            _widen(process.stdout)
            process.stdin.write(len(data).to_bytes(LENGTH) + data)
            process.stdin.flush()  # and stays open: it ends when that does
            return _next(process.stdout) is not None
        return False

    def parts(self) -> Iterator[Part]:
        """Its answer; raises InputError when that breaks off."""
        process = self._process
        if process is None or process.stdout is None:
            return
        while part := _next(process.stdout):
            yield part
            if part.over:
                return
            if part.fault:
                raise InputError(f"reading broke off: {part.fault}", hint=_AGAIN)
        status = process.wait()
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        raise InputError(f"reading broke off: its process {how}", hint=_AGAIN)

    def end(self) -> None:
        """End it, if it has not ended by itself."""
        process = self._process
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    if pipe is not None:
                        pipe.close()


def _next(answer: IO[bytes]) -> Part | None:
    length = answer.read(LENGTH)
    if len(length) < LENGTH:
        return None
    size = int.from_bytes(length)
    data = answer.read(size)
    return _read_part(data) if len(data) == size else None


def _widen(pipe: IO[bytes]) -> None:
    try:
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except (ImportError, AttributeError, OSError):
        pass  # the system's own choice will do


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
