"""Call diff: the fields in which two calls of one answer differ, as they are asked about and shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, NamedTuple

import msgspec
from msgspec import Raw
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from sprig_tui.console.widgets.dialogs import ESCAPE_CLOSES, hint
from sprig_tui.text import excerpt, one_line

_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_UNCOMPARED = frozenset({"messageId", "sentAt"})
"""Fields that differ in every sending."""
MAX_LEVELS = 8
"""Objects inside each other that are compared field by field; deeper ones are compared as a whole."""
MAX_VALUE_CHARS = 300
MAX_SHOWN_CHANGES = 200
NOT_IN_CALL = "(not in the call)"


class FieldChange(NamedTuple):
    """A field that differs; its values as JSON, None where the call does not have it."""

    path: str
    before: bytes | None
    after: bytes | None


def call_diff(before: bytes, after: bytes) -> tuple[FieldChange, ...]:
    """The fields that differ, in the order of the later call, then those that it does not have. Never raises."""
    old, new = dict(_leaves(before)), dict(_leaves(after))
    changed = [FieldChange(path, old.get(path), value) for path, value in new.items() if old.get(path) != value]
    return (*changed, *(FieldChange(path, value, None) for path, value in old.items() if path not in new))


def diff_text(changes: Sequence[FieldChange]) -> str:
    """The changes as plain text: each path, then `-` what was sent and `+` what would be sent."""
    lines: list[str] = []
    for path, before, after in changes[:MAX_SHOWN_CHANGES]:
        lines += [_path_text(path), f"- {_value_text(before)}", f"+ {_value_text(after)}"]
    if len(changes) > MAX_SHOWN_CHANGES:
        lines.append(f"and {len(changes) - MAX_SHOWN_CHANGES:,} more")
    return "\n".join(lines) or "No field of the call differs."


def diff_content(changes: Sequence[FieldChange]) -> Content:
    """The same in colours."""
    styles = {"- ": "$text-error", "+ ": "$text-success"}
    lines = [Content.styled(line, styles.get(line[:2], "")) for line in diff_text(changes).split("\n")]
    return Content("\n").join(lines)


class Comparison(NamedTuple):
    """The changes of a call against another one."""

    title: str
    changes: Sequence[FieldChange]


class CompareScreen(ModalScreen[None]):
    """Shows the changes of a call, against one other or several."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,equals_sign,q", "leave", "close")]

    def __init__(self, *comparisons: Comparison) -> None:
        super().__init__(classes="dialog")
        self._comparisons = comparisons

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog-box dialog-long") as box:
            first, *others = self._comparisons
            box.border_title = Content(first.title)
            box.border_subtitle = hint(ESCAPE_CLOSES)
            yield Static(diff_content(first.changes))
            for other in others:
                yield Static(Content.assemble("\n", (other.title, "bold"), "\n", diff_content(other.changes)))

    def action_leave(self) -> None:
        self.dismiss(None)


def _leaves(body: bytes, path: str = "", level: int = 0) -> Iterator[tuple[str, bytes]]:
    """Paths and values of a call; an empty object is a value."""
    try:
        members = _OBJECT.decode(body)
    except (ValueError, RecursionError):
        members = {}
    if not members or level > MAX_LEVELS:
        if path:
            yield path, body.strip()
        return
    for name, value in members.items():
        inner = f"{path}.{name}" if path else name
        if inner in _UNCOMPARED:
            continue
        if bytes(value).lstrip()[:1] == b"{":
            yield from _leaves(bytes(value), inner, level + 1)
        else:
            yield inner, bytes(value).strip()


def _path_text(path: str) -> str:
    # a sign at the beginning would look like one of the values
    return one_line(path, limit=120).lstrip("-+ ") or "(no name)"


def _value_text(value: bytes | None) -> str:
    return NOT_IN_CALL if value is None else excerpt(value, MAX_VALUE_CHARS)
