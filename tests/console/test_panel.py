"""Frame of a pane: its title, and the caption in front of its content."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Static

from sprig_tui.console.widgets.panel import Caption, Panel


class Pane(Panel):
    DEFAULT_CSS = "Pane { border: round green; height: 10; } Caption { height: auto; } Static { height: 1fr; }"

    def __init__(self) -> None:
        super().__init__()
        self.caption = Caption(classes="caption")

    def compose(self) -> ComposeResult:
        yield Static("inside")
        yield self.caption


async def test_title_and_caption_show_their_last_text(host, screen_text):
    pane = Pane()
    pane.caption.show(Content("said before it is mounted"))
    app = host(pane)
    async with app.run_test(size=(60, 20)) as pilot:
        assert "said before it is mounted" in screen_text(app)
        for title, text in (("one", "812 bytes"), ("two", "813 bytes\nwithheld: anonymous"), ("three", "900 bytes")):
            pane.retitle(Content(f"Payload ── {title}"))
            pane.caption.show(Content(text))
            await pilot.pause()
            shown = screen_text(app)
            assert f"Payload ── {title}" in shown.splitlines()[0]
            assert all(line in shown for line in text.splitlines())
        assert "withheld" not in shown
        pane.caption.show(Content(""))
        await pilot.pause()
        assert not pane.caption.display


async def test_title_of_other_colours_is_another_title(host):
    app = host(pane := Pane())
    async with app.run_test(size=(60, 20)) as pilot:
        pane.retitle(Content("title"))
        pane.retitle(Content.styled("title", "bold"))
        await pilot.pause()
        assert pane._title.spans
