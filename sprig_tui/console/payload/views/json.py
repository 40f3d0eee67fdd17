"""JSON as a tree that is taken apart only where it is open: numbers and texts stay as they are written.

Each level is decoded when it is first shown, the values in it as they are; so a value of a megabyte costs what is seen
of it. Members of an object that have the same name are one, the last: what was sent exactly is in Raw.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

import msgspec
from msgspec import Raw

from sprig_tui.console.payload.views.base import CopiedText, RecordView, Span, SpanLine, wrap
from sprig_tui.console.payload.views.text import unescape_letters
from sprig_tui.segment.curl import visible_json
from sprig_tui.text import printable

ITEMS_PER_PAGE = 200
"""Items of a list or object shown at first; each opening of the folded rest shows four times as many."""
TEXT_LINES_PER_PAGE = 200
"""Lines of a long text shown at first."""
MAX_OPEN_LINES = 1_000
"""Lines that a tree opens to at first."""
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_LIST = msgspec.json.Decoder(list[Raw])
_CONTROLS = re.compile("[\x7f-\x9f]")
_WORDS = (b"true", b"false", b"null")


class JsonNode:
    """Value of a JSON document."""

    __slots__ = ("_children", "_folded", "data", "depth", "key", "opened", "shown")

    def __init__(self, data: Raw | bytes, *, key: str = "", depth: int = 0) -> None:
        self.data = memoryview(data)
        self.key = key
        """Name as a JSON string, in an object; else empty."""
        self.depth = depth
        self.opened = False
        self.shown = 1
        """Factor of the part shown, compared to the first time."""
        self._children: list[JsonNode] | None = None
        self._folded: tuple[int, int, list[str], int] = (0, 0, [], 0)

    @property
    def first(self) -> bytes:
        """First byte, which gives the type."""
        return self.data[:1].tobytes()

    @property
    def is_container(self) -> bool:
        """Whether it is an object or a list."""
        return self.first in (b"{", b"[")

    @property
    def is_text(self) -> bool:
        """Whether it is a string."""
        return self.first == b'"'

    @property
    def children(self) -> list[JsonNode]:
        """Items of a list or object; empty where it cannot be parsed, and is shown as it is."""
        if self._children is None:
            self._children = list(self._take_apart())
        return self._children

    def _take_apart(self) -> Iterator[JsonNode]:
        depth = self.depth + 1
        try:
            if self.first == b"{":
                for key, value in _OBJECT.decode(self.data).items():
                    yield JsonNode(value, key=visible_json(msgspec.json.encode(key)), depth=depth)
            elif self.first == b"[":
                for value in _LIST.decode(self.data):
                    yield JsonNode(value, depth=depth)
        except (ValueError, RecursionError):
            return

    def open_up(self, lines: int = MAX_OPEN_LINES) -> None:
        """Open the value and its items, outer ones first, up to a number of lines."""
        level = [self]
        while level:
            following: list[JsonNode] = []
            for node in level:
                if not node.is_container or not node.children:
                    continue
                lines -= min(len(node.children), ITEMS_PER_PAGE) + 1
                if lines < 0:
                    return
                node.opened = True
                following += node.children[:ITEMS_PER_PAGE]
            level = following

    def text(self) -> str:
        """Text of a string; other values as JSON."""
        data = self.data.tobytes()
        if self.is_text:
            try:
                return msgspec.json.decode(data, type=str)
            except ValueError:
                return data[1:-1].decode(errors="replace")
        return data.decode(errors="replace")

    def folded(self, room: int) -> tuple[list[str], int]:
        """Lines of the text shown, and the number of hidden characters."""
        if self._folded[:2] != (room, self.shown):
            text = self.text()
            characters = room * TEXT_LINES_PER_PAGE * self.shown
            self._folded = (room, self.shown, wrap(text[:characters], room), max(0, len(text) - characters))
        return self._folded[2:]

    def pretty(self) -> str:
        """The value to paste: a text as it is, lists and objects indented, with control characters escaped."""
        if not self.is_container:
            return self.text()
        try:
            text = msgspec.json.format(self.data.tobytes(), indent=2).decode(errors="replace")
        except (ValueError, RecursionError):
            text = self.text()
        # JSON may hold these as they are; a terminal that it is pasted into must not.
        return _CONTROLS.sub(lambda found: f"\\u{ord(found.group()):04x}", text)


class TreeLine(NamedTuple):
    """Line of a tree."""

    node: JsonNode
    kind: Literal["value", "close", "text", "more"]
    text: str = ""
    """Line of an open text, or the mark of a folded rest."""
    comma: bool = False


def tree_lines(node: JsonNode, width: int, *, comma: bool = False) -> Iterator[TreeLine]:
    """Lines of a tree with what is open; texts are folded to `width`."""
    yield TreeLine(node, "value", comma=comma)
    if not node.opened:
        return
    if not node.is_container:
        yield from _text_lines(node, width)
        return
    shown = node.children[: ITEMS_PER_PAGE * node.shown]
    hidden = len(node.children) - len(shown)
    for index, child in enumerate(shown, 1):
        yield from tree_lines(child, width, comma=index < len(node.children))
    if hidden:
        yield TreeLine(node, "more", f"{hidden:,} more, enter shows them")
    yield TreeLine(node, "close", comma=comma)


def _text_lines(node: JsonNode, width: int) -> Iterator[TreeLine]:
    lines, hidden = node.folded(max(20, width - 2 * node.depth - 4))
    for line in lines:
        yield TreeLine(node, "text", line)
    if hidden:
        yield TreeLine(node, "more", f"{hidden:,} more characters, enter shows them")


def toggle_line(line: TreeLine, width: int) -> bool:
    """Open or close the value in the line; False where nothing opens, such as a short text."""
    node = line.node
    if line.kind == "more":
        node.shown *= 4
    elif node.is_container and not node.children:
        return False
    elif node.is_container or node.opened or (node.is_text and len(node.data) + _key_spans(node) > width):
        node.opened = not node.opened
    else:
        return False
    return True


def copy_line(line: TreeLine) -> CopiedText:
    """The value that a copy of the line yields."""
    what = printable(line.node.key.strip('"'), limit=40) or "the value"
    return CopiedText(line.node.pretty(), what)


def line_spans(line: TreeLine, width: int) -> Iterator[Span]:
    """The line in colours, in at most `width` cells."""
    node = line.node
    indent = "  " * node.depth
    if line.kind in ("text", "more"):
        yield Span(f"{indent}    ")
        yield Span(line.text, "string" if line.kind == "text" else "muted")
        return
    if line.kind == "close":
        yield Span(f"{indent}{_closing(node)}{',' if line.comma else ''}", "muted")
        return
    yield Span(indent)
    room = width - len(indent)
    if node.key:
        key = printable(node.key, limit=60)
        yield Span(key, "key")
        yield Span(": ", "muted")
        room -= len(key) + 2
    yield from value_spans(node, max(room, 8), comma=line.comma)


def value_spans(node: JsonNode, room: int, *, comma: bool = False) -> Iterator[Span]:
    """A value on one line; an open list or object as its bracket, a closed one with its beginning."""
    tail = "," if comma else ""
    if node.is_container and node.opened:
        yield Span(node.first.decode(), "muted")
        return
    text = unescape_letters(node.data[: 8 * room + 8].tobytes().decode(errors="replace"))
    if node.is_container and node.children:
        noun = "members" if node.first == b"{" else "items"
        count = f" {len(node.children):,} {noun}"
        text = printable(text, limit=max(room - len(count) - 1, 4))
        yield Span(text, "muted", 0)
        yield Span(f"{count}{tail}", "accent")
        return
    yield Span(printable(text, limit=max(room - 1, 4)), role_of(node))
    yield Span(tail, "muted")


def role_of(node: JsonNode) -> str:
    """The colour of a value."""
    if node.is_text:
        return "string"
    if node.is_container:
        return "muted"
    return "word" if node.data[:5].tobytes() in _WORDS else "number"


def _key_spans(node: JsonNode) -> int:
    """Cells of the line that are not available to the value."""
    return 2 * node.depth + (len(node.key) + 2 if node.key else 0) + 1


def _closing(node: JsonNode) -> str:
    return "}" if node.first == b"{" else "]"


def is_json(data: bytes) -> bool:
    """Whether it is one JSON value in UTF-8."""
    try:
        data.decode()
        msgspec.json.decode(data, type=Raw)
    except (ValueError, RecursionError):
        return False
    return True


class JsonView(RecordView):
    """View of a JSON document as a tree; long texts and lists open in place."""

    def __init__(self, data: bytes) -> None:
        """`data` must be JSON (`is_json`)."""
        self._root = JsonNode(data.strip())
        self._root.open_up()
        self._lines: list[TreeLine] = []
        self._lay_out()

    def __len__(self) -> int:
        return len(self._lines)

    def line(self, index: int) -> SpanLine:
        return tuple(line_spans(self._lines[index], self.width))

    def resize(self, width: int) -> None:
        super().resize(width)
        self._lay_out()

    def toggle(self, index: int) -> bool:
        changed = toggle_line(self._lines[index], self.width)
        if changed:
            self._lay_out()
        return changed

    def copy_line(self, index: int) -> CopiedText:
        return copy_line(self._lines[index])

    def _lay_out(self) -> None:
        self._lines = list(tree_lines(self._root, self.width))
