"""The columns of the log by its width."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.console.deliveries.row_format import COLUMNS, MARK_CELLS, place_columns

LEAST = {column.name: column.min_cells for column in COLUMNS}


def said(width):
    return " ".join(f"{one.name}:{one.width}" for one in place_columns(width))


@pytest.mark.parametrize(
    ("screen", "columns"),
    [
        (40, "time:8 state:9 result:16"),
        (80, "time:8 environment:11 survey:10 user:8 answer:8 state:9 status:4 result:10"),
        (100, "time:8 environment:12 survey:11 user:9 type:7 answer:9 state:9 status:4 attempts:5 result:12"),
        (120, "time:8 environment:12 survey:16 user:11 type:7 answer:12 state:9 status:4 attempts:5 result:22"),
        (200, "id:9 time:12 environment:14 survey:26 user:18 type:10 answer:21 state:9 status:4 attempts:5 result:47"),
    ],
)
def test_by_width_of_the_screen(screen, columns):
    """Less two cells of frame and one of scrollbar."""
    assert said(screen - 3) == columns


@given(st.integers(30, 400))
def test_they_fill_the_width_and_each_is_wide_enough(width):
    columns = place_columns(width)
    assert MARK_CELLS + sum(one.width + one.gap for one in columns) == width
    assert all(one.width >= LEAST[one.name] for one in columns)
    assert {"time", "state", "result"} <= {one.name for one in columns}


@given(st.integers(30, 400))
def test_a_wider_log_shows_no_less(width):
    assert {one.name for one in place_columns(width)} <= {one.name for one in place_columns(width + 1)}


@pytest.mark.parametrize("width", [0, 1, 5, 11])
def test_far_too_narrow_still_shows_the_time(width):
    assert [one.name for one in place_columns(width)] == ["time"]
