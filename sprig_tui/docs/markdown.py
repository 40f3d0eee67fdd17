"""Markdown of a help topic as lines of styled text, for a terminal of some width."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

MIN_COLUMN_CELLS = 8
"""A column of a table is not made narrower than this."""
CODE_INDENT = "    "


class StyledText(NamedTuple):
    """Text in one style: `heading`, `code`, `strong`, `dim`, or empty for the plain one."""

    text: str
    style: str = ""


StyledLine = tuple[StyledText, ...]


def render_markdown(text: str, width: int) -> list[StyledLine]:
    """The lines of a Markdown text; only code is wider than `width`."""
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    lines = list(_blocks(tokens, width))
    while lines and not lines[-1]:
        lines.pop()
    return lines


def plain_text(line: Iterable[StyledText]) -> str:
    """The text of a line."""
    return "".join(part.text for part in line)


def wrap_styled(parts: Iterable[StyledText], width: int) -> list[StyledLine]:
    """The text in lines of at most `width` characters, broken at spaces; a longer word is cut."""
    lines: list[list[StyledText]] = [[]]
    used = 0
    for word in _words(parts):
        size = len(plain_text(word))
        if used and used + 1 + size > width:
            lines.append([])
            used = 0
        if used:
            # a space inside of code keeps its style
            same = lines[-1][-1].style if lines[-1][-1].style == word[0].style else ""
            lines[-1].append(StyledText(" ", same))
            used += 1
        for piece in word:
            rest = piece.text
            while used + len(rest) > width and len(rest) > width > used:
                lines[-1].append(StyledText(rest[: width - used], piece.style))
                rest = rest[width - used :]
                lines.append([])
                used = 0
            lines[-1].append(StyledText(rest, piece.style))
            used += len(rest)
    return [_joined(line) for line in lines]


def _words(parts: Iterable[StyledText]) -> Iterator[list[StyledText]]:
    """Words, each in as many pieces as it has styles."""
    word: list[StyledText] = []
    for part in parts:
        for piece in re.split(r"(\s+)", part.text):
            if piece.isspace():
                if word:
                    yield word
                word = []
            elif piece:
                word.append(StyledText(piece, part.style))
    if word:
        yield word


def _joined(parts: Sequence[StyledText]) -> StyledLine:
    """The line with neighbours of one style as one part."""
    joined: list[StyledText] = []
    for part in parts:
        if joined and joined[-1].style == part.style:
            joined[-1] = StyledText(joined[-1].text + part.text, part.style)
        elif part.text:
            joined.append(part)
    return tuple(joined)


def _blocks(tokens: Sequence[Token], width: int) -> Iterator[StyledLine]:
    """Lines of a run of block tokens, an empty line after each block."""
    at = 0
    while at < len(tokens):
        token = tokens[at]
        end = _end_of(tokens, at)
        inside = tokens[at + 1 : end]
        if token.type == "heading_open":
            text = plain_text(_inline(inside[0]))
            yield from wrap_styled([StyledText(text.upper() if token.tag == "h1" else text, "heading")], width)
            yield ()
        elif token.type == "paragraph_open":
            if parts := _inline(inside[0]):
                yield from wrap_styled(parts, width)
                if not token.hidden:  # of a list without space between its items
                    yield ()
        elif token.type in ("fence", "code_block"):
            for line in token.content.rstrip("\n").split("\n"):
                yield (StyledText(CODE_INDENT + line, "code"),)
            yield ()
        elif token.type in ("bullet_list_open", "ordered_list_open"):
            yield from _list(inside, width, ordered=token.type == "ordered_list_open")
            yield ()
        elif token.type == "table_open":
            yield from _table(inside, width)
            yield ()
        at = end + 1


def _end_of(tokens: Sequence[Token], start: int) -> int:
    """Index of the token that closes the one at `start`; `start` for one that is whole."""
    depth = 0
    for at in range(start, len(tokens)):
        depth += tokens[at].nesting
        if depth == 0:
            return at
    return len(tokens) - 1


def _list(tokens: Sequence[Token], width: int, *, ordered: bool) -> Iterator[StyledLine]:
    at, number = 0, 1
    loose = any(token.type == "paragraph_open" and not token.hidden for token in tokens)
    while at < len(tokens):
        end = _end_of(tokens, at)
        bullet = f"{number}. " if ordered else "- "
        lines = list(_blocks(tokens[at + 1 : end], width - len(bullet)))
        while lines and not lines[-1]:
            lines.pop()
        if loose and number > 1:
            yield ()
        for index, line in enumerate(lines):
            yield (StyledText(bullet if index == 0 else " " * len(bullet)), *line) if line else ()
        at, number = end + 1, number + 1


def _inline(token: Token) -> list[StyledText]:
    """The parts of a line of text; a link shows its text, and a picture nothing."""
    parts: list[StyledText] = []
    style, href = "", ""
    for child in token.children or ():
        if child.type == "text":
            parts.append(StyledText(child.content, style))
        elif child.type == "code_inline":
            parts.append(StyledText(child.content, "code"))
        elif child.type in ("softbreak", "hardbreak"):
            parts.append(StyledText(" ", style))
        elif child.type in ("strong_open", "em_open"):
            style = "strong"
        elif child.type in ("strong_close", "em_close"):
            style = ""
        elif child.type == "link_open":
            href = str(child.attrs.get("href", ""))
        elif child.type == "link_close":
            parts.append(StyledText(_link_target(href), "dim"))
    return parts


def _link_target(href: str) -> str:
    """What stands behind the text of a link; empty for a place on the same page."""
    if href.endswith(".md"):
        return f" (help {href.removesuffix('.md').rpartition('/')[2]})"
    return f" ({href})" if href.startswith("https:") else ""


def _table(tokens: Sequence[Token], width: int) -> Iterator[StyledLine]:
    rows: list[list[list[StyledText]]] = []
    for at, token in enumerate(tokens):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            heading = tokens[at - 1].type == "th_open"
            parts = _inline(token)
            rows[-1].append([StyledText(part.text, "strong") for part in parts] if heading else parts)
    widths = _column_widths(rows, width)
    for row in rows:
        cells = [wrap_styled(cell, size) for cell, size in zip(row, widths, strict=True)]
        for level in range(max(map(len, cells), default=0)):
            line: list[StyledText] = []
            for index, (cell, size) in enumerate(zip(cells, widths, strict=True)):
                shown = cell[level] if level < len(cell) else ()
                gap = 0 if index == len(widths) - 1 else size - len(plain_text(shown)) + 2
                line += [*shown, StyledText(" " * gap)]
            yield _joined(line)


def _column_widths(rows: Sequence[Sequence[Sequence[StyledText]]], width: int) -> list[int]:
    """Widths that fit the table into `width`; the widest columns give way."""
    widths = [max(1, *(len(plain_text(cell)) for cell in column)) for column in zip(*rows, strict=True)]
    words = [
        max([1, *(len(word) for cell in column for word in plain_text(cell).split())])
        for column in zip(*rows, strict=True)
    ]
    room = width - 2 * (len(widths) - 1)
    while sum(widths) > room:
        wide = [at for at in range(len(widths)) if widths[at] > max(MIN_COLUMN_CELLS, words[at])]
        wide = wide or [at for at in range(len(widths)) if widths[at] > MIN_COLUMN_CELLS]
        if not wide:
            break
        widths[max(wide, key=lambda at: widths[at])] -= 1
    return widths
