"""What stands in a row: every state, every kind of time, and text that wants to steer the terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from sprig_tui.console.deliveries.row_format import (
    delivery_row,
    ignored_until,
    place_columns,
    result_text,
    short_time,
    state_word,
)
from sprig_tui.console.widgets.line import fit_span
from sprig_tui.journal.records import State
from sprig_tui.text import printable

NOW = 1_790_000_000_000  # 2026-09-21 14:13:20 UTC
HOUR = 3_600_000
DAY = 24 * HOUR


@pytest.mark.parametrize(
    ("ms", "width", "text"),
    [
        (NOW, 12, "14:13:20.000"),
        (NOW + 220, 12, "14:13:20.220"),
        (NOW, 8, "14:13:20"),
        (NOW - DAY, 12, "20 Sep 14:13"),
        (NOW - DAY, 8, "20 Sep"),
        (NOW - 16 * DAY, 12, " 5 Sep 14:13"),
        (NOW - 400 * DAY, 12, "17 Aug 2025"),
        (NOW - 400 * DAY, 8, "Aug 2025"),
        (10**18, 12, " 1 Jan 1970"),
    ],
)
def test_times(ms, width, text):
    assert short_time(ms, NOW, width) == text
    assert len(text) <= width


@pytest.mark.parametrize(
    ("settled", "state", "text"),
    [
        (NOW - HOUR, State.DELIVERED, "tomorrow 13:13"),
        (NOW - 20 * HOUR, State.DELIVERED, "18:13"),
        (NOW - DAY, State.DELIVERED, ""),
        (NOW - 3 * DAY, State.DELIVERED, ""),
        (NOW + DAY, State.DELIVERED, "23 Sep 14:13"),
        (0, State.DELIVERED, ""),
        (NOW - HOUR, State.FAILED, ""),
        (NOW - HOUR, State.QUEUED, ""),
    ],
)
def test_segment_ignores_a_repeat_for_24_hours(delivery, settled, state, text):
    assert ignored_until(delivery(settled_at=settled, state=state), NOW) == text


@pytest.mark.parametrize(
    ("fields", "word", "text"),
    [
        ({}, "delivered", "38 ms"),
        ({"latency_ms": 12_345.6}, "delivered", "12,346 ms"),
        ({"state": State.FAILED, "status": 400, "error": "invalid_request"}, "failed", "invalid_request"),
        ({"state": State.WITHHELD, "reason": "anonymous"}, "withheld", "anonymous"),
        (
            {"state": State.WITHHELD, "reason": "invalid", "detail": "userId: not a text"},
            "withheld",
            "invalid: userId: not a text",
        ),
        ({"state": State.QUEUED}, "queued", ""),
        ({"state": State.QUEUED, "leased": True, "due_at": NOW + 9}, "in flight", ""),
        ({"state": State.QUEUED, "due_at": NOW + 5_000, "error": "http 503"}, "retry", "again at 14:13:25  http 503"),
        ({"state": State.QUEUED, "due_at": NOW - 5_000, "error": "timeout"}, "retry", "timeout"),
    ],
)
def test_states(delivery, fields, word, text):
    one = delivery(**fields)
    assert (state_word(one), result_text(one, NOW)) == (word, text)


def shown(one, width, **options):
    return "".join(
        fit_span(printable(part.text), part.width)
        for part in delivery_row(one, place_columns(width), now=NOW, **options)
    )


def test_row_cells_at_two_widths(delivery):
    one = delivery(
        user_id="", question_type="OPEN", answer="Slow…", state=State.WITHHELD, reason="anonymous", status=0, attempts=0
    )
    assert shown(one, 117) == (
        '  13:56:40 Production   Checkout effort  —           OPEN    "Slow…"      withheld             '
        "anonymous             "
    )
    assert shown(one, 77, marked=True) == (
        '● 13:56:40 Production  Checkout … —        "Slow…"  withheld       anonymous '
    )


@given(
    text=st.text(max_size=300)
    | st.sampled_from(["\x1b[2J", "[/foo]", "\u202eevil", "日本語" * 40, "x" * 100_000, "e\u0301" * 50]),
    width=st.integers(30, 220),
)
def test_whatever_the_text_a_row_is_one_line_of_the_width(text, width):
    from sprig_tui.journal.records import Delivery

    one = Delivery(
        id=1, environment=text, message_id=text, state=State.FAILED, reason=text, detail=text, survey_id=text,
        survey_name=text, user_id=text, question_type=text, answer=text, answered_at=0, added_at=NOW, due_at=0,
        attempts=2, status=400, error=text, latency_ms=1.0, settled_at=NOW, source=text, line=1, leased=False, size=1,
        edited=False, origin_id=0,
    )  # fmt: skip
    line = shown(one, width)
    assert cell_len(line) == width
    assert printable(line) == line
