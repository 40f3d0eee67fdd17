"""The pane's title with its tabs, and the lines below the view, as content: foreign text is never markup."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from sprig_tui.console.payload.inspection import Inspection
from sprig_tui.console.payload.spans import Span
from sprig_tui.console.payload.summary import RecordPosition, delivery_text, position_text
from sprig_tui.console.payload.views import VIEW_NAMES
from sprig_tui.console.themes import MUTED
from sprig_tui.text import printable

_STYLES = {
    "good": "$text-success",
    "bad": "$text-error",
    "warning": "$text-warning",
    "accent": "$text-accent",
    "muted": MUTED,
}
_RULE = " ── "
_MIN_NAME_CELLS = 12


def payload_title(inspection: Inspection | None, position: RecordPosition | None, view: str, width: int) -> Content:
    """`Payload ── answers.jsonl  14 of 200 ── [Fields] JSON  Raw  curl`, its tabs clickable, in `width` cells."""
    head = "Payload"
    tabs = _tabs(view)
    room = width - len(head) - 2 * len(_RULE) - tabs.cell_length
    if inspection is None:
        return Content(head)
    if room < _MIN_NAME_CELLS:
        # The name first: the views have keys as well.
        tabs, room = Content(f"[{view}]"), width - len(head) - 2 * len(_RULE) - len(view) - 2
    what = position_text(position, room) if position is not None else delivery_text(inspection, room)
    return Content.assemble(head, _RULE, Content(what), _RULE, tabs)


def verdict_content(spans: Sequence[Span], reason: str) -> Content:
    """The bottom line, and the reason below it."""
    parts = [Content.styled(printable(text), _STYLES.get(role, "")) for text, role, _ in spans]
    if reason:
        parts.append(Content.styled(f"\n{printable(reason)}", MUTED))
    return Content("").join(parts)


def _tabs(view: str) -> Content:
    names = [f"[{name}]" if name == view else f" {name} " for name in VIEW_NAMES]
    # The names are our own, so that markup is safe here; it is what carries the click.
    markup = [f"[@click=\"view('{name}')\"]" for name in VIEW_NAMES]
    return Content("").join(
        Content.from_markup(f"{click}$text[/]", text=text) for click, text in zip(markup, names, strict=True)
    )
