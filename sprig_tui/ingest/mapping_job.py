"""Mapping job: what the subprocess that maps large files reads, and the chunks of entries that it writes.

This is all that the subprocess loads: its imports are a large part of the time that it takes to start.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import BinaryIO, Self

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from sprig_tui.ingest.entries import EntryBuilder
from sprig_tui.ingest.usual_webhook import UsualWebhookReader
from sprig_tui.journal.entry_columns import BODY, RAW, EntryColumns, EntryRow, PackedEntries
from sprig_tui.mapping.records import Rules
from sprig_tui.sprig.reader import ReadProgress, RecordReader, read_files
from sprig_tui.sprig.records import Record

MAX_CHUNK_ENTRIES = 500
MAX_CHUNK_BYTES = 600_000
"""A chunk ends at whichever limit comes first. It is packed as a whole: small packs take more of the journal."""
LENGTH_PREFIX_BYTES = 4
"""Size of the length that precedes the job and each chunk."""


class MappedEnvironment(Struct, frozen=True):
    """What the entries of an environment's answers depend on."""

    sprig_environment_id: str | None = None
    override_url: str = ""
    """URL of the run, if its answers are sent to another endpoint than the environment's own."""


class MappingJob(Struct, frozen=True):
    """Files to read and the rules to map them by; never holds a Write Key. It goes through a pipe."""

    files: list[bytes]
    max_record_bytes: int
    rules: Rules
    environments: dict[str, MappedEnvironment]
    default_environment: str | None

    @classmethod
    def of(cls, reader: RecordReader, builder: EntryBuilder) -> Self:
        """The job that reads all files of `reader` as `builder` would."""
        return cls(
            files=[os.fsencode(name) for name in reader.files],
            max_record_bytes=reader.max_record_bytes,
            rules=builder.mapper.rules,
            environments={
                name: MappedEnvironment(environment.sprig_environment_id, environment.override_url)
                for name, environment in builder.environments.items()
            },
            default_environment=builder.default_environment,
        )


class EntryChunk(Struct, frozen=True, array_like=True):
    """Entries that the subprocess sends together, and its progress."""

    packed: PackedEntries = PackedEntries()
    bytes_read: int = 0
    current_file: bytes = b""
    """Path of the file being read."""
    last: bool = False
    """True once all input was read."""
    fault: str = ""
    """Exception that ended the subprocess early."""

    @property
    def entries(self) -> EntryColumns:
        """The entries; each call makes them."""
        return EntryColumns.from_packed(self.packed)

    @property
    def number(self) -> int:
        """Number of entries."""
        return len(self.packed.sizes)


_decode_job = msgspec.msgpack.Decoder(MappingJob).decode
_encode_chunk_into = msgspec.msgpack.Encoder().encode_into
encode_job = msgspec.msgpack.Encoder().encode
decode_chunk = msgspec.msgpack.Decoder(EntryChunk).decode


def main() -> None:
    """Run as the subprocess: read a job from standard input, write chunks to standard output."""
    # a terminal's Ctrl-C and a service manager's SIGTERM go to the whole group: the parent handles them
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    stdin = sys.stdin.buffer
    job = _decode_job(stdin.read(int.from_bytes(stdin.read(LENGTH_PREFIX_BYTES))))
    threading.Thread(target=_exit_with_stdin, daemon=True).start()
    # the modules stay for the life of the process: spare the collector from scanning them
    gc.freeze()
    gc.enable()
    with open(1, "wb", closefd=False) as output:
        with suppress(BrokenPipeError):  # the parent is gone
            write_chunks(job, output)
        # everything is flushed, and the interpreter's clean-up takes a seventh of the CPU of its start
        os._exit(0)


def _exit_with_stdin() -> None:
    """End the process when the parent closes the pipe, even while a read from a file blocks."""
    while os.read(0, LENGTH_PREFIX_BYTES):
        pass
    os._exit(0)


def write_chunks(job: MappingJob, output: BinaryIO) -> None:
    """Map the job's files and write the chunks. Raises BrokenPipeError; other errors are sent as a chunk's `fault`."""
    rows: list[EntryRow] = []
    builder = EntryBuilder(job.rules, job.environments, job.default_environment)
    builder.begin_input()
    progress = ReadProgress()
    files = [os.fsdecode(name) for name in job.files]
    reads: Iterator[EntryRow | Record] = read_files(
        files, UsualWebhookReader(builder).read_line, max_record_bytes=job.max_record_bytes, progress=progress
    )

    buffer = bytearray(LENGTH_PREFIX_BYTES)
    """Kept for all chunks: a new one would grow by copies, which takes twice as long as the rest of encoding."""

    def put(*, last: bool = False, fault: str = "") -> None:
        packed, current_file = EntryColumns.of_rows(rows).packed(), os.fsencode(progress.current_file)
        chunk = EntryChunk(packed, progress.bytes_read, current_file, last, fault)
        _encode_chunk_into(chunk, buffer, LENGTH_PREFIX_BYTES)
        buffer[:LENGTH_PREFIX_BYTES] = (len(buffer) - LENGTH_PREFIX_BYTES).to_bytes(LENGTH_PREFIX_BYTES)
        output.write(buffer)
        output.flush()
        rows.clear()

    put()
    size, fault = 0, ""
    try:
        for read in reads:
            row = read if isinstance(read, tuple) else astuple(builder.uncounted_entry(read))
            rows.append(row)
            size += len(row[RAW]) + len(row[BODY])
            if len(rows) >= MAX_CHUNK_ENTRIES or size >= MAX_CHUNK_BYTES:
                put()
                size = 0
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - the process's outer edge: the parent reports it
        fault = f"{type(error).__name__}: {error}"
    put(last=not fault, fault=fault)
