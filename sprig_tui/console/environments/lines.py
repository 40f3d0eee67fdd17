"""The lines of the Environments pane, laid out for its width and height."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len

from sprig_tui.console.environments.standing import Standing
from sprig_tui.console.environments.view import EnvironmentView
from sprig_tui.console.line import Line, Part
from sprig_tui.text import printable

_LABEL = 8
"""Cells of indent and label before a value."""
WARNING = "⚠"


class PaneLine(NamedTuple):
    """A line, and the environment it belongs to; empty for warnings."""

    environment: str
    parts: Line
    head: bool = False
    """Whether the cursor may stand on it."""


def pane_lines(
    views: Sequence[EnvironmentView],
    selected: str,
    doubts: Sequence[str],
    *,
    width: int,
    height: int,
    revealed: str = "",
) -> list[PaneLine]:
    """Everything in full where that fits, else the selected environment in full and one line for each other one.

    `revealed` is the selected environment's key while the person looks at it.
    """
    full = [line for view in views for line in _full(view, view.name == selected, width, revealed)]
    warnings = [line for text in doubts for line in _warning(text, width)]
    if len(full) + len(warnings) <= height:
        return [*full, *warnings]
    lines: list[PaneLine] = []
    for view in views:
        if view.name == selected and height > 3:
            lines += _full(view, True, width, revealed)
        else:
            lines.append(_brief(view, view.name == selected, width))
    return [*lines, *warnings]


def _full(view: EnvironmentView, selected: bool, width: int, revealed: str) -> list[PaneLine]:
    def line(*parts: Part) -> PaneLine:
        return PaneLine(view.name, parts)

    lines = [_head(view, selected, width)]
    if view.key:
        lines.append(line(_label("key"), Part(view.key)))
        if view.key_source != "config":
            lines.append(line(Part(f"  ${view.key_source}", "muted")))
        if revealed and selected:
            # A line of its own: a whole key just fits the pane.
            lines.append(line(Part(f"  {revealed}", "strong")))
        pace = f"  {view.requests_per_second:g}/s" if view.requests_per_second != 50 else ""
        lines.append(line(_label("to"), Part(view.place), Part(pace, "muted")))
    if view.sprig_id:
        lines.append(line(_label("sprig"), Part(view.sprig_id), Part("  environment id", "muted")))
    lines += [line(*parts) for parts in _standing(view.standing, width)]
    if view.failed or (view.queued and view.rate):
        lines.append(line(Part("    "), *_numbers(view)))
    if view.elsewhere:
        lines.append(line(Part("    "), Part(f"{view.elsewhere:,} queued for another --endpoint", "muted")))
    return lines


def _head(view: EnvironmentView, selected: bool, width: int) -> PaneLine:
    badge = "protected" if view.protected else ""
    name = Part(f"{'●' if selected else '○'} {view.title}", "strong", max(4, width - len(badge)))
    return PaneLine(view.name, (name, Part(badge, "warning")), head=True)


def _brief(view: EnvironmentView, selected: bool, width: int) -> PaneLine:
    name = f"{'●' if selected else '○'} {view.title}"
    standing = view.standing
    key = f"{view.key}  " if view.key else ""
    badge = "protected  " if view.protected and width >= 60 else ""
    before = (
        Part(f"{printable(name, limit=22)}  ", "strong"),
        Part(badge, "warning"),
        Part(key if width >= 60 else "", "muted"),
    )
    room = max(4, width - sum(cell_len(part.text) for part in before))
    said = printable(f"{standing.mark} {standing.text}", limit=600)
    # cut here, so that it is seen that there is more
    last = Part(said, standing.level, room if cell_len(said) > room else 0)
    return PaneLine(view.name, (*before, last), head=True)


def _label(text: str) -> Part:
    return Part(f"  {text}", "muted", _LABEL)


def _standing(standing: Standing, width: int) -> list[tuple[Part, ...]]:
    said = _wrapped(standing.text, width - 4)
    lines: list[tuple[Part, ...]] = [
        (Part(f"  {standing.mark} " if number == 0 else "    "), Part(text, standing.level))
        for number, text in enumerate(said)
    ]
    if standing.last:
        if len(said) == 1 and len(said[0]) + len(standing.last) + 6 <= width:
            lines[0] = (*lines[0], Part(f"  {standing.last}", "muted"))
        else:
            lines.append((Part("    "), Part(standing.last, "muted")))
    return lines


def _numbers(view: EnvironmentView) -> tuple[Part, ...]:
    parts = []
    if view.queued:
        parts.append(Part(f"queued {view.queued:,}  "))
    if view.failed:
        parts.append(Part(f"failed {view.failed:,}", "bad"))
    return tuple(parts)


def _warning(text: str, width: int) -> list[PaneLine]:
    return [
        PaneLine("", (Part(f"{WARNING} " if number == 0 else "  ", "warning"), Part(piece, "warning")))
        for number, piece in enumerate(_wrapped(text, width - 2))
    ]


def _wrapped(text: str, width: int) -> list[str]:
    """At most four lines; foreign text is made printable first, so that what is measured is what is shown."""
    return textwrap.wrap(printable(text, limit=600), max(12, width), max_lines=4, placeholder=" …") or [""]
