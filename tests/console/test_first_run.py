"""First run and looks: what to do next, in every size, theme and without colour."""

from __future__ import annotations

import os

import pytest


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_first_run_shows_next_steps(console, snapshot, size):
    async with console.running(size=size) as pilot:
        assert pilot.app.main.focused_scope() == "environments"
        await snapshot(pilot, "first-run")
    assert not console.paths.config_file.exists()


@pytest.mark.parametrize(("theme", "name"), [("sprig-light", "light"), ("textual-ansi", "ansi")])
async def test_themes_show_the_same_text(console, snapshot, theme, name):
    console.write(f'[console]\ntheme = "{theme}"\n')
    async with console.running() as pilot:
        assert pilot.app.theme == theme if name == "light" else True
        shown = console.text()
    assert "Environments" in shown


async def test_answers_left_by_a_killed_edit_are_removed_at_the_start(console):
    left = console.paths.state_dir / "edit-killed"
    left.mkdir(parents=True)
    (left / "payload.json").write_text("{}")
    os.utime(left, (1, 1))
    async with console.running(ready=False):
        await console.until(lambda: not left.exists())


async def test_no_color_shows_the_same_text(console, monkeypatch, screen_text):
    async with console.running() as pilot:
        coloured = screen_text(pilot.app)
    monkeypatch.setenv("NO_COLOR", "1")
    async with console.running() as pilot:
        await console.until(lambda: screen_text(pilot.app) == coloured)
