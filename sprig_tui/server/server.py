"""HTTP server: its socket, its limit of open files, and its shutdown."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sprig_tui.errors import ConfigError
from sprig_tui.http.proxies import is_loopback
from sprig_tui.server.acceptor import Acceptor
from sprig_tui.server.connection_registry import ConnectionRegistry
from sprig_tui.server.limits import ConnectionLimits
from sprig_tui.server.rejections import TrafficMetrics
from sprig_tui.server.responses import ignore_rejection
from sprig_tui.server.routes import Application

LISTEN_BACKLOG = 1_024
"""Connections that the system queues until they are accepted."""

SEND_BUFFER_BYTES = 65_536

RESERVED_FILES = 200
"""Open files besides the connections: the journal, requests to Segment, captures."""


class RunningServer:
    """A server that accepts connections."""

    def __init__(
        self, acceptor: Acceptor, connections: ConnectionRegistry, bound: socket.socket, *, secure: bool
    ) -> None:
        host, port = bound.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{'https' if secure else 'http'}://{shown}:{port}"
        """Such as http://127.0.0.1:8722."""
        self.connections = connections
        self._bound = bound
        self._accepting = asyncio.create_task(acceptor.run())
        self._watching = asyncio.create_task(connections.expire_overdue())

    async def wait_closed(self) -> None:
        """Return when the server no longer accepts connections."""
        await asyncio.wait((self._accepting,))

    async def shut_down(self) -> None:
        """Accept no more connections, and answer accepted requests for at most `ConnectionLimits.stop_seconds`."""
        await self._stop_accepting()
        await self.connections.drain()

    async def abort(self) -> None:
        """Close all connections now; clients of unanswered requests see a closed connection."""
        await self._stop_accepting()
        await self.connections.abort()
        self._watching.cancel()
        await asyncio.wait((self._watching,))

    async def _stop_accepting(self) -> None:
        self._accepting.cancel()
        await asyncio.wait((self._accepting,))
        self._bound.close()


@asynccontextmanager
async def running_server(
    application: Application,
    bound: socket.socket,
    limits: ConnectionLimits,
    tls: ssl.SSLContext | None = None,
    *,
    traffic: TrafficMetrics | None = None,
) -> AsyncIterator[RunningServer]:
    """Serve `application` on a bound socket, and abort on exit.

    `traffic` records rejections and dropped connections.
    """
    connections = ConnectionRegistry(limits, on_dropped=traffic.record_dropped if traffic else lambda _: None)
    if traffic is not None:
        traffic.track_connections(lambda: len(connections))
    # responses are short; a small buffer bounds the memory for clients that do not read them
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    bound.listen(LISTEN_BACKLOG)
    acceptor = Acceptor(application, bound, connections, tls, traffic.record_rejection if traffic else ignore_rejection)
    server = RunningServer(acceptor, connections, bound, secure=tls is not None)
    try:
        yield server
    finally:
        await server.abort()


def bind(host: str, port: int, *, option: str = "") -> socket.socket:
    """A socket bound to the address, before anything else starts; raises ConfigError.

    `option` is the option that gave host and port, for hints; by default `--host` and `--port`.
    """
    if host.startswith("[") and host.endswith("]"):  # as URLs write IPv6
        host = host[1:-1]
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"{host[:80]!r} is not an address of this machine", hint=f"use {option or '--host'} 127.0.0.1"
        ) from error
    family, kind, protocol, _, address = addresses[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        raise ConfigError(
            f"cannot listen on {f'[{host}]' if ':' in host else host}:{port}: {error.strerror}",
            hint=f"another program, or another sprig-tui, may listen there; choose another {option or '--port'}",
        ) from error
    return bound


def raise_open_files_limit(connections: int) -> None:
    """Raise the limit of open files to the number that the connections need; raises ConfigError if that is forbidden.

    A process without free descriptors cannot accept connections or open a journal.
    """
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + RESERVED_FILES
    if resource.RLIM_INFINITY in (soft, hard) or soft >= needed:
        return
    if hard <= RESERVED_FILES:
        raise ConfigError(
            f"the system allows {hard:,} open files, and {RESERVED_FILES} are needed besides the connections",
            hint=f"raise the limit: ulimit -n {needed}, or LimitNOFILE={needed} in the unit",
        )
    if hard < needed:
        raise ConfigError(
            f"{connections:,} connections need {needed:,} open files, and the system allows {hard:,}",
            hint=f"use --max-connections {hard - RESERVED_FILES}, or raise the limit (ulimit -n, LimitNOFILE)",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def is_bound_to_loopback(bound: socket.socket) -> bool:
    """Whether only programs on this machine can reach the socket."""
    return is_loopback(str(bound.getsockname()[0]))
