"""How deliveries are tried: the settings of the engine."""

from __future__ import annotations

from msgspec import Struct


class DeliverySettings(Struct, frozen=True, kw_only=True):
    """Defaults follow the official clients' shared rules (10 retries, 12 hours) and Segment's partner guide."""

    max_retries: int = 10
    retry_window: float = 12 * 3600.0
    """Seconds from the first attempt; a delivery is given up when this and `max_retries` are both spent."""
    timeout: float = 15.0
    """Seconds for each phase of a request: connect, write, read, waiting for a connection."""
    connections: int = 4
    """Requests in flight per environment; more make httpx slower, not faster."""
    gzip: bool = False
    lease: float = 120.0
    """Seconds that claimed deliveries stay ours without a sign of life."""
