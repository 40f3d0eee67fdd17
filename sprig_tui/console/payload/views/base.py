"""View base class, its text spans, and the folding of text to a width."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len, chop_cells

from sprig_tui.text import ELLIPSIS, printable


class Span(NamedTuple):
    """Text in one role; `width` as in `TextSpan`."""

    text: str
    role: str = ""
    width: int = 0


SpanLine = Sequence[Span]


class CopiedText(NamedTuple):
    """Text to copy, and its name for the notice."""

    text: str
    what: str


class RecordView:
    """View of a record, line by line."""

    width = 80

    def __len__(self) -> int:
        """Number of lines, at the present width and with what is open."""
        raise NotImplementedError

    def line(self, index: int) -> SpanLine:
        """One line."""
        raise NotImplementedError

    def resize(self, width: int) -> None:
        """Fold to another width in cells."""
        self.width = width

    def toggle(self, index: int) -> bool:
        """Open or close the value in this line; False where nothing opens."""
        del index
        return False

    def path_at(self, index: int) -> str:
        """The path of the field in this line; empty where the line has none."""
        del index
        return ""

    def copy_line(self, index: int) -> CopiedText | None:
        """The text that a copy of this line yields; None for nothing."""
        raise NotImplementedError


def wrap(text: str, width: int) -> list[str]:
    """A text made printable, in lines of at most `width` cells; a line break shows as ⏎ and breaks the line."""
    if not text:
        return []
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        lines += chop(printable(line), width - 1) or [""]
        lines[-1] += "⏎"
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


def chop(text: str, width: int) -> list[str]:
    """A printable text in pieces of at most `width` cells (two where it is fewer); nothing is lost."""
    width = max(width, 2)
    if text.isascii():
        return [text[at : at + width] for at in range(0, len(text), width)]
    pieces = chop_cells(text, width)
    # Marks at the end that have no width of their own are left out by Rich where nothing stands before them.
    rest = text[sum(map(len, pieces)) :]
    return [*pieces, rest] if rest else pieces


def shorten(text: str, width: int, *, keep_start: bool = True) -> str:
    """A printable text in at most `width` cells, cut in its middle, or (not `keep_start`) at its start."""
    if cell_len(text) <= width:
        return text
    room = max(width - 1, 1)
    before = room // 2 if keep_start else 0
    head = chop(text[:before], before)[0] if before > 1 else ""
    at = len(text)
    while at and cell_len(text[at - 1 :]) <= room - before:
        at -= 1
    return f"{head}{ELLIPSIS}{text[at:]}"
