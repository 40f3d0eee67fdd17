"""TOML edits: changes to one table, such as `[environments.NAME]`; all other bytes stay as they are."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import tomli_w

from sprig_tui.config.schema import MAPPING_SECRET_KEYS, SECRET_KEYS, SERVE_SECRET_KEYS, WORKSPACE_SECRET_KEYS
from sprig_tui.config.toml_file import dotted_key
from sprig_tui.errors import ConfigError


class Statement(NamedTuple):
    """One statement of valid TOML, by its offsets in the text."""

    kind: Literal["table", "array", "pair", "comment"]
    key: tuple[str, ...]
    """Parts of the header's or the pair's key; empty for comments."""
    start: int
    """Beginning of its first line."""
    end: int
    """After its last line's newline."""
    value_start: int = 0
    value_end: int = 0
    """The value of a pair, without a comment after it."""


_SPACE = re.compile(r"[ \t]*")
_TO_LINE_END = re.compile(r"[^\n]*\n?")
_KEY_PART = re.compile(r'[ \t]*(?:([A-Za-z0-9_-]+)|("(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'))[ \t]*')
_TOKEN = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"""(?:"{1,2}(?!"))?'
    r"|'''(?:[^']|'(?!''))*'''(?:'{1,2}(?!'))?"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*"
    r"|[\[\]{}]"
    r"|\n"
    r"|[^\"'#\[\]{}\n]+",
    re.DOTALL,
)


def parse_statements(text: str) -> list[Statement]:
    """The statements in order, without blank lines; the text must be valid TOML."""
    statements: list[Statement] = []
    position = 0
    while position < len(text):
        first = _SPACE.match(text, position).end()  # type: ignore[union-attr]  # the pattern matches anything
        head = text[first : first + 2]
        if head[:1] in ("\n", "\r", ""):
            position = _line_end(text, first)
        elif head[:1] == "#":
            end = _line_end(text, first)
            statements.append(Statement("comment", (), position, end))
            position = end
        elif head[:1] == "[":
            array = head == "[["
            key, after = _parse_key(text, first + (2 if array else 1))
            end = _line_end(text, after)
            statements.append(Statement("array" if array else "table", key, position, end))
            position = end
        else:
            key, after = _parse_key(text, first)
            value_start = _SPACE.match(text, after + 1).end()  # type: ignore[union-attr]  # the pattern matches anything
            value_end = _value_end(text, value_start)
            end = _line_end(text, value_end)
            statements.append(Statement("pair", key, position, end, value_start, value_end))
            position = end
    return statements


def _line_end(text: str, position: int) -> int:
    return _TO_LINE_END.match(text, position).end()  # type: ignore[union-attr]  # the pattern matches anything


def _parse_key(text: str, position: int) -> tuple[tuple[str, ...], int]:
    """The parts of a dotted key, and its end (at `=` or `]`)."""
    parts = []
    while True:
        match = _KEY_PART.match(text, position)
        if match is None:
            raise ValueError(f"no key at character {position}")
        bare, quoted = match.groups()
        parts.append(bare if bare is not None else tomllib.loads(f"k = {quoted}")["k"])
        position = match.end()
        if text[position : position + 1] != ".":
            return tuple(parts), position
        position += 1


def _value_end(text: str, position: int) -> int:
    """The end of a value, without spaces and a comment after it."""
    depth, end = 0, position
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"no value at character {position}")
        piece = match.group()
        position = match.end()
        if piece == "\n" and depth == 0:
            break
        if piece.startswith("#"):
            continue
        depth += (piece in "[{") - (piece in "]}") if len(piece) == 1 else 0
        if piece.strip():
            end = match.start() + len(piece.rstrip())
    return end


TomlValue = str | float | bool | list[str]
"""Value of a key in an edited table."""


def edit_environment(text: str, name: str, changes: Mapping[str, TomlValue | None]) -> str:
    """As `edit_table`, for `[environments.NAME]`."""
    return edit_table(text, ("environments", name), changes)


def edit_table(text: str, path: tuple[str, ...], changes: Mapping[str, TomlValue | None]) -> str:
    """The text with these keys set (None removes a key); a missing table is added.

    Raises ConfigError, with the lines to add by hand, if the table is written in a form that cannot be changed in place
    (inline tables, dotted keys), or if the result would differ from the intended one.
    """
    wanted = tomllib.loads(text)
    table: Any = wanted
    removes = all(value is None for value in changes.values())
    for key in path:
        if not isinstance(table, dict):
            raise _manual_edit_error(path, changes)
        if removes and key not in table:
            return text
        table = table.setdefault(key, {})
    if not isinstance(table, dict):
        raise _manual_edit_error(path, changes)
    for key, value in changes.items():
        if value is None:
            table.pop(key, None)
        else:
            table[key] = value
    if wanted == tomllib.loads(text):
        return text
    return _verify_result(_apply_changes(text, path, changes), wanted, path, changes)


def edit_oauth(text: str, name: str, values: Mapping[str, TomlValue | None] | None) -> str:
    """The text with these keys in `oauth` of an environment (None removes one); None for all removes the table.

    An inline table becomes one with a header. Raises ConfigError as `edit_table`.
    """
    path = ("environments", name, "oauth")
    has_header = _find_table(parse_statements(text), path) is not None
    if values is None:
        return _remove_table(text, path) if has_header else edit_environment(text, name, {"oauth": None})
    return edit_table(text if has_header else edit_environment(text, name, {"oauth": None}), path, values)


def remove_environment(text: str, name: str) -> str:
    """The text without the environment's table and the tables in it; unchanged if there is none.

    Comments above their headers stay.
    """
    return _remove_table(text, ("environments", name))


def _remove_table(text: str, path: tuple[str, ...]) -> str:
    wanted = tomllib.loads(text)
    parent = _table_at(wanted, path[:-1])
    if parent is None or path[-1] not in parent:
        return text
    del parent[path[-1]]
    cuts: list[list[int]] = []
    is_inside = False
    for item in parse_statements(text):
        if item.kind in ("table", "array"):
            if is_inside := item.key[: len(path)] == path:
                cuts.append([item.start, item.end])
        elif is_inside and item.kind == "pair":
            cuts[-1][1] = item.end
    if not cuts:
        raise _manual_edit_error(path, None)
    result = text
    for start, end in reversed(cuts):
        result = result[:start] + result[end:]
    left = tomllib.loads(result)
    for end in range(len(path) - 1, 0, -1):
        # a table without a header of its own goes with the last one in it
        above = _table_at(wanted, path[: end - 1])
        if above is not None and not above[path[end - 1]] and _table_at(left, path[:end]) is None:
            del above[path[end - 1]]
    return _verify_result(result, wanted, path, None)


def _table_at(tables: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any] | None:
    table: Any = tables
    for key in path:
        table = table.get(key) if isinstance(table, dict) else None
    return table if isinstance(table, dict) else None


def _apply_changes(text: str, path: tuple[str, ...], changes: Mapping[str, TomlValue | None]) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    statements = parse_statements(text)
    span = _find_table(statements, path)
    if span is None:
        added = _format_pairs({key: value for key, value in changes.items() if value is not None}, newline)
        gap = "" if not text else newline if text.endswith("\n") else 2 * newline
        return f"{text}{gap}[{dotted_key(*path)}]{newline}{added}"
    body = statements[span[0] + 1 : span[1]]
    pairs = {item.key[0]: item for item in body if item.kind == "pair" and len(item.key) == 1}
    cuts: list[tuple[int, int, str]] = []
    for key, value in changes.items():
        if key in pairs and value is None:
            cuts.append((pairs[key].start, pairs[key].end, ""))
        elif key in pairs and value is not None:
            cuts.append((pairs[key].value_start, pairs[key].value_end, _toml_literal(value)))
    new = {key: value for key, value in changes.items() if key not in pairs and value is not None}
    if new:
        after = max([statements[span[0]].end, *(item.end for item in pairs.values())])
        start = newline if not text[:after].endswith("\n") else ""
        cuts.append((after, after, start + _format_pairs(new, newline)))
    for start_at, end_at, put in sorted(cuts, reverse=True):
        text = text[:start_at] + put + text[end_at:]
    return text


def _find_table(statements: list[Statement], path: tuple[str, ...]) -> tuple[int, int] | None:
    """Indices of the table's first statement and of the one after its last; None without a header of its own."""
    for index, item in enumerate(statements):
        if item.kind == "table" and item.key == path:
            ends = (at for at in range(index + 1, len(statements)) if statements[at].kind in ("table", "array"))
            return index, next(ends, len(statements))
    return None


