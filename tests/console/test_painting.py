"""Sparing compositor: the same cells as Textual's, from fewer widgets and rows."""

import copy
import random
import re

import pytest
from rich.console import Console
from textual._compositor import Compositor
from textual._context import visible_screen_stack
from textual.containers import Container
from textual.geometry import Region
from textual.screen import Screen
from textual.widgets import Static

from sprig_tui.console.painting import SparingCompositor
from sprig_tui.console.textual_private import TextualApp
from sprig_tui.console.widgets.line import TextSpan
from sprig_tui.console.widgets.line_list import LineList

SIZE = (50, 16)
SEQUENCE = re.compile(r"\x1b\[(\d+);(\d+)H|(\x1b\[[\d;]*m)|(\n)|(.)", re.DOTALL)


class Rows(LineList):
    """As many lines as are wanted, some wider than the list."""

    def __init__(self, count, width=0, **options):
        super().__init__(**options)
        self.wanted = (count, width)

    def on_mount(self):
        self.resize(self.wanted[0], width=self.wanted[1])

    def line(self, index):
        return [TextSpan(f"{index} ", "good"), TextSpan("word " * (index % 13))]


class Behind(Container):
    """Container that notes which of its rows were rendered."""

    def __init__(self, *children, **options):
        super().__init__(*children, **options)
        self.rendered = []

    def render_lines(self, crop):
        self.rendered.append(crop)
        return super().render_lines(crop)


class Panes(Screen):
    """Two panes side by side, with a list that has a scrollbar and one that has none, and a note over both."""

    CSS = """
    Panes { layers: below above; }
    Behind { layer: below; layout: horizontal; height: 14; }
    #left { width: 20; border: round green; }
    #right { width: 1fr; height: 5; }
    #note { layer: above; width: 12; height: 3; offset: 14 2; background: blue; }
    """

    def compose(self):
        yield Behind(Rows(1000, id="left"), Rows(4, 70, id="right"))
        yield Static("a note that stands over both panes", id="note")
        yield Static("the last row")
        yield (unseen := Static("in sight of nobody", id="unseen"))
        unseen.display = False


def cells(update, size, console):
    """Character and style of each cell that an update writes."""
    grid, x, y, style = {}, 0, 0, ""
    for row, column, sgr, newline, character in SEQUENCE.findall(update.render_segments(console)):
        if row:
            x, y = int(column) - 1, int(row) - 1
        elif sgr:
            style = sgr
        elif newline:
            x, y = 0, y + 1
        elif character:
            assert 0 <= x < size[0]
            assert 0 <= y < size[1]
            grid[x, y] = (character, style)
            x += 1
    return grid


def textual_twin(compositor):
    """Textual's own compositor in the same state."""
    twin = copy.copy(compositor)
    twin.__class__ = Compositor
    return twin


def ask_for_a_place(screen):
    """The place of the note, before the layout that it waits for: Textual works out all places anew for who asks."""
    for node in screen.walk_children(with_self=True):
        node._clear_arrangement_cache()
    # a widget that nobody sees was to be painted
    screen._compositor.update_widgets({screen.query_one("#unseen")})
    return screen.query_one("#note").region


async def test_what_is_painted_before_the_layout_has_the_places_that_were_asked_for():
    console = Console(color_system="truecolor", force_terminal=True)
    async with TextualApp().run_test(size=SIZE) as pilot:
        await pilot.app.push_screen(screen := Panes())
        await pilot.pause()
        compositor = screen._compositor
        assert compositor.cuts
        screen.query_one("#note").styles.offset = (27, 6)
        ask_for_a_place(screen)
        compositor._dirty_regions = {Region(0, 6, 50, 1)}
        visible_screen_stack.set([])
        written = cells(compositor.render_update(), SIZE, console)
        assert "".join(written[x, 6][0] for x in range(27, 39)) == "a note that "


async def test_updates_write_the_cells_that_textual_would_write():
    chooser = random.Random(16)
    console = Console(color_system="truecolor", force_terminal=True)
    async with TextualApp().run_test(size=SIZE) as pilot:
        await pilot.app.push_screen(screen := Panes())
        await pilot.pause()
        visible_screen_stack.set([])
        compositor = screen._compositor
        assert isinstance(compositor, SparingCompositor)
        whole = Region(0, 0, *SIZE)
        for turn in range(60):
            screen.query_one("#left", Rows).cursor = chooser.randrange(1000)
            if turn % 2:
                screen.query_one("#right", Rows).scroll_to(x=chooser.randrange(40), animate=False, force=True)
            await pilot.pause()
            regions = {
                Region(chooser.randrange(40), chooser.randrange(14), chooser.randint(1, 30), chooser.randint(1, 6))
                for _ in range(chooser.randint(1, 4))
            }
            regions = {region.intersection(whole) for region in regions} if turn else {whole}
            twin = textual_twin(compositor)
            twin._dirty_regions, compositor._dirty_regions = set(regions), set(regions)
            wanted = cells(twin.render_update(), SIZE, console)
            assert cells(compositor.render_update(), SIZE, console) == wanted
            assert len(wanted) >= max(region.area for region in regions)


async def test_an_update_renders_no_widget_that_others_cover_and_no_row_beside_it():
    async with TextualApp().run_test(size=SIZE) as pilot:
        await pilot.app.push_screen(screen := Panes())
        await pilot.pause()
        visible_screen_stack.set([])
        behind = screen.query_one(Behind)
        behind.rendered.clear()
        # in the list without a scrollbar, and the row below it, where nothing covers the container
        screen._compositor._dirty_regions = {Region(30, 3, 10, 1)}
        assert screen._compositor.render_update() is not None
        assert behind.rendered == []
        screen._compositor._dirty_regions = {Region(30, 9, 10, 1)}
        assert screen._compositor.render_update() is not None
        assert behind.rendered == [Region(0, 9, 50, 1)]


async def test_nothing_is_rendered_where_nothing_changed_or_the_change_is_out_of_sight():
    async with TextualApp().run_test(size=SIZE) as pilot:
        await pilot.app.push_screen(screen := Panes())
        await pilot.pause()
        for regions in (set(), {Region(0, 16, 50, 2)}):
            screen._compositor._dirty_regions = regions
            assert screen._compositor.render_update() is None


@pytest.mark.parametrize("scrolls", [False, True])
async def test_a_layout_clears_each_place_that_a_widget_left(scrolls):
    """Also where somebody asked for a place out of sight, or the list was scrolled, since the last layout."""
    async with TextualApp().run_test(size=SIZE) as pilot:
        await pilot.app.push_screen(screen := Panes())
        await pilot.pause()
        compositor, note = screen._compositor, screen.query_one("#note")
        left = compositor.full_map[note].region
        note.styles.margin = (7, 0, 0, 6)
        screen._clear_arrangement_cache()
        if scrolls:
            compositor.reflow_visible(screen, screen.size)
            note.styles.margin = (7, 0, 0, 16)
            screen._clear_arrangement_cache()
        compositor._full_map_invalidated = True
        now = compositor.full_map[note].region
        compositor._dirty_regions.clear()
        compositor.reflow(screen, screen.size)
        assert now != left
        places = {left, now, Region(20, 9, *left.size)} if scrolls else {left, now}
        assert {place for place in places if place not in compositor._dirty_regions} == set()
