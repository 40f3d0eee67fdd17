"""A screen as text that a person can review: what stands where, and in which style, dark, light and without colour.

    <the rows of the screen>
    == styles, by row: cells and style
    1    12a 30b 78a
    2-9  1c 118a 1c
    == dark
    a #d5dbd8 on #12171a
    b #9ccfd8 on #12171a bold
    == light, no colour: the same with their own colours

Rows in the style that most cells have are left out. Where a look divides the cells in another way than dark does, its
own rows stand before its colours.
"""

from __future__ import annotations

from itertools import groupby
from typing import Any

from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.filter import Monochrome
from textual.pilot import Pilot
from textual.widgets import Input

DARK, LIGHT = "sprig", "sprig-light"
_ATTRIBUTES = ("bold", "dim", "italic", "underline", "strike", "reverse")


def text_of(app: App[Any]) -> str:
    """The screen as plain text, one line per row, without trailing spaces."""
    return "\n".join("".join(segment.text for segment in row).rstrip() for row in _rows(app)) + "\n"


async def picture_of(pilot: Pilot[Any]) -> str:
    """The screen in all its looks; afterwards it is dark again."""
    app = pilot.app
    for field in app.screen.query(Input):
        field.cursor_blink = False
    await pilot.pause()
    text, rows, colours = text_of(app), *_styles(app)
    parts = [text.rstrip("\n"), "== styles, by row: cells and style", *rows, "== dark", *colours]
    for name in ("light", "no colour"):
        await (_theme(pilot, LIGHT) if name == "light" else _without_colour(pilot))
        assert text_of(app) == text, f"{name} says something else:\n{text_of(app)}"
        own_rows, own_colours = _styles(app)
        parts += [f"== {name}", *(own_rows if own_rows != rows else ()), *own_colours]
        if name == "light":
            await _theme(pilot, DARK)
    await _with_colour(pilot)
    return "\n".join(parts) + "\n"


async def _theme(pilot: Pilot[Any], name: str) -> None:
    # as if it came from the config: what is picked by hand is written there
    pilot.app._configured_theme = name
    pilot.app.theme = name
    await pilot.pause()
    await pilot.pause()


async def _without_colour(pilot: Pilot[Any]) -> None:
    """As Textual does at the start where NO_COLOR is set."""
    pilot.app.no_color = True
    pilot.app._filters.append(Monochrome())
    await _repaint(pilot)


async def _with_colour(pilot: Pilot[Any]) -> None:
    pilot.app.no_color = False
    pilot.app._filters.pop()
    await _repaint(pilot)


async def _repaint(pilot: Pilot[Any]) -> None:
    pilot.app.refresh_css(animate=False)
    for screen in pilot.app.screen_stack:
        screen.refresh(layout=True)
    await pilot.pause()
    await pilot.pause()


def _rows(app: App[Any]) -> list[list[Segment]]:
    size = app.size
    return [list(strip.crop(0, size.width)) for strip in app.screen._compositor.render_strips(size)]


def _styles(app: App[Any]) -> tuple[list[str], list[str]]:
    """The rows as runs of styles, and what the letters mean."""
    runs = [
        [(sum(segment.cell_length for segment in group), said) for said, group in groupby(row, _said_of)]
        for row in _rows(app)
    ]
    cells: dict[str, int] = {}
    for row in runs:
        for number, said in row:
            cells[said] = cells.get(said, 0) + number
    most = max(cells, key=cells.__getitem__)
    names = {said: _name(index) for index, said in enumerate([most, *(one for one in cells if one != most)])}
    lines = [" ".join(f"{number}{names[said]}" for number, said in row) for row in runs]
    plain = f"{app.size.width}{names[most]}"
    told: list[str] = []
    first = 0
    for line, group in groupby(lines):
        last = first + len(list(group)) - 1
        if line != plain:
            told.append(f"{f'{first + 1}-{last + 1}' if last > first else first + 1:<5} {line}")
        first = last + 1
    return told, [f"{name} {said}" for said, name in names.items()]


def _name(index: int) -> str:
    return chr(ord("a") + index) if index < 26 else chr(ord("A") + index - 26)


def _said_of(segment: Segment) -> str:
    style = segment.style or Style()
    front, back = (color.get_truecolor().hex if color else "-" for color in (style.color, style.bgcolor))
    # of blank cells only the background is seen
    said = [f"{front} on {back}" if segment.text.strip() or style.reverse or style.underline else f"- on {back}"]
    return " ".join([*said, *(name for name in _ATTRIBUTES if getattr(style, name) and segment.text.strip())])
