"""Ids of users and visitors, and other values that Sprig's formats spell differently (facts/sprig.md 8.2, 8.7)."""

from __future__ import annotations

import re

from sprig_tui.sprig.records import Note

_uuid = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}").fullmatch


def is_uuid(text: str) -> bool:
    """Whether `text` is a UUID in its usual form of 36 characters."""
    return _uuid(text) is not None


def is_number(value: int | str | None) -> bool:
    """Whether an id is a number or a text of decimal digits."""
    return isinstance(value, int) or (value is not None and value.isascii() and value.isdigit())


def user_id_of(value: int | str | None) -> str | None:
    """A customer's own id as trimmed text; None (anonymous) for null and blank."""
    if value is None:
        return None
    return value.strip() or None if isinstance(value, str) else str(value)


def visitor_ids(
    visitor: int | str | None, old: int | str | None = None
) -> tuple[str | None, int | str | None, tuple[Note, ...]]:
    """Visitor id, old visitor id and notes. Sprig sends both ids as `visitorId`, so their values tell them apart.

    A UUID is a visitor id; a number, or digits, is an old one; 0 means none.
    """
    if isinstance(visitor, str):
        if _uuid(visitor) or _uuid(visitor := visitor.strip()):
            return visitor, old_id_or_none(old) if old else None, ()
        if visitor and not is_number(visitor):
            return visitor, old_id_or_none(old), (Note.ODD_VISITOR,)
    return None, old_id_or_none(old) or old_id_or_none(visitor), ()


def old_id_or_none(value: int | str | None) -> int | str | None:
    """A numeric visitor id unchanged; None for the placeholder 0."""
    if isinstance(value, str):
        value = value.strip()
        return value if value.strip("0") else None
    return value or None


def question_id_of(value: int | str | None) -> str:
    """A question id as text; empty for null."""
    return "" if value is None else str(value)


def time_of(value: int | str | None) -> str | None:
    """A time as text, as in its source; the mapping parses it.

    Times are ISO-8601 text, or seconds or milliseconds since 1970 as a whole number of 10 or 13 digits.
    """
    return str(value) if isinstance(value, int) else value


def text_or_none(value: str | None) -> str | None:
    """Trimmed text; None if it is blank."""
    return value.strip() or None if value else None
