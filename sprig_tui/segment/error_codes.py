"""Segment's error codes in words: the `code` of an answer that refuses a request (its clients know these three)."""

from __future__ import annotations

_SENTENCES = {
    "invalid_json": "Segment could not read the request as JSON",
    "invalid_request": "Segment found the request incomplete or of the wrong form",
    "message_too_large": "Segment takes no event of this size",
}


def error_sentence(error: str) -> str:
    """Such as `Segment could not read the request as JSON (invalid_json)`; what is no known code stays as it is."""
    said = _SENTENCES.get(error)
    return f"{said} ({error})" if said else error
