"""Frames and captions: another title or text paints its own rows, and lays nothing out that keeps its size."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from sprig_tui.console.framed import Caption, Framed


class Pane(Framed):
    DEFAULT_CSS = "Pane { border: round green; height: 10; } Caption { height: auto; } Static { height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self.caption = Caption(classes="caption")

    def compose(self) -> ComposeResult:
        yield Static("inside")
        yield self.caption


async def test_a_title_paints_the_first_row_alone(host, screen_text, monkeypatch):
    app = host(pane := Pane())
    async with app.run_test(size=(60, 20)) as pilot:
        pane.retitle(Content("Payload ── one"))
        await pilot.pause()
        painted = []
        render = app.screen._compositor.render_partial_update
        monkeypatch.setattr(
            app.screen._compositor,
            "render_partial_update",
            lambda: painted.extend(app.screen._compositor._dirty_regions) or render(),
        )
        pane.retitle(Content("Payload ── two"))
        await pilot.pause()
        assert "Payload ── two" in screen_text(app).splitlines()[0]
        assert {(region.y, region.height) for region in painted} == {(0, 1)}
        painted.clear()
        pane.retitle(Content("Payload ── two"))
        await pilot.pause()
        assert not painted


async def test_a_title_of_other_colours_is_another_title(host):
    app = host(pane := Pane())
    async with app.run_test(size=(60, 20)) as pilot:
        pane.retitle(Content("title"))
        pane.retitle(Content.styled("title", "bold"))
        await pilot.pause()
        assert pane._title.spans


async def test_a_caption_lays_the_screen_out_only_for_more_or_fewer_lines(host, screen_text, monkeypatch):
    app = host(pane := Pane())
    laid_out = []
    refresh = Screen._refresh_layout
    monkeypatch.setattr(Screen, "_refresh_layout", lambda self, *a, **k: laid_out.append(1) or refresh(self, *a, **k))
    async with app.run_test(size=(60, 20)) as pilot:

        async def said(text: str) -> tuple[bool, bool]:
            laid_out.clear()
            pane.caption.say(Content(text))
            await pilot.pause()
            return text.rsplit("\n", maxsplit=1)[-1] in screen_text(app), bool(laid_out)

        assert not pane.caption.display
        assert await said("812 bytes of 32 KB") == (True, True)
        assert await said("813 bytes of 32 KB") == (True, False)
        assert await said("813 bytes of 32 KB\nwithheld: anonymous") == (True, True)
        assert await said("900 bytes of 32 KB\nwithheld: duplicate") == (True, False)
        assert await said("900 bytes of 32 KB") == (True, True)
        assert "withheld" not in screen_text(app)
        await said("")
        assert not pane.caption.display


async def test_what_is_said_before_it_is_mounted_is_shown(host, screen_text):
    pane = Pane()
    pane.caption.say(Content("early"))
    app = host(pane)
    async with app.run_test(size=(60, 20)):
        assert "early" in screen_text(app)
