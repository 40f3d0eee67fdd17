"""What one receiver takes on at once; what is beyond it is refused with a word, and never held in memory."""

from __future__ import annotations

from sprig_tui.serving.limits import ConnectionLimits


class WebhookLimits(ConnectionLimits, frozen=True, kw_only=True):
    """Bounds of one receiver. Memory stays under `connections` x 256 KiB (one read each) + `bytes_in_hand`."""

    body_bytes: int = 1_000_000
    """Longest body; Sprig's are about 1 KB."""
    body_seconds: float = 10.0
    """From the end of the headers to the end of the body."""
    store_seconds: float = 4.0
    """From the end of a body to its answer: well under what Sprig waits, and what its balancers do."""
    max_buffered_bytes: int = 64_000_000
    """Bodies of all requests together that are not yet in the journal."""


class BufferBudget:
    """Counts the bytes of bodies that are being held."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.used_bytes = 0

    def reserve(self, size: int) -> bool:
        """Hold more; False, and nothing changed, where that would be too much."""
        if self.used_bytes + size > self._max_bytes:
            return False
        self.used_bytes += size
        return True

    def release(self, size: int) -> None:
        """They are in the journal, or refused."""
        self.used_bytes -= size
