"""Triggers of mappings: what is known of Segment's language is decided, the rest is said to be unknown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.explain.trigger import matches

EVENT = "SDK - Submitted - Survey Response"
PAYLOAD: dict[str, Any] = {
    "type": "track",
    "event": EVENT,
    "userId": "u1",
    "properties": {"score": 4, "tags": ["a", "b"], "opened": True, "note": None, "survey-name": "Checkout"},
}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('type = "track"', True),
        ("type = 'track'", True),
        ('type = "identify"', False),
        (f'type = "track" and event = "{EVENT}"', True),
        ('type = "track" and event = "Order Completed"', False),
        ('type = "identify" or type = "track"', True),
        ('(type = "identify") or (type = "track" and properties.score >= 4)', True),
        ('!(type = "track")', False),
        ('not type = "identify"', True),
        ('event != "Order Completed"', True),
        ('type in ["track", "page"]', True),
        ('type in ["page"]', False),
        ("properties.score > 4", False),
        ("properties.score = 4.0", True),
        ("properties.opened", True),
        ("properties.opened = true", True),
        ("properties.score = true", False),
        ("properties.missing = null", True),
        ("properties.note = null", True),
        ("properties.note > 3", False),
        ('properties.survey-name = "Checkout"', True),
        ('contains(event, "Survey")', True),
        ('contains(properties.tags, "b")', True),
        ('contains(properties.score, "b")', False),
        ('match(event, "SDK - *")', True),
        ('match(event, "Order*")', False),
        ('type = "identify" and lowercase(event) = "x"', False),
        ('type = "track" or lowercase(event) = "x"', True),
        ('type = "tra\\"ck"', False),
        ('type = "track" and lowercase(event) = "x"', None),
        ("length(properties.tags) > 1", None),
        ('event > "A"', None),
        (f'match(event, "{"*a" * 50}")', None),
        ("", None),
        ('type = "track', None),
        ('type == "track"', None),
        ('type = "track" extra', None),
        ("(" * 5_000 + 'type = "track"' + ")" * 5_000, None),
        ("! " * 5_000 + 'type = "track"', None),
        ('type = "track" or ' * 5_000 + 'type = "track"', None),
    ],
)
def test_a_condition_is_decided_or_unknown(condition: str, expected: bool | None) -> None:
    assert matches(condition, PAYLOAD) is expected


def test_a_deep_condition_is_unknown_and_ends() -> None:
    assert matches("(" * 39 + 'type = "track"' + ")" * 39, PAYLOAD) is True
    assert matches("(" * 41 + 'type = "track"' + ")" * 41, PAYLOAD) is None


WORDS = [
    "type",
    '"track"',
    "=",
    "!=",
    "and",
    "or",
    "!",
    "(",
    ")",
    "in",
    "[",
    "]",
    ",",
    "4",
    "<",
    "contains",
    "null",
    "'",
]


@given(st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join) | st.text(max_size=40))
def test_any_text_gives_a_result_and_raises_nothing(condition: str) -> None:
    assert matches(condition, PAYLOAD) in (True, False, None)


Tree = tuple[str, bool | None]
LEAVES = st.sampled_from([('type = "track"', True), ('type = "page"', False), ("length(event) = 3", None)])


def joined(parts: tuple[str, Tree, Tree]) -> Tree:
    word, (left, one), (right, other) = parts
    decisive = word == "or"
    values = (one, other)
    value = decisive if decisive in values else None if None in values else not decisive
    return f"({left} {word} {right})", value


def negated(inner: Tree) -> Tree:
    return f"!{inner[0]}" if inner[0].startswith("(") else f"!({inner[0]})", None if inner[1] is None else not inner[1]


@given(
    st.recursive(
        LEAVES,
        lambda inner: st.tuples(st.sampled_from(["and", "or"]), inner, inner).map(joined) | inner.map(negated),
        max_leaves=10,
    )
)
def test_conditions_combine_with_three_values(tree: Tree) -> None:
    assert matches(tree[0], PAYLOAD) is tree[1]
