"""Filter completion, and the caret under a syntax error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from sprig_tui.console.deliveries.filter_bar import caret_lines, complete_filter, typed_filters
from sprig_tui.errors import FilterError
from sprig_tui.journal.filter import parse_filter


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("", ""),
        ("st", "status:"),
        ("-st", "-status:"),
        ("status:f", "status:failed"),
        ("status:failed,w", "status:failed,withheld"),
        ("slow status:de", "slow status:delivered"),
        ("status:", ""),
        ("env:pro", "env:production"),
        ("env:my", 'env:"My store"'),
        ("-reason:an", "-reason:anonymous"),
        ("slow OR (is:ret", "slow OR (is:retrying"),
        ("(", ""),
        ("to:e", "to:eu"),
        ("slow O", "slow OR"),
        ("slow OR", ""),
        ("slow o", "slow origin:"),
        ("slow -@b", "slow -@bad"),
        ("since:mo", "since:monday"),
        ("since:to", "since:today"),
        ("user:a", ""),
        ("nothing", ""),
        ('survey:"Checkout ef', ""),
        ("status:failed", ""),
    ],
)
def test_completion_of_the_last_word(text, whole):
    assert complete_filter(text, ["production", "My store"], ["bad"]) == whole


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("slow", ["slow", ""]),
        ("s", [""]),
        ("slow sta", ["slow"]),
        ("slow status:f", ["slow status:f", "slow"]),
        ("slow (stat", ["slow"]),
        ("slow (is:edited", ["slow (is:edited", "slow (is:edited)", "slow"]),
        ('"(" (is:edited', ['"(" (is:edited', '"(" (is:edited)', '"("']),
        ("slow ", ["slow ", "slow"]),
    ],
)
def test_what_is_shown_while_a_filter_is_typed(text, shown):
    assert list(dict.fromkeys(typed_filters(text))) == shown


@given(st.text(max_size=30))
def test_completion_begins_with_the_typed_text(text):
    whole = complete_filter(text, ["production"])
    assert not whole or whole.lower().startswith(text.lower())


def fault(text):
    with pytest.raises(FilterError) as caught:
        parse_filter(text, now_ms=0)
    return caught.value


@pytest.mark.parametrize(
    ("text", "width", "caret", "second"),
    [
        ("status:fialed", 100, "        ^ status: cannot be 'fialed'; did you mean failed?", ""),
        ("日本 status:fialed", 140, "             ^ status: cannot be", ""),
        ("status:fialed", 30, "        ^", "status: cannot be 'fialed'"),
    ],
)
def test_caret_is_under_the_error(text, width, caret, second):
    """Behind a prompt of one cell."""
    first, other = caret_lines(fault(text), text, shift=1, width=width)
    assert first.startswith(caret)
    assert other.startswith(second)


@given(st.text(min_size=1, max_size=80), st.integers(0, 90), st.integers(1, 60), st.integers(-50, 5))
def test_caret_stays_inside_the_line(text, position, width, shift):
    first, _ = caret_lines(FilterError("x\x1b[2J" * 9, position=position), text, shift=shift, width=width)
    assert cell_len(first) <= width
    assert first.isprintable()
