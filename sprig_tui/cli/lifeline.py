"""A worker's line to the supervisor that started it: numbers go up, and its end means that the supervisor is gone."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Self

import click
import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from sprig_tui.segment.client import SendResult

_MAX_UNSENT_BYTES = 1_000_000
"""Bytes that wait for a supervisor that does not read; what is beyond them is not told: delivering goes before."""


class ResultReport(Struct, frozen=True, array_like=True, gc=False):
    """One answer of Segment's, as the supervisor counts it."""

    environment: str
    kind: str
    status: int
    latency_ms: float
    unconfirmed: bool = False
    """See `Answer.unconfirmed`."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(ResultReport).decode


class WorkerChannel:
    """The worker's end."""

    def __init__(self, descriptor: int) -> None:
        try:
            self._socket = socket.socket(fileno=descriptor)
        except OSError as error:
            raise click.UsageError(f"--supervised is for the workers of run --workers: {error.strerror}") from error

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(sock=self._socket)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    def send(self, environment: str, result: SendResult) -> None:
        """Tell the supervisor of an answer; waits for nothing."""
        if self._writer.transport.get_write_buffer_size() < _MAX_UNSENT_BYTES:
            heard = ResultReport(environment, result.kind, result.status, result.latency_ms, result.unconfirmed)
            self._writer.write(_encode(heard) + b"\n")

    async def wait_closed(self) -> None:
        """Return when the supervisor is gone, however it went."""
        try:
            while await self._reader.read(4096):
                pass
        except OSError:
            return


async def read_reports(reader: asyncio.StreamReader) -> AsyncIterator[ResultReport]:
    """The supervisor's end: what a worker tells, until it is gone."""
    try:
        while (line := await reader.readline()).endswith(b"\n"):
            yield _decode(line)
    except OSError:
        return
