"""A delivery as a row of the log: what stands in each column, and in which style."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from sprig_tui.console.deliveries.columns import ColumnName, PlacedColumn
from sprig_tui.console.line import TextSpan, fit_span
from sprig_tui.journal.answer_text import answer_text
from sprig_tui.journal.records import Delivery, State
from sprig_tui.text import one_line

MARK = "●"
NO_VALUE = "—"
"""Stands where there is nothing, such as for the user of an anonymous answer."""
DAY_MS = 86_400_000
STATE_STYLES = {State.DELIVERED: "good", State.FAILED: "bad", State.WITHHELD: "warning", State.QUEUED: "accent"}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""Spelled out here: strftime would follow the locale, and the columns with it."""

_COLUMNS_WITH_STYLE = frozenset({"id", "time", "state", "status", "attempts"})
"""Columns of our own words."""
Cell = tuple[str, str]
"""Text and style."""


def delivery_row(
    delivery: Delivery, columns: Sequence[PlacedColumn], *, now: int, marked: bool = False
) -> list[TextSpan]:
    """The parts of a row; `now` in milliseconds since 1970 decides how times are written."""
    parts = [TextSpan(MARK, "accent", 2) if marked else TextSpan("", "muted", 2)]
    for name, _, width, gap in columns:
        text, style = _CELLS[name](delivery, now, width)
        cell = fit_span(text if name in _COLUMNS_WITH_STYLE else one_line(text, limit=4 * width + 16), width)
        parts.append(TextSpan(cell + " " * gap, style, width + gap))
    return parts


def header_row(columns: Sequence[PlacedColumn]) -> list[TextSpan]:
    """The titles over the columns."""
    parts = [TextSpan("", "", 2)]
    for _, title, width, gap in columns:
        parts.append(TextSpan(fit_span(title, width) + " " * gap, "muted", width + gap))
    return parts


def local_time(milliseconds: int) -> datetime:
    """Local time; the first and last moments that calendars know for what lies beyond them."""
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone()
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


def short_time(milliseconds: int, now: int, width: int = 12) -> str:
    """A time in 8 or 12 cells: of today with seconds or milliseconds, of another day with the day."""
    at, today = local_time(milliseconds), local_time(now)
    if at.date() == today.date():
        return f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}" if width >= 12 else f"{at:%H:%M:%S}"
    day = f"{at.day:2d} {_MONTHS[at.month - 1]}"
    if at.year != today.year:
        return f"{day} {at.year}" if width >= 11 else f"{_MONTHS[at.month - 1]} {at.year}"
    return f"{day} {at:%H:%M}" if width >= 12 else day


def ignored_until(delivery: Delivery, now: int) -> str:
    """Until when Segment ignores a delivered message id, such as `12:04` or `tomorrow 12:04`.

    Segment remembers ids for about 24 h. Empty when that is over, or it was never delivered.
    """
    until = delivery.settled_at + DAY_MS
    if delivery.state is not State.DELIVERED or not delivery.settled_at or until <= now:
        return ""
    at, today = local_time(until), local_time(now)
    if at.date() == today.date():
        return f"{at:%H:%M}"
    return (
        f"tomorrow {at:%H:%M}"
        if at.date() == (today + timedelta(days=1)).date()
        else f"{at.day} {_MONTHS[at.month - 1]} {at:%H:%M}"
    )


def environment_title(name: str) -> str:
    """An environment's name as people read it: `Production`."""
    return name[:1].upper() + name[1:]


def state_word(delivery: Delivery) -> str:
    """The state, and of a queued one whether it waits, is on the wire, or is to be tried again."""
    if delivery.state is not State.QUEUED:
        return delivery.state.value
    if delivery.leased:
        return "in flight"
    return "retry" if delivery.due_at else "queued"


def result_text(delivery: Delivery, now: int) -> str:
    """How it ended, or what it waits for."""
    if delivery.state is State.DELIVERED:
        return f"{delivery.latency_ms:,.0f} ms"
    if delivery.state is State.WITHHELD:
        return f"{delivery.reason}: {delivery.detail}" if delivery.detail else delivery.reason
    error = delivery.error
    if delivery.state is State.QUEUED and delivery.due_at > now and not delivery.leased:
        return f"again at {short_time(delivery.due_at, now, 8)}" + (f"  {error}" if error else "")
    return error


def _status_cell(delivery: Delivery, _now: int, _width: int) -> Cell:
    if not delivery.answer:
        return NO_VALUE, "muted"
    return answer_text(delivery), ""


def _result_cell(delivery: Delivery, now: int, _width: int) -> Cell:
    style = "muted" if delivery.state in (State.DELIVERED, State.QUEUED) else STATE_STYLES[delivery.state]
    return result_text(delivery, now), style


def _text_or_dash(text: str, style: str = "") -> Cell:
    return (text, style) if text else (NO_VALUE, "muted")


_CELLS: dict[ColumnName, Callable[[Delivery, int, int], Cell]] = {
    "id": lambda one, _now, _width: (str(one.id), "muted"),
    "time": lambda one, now, width: (short_time(one.added_at, now, width), "muted"),
    "environment": lambda one, _now, _width: _text_or_dash(environment_title(one.environment)),
    "survey": lambda one, _now, _width: _text_or_dash(one.survey_name or one.survey_id),
    "user": lambda one, _now, _width: _text_or_dash(one.user_id),
    "type": lambda one, _now, _width: _text_or_dash(one.question_type, "muted"),
    "answer": _status_cell,
    "state": lambda one, _now, _width: (state_word(one), STATE_STYLES[one.state]),
    "status": lambda one, _now, _width: (str(one.status) if one.status else "", "good" if one.status < 300 else "bad"),
    "attempts": lambda one, _now, _width: (
        str(one.attempts) if one.attempts else "",
        "muted" if one.attempts < 2 else "warning",
    ),
    "result": _result_cell,
}
