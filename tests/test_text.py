"""Nothing that is shown can steer the terminal, hide, or reorder a line."""

from __future__ import annotations

import base64
import itertools
import re
import unicodedata
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sprig_tui.text import ELLIPSIS, REDACTED, excerpt, one_line, printable, redact

HOSTILE = (
    "\x00\t\n\r\x1b\x7f\x80\x85\x9b\xa0\xad\u034f\u061c\u115f\u180e\u200b\u200c\u200d\u200e\u200f\u2028\u2029"
    "\u202a\u202e\u2060\u2066\u2069\u2800\u3000\u3164\ufe0e\ufe0f\ufeff\ufff9\ufffe\ud800\udfff\ue000"
    "\U000e0001\U000e0041\U000e007f\U000e0100\U0010ffff\U0001f468\U0001f3fd\u2764⟨a葛م"
)
ANYTHING = st.text(
    alphabet=st.one_of(
        st.sampled_from(HOSTILE),
        st.characters(codec=None, exclude_categories=()),
    ),
    max_size=60,
)
ALLOWED_SELECTORS = {0xFE0E, 0xFE0F, *range(0xE0100, 0xE01F0)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("How easy was checkout?", "How easy was checkout?"),
        ("\x1b[31mred\x1b[0m", "␛[31mred␛[0m"),
        ("\x1b]8;;https://evil.example\x07click\x1b]8;;\x07", "␛]8;;https://evil.example␇click␛]8;;␇"),
        ("a\tb\nc\r\nd\re\x7f", "a⇥b⏎c⏎d␍e␡"),
        ("csi \x9b2J", "csi ⟨U+009B⟩2J"),
        ("\u202egpj.exe", "⟨U+202E⟩gpj.exe"),
        ("zero\u200bwidth\ufeff", "zero⟨U+200B⟩width⟨U+FEFF⟩"),
        ("line\u2028para\u2029", "line⟨U+2028⟩para⟨U+2029⟩"),
        ("half \ud83d", "half ⟨U+D83D⟩"),
        ("tag \U000e0041", "tag ⟨U+E0041⟩"),
        ("private \ue000", "private ⟨U+E000⟩"),
        ("blank \u3164\u2800", "blank ⟨U+3164⟩⟨U+2800⟩"),
        ("soft\u00adhyphen", "soft⟨U+00AD⟩hyphen"),
        ("no\u00a0break\u202fthin", "no break thin"),
        ("配送が遅い　です", "配送が遅い　です"),
        ("שלום مرحبا", "שלום مرحبا"),
        ("cafe\u0301 नमस्ते", "cafe\u0301 नमस्ते"),
        ("thanks 🙂👍🏽 ❤️", "thanks 🙂👍🏽 ❤️"),
        ("1️⃣ 🇸🇪", "1️⃣ 🇸🇪"),
        ("👨‍👩‍👧 🏳️‍🌈", "👨👩👧 🏳️🌈"),
        ("a\u200db", "a⟨U+200D⟩b"),
        ("葛\U000e0100城", "葛\U000e0100城"),
        ("a\U000e0100", "a⟨U+E0100⟩"),
        ("a\ufe0f\ufe01\ufe0f", "a\ufe0f⟨U+FE01⟩⟨U+FE0F⟩"),
        ("\ufe0fa", "⟨U+FE0F⟩a"),
        ("[bold]markup[/bold]", "[bold]markup[/bold]"),
        ("a" + "\u0301" * 4 + "b", "a" + "\u0301" * 4 + "b"),
        ("a" + "\u0301\u0489" * 600 + "b", "a" + "\u0301\u0489" * 2 + "⟨+1,196 marks⟩b"),
        ("ก" + "\u0e49" * 9, "ก" + "\u0e49" * 4 + "⟨+5 marks⟩"),
        ("new emoji \U0001fae8", "new emoji \U0001fae8"),
    ],
)
def test_what_is_shown(text: str, expected: str) -> None:
    assert printable(text) == expected


@given(ANYTHING)
@example(HOSTILE)
def test_nothing_invisible_or_steering_remains(text: str) -> None:
    shown = printable(text)
    shown.encode("utf-8")
    for character in shown:
        category = unicodedata.category(character)
        assert category not in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
        assert unicodedata.bidirectional(character) not in {
            "LRE",
            "RLE",
            "LRO",
            "RLO",
            "PDF",
            "LRI",
            "RLI",
            "FSI",
            "PDI",
        }
    assert not any(
        ord(one) in ALLOWED_SELECTORS and ord(other) in ALLOWED_SELECTORS for one, other in itertools.pairwise(shown)
    )


@given(ANYTHING, st.integers(0, 30))
@example(HOSTILE, 0)
def test_printing_twice_changes_nothing(text: str, limit: int) -> None:
    once = printable(text, limit=limit)
    assert printable(once, limit=limit) == once
    once = one_line(text, limit=limit)
    assert one_line(once, limit=limit) == once


