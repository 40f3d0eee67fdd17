"""Layouts and frames of the whole console: none for what changes nothing."""

from __future__ import annotations

from contextlib import contextmanager

from textual.screen import Screen

from sprig_tui.console.painting import SparingCompositor

from .screen_snapshot import settle


@contextmanager
def counted(monkeypatch, screen):
    """Layouts of a screen and whole frames of it, as they happen."""
    seen = []
    lay_out, render = Screen._refresh_layout, SparingCompositor.render_full_update

    def noted_layout(self, *arguments, **options):
        seen.extend(["layout"] * (self is screen))
        return lay_out(self, *arguments, **options)

    def noted_frame(self, *arguments, **options):
        seen.extend(["whole frame"] * (self is screen._compositor))
        return render(self, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Screen, "_refresh_layout", noted_layout)
        patched.setattr(SparingCompositor, "render_full_update", noted_frame)
        yield seen


async def test_style_sheets_that_come_after_the_first_paint_are_not_about_what_is_there(console):
    async with console.running() as pilot:
        await settle(pilot)
        widgets = [pilot.app.screen, *pilot.app.screen.walk_children()]
        before = [dict(widget.styles.base.get_rules()) for widget in widgets]
        pilot.app.refresh_css(animate=False)
        after = [dict(widget.styles.base.get_rules()) for widget in widgets]
        assert {
            str(widget): rules for widget, rules, again in zip(widgets, before, after, strict=True) if rules != again
        } == {}
        assert pilot.app.screen.query_one("#deliveries").styles.height is not None


async def test_another_pane_gets_the_focus_without_a_layout(console, monkeypatch):
    async with console.running(size=(120, 40)) as pilot:
        await console.press("3")
        await settle(pilot)
        with counted(monkeypatch, pilot.app.main) as seen:
            await console.press("1")
            await settle(pilot)
            await console.press("2")
            await settle(pilot)
        assert seen == []


async def test_the_panes_are_painted_once_when_a_dialog_closes(console, monkeypatch, screen_text):
    async with console.running(size=(120, 40)) as pilot:
        await console.press("1", "question_mark")
        await settle(pilot)
        assert "Help: Environments" in screen_text(pilot.app)
        with counted(monkeypatch, pilot.app.main) as seen:
            await console.press("escape")
            await settle(pilot)
        assert seen == ["whole frame"]
        assert "Help: Environments" not in screen_text(pilot.app)
