"""Row format of the log: columns, cell texts and styles, and the title of the pane."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec
from msgspec import Struct
from textual.content import Content

from sprig_tui.console.environments.status import environment_title
from sprig_tui.console.widgets.columns import (
    MARK_CELLS,
    ChosenColumn,
    PlacedColumn,
    columns_that_fit,
    place_chosen,
    placed,
    share_room,
)
from sprig_tui.console.widgets.line import TextSpan, fit_span
from sprig_tui.formatting import MONTHS, local_time, relative_time
from sprig_tui.journal.content import CONTENT_DROPPED_LABEL
from sprig_tui.journal.records import Delivery, State, answer_text, bare_url
from sprig_tui.segment.limits import DEDUP_WINDOW_MS
from sprig_tui.text import one_line

ColumnName = Literal[
    "id", "time", "environment", "survey", "user", "type", "question", "answer", "state", "status", "attempts", "result"
]
"""`result` is the latency of a delivered row, else the reason or the error."""


class Column(NamedTuple):
    """A column of the log."""

    name: ColumnName
    title: str
    min_cells: int
    """Width below which the column is useless."""
    max_cells: int
    """Width beyond which more room is useless; 0 for no limit."""
    rank: int
    """Columns of the highest rank are left out first."""
    share: int = 0
    """Share of the spare room; 0 for a column that stays at `min_cells`."""


TIME = Column("time", "time", 8, 12, 1)
"""Either to the second (8 cells) or to the millisecond (12 cells)."""
COLUMNS = (
    Column("id", "id", 6, 9, 12, share=1),
    TIME,
    Column("environment", "env", 11, 14, 8, share=1),
    Column("survey", "survey", 10, 40, 4, share=5),
    Column("user", "user", 8, 24, 5, share=3),
    Column("type", "type", 6, 14, 11, share=1),
    Column("question", "question", 24, 90, 10, share=9),
    Column("answer", "answer", 8, 90, 6, share=4),
    Column("state", "state", 9, 9, 2),
    Column("status", "http", 4, 4, 7),
    Column("attempts", "tries", 5, 5, 9),
    Column("result", "result", 9, 0, 3, share=12),
)
"""In the order of the log."""

SPARE_CELLS, MIN_SPARED_RANK = 16, 9
"""Columns from this rank on are shown only where the others get so much more than their least widths."""
WIDE_MIN_CELLS = 150
"""From this width on there are ids, questions, milliseconds, and gaps of two cells."""
WIDE_COLUMNS = frozenset({"id", "question"})
"""Columns that narrower logs have only where the user chose them."""
_WIDE_SHARES = {"answer": 10, "result": 6}
"""Shares of wide logs, which show question and answer in full where they can."""
_WIDE = tuple(column._replace(share=_WIDE_SHARES.get(column.name, column.share)) for column in COLUMNS)


@lru_cache(maxsize=64)
def place_columns(width: int, chosen: tuple[ChosenColumn, ...] = ()) -> tuple[PlacedColumn, ...]:
    """The columns of a log of this width: those that the user chose, or where nothing is chosen those that fit.

    With the marks the latter fill it exactly, if it is wide enough. Columns of the highest rank are left out first;
    spare room is distributed by `share`.
    """
    is_wide = width >= WIDE_MIN_CELLS
    gap, columns = (2, _WIDE) if is_wide else (1, COLUMNS)
    if chosen:
        return place_chosen(columns, chosen, width - MARK_CELLS, gap, asked_for=WIDE_COLUMNS)
    offered = [column for column in columns if column.name not in WIDE_COLUMNS or is_wide]
    kept, room = columns_that_fit(sorted(offered, key=lambda column: column.rank), width - MARK_CELLS, gap)
    while room < SPARE_CELLS and kept[-1].rank >= MIN_SPARED_RANK:
        room += kept.pop().min_cells + gap
    widths: dict[str, int] = {column.name: column.min_cells for column in kept}
    if is_wide and room >= TIME.max_cells - TIME.min_cells:
        room -= TIME.max_cells - TIME.min_cells
        widths["time"] = TIME.max_cells
    share_room(kept, widths, room)
    return placed([column for column in columns if column.name in widths], widths, gap)


def default_columns(width: int) -> tuple[ChosenColumn, ...]:
    """The columns of a log of this width where nothing is chosen, also those that do not fit."""
    return tuple(
        ChosenColumn(column.name) for column in COLUMNS if column.name not in WIDE_COLUMNS or width >= WIDE_MIN_CELLS
    )


MARK = "●"
NO_VALUE = "—"
"""Placeholder for an empty cell, such as the user of an anonymous answer."""
STATE_STYLES = {State.DELIVERED: "good", State.FAILED: "bad", State.WITHHELD: "warning", State.QUEUED: "accent"}

_COLUMNS_WITH_STYLE = frozenset({"id", "time", "state", "status", "attempts"})
"""Columns whose texts hold no foreign text."""
_MAX_CELL_CHARS_PER_CELL = 20
"""Characters of a text that are looked at for each cell of its column: more than `one_line` does."""
Cell = tuple[str, str]
"""Text and style."""


def delivery_row(
    delivery: Delivery, columns: Sequence[PlacedColumn], *, now: int, marked: bool = False, question: str | None = ""
) -> list[TextSpan]:
    """The spans of a row; `now` is ms since 1970, and times of today are written without a date.

    `question` is the text of the question, which is in the payload; None while that is not read.
    """
    parts = [TextSpan(MARK, "accent", 2) if marked else TextSpan("", "muted", 2)]
    for name, _, width, gap in columns:
        if name == "question":
            text, style = _text_or_dash(question) if question is not None else ("", "muted")
        else:
            text, style = _CELLS[name](delivery, now, width)
        if name in _COLUMNS_WITH_STYLE:
            cell = fit_span(text, width) + " " * gap
        else:
            cell = _foreign_cell(text[: _MAX_CELL_CHARS_PER_CELL * (width + 8)], width, gap)
        parts.append(TextSpan(cell, style, width + gap))
    return parts


@lru_cache(maxsize=2_048)
def _foreign_cell(text: str, width: int, gap: int) -> str:
    """A text of a record in a column, and the gap after it; kept, since most texts of a column stand in many rows."""
    return fit_span(one_line(text, limit=4 * width + 16), width) + " " * gap


def header_row(columns: Sequence[PlacedColumn]) -> list[TextSpan]:
    """The column titles."""
    parts = [TextSpan("", "", 2)]
    for _, title, width, gap in columns:
        parts.append(TextSpan(fit_span(title, width) + " " * gap, "muted", width + gap))
    return parts


def short_time(milliseconds: int, now: int, width: int = 12) -> str:
    """A local time in 8 or 12 cells: today with seconds or milliseconds, otherwise with the date."""
    at, today = local_time(milliseconds), _local_date(now // 60_000)
    if at.date() == today:
        return f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}" if width >= 12 else f"{at:%H:%M:%S}"
    day = f"{at.day:2d} {MONTHS[at.month - 1]}"
    if at.year != today.year:
        return f"{day} {at.year}" if width >= 11 else f"{MONTHS[at.month - 1]} {at.year}"
    return f"{day} {at:%H:%M}" if width >= 12 else day


@lru_cache(maxsize=4)
def _local_date(minute: int) -> date:
    """Local date of a minute since 1970."""
    return local_time(minute * 60_000).date()


def ignored_until(delivery: Delivery, now: int) -> str:
    """When Segment's de-duplication window of a delivered message id ends, such as `tomorrow 12:04`.

    The window is about 24 h. Empty when it is over, or the delivery was not delivered.
    """
    until = delivery.settled_at + DEDUP_WINDOW_MS
    if delivery.state is not State.DELIVERED or not delivery.settled_at or until <= now:
        return ""
    at = local_time(until)
    is_tomorrow = at.date() == (local_time(now) + timedelta(days=1)).date()
    return f"tomorrow {at:%H:%M}" if is_tomorrow else relative_time(until, now)


def state_word(delivery: Delivery) -> str:
    """The state; for a queued delivery `in flight`, `held`, `retry` or `queued`; for a repaired one `repaired`."""
    if delivery.repaired_by:
        return "repaired"
    if delivery.state is not State.QUEUED:
        return delivery.state.value
    if delivery.leased:
        return "in flight"
    if delivery.held:
        return "held"
    return "retry" if delivery.due_at else "queued"


def result_text(delivery: Delivery, now: int) -> str:
    """Latency, reason or error; for a retry also its time, for a repaired delivery what repaired it."""
    if delivery.repaired_by:
        cause = delivery.reason or delivery.error
        return f"by {delivery.repaired_by}, was {delivery.state}" + (f": {cause}" if cause else "")
    if delivery.state is State.DELIVERED:
        return f"{delivery.latency_ms:,.0f} ms" + (f" to {bare_url(delivery.bound_for)}" if delivery.bound_for else "")
    if delivery.state is State.WITHHELD:
        return f"{delivery.reason}: {delivery.detail}" if delivery.detail else delivery.reason
    error = delivery.error
    if delivery.state is State.QUEUED and delivery.due_at > now and not delivery.leased:
        return f"again at {short_time(delivery.due_at, now, 8)}" + (f"  {error}" if error else "")
    return error


class _Properties(Struct, frozen=True):
    question: str = ""


class _Call(Struct, frozen=True):
    properties: _Properties = _Properties()


_decode_call = msgspec.json.Decoder(_Call).decode


def question_text(body: bytes) -> str:
    """Text of the question of a mapped call; empty where it has none. Not sanitized for a terminal."""
    try:
        return _decode_call(body).properties.question
    except msgspec.DecodeError:
        return ""


def _answer_cell(delivery: Delivery, _now: int, _width: int) -> Cell:
    if delivery.content_dropped:
        return CONTENT_DROPPED_LABEL, "muted"
    if not delivery.answer:
        return NO_VALUE, "muted"
    return answer_text(delivery), ""


def _result_cell(delivery: Delivery, now: int, _width: int) -> Cell:
    is_problem = delivery.state in (State.FAILED, State.WITHHELD) and not delivery.repaired_by
    style = STATE_STYLES[delivery.state] if is_problem else "muted"
    return result_text(delivery, now), style


def _text_or_dash(text: str, style: str = "") -> Cell:
    return (text, style) if text else (NO_VALUE, "muted")


_CELLS: dict[str, Callable[[Delivery, int, int], Cell]] = {
    "id": lambda row, _now, _width: (str(row.id), "muted"),
    "time": lambda row, now, width: (short_time(row.added_at, now, width), "muted"),
    "environment": lambda row, _now, _width: _text_or_dash(environment_title(row.environment)),
    "survey": lambda row, _now, _width: _text_or_dash(row.survey_name or row.survey_id),
    "user": lambda row, _now, _width: _text_or_dash(row.shown_user),
    "type": lambda row, _now, _width: _text_or_dash(row.question_type, "muted"),
    "answer": _answer_cell,
    "state": lambda row, _now, _width: (
        state_word(row),
        "muted" if row.repaired_by else STATE_STYLES[row.state],
    ),
    "status": lambda row, _now, _width: (str(row.status) if row.status else "", "good" if row.status < 300 else "bad"),
    "attempts": lambda row, _now, _width: (
        str(row.attempts) if row.attempts else "",
        "muted" if row.attempts < 2 else "warning",
    ),
    "result": _result_cell,
}


MAX_FILTER_TITLE_CHARS = 60
MIN_FILTER_TITLE_CHARS = 8
SEPARATOR = " ── "
FRAME_CELLS = 6
"""Cells of a title's row that the frame takes."""


