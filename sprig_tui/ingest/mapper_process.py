"""Subprocess that reads and maps large files, so that they do not share an interpreter with delivery."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import IO

import msgspec

from sprig_tui.clock import SystemClock
from sprig_tui.config.secrets import child_environ
from sprig_tui.errors import InputError
from sprig_tui.ingest.entries import EntryBuilder
from sprig_tui.ingest.mapping_job import LENGTH_PREFIX_BYTES, EntryChunk, MappingJob, decode_chunk, encode_job
from sprig_tui.journal.records import NewDelivery
from sprig_tui.sprig.reader import RecordReader
from sprig_tui.sprig.records import Record

MIN_SUBPROCESS_BYTES = 4_000_000
"""Smallest input for which a subprocess is started: starting it takes about as long as reading so much."""
PIPE_BYTES = 1 << 20
"""Capacity requested for the pipe: a larger one means fewer context switches."""
_CHILD_CODE = (
    "import gc, sys; gc.disable(); sys.path[:] = sys.argv[1:];"
    " sys.modules['typing_extensions'] = None; from sprig_tui.ingest.mapping_job import main; main()"
)
"""Gives the subprocess the same sys.path, so that it loads the same modules, in less time: nothing that a module makes
is garbage. msgspec takes what it needs from `typing` where typing_extensions cannot be imported, which alone takes a
third of the time of msgspec."""
_RETRY_HINT = "send it again: what was stored before stays, and nothing is sent twice"

_log = logging.getLogger(__name__)


def iter_entries(records: Iterable[Record], builder: EntryBuilder) -> Iterator[NewDelivery]:
    """One entry per record, in order, made on demand: by a subprocess for large files, else here.

    Raises InputError, while iterated, when the subprocess fails. Closing the iterator ends the subprocess.
    """
    with contextlib.closing(iter_chunks(records, builder)) as chunks:
        for entries in chunks:
            yield from entries


def iter_chunks(records: Iterable[Record], builder: EntryBuilder) -> Generator[Sequence[NewDelivery]]:
    """The same entries as they come: many at a time from a subprocess, one by one from here."""
    # a subprocess has the system's clock only
    if isinstance(records, RecordReader) and isinstance(builder.clock, SystemClock) and _worth_a_subprocess(records):
        builder.begin_input()
        yield from map_in_subprocess(records, MappingJob.of(records, builder), builder)
    else:
        for entry in builder.entries(records):
            yield [entry]


def _worth_a_subprocess(reader: RecordReader) -> bool:
    """Whether a subprocess is faster and can read the same input: large files, not begun yet, and two cores."""
    return reader.progress.bytes_total >= MIN_SUBPROCESS_BYTES and _available_cores() > 1 and reader.repeatable


def map_in_subprocess(reader: RecordReader, job: MappingJob, builder: EntryBuilder) -> Iterator[Sequence[NewDelivery]]:
    """The entries, in order and many at a time; made in this process where none can be started.

    Raises InputError when the subprocess ends early.
    """
    process = MapperProcess()
    try:
        if not process.start(job):
            _log.warning("cannot start a process to read the input; reading it in this one")
            for record in reader:
                yield [builder.entry(record)]
            return
        progress = reader.progress
        progress.records = 0  # the caller may have peeked at some
        for chunk in process.chunks():
            progress.bytes_read = chunk.bytes_read
            progress.records += chunk.number
            progress.current_file = os.fsdecode(chunk.current_file)
            if chunk.number:
                entries = chunk.entries
                builder.add_counts(entries)
                yield entries
    finally:
        process.stop()


class MapperProcess:
    """Parent's side of the subprocess."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, job: MappingJob) -> bool:
        """Start the subprocess; returns whether it runs and has sent its first chunk."""
        data = encode_job(job)
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
            process.stdin.flush()  # left open: the subprocess exits when it closes
            return _next_chunk(process.stdout) is not None
        return False

    def chunks(self) -> Iterator[EntryChunk]:
        """Chunks until the last one; raises InputError when the subprocess fails."""
        process = self._process
        if process is None or process.stdout is None:
            return
        while chunk := _next_chunk(process.stdout):
            yield chunk
            if chunk.last:
                return
            if chunk.fault:
                raise InputError(f"cannot read the input: {chunk.fault}", hint=_RETRY_HINT)
        status = process.wait()
        how = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        raise InputError(f"cannot read the input: its process {how}", hint=_RETRY_HINT)

    def stop(self) -> None:
        """End the subprocess, if it still runs, and close its pipes."""
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
    return decode_chunk(data) if len(data) == size else None


def _enlarge_pipe(pipe: IO[bytes]) -> None:
    try:
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except (ImportError, AttributeError, OSError):
        pass  # keep the default capacity


def _available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
