"""Export formats: JSON Lines for programs, CSV for spreadsheets.

Neither contains control characters that a terminal obeys, nor cells that a spreadsheet runs as formulas.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
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
_LATENCY_AT = EXPORT_FIELDS.index("latency_ms")
_ExportRow = msgspec.defstruct("_ExportRow", EXPORT_FIELDS, frozen=True, gc=False)
_encode_lines = msgspec.json.Encoder().encode_lines

_UNSAFE = re.compile(r"[^\x20-\x7e]")
_FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "|", "%")  # noqa: RUF001 - the wide forms count as formulas too
_ASCII_STARTS = (*(start for start in _FORMULA_STARTS if start.isascii()), " ")
"""With the space, since a formula may follow it."""
_TEXTS_AT = tuple(at for at, name in enumerate(EXPORT_FIELDS) if Delivery.__annotations__[name] == "str")
_OTHERS_AT = tuple(
    at
    for at, name in enumerate(EXPORT_FIELDS)
    if name not in TIME_FIELDS and Delivery.__annotations__[name] not in ("str", "State")
)
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


class _Times(dict[int, str | None]):
    """Each time as text: deliveries that were added or sent together have the same."""

    def __init__(self, never: str | None) -> None:
        super().__init__()
        self._never = never

    def __missing__(self, milliseconds: int) -> str | None:
        text = self[milliseconds] = iso_time(milliseconds) or self._never
        return text


class _Latencies(dict[float, float]):
    """Each latency, rounded: deliveries that were sent together have the same."""

    def __missing__(self, latency_ms: float) -> float:
        rounded = self[latency_ms] = round(latency_ms, 1)
        return rounded


def _export_columns(deliveries: Iterable[Delivery], never: str | None) -> list[Sequence[Any]]:
    """The values of each of EXPORT_FIELDS; none without deliveries. By columns each takes a third of the time."""
    columns: list[Sequence[Any]] = [*zip(*map(astuple, deliveries), strict=True)]
    times, latencies = _Times(never), _Latencies()
    if columns:
        for at in _TIMES_AT:
            columns[at] = [*map(times.__getitem__, columns[at])]
        columns[_LATENCY_AT] = [*map(latencies.__getitem__, columns[_LATENCY_AT])]
    return columns


def export_values(deliveries: Iterable[Delivery], never: str | None = None) -> list[tuple[Any, ...]]:
    """Of each delivery the values of EXPORT_FIELDS; times as ISO 8601 in UTC."""
    return [*zip(*_export_columns(deliveries, never), strict=True)]


def export_rows(deliveries: Iterable[Delivery]) -> list[Struct]:
    """The deliveries as they are written as JSON."""
    columns = _export_columns(deliveries, None)
    return [*map(_ExportRow, *columns)] if columns else []


def json_line(delivery: Delivery) -> str:
    r"""One line of JSON; characters that are not printable are escaped as \uXXXX."""
    return json_lines([delivery]).decode().removesuffix("\n")


def json_lines(deliveries: Sequence[Delivery]) -> bytes:
    """Lines of `json_line`, each with its end."""
    rows = export_rows(deliveries)
    try:
        data = _encode_lines(rows)
    except UnicodeEncodeError:
        data = _encode_lines([_without_surrogates(msgspec.structs.asdict(row)) for row in rows])
    # JSON escapes the controls below the space itself
    if data.isascii() and b"\x7f" not in data:
        return data
    lines = data.decode().split("\n")
    return "\n".join([line if line.isprintable() else _UNSAFE.sub(_json_escape, line) for line in lines]).encode()


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
        cell = self[text] = _csv_text(text)
        return cell


def _csv_text(text: str) -> str:
    cell = csv_cell(text)
    return '"' + cell.replace('"', '""') + '"' if _QUOTED.search(cell) else cell


def csv_lines(rows: Sequence[Sequence[object]]) -> str:
    """Rows as RFC 4180 has them; `csv.writer` would take twice as long."""
    texts = _CsvTexts()
    return "".join([_csv_line(row, texts) for row in rows])


def _csv_line(row: Sequence[object], texts: _CsvTexts) -> str:
    line = ",".join([texts[value] if isinstance(value, str) else "" if value is None else str(value) for value in row])
    # an empty line would be a row without cells
    return (line or '""') + "\r\n"


def _is_plain(texts: Sequence[str]) -> bool:
    """Whether all are cells as they are."""
    distinct = {*texts}
    joined = "\n".join(distinct)
    if (
        joined.count("\n") >= len(distinct)
        or not joined.isascii()
        or "," in joined
        or '"' in joined
        or not joined.replace("\n", "").isprintable()
    ):
        return False
    return not joined.startswith(_ASCII_STARTS) and not any(f"\n{start}" in joined for start in _ASCII_STARTS)


def csv_page(deliveries: Sequence[Delivery], end: str = "\r\n") -> str:
    """The lines of these deliveries as `csv_lines` has them, in a third of the time."""
    columns = _export_columns(deliveries, never="")
    if not columns:
        return ""
    for at in _TEXTS_AT:
        if not _is_plain(columns[at]):
            columns[at] = [*map(_CsvTexts().__getitem__, columns[at])]
    for at in _OTHERS_AT:
        columns[at] = [*map(str, columns[at])]
    return end.join(map(",".join, zip(*columns, strict=True))) + end


def encode_page(deliveries: Sequence[Delivery], kind: ExportFormat) -> bytes:
    """A page of the file."""
    return json_lines(deliveries) if kind == "jsonl" else csv_page(deliveries).encode()


def file_header(kind: ExportFormat) -> bytes:
    """What a file begins with: for a spreadsheet a byte order mark, without which it takes UTF-8 for something else."""
    return b"" if kind == "jsonl" else b"\xef\xbb\xbf" + csv_lines([EXPORT_FIELDS]).encode()
