"""CSV export of Sprig: a keys row, a labels row, then one row per response group, split by question."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from sprig_tui.reasons import Reason
from sprig_tui.sprig.csv_rows import KEY_COLUMN, MAX_COLUMNS, CsvRow
from sprig_tui.sprig.formats.visitor_ids import is_uuid, text_or_none, visitor_ids
from sprig_tui.sprig.records import Note, Origin, Record, StudyResponse
from sprig_tui.sprig.unsendable import invalid_record, unsendable_record

SKIPPED_TEXT = "[skipped by user]"
UNKNOWN_TYPE = "UNKNOWN"

_match_column_key = re.compile(r"Q(\d+)_(.+)").fullmatch
_COLUMN_KINDS = ("Question_Text", "Response", "Value", "Response_Other", "Response_NPSCategory", "Theme")
_match_numbered_kind = re.compile(r"(choice|theme)_(\d+)").fullmatch
_match_choice_kind = re.compile(r"Choice_\d+").fullmatch
_match_number = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?").fullmatch


class CsvAnswer(Struct, frozen=True):
    """The answer to one question in one row."""

    response: Raw
    column: str
    """The column, or kind of column, that holds the answer."""


class CsvQuestion(Struct):
    """One `Q<n>` of an export; columns are indexes into a row."""

    name: str
    """`Q1`, `Q2` ..."""
    label: str = ""
    """Its text in the labels row."""
    columns: dict[str, int] = {}
    """Column by kind: `Question_Text`, `Response`, `Value` ..."""
    choices: dict[str, int] = {}
    """Column by the text of a choice."""

    @property
    def all_columns(self) -> list[int]:
        """All its columns, in the order of the keys row."""
        return sorted((*self.columns.values(), *self.choices.values()))

    @property
    def type(self) -> str:
        """NPS and MULTIPLESELECT are recognised by their columns; any other type is unknown."""
        if "Response_NPSCategory" in self.columns:
            return "NPS"
        return "MULTIPLESELECT" if self.choices else UNKNOWN_TYPE

    @property
    def type_origin(self) -> str:
        """The columns that show the type."""
        if self.type == "NPS":
            return f"{self.name}_Response_NPSCategory"
        return f"{self.name}_Choice_n" if self.choices else ""

    @property
    def notes(self) -> tuple[Note, ...]:
        """A note that the type was inferred, or is unknown."""
        return (Note.TYPE_NOT_NAMED if self.type == UNKNOWN_TYPE else Note.TYPE_INFERRED,)

    def text(self, cells: list[str]) -> str:
        """The question's text in the row, otherwise in the labels row."""
        return self._cell("Question_Text", cells) or self.label

    def answer(self, cells: list[str]) -> CsvAnswer | None:
        """The answer in a row; None if the question was skipped or not reached."""
        text = self._cell("Response", cells)
        if text.casefold() == SKIPPED_TEXT:
            text = ""
        value = self._cell("Value", cells)
        other = self._cell("Response_Other", cells)
        chosen = _selected_choices(self.choices, cells)
        if chosen:
            response, column = Raw(msgspec.json.encode(chosen)), f"{self.name}_Choice_n"
        elif text:
            response, column = _cell_json(text), f"{self.name}_Response"
        elif value and value.casefold() != SKIPPED_TEXT:
            response, column = _cell_json(value), f"{self.name}_Value"
        elif other:
            response, column = Raw(msgspec.json.encode(other)), f"{self.name}_Response_Other"
        else:
            return None
        return CsvAnswer(response, column)

    def _cell(self, kind: str, cells: list[str]) -> str:
        column = self.columns.get(kind)
        return "" if column is None else cells[column].strip()


def column_key(key: str) -> str:
    """A question's column key in Sprig's spelling, matched without case; any other key unchanged."""
    parts = _match_column_key(key.capitalize()) if key[:1] in "qQ" else None
    if parts is None:
        return key
    kind = parts[2].lower()
    spelling = next((known for known in _COLUMN_KINDS if known.lower() == kind), "")
    if not spelling and (numbered := _match_numbered_kind(kind)):
        spelling = f"{numbered[1].capitalize()}_{numbered[2]}"
    return f"Q{parts[1]}_{spelling}" if spelling else key


def find_questions(keys: list[str], labels: list[str]) -> list[CsvQuestion]:
    """The questions of an export, sorted by number."""
    questions: dict[int, CsvQuestion] = {}
    for column, key in enumerate(keys):
        parts = _match_column_key(key)
        if parts is None:
            continue
        number, kind = int(parts[1]), parts[2]
        question = questions.setdefault(number, CsvQuestion(f"Q{number}"))
        label = labels[column].strip()
        if _match_choice_kind(kind):
            question.choices[label or kind] = column
        else:
            question.columns[kind] = column
        if label and (kind == "Question_Text" or (kind == "Response" and not question.label)):
            question.label = label
    return [questions[number] for number in sorted(questions)]


def _selected_choices(labels: dict[str, int], cells: list[str]) -> list[str]:
    """The selected choices: the label if the cell is `1` or `true`, otherwise the text in the cell."""
    selected = []
    for label, column in labels.items():
        cell = cells[column].strip()
        if cell.casefold() not in ("", "0", "false", SKIPPED_TEXT):
            selected.append(label if cell.casefold() in ("1", "true") else cell)
    return selected


def _cell_json(text: str) -> Raw:
    """A plain number with the same digits; anything else as text."""
    return Raw(text.encode() if _match_number(text) else msgspec.json.encode(text))


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
    """The columns of one export, from its first two rows."""

    name: str
    """The file, for the origin of each record."""
    keys: list[str]
    index: dict[str, int]
    attributes: dict[str, int]
    """Attribute name (from the labels row) to column."""
    questions: list[CsvQuestion]
    question_columns: dict[str, list[int]] = {}
    """Columns of each question, by its name."""
    common_columns: list[int] = []
    """Columns that belong to no question; the raw record of each answer has these and its question's."""


def read_export(name: str, rows: Iterator[CsvRow]) -> Iterator[Record]:
    """Records of an export: one per answered question, and one for each row without any or with a fault."""
    header = next(rows, None)
    if header is None:
        return
    if header.fault:
        yield invalid_record(header.raw, Origin(name, "csv", header.line), header.fault)
        return
    if len(header.cells) > MAX_COLUMNS:
        detail = f"{len(header.cells):,} columns, and at most {MAX_COLUMNS:,} are read"
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
    """A key in Sprig's spelling, matched without case."""
    known = _CANONICAL_KEYS.get(key.lower())
    if known is not None:
        return known
    if _match_attribute_key(key.capitalize()):
        return key.capitalize()
    return column_key(key)


def _is_data_row(keys: list[str], row: CsvRow) -> bool:
    """Whether the second row is an answer already, because somebody removed the labels row."""
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
    """The attributes with a value, the email, and the label of the email's column (facts/sprig.md 8.8)."""
    if not export.attributes:
        return UNSET, None, "email"
    attributes = {label: cells[column] for label, column in export.attributes.items() if cells[column].strip()}
    reserved = text_or_none(attributes.pop("!email", None))
    email = reserved or text_or_none(attributes.get("email"))
    return Raw(msgspec.json.encode(attributes)), email, "!email" if reserved else "email"


def _parse_survey_id(text: str | None) -> int | str | None:
    """A survey id as a number, as in Sprig's other formats, if it is one."""
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
