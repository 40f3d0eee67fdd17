"""Reading of a query: the notations of the SDKs, and hostile ones."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.segment.sink.workspace.query import one_text, read_query, texts

NAMES = st.text(st.characters(categories=("Ll", "Lu")), min_size=1, max_size=8)
VALUES = st.text(st.characters(exclude_categories=("Cs",)), max_size=12).filter(lambda text: text[:1] not in ("{", "["))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1", {"a": "1"}),
        ("a=1&a=2", {"a": ["1", "2"]}),
        ("a.0=x&a.1=y", {"a": ["x", "y"]}),
        ("a[1]=y&a[0]=x", {"a": ["x", "y"]}),
        ("a[]=x&a[]=y", {"a": ["x", "y"]}),
        ("a[b]=1&a.c=2", {"a": {"b": "1", "c": "2"}}),
        ("a[b].0=1&a[b].1=2", {"a": {"b": ["1", "2"]}}),
        ('a={"b":[1]}', {"a": {"b": [1]}}),
        ("a=[not json", {"a": "[not json"}),
        ("", {}),
        ("a.b=1&a=2", {"a": {"b": "1"}}),
        ("a=2&a.b=1", {"a": {"b": "1"}}),
    ],
)
def test_notation_is_read(text: str, expected: dict[str, Any]) -> None:
    assert read_query(text) == expected


@pytest.mark.parametrize("text", ["=1", "....=1", "a.b.c.d.e.f.g=1", "&".join(f"a{n}=1" for n in range(1_001))])
def test_hostile_query_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_query(text)


@given(st.dictionaries(NAMES, st.lists(VALUES, min_size=1, max_size=5), max_size=5))
def test_each_notation_of_lists_means_the_same(lists: dict[str, list[str]]) -> None:
    for separate in ("{}.{}", "{}[{}]"):
        pairs = [(separate.format(name, n), one) for name, ones in lists.items() for n, one in enumerate(ones)]
        assert {name: texts(value) for name, value in read_query(urlencode(pairs)).items()} == lists
    repeated = [(name, one) for name, ones in lists.items() for one in ones]
    assert {name: texts(value) for name, value in read_query(urlencode(repeated)).items()} == lists
    as_json = {
        name: texts(value)
        for name, value in read_query(urlencode({n: json.dumps(o) for n, o in lists.items()})).items()
    }
    assert as_json == lists


@given(st.text(st.characters(exclude_categories=("Cs",)), max_size=60))
def test_any_query_is_read_or_a_value_error(text: str) -> None:
    try:
        found = read_query(text)
    except ValueError:
        return
    for value in found.values():
        assert isinstance(one_text(value), str)


def test_values_become_texts() -> None:
    assert texts(None) == []
    assert texts({"a": True, "b": [1, None]}) == ["true", "1"]
    assert one_text(["a", "b"]) == "b"
