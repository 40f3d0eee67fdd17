"""Durations, times and sizes as text, for people and for programs."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from functools import lru_cache

from sprig_tui.errors import ConfigError, message_prefix

UNIT_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_DURATION_HINT = "write it as 90s, 12h, 2d or plain seconds"
MAX_DURATION_S = 10 * 366 * 86_400.0
"""Ten years in seconds: longer is a typing mistake, and would overflow a clock in milliseconds."""

_UNIT_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d|w)")
_DURATION = re.compile(rf"(?:{_UNIT_PART.pattern}\s*)+")
_PLAIN_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]+)?")


def parse_duration(value: str | float, label: str = "duration") -> float:
    """Seconds, 0 or more; raises ConfigError, which names `label` (empty for nothing)."""
    if isinstance(value, str):
        text = value.strip().lower()
        if _PLAIN_SECONDS.fullmatch(text):
            seconds = float(text)
        elif _DURATION.fullmatch(text):
            seconds = sum(float(number) * UNIT_SECONDS[unit] for number, unit in _UNIT_PART.findall(text))
        else:
            raise ConfigError(
                f"{message_prefix(label)}{value[:40]!r} is not a duration",
                hint="write it as 90s, 12h, 1h30m, 2d or plain seconds",
            )
    else:
        seconds = float(value)
    if not math.isfinite(seconds) or seconds < 0:
        raise ConfigError(f"{message_prefix(label)}a duration is 0 or more", hint=_DURATION_HINT)
    if seconds > MAX_DURATION_S:
        raise ConfigError(f"{message_prefix(label)}more than ten years", hint=_DURATION_HINT)
    return seconds


def format_duration(seconds: float) -> str:
    """The two largest units, such as `1h 30m`; below a minute one decimal where it matters."""
    if seconds < 1:
        return f"{round(seconds * 1000)} ms" if seconds > 0 else "0 s"
    if seconds < 60:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    sizes = (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1))
    parts: list[tuple[int, str]] = []
    for unit, size in sizes:
        count, whole = divmod(whole, size)
        if count or parts:
            parts.append((count, unit))
    return " ".join(f"{count} {unit}" for count, unit in parts[:2] if count)


MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""English names; strftime would follow the locale."""


def time_ago(then: int, now: int) -> str:
    """How long ago, ms to ms: `2 s ago`, `30 s ago`, `5 min ago`, `3 h ago`, then the date.

    From ten seconds on the steps are ten seconds, so that a console where nothing happens has little to repaint.
    """
    seconds = max(0, now - then) // 1000
    if seconds < 1:
        return "just now"
    if seconds < 10:
        return f"{seconds} s ago"
    if seconds < 60:
        return f"{seconds // 10 * 10} s ago"
    if seconds < 3600:
        return f"{seconds // 60} min ago"
    if seconds < 86_400:
        return f"{seconds // 3600} h ago"
    return relative_day(then, now)


def time_left(until: int, now: int) -> str:
    """How long until, ms to ms, rounded up: `40 s`, `3 min 5 s`; `0 s` once it is past."""
    seconds = max(0, -((now - until) // 1000))
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes} min {seconds} s" if seconds else f"{minutes} min"


def relative_time(then: int, now: int) -> str:
    """A time of today as `12:04`, another as `3 Nov 12:04`; local time."""
    at = local_time(then)
    clock = f"{at:%H:%M}"
    return clock if at.date() == local_time(now).date() else f"{relative_day(then, now)} {clock}"


def relative_day(then: int, now: int) -> str:
    """A date as `3 Nov`, with the year where it is another one; local time."""
    at = local_time(then)
    year = f" {at.year}" if at.year != local_time(now).year else ""
    return f"{at.day} {MONTHS[at.month - 1]}{year}"


def local_time(milliseconds: int) -> datetime:
    """Local time of ms since 1970; 1970 for a number beyond what a calendar can show."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone()
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


def iso_time(milliseconds: int) -> str | None:
    """UTC for programs, such as `2026-11-23T12:04:11.220Z`; None for 0 (never) and for times beyond the calendar."""
    if not milliseconds:
        return None
    minute, rest = divmod(milliseconds, 60_000)
    begin = _iso_minute(minute)
    if begin is None:
        return None
    text = f"{rest:05d}"
    return f"{begin}{text[:2]}.{text[2:]}Z"


@lru_cache(1024)
def _iso_minute(minute: int) -> str | None:
    """Date, hour and minute; an export has thousands of times in each."""
    try:
        return datetime.fromtimestamp(minute * 60, UTC).isoformat()[:17]
    except (ValueError, OverflowError, OSError):
        return None


def size_text(size: int) -> str:
    """Bytes for people, such as `1.2 MB`."""
    if size < 1000:
        return f"{size} bytes"
    amount, unit = next(
        ((size / scale, unit) for unit, scale in (("KB", 1e3), ("MB", 1e6)) if size < 1000 * scale), (size / 1e9, "GB")
    )
    return f"{amount:,.1f} {unit}"
