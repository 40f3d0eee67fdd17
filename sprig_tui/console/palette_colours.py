"""Palette colours: the themes on terminals of 256 and of 16 colours.

Rich rounds red, green and blue separately to one of six levels, which turns dark greys into navy and teal. This module
finds the nearest colour as a whole, and never gives a text the colour of its background.
"""

from __future__ import annotations

from functools import lru_cache

from rich.color import Color as RichColor
from rich.color_triplet import ColorTriplet
from rich.palette import Palette
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

from sprig_tui.console.textual_private import palette_colour

_CUBE_LEVELS = (0, 95, 135, 175, 215, 255)
_CUBE_FIRST = 16
_CUBE_AND_GREYS = Palette(
    [
        *((red, green, blue) for red in _CUBE_LEVELS for green in _CUBE_LEVELS for blue in _CUBE_LEVELS),
        *((8 + 10 * step,) * 3 for step in range(24)),
    ]
)
"""The 240 colours that are the same on every terminal; the first 16 depend on the terminal's settings."""
_NAMED_COLOURS = (
    *((0, 0, 0), (170, 0, 0), (0, 170, 0), (170, 85, 0), (0, 0, 170), (170, 0, 170), (0, 170, 170), (170, 170, 170)),
    *((85, 85, 85), (255, 85, 85), (85, 255, 85), (255, 255, 85), (85, 85, 255), (255, 85, 255), (85, 255, 255)),
    (255, 255, 255),
)
"""Usual values of the 16 colours; terminals differ."""
_GREYS = (0, 8, 7, 15)
_MIN_CHROMA = 48
"""Smallest difference between the strongest and the weakest part of a colour that is no grey."""
_SYSTEM_256, _SYSTEM_STANDARD = "256", "standard"


class PaletteColours(LineFilter):
    """Filter that replaces every colour by the nearest one of the terminal's palette."""

    def __init__(self, *, few: bool) -> None:
        """`few`: 16 colours, else 256."""
        super().__init__()
        self._few = few

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        del background
        return [
            Segment(text, _style(style, self._few) if style is not None else None, control)
            for text, style, control in segments
        ]


def palette_filter(color_system: str | None) -> PaletteColours | None:
    """The filter for Rich's name of the colour system; None where the terminal has all colours, or none."""
    return (
        PaletteColours(few=color_system == _SYSTEM_STANDARD)
        if color_system in (_SYSTEM_256, _SYSTEM_STANDARD)
        else None
    )


@lru_cache(4_096)
def _style(style: Style, few: bool) -> Style:
    fore, back = style.color, style.bgcolor
    on = _number(back, few)
    number = _number(fore, few)
    if number is not None and number == on:
        number = _readable_on(number, few)
    changed = Style(
        color=RichColor.from_ansi(number) if number is not None else None,
        bgcolor=RichColor.from_ansi(on) if on is not None else None,
    )
    return style + changed


def _number(color: RichColor | None, few: bool) -> int | None:
    triplet = color.triplet if color is not None else None
    return None if triplet is None else nearest(triplet, few=few)


@lru_cache(4_096)
def nearest(triplet: ColorTriplet, *, few: bool) -> int:
    """Number of the nearest colour in the palette."""
    if not few:
        return _CUBE_FIRST + _CUBE_AND_GREYS.match((triplet.red, triplet.green, triplet.blue))
    if max(triplet) - min(triplet) < _MIN_CHROMA:
        level = sum(triplet) / 3
        return min(_GREYS, key=lambda number: abs(_NAMED_COLOURS[number][0] - level))
    hues = [number for number in range(16) if number not in _GREYS]
    return min(hues, key=lambda number: _distance(_NAMED_COLOURS[number], triplet))


def _distance(one: tuple[int, int, int], other: ColorTriplet) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _readable_on(number: int, few: bool) -> int:
    """A text colour that can be read on this background."""
    if few:
        return 15 if number in (0, 1, 4, 5, 8) else 0
    return 231 if sum(palette_colour(_CUBE_AND_GREYS, number - _CUBE_FIRST)) < 3 * 128 else 16
