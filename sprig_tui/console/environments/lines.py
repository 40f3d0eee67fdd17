"""Lines of the Environments pane, laid out for its width and height."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len

from sprig_tui.console.environments.status import EnvironmentStatus, EnvironmentView
from sprig_tui.console.widgets.line import Line, TextSpan
from sprig_tui.text import printable

_LABEL_CELLS = 8
"""Cells of indent and label before a value."""
WARNING = "⚠"


class PaneLine(NamedTuple):
    """A line and its environment; the name is empty for warnings."""

    environment: str
    parts: Line
    head: bool = False
    """Whether the cursor can be on it."""


def pane_lines(
    views: Sequence[EnvironmentView],
    selected: str,
    warning_texts: Sequence[str],
    *,
    width: int,
    height: int,
    revealed: str = "",
) -> list[PaneLine]:
    """All environments in full if they fit, else the selected one in full and one line for each other.

    `revealed` is the selected environment's unmasked key while it is shown.
    """
    full = [line for view in views for line in _full_lines(view, view.name == selected, width, revealed)]
    warnings = [line for text in warning_texts for line in _warning_lines(text, width)]
    if len(full) + len(warnings) <= height:
        return [*full, *warnings]
    lines: list[PaneLine] = []
    for view in views:
        if view.name == selected and height > 3:
            lines += _full_lines(view, True, width, revealed)
        else:
            lines.append(_brief_line(view, view.name == selected, width))
    return [*lines, *warnings]


def _full_lines(view: EnvironmentView, selected: bool, width: int, revealed: str) -> list[PaneLine]:
    def line(*parts: TextSpan) -> PaneLine:
        return PaneLine(view.name, parts)

    lines = [_head_line(view, selected, width)]
    if view.key:
        lines.append(line(_label_span("key"), TextSpan(view.key)))
        if view.key_source != "config":
            lines.append(line(TextSpan(f"  {'$' if view.is_key_in_variable else ''}{view.key_source}", "muted")))
        if revealed and selected:
            # on a line of its own: a whole key just fits the pane
            lines.append(line(TextSpan(f"  {revealed}", "strong")))
        if view.oauth:
            lines.append(line(_label_span("oauth"), TextSpan(view.oauth)))
        pace = f"  {view.requests_per_second:g}/s" if view.requests_per_second != 50 else ""
        lines.append(line(_label_span("to"), TextSpan(view.place), TextSpan(pace, "muted")))
    if view.sprig_id:
        lines.append(line(_label_span("sprig"), TextSpan(view.sprig_id), TextSpan("  environment id", "muted")))
    lines += [line(*parts) for parts in _status_parts(view.status, width)]
    texts = _wrap_words(view.counted, width - 4) if view.counted else ()
    lines += [line(TextSpan("    "), TextSpan(text, view.counted_level)) for text in texts]
    if view.failed or (view.queued and view.rate):
        lines.append(line(TextSpan("    "), *_number_spans(view)))
    if view.elsewhere:
        lines.append(line(TextSpan("    "), TextSpan(f"{view.elsewhere:,} queued for another --endpoint", "muted")))
    return lines


def _head_line(view: EnvironmentView, selected: bool, width: int) -> PaneLine:
    badge = "protected" if view.protected else ""
    name = TextSpan(f"{'●' if selected else '○'} {view.title}", "strong", max(4, width - len(badge)))
    return PaneLine(view.name, (name, TextSpan(badge, "warning")), head=True)


def _brief_line(view: EnvironmentView, selected: bool, width: int) -> PaneLine:
    name = f"{'●' if selected else '○'} {view.title}"
    status = view.status
    key = f"{view.key}  " if view.key else ""
    badge = "protected  " if view.protected and width >= 60 else ""
    before = (
        TextSpan(f"{printable(name, limit=22)}  ", "strong"),
        TextSpan(badge, "warning"),
        TextSpan(key if width >= 60 else "", "muted"),
    )
    room = max(4, width - sum(cell_len(part.text) for part in before))
    short = f"  {view.counted}" if view.counted_level == "bad" else ""
    text = printable(f"{status.mark} {status.text}{short}", limit=600)
    # a width is set only for a text that is cut, so that the cut is marked
    last = TextSpan(text, status.level, room if cell_len(text) > room else 0)
    return PaneLine(view.name, (*before, last), head=True)


def _label_span(text: str) -> TextSpan:
    return TextSpan(f"  {text}", "muted", _LABEL_CELLS)


def _status_parts(status: EnvironmentStatus, width: int) -> list[tuple[TextSpan, ...]]:
    texts = _wrap_words(status.text, width - 4)
    lines: list[tuple[TextSpan, ...]] = [
        (TextSpan(f"  {status.mark} " if number == 0 else "    "), TextSpan(text, status.level))
        for number, text in enumerate(texts)
    ]
    if status.last:
        if len(texts) == 1 and len(texts[0]) + len(status.last) + 6 <= width:
            lines[0] = (*lines[0], TextSpan(f"  {status.last}", "muted"))
        else:
            lines.append((TextSpan("    "), TextSpan(status.last, "muted")))
    return lines


def _number_spans(view: EnvironmentView) -> tuple[TextSpan, ...]:
    parts = []
    if view.queued:
        parts.append(TextSpan(f"queued {view.queued:,}  "))
    if view.failed:
        parts.append(TextSpan(f"failed {view.failed:,}", "bad"))
    return tuple(parts)


def _warning_lines(text: str, width: int) -> list[PaneLine]:
    return [
        PaneLine("", (TextSpan(f"{WARNING} " if number == 0 else "  ", "warning"), TextSpan(piece, "warning")))
        for number, piece in enumerate(_wrap_words(text, width - 2))
    ]


def _wrap_words(text: str, width: int) -> list[str]:
    """At most four lines. Text is made printable before it is measured."""
    return textwrap.wrap(printable(text, limit=600), max(12, width), max_lines=4, placeholder=" …") or [""]
