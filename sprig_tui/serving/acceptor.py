"""Acceptor: takes connections from a listening socket, and goes on when the system has none to give."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
import time
from typing import Any

from starlette.types import ASGIApp

from sprig_tui.serving.connection import Connection
from sprig_tui.serving.connections import Connections
from sprig_tui.serving.refusals import OnRefusal

OUT_OF_DESCRIPTORS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
PAUSE_S = 0.1
"""Between two tries while there are none."""
TOLD_EVERY_S = 60.0
AT_ONCE = 16
"""Connections accepted in a row, before those that are there have their turn."""

_log = logging.getLogger(__name__)


class Acceptor:
    """Connects what comes in at `bound` with `app`."""

    def __init__(
        self,
        app: ASGIApp,
        bound: socket.socket,
        connections: Connections,
        tls: ssl.SSLContext | None,
        refused: OnRefusal,
    ) -> None:
        self._app = app
        self._bound = bound
        self._connections = connections
        self._tls = tls
        self._refused = refused
        self._told_at = float("-inf")

    async def run(self) -> None:
        """Accept until cancelled."""
        while True:
            for _ in range(AT_ONCE):
                try:
                    accepted, sender = self._bound.accept()
                except BlockingIOError:
                    await self._knock()
                except OSError as error:
                    if error.errno not in OUT_OF_DESCRIPTORS:
                        break  # the other side left before it was accepted
                    self._make_room(error)
                    await asyncio.sleep(PAUSE_S)
                else:
                    self._take(accepted, sender)
            await asyncio.sleep(0)

    async def _knock(self) -> None:
        """Wait until somebody connects."""
        loop = asyncio.get_running_loop()
        came = asyncio.Event()
        try:
            loop.add_reader(self._bound, came.set)
        except NotImplementedError:  # a loop that tells of completed calls only (Windows)
            self._take(*await loop.sock_accept(self._bound))
            return
        try:
            await came.wait()
        finally:
            loop.remove_reader(self._bound)

    def _make_room(self, error: OSError) -> None:
        self._connections.dropped("no descriptor")
        self._connections.make_room("")
        now = time.monotonic()
        if now - self._told_at >= TOLD_EVERY_S:
            self._told_at = now
            _log.warning(
                "connections wait outside: %s; raise the limit of open files (ulimit -n, LimitNOFILE)", error.strerror
            )

    def _take(self, accepted: socket.socket, sender: tuple[Any, ...]) -> None:
        accepted.setblocking(False)
        secure = self._tls is not None
        connection = Connection(
            self._app, self._connections, self._refused, (str(sender[0]), int(sender[1])), secure=secure
        )
        if secure and not connection.admitted:
            # a word to it would cost a handshake
            connection.abort()
            accepted.close()
            return

        def connected(task: asyncio.Task[None]) -> None:
            self._connections.tasks.discard(task)
            connection.handshake = None
            if not connection.connected:
                accepted.close()

        connection.handshake = task = asyncio.get_running_loop().create_task(self._connect(accepted, connection))
        self._connections.tasks.add(task)
        task.add_done_callback(connected)

    async def _connect(self, accepted: socket.socket, connection: Connection) -> None:
        limits = self._connections.limits
        bounds = {"ssl_handshake_timeout": limits.handshake_seconds, "ssl_shutdown_timeout": limits.linger_seconds}
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection, accepted, ssl=self._tls, **(bounds if self._tls else {})
            )
        except OSError:  # TLS faults, and their time running out, are OSErrors too
            self._connections.dropped("handshake")
            connection.abort()
