"""Snapshots of a screen: its text, which is the layout, and for some scenes a coloured picture that a browser opens.

The text is compared at every size, the picture at one size in one theme: a picture shows which style stands where. The
rules that hold for all themes (contrast, 256 and 16 colours, NO_COLOR) have tests of their own, see `test_themes`,
`test_palette_colours` and `test_first_run`.
"""

from __future__ import annotations

from collections import Counter
from html import escape
from itertools import count, groupby
from typing import Any
from weakref import WeakKeyDictionary

from rich.segment import Segment
from rich.style import Style
from textual._context import visible_screen_stack
from textual.app import App
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

THEME = "sprig"
PICTURE_SIZE = (120, 40)
PICTURES = {
    "add-key",
    "ascii-in-16-colours",
    "console",
    "deliveries-wrong-filter",
    "delivery-detail",
    "explain",
    "help-deliveries",
    "insight-speed",
    "insight-time",
    "journal-lost",
    "marked-and-filtered",
    "palette",
    "payload-fields",
    "payload-json",
    "reconcile",
    "remove-key",
    "sources",
}
"""Scenes with a picture: together they hold every kind of widget, state and notice."""
_CSS = {
    "bold": "font-weight:bold",
    "dim": "opacity:.6",
    "italic": "font-style:italic",
    "underline": "text-decoration:underline",
    "strike": "text-decoration:line-through",
}


_compositor_refresh = Screen._compositor_refresh
_texts: WeakKeyDictionary[Screen[Any], str] = WeakKeyDictionary()
"""What was read of a screen since the last paint."""
_paints = count()
_last_paint = 0


def _paint_and_forget_text(self: Screen[Any]) -> None:
    """Paint, and forget the text of every screen: one that is below another is seen through it."""
    global _last_paint  # noqa: PLW0603 - of all apps of this process
    _last_paint = next(_paints)
    _texts.clear()
    _compositor_refresh(self)


Screen._compositor_refresh = _paint_and_forget_text


async def settle(pilot: Pilot[Any]) -> None:
    """Wait until the process idles and nothing is left to lay out or to paint.

    A paint tells widgets their new sizes, and what they make of it is painted in turn. On a busy machine a process
    that waits for its processor looks idle, so that idling alone says little.
    """
    await pilot.pause()
    while pilot.app.is_running:
        before = _last_paint
        await pilot._wait_for_screen()
        pilot.app.screen._on_timer_update()
        if before == _last_paint:
            return


def text_of(app: App[Any]) -> str:
    """The screen as plain text, one line per row, without trailing spaces.

    It is put together once after each paint: a test that waits for a text looks at the same screen many times.
    """
    screen = app.screen
    painted = not (screen._dirty_widgets or screen._repaint_required or screen._layout_required)
    if painted and screen in _texts:
        return _texts[screen]
    text = "\n".join("".join(segment.text for segment in row).rstrip() for row in _rows(app)) + "\n"
    if painted:
        _texts[screen] = text
    return text


async def settle_cursors(pilot: Pilot[Any]) -> None:
    """No cursor blinks any more."""
    for field in pilot.app.screen.query(Input):
        field.cursor_blink = False
    await settle(pilot)


def picture_of(app: App[Any]) -> str:
    """The screen as HTML: one line per row, and a `span` names what differs from the colours that most cells have."""
    rows = [
        [(_css(run[0].style), "".join(segment.text for segment in run)) for run in _runs(row)] for row in _rows(app)
    ]
    cells = Counter[tuple[str, ...]]()
    for css, text in (run for row in rows for run in row):
        cells.update({css[:2]: len(text)})
    ground = cells.most_common(1)[0][0]
    lines = ["".join(_span(text, [part for part in css if part not in ground]) for css, text in row) for row in rows]
    return f'<!doctype html><meta charset="utf-8"><pre style="{";".join(ground)}">\n' + "\n".join(lines) + "\n</pre>\n"


def colours_of(app: App[Any]) -> set[str]:
    """Every colour on the screen, as `#rrggbb`."""
    return {color for row in _rows(app) for segment in row for color in _colours(segment.style)} - {"inherit"}


def _span(text: str, css: list[str]) -> str:
    return f'<span style="{";".join(css)}">{escape(text)}</span>' if css else escape(text)


def _rows(app: App[Any]) -> list[list[Segment]]:
    size = app.size
    # what is seen through a dialog; a paint sets it for the task that paints
    visible_screen_stack.set(app._background_screens)
    return [list(strip.crop(0, size.width)) for strip in app.screen._compositor.render_strips(size)]


def _runs(row: list[Segment]) -> list[list[Segment]]:
    """Neighbours in one style; a blank takes the foreground of what stands before it."""
    runs: list[list[Segment]] = []
    for _css_text, group in groupby(row, lambda segment: _css(segment.style)):
        run = list(group)
        if runs and _is_blank(run) and _colours(run[0].style)[1] == _colours(runs[-1][0].style)[1]:
            runs[-1].extend(run)
        else:
            runs.append(run)
    return runs


def _is_blank(run: list[Segment]) -> bool:
    style = run[0].style or Style()
    return not (style.underline or style.strike) and all(segment.text.isspace() for segment in run)


def _css(style: Style | None) -> tuple[str, ...]:
    front, back = _colours(style)
    attributes = [css for name, css in _CSS.items() if getattr(style, name, None)]
    return (f"color:{front}", f"background:{back}", *attributes)


def _colours(style: Style | None) -> tuple[str, str]:
    """Foreground and background."""
    style = style or Style()
    front, back = (color.get_truecolor().hex if color else "inherit" for color in (style.color, style.bgcolor))
    return (back, front) if style.reverse else (front, back)