class TitleState(Struct, frozen=True, kw_only=True):
    """Facts shown in the title of the pane."""

    filter: str = ""
    shown: int = 0
    """Known matches."""
    total: int = 0
    searched: float = 1.0
    """Searched share of the journal, 0 to 1."""
    following: bool = True
    new: int = 0
    """New matches since following ended."""
    marked: int = 0
    width: int = 200
    """Cells for the title. A long filter gives way to what comes after it."""


def log_title(state: TitleState) -> str:
    """Such as `Deliveries ── /status:failed ── 3 of 1,000,412 ── following`."""
    return SEPARATOR.join(_title_parts(state))


def _title_parts(state: TitleState) -> list[str]:
    parts = [amount_text(state)]
    if state.marked:
        parts.append(f"{state.marked:,} marked")
    if state.following:
        parts.append("following")
    elif state.new:
        parts.append(f"+{state.new:,} new")
    if state.filter:
        room = state.width - len(SEPARATOR.join(["Deliveries", "/", *parts]))
        limit = max(MIN_FILTER_TITLE_CHARS, min(room, MAX_FILTER_TITLE_CHARS))
        parts.insert(0, "/" + one_line(state.filter, limit=limit))
    return ["Deliveries", *parts]


def clickable_title(state: TitleState) -> Content:
    """The title; its last part is a link for `f` where it is about following."""
    if not (state.following or state.new):
        return Content(log_title(state))
    *before, last = _title_parts(state)
    # the variable text is substituted, not parsed as markup
    return Content.assemble(
        SEPARATOR.join(before), SEPARATOR, Content.from_markup('[@click="follow"]$text[/]', text=last)
    )


def amount_text(state: TitleState) -> str:
    """Number of matches, and of all deliveries."""
    if not state.filter:
        return f"{max(state.total, state.shown):,}"
    if state.searched < 1:
        return f"{state.shown:,} so far, {int(state.searched * 100)} % searched"
    return f"{state.shown:,} of {max(state.total, state.shown):,}"


def empty_log_hints(state: TitleState, *, opened: bool, file: str = "", sends: bool = True) -> tuple[str, ...]:
    """Hints shown while there are no rows.

    `file` is a hint about the open file, such as `S sends all 117`; `sends` says whether this console can send.
    """
    if not opened:
        return ("opening the journal …",)
    if state.filter:
        if state.searched < 1:
            return (f"searching: {int(state.searched * 100)} % of {state.total:,} deliveries searched",)
        return ("nothing matches this filter", "/ changes it, escape clears it")
    if not sends:
        return ("no deliveries yet", "this console is read-only: what others send shows here")
    if file:
        return ("no deliveries yet", file)
    return ("no deliveries yet", "o opens a file of answers, s sends what it shows")
