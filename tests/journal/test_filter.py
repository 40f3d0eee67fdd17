"""Filter language: parsing, errors and hints."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.errors import FilterError
from sprig_tui.journal.filter import parse_filter
from sprig_tui.journal.query import Term

NOW = 1_790_000_000_000


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", []),
        ("   ", []),
        ("status:failed", [("status", "failed")]),
        ("STATUS:Failed", [("status", "failed")]),
        ("state:failed,withheld", [("status", "failed"), ("status", "withheld")]),
        ("status:4xx status:503", [("status", "4xx"), ("status", "503")]),
        ("-env:production", [("env", "production", True)]),
        ("environment:Production", [("env", "production")]),
        ('survey:"Checkout effort"', [("survey", "Checkout effort")]),
        ('-survey:"a b" slow "two words"', [("survey", "a b", True), ("text", "slow"), ("text", "two words")]),
        ("user:acct_* id:41", [("user", "acct_*"), ("id", "41")]),
        ("reason:anonymous", [("reason", "anonymous")]),
        ("origin:41 -origin:007", [("origin", "41"), ("origin", "7", True)]),
        ("since:2h", [("since", str(NOW - 7_200_000))]),
        ("until:1d", [("until", str(NOW - 86_400_000))]),
        ("since:2026-09-21T14:00:00+00:00", [("since", "1789999200000")]),
        (
            "sent-since:2h -sent-until:1d",
            [("sent-since", str(NOW - 7_200_000)), ("sent-until", str(NOW - 86_400_000), True)],
        ),
        ("sent-by:2h", [("text", "sent-by:2h")]),
        ("-", [("text", "-")]),
        ("-slow", [("text", "slow", True)]),
        ('"status:failed"', [("text", "status:failed")]),
        ("12:30", [("text", "12:30")]),
        ("日本語 🙂", [("text", "日本語"), ("text", "🙂")]),
    ],
)
def test_parse_filter(text, terms):
    assert parse_filter(text, now_ms=NOW).terms == tuple(Term(*term) for term in terms)


@pytest.mark.parametrize(
    ("text", "position", "message", "hint"),
    [
        ("status:faild", 7, "cannot be 'faild'", "failed"),
        ("slow stats:failed", 5, "no field stats:", "status"),
        ("status:", 7, "needs a value", "status:failed"),
        ("-reason:anon", 8, "cannot be 'anon'", "anonymous"),
        ("sent-since:", 11, "needs a value", "sent-since:2h"),
        ("since:soon", 6, "cannot read 'soon' as a time", "2h"),
        ("since:99999999999999w", 6, "as a time", "age"),
        ('slow "never closed', 5, "quote", "words"),
        ("status:600", 7, "cannot be '600'", "HTTP status"),
        ("slow origin:sprig-1", 12, "cannot be 'sprig-1'", "origin:41"),
        ("slow status:,", 12, "needs a value", "status:failed"),
        ("-env:,,", 5, "needs a value", "env:VALUE"),
        ('survey:" "', 7, "needs a value", "survey:VALUE"),
        ("origin:²", 7, "cannot be '²'", "number"),
        ("origin:12345678901234567890", 7, "cannot be", "number"),
    ],
)
def test_filter_error_names_the_term_and_its_place(text, position, message, hint):
    with pytest.raises(FilterError) as caught:
        parse_filter(text, now_ms=NOW)
    assert caught.value.position == position
    assert message in caught.value.message
    assert hint in caught.value.hint


@given(st.text() | st.from_regex(r'(-?(status|since|env|x):)?[a-z0-9"]*( [a-z:"-]*)*', fullmatch=True))
def test_any_text_is_a_filter_or_a_filter_error(text):
    try:
        query, position = parse_filter(text, now_ms=NOW), 0
    except FilterError as error:
        query, position = None, error.position
    assert 0 <= position <= len(text)
    assert query is None or (query.text == text.strip() and all(term.value for term in query.terms))


@pytest.mark.parametrize(
    ("text", "at", "hint"),
    [
        ("status:failed OR status:withheld", 14, "status:failed,withheld"),
        ("status:failed or status:withheld", 14, "status:failed,withheld"),
        ("status:failed || user:x", 14, "by comma"),
        ("env:production AND slow", 15, "all words must match"),
        ("slow && env:production", 5, "all words must match"),
        ("NOT status:failed", 0, "-word"),
        ("(status:failed user:x)", 0, "-word"),
    ],
)
def test_syntax_of_other_query_languages_is_rejected(text, at, hint):
    with pytest.raises(FilterError) as raised:
        parse_filter(text, now_ms=NOW)
    assert raised.value.position == at
    assert hint in raised.value.hint


@pytest.mark.parametrize("text", ["now or never", "not good", '"OR"', "(slow)", "Portland OREGON", "and"])
def test_everyday_words_are_searched_as_text(text):
    assert {term.field for term in parse_filter(text, now_ms=NOW).terms} == {"text"}
