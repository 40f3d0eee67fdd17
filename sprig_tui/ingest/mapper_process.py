"""Reading and mapping in a process of its own: large files and delivery do not take turns at one interpreter."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, BinaryIO

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from sprig_tui.config.environment import Environment
from sprig_tui.config.secrets import child_environ
from sprig_tui.errors import InputError
from sprig_tui.ingest.entries import EntryBuilder
from sprig_tui.journal.records import NewDelivery
from sprig_tui.mapping.records import Rules
from sprig_tui.sprig.reader import RecordReader

if TYPE_CHECKING:
    from sprig_tui.journal.records import NewDelivery


MAX_CHUNK_ENTRIES = 250
MAX_CHUNK_BYTES = 250_000
"""A part ends at the first of these."""
LENGTH_PREFIX_BYTES = 4
"""Bytes of the number before the order and each part."""


class MappingJob(Struct, frozen=True):
    """What to read, and by which rules; never a key."""

    files: list[bytes]
    max_record_bytes: int
    rules: Rules
    environments: dict[str, str | None]
    """Sprig's environment id by name."""
    declared: str | None
    elsewhere: dict[str, str] = {}
    """Environment -> URL, of those that the run sends to another endpoint than their own."""


class EntryChunk(Struct, frozen=True, array_like=True):
    """A stretch of the answer."""

    entries: list[NewDelivery] = []
    bytes_read: int = 0
    current: bytes = b""
    """The file being read."""
    last: bool = False
    """Nothing comes after it, and nothing is missing."""
    fault: str = ""
    """Why the answer ends before its time."""


_decode_job = msgspec.msgpack.Decoder(MappingJob).decode
_encode_chunk = msgspec.msgpack.Encoder().encode


def main() -> None:
    """Do what is asked on standard input."""
    # Ctrl-C, and what a supervisor tells all of a service, are for whoever started this
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    asked = sys.stdin.buffer
    order = _decode_job(asked.read(int.from_bytes(asked.read(LENGTH_PREFIX_BYTES))))
    threading.Thread(target=_exit_with_stdin, daemon=True).start()
    with open(1, "wb", closefd=False) as output:
        try:
            write_chunks(order, output)
        except BrokenPipeError:
            # nobody listens any more; not even to what Python would say about it at its end
            os._exit(0)


def _exit_with_stdin() -> None:
    """A file may be read for long without anything to answer, and a file system may hang."""
    while os.read(0, LENGTH_PREFIX_BYTES):
        pass
    os._exit(0)


def write_chunks(job: MappingJob, output: BinaryIO) -> None:
    """Write the parts. Raises BrokenPipeError; every other fault becomes part of the answer."""
    entries: list[NewDelivery] = []
    environments = {
        name: Environment(name=name, sprig_environment_id=sprig_id) for name, sprig_id in job.environments.items()
    }
    for name, url in job.elsewhere.items():
        environments[name] = replace(environments[name], endpoint=url, own_endpoint="")
    intake = EntryBuilder(job.rules, environments, job.declared)
    intake.begin_input()
    files = [os.fsdecode(name) for name in job.files]
    responses = RecordReader(files, max_record_bytes=job.max_record_bytes)
    progress = responses.progress

    def put(*, over: bool = False, fault: str = "") -> None:
        data = _encode_chunk(EntryChunk(entries, progress.bytes_read, os.fsencode(progress.current_file), over, fault))
        output.write(len(data).to_bytes(LENGTH_PREFIX_BYTES))
        output.write(data)
        output.flush()
        entries.clear()

    gc.freeze()  # what it begins with stays, and need not be looked at again
    put()
    size, fault = 0, ""
    try:
        for entry in map(intake.entry, responses):
            entries.append(entry)
            size += len(entry.raw) + len(entry.body)
            if len(entries) >= MAX_CHUNK_ENTRIES or size >= MAX_CHUNK_BYTES:
                put()
                size = 0
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the process's outer edge: whoever started it tells it
        fault = f"{type(error).__name__}: {error}"
    put(over=not fault, fault=fault)


MIN_SUBPROCESS_BYTES = 4_000_000
"""Bytes of input from which it pays: to start, the process takes about as long as it does to read that much."""
PIPE_BYTES = 1 << 20
"""What the system keeps of the answer until it is read, where it lets us choose: the two take turns less often."""
_CHILD_CODE = "import sys; sys.path[:] = sys.argv[1:]; from sprig_tui.ingest.mapper_process import main; main()"
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
