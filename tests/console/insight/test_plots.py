"""Plots: columns and lines over time, with the numbers of the axis beside them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprig_tui.console.insight.bars import SHADES, Part
from sprig_tui.console.insight.plots import (
    AXIS_CELLS,
    CHOSEN,
    Series,
    line_rows,
    nice_top,
    short_number,
    stacked_rows,
)
from sprig_tui.console.widgets.time_axis import column_cells, time_axis

NUMBERS = st.one_of(st.integers(0, 10**12), st.floats(0, 10**12))


def texts(lines):
    return ["".join(span.text for span in line) for line in lines]


def columns(*numbers):
    return [tuple(Part(shade, number) for shade, number in zip(SHADES.values(), one, strict=True)) for one in numbers]


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (0.001, "<0.01"), (0.25, "0.25"), (12, "12"), (9999, "9,999"), (12345, "12.3k"), (4_500_000, "4.5M")],
)
def test_short_number(number, text):
    assert short_number(number) == text


@settings(max_examples=40)
@given(st.floats(0.0001, 10**12))
def test_axis_ends_just_above_the_highest_number(highest):
    assert highest * 0.999 <= nice_top(highest) <= highest * 1.6


def test_columns_are_stacked_by_state():
    rows = stacked_rows(columns((4, 0, 0, 0), (2, 1, 0, 1), (0, 0, 0, 0)), 10, 4, chosen=1)
    assert texts(rows) == [
        "     4 ┤██ ✗✗    ",
        "       │██ ○○    ",
        "       │██ ██    ",
        "     0 ┤██ ██ ·· ",
    ]
    assert [span.style for span in rows[0]] == ["muted", "good", "", "bad" + CHOSEN, "", "", ""]


def test_one_delivery_among_many_is_still_seen():
    rows = stacked_rows(columns((89_999, 0, 0, 1)), 6, 6)
    assert texts(rows)[1].startswith("       │✗")


def test_lines_are_drawn_over_each_other_with_gaps_and_the_chosen_column():
    rising = Series("rising", "good", [0, 1, 2, 3, 4])
    gaps = Series("gaps", "warning", [4, None, None, None, 4])
    rows = line_rows((rising, gaps), 20, 3, chosen=4)
    assert texts(rows) == [
        "     4 ┤  ⠁          ⣀⣀⠤⠒⠊⠁ ",
        "       │       ⣀⠤⠔⠒⠊⠉       ",
        "     0 ┤  ⣀⠤⠒⠊⠉             ",
    ]
    styles = {(span.text.strip(), span.style) for row in rows for span in row}
    assert ("⠁", "warning") in styles
    assert {style for _, style in styles} >= {"good" + CHOSEN, "warning" + CHOSEN}


@settings(max_examples=30)
@given(
    st.lists(st.one_of(st.none(), NUMBERS), min_size=1, max_size=60),
    st.integers(1, 130),
    st.integers(1, 12),
    st.integers(-1, 60),
)
def test_no_number_breaks_a_plot_or_leaves_its_room(values, width, rows, chosen):
    lines = texts(line_rows((Series("x", "good", values),), width, rows, chosen))
    assert len(lines) == rows
    assert {len(line) for line in lines} == {AXIS_CELLS + len(values) * column_cells(len(values), width)}
    has_dots = any("\u2801" <= letter <= "\u28ff" for line in lines for letter in line)
    assert has_dots == any(value is not None for value in values)


def test_time_axis_has_the_chosen_time_below_its_column():
    axis = time_axis(5, 40, chosen=1, label="14:00", oldest="13:00", newest="17:00")
    assert texts([axis]) == ["13:00 ▲ 14:00            17:00"]
    axis = time_axis(5, 28, chosen=4, label="14:00 to 15:00", oldest="13:00", newest="17:00")
    assert texts([axis])[0].endswith("14:00 to 15:00 ▲")
