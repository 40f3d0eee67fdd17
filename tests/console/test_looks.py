"""Looks on terminals with less: ASCII glyphs, 16 colours, few cells; and the badge, which is always on the screen."""

from __future__ import annotations

import ast
import re
import unicodedata
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.color import ColorType
from rich.segment import Segment
from rich.style import Style

import sprig_tui
from sprig_tui.config.paths import paths_in_folder
from sprig_tui.config.settings import make_settings
from sprig_tui.config.toml_file import read_config_file
from sprig_tui.console.glyphs import AsciiGlyphs, ascii_key, choose_glyphs, to_ascii
from sprig_tui.console.preferences import KEYS, preferences
from sprig_tui.console.theme import ANSI_THEME, DEFAULT_THEME, default_theme

PACKAGE = Path(sprig_tui.__file__).parent
NOT_DRAWN = {"config/secret_lint.py", "journal/export_format.py", "journal/query.py"}
"""Modules with other letters than ASCII that they only look for."""


@pytest.mark.parametrize(
    ("wanted", "environ", "encoding", "glyphs", "fault"),
    [
        (None, {"LANG": "de_DE.UTF-8", "TERM": "xterm-256color"}, "utf-8", "unicode", ""),
        (None, {}, "utf-8", "unicode", ""),
        (None, {"LANG": "C"}, "utf-8", "ascii", ""),
        (None, {"LANG": "C", "LC_CTYPE": "C.UTF-8"}, "utf-8", "ascii", ""),
        (None, {"LC_CTYPE": "C.UTF-8"}, "utf-8", "unicode", ""),
        (None, {"LANG": "C.UTF-8"}, "utf-8", "unicode", ""),
        (None, {"LC_ALL": "POSIX", "LANG": "de_DE.UTF-8"}, "utf-8", "ascii", ""),
        (None, {"LC_ALL": "C.UTF-8", "LANG": "C"}, "utf-8", "unicode", ""),
        (None, {"LANG": "de_DE"}, "iso8859-1", "ascii", ""),
        (None, {"LANG": "de_DE.UTF-8", "TERM": "linux"}, "utf-8", "ascii", ""),
        ("unicode", {"LANG": "C", "TERM": "linux"}, "utf-8", "unicode", ""),
        ("ascii", {"LANG": "de_DE.UTF-8"}, "utf-8", "ascii", ""),
        ("asci", {}, "utf-8", "unicode", "there are no glyphs 'asci'; did you mean ascii?"),
        (7, {"LANG": "C"}, "utf-8", "ascii", "no glyphs that"),
    ],
)
def test_choose_glyphs(wanted, environ, encoding, glyphs, fault):
    chosen, said = choose_glyphs(wanted, environ, encoding)
    assert chosen == glyphs
    assert fault in said
    assert bool(fault) == bool(said)


def test_unknown_key_of_the_console_is_named(tmp_path):
    config = tmp_path / "config.toml"
    config.write_text('[console]\nthem = "nord"\nglyphs = "asci"\n')
    settings = make_settings(read_config_file(config), paths_in_folder(str(tmp_path)), {})
    assert [fault.partition(";")[0] for fault in preferences(settings).faults] == [
        "unknown key console.them",
        "console.glyphs: there are no glyphs 'asci'",
    ]
    # each key that is read is known
    read = {key for file in PACKAGE.rglob("*.py") for key in re.findall(r'\.console\.get\("(\w+)"', file.read_text())}
    assert read <= set(KEYS)
    assert "theme" in read


def drawn_glyphs() -> dict[str, str]:
    """Every letter beyond ASCII in texts of the sources, with its module."""
    found: dict[str, str] = {}
    for file in PACKAGE.rglob("*.py"):
        name = str(file.relative_to(PACKAGE))
        if name in NOT_DRAWN or name.startswith("segment/sink/") or name == "console/glyphs.py":
            continue
        text = file.read_text(encoding="utf-8")
        if text.isascii():
            continue
        tree = ast.parse(text)
        docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
                found |= dict.fromkeys((letter for letter in node.value if ord(letter) > 0x9F), name)
    return found


def test_every_glyph_has_an_ascii_one_as_wide():
    glyphs = drawn_glyphs()
    assert len(glyphs) > 30
    borders = "╭─╮│╰╯▔▁▎▊▌┌┐└┘█▄▀"
    for glyph in [*glyphs, *borders]:
        if not glyph.isprintable() or unicodedata.category(glyph)[0] in "LM":
            continue
        text = to_ascii(glyph)
        assert text.isascii(), (glyph, glyphs.get(glyph))
        assert cell_len(text) == cell_len(glyph), glyph


def test_signs_that_mean_different_things_look_different():
    for signs in ("█░▒!", "█!+┊░·", "✓!✗·", "●○‖◷✗", "▸▾", "▁▂▃▄▅▆▇█"):
        assert len(set(to_ascii(signs))) == len(signs)


def test_foreign_text_stays_where_the_terminal_has_it():
    assert to_ascii("日本 é ✓") == "日本 é +"
    assert to_ascii("日本 é ✓", "iso8859-1") == "???? é +"
    style = Style(bold=True)
    (segment,) = AsciiGlyphs("ascii").apply([Segment("é…", style)], None)
    assert segment == Segment("?~", style)
    assert ascii_key("⏎") == "enter"


@pytest.mark.parametrize(
    ("colours", "theme"),
    [("truecolor", DEFAULT_THEME), ("256", ANSI_THEME), ("standard", ANSI_THEME), (None, DEFAULT_THEME)],
)
def test_theme_where_none_is_chosen(colours, theme):
    assert default_theme(colours) == theme


async def test_ascii_in_16_colours_and_the_badge(console, snapshot):
    console.write('[console]\nglyphs = "ascii"\ntheme = "sprig-ansi"\n')
    console.keys(production="k" * 32)
    async with console.running(size=(120, 40), read_only=True) as pilot:
        app = pilot.app
        await console.press("3")
        await snapshot(pilot, "ascii-in-16-colours")
        assert "enter detail" in console.text()
        styles = [segment.style for strip in app.screen._compositor.render_strips(app.size) for segment in strip]
        kinds = {color.type for style in styles if style for color in (style.color, style.bgcolor) if color}
        assert kinds <= {ColorType.DEFAULT, ColorType.STANDARD}
        await console.press("vertical_line")
        await console.until(lambda: "Columns of the log" in console.text())
        await snapshot(pilot, "ascii-in-16-colours-columns")
        for size in ((80, 24), (40, 10)):
            await pilot.resize_terminal(*size)
            for keys in (("escape",), ("question_mark",), ("escape", "f3"), ("escape", "ctrl+p"), ("escape", "1")):
                await console.press(*keys)
                assert "read-only" in console.text().splitlines()[0], (size, keys)
                assert console.text().isascii()
        # glyphs of a config that is read again
        console.write(console.paths.config_file.read_text().replace('"ascii"', '"unicode"'))
        await console.until(lambda: "╭" in console.text())
