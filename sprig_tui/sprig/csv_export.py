"""Sprig's CSV export: a keys row, a labels row, then one row per response group, taken apart by question."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from sprig_tui.reasons import Reason
from sprig_tui.sprig.csv_questions import CsvQuestion, column_key, find_questions
from sprig_tui.sprig.csv_rows import KEY_COLUMN, MAX_COLUMNS, CsvRow
from sprig_tui.sprig.faults import invalid_record, unsendable_record
from sprig_tui.sprig.identity import is_uuid, text_or_none, visitor_ids
from sprig_tui.sprig.records import Origin, Record, StudyResponse

_CANONICAL_KEYS = {
    key.lower(): key
    for key in (
        *("surveyId", "surveyName", "responseGroupUid", "createdAt", "completedAt", "userId", "visitorId"),
        *("os", "browser", "href", "triggeringEvent"),
    )
}
_SEARCHABLE_KEYS = ("surveyId", "surveyName", "userId")

_match_attribute_key = re.compile(r"Attribute_\d+").fullmatch
_match_integer = re.compile(r"-?(?:0|[1-9]\d{0,30})").fullmatch


class CsvExport(Struct, frozen=True):
    """The columns of one export: what its first two rows say."""

    name: str
    """The file, for origins."""
    keys: list[str]
    index: dict[str, int]
    attributes: dict[str, int]
    """Attribute name (from the labels row) to column."""
    questions: list[CsvQuestion]
    question_columns: dict[str, list[int]] = {}
    """Columns of each question, by its name."""
    common_columns: list[int] = []
    """Columns that belong to no question: each answer of a row is kept with these and its own."""


def read_export(name: str, rows: Iterator[CsvRow]) -> Iterator[Record]:
    """Records of an export: one per answered question, and one for each row that has none or cannot be read."""
    header = next(rows, None)
    if header is None:
        return
    if header.fault:
        yield invalid_record(header.raw, Origin(name, "csv", header.line), header.fault)
        return
    if len(header.cells) > MAX_COLUMNS:
        detail = f"{len(header.cells):,} columns, where {MAX_COLUMNS:,} are the most that are read"
        yield invalid_record(header.raw, Origin(name, "csv", header.line), detail)
        return
    keys = [_canonical_key(key.strip()) for key in header.cells]
    export: CsvExport | None = None
    for row in rows:
        if row.fault:
            yield invalid_record(row.raw, Origin(name, "csv", row.line), row.fault)
        elif export is not None:
            yield from _read_row(export, row)
        elif _is_data_row(keys, row):
            export = _parse_header(name, keys, [])
            yield from _read_row(export, row)
        else:
            export = _parse_header(name, keys, row.cells)


def _canonical_key(key: str) -> str:
    """A key as Sprig spells it, whatever its capitals."""
    known = _CANONICAL_KEYS.get(key.lower())
    if known is not None:
        return known
    if _match_attribute_key(key.capitalize()):
        return key.capitalize()
    return column_key(key)


def _is_data_row(keys: list[str], row: CsvRow) -> bool:
    """Whether the second row is an answer already: the labels row may have been cut out on the way."""
    column = keys.index(KEY_COLUMN)
    return column < len(row.cells) and is_uuid(row.cells[column].strip())


def _parse_header(name: str, keys: list[str], labels: list[str]) -> CsvExport:
    labels = labels + [""] * (len(keys) - len(labels))
    questions = find_questions(keys, labels)
    own = {question.name: question.all_columns for question in questions}
    owned = {column for columns in own.values() for column in columns}
    return CsvExport(
        name,
        keys,
        {key: column for column, key in enumerate(keys)},
        {labels[column].strip() or key: column for column, key in enumerate(keys) if _match_attribute_key(key)},
        questions,
        own,
        [column for column in range(len(keys)) if column not in owned],
    )


def _read_row(export: CsvExport, row: CsvRow) -> Iterator[Record]:
    cells = row.cells + [""] * (len(export.keys) - len(row.cells))
    if not any(cell.strip() for cell in cells):
        return
    values = {key: cells[column].strip() for key, column in export.index.items()}
    origin = Origin(export.name, "csv", row.line)
    known: dict[str, Raw] = {key: Raw(msgspec.json.encode(values[key])) for key in _SEARCHABLE_KEYS if key in values}
    if not values[KEY_COLUMN]:
        yield invalid_record(_row_json(export, cells), origin, "is empty", KEY_COLUMN, known)
        return
    answered = [(question, answer) for question in export.questions if (answer := question.answer(cells)) is not None]
    if not answered:
        detail = "no question of this row was answered"
        yield unsendable_record(_row_json(export, cells), origin, Reason.NOT_AN_ANSWER, detail, fields=known)
    visitor, old_visitor, notes = visitor_ids(values.get("visitorId"))
    attributes, email, email_label = _parse_attributes(export, cells)
    common = _encode_cells(export, cells, export.common_columns)
    for question, answer in answered:
        raw = _merge_objects(common, _encode_cells(export, cells, export.question_columns[question.name]))
        place = Origin(export.name, "csv", row.line, question.name)
        text = question.text(cells)
        if not text:
            detail = "is empty, and the labels row has no text for it either"
            yield invalid_record(raw, origin, detail, f"{question.name}_Question_Text", known)
            continue
        yield StudyResponse(
            origin=place,
            raw=raw,
            paths=_paths(question, answer.column, email_label, bool(values.get("completedAt"))),
            response=answer.response,
            response_group_id=values[KEY_COLUMN],
            question=text,
            question_type=question.type,
            user_id=values.get("userId") or None,
            answered_at=values.get("completedAt") or values.get("createdAt") or None,
            survey_id=_parse_survey_id(values.get("surveyId")),
            survey_name=text_or_none(values.get("surveyName")),
            visitor_id=visitor,
            old_visitor_id=old_visitor,
            email=email,
            attributes=attributes,
            triggering_event=(values["triggeringEvent"] or None) if "triggeringEvent" in values else UNSET,
            notes=(*notes, *question.notes),
        )


def _row_json(export: CsvExport, cells: list[str]) -> bytes:
    return msgspec.json.encode(dict(zip(export.keys, cells, strict=True)))


def _encode_cells(export: CsvExport, cells: list[str], columns: list[int]) -> bytes:
    return msgspec.json.encode({export.keys[column]: cells[column] for column in columns})


def _merge_objects(first: bytes, second: bytes) -> bytes:
    """Two JSON objects as one."""
    return first[:-1] + b"," + second[1:] if len(second) > len(b"{}") else first


def _parse_attributes(export: CsvExport, cells: list[str]) -> tuple[Raw | UnsetType, str | None, str]:
    """The attributes that have a value, the email, and the label it stood under (facts/sprig.md 8.8)."""
    if not export.attributes:
        return UNSET, None, "email"
    found = {label: cells[column] for label, column in export.attributes.items() if cells[column].strip()}
    reserved = text_or_none(found.pop("!email", None))
    email = reserved or text_or_none(found.get("email"))
    return Raw(msgspec.json.encode(found)), email, "!email" if reserved else "email"


def _parse_survey_id(text: str | None) -> int | str | None:
    """A survey id as the number that Sprig's other formats have."""
    return int(text) if text and _match_integer(text) else text or None


def _paths(question: CsvQuestion, column: str, email: str, completed: bool) -> dict[str, str]:
    return {
        "response": column,
        "response_group_id": KEY_COLUMN,
        "question": f"{question.name}_Question_Text",
        "question_type": question.type_origin,
        "user_id": "userId",
        "answered_at": "completedAt" if completed else "createdAt",
        "survey_id": "surveyId",
        "survey_name": "surveyName",
        "visitor_id": "visitorId",
        "old_visitor_id": "visitorId",
        "email": f"Attribute {email}",
        "attributes": "Attribute_n",
        "triggering_event": "triggeringEvent",
    }
