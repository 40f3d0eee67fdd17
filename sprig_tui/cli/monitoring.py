"""`--metrics HOST:PORT`: the option, its address, and what is served there while a command runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import click

from sprig_tui.cli import diagnostics
from sprig_tui.cli.commands import ParamType
from sprig_tui.errors import ConfigError

if TYPE_CHECKING:
    import socket

    from sprig_tui.cli.terms import RunOptions
    from sprig_tui.config.settings import Settings
    from sprig_tui.journal.contract import Journal
    from sprig_tui.serving.watchpost import HealthServer

LOOPBACK_HOST = "127.0.0.1"


class HostPortType(ParamType):
    """HOST:PORT, or a port of this machine alone."""

    name = "HOST:PORT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Host and port, or a usage error."""
        if isinstance(value, tuple):
            return value
        host, _, port = str(value).rpartition(":")
        if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65_535):
            self.fail(f"{str(value)[:60]!r} is no address; write it as 9100 or 127.0.0.1:9100", param, ctx)
        return host.removeprefix("[").removesuffix("]") or LOOPBACK_HOST, int(port)


metrics_option = click.option(
    "--metrics",
    type=HostPortType(),
    metavar="[HOST:]PORT",
    help="Serve /healthz, /readyz and /metrics there (127.0.0.1; port 0: any that is free).",
)


def bind_metrics(address: tuple[str, int], settings: Settings) -> socket.socket:
    """The socket to serve on; raises ConfigError for an address, or for a lack of tokens, that makes it useless."""
    from sprig_tui.serving.server import bind, is_bound_to_loopback

    bound = bind(*address, option="--metrics")
    if not is_bound_to_loopback(bound) and all(found.webhook_token is None for found in settings.environments.values()):
        bound.close()
        raise ConfigError(
            "metrics on an address that others reach are for whoever holds a webhook token, and there is none",
            hint="sprig-tui keys token production --generate makes one; or serve them on 127.0.0.1",
        )
    return bound


@asynccontextmanager
async def serve_metrics(
    bound: socket.socket, journal: Journal, settings: Settings, options: RunOptions
) -> AsyncIterator[HealthServer]:
    """Serve monitors on this socket."""
    from sprig_tui.serving.server import is_bound_to_loopback, running_server
    from sprig_tui.serving.watchpost import HEALTH_LIMITS, HealthServer

    watchpost = HealthServer(journal, options.environments(settings), allow_anonymous=is_bound_to_loopback(bound))
    async with running_server(watchpost.app, bound, HEALTH_LIMITS, traffic=watchpost.traffic) as up:
        diagnostics.info(f"monitors ask {up.url}/healthz, /readyz and /metrics")
        yield watchpost
