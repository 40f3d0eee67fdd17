"""Moments: times and periods in words, in local time unless they have an offset."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from sprig_tui.errors import FilterError

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
COMPLETED_MOMENTS = ("today", "yesterday", "1h", "24h", "7d", "monday", '"last week"', '"this month"')
"""Moments that are offered while one is typed."""
MOMENT_HINT = (
    "write an age (90s 15m 2h 7d 4w), a date (2026-11-23), a time (2026-11-23T14:05, 14:05), or a day:"
    ' today, yesterday, monday, "last friday", "last week", "this month"'
)
RANGE_MARK = ".."

_AGE = re.compile(
    r"(\d+)\s*(s|m|h|d|w|sec|secs|seconds?|min|mins|minutes?|hours?|days?|weeks?)(?:\s+ago)?", re.IGNORECASE
)
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_CLOCK = re.compile(r"(?:(.+?)[ \t]+)?(\d{1,2}):(\d{2})(?::(\d{2}))?")
_MIN_SHORT_DAY_CHARS = 3


def parse_moment(text: str, now_ms: int) -> int:
    """Milliseconds since 1970 of a moment, or of the start of a day, week or month. Raises FilterError."""
    return parse_period(text, now_ms)[0]


def parse_period(text: str, now_ms: int) -> tuple[int, int]:
    """Start and end of a day, week or month, ms since 1970; of a moment both are the same. Raises FilterError."""
    value = text.strip().lower()
    try:
        now = _local(now_ms)
        age = _AGE.fullmatch(value)
        if age:
            start = end = now - timedelta(seconds=int(age[1]) * _UNIT_SECONDS[age[2][0]])
        elif value == "now":
            start = end = now
        else:
            start, end = _named_period(value, now)
        return _milliseconds(start), _milliseconds(end)
    except (ValueError, OverflowError, OSError) as error:
        raise FilterError(f"cannot read {value[:80]!r} as a time", position=0, hint=MOMENT_HINT) from error


def parse_range(text: str, now_ms: int) -> tuple[int | None, int | None]:
    """Start (inclusive) and end (exclusive) of `monday..friday`, `2026-11-01..`, `..2h`, `yesterday` or an age.

    A day, week or month at the end belongs to the range; a weekday at the beginning is the last one before the end. A
    single moment begins a range that goes on until now; None is an open end. Raises FilterError.
    """
    first, mark, last = text.partition(RANGE_MARK)
    if not mark:
        start, end = parse_period(text, now_ms)
        return start, (None if end == start else end)
    if not (first.strip() or last.strip()):
        raise FilterError("a range needs a beginning or an end", position=0, hint="monday..friday, 2026-11-01.., ..2h")
    begin = parse_period(first, now_ms)[0] if first.strip() else None
    until = parse_period(last, now_ms)[1] if last.strip() else None
    if begin is not None and until is not None and begin >= until and _is_weekday(first):
        # of monday..friday on a Wednesday, both are days of last week
        begin = _milliseconds((_local(begin).replace(tzinfo=None) - timedelta(days=7)).astimezone())
    if begin is not None and until is not None and begin >= until:
        raise FilterError("the range ends before it begins", position=0, hint="the earlier time comes first: 7d..1d")
    return begin, until


def _is_weekday(text: str) -> bool:
    name = text.strip().lower()
    return any(name in (day, day[:_MIN_SHORT_DAY_CHARS]) for day in DAYS)


def _local(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone()


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _named_period(value: str, now: datetime) -> tuple[datetime, datetime]:
    """Start and end of a period, or of a moment; raises ValueError."""
    # without an offset: the one of its midnight may differ from that of now
    today = datetime.combine(now.date(), time())
    if (day := _named_day(value, today)) is not None:
        return day.astimezone(), (day + timedelta(days=1)).astimezone()
    if (span := _named_span(value, today)) is not None:
        return span[0].astimezone(), span[1].astimezone()
    clock = _CLOCK.fullmatch(value)
    if clock:
        of = today if clock[1] is None else _named_day(clock[1], today)
        if of is not None:
            at = datetime.combine(of, time(int(clock[2]), int(clock[3]), int(clock[4] or 0))).astimezone()
            return at, at
    given = datetime.fromisoformat(value)
    if len(value) <= len("2026-W47-1") and ":" not in value:
        return given.astimezone(), (given + timedelta(days=1)).astimezone()
    return given.astimezone(), given.astimezone()


def _named_day(value: str, today: datetime) -> datetime | None:
    """Midnight of a day by its name; None for another word."""
    if value in ("today", "yesterday"):
        return today - timedelta(days=value == "yesterday")
    last = value.startswith("last ")
    name = value.removeprefix("last ").strip()
    if len(name) < _MIN_SHORT_DAY_CHARS:
        return None
    number = next((at for at, day in enumerate(DAYS) if name in (day, day[:_MIN_SHORT_DAY_CHARS])), None)
    if number is None:
        return None
    back = (today.weekday() - number) % len(DAYS)
    return today - timedelta(days=len(DAYS) if last and back == 0 else back)


def _named_span(value: str, today: datetime) -> tuple[datetime, datetime] | None:
    """Start and end of a week, which begins on Monday, or of a month; None for another word."""
    week = today - timedelta(days=today.weekday())
    month = today.replace(day=1)
    spans = {
        "this week": (week, week + timedelta(days=7)),
        "last week": (week - timedelta(days=7), week),
        "this month": (month, _next_month(month)),
        "last month": ((month - timedelta(days=1)).replace(day=1), month),
    }
    if value in spans:
        return spans[value]
    if match := _MONTH.fullmatch(value):
        month = datetime.combine(date(int(match[1]), int(match[2]), 1), time())
        return month, _next_month(month)
    return None


def _next_month(month: datetime) -> datetime:
    return (month + timedelta(days=32)).replace(day=1)
