"""Ids of people and visitors, as Sprig's formats spell them (facts/sprig.md 8.2 and 8.7)."""

from __future__ import annotations

import re

from sprig_tui.sprig.records import Note

_uuid = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}").fullmatch


def is_uuid(text: str) -> bool:
    """Whether `text` is a UUID in its usual form of 36 characters."""
    return _uuid(text) is not None


def is_number(value: int | str | None) -> bool:
    """Whether an id is a number, or text of decimal digits alone."""
    return isinstance(value, int) or (value is not None and value.isascii() and value.isdigit())


def user_id_of(value: int | str | None) -> str | None:
    """A customer's own id: trimmed; an integer by its decimal text; blank, empty and null are anonymous."""
    if value is None:
        return None
    return value.strip() or None if isinstance(value, str) else str(value)


def visitor_ids(
    visitor: int | str | None, old: int | str | None = None
) -> tuple[str | None, int | str | None, tuple[Note, ...]]:
    """Visitor id, old visitor id and notes: told apart by value, because both arrive under the name `visitorId`.

    A UUID is a visitor id, a number or digits an old one; 0 stands for none.
    """
    if isinstance(visitor, str):
        if _uuid(visitor) or _uuid(visitor := visitor.strip()):
            return visitor, old_id_or_none(old) if old else None, ()
        if visitor and not is_number(visitor):
            return visitor, old_id_or_none(old), (Note.ODD_VISITOR,)
    return None, old_id_or_none(old) or old_id_or_none(visitor), ()


def old_id_or_none(value: int | str | None) -> int | str | None:
    """A numeric visitor id as it came; None for nothing and for the placeholder 0."""
    if isinstance(value, str):
        value = value.strip()
        return value if value.strip("0") else None
    return value or None


def question_id_of(value: int | str | None) -> str:
    """A question id as text; empty where there is none."""
    return "" if value is None else str(value)


def time_of(value: int | str | None) -> str | None:
    """A time as its source wrote it.

    The rule for all times: ISO-8601 text, or the seconds or milliseconds since 1970 as a whole number of 10 or 13
    digits, be it a number or text. Which of these it is, the mapping finds out.
    """
    return str(value) if isinstance(value, int) else value


def text_or_none(value: str | None) -> str | None:
    """Trimmed text; None where nothing is left."""
    return value.strip() or None if value else None
