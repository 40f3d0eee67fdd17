"""A server on its address: socket, TLS, and an end in good order."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.types import ASGIApp

from sprig_tui.errors import ConfigError
from sprig_tui.http.proxies import is_loopback
from sprig_tui.server.acceptor import Acceptor
from sprig_tui.server.connection_table import ConnectionRegistry
from sprig_tui.server.limits import ConnectionLimits
from sprig_tui.server.rejections import TrafficMetrics
from sprig_tui.server.responses import ignore_rejection

LISTEN_BACKLOG = 1_024
"""Connections that the system holds for us while we accept others."""

SEND_BUFFER_BYTES = 65_536

TLS_1_2_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Authenticated encryption and forward secrecy alone (RFC 9325, 4.2); TLS 1.3 has nothing else."""

RESERVED_FILES = 200
"""Open files beside the connections: the journal, requests to Segment, captures."""


class RunningServer:
    """A server that is up."""

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
        """Return when it does not listen any more, for whatever reason."""
        await asyncio.wait((self._accepting,))

    async def shut_down(self) -> None:
        """Take no more connections, and answer what was accepted, for at most `ConnectionLimits.stop_seconds`."""
        await self._stop_accepting()
        await self.connections.drain()

    async def abort(self) -> None:
        """End now; requests that are not answered yet never will be, and their senders know by that."""
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
    app: ASGIApp,
    bound: socket.socket,
    limits: ConnectionLimits,
    tls: ssl.SSLContext | None = None,
    *,
    traffic: TrafficMetrics | None = None,
) -> AsyncIterator[RunningServer]:
    """Serve `app` on a bound socket; leaving breaks off. `traffic` counts what is refused."""
    connections = ConnectionRegistry(limits, on_dropped=traffic.record_dropped if traffic else lambda _: None)
    if traffic is not None:
        traffic.track_connections(lambda: len(connections))
    # answers are short: what the system holds of those that nobody reads stays bounded
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    bound.listen(LISTEN_BACKLOG)
    acceptor = Acceptor(app, bound, connections, tls, traffic.record_rejection if traffic else ignore_rejection)
    up = RunningServer(acceptor, connections, bound, secure=tls is not None)
    try:
        yield up
    finally:
        await up.abort()


def bind(host: str, port: int, *, option: str = "") -> socket.socket:
    """A socket on the address, so that what is wrong with it is known before anything starts; raises ConfigError.

    `option` is the one that gave both; `--host` and `--port` where none is named.
    """
    if host.startswith("[") and host.endswith("]"):  # as URLs write IPv6
        host = host[1:-1]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ConfigError(
            f"{host[:80]!r} is no address of this machine", hint=f"use {option or '--host'} 127.0.0.1"
        ) from error
    family, kind, protocol, _, address = found[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.setblocking(False)
    except OSError as error:
        bound.close()
        raise ConfigError(
            f"cannot listen on {f'[{host}]' if ':' in host else host}:{port}: {error.strerror}",
            hint=f"another program may listen there, perhaps one of ours; choose another {option or '--port'}",
        ) from error
    return bound


def raise_open_files_limit(connections: int) -> None:
    """Raise the limit of open files to what the connections need; raises ConfigError where the system forbids it.

    A process that runs out of them accepts nothing, and can open no journal either.
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
            f"the system allows {hard:,} open files, and {RESERVED_FILES} are needed beside the connections",
            hint=f"raise the limit: ulimit -n {needed}, or LimitNOFILE={needed} in the unit",
        )
    if hard < needed:
        raise ConfigError(
            f"{connections:,} connections need {needed:,} open files, and the system allows {hard:,}",
            hint=f"use --max-connections {hard - RESERVED_FILES}, or raise the limit (ulimit -n, LimitNOFILE)",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def is_bound_to_loopback(bound: socket.socket) -> bool:
    """Whether only this machine can reach the socket."""
    return is_loopback(str(bound.getsockname()[0]))


def tls_context(certfile: Path, keyfile: Path | None) -> ssl.SSLContext:
    """What TLS needs; raises ConfigError for files that cannot be used. A key under a passphrase is refused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(TLS_1_2_CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        context.load_cert_chain(certfile, keyfile, password=_reject_passphrase)
    except _PassphraseError:
        raise ConfigError(
            f"the key in {keyfile or certfile} has a passphrase, which nobody is there to type",
            hint="store it without one, readable by its owner only",
        ) from None
    except OSError as error:
        names = f"{certfile} and {keyfile}" if keyfile else str(certfile)
        if not isinstance(error, ssl.SSLError):
            what = error.strerror
        elif error.reason == "KEY_VALUES_MISMATCH":
            what = "the key is not the certificate's"
        else:
            what = "they are no certificate and its key, as PEM"
        raise ConfigError(f"cannot use {names}: {what}", hint="give --certfile and --keyfile, in PEM form") from error
    return context


class _PassphraseError(Exception):
    pass


def _reject_passphrase() -> str:
    raise _PassphraseError
