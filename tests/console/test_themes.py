"""Which theme is taken, and what is said of one that is not there."""

from __future__ import annotations

import pytest

from sprig_tui.console.theme import DEFAULT_THEME, choose_theme


@pytest.mark.parametrize(
    ("wanted", "theme", "fault"),
    [
        (None, DEFAULT_THEME, ""),
        ("nord", "nord", ""),
        ("nrod", DEFAULT_THEME, "did you mean nord?"),
        (7, DEFAULT_THEME, "no theme that"),
        ("x" * 500, DEFAULT_THEME, "no theme"),
    ],
)
def test_choose_theme(wanted, theme, fault):
    chosen, said = choose_theme(wanted, ["sprig", "sprig-light", "nord"])
    assert chosen == theme
    assert fault in said
    assert bool(fault) == bool(said)
    assert len(said) < 300


async def pick(console, name: str) -> None:
    """As a person does: the palette, `theme`, the name."""
    await console.press("ctrl+p", *"theme")
    await console.until(lambda: "Choose other colours" in console.text())
    await console.press("enter")
    await console.until(lambda: "Search for themes" in console.text())
    await console.press(*name)
    await console.until(lambda: console.text().count(name) > 1)
    await console.press("enter")


CONFIG = """\
# ours
[console]   # how it looks
theme = "nord"  # set by mira
# about keys
[keys]
"""


async def test_theme_picked_in_palette_is_saved_in_config(console):
    console.write(CONFIG)
    async with console.running() as pilot:
        await pick(console, "dracula")
        await console.until(lambda: "theme dracula, saved for the next start" in " ".join(console.notices()))
        assert pilot.app.theme == "dracula"
    assert console.paths.config_file.read_text() == CONFIG.replace('"nord"', '"dracula"')
    async with console.running() as pilot:
        assert pilot.app.theme == "dracula"

        # other changes on disk are kept, and another theme that came there is not overwritten
        console.write(console.paths.config_file.read_text() + 'help = "f2"\n')
        pilot.app.theme = "gruvbox"
        await console.until(lambda: console.config() == {"console": {"theme": "gruvbox"}, "keys": {"help": "f2"}})
        await console.until(lambda: any("theme gruvbox, saved" in said for said in console.notices()))
        console.write(CONFIG.replace("nord", "monokai"))
        pilot.app.theme = "dracula"
        await console.until(lambda: pilot.app.theme == "monokai")
        await console.until(lambda: any("changed on disk meanwhile" in said for said in console.notices()))
        assert console.config()["console"]["theme"] == "monokai"


async def test_without_a_config_one_is_made_for_it(console):
    async with console.running() as pilot:
        pilot.app.theme = "gruvbox"
        await console.until(lambda: console.config() == {"console": {"theme": "gruvbox"}})


@pytest.mark.parametrize(("permissions", "why"), [({"read_only": True}, "read-only"), ({"config": False}, "demo")])
async def test_theme_is_not_saved_where_config_is_read_only(console, permissions, why):
    console.write(CONFIG)
    async with console.running(**permissions) as pilot:
        pilot.app.theme = "dracula"
        await console.until(lambda: any("for now" in said and why in said for said in console.notices()))
        assert pilot.app.theme == "dracula"
    assert console.paths.config_file.read_text() == CONFIG


def lightness(color) -> float:
    red, green, blue = color.triplet
    return 0.3 * red + 0.59 * green + 0.11 * blue


async def test_muted_and_disabled_texts_have_less_contrast(console):
    async with console.running(read_only=True) as pilot:
        await console.press("3")
        for theme in ("sprig", "sprig-light"):
            console.write(f'[console]\ntheme = "{theme}"\n')
            await pilot.app.config_editor.reload_if_changed()
            await console.press()
            assert pilot.app.theme == theme
            found = {}
            for y in (0, pilot.app.size.height - 1):
                for segment in pilot.app.screen._compositor.render_strips()[y]:
                    style = segment.style
                    if style.color is None:
                        continue
                    found[segment.text.strip()] = abs(lightness(style.color) - lightness(style.bgcolor))
            assert found["sprig-tui"] > found["queued 0"] > 40, theme
            assert found["filter"] > found["replay"] > 20, theme
