"""Columns and bars of the reconcile chart: nothing is lost by joining, and each verdict has a sign of its own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprig_tui.console.reconcile.chart import bar_rows
from sprig_tui.console.reconcile.columns import (
    MISSING,
    NOTHING,
    SURPLUS,
    UNKNOWN,
    YOUNG,
    bar_glyphs,
    chart_rows,
    make_columns,
)
from sprig_tui.reconcile.model import Bucket, Verdict

from .reports import HOUR_MS, THIS_HOUR, bucket

_SIGNS = {
    Verdict.SHORT: MISSING,
    Verdict.MORE: SURPLUS,
    Verdict.TOO_YOUNG: YOUNG,
    Verdict.CANNOT_ASK: UNKNOWN,
}


@st.composite
def histories(draw) -> list[Bucket]:
    found = []
    for at in range(draw(st.integers(0, 16))):
        distinct, verdict = draw(st.integers(0, 2_000)), draw(st.sampled_from(Verdict))
        if verdict is Verdict.SHORT:
            distinct += 1
            found.append(bucket(16 - at, distinct, short=draw(st.integers(1, distinct))))
        else:
            found.append(bucket(16 - at, distinct, verdict=verdict, received=draw(st.none() | st.integers(0, 3_000))))
    return found


@settings(max_examples=40)
@given(histories(), st.integers(1, 60))
def test_columns_hold_every_bucket_in_order_and_fit_the_width(buckets, width):
    columns = make_columns(buckets, width)
    assert [one for column in columns for one in column.buckets] == buckets
    assert len(columns) <= width
    shorts = {one for one in buckets if one.verdict is Verdict.SHORT}
    assert {one for column in columns if column.verdict is Verdict.SHORT for one in column.buckets} >= shorts


@settings(max_examples=40)
@given(histories(), st.integers(1, 60), st.integers(1, 8))
def test_each_verdict_is_seen_by_its_sign_and_none_by_another(buckets, width, rows):
    columns = make_columns(buckets, width)
    peak = max((column.distinct for column in columns), default=0)
    for column in columns:
        bar = bar_glyphs(column, peak, rows)
        assert len(bar) == rows
        signs = set(bar) & {*_SIGNS.values()}
        expected = {_SIGNS[column.verdict]} if column.verdict in _SIGNS else set()
        if column.distinct or column.verdict is Verdict.MORE:
            assert signs == expected, (bar, column.verdict)
        else:
            assert bar.strip() == NOTHING
        assert bar.strip() or not column.distinct
    for line in chart_rows(columns, width, rows):
        assert sum(len(span.text) for span in line) <= width
    assert len(chart_rows(columns, width, rows)) == rows


@pytest.mark.parametrize(
    ("distinct", "short", "bar"),
    [
        (800, 0, "████████"),
        (400, 0, "████    "),
        (450, 0, "████▄   "),
        (1, 0, "▁       "),
        (800, 3, "███████!"),
        (800, 400, "████!!!!"),
        (100, 100, "!       "),
    ],
)
def test_bar_is_as_high_as_what_was_delivered(distinct, short, bar):
    (column,) = make_columns([bucket(1, distinct, short=short)], 80)
    assert bar_glyphs(column, 800, 8) == bar


def test_short_span_over_several_buckets_counts_once_in_a_column():
    start = THIS_HOUR - 2 * HOUR_MS
    span = {"span_start": start, "span_end": THIS_HOUR, "short": 2}
    (joined,) = make_columns([bucket(2, 10, **span), bucket(1, 10, **span)], 1)
    assert (joined.verdict, joined.distinct, joined.missing) == (Verdict.SHORT, 20, 2)


def test_empty_buckets_do_not_hide_the_verdict_of_their_neighbours():
    (joined,) = make_columns([bucket(2, 10), bucket(1, 0, verdict=Verdict.TOO_YOUNG)], 1)
    assert joined.verdict is Verdict.AGREES


@pytest.mark.parametrize(
    ("environments", "room", "rows"),
    [(1, 11, (8, 0)), (2, 11, (5, 3)), (2, 20, (8, 3)), (5, 14, (4, 1)), (30, 14, (3, 0))],
)
def test_selected_environment_has_the_highest_bars(environments, room, rows):
    selected, others = bar_rows(environments, room)
    assert selected == rows[0]
    assert environments == 1 or others == rows[1]
