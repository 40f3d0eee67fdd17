"""A way to a server on which connections can be cut just when an answer would have come."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

from support.listening import stop_accepting


class CuttingProxy:
    """Passes bytes on in both directions; a context manager. `url` is the server's, by way of the proxy."""

    def __init__(self, url: str) -> None:
        self._target = urlsplit(url)
        self._until_cut = 0
        self._refusing = False
        self._writers: set[asyncio.StreamWriter] = set()
        self.cuts = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        user = self._target.netloc.rpartition("@")[0]
        self.url = urlunsplit(self._target._replace(netloc=f"{user}@127.0.0.1:{port}"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await stop_accepting(self._server)
        self._cut_all()
        await self._server.wait_closed()

    def cut_at_answer(self, number: int = 1) -> None:
        """Keep back what the server says then (1: next), and cut every connection: what it did stays done. 0: never."""
        self._until_cut = number

    def refuse(self) -> None:
        """Cut every connection, and let none through until `accept`."""
        self._refusing = True
        self._cut_all()

    def accept(self) -> None:
        """Let connections through again."""
        self._refusing = False

    def _cut_all(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert self._target.hostname is not None
        if self._refusing:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection(self._target.hostname, self._target.port)
        pair = {writer, back}
        self._writers |= pair
        try:
            await asyncio.gather(self._pass(reader, back), self._pass(there, writer, answers=True))
        finally:
            self._writers -= pair
            for one in pair:
                one.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool = False) -> None:
        with contextlib.suppress(ConnectionError):
            while some := await reader.read(65_536):
                if answers and self._until_cut:
                    self._until_cut -= 1
                    if not self._until_cut:
                        self.cuts += 1
                        self._cut_all()
                        return
                writer.write(some)
                await writer.drain()
        writer.close()