@given(ANYTHING, st.integers(1, 30))
def test_the_limit_holds_and_a_cut_is_seen(text: str, limit: int) -> None:
    shown = printable(text, limit=limit)
    assert len(shown) <= limit
    assert shown == printable(text) or shown.endswith(ELLIPSIS)
    assert len(one_line(text, limit=limit)) <= limit
    assert len(excerpt(text.encode("utf-8", "surrogatepass"), limit)) <= limit


def test_plain_text_is_the_same_object() -> None:
    text = "How easy was checkout?"
    assert printable(text) is text


def test_a_cut_does_not_leave_half_a_code_point_name() -> None:
    assert printable("ab\u202ecd", limit=6) == "ab…"
    assert printable("ab\u202ecd", limit=12) == "ab⟨U+202E⟩cd"
    assert printable("ab\u202ecdef", limit=11) == "ab⟨U+202E⟩…"


def test_long_text_is_cut_before_it_is_looked_at() -> None:
    looked_at: list[int] = []

    class Watched(str):
        __slots__ = ()

        def __getitem__(self, key: object) -> str:
            part = super().__getitem__(key)  # type: ignore[index]  # slices and integers alike
            looked_at.append(len(part))
            return part

    assert printable(Watched("\x1b" * 1_000_000), limit=5) == "␛␛␛␛…"
    assert one_line(Watched("x" * 1_000_000), limit=5) == "xxxx…"
    assert excerpt(b"\xff" * 1_000_000, 5) == "\ufffd" * 4 + "…"
    assert max(looked_at) < 100


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("  two\r\n\n lines\t", 0, "two lines"),
        ("a\u2028b\u00a0 c", 0, "a b c"),
        ("a" + " " * 10_000 + "b", 10, "a…"),
        ("\x1b[2J", 0, "␛[2J"),
    ],
)
def test_one_line(text: str, limit: int, expected: str) -> None:
    assert one_line(text, limit=limit) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", ""),
        (b"plain", "plain"),
        (b"\xff\xfe bad", "\ufffd\ufffd bad"),
        ("é".encode() * 40, "é" * 19 + "…"),
        ("🙂".encode() * 20, "🙂" * 20),
        ("🙂".encode() * 21, "🙂" * 19 + "…"),
        ("text", "text"),
    ],
)
def test_excerpt(data: bytes | str, expected: str) -> None:
    assert excerpt(data, 20) == expected


def test_secrets_are_taken_out_in_every_form_they_travel_in() -> None:
    key, other = "Zq8T" + "a" * 24 + "e1Rk", "p/ss word"
    basic = base64.b64encode(f"{key}:".encode()).decode()
    text = f"key {key}, Basic {basic}, url ?k=p%2Fss%20word, plain p/ss word"
    shown = redact(text, [key, other, "", "  "])
    assert key not in shown
    assert basic.rstrip("=") not in shown
    assert "ss" not in shown.replace(REDACTED, "")
    assert shown.startswith(f"key {REDACTED}, Basic {REDACTED}")


def test_of_two_secrets_the_longer_goes_first() -> None:
    assert redact("abcdef abc", ["abc", "abcdef"]) == f"{REDACTED} {REDACTED}"


KEY = "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx"
WRITTEN = st.sampled_from(
    [
        str,
        lambda c: f"\\u{ord(c):04x}",
        lambda c: f"\\u{ord(c):04X}",
        lambda c: f"%{ord(c):02X}",
        lambda c: f"&#{ord(c)};",
    ]
)


@given(st.lists(WRITTEN, min_size=len(KEY), max_size=len(KEY)), st.text(max_size=20), st.text(max_size=20))
def test_a_secret_is_found_however_its_letters_are_written(ways: list[Any], before: str, after: str) -> None:
    echoed = "".join(way(letter) for way, letter in zip(ways, KEY, strict=True))
    assert redact(f"{before}<{echoed}>{after}", [KEY]) == f"{before}<{REDACTED}>{after}"


@given(st.binary(max_size=20), st.binary(max_size=20), st.booleans())
def test_a_secret_is_found_within_base64(before: bytes, after: bytes, url_safe: bool) -> None:
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    shown = redact(encode(before + KEY.encode() + after).decode(), [KEY])
    assert REDACTED in shown
    kept = re.sub(r"[^A-Za-z0-9+/=_-]", "", shown.partition(REDACTED)[0])
    assert KEY[:12].encode() not in base64.urlsafe_b64decode(
        kept[: len(kept) // 4 * 4].replace("+", "-").replace("/", "_")
    )


@pytest.mark.parametrize("length", [8, 20, 31])
def test_a_secret_that_the_end_cut_through_is_taken_out(length: int) -> None:
    assert redact(f"refused: {KEY[:length]}", [KEY]) == f"refused: {REDACTED}"
    assert redact(f"refused: {KEY[:length]}{ELLIPSIS}", [KEY]) == f"refused: {REDACTED}"


def test_what_is_no_secret_stays() -> None:
    text = "refused: Zq8T is short, Zq8TaaaaBBBB in the middle stays"
    assert redact(text, [KEY]) == text
