"""Export formats: JSON Lines for programs, CSV for spreadsheets.

Neither contains control characters that a terminal obeys, nor cells that a spreadsheet runs as formulas.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from sprig_tui.errors import InputError
from sprig_tui.formatting import iso_time
from sprig_tui.journal.records import Delivery
from sprig_tui.text import printable

ExportFormat = Literal["jsonl", "csv"]
EXPORT_FIELDS: tuple[str, ...] = Delivery.__struct_fields__
"""Columns of the CSV and names in the JSON."""
TIME_FIELDS = frozenset({"answered_at", "added_at", "due_at", "settled_at"})

_TIMES_AT = tuple(at for at, name in enumerate(EXPORT_FIELDS) if name in TIME_FIELDS)
_STATE_AT, _LATENCY_AT = EXPORT_FIELDS.index("state"), EXPORT_FIELDS.index("latency_ms")
_ExportRow = msgspec.defstruct("_ExportRow", EXPORT_FIELDS, frozen=True, gc=False)
_encode_lines = msgspec.json.Encoder().encode_lines

_UNSAFE = re.compile(r"[^\x20-\x7e\n]")
"""In lines of JSON, whose strings hold no line feed."""
_FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "|", "%")  # noqa: RUF001 - the wide forms count as formulas too
_QUOTED = re.compile(r'[",\r\n]')
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)?")


def format_from_path(path: Path) -> ExportFormat:
    """The format by the suffix of the path. Raises InputError for an unknown one."""
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return "csv"
    if suffix in (".jsonl", ".ndjson"):
        return "jsonl"
    raise InputError(
        f"cannot tell the format of {printable(path.name, limit=80)}",
        hint="end the name in .jsonl (programs) or .csv (spreadsheets)",
    )


def export_values(delivery: Delivery) -> list[Any]:
    """The values of EXPORT_FIELDS; times as ISO 8601 in UTC, None for 'never'."""
    values = [*astuple(delivery)]
    for at in _TIMES_AT:
        values[at] = iso_time(values[at])
    values[_STATE_AT] = delivery.state.value
    values[_LATENCY_AT] = round(delivery.latency_ms, 1)
    return values


def export_row(delivery: Delivery) -> Struct:
    """The delivery as it is written as JSON."""
    return _ExportRow(*export_values(delivery))


def json_line(delivery: Delivery) -> str:
    r"""One line of JSON; characters that are not printable are escaped as \uXXXX."""
    return json_lines([delivery]).removesuffix("\n")


def json_lines(deliveries: Sequence[Delivery]) -> str:
    """Lines of `json_line`, each with its end."""
    try:
        text = _encode_lines([export_row(delivery) for delivery in deliveries]).decode()
    except UnicodeEncodeError:
        text = _encode_lines(
            [_without_surrogates(msgspec.structs.asdict(export_row(delivery))) for delivery in deliveries]
        ).decode()
    # JSON escapes the controls below the space itself
    return text if text.isascii() and "\x7f" not in text else _UNSAFE.sub(_json_escape, text)


def _without_surrogates(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields with U+FFFD for lone surrogates, which UTF-8 cannot encode."""
    return {
        name: value.encode("utf-8", "replace").decode() if isinstance(value, str) and not value.isascii() else value
        for name, value in fields.items()
    }


def _json_escape(match: re.Match[str]) -> str:
    character = match.group()
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def csv_cell(value: object) -> str:
    """A cell on one line, with control characters made visible; an apostrophe turns a formula into text."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return str(value)
    text = printable(value)
    return "'" + text if text.lstrip().startswith(_FORMULA_STARTS) and not _NUMBER.fullmatch(text) else text


class _CsvTexts(dict[str, str]):
    """Each text of a page as a line holds it: most of them stand in many rows."""

    def __missing__(self, text: str) -> str:
        cell = csv_cell(text)
        if _QUOTED.search(cell):
            cell = '"' + cell.replace('"', '""') + '"'
        self[text] = cell
        return cell


def csv_lines(rows: Sequence[Sequence[object]]) -> str:
    """Rows as RFC 4180 has them; `csv.writer` would take twice as long."""
    texts = _CsvTexts()
    lines = [
        ",".join([texts[value] if isinstance(value, str) else "" if value is None else str(value) for value in row])
        for row in rows
    ]
    # an empty line would be a row without cells
    return "".join([(line or '""') + "\r\n" for line in lines])


def encode_page(deliveries: Sequence[Delivery], kind: ExportFormat) -> bytes:
    """A page of the file."""
    if kind == "jsonl":
        return json_lines(deliveries).encode()
    return csv_lines([export_values(delivery) for delivery in deliveries]).encode()


def file_header(kind: ExportFormat) -> bytes:
    """What a file begins with: for a spreadsheet a byte order mark, without which it takes UTF-8 for something else."""
    return b"" if kind == "jsonl" else b"\xef\xbb\xbf" + csv_lines([EXPORT_FIELDS]).encode()
