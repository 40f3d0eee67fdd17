"""Text as PostgreSQL can hold it: without NUL and lone surrogates. Payloads are bytes, and stay as they are."""

from __future__ import annotations


def sanitize_text(text: str) -> str:
    """The text, with NUL as its Control Picture and lone surrogates as question marks."""
    if "\0" in text:
        text = text.replace("\0", "\u2400")
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")
