r"""The Raw view: the bytes as they were read, and the curl view's lines.

Bytes that are no UTF-8 are written as `\xff` in a colour of their own; what is no text at all is shown as a hex dump.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from sprig_tui.console.payload.views.base import CopiedText, RecordView, Span, SpanLine, chop, wrap
from sprig_tui.text import printable


class CurlView(RecordView):
    """View of a command; folded lines are copied whole."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._command = tuple(lines)
        self._folded: list[Span] = []
        self.resize(self.width)

    def __len__(self) -> int:
        return len(self._folded)

    def line(self, index: int) -> SpanLine:
        return (self._folded[index],)

    def resize(self, width: int) -> None:
        super().resize(width)
        self._folded = [
            Span(part, "muted" if line.startswith("#") else "")
            for line in self._command
            for part in chop(printable(line), width)
        ]

    def copy_line(self, index: int) -> CopiedText:
        del index
        return CopiedText("\n".join(self._command), "the curl command")


_ESCAPE = re.compile(
    r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|.)", re.DOTALL
)


def unescape_letters(json: str) -> str:
    """JSON text, or its beginning, with letters for escapes, where a letter is all that the escape stands for.

    Controls, quotes, and what is not seen stay escaped, so that the text still means the same JSON.
    """
    return _ESCAPE.sub(_unescape_letter, json) if "\\u" in json else json


def _unescape_letter(found: re.Match[str]) -> str:
    high, low, single = found.groups()
    if high:
        letter = chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    elif single and not 0xD800 <= int(single, 16) < 0xE000:
        letter = chr(int(single, 16))
    else:
        return found.group()
    plain = letter not in '"\\' and letter != " " and printable(letter) == letter
    return letter if plain else found.group()


class NoteView(RecordView):
    """View of a single sentence."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = wrap(text, self.width)

    def __len__(self) -> int:
        return len(self._lines)

    def line(self, index: int) -> SpanLine:
        return (Span(self._lines[index], "muted"),)

    def resize(self, width: int) -> None:
        super().resize(width)
        self._lines = wrap(self._text, width)

    def copy_line(self, index: int) -> CopiedText | None:  # noqa: ARG002 - there is nothing in any line
        return None


BYTES_PER_PAGE = 65_536
"""Part shown at first; each opening of the folded rest shows four times as much."""
_NOT_TEXT = re.compile("[\udc80-\udcff]+")


class RawView(RecordView):
    """View of bytes, as text or as a hex dump."""

    def __init__(self, data: bytes, what: str = "the record as it was read") -> None:
        self._data = data
        self._what = what
        self._shown = BYTES_PER_PAGE
        self._lines: list[SpanLine] = []
        self._lay_out()

    def __len__(self) -> int:
        return len(self._lines)

    def line(self, index: int) -> SpanLine:
        return self._lines[index]

    def resize(self, width: int) -> None:
        super().resize(width)
        self._lay_out()

    def toggle(self, index: int) -> bool:
        """Show more, on the last line where something is folded."""
        if index != len(self._lines) - 1 or self._shown >= len(self._data):
            return False
        self._shown *= 4
        self._lay_out()
        return True

    def copy_line(self, index: int) -> CopiedText | None:
        """The whole text, since its lines are only folds."""
        del index
        return CopiedText(self._data.decode(errors="backslashreplace"), self._what) if self._data else None

    def _lay_out(self) -> None:
        shown = self._data[: self._shown]
        dump: Callable[[bytes, int], Iterator[SpanLine]] = hex_lines if is_binary(shown) else text_lines
        self._lines = list(dump(shown, self.width))
        if hidden := len(self._data) - len(shown):
            self._lines.append((Span(f"{hidden:,} more bytes, enter shows them", "muted"),))


def is_binary(data: bytes) -> bool:
    """Whether the bytes are not text: they contain zeros, or a tenth is invalid UTF-8."""
    head = data[:4096]
    if b"\0" in head:
        return True
    broken = sum(len(found) for found in _NOT_TEXT.findall(head.decode(errors="surrogateescape")))
    return broken * 10 > len(head)


def text_lines(data: bytes, width: int) -> Iterator[SpanLine]:
    """The text line by line, folded to the width."""
    text = data.decode(errors="surrogateescape")
    for line in text.removesuffix("\n").split("\n"):
        if _NOT_TEXT.search(line) is None:
            for part in chop(printable(line), width) or [""]:
                yield (Span(part),)
        else:
            yield from _folded(_pieces(line), width)


def hex_lines(data: bytes, width: int) -> Iterator[SpanLine]:
    """Offset, bytes in hexadecimal, and the printable ASCII among them."""
    each = 16 if width >= 76 else 8
    for at in range(0, len(data), each):
        row = data[at : at + each]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        yield (
            Span(f"{at:08x}  ", "muted"),
            Span(row.hex(" ").ljust(3 * each + 1), "accent"),
            Span(text),
        )


def _pieces(line: str) -> Iterator[Span]:
    at = 0
    for found in _NOT_TEXT.finditer(line):
        if found.start() > at:
            yield Span(printable(line[at : found.start()]))
        yield Span("".join(f"\\x{ord(byte) - 0xDC00:02x}" for byte in found.group()), "bad")
        at = found.end()
    if at < len(line):
        yield Span(printable(line[at:]))


def _folded(pieces: Iterator[Span], width: int) -> Iterator[SpanLine]:
    from rich.cells import cell_len

    line: list[Span] = []
    room = width
    for text, role, _ in pieces:
        first, *rest = chop(text, room) if cell_len(text) > room else (text,)
        if rest:
            # What does not fit behind the pieces before it goes on at the width of a whole line.
            line.append(Span(first, role))
            yield tuple(line)
            line, room = [], width
            *whole, last = chop(text[len(first) :], width)
            for part in whole:
                yield (Span(part, role),)
            first = last
        line.append(Span(first, role))
        room -= cell_len(first)
        if room <= 1:
            yield tuple(line)
            line, room = [], width
    if line:
        yield tuple(line)
