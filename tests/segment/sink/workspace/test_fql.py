"""FQL: conditions on an event, and what cannot be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.segment.sink.workspace import fql
from sprig_tui.segment.sink.workspace.errors import FqlError

EVENT = {
    "type": "track",
    "event": "Order",
    "properties": {"plan": "pro-eu", "age": 18, "items": ["a", "b"], "two words": "x", "on": True, "deep": {"er": 1}},
}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('event = "Order"', True),
        ("event = 'Order'", True),
        ('event != "Order"', False),
        ('type = "track" and event = "Other"', False),
        ('type = "track" or event = "Other"', True),
        ('type = "x" or type = "track" and event = "Order"', True),
        ('!(type = "track")', False),
        ('!type = "identify"', True),
        ('contains(properties.plan, "eu")', True),
        ('contains(properties.items, "b")', True),
        ('!contains(properties.plan, "us")', True),
        ('match(properties.plan, "pro-*")', True),
        ('lowercase(event) = "order"', True),
        ("length(properties.items) = 2", True),
        ('typeof(properties.age) = "number"', True),
        ("properties.age >= 18 and properties.age < 18.5", True),
        ("properties.age > 18", False),
        ('properties.age > "x"', False),
        ("properties.on = true", True),
        ("properties.on", True),
        ("properties.missing = null", True),
        ("properties.deep.er = 1", True),
        (r'properties.two\ words = "x"', True),
        (r'event = "Or\der"', True),
        ("all", True),
    ],
)
def test_condition(condition: str, expected: bool) -> None:
    assert fql.matches(condition, EVENT) is expected


@pytest.mark.parametrize(
    "condition",
    ["", "event =", '= "x"', 'event = "x', "(event", "event)", "nothing(event)", "contains(event)", "event ~ 1",
     "!" * 200 + "event", "x" * 20_000],
)  # fmt: skip
def test_unreadable_condition_is_an_error(condition: str) -> None:
    with pytest.raises(FqlError):
        fql.matches(condition, EVENT)


@given(st.text('abetypn.=!<>()"\\ 1,', max_size=30))
def test_any_text_has_a_result_or_an_error(condition: str) -> None:
    try:
        found = fql.matches(condition, EVENT)
    except FqlError:
        return
    assert found in (True, False)
