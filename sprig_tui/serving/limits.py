"""What one server takes of connections, whatever is asked on them."""

from __future__ import annotations

from msgspec import Struct


class ConnectionLimits(Struct, frozen=True, kw_only=True):
    """Bounds of the connections of one server; each may hold one read of 256 KiB."""

    head_seconds: float = 10.0
    """From the connection, or from a request's first byte, to the end of its headers."""
    head_bytes: int = 16_384
    idle_seconds: int = 15
    """How long a connection is kept between two requests."""
    connections: int = 500
    """More than that are answered 503; under the usual limit of 1,024 open files."""
