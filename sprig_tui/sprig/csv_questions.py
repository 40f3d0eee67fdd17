"""The columns of one question in Sprig's CSV export: its text, its inferred type, its answer in a row."""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw, Struct

from sprig_tui.sprig.notes import Note

SKIPPED_TEXT = "[skipped by user]"
UNKNOWN_TYPE = "UNKNOWN"

_match_column_key = re.compile(r"Q(\d+)_(.+)").fullmatch
_COLUMN_KINDS = ("Question_Text", "Response", "Value", "Response_Other", "Response_NPSCategory", "Theme")
_match_numbered_kind = re.compile(r"(choice|theme)_(\d+)").fullmatch
_match_choice_kind = re.compile(r"Choice_\d+").fullmatch
_match_number = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?").fullmatch


class CsvAnswer(Struct, frozen=True):
    """What one row says to one question."""

    response: Raw
    column: str
    """The column, or kind of column, that the answer was taken from."""


class CsvQuestion(Struct):
    """One `Q<n>` of an export; columns are indexes into a row."""

    name: str
    """`Q1`, `Q2` ..."""
    label: str = ""
    """The text that the labels row has for it."""
    columns: dict[str, int] = {}
    """`Question_Text`, `Response`, `Value` ... to column."""
    choices: dict[str, int] = {}
    """Text of a choice to column."""

    @property
    def all_columns(self) -> list[int]:
        """Every column of it, in the order of the keys row."""
        return sorted((*self.columns.values(), *self.choices.values()))

    @property
    def type(self) -> str:
        """NPS and MULTIPLESELECT show in the columns; the rest stays unknown."""
        if "Response_NPSCategory" in self.columns:
            return "NPS"
        return "MULTIPLESELECT" if self.choices else UNKNOWN_TYPE

    @property
    def type_origin(self) -> str:
        """The columns that the type was inferred from."""
        if self.type == "NPS":
            return f"{self.name}_Response_NPSCategory"
        return f"{self.name}_Choice_n" if self.choices else ""

    @property
    def notes(self) -> tuple[Note, ...]:
        """That the type was inferred, or could not be."""
        return (Note.TYPE_NOT_NAMED if self.type == UNKNOWN_TYPE else Note.TYPE_INFERRED,)

    def text(self, cells: list[str]) -> str:
        """The question as the row words it, else as the labels row does."""
        return self._cell("Question_Text", cells) or self.label

    def answer(self, cells: list[str]) -> CsvAnswer | None:
        """The answer in a row; None where the question was skipped or not reached."""
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
    """A question's column as Sprig spells it, whatever its capitals; any other key as it is."""
    parts = _match_column_key(key.capitalize()) if key[:1] in "qQ" else None
    if parts is None:
        return key
    kind = parts[2].lower()
    spelt = next((one for one in _COLUMN_KINDS if one.lower() == kind), "")
    if not spelt and (numbered := _match_numbered_kind(kind)):
        spelt = f"{numbered[1].capitalize()}_{numbered[2]}"
    return f"Q{parts[1]}_{spelt}" if spelt else key


def find_questions(keys: list[str], labels: list[str]) -> list[CsvQuestion]:
    """The questions of an export by number."""
    found: dict[int, CsvQuestion] = {}
    for column, key in enumerate(keys):
        parts = _match_column_key(key)
        if parts is None:
            continue
        number, kind = int(parts[1]), parts[2]
        question = found.setdefault(number, CsvQuestion(f"Q{number}"))
        label = labels[column].strip()
        if _match_choice_kind(kind):
            question.choices[label or kind] = column
        else:
            question.columns[kind] = column
        if label and (kind == "Question_Text" or (kind == "Response" and not question.label)):
            question.label = label
    return [found[number] for number in sorted(found)]


def _selected_choices(labels: dict[str, int], cells: list[str]) -> list[str]:
    """The choices whose cell says that they hold: by their label, or by the text in the cell."""
    found = []
    for label, column in labels.items():
        cell = cells[column].strip()
        if cell.casefold() not in ("", "0", "false", SKIPPED_TEXT):
            found.append(label if cell.casefold() in ("1", "true") else cell)
    return found


def _cell_json(text: str) -> Raw:
    """A plain number as that number, digit for digit; anything else as text."""
    return Raw(text.encode() if _match_number(text) else msgspec.json.encode(text))
