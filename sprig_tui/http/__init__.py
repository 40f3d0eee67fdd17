"""HTTP basics of all clients: Retry-After, proxies, error texts."""

MAX_RETRY_AFTER_S = 300.0
"""Seconds. No client waits longer, whatever a header says; Segment's official clients cap at the same."""
