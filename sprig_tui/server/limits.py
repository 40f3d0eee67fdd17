"""What one server takes of connections, whatever is asked on them."""

from __future__ import annotations

from msgspec import Struct


class ConnectionLimits(Struct, frozen=True, kw_only=True):
    """Bounds of the connections of one server; each may hold one read of 256 KiB."""

    handshake_seconds: float = 5.0
    """From the connection to the end of its TLS handshake."""
    head_seconds: float = 10.0
    """From the connection, or from a request's first byte, to the end of its headers."""
    head_bytes: int = 16_384
    """Request line and headers together."""
    head_fields: int = 100
    idle_seconds: float = 75.0
    """How long a connection is kept between two requests: longer than balancers keep theirs (60 s is usual).

    Who closes first decides: a balancer that sends on a connection that this side just closed answers 502, and Sprig
    does not send again.
    """
    write_seconds: float = 10.0
    """How long an answer may wait for its reader."""
    linger_seconds: float = 2.0
    linger_bytes: int = 4_000_000
    """How long, and for how much, a refused sender is listened to.

    Closing a connection with unread bytes resets it, and a reset overtakes the answer: the sender would see a broken
    connection instead of what is wrong.
    """
    connections: int = 500
    """At once, counted from their acceptance; under the usual limit of 1,024 open files."""
    stop_seconds: float = 5.0
    """For requests that were accepted when the end is asked for; senders that are slow get half of it."""
