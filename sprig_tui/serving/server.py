"""A server on its address: socket, TLS, and an end in good order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from sprig_tui.config.endpoint import is_loopback
from sprig_tui.errors import ConfigError
from sprig_tui.serving.connections import connection_class
from sprig_tui.serving.limits import ConnectionLimits

BACKLOG = 1_024
"""Connections that the system holds for us while we accept others."""

OTHER_FILES = 200
"""Open files beside the connections: the journal, requests to Segment, captures."""


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Listening:
    """A server that is up."""

    def __init__(self, server: _Server, bound: socket.socket, *, secure: bool) -> None:
        host, port = bound.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"{'https' if secure else 'http'}://{shown}:{port}"
        """Such as http://127.0.0.1:8722."""
        self._server = server
        self._serving = asyncio.create_task(server.serve(sockets=[bound]))

    async def until_it_ends(self) -> None:
        """Return when it does not listen any more, for whatever reason."""
        await asyncio.wait((self._serving,))

    async def finish(self) -> None:
        """Take no more connections, and answer what was accepted."""
        self._server.should_exit = True
        await asyncio.shield(self._serving)

    async def break_off(self) -> None:
        """End now; requests that are not answered yet never will be, and their senders know by that."""
        self._server.should_exit = self._server.force_exit = True
        for connection in tuple(self._server.server_state.connections):
            connection.transport.abort()
        await asyncio.wait((self._serving,))


@asynccontextmanager
async def listening(
    app: ASGIApp,
    bound: socket.socket,
    limits: ConnectionLimits,
    tls: ssl.SSLContext | None = None,
    *,
    grace: float = 30.0,
) -> AsyncIterator[Listening]:
    """Serve `app` on a bound socket. `finish` ends in good order, for at most `grace` seconds; leaving breaks off."""
    config = uvicorn.Config(
        app,
        http=connection_class(limits),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=limits.idle_seconds,
        timeout_graceful_shutdown=max(1, round(grace)),
        h11_max_incomplete_event_size=limits.head_bytes,
        ssl_context_factory=None if tls is None else lambda _config, _default: tls,
    )
    # its words on scanners and broken requests are for nobody; ours are said elsewhere
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    bound.listen(BACKLOG)
    up = Listening(_Server(config), bound, secure=tls is not None)
    try:
        yield up
    finally:
        await up.break_off()


def bind(host: str, port: int, *, option: str = "") -> socket.socket:
    """A socket on the address, so that what is wrong with it is known before anything starts; raises ConfigError.

    `option` is the one that gave both; `--host` and `--port` where none is named.
    """
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
            f"cannot listen on {host}:{port}: {error.strerror}",
            hint=f"another program may listen there, perhaps one of ours; choose another {option or '--port'}",
        ) from error
    return bound


def allow_files(connections: int) -> None:
    """Raise the limit of open files to what the connections need; raises ConfigError where the system forbids it.

    A process that runs out of them accepts nothing, and can open no journal either.
    """
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + OTHER_FILES
    if resource.RLIM_INFINITY in (soft, hard) or soft >= needed:
        return
    if hard < needed:
        raise ConfigError(
            f"{connections:,} connections need {needed:,} open files, and the system allows {hard:,}",
            hint=f"use --max-connections {max(1, hard - OTHER_FILES)}, or raise the limit (ulimit -n, LimitNOFILE)",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def bound_to_loopback(bound: socket.socket) -> bool:
    """Whether only this machine can reach the socket."""
    return is_loopback(str(bound.getsockname()[0]))


def tls_context(certfile: Path, keyfile: Path | None) -> ssl.SSLContext:
    """What TLS needs; raises ConfigError for files that cannot be used. A key under a passphrase is refused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certfile, keyfile, password=_no_passphrase)
    except _PassphraseError:
        raise ConfigError(
            f"the key in {keyfile or certfile} has a passphrase, which nobody is there to type",
            hint="store it without one, readable by its owner only",
        ) from None
    except OSError as error:
        names = f"{certfile} and {keyfile}" if keyfile else str(certfile)
        what = error.strerror if not isinstance(error, ssl.SSLError) else "they are no certificate and its key, as PEM"
        raise ConfigError(f"cannot use {names}: {what}", hint="give --certfile and --keyfile, in PEM form") from error
    return context


class _PassphraseError(Exception):
    pass


def _no_passphrase() -> str:
    raise _PassphraseError
