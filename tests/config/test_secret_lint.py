"""Pasted secrets: what is taken off, what is an error, and what the user can override."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.config.secret_lint import WRITE_KEY_RULES, lint_secret

KEY = "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx"
CODED = base64.b64encode(f"{KEY}:".encode()).decode()


def test_valid_write_key_has_no_faults() -> None:
    assert lint_secret(KEY, WRITE_KEY_RULES).faults == ()
    assert lint_secret(KEY + "\n", WRITE_KEY_RULES).faults == ()
    assert lint_secret(KEY + "\r\n", WRITE_KEY_RULES).faults == ()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f"  {KEY} ", "spaces"),
        (f"\ufeff{KEY}", "spaces"),
        (f"{KEY}\u200b\n", "spaces"),
        (f'"{KEY}"', "quotes"),
        (f"'{KEY}'", "quotes"),
        (f"“{KEY}”", "quotes"),
        (f"<{KEY}>", "quotes"),
        (f"Basic {CODED}", "basic"),
        (f"authorization: basic {CODED}", "basic"),
        (f"Basic {KEY}", "basic"),
        (CODED, "basic"),
        (f"{KEY}:", "colon"),
        (f"SEGMENT_WRITE_KEY={KEY}", "assignment"),
        (f"export SEGMENT_WRITE_KEY='{KEY}'", "assignment"),
        (f'"writeKey": "{KEY}"', "assignment"),
    ],
)
def test_write_key_lint_strips_what_is_safe_and_says_so(text: str, name: str) -> None:
    lint = lint_secret(text, WRITE_KEY_RULES)
    assert lint.secret == KEY
    assert name in {fault.name for fault in lint.faults}
    assert {fault.level for fault in lint.faults} == {"stripped"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ('""', "empty"),
        ("https://app.segment.com/acme/sources", "url"),
        ('{"writeKey": "' + KEY + '"}', "json"),
        (f'analytics.load("{KEY}")', "snippet"),
        ("Bearer abcdef", "sprig-key"),
        ("API-Key abcdef", "sprig-key"),
        ("sgp_" + "a" * 60, "public-api-token"),
        (f"{KEY[:10]} {KEY[10:]}", "inner-spaces"),
        (f"{KEY}\n{KEY}", "lines"),
        (f"{KEY[:5]}\x1b{KEY[5:]}", "control"),
        (f"{KEY[:5]}\x00{KEY[5:]}", "control"),
        ("é" + KEY, "non-ascii"),
        ("user:" + KEY, "colon-inside"),
        ("a" * 257, "too-long"),
        ("a" * 10_000_000, "too-long"),
    ],
)
def test_write_key_lint_error_has_a_hint(text: str, name: str) -> None:
    lint = lint_secret(text, WRITE_KEY_RULES)
    assert lint.secret == ""
    assert [fault.name for fault in lint.errors] == [name]
    assert lint.errors[0].hint


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (KEY[:31], "length"),
        (KEY + "a", "length"),
        ("QmK7x2dTfa", "sprig-environment-id"),
        ("YOUR_WRITE_KEY", "placeholder"),
        ("x" * 32, "placeholder"),
        (KEY[:31] + "-", "characters"),
    ],
)
def test_write_key_lint_warning_can_be_forced(text: str, name: str) -> None:
    lint = lint_secret(text, WRITE_KEY_RULES)
    assert lint.secret == text
    assert name in {fault.name for fault in lint.warnings}


@given(st.text(max_size=80))
def test_write_key_lint_of_any_text_is_a_clean_key_or_an_error(text: str) -> None:
    lint = lint_secret(text, WRITE_KEY_RULES)
    assert bool(lint.secret) != bool(lint.errors)
    assert lint.secret.isascii()
    assert lint.secret == lint_secret(lint.secret, WRITE_KEY_RULES).secret
    assert not any(character.isspace() for character in lint.secret)
    if len(lint.secret) > 8:
        assert lint.secret not in repr(lint)
