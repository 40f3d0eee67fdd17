"""The themes on terminals of 256 and of 16 colours."""

from __future__ import annotations

import pytest
from rich.color import Color
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style
from textual.color import Color as TextualColor

from sprig_tui.console.palette_colours import nearest, palette_filter
from sprig_tui.console.theme import THEMES

GREYS_256 = {16, 59, 102, 145, 188, 231, *range(232, 256)}
GREYS_16 = {0, 7, 8, 15}


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
def test_grounds_and_bars_stay_grey(theme):
    """Rich alone makes navy (17) and teal (23) of them."""
    for part in (theme.background, theme.surface, theme.panel, theme.foreground, theme.variables["border-blurred"]):
        triplet = ColorTriplet(*TextualColor.parse(part).rgb)
        assert nearest(triplet, few=False) in GREYS_256, part
        assert nearest(triplet, few=True) in GREYS_16, part


def test_the_colours_of_states_are_told_apart():
    theme = THEMES[0]
    for few in (False, True):
        found = {nearest(ColorTriplet(*TextualColor.parse(part).rgb), few=few) for part in (theme.error, theme.success)}
        assert len(found) == 2


@pytest.mark.parametrize("system", ["256", "standard"])
def test_text_never_has_the_colour_it_stands_on(system):
    line = palette_filter(system)
    style = Style(color=Color.from_rgb(20, 25, 28), bgcolor=Color.from_rgb(18, 23, 26), bold=True)
    (segment,) = line.apply([Segment("queued", style)], TextualColor(0, 0, 0))
    assert segment.style.bold
    assert segment.style.color.number != segment.style.bgcolor.number


def test_palette_filter_is_none_for_truecolor_and_no_color():
    assert palette_filter("truecolor") is None
    assert palette_filter(None) is None
