"""The scrollbar looks as Textual's does, and is painted only when it would look other than before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.scrollbar import ScrollBarRender

from sprig_tui.console.line import Part
from sprig_tui.console.line_view import LineView
from sprig_tui.console.quiet_bar import EIGHTHS, QuietBar, thumb_ends


def looks(lines: int, window: int, position: float) -> str:
    """Textual's own drawing."""
    drawn = ScrollBarRender.render_bar(size=window, virtual_size=lines, window_size=window, position=position)
    styles = [(segment.style.reverse, segment.style.bgcolor) for segment in drawn.segments if segment.style]
    return f"{[segment.text for segment in drawn.segments]} {styles}"


@given(st.integers(3, 60), st.integers(1, 2_000_000), st.floats(0, 1), st.floats(0, 1))
def test_what_looks_other_has_other_ends(window, more, first, second):
    lines = window + more
    one, other = (int(part * more * EIGHTHS) / EIGHTHS for part in (first, second))
    if looks(lines, window, one) != looks(lines, window, other):
        assert thumb_ends(window, lines, window, one) != thumb_ends(window, lines, window, other)


class Many(LineView):
    def line(self, index):
        return [Part(f"line {index}")]


@pytest.mark.parametrize(("lines", "painted"), [(1_000_000, False), (60, True)])
async def test_a_page_paints_it_only_where_it_moves(host, lines, painted):
    app = host(view := Many())
    async with app.run_test(size=(40, 20)) as pilot:
        view.focus()
        view.resize(lines)
        await pilot.pause()
        bar = view.vertical_scrollbar
        assert isinstance(bar, QuietBar)
        assert bar.display
        # what showing it for the first time paints may come late: a page before the one that is looked at
        await pilot.press("pagedown")
        while bar._ends() != bar._drawn or bar._dirty_regions:
            await pilot.pause()
        made = []
        bar.render_lines, render = lambda crop: made.append(bar._dirty_regions.copy()) or render(crop), bar.render_lines
        await pilot.press("pagedown")
        assert view.in_sight.start == 40
        assert any(made) is painted
        await pilot.press("G")
        start, length = thumb_ends(20, lines, 20, bar.position)
        assert start + length >= 19 * EIGHTHS
