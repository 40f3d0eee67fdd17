"""Glyphs of the console: Unicode, or ASCII for terminals that have no others; the only place where they are chosen.

The console is written in Unicode. For ASCII a filter replaces each glyph when a line is painted, by one as wide: so the
layout is the same, and what Textual draws by itself (frames, scrollbars, the palette) is replaced too.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Literal

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from sprig_tui.config.toml_file import nearest_key_hint

Glyphs = Literal["unicode", "ascii"]
GLYPHS: tuple[Glyphs, ...] = ("ascii", "unicode")

_LOOKALIKES = (
    ("─━═╌┄┈▔", "-"),
    ("▁", "_"),
    ("│┃║┊┆▏▎▍▌▋▊▉▐▕", "|"),
    ("┌┐└┘├┤┬┴┼╭╮╯╰╔╗╚╝┏┓┗┛▖▗▘▝▙▛▜▟▚▞", "+"),
    # bars, lowest first; the lowest is above
    ("▂", "."),
    ("▃", ":"),
    ("▄", "-"),
    ("▅", "="),
    ("▆", "+"),
    ("▇", "*"),
    ("█▀■", "#"),
    # shades of bars, whose legends need different ones
    ("░", "."),
    ("▒", ":"),
    ("▓", "%"),
    ("●•◉", "*"),
    ("○◌", "o"),
    ("◷", "@"),
    ("‖", "="),
    ("▲↑", "^"),
    ("▼▽▾↓", "v"),
    ("▸▶►→⇥»⟩", ">"),
    ("◂◀←«⟨", "<"),
    ("⚠", "!"),
    ("✓✔", "+"),
    ("✗✘✖", "x"),
    ("·—", "-"),
    ("…", "~"),
    ("⏎", "\\"),
    ("␛", "^"),
    ("␡\ufffd", "?"),
    ("µ", "u"),
    ("🔎", "/ "),
)
_BRAILLE_BLANK, _BY_DOTS = 0x2800, " .:-=+*#@"
"""The first of the 256 signs of Braille, in which plots are drawn, and their lookalikes by the number of dots."""
_ASCII = {
    **{ord(glyph): text for glyphs, text in _LOOKALIKES for glyph in glyphs},
    **{_BRAILLE_BLANK + dots: _BY_DOTS[dots.bit_count()] for dots in range(256)},
}
_KEY_NAMES = {"⏎": "enter", "↑": "up", "↓": "down", "←": "left", "→": "right", "⌫": "backspace"}
"""Names of keys that Textual shows as signs, for ASCII."""


def ascii_key(display: str) -> str:
    """A key as shown to the user, such as `enter` for `⏎`."""
    for sign, name in _KEY_NAMES.items():
        display = display.replace(sign, name)
    return display


@lru_cache(maxsize=8_192)
def to_ascii(text: str, encoding: str = "utf-8") -> str:
    """The text in as many cells, with lookalikes for glyphs, and `?` for what the terminal's encoding does not have.

    Letters of foreign text stay as they are where the encoding has them.
    """
    text = text.translate(_ASCII)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = "".join(letter if _has(letter, encoding) else "?" * cell_len(letter) for letter in text)
    return text


def _has(letter: str, encoding: str) -> bool:
    try:
        letter.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


class AsciiGlyphs(LineFilter):
    """Filter that paints every line in ASCII glyphs."""

    def __init__(self, encoding: str) -> None:
        """`encoding` is that of the terminal."""
        super().__init__()
        self._encoding = encoding

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        del background
        return [
            segment
            if segment.text.isascii() or segment.control
            else Segment(to_ascii(segment.text, self._encoding), segment.style)
            for segment in segments
        ]


def terminal_encoding() -> str:
    """The encoding in which the driver writes."""
    return getattr(sys.__stderr__, "encoding", None) or "utf-8"


def choose_glyphs(wanted: object, environ: Mapping[str, str], encoding: str) -> tuple[Glyphs, str]:
    """The glyphs to draw, and the problem with `console.glyphs` of the config; empty where there is none."""
    fault = ""
    if wanted is not None:
        chosen = next((glyphs for glyphs in GLYPHS if glyphs == wanted), None)
        if chosen is not None:
            return chosen, ""
        shown = repr(wanted[:60]) if isinstance(wanted, str) else "that"
        fault = f"console.glyphs: there are no glyphs {shown}; {nearest_key_hint(str(wanted)[:60], GLYPHS)}"
    return ("unicode" if _has_unicode(environ, encoding) else "ascii"), fault


def _has_unicode(environ: Mapping[str, str], encoding: str) -> bool:
    """Whether the terminal shows more than ASCII, as far as its environment says."""
    if environ.get("TERM") == "linux" or encoding.lower().replace("-", "") != "utf8":
        return False
    language = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or ""
    if language == "C.UTF-8" and not environ.get("LC_ALL"):
        # Python sets LC_CTYPE to this where the locale is C
        language = environ.get("LANG") or language
    return language not in ("C", "POSIX")
