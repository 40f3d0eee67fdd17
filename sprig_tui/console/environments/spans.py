"""Spans of time and moments, as short as a status can hold them."""

from __future__ import annotations

from datetime import UTC, datetime

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


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
    at = _local(then)
    clock = f"{at:%H:%M}"
    return clock if at.date() == _local(now).date() else f"{relative_day(then, now)} {clock}"


def relative_day(then: int, now: int) -> str:
    """A date as `3 Nov`, with the year where it is another one; local time."""
    at = _local(then)
    year = f" {at.year}" if at.year != _local(now).year else ""
    return f"{at.day} {_MONTHS[at.month - 1]}{year}"


def _local(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone()
