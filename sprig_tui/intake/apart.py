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
from sprig_tui.intake.worker import LENGTH_PREFIX_BYTES, EntryChunk, MappingJob

if TYPE_CHECKING:
    from sprig_tui.intake.entries import EntryBuilder
    from sprig_tui.journal.records import NewDelivery
    from sprig_tui.sprig.reading import RecordReader

MIN_SUBPROCESS_BYTES = 4_000_000
"""Bytes of input from which it pays: to start, the process takes about as long as it does to read that much."""
PIPE_BYTES = 1 << 20
"""What the system keeps of the answer until it is read, where it lets us choose: the two take turns less often."""
_CHILD_CODE = "import sys; sys.path[:] = sys.argv[1:]; from sprig_tui.intake.worker import main; main()"
"""The same modules as here, wherever they come from."""
_RETRY_HINT = "send it again: what was stored before stays, and nothing is sent twice"

_decode_chunk = msgspec.msgpack.Decoder(EntryChunk).decode
_encode_job = msgspec.msgpack.Encoder().encode
_log = logging.getLogger(__name__)


def worth_a_subprocess(responses: RecordReader) -> bool:
    """Whether a process of its own would be done sooner: a large input of files, from its beginning, and two cores."""
    return responses.progress.bytes_total >= MIN_SUBPROCESS_BYTES and _available_cores() > 1 and responses.repeatable


def map_in_subprocess(responses: RecordReader, job: MappingJob, builder: EntryBuilder) -> Iterator[NewDelivery]:
    """The entries, in order, as a generator: closing it ends the process. Where none can be started, made `here`.

    Raises InputError when the process ends before its time.
    """
    worker = MapperProcess()
    try:
        if not worker.start(job):
            _log.warning("no process could be started to read in; going on without one")
            yield from map(builder.entry, responses)
            return
        progress = responses.progress
        progress.records = 0  # some may have been looked at here
        for part in worker.chunks():
            progress.bytes_read = part.bytes_read
            progress.records += len(part.entries)
            progress.current_file = os.fsdecode(part.current)
            builder.add_counts(part.entries)
            yield from part.entries
    finally:
        worker.stop()


class MapperProcess:
    """The process."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, job: MappingJob) -> bool:
        """Start it; returns whether it is up, and at work."""
        data = _encode_job(job)
        with contextlib.suppress(OSError, msgspec.DecodeError):
            self._process = process = subprocess.Popen(  # noqa: S603 - our own interpreter and code
                [sys.executable, "-S", "-c", _CHILD_CODE, *sys.path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env=child_environ(),
            )
            if process.stdin is None or process.stdout is None:
                return False
            _enlarge_pipe(process.stdout)
            process.stdin.write(len(data).to_bytes(LENGTH_PREFIX_BYTES) + data)
            process.stdin.flush()  # and stays open: it ends when that does
            return _next_chunk(process.stdout) is not None
        return False

    def chunks(self) -> Iterator[EntryChunk]:
        """Its answer; raises InputError when that breaks off."""
        process = self._process
        if process is None or process.stdout is None:
            return
        while part := _next_chunk(process.stdout):
            yield part
            if part.last:
                return
            if part.fault:
                raise InputError(f"reading broke off: {part.fault}", hint=_RETRY_HINT)
        status = process.wait()
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        raise InputError(f"reading broke off: its process {how}", hint=_RETRY_HINT)

    def stop(self) -> None:
        """End it, if it has not ended by itself."""
        process = self._process
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    if pipe is not None:
                        pipe.close()


def _next_chunk(stream: IO[bytes]) -> EntryChunk | None:
    length = stream.read(LENGTH_PREFIX_BYTES)
    if len(length) < LENGTH_PREFIX_BYTES:
        return None
    size = int.from_bytes(length)
    data = stream.read(size)
    return _decode_chunk(data) if len(data) == size else None


def _enlarge_pipe(pipe: IO[bytes]) -> None:
    try:
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except (ImportError, AttributeError, OSError):
        pass  # the system's own choice will do


def _available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