def _verify_result(
    result: str, wanted: dict[str, Any], path: tuple[str, ...], changes: Mapping[str, TomlValue | None] | None
) -> str:
    try:
        same = tomllib.loads(result) == wanted
    except tomllib.TOMLDecodeError:
        same = False
    if not same:
        raise _manual_edit_error(path, changes)
    return result


def _toml_literal(value: TomlValue) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml_literal, value))}]"
    return tomli_w.dumps({"k": value}).removeprefix("k = ").rstrip("\n")


def _format_pairs(values: Mapping[str, TomlValue], newline: str) -> str:
    return "".join(f"{key} = {_toml_literal(value)}{newline}" for key, value in values.items())


def _manual_edit_error(path: tuple[str, ...], changes: Mapping[str, TomlValue | None] | None) -> ConfigError:
    header, what = f"[{dotted_key(*path)}]", f"environment {path[1]}" if len(path) > 1 else path[0]
    if changes is None:
        return ConfigError(
            f"{what} is not written as a {header} table, so it cannot be removed safely",
            hint="nothing was changed; remove its lines by hand",
        )
    # the words of a command may hold a secret too
    hidden = SECRET_KEYS | WORKSPACE_SECRET_KEYS | MAPPING_SECRET_KEYS | SERVE_SECRET_KEYS
    shown = {
        key: "..." if value is not None and key.removesuffix("_command") in hidden else value
        for key, value in changes.items()
    }
    lines = [f"{key} = {_toml_literal(value)}" for key, value in shown.items() if value is not None]
    gone = [f"no {key}" for key, value in shown.items() if value is None]
    return ConfigError(
        f"{what} is not written as a {header} table, so it cannot be changed safely",
        hint=f"nothing was changed; add by hand: {header} with {', '.join([*lines, *gone])}",
    )
