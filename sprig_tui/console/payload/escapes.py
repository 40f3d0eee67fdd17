r"""JSON's `\u` escapes read for people: letters that a writer of ASCII had to escape are shown as letters."""

from __future__ import annotations

import re

from sprig_tui.text import printable

_ESCAPE = re.compile(
    r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|.)", re.DOTALL
)


def unescape_letters(json: str) -> str:
    """JSON text, or its beginning, with letters for escapes, where a letter is all that the escape stands for.

    Controls, quotes, and what is not seen stay escaped, so that the text still means the same JSON.
    """
    return _ESCAPE.sub(_unescape_letter, json) if "\\u" in json else json


def _unescape_letter(found: re.Match[str]) -> str:
    high, low, single = found.groups()
    if high:
        letter = chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
    elif single and not 0xD800 <= int(single, 16) < 0xE000:
        letter = chr(int(single, 16))
    else:
        return found.group()
    plain = letter not in '"\\' and letter != " " and printable(letter) == letter
    return letter if plain else found.group()
