"""Where statements stand in TOML text, so that one value can be changed and every other byte kept."""

from __future__ import annotations

import re
import tomllib
from typing import Literal, NamedTuple


class Statement(NamedTuple):
    """One statement of valid TOML, as offsets into its text."""

    kind: Literal["table", "array", "pair", "comment"]
    key: tuple[str, ...]
    """Parts of the header's or the pair's key; empty for comments."""
    start: int
    """Beginning of its first line."""
    end: int
    """After its last line's newline."""
    value_start: int = 0
    value_end: int = 0
    """The value of a pair, without the comment behind it."""


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
    """The statements in order, without the blank lines between them; the text must be valid TOML."""
    found: list[Statement] = []
    position = 0
    while position < len(text):
        first = _SPACE.match(text, position).end()  # type: ignore[union-attr]  # the pattern matches anything
        head = text[first : first + 2]
        if head[:1] in ("\n", "\r", ""):
            position = _line_end(text, first)
        elif head[:1] == "#":
            end = _line_end(text, first)
            found.append(Statement("comment", (), position, end))
            position = end
        elif head[:1] == "[":
            array = head == "[["
            key, after = _parse_key(text, first + (2 if array else 1))
            end = _line_end(text, after)
            found.append(Statement("array" if array else "table", key, position, end))
            position = end
        else:
            key, after = _parse_key(text, first)
            value_start = _SPACE.match(text, after + 1).end()  # type: ignore[union-attr]  # the pattern matches anything
            value_end = _value_end(text, value_start)
            end = _line_end(text, value_end)
            found.append(Statement("pair", key, position, end, value_start, value_end))
            position = end
    return found


def _line_end(text: str, position: int) -> int:
    return _TO_LINE_END.match(text, position).end()  # type: ignore[union-attr]  # the pattern matches anything


def _parse_key(text: str, position: int) -> tuple[tuple[str, ...], int]:
    """The parts of a dotted key, and where it ends (at `=` or `]`)."""
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
    """Where the value ends, without space and comment behind it."""
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
