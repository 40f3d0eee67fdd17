"""LineList: lines on demand, a cursor by key and click, nothing foreign through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from textual.app import App

from sprig_tui.console.widgets.line import TextSpan, fit_span
from sprig_tui.console.widgets.line_list import LineList


class Numbers(LineList):
    """Lines that say their number; notes which ones were asked for."""

    def __init__(self, count=1000, text="line {}", width=0):
        super().__init__()
        self.asked = []
        self.text = text
        self.start = (count, width)

    def on_mount(self):
        self.resize(self.start[0], width=self.start[1])

    def line(self, index):
        self.asked.append(index)
        return [TextSpan(self.text.format(index), "muted"), TextSpan("|", "good")]

    def empty_lines(self):
        return [[TextSpan("nothing here")], [TextSpan("press o", "muted")]]


class Host(App):
    CSS = "Numbers { height: 10; width: 40; }"

    def __init__(self, view):
        super().__init__()
        self.view = view
        self.heard = []

    def compose(self):
        yield self.view

    def on_mount(self):
        self.view.focus()

    def on_line_list_highlighted(self, message):
        self.heard.append(("moved", message.index))

    def on_line_list_selected(self, message):
        self.heard.append(("chosen", message.index))


def shown(view):
    return [view.render_line(y).text.rstrip() for y in range(view.size.height)]


async def test_line_list_builds_only_visible_lines():
    async with Host(view := Numbers(1_000_000)).run_test() as pilot:
        await pilot.pause()
        assert set(view.asked) == set(range(10))
        assert shown(view)[0] == "line 0|"
        await pilot.press("G")
        assert view.cursor == 999_999
        assert shown(view)[-1] == "line 999999|"
        assert len(set(view.asked)) == 20


@pytest.mark.parametrize(
    ("keys", "cursor", "first"),
    [
        ("j", 1, 0),
        ("down", 1, 0),
        ("j j k", 1, 0),
        ("k", 0, 0),
        ("pagedown", 10, 10),
        ("ctrl+d", 5, 5),
        ("pagedown pageup", 0, 0),
        ("end", 999, 990),
        ("G g", 0, 0),
        ("G pageup", 989, 980),
    ],
)
async def test_keys(keys, cursor, first):
    async with Host(view := Numbers()).run_test() as pilot:
        await pilot.press(*keys.split())
        assert (view.cursor, view.is_visible.start) == (cursor, first)
        assert view.cursor in view.is_visible


async def test_click_moves_and_a_second_one_opens():
    host = Host(view := Numbers())
    async with host.run_test() as pilot:
        await pilot.press("pagedown")
        host.heard.clear()
        await pilot.click(view, offset=(3, 4))
        await pilot.click(view, offset=(3, 4))
        await pilot.press("enter")
        assert host.heard == [("moved", 14), ("chosen", 14), ("chosen", 14)]


async def test_click_below_the_last_line_does_nothing():
    host = Host(view := Numbers(3))
    async with host.run_test() as pilot:
        await pilot.click(view, offset=(3, 7))
        assert view.cursor == 0


async def test_cursor_stays_on_its_line_when_lines_change():
    async with Host(view := Numbers(0)).run_test() as pilot:
        assert view.cursor == -1
        assert shown(view)[:2] == ["nothing here", "press o"]
        await pilot.press("j", "G", "enter")
        view.resize(5)
        await pilot.pause()
        assert view.cursor == 0
        await pilot.press("G")
        view.resize(2)
        await pilot.pause()
        assert view.cursor == 1
        assert shown(view)[:3] == ["line 0|", "line 1|", ""]
        view.resize(0)
        assert view.cursor == -1


async def test_growing_list_needs_no_layout():
    async with Host(view := Numbers(1000)).run_test() as pilot:
        await pilot.pause()
        laid_out = []
        view.watch(view, "virtual_size", laid_out.append, init=False)
        view.resize(2000)
        await pilot.press("G")
        assert view.cursor == 1999
        assert shown(view)[-1] == "line 1999|"
        assert not laid_out


async def test_invalidate_builds_only_changed_lines_again():
    async with Host(view := Numbers()).run_test() as pilot:
        await pilot.pause()
        view.asked.clear()
        view.text = "changed {}"
        view.invalidate([3, 700])
        await pilot.pause()
        assert view.asked == [3]
        assert shown(view)[2:5] == ["line 2|", "changed 3|", "line 4|"]


async def test_scrolls_sideways_by_cells():
    async with Host(view := Numbers(5, text="日本語" * 20, width=121)).run_test() as pilot:
        await pilot.press("right")
        assert view.scroll_offset.x == 8
        strip = view.render_line(0)
        assert strip.cell_length == view.scrollable_content_region.width
        assert strip.text.startswith("本語日")


async def test_line_list_makes_control_characters_visible():
    nasty = "[bold]x[/foo]\x1b[2J\x1b]0;title\x07\n\u202eevil\u200b"
    async with Host(view := Numbers(3, text=nasty.replace("{", "{{"))).run_test() as pilot:
        await pilot.pause()
        text = view.render_line(0).text
        assert text.startswith("[bold]x[/foo]␛[2J")
        assert text.isprintable()


async def test_a_huge_line_is_cut():
    async with Host(view := Numbers(1, text="x" * 2_000_000)).run_test() as pilot:
        await pilot.pause()
        assert view.render_line(0).cell_length == view.scrollable_content_region.width


async def test_every_segment_has_a_style():
    async with Host(view := Numbers(3)).run_test() as pilot:
        await pilot.pause()
        assert all(segment.style for y in range(10) for segment in view.render_line(y))


@given(st.text(), st.integers(0, 40))
def test_fit_fills_exactly(text, width):
    assert cell_len(fit_span(text, width)) == width


@pytest.mark.parametrize(
    ("text", "width", "fitted"),
    [
        ("abc", 5, "abc  "),
        ("abcdef", 4, "abc…"),
        ("日本語", 4, "日 …"),
        ("日本語", 6, "日本語"),
        ("ab", 1, "…"),
        ("ab", 0, ""),
    ],
)
def test_fit_span(text, width, fitted):
    assert fit_span(text, width) == fitted


async def test_revise_repaints_only_changed_lines():
    async with Host(view := Numbers(30)).run_test() as pilot:
        await pilot.press("j")
        await pilot.pause()
        said = {3: "changed", 20: "changed too"}
        view.line = lambda index: [TextSpan(said.get(index, f"line {index}"), "muted"), TextSpan("|", "good")]
        painted = []
        view.refresh_line, refresh = lambda y: painted.append(y) or refresh(y), view.refresh_line
        view.revise()
        await pilot.pause()
        assert painted == [3]
        assert shown(view)[2:4] == ["line 2|", "changed|"]
        await pilot.press("pagedown", "pagedown")
        assert "changed too|" in shown(view)


async def test_list_that_fits_grows_without_layout():
    async with Host(view := Numbers(3)).run_test() as pilot:
        await pilot.pause()
        laid_out = []

        def noted(size):
            laid_out.append(size)

        view.watch(view, "virtual_size", noted, init=False)
        view.resize(7)
        await pilot.pause()
        assert shown(view)[6:8] == ["line 6|", ""]
        assert not laid_out
        view.resize(11)
        await pilot.pause()
        assert laid_out
        assert view.vertical_scrollbar.display


async def test_scrollbar_thumb_goes_from_the_top_to_the_bottom():
    async with Host(Numbers(60)).run_test() as pilot:

        def thumb() -> list[bool]:
            strips = pilot.app.screen._compositor.render_strips()[:10]
            cells = [next(iter(strip.crop(39, 40))).style for strip in strips]
            return [style.bgcolor == min(cells, key=lambda one: one.bgcolor.triplet).bgcolor for style in cells]

        await pilot.pause()
        top = thumb()
        await pilot.press("G")
        await pilot.pause()
        assert thumb() == top[::-1] != top
