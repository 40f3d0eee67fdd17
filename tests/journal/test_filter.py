"""Filter language: parsing, errors and hints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.errors import FilterError
from sprig_tui.journal.filter import parse_filter
from sprig_tui.journal.query import Term, iter_terms

NOW = 1_790_000_000_000
DAY = 86_400_000
WORDS = ("slow", "-", '"', '"a', 'b"', "(", ")", "-(", "(x)", "OR", "or", "status:failed", "is:edited", "(env:a", "b)")


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
        ("-survey-id:* survey-id:a,b", [("survey-id", "*", True), ("survey-id", "a,b")]),
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


@given(st.text() | st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join))
def test_any_text_is_a_filter_or_a_filter_error(text):
    try:
        query, position = parse_filter(text, now_ms=NOW), 0
    except FilterError as error:
        query, position = None, error.position
    assert 0 <= position <= len(text)
    assert query is None or (query.text == text.strip() and all(term.value for term in iter_terms(query.terms)))


@pytest.mark.parametrize(
    ("text", "at", "hint"),
    [
        ("status:failed or status:withheld", 14, "OR in capitals"),
        ("(status:failed) or (user:x)", 16, "OR in capitals"),
        ("status:failed || user:x", 14, "write OR"),
        ("env:production AND slow", 15, "all words must match"),
        ("slow && env:production", 5, "all words must match"),
        ("NOT status:failed", 0, "-word"),
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


def terms_of(nodes):
    """Nodes in short: terms as `field:value`, groups as lists of branches; a dash for not, quotes for literal."""
    return [
        ("-" * node.negated + f"{node.field}:{repr(node.value) if node.literal else node.value}")
        if isinstance(node, Term)
        else (["-"] * node.negated + [terms_of(branch) for branch in node.branches])
        for node in nodes
    ]


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("status:failed OR slow", [[["status:failed"], ["text:slow"]]]),
        ("a b OR c OR -d e", [[["text:a", "text:b"], ["text:c"], ["-text:d", "text:e"]]]),
        ("env:a (status:failed OR slow)", ["env:a", [["status:failed"], ["text:slow"]]]),
        ("env:a -(status:failed OR slow)", ["env:a", ["-", ["status:failed"], ["text:slow"]]]),
        ("(status:failed) (status:400)", [[["status:failed"]], [["status:400"]]]),
        ("((a OR b) OR c)", [[[[["text:a"], ["text:b"]]], ["text:c"]]]),
        ("slow OR (sic)", [[["text:slow"], [[["text:sic"]]]]]),
        ("(status:failed (sic))", [[["status:failed", "text:(sic)"]]]),
        ("(survey:f(x) y)", [[["survey:f(x)", "text:y"]]]),
        ('"OR" OR "("', [[["text:OR"], ["text:("]]]),
        ("(slow", ["text:(slow"]),
        ("is:failed is:edited", ["is:failed", "is:edited"]),
        ("is:failed,edited", [[["is:failed"], ["is:edited"]]]),
        ("-is:failed,edited", ["-is:failed", "-is:edited"]),
        ("attempts:>2 attempts:<=5", ["attempts:>2", "attempts:<=5"]),
        ("attempts:2..4", ["attempts:>=2", "attempts:<=4"]),
        ("-attempts:2..4", [["-", ["attempts:>=2", "attempts:<=4"]]]),
        ("attempts:0,3..", [[["attempts:=0"], ["attempts:>=3"]]]),
        ("latency:>500ms latency:<1.5s", ["latency:>500", "latency:<1500"]),
        ("latency:>0.4", ["latency:>=1"]),
        ("size:>=10kb", ["size:>=10240"]),
        ("to:eu to:127.0.0.1", ["endpoint:https://events.eu1.segmentapis.com", "endpoint:127.0.0.1"]),
        (
            "endpoint:=https://a.example to:=http://127.0.0.1:80",
            ["endpoint:=https://a.example", "endpoint:=http://127.0.0.1:80"],
        ),
        ('-endpoint:="https://a.example"', ["-endpoint:=https://a.example"]),
        ('endpoint:"=https://a.example" to:"eu"', ["endpoint:'=https://a.example'", "endpoint:eu"]),
        ('user:"acct_*" -user:"acct 1"* user:"b"', ["user:'acct_*'", "-user:acct 1*", "user:b"]),
        ('survey-id:"*" survey:"*"', ["survey-id:'*'", "survey:*"]),
        ("arrived:2h", [f"since:{NOW - DAY // 12}"]),
        ("sent:7d..1d", [f"sent-since:{NOW - 7 * DAY}", f"sent-until:{NOW - DAY}"]),
        ("-arrived:..1d", [f"-until:{NOW - DAY}"]),
    ],
)
def test_grammar(text, tree):
    assert terms_of(parse_filter(text, now_ms=NOW).terms) == tree


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("OR slow", 0, "OR needs a word"),
        ("slow OR", 5, "OR needs a word"),
        ("a OR OR b", 5, "OR needs a word"),
        ('status:failed OR ""', 14, "OR needs a word"),
        ("a OR ()", 5, "hold no word"),
        ("(status:failed", 0, "never closed"),
        ("a OR (b", 5, "never closed"),
        ("a OR b)", 6, "closes nothing"),
        ("(status:failed))", 15, "closes nothing"),
        ("((slow status:failed)", 0, "never closed"),
        ("is:retryin", 3, "cannot be 'retryin'"),
        ("slow (is:x)", 9, "cannot be 'x'"),
        ("attempts:many", 9, "cannot be 'many'"),
        ("attempts:>2s", 9, "cannot be '>2s'"),
        ("attempts:1.5", 9, "cannot be 1.5"),
        ("attempts:..", 9, "a beginning or an end"),
        ("attempts:4..2", 9, "ends before it begins"),
        ("attempts:>2..4", 9, "cannot be '>2'"),
        ("latency:>5h", 8, "cannot be"),
        ("size:>999999999999gb", 5, "cannot be"),
        ("size:>999999999999mb", 5, "cannot be"),
        ("arrived:friday..monday..", 8, "as a time"),
        ("arrived:1d..7d", 8, "ends before it begins"),
        ("slow is:", 8, "needs a value"),
        ("attempts:,", 9, "needs a value"),
    ],
)
def test_error_of_the_grammar_names_its_place(text, position, message):
    with pytest.raises(FilterError) as caught:
        parse_filter(text, now_ms=NOW)
    assert caught.value.position == position
    assert message in caught.value.message
    assert caught.value.hint


def test_limits_of_size_and_depth():
    deep = "(" * 20 + "status:failed" + ")" * 20
    assert terms_of(parse_filter(deep, now_ms=NOW).terms) != []
    for text, message in (
        (f"({deep})", "20 levels"),
        ("(" * 9_990 + "is:x" + ")" * 9_990, "20 levels"),
        ("(" * 10_000 + "is:x" + ")" * 10_000, "20,000 characters"),
        (" OR ".join(["x"] * 201), "200 words"),
        ("attempts:" + ",".join("1" * 201), "200 words"),
    ):
        with pytest.raises(FilterError, match=message):
            parse_filter(text, now_ms=NOW)
    assert terms_of(parse_filter("(" * 10_000, now_ms=NOW).terms) == ["text:" + "(" * 10_000], "an old text stays one"


SAVED = {"bad": "status:failed OR status:4xx", "mine": "@bad env:production", "typo": "slow statsu:x", "empty": " "}
SAVED |= {"deeper": "user:x @typo", "round": "slow @about", "about": "-@round"}


def test_saved_filters_stand_for_a_group():
    def parsed(text):
        return terms_of(parse_filter(text, now_ms=NOW, saved=SAVED).terms)

    bad = [[["status:failed"], ["status:4xx"]]]
    assert parsed("@bad") == [[bad]]
    assert parsed("slow -@MINE") == ["text:slow", ["-", [[bad], "env:production"]]]
    assert parsed("(@bad user:x)") == [[[[bad], "user:x"]]]
    assert parsed('"@bad" a@bad @bad.com') == ["text:@bad", "text:a@bad", "text:@bad.com"]


@pytest.mark.parametrize(
    ("text", "position", "message", "hint"),
    [
        ("slow @bda", 5, "there is no saved filter @bda", "did you mean @bad?"),
        ("slow -@other", 6, "there is no saved filter @other", "saved are @bad"),
        ("slow @typo", 5, "in @typo, at character 6: there is no field statsu:", "status"),
        ("@deeper", 0, "in @deeper, at character 8: in @typo, at character 6: there is no field statsu:", "status"),
        ("@empty", 0, "@empty is empty", "filters.empty"),
        ("x @round", 2, "in @round, at character 6: in @about, at character 2: @round uses itself", "[filters]"),
    ],
)
def test_a_broken_saved_filter_is_reported_with_its_place(text, position, message, hint):
    with pytest.raises(FilterError) as caught:
        parse_filter(text, now_ms=NOW, saved=SAVED)
    assert caught.value.position == position
    assert caught.value.message.startswith(message)
    assert hint in caught.value.hint


def test_saved_filters_inside_each_other_are_limited():
    doubled = {f"f{number}": f"@f{number + 1} @f{number + 1}" for number in range(12)} | {"f12": "x"}
    with pytest.raises(FilterError, match="200 words"):
        parse_filter("@f0", now_ms=NOW, saved=doubled)
    chain = {f"f{number}": f"@f{number + 1}" for number in range(30)} | {"f30": "x"}
    with pytest.raises(FilterError, match="20 levels"):
        parse_filter("@f0", now_ms=NOW, saved=chain)
    with pytest.raises(FilterError) as none:
        parse_filter("@mine", now_ms=NOW)
    assert "the config has no [filters]" in none.value.hint


OLD_FILTERS = json.loads((Path(__file__).parent / "old_filters.json").read_text(encoding="utf-8"))
"""Filters, and the terms that the version before the groups made of them."""


def test_what_an_old_filter_meant_stays():
    for text, terms in OLD_FILTERS:
        assert parse_filter(text, now_ms=NOW).terms == tuple(Term(*term) for term in terms), text


def test_a_text_that_was_searched_is_a_saved_filter_now_or_an_error():
    """The exception to the old filters: it never matches more."""
    with pytest.raises(FilterError) as caught:
        parse_filter("@bob", now_ms=NOW)
    assert 'quote it to search it as text: "@bob"' in caught.value.hint
