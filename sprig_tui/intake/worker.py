"""The process that reads and maps apart: what it is asked, what it answers, and its main program.

The order stands on its standard input. The answer goes to its standard output, in parts of entries; the first one is
empty and says that the process is up, the last one that nothing is missing. The order and each part stand behind their
length in four bytes. It ends with whoever started it, whatever it is at: its input ends then.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
from typing import BinaryIO

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from sprig_tui.config.environment import Environment
from sprig_tui.intake.entries import EntryBuilder
from sprig_tui.journal.records import NewDelivery
from sprig_tui.mapping.records import Rules
from sprig_tui.sprig.reading import RecordReader

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
