"""Subprocess that reads and maps large files, so that they do not share an interpreter with delivery."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import IO, BinaryIO, Self

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from sprig_tui.clock import SystemClock
from sprig_tui.config.environment import Environment, override_urls
from sprig_tui.config.secrets import child_environ
from sprig_tui.errors import InputError
from sprig_tui.ingest.entries import EntryBuilder
from sprig_tui.journal.records import NewDelivery
from sprig_tui.mapping.records import Rules
from sprig_tui.sprig.reader import RecordReader
from sprig_tui.sprig.records import Record

MAX_CHUNK_ENTRIES = 250
MAX_CHUNK_BYTES = 250_000
"""A chunk ends at whichever limit comes first."""
LENGTH_PREFIX_BYTES = 4
"""Size of the length that precedes the job and each chunk."""


class MappingJob(Struct, frozen=True):
    """Files to read and the rules to map them by; never holds a Write Key. It goes through a pipe."""

    files: list[bytes]
    max_record_bytes: int
    rules: Rules
    environments: dict[str, str | None]
    """Environment name -> Sprig environment id."""
    default_environment: str | None
    override_urls: dict[str, str] = {}
    """Environment name -> URL, for environments sent to an endpoint other than their own."""

    @classmethod
    def of(cls, reader: RecordReader, builder: EntryBuilder) -> Self:
        """The job that reads all files of `reader` as `builder` would."""
        return cls(
            files=[os.fsencode(name) for name in reader.files],
            max_record_bytes=reader.max_record_bytes,
            rules=builder.mapper.rules,
            environments={name: environment.sprig_environment_id for name, environment in builder.environments.items()},
            default_environment=builder.default_environment,
            override_urls=override_urls(builder.environments),
        )


class EntryChunk(Struct, frozen=True, array_like=True):
    """Entries that the subprocess sends together, and its progress."""

    entries: list[NewDelivery] = []
    bytes_read: int = 0
    current_file: bytes = b""
    """Path of the file being read."""
    last: bool = False
    """True once all input was read."""
    fault: str = ""
    """Exception that ended the subprocess early."""


_decode_job = msgspec.msgpack.Decoder(MappingJob).decode
_encode_chunk = msgspec.msgpack.Encoder().encode


def main() -> None:
    """Run as the subprocess: read a job from standard input, write chunks to standard output."""
    # a terminal's Ctrl-C and a service manager's SIGTERM go to the whole group: the parent handles them
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    stdin = sys.stdin.buffer
    job = _decode_job(stdin.read(int.from_bytes(stdin.read(LENGTH_PREFIX_BYTES))))
    threading.Thread(target=_exit_with_stdin, daemon=True).start()
    with open(1, "wb", closefd=False) as output:
        try:
            write_chunks(job, output)
        except BrokenPipeError:
            # the parent is gone; a normal exit would try to flush, and print a traceback
            os._exit(0)


def _exit_with_stdin() -> None:
    """End the process when the parent closes the pipe, even while a read from a file blocks."""
    while os.read(0, LENGTH_PREFIX_BYTES):
        pass
    os._exit(0)


def write_chunks(job: MappingJob, output: BinaryIO) -> None:
    """Map the job's files and write the chunks. Raises BrokenPipeError; other errors are sent as a chunk's `fault`."""
    entries: list[NewDelivery] = []
    environments = {
        name: Environment(name=name, sprig_environment_id=sprig_id) for name, sprig_id in job.environments.items()
    }
    for name, url in job.override_urls.items():
        environments[name] = replace(environments[name], endpoint=url, own_endpoint="")
    builder = EntryBuilder(job.rules, environments, job.default_environment)
    builder.begin_input()
    reader = RecordReader([os.fsdecode(name) for name in job.files], max_record_bytes=job.max_record_bytes)
    progress = reader.progress

    def put(*, last: bool = False, fault: str = "") -> None:
        data = _encode_chunk(EntryChunk(entries, progress.bytes_read, os.fsencode(progress.current_file), last, fault))
        output.write(len(data).to_bytes(LENGTH_PREFIX_BYTES))
        output.write(data)
        output.flush()
        entries.clear()

    gc.freeze()  # the modules stay for the life of the process: spare the collector from scanning them
    put()
    size, fault = 0, ""
    try:
        for entry in map(builder.entry, reader):
            entries.append(entry)
            size += len(entry.raw) + len(entry.body)
            if len(entries) >= MAX_CHUNK_ENTRIES or size >= MAX_CHUNK_BYTES:
                put()
                size = 0
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the process's outer edge: the parent reports it
        fault = f"{type(error).__name__}: {error}"
    put(last=not fault, fault=fault)


MIN_SUBPROCESS_BYTES = 4_000_000
"""Smallest input for which a subprocess is started: starting it takes about as long as reading so much."""
PIPE_BYTES = 1 << 20
"""Capacity requested for the pipe: a larger one means fewer context switches."""
_CHILD_CODE = "import sys; sys.path[:] = sys.argv[1:]; from sprig_tui.ingest.mapper_process import main; main()"
"""Gives the subprocess the same sys.path, so that it loads the same modules."""
_RETRY_HINT = "send it again: what was stored before stays, and nothing is sent twice"

_decode_chunk = msgspec.msgpack.Decoder(EntryChunk).decode
_encode_job = msgspec.msgpack.Encoder().encode
_log = logging.getLogger(__name__)


def iter_entries(records: Iterable[Record], builder: EntryBuilder) -> Iterator[NewDelivery]:
    """One entry per record, in order, made on demand: by a subprocess for large files, else here.

    Raises InputError, while iterated, when the subprocess fails. Closing the iterator ends the subprocess.
    """
    # a subprocess has the system's clock only
    if isinstance(records, RecordReader) and isinstance(builder.clock, SystemClock) and _worth_a_subprocess(records):
        builder.begin_input()
        return map_in_subprocess(records, MappingJob.of(records, builder), builder)
    return builder.entries(records)


def _worth_a_subprocess(reader: RecordReader) -> bool:
    """Whether a subprocess is faster and can read the same input: large files, not begun yet, and two cores."""
    return reader.progress.bytes_total >= MIN_SUBPROCESS_BYTES and _available_cores() > 1 and reader.repeatable


def map_in_subprocess(reader: RecordReader, job: MappingJob, builder: EntryBuilder) -> Iterator[NewDelivery]:
    """The entries, in order; made in this process where none can be started.

    Raises InputError when the subprocess ends early.
    """
    process = MapperProcess()
    try:
        if not process.start(job):
            _log.warning("cannot start a process to read the input; reading it in this one")
            yield from map(builder.entry, reader)
            return
        progress = reader.progress
        progress.records = 0  # the caller may have peeked at some
        for chunk in process.chunks():
            progress.bytes_read = chunk.bytes_read
            progress.records += len(chunk.entries)
            progress.current_file = os.fsdecode(chunk.current_file)
            builder.add_counts(chunk.entries)
            yield from chunk.entries
    finally:
        process.stop()


class MapperProcess:
    """Parent's side of the subprocess."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, job: MappingJob) -> bool:
        """Start the subprocess; returns whether it runs and has sent its first chunk."""
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
    return _decode_chunk(data) if len(data) == size else None


def _enlarge_pipe(pipe: IO[bytes]) -> None:
    try:
        import fcntl

        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    except (ImportError, AttributeError, OSError):
        pass  # keep the default capacity


def _available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
