"""Connection limits of a server."""

from __future__ import annotations

from msgspec import Struct


class ConnectionLimits(Struct, frozen=True, kw_only=True):
    """Limits of the connections of one server; each may hold one read of 256 KiB."""

    handshake_seconds: float = 5.0
    """From the connection to the end of its TLS handshake."""
    head_seconds: float = 10.0
    """From the connection, or from a request's first byte, to the end of its headers."""
    head_bytes: int = 16_384
    """Request line and headers together."""
    head_fields: int = 100
    idle_seconds: float = 75.0
    """Between two requests; longer than the idle timeout of load balancers (60 s is usual).

    A load balancer that sends a request on a connection this server has just closed answers 502, and Sprig does not
    retry.
    """
    write_seconds: float = 10.0
    """For which a response may wait for the client to read it."""
    linger_seconds: float = 2.0
    linger_bytes: int = 4_000_000
    """Time and bytes for which a rejected request is drained before its connection is closed.

    Closing a connection with unread bytes resets it, and the client would see the reset instead of the response.
    """
    connections: int = 500
    """At the same time, counted from their acceptance; under the usual limit of 1,024 open files."""
    stop_seconds: float = 5.0
    """For accepted requests to finish at shutdown; slow clients get half of it."""
