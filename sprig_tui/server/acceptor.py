"""Acceptor of connections on a listening socket; it keeps accepting when descriptors run out."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
import time
from typing import Any

from sprig_tui.server.connection import HttpConnection
from sprig_tui.server.connection_registry import ConnectionRegistry
from sprig_tui.server.responses import OnRejection
from sprig_tui.server.routes import Application

DESCRIPTOR_ERRNOS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
DESCRIPTOR_RETRY_S = 0.1
"""Seconds between two tries while no descriptor is free."""
LOG_INTERVAL_S = 60.0
ACCEPT_BATCH_SIZE = 16
"""Connections accepted in a row before the open ones get a turn on the event loop."""

_log = logging.getLogger(__name__)


class Acceptor:
    """Accepts connections at `bound`, and serves them with `application`."""

    def __init__(
        self,
        application: Application,
        bound: socket.socket,
        connections: ConnectionRegistry,
        tls: ssl.SSLContext | None,
        on_rejection: OnRejection,
    ) -> None:
        self._application = application
        self._bound = bound
        self._connections = connections
        self._tls = tls
        self._on_rejection = on_rejection
        self._logged_at = float("-inf")

    async def run(self) -> None:
        """Accept until cancelled."""
        while True:
            for _ in range(ACCEPT_BATCH_SIZE):
                try:
                    accepted, sender = self._bound.accept()
                except BlockingIOError:
                    await self._wait_readable()
                except OSError as error:
                    if error.errno not in DESCRIPTOR_ERRNOS:
                        break  # the client disconnected before it was accepted
                    self._make_room(error)
                    await asyncio.sleep(DESCRIPTOR_RETRY_S)
                else:
                    self._start_connection(accepted, sender)
            await asyncio.sleep(0)

    async def _wait_readable(self) -> None:
        """Wait until a client connects."""
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        try:
            loop.add_reader(self._bound, readable.set)
        except NotImplementedError:  # the proactor loop of Windows has no readers
            self._start_connection(*await loop.sock_accept(self._bound))
            return
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self._bound)

    def _make_room(self, error: OSError) -> None:
        self._connections.on_dropped("no descriptor")
        self._connections.evict_one("")
        now = time.monotonic()
        if now - self._logged_at >= LOG_INTERVAL_S:
            self._logged_at = now
            _log.warning(
                "connections are not accepted: %s; raise the limit of open files (ulimit -n, LimitNOFILE)",
                error.strerror,
            )

    def _start_connection(self, accepted: socket.socket, sender: tuple[Any, ...]) -> None:
        accepted.setblocking(False)
        secure = self._tls is not None
        connection = HttpConnection(
            self._application, self._connections, self._on_rejection, (str(sender[0]), int(sender[1])), secure=secure
        )
        if secure and not connection.admitted:
            # a response would need a TLS handshake first
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

    async def _connect(self, accepted: socket.socket, connection: HttpConnection) -> None:
        limits = self._connections.limits
        bounds = {"ssl_handshake_timeout": limits.handshake_seconds, "ssl_shutdown_timeout": limits.linger_seconds}
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection, accepted, ssl=self._tls, **(bounds if self._tls else {})
            )
        except OSError:  # TLS errors and timeouts are OSErrors too
            self._connections.on_dropped("handshake")
            connection.abort()
