"""Word wrap for terminals: lines that end between words and count wide letters as two columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from unicodedata import combining, east_asian_width

from sprig_tui.cli import output


def text_width(text: str) -> int:
    """Columns that a printable text takes up."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def pad(text: str, width: int) -> str:
    """The whole text, filled up to so many columns."""
    return text + " " * max(0, width - text_width(text))


def wrap(text: str, width: int) -> Iterator[str]:
    """Lines of at most `width` columns, broken at spaces; a word that is longer than a line is broken anywhere."""
    width, line, used = max(8, width), "", 0
    for word in text.split():
        size = text_width(word)
        if line and used + 1 + size > width:
            yield line
            line, used = "", 0
        while size > width - (used + 1 if line else 0) and size > width:
            room = width - (used + 1 if line else 0)
            head = _fitting_head(word, room)
            yield f"{line} {head}" if line else head
            line, used, word = "", 0, word[len(head) :]  # noqa: PLW2901 - the rest of it
            size = text_width(word)
        if word:
            line, used = (f"{line} {word}", used + 1 + size) if line else (word, size)
    if line:
        yield line


def flow(parts: Iterable[tuple[str, str]], columns: int, indent: str = "") -> Iterator[str]:
    """Parts beside each other, two spaces between, each painted in its style; `columns` 0: all on one line.

    A part that does not fit begins a line of its own, and one that is longer than a line is wrapped.
    """
    line, used = "", 0
    room = columns - 1 - len(indent) if columns else 0
    for text, style in parts:
        size = text_width(text)
        if line and columns and used + 2 + size > room:
            yield indent + line
            line, used = "", 0
        pieces = list(wrap(text, room)) if columns and size > room else [text]
        for piece in pieces[:-1]:
            yield indent + (output.paint(piece, style) if style else piece)
        last = pieces[-1] if pieces else ""
        shown = output.paint(last, style) if style else last
        line, used = (f"{line}  {shown}", used + 2 + text_width(last)) if line else (shown, text_width(last))
    if line:
        yield indent + line


def _fitting_head(word: str, width: int) -> str:
    used = 0
    for at, letter in enumerate(word):
        size = text_width(letter)
        if at and used + size > width:
            return word[:at]
        used += size
    return word
