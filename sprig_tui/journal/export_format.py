"""Export formats: JSON Lines for programs, CSV for spreadsheets.

Neither contains control characters that a terminal obeys, nor cells that a spreadsheet runs as formulas.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from sprig_tui.errors import InputError
from sprig_tui.formatting import iso_time
from sprig_tui.journal.records import Delivery
from sprig_tui.text import printable

ExportFormat = Literal["jsonl", "csv"]
EXPORT_FIELDS: tuple[str, ...] = Delivery.__struct_fields__
"""Columns of the CSV and names in the JSON."""
TIME_FIELDS = frozenset({"answered_at", "added_at", "due_at", "settled_at"})

_UNSAFE = re.compile(r"[^\x20-\x7e]")
_FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "|", "%")  # noqa: RUF001 - the wide forms count as formulas too
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


def delivery_fields(delivery: Delivery) -> dict[str, Any]:
    """The delivery by field names; times as ISO 8601 in UTC, None for 'never'."""
    fields: dict[str, Any] = msgspec.structs.asdict(delivery)
    for name in TIME_FIELDS:
        fields[name] = iso_time(fields[name])
    fields["state"] = delivery.state.value
    fields["latency_ms"] = round(delivery.latency_ms, 1)
    return fields


def json_line(delivery: Delivery) -> str:
    r"""One line of JSON; characters that are not printable are escaped as \uXXXX."""
    text = msgspec.json.encode(_without_surrogates(delivery_fields(delivery))).decode()
    return _UNSAFE.sub(_json_escape, text)


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


def csv_lines(rows: Sequence[Sequence[object]]) -> str:
    """Rows as RFC 4180 has them."""
    text = io.StringIO()
    csv.writer(text).writerows([csv_cell(value) for value in row] for row in rows)
    return text.getvalue()


def encode_page(deliveries: Sequence[Delivery], kind: ExportFormat) -> bytes:
    """A page of the file."""
    if kind == "jsonl":
        return "".join(json_line(delivery) + "\n" for delivery in deliveries).encode()
    return csv_lines([[*delivery_fields(delivery).values()] for delivery in deliveries]).encode()


def file_header(kind: ExportFormat) -> bytes:
    """What a file begins with: for a spreadsheet a byte order mark, without which it takes UTF-8 for something else."""
    return b"" if kind == "jsonl" else b"\xef\xbb\xbf" + csv_lines([EXPORT_FIELDS]).encode()
