"""Timestamps for Segment: ISO-8601 text, kept as it was written wherever possible."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from msgspec import Struct

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_EXTENDED_FORMAT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?P<time>T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?P<zone>Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
_ALLOWED_CHARACTERS = re.compile(r"[0-9TW:.,+\- ]+Z?")
"""Python's parser also accepts other separators."""
_LEAP_SECOND = re.compile(r"(?<=:[0-5][0-9]):60")
_EPOCH_DIGITS = {10: 1000, 13: 1}
"""Milliseconds per unit by number of digits: seconds and milliseconds since 1970, from 2001 to 2286."""


class Instant(Struct, frozen=True, gc=False):
    """A time as the input wrote it."""

    text: str
    """ISO-8601; the original text if that is ISO-8601."""
    ms: int
    """Milliseconds since 1970 UTC, rounded down; negative before it."""
    note: str = ""
    """Assumption or change that was made; often empty."""


def parse_usual_ms(text: str) -> int | None:
    """Milliseconds since 1970 of the form that Sprig's APIs write, `2025-03-04T16:21:09.114Z`; None for any other.

    A fast path for nearly every record; `parse_instant` reads the other forms.
    """
    if len(text) != 24 or text[7:14:3] != "-T:" or text[19::4] != ".Z":
        return None
    if "\0" in text:  # Python's parser ignores everything after it
        return None
    try:
        # whole milliseconds, so that the float's error of a fraction of a microsecond is rounded away
        return round(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        return None


def parse_instant(text: str) -> Instant | None:
    """The time that a text names; None if it is missing or ambiguous.

    ISO-8601 in its extended form is kept unchanged. Its other forms, and seconds or milliseconds since 1970, are
    rewritten, with a note. A time without a zone counts as UTC, as at Segment.
    """
    written = text.strip()
    if written.isascii() and written.isdigit() and len(written) in _EPOCH_DIGITS:
        ms = int(written) * _EPOCH_DIGITS[len(written)]
        return Instant(format_iso(ms), ms, f"{written} taken as time since 1970")
    upper = written.upper()
    if _ALLOWED_CHARACTERS.fullmatch(upper) is None:
        return None
    try:
        moment = datetime.fromisoformat(_LEAP_SECOND.sub(":59", upper, count=1))
        zoned = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        ms = (zoned - _EPOCH) // _MILLISECOND
        form = _EXTENDED_FORMAT.fullmatch(written)
        if form is None:
            return Instant(format_iso(ms), ms, f"rewritten from {written[:40]}{_assumption_note(moment)}")
    except (ValueError, OverflowError):
        return None
    if form["time"] is None:
        return Instant(written, ms, "no time of day: midnight UTC is meant")
    return Instant(written, ms, "" if form["zone"] else "no time zone: UTC is meant")


def format_iso(ms: int) -> str:
    """ISO-8601 in UTC with milliseconds; OverflowError outside the years 1 to 9999."""
    return (_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _assumption_note(moment: datetime) -> str:
    return "" if moment.tzinfo is not None else ", taken as UTC"
