"""Quotes: texts of requests and responses that may repeat what a record holds, and what takes their place."""

from __future__ import annotations

import re

_STATUS_TEXT = re.compile(r"http \d{3}")
REMOVED_TEXT = "(removed, because it may quote a forgotten person)"
"""In place of a response of Segment."""
REMOVED_WITH_CONTENT = "(removed with the content, which it may quote)"
"""The same, where the content is kept no longer."""
_REMOVED_TEXTS = frozenset({REMOVED_TEXT, REMOVED_WITH_CONTENT})
_HARMLESS_RESPONSES = frozenset({"", "ok", "true", "{}", '{"success":true}'})
_HARMLESS_ERRORS = frozenset({"", "invalid_json", "invalid_request", "message_too_large", *_REMOVED_TEXTS})
"""Codes that Segment documents."""


def is_harmless_error(status: int, error: str) -> bool:
    """Whether the error of a request cannot quote what it carried."""
    # without a response the error is a text of this program
    return not status or error in _HARMLESS_ERRORS or error == f"http {status}"


def may_quote(text: str) -> bool:
    """Whether an error or a response may repeat what a record holds; codes and this program's own texts do not."""
    is_known = text in _HARMLESS_ERRORS or text.replace(" ", "").lower() in _HARMLESS_RESPONSES
    return not is_known and _STATUS_TEXT.fullmatch(text) is None


def cleaned_attempt(status: int, error: str, excerpt: str, removed: str = REMOVED_TEXT) -> tuple[str, str] | None:
    """Error and excerpt of a request, with `removed` for what may quote what it carried; None if unchanged."""
    keeps_excerpt = excerpt.replace(" ", "").lower() in _HARMLESS_RESPONSES or excerpt in _REMOVED_TEXTS
    keeps_error = is_harmless_error(status, error)
    if keeps_excerpt and keeps_error:
        return None
    return error if keeps_error else removed, excerpt if keeps_excerpt else removed
