"""Printable text: untrusted text cannot control a terminal, hide, or change the order of a line.

Letters of every script (right-to-left ones too), marks, symbols, emoji, CJK and its wide space stay as they are.
Everything that a terminal would obey or not show is replaced:

- tab and line feed (also CR LF) as ⇥ and ⏎; other C0 controls and DEL as their Control Pictures (␛)
- C1 controls, bidi controls, zero-width and other format characters, line and paragraph separators, tag characters,
  lone surrogates, private use, unassigned code points and blank letters as ⟨U+202E⟩
- other spaces (no-break, thin ...) as a plain space
- a zero-width joiner between two emoji is left out, so that each emoji is shown by itself: terminals disagree on the
  width of the joined form, and a wrong width breaks the columns beside it
- of many marks on one letter, which would cover the lines above and below, four stay, and the rest are counted
- a variation selector stays after the character whose form it selects; a second one is shown as ⟨U+FE0F⟩, since runs
  of them can carry hidden text
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Final

ELLIPSIS: Final = "…"
REDACTED: Final = "[redacted]"
_MIN_PREFIX_CHARS = 8
"""Characters at the end of a text that count as a truncated secret."""
_MIN_BASE64_CHARS = 12
"""Characters of base64 that are searched for; fewer could match by chance."""

_ZWJ = 0x200D
_VARIATION_SELECTORS = frozenset({0xFE0E, 0xFE0F})
_IDEOGRAPH_SELECTORS = range(0xE0100, 0xE01F0)
_IDEOGRAPHS = (range(0x3400, 0xA000), range(0xF900, 0xFB00), range(0x20000, 0x3FFFE))
_NEW_EMOJI = range(0x1F000, 0x1FB00)
"""Reserved for pictographs: emoji newer than the Unicode tables of this Python stay emoji."""
_NEW_IDEOGRAPHS = range(0x2EBF0, 0x323B0)
_BLANK_LETTERS = frozenset(
    {0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x180C, 0x180D, 0x180F, 0x2800, 0x3164, 0xFFA0}
)
"""Printable by their category, but invisible."""
_PLAIN_SPACES = frozenset({0x20, 0x3000})

_JOINERS_AND_SELECTORS = re.compile("[\u200d\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]"
)
_MAX_COMBINING_MARKS = 4
"""On one letter; Vietnamese, Hebrew and Arabic need up to three, and Tibetan stacks four."""
_MAYBE_MARK_RUN = re.compile(rf"[^\x00-\u02ff]{{{_MAX_COMBINING_MARKS + 1}}}")
"""Fast first test; unlike the second one, it costs next to nothing to compile."""
_WHITESPACE = re.compile(r"\s+")
_TOKEN_START = re.compile(r"⟨(?:U(?:\+[0-9A-F]{0,6})?|\+\d*(?: (?:m(?:a(?:r(?:ks?)?)?)?)?)?)?\Z")


def printable(text: str, *, limit: int = 0) -> str:
    """The text on one line, with everything visible; at most `limit` characters (0: all), the last then an ellipsis.

    Takes time by the limit, not by the text. Making a printable text printable again changes nothing.
    """
    cut = 0 < limit < len(text)
    if cut:
        text = text[: limit + 1]
    if not (text.isprintable() and (text.isascii() or _INVISIBLE.search(text) is None)):
        text = _make_visible(text)
    if not text.isascii() and _MAYBE_MARK_RUN.search(text) and _mark_run_pattern().search(text):
        text = _stacked_marks_pattern().sub(_count_marks, text)
    return _shorten(text, limit) if cut or 0 < limit < len(text) else text


@cache
def _mark_run_pattern() -> re.Pattern[str]:
    """Pattern of a run of characters from blocks that contain marks: a fast second test."""
    return re.compile(
        r"[\u0300-\u036f\u0483-\u0489\u0591-\u1aff\u1b00-\u1fff\u20d0-\u20ff\u2c00-\u2fff\ua000-\uabff\ufb1e\ufe20-\ufe2f"
        rf"\U00010000-\U0001efff]{{{_MAX_COMBINING_MARKS + 1}}}"
    )


@cache
def _stacked_marks_pattern() -> re.Pattern[str]:
    """Pattern of more marks on one letter than are shown; built from the Unicode tables at the first use."""
    marks = "".join(
        f"{chr(run[0])}-{chr(run[-1])}"
        for run in _code_point_runs(code for code in range(0x300, 0x1F000) if _is_mark(code))
    )
    return re.compile(f"([{marks}]{{{_MAX_COMBINING_MARKS}}})([{marks}]+)")


def _code_point_runs(codes: Iterable[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for code in codes:
        if runs and runs[-1][-1] == code - 1:
            runs[-1].append(code)
        else:
            runs.append([code])
    return runs


def _is_mark(code: int) -> bool:
    return unicodedata.category(chr(code)) in {"Mn", "Me"} and not _is_selector(code) and code not in _BLANK_LETTERS


def _count_marks(match: re.Match[str]) -> str:
    return f"{match[1]}⟨+{len(match[2]):,} marks⟩"


def one_line(text: str, *, limit: int = 0) -> str:
    """As `printable`, but runs of white space, line breaks included, are one plain space: for cells of a table."""
    cut = limit > 0 and len(text) > 4 * limit + 64
    if cut:
        # enough to fill the limit, unless it is nearly all white space: then the ellipsis is added here
        text = text[: 4 * limit + 64]
    folded = _WHITESPACE.sub(" ", text).strip()
    if cut and len(folded) <= limit:
        folded = folded[: limit - 1] + ELLIPSIS
    return printable(folded, limit=limit)


def without_controls(text: str) -> str:
    """The text of a foreign server on one line, with a space for each character that is not printable."""
    return "".join(character if character.isprintable() else " " for character in text).strip()


def mask(secret: str) -> str:
    """The first and last four characters of a secret; none of a short one."""
    return f"{secret[:4]}…{secret[-4:]}" if len(secret) >= 16 else ELLIPSIS


def excerpt(data: bytes | str, limit: int) -> str:
    """The printable beginning of any text or bytes; invalid UTF-8 is shown as U+FFFD."""
    if isinstance(data, bytes):
        # a character has four bytes at most, so at least one more than the limit is left and the ellipsis is added
        data = data[: 4 * limit + 4].decode("utf-8", "replace")
    return printable(data, limit=limit)


def redact(text: str, secrets: Iterable[str], *, replacement: str = REDACTED) -> str:
    """The text without the secrets, in any form in which a server may echo them. Call it before the text is cut.

    Forms: as they are; with characters percent-encoded or escaped as JSON, Python or HTML do; in base64, as in Basic
    credentials (`base64("KEY:")`); and their beginning (8 characters or more) where the text was cut already.
    """
    ordered = sorted({secret for secret in secrets if secret.strip()}, key=len, reverse=True)
    for secret in ordered:
        text = _secret_pattern(secret).sub(replacement, text)
    for secret in ordered:
        text = _redact_prefix(text, secret, replacement)
    return text


@lru_cache(64)
def _secret_pattern(secret: str) -> re.Pattern[str]:
    import base64

    raw = secret.encode("utf-8", "surrogatepass")
    coded = {base64.b64encode(raw + tail).decode("ascii").rstrip("=") for tail in (b"", b":")}
    for before in range(3):
        # the part that does not depend on the bytes before and after: groups of six bits that are entirely the secret's
        whole = base64.b64encode(bytes(before) + raw).decode("ascii")
        coded.add(whole[-(-8 * before // 6) : 8 * (before + len(raw)) // 6])
    coded |= {form.replace("+", "-").replace("/", "_") for form in coded}
    ordered = sorted((form for form in coded if len(form) >= _MIN_BASE64_CHARS), key=len, reverse=True)
    return re.compile("|".join(["".join(map(_letter_pattern, secret)), *map(re.escape, ordered)]))


def _letter_pattern(letter: str) -> str:
    """Pattern of all spellings of a character."""
    code = ord(letter)
    escaped = [re.escape(letter)]
    if code <= 0xFFFF:
        escaped.append(rf"(?i:\\u{code:04x})")
    if code < 0x100:
        escaped.append(rf"(?i:\\x{code:02x})")
    octets = letter.encode("utf-8", "surrogatepass")
    escaped.append(f"(?i:{''.join(f'%{octet:02x}' for octet in octets)})")
    escaped.append(rf"(?i:&\#(?:{code}|x0*{code:x});)")
    return f"(?:{'|'.join(escaped)})"


def _redact_prefix(text: str, secret: str, instead: str) -> str:
    """The text without a truncated secret at its end."""
    if len(secret) <= _MIN_PREFIX_CHARS or secret[:_MIN_PREFIX_CHARS] not in text[-len(secret) - 1 :]:
        return text
    bare = text.removesuffix(ELLIPSIS)
    for length in range(len(secret) - 1, _MIN_PREFIX_CHARS - 1, -1):
        if bare.endswith(secret[:length]):
            return bare[: len(bare) - length] + instead
    return text


class _Glyphs(dict[int, str]):
    """Replacement of each code point, computed at first use; up to 4,096 are cached."""

    def __missing__(self, code: int) -> str:
        glyph = _glyph(code)
        if len(self) < 4096:
            self[code] = glyph
        return glyph


_GLYPHS = _Glyphs({0x09: "⇥", 0x0A: "⏎", 0x7F: "␡"})


def _glyph(code: int) -> str:
    if code < 0x20:
        return chr(0x2400 + code)
    category = unicodedata.category(chr(code))
    if category == "Zs":
        return chr(code) if code in _PLAIN_SPACES else " "
    if category == "Cn" and (code in _NEW_EMOJI or code in _NEW_IDEOGRAPHS):
        return chr(code)
    if category[0] == "C" or category in {"Zl", "Zp"} or code in _BLANK_LETTERS or _is_selector(code):
        return _code_point_token(code)
    return chr(code)


def _code_point_token(code: int) -> str:
    return f"⟨U+{code:04X}⟩"


def _is_selector(code: int) -> bool:
    return 0xFE00 <= code <= 0xFE0F or code in _IDEOGRAPH_SELECTORS


def _make_visible(text: str) -> str:
    text = text.replace("\r\n", "\n")
    if _JOINERS_AND_SELECTORS.search(text) is None:
        return text.translate(_GLYPHS)
    kept: list[str] = []
    at = 0
    for match in _JOINERS_AND_SELECTORS.finditer(text):
        start = match.start()
        kept.append(text[at:start].translate(_GLYPHS))
        kept.append(_render_contextual(text, start))
        at = start + 1
    kept.append(text[at:].translate(_GLYPHS))
    return "".join(kept)


def _render_contextual(text: str, at: int) -> str:
    """Replacement of a joiner or a selector, which depends on its neighbours."""
    code = ord(text[at])
    before = text[at - 1] if at else ""
    if code == _ZWJ:
        after = text[at + 1 : at + 2]
        if before and ord(before) in _VARIATION_SELECTORS and at > 1:
            before = text[at - 2]
        return "" if _is_emoji(before) and _is_emoji(after) else _code_point_token(code)
    if not before:
        return _code_point_token(code)
    if code in _IDEOGRAPH_SELECTORS:
        fits = any(ord(before) in block for block in _IDEOGRAPHS)
    else:
        fits = (
            code in _VARIATION_SELECTORS and before.isprintable() and not before.isspace() and not _is_invisible(before)
        )
    return text[at] if fits else _code_point_token(code)


def _is_invisible(character: str) -> bool:
    return _INVISIBLE.match(character) is not None


def _is_emoji(character: str) -> bool:
    """Symbols and skin tones. Unicode classes the arrows and signs of newer sequences as mathematical symbols."""
    return (
        bool(character)
        and (unicodedata.category(character) in {"So", "Sk", "Sm"} or ord(character) in _NEW_EMOJI)
        and not character.isascii()
    )


def _shorten(text: str, limit: int) -> str:
    head = text[: limit - 1]
    # a ⟨U+…⟩ at the cut is left out completely
    if (broken := _TOKEN_START.search(head)) is not None:
        head = head[: broken.start()]
    return head + ELLIPSIS
