"""Row format of the list of records: columns and cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from sprig_tui.console.environments.status import environment_title
from sprig_tui.console.payload.records.listed_record import ListedRecord
from sprig_tui.console.widgets.columns import MARK_CELLS, ChosenColumn, PlacedColumn, place_chosen
from sprig_tui.console.widgets.line import TextSpan, fit_span
from sprig_tui.journal.records import answer_text
from sprig_tui.text import one_line

MARK = "●"
NO_VALUE = "—"
GAP_CELLS = 1
FATE_STYLES = {"sent": "good", "withheld": "warning", "unreadable": "bad"}

Cell = tuple[str, str]
"""Text and style."""


class RecordColumn(NamedTuple):
    """A column of the list."""

    name: str
    title: str
    min_cells: int
    share: int
    """Share of the spare room; 0 for a column that stays at `min_cells`."""
    max_cells: int
    rank: int
    """Columns of the highest rank are left out first."""


COLUMNS = (
    RecordColumn("number", "record", 7, 1, 9, 0),
    RecordColumn("place", "place", 14, 2, 30, 8),
    RecordColumn("user", "user", 9, 3, 24, 3),
    RecordColumn("survey", "survey", 9, 3, 40, 5),
    RecordColumn("type", "type", 6, 1, 14, 7),
    RecordColumn("question", "question", 24, 9, 90, 9),
    RecordColumn("answer", "answer", 7, 5, 90, 6),
    RecordColumn("fate", "would be", 10, 0, 10, 1),
    RecordColumn("why", "why", 16, 9, 0, 2),
)
"""In the order of the list; `place` is file and line."""


WIDE_MIN_CELLS = 150
"""From this width on there are questions."""
WIDE_COLUMNS = frozenset({"question"})
"""Columns that narrower lists have only where the user chose them."""


@lru_cache(maxsize=64)
def place_record_columns(width: int, chosen: tuple[ChosenColumn, ...] = ()) -> tuple[PlacedColumn, ...]:
    """The columns of a list of this width: those that the user chose, or where nothing is chosen those that fit."""
    return place_chosen(
        COLUMNS,
        chosen or default_record_columns(width),
        width - MARK_CELLS,
        GAP_CELLS,
        asked_for=WIDE_COLUMNS if chosen else (),
    )


def default_record_columns(width: int) -> tuple[ChosenColumn, ...]:
    """The columns of a list of this width where nothing is chosen, also those that do not fit."""
    return tuple(
        ChosenColumn(column.name) for column in COLUMNS if column.name not in WIDE_COLUMNS or width >= WIDE_MIN_CELLS
    )


def record_row(row: ListedRecord, columns: Sequence[PlacedColumn], *, marked: bool) -> list[TextSpan]:
    """The spans of one record."""
    parts = [TextSpan(MARK if marked else "", "accent", MARK_CELLS)]
    for name, _, width, gap in columns:
        text, style = _CELLS[name](row, width)
        cell = fit_span(text if name == "number" else one_line(text, limit=4 * width + 16), width)
        parts.append(TextSpan(cell + " " * gap, style, width + gap))
    return parts


def header_text(columns: Sequence[PlacedColumn]) -> str:
    """The titles of the columns."""
    return " " * MARK_CELLS + "".join(fit_span(column.title, column.width) + " " * column.gap for column in columns)


def place_text(row: ListedRecord, width: int) -> str:
    """File and line in `width` cells; a long path keeps its end."""
    delivery = row.delivery
    text = f"{delivery.source.rpartition('/')[2]}{f':{delivery.line}' if delivery.line else ''}"
    return text if len(text) <= width else f"…{text[-(width - 1) :]}"


def _number_cell(row: ListedRecord, width: int) -> Cell:
    text = f"{row.number + 1:,}"
    return (text if len(text) <= width else str(row.number + 1)).rjust(width), "muted"


def _text_or_dash(text: str, style: str = "") -> Cell:
    return (text, style) if text else (NO_VALUE, "muted")


def _fate_cell(row: ListedRecord, _width: int) -> Cell:
    if row.fate == "sent":
        return ("edited" if row.delivery.edited else "sent"), "accent" if row.delivery.edited else "good"
    return row.fate, FATE_STYLES[row.fate]


def _why_cell(row: ListedRecord, _width: int) -> Cell:
    if row.why:
        return row.why, "warning" if row.fate == "sent" else FATE_STYLES[row.fate]
    return f"to {environment_title(row.delivery.environment)}", "muted"


_CELLS: dict[str, Callable[[ListedRecord, int], Cell]] = {
    "number": _number_cell,
    "place": lambda row, width: (place_text(row, width), "muted"),
    "user": lambda row, _width: _text_or_dash(row.delivery.user_id),
    "survey": lambda row, _width: _text_or_dash(row.delivery.survey_name or row.delivery.survey_id),
    "type": lambda row, _width: _text_or_dash(row.delivery.question_type, "muted"),
    "question": lambda row, _width: _text_or_dash(row.question),
    "answer": lambda row, _width: _text_or_dash(answer_text(row.delivery) if row.delivery.answer else ""),
    "fate": _fate_cell,
    "why": _why_cell,
}
