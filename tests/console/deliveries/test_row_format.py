"""Row format of the log: columns by width, cell texts, titles and hints."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from sprig_tui.console.deliveries.row_format import (
    COLUMNS,
    MARK_CELLS,
    TitleState,
    delivery_row,
    empty_log_hints,
    ignored_until,
    log_title,
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
def test_short_times(ms, width, text):
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
def test_end_of_the_dedup_window(delivery, settled, state, text):
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
def test_state_words_and_results(delivery, fields, word, text):
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
def test_row_of_any_text_is_one_line_of_the_width(text, width):
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


MIN_CELLS = {column.name: column.min_cells for column in COLUMNS}


def columns_text(width):
    return " ".join(f"{one.name}:{one.width}" for one in place_columns(width))


@pytest.mark.parametrize(
    ("screen", "columns"),
    [
        (40, "time:8 state:9 result:16"),
        (80, "time:8 environment:11 survey:10 user:8 answer:8 state:9 status:4 result:10"),
        (100, "time:8 environment:12 survey:14 user:11 answer:11 state:9 status:4 result:19"),
        (110, "time:8 environment:12 survey:13 user:10 type:7 answer:11 state:9 status:4 attempts:5 result:17"),
        (120, "time:8 environment:12 survey:16 user:11 type:7 answer:12 state:9 status:4 attempts:5 result:22"),
        (
            160,
            "id:7 time:12 environment:12 survey:13 user:10 type:7 question:29 answer:13 state:9 status:4 attempts:5 result:12",  # noqa: E501
        ),
    ],
)
def test_columns_by_width(screen, columns):
    """Less two cells of frame and one of scrollbar."""
    assert columns_text(screen - 3) == columns


@given(st.integers(30, 400))
def test_columns_fill_the_width_exactly(width):
    columns = place_columns(width)
    assert MARK_CELLS + sum(one.width + one.gap for one in columns) == width
    assert all(one.width >= MIN_CELLS[one.name] for one in columns)
    assert {"time", "state", "result"} <= {one.name for one in columns}


@given(st.integers(30, 400))
def test_wider_log_shows_at_least_the_same_columns(width):
    assert {one.name for one in place_columns(width)} <= {one.name for one in place_columns(width + 1)}


@pytest.mark.parametrize("width", [0, 1, 5, 11])
def test_narrowest_log_shows_the_time(width):
    assert [one.name for one in place_columns(width)] == ["time"]


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (TitleState(), "Deliveries ── 0 ── following"),
        (TitleState(shown=12, total=12), "Deliveries ── 12 ── following"),
        (
            TitleState(filter="status:failed survey:Checkout", shown=3, total=1_000_412),
            "Deliveries ── /status:failed survey:Checkout ── 3 of 1,000,412 ── following",
        ),
        (
            TitleState(filter="slow", shown=200, total=1_000_000, searched=0.406, following=False),
            "Deliveries ── /slow ── 200 so far, 40 % searched",
        ),
        (TitleState(shown=9, total=9, following=False, new=123, marked=2), "Deliveries ── 9 ── 2 marked ── +123 new"),
        (TitleState(shown=15, total=12), "Deliveries ── 15 ── following"),
        (
            TitleState(filter="survey-id:5121 is:anonymous arrived:2026-11-18", shown=6, total=34, width=70),
            "Deliveries ── /survey-id:5121 is:anonymous ar… ── 6 of 34 ── following",
        ),
        (TitleState(filter="[red]\x1b[2J", total=1), "Deliveries ── /[red]␛[2J ── 0 of 1 ── following"),
    ],
)
def test_log_titles(state, text):
    assert log_title(state) == text


def test_long_filter_is_cut_in_the_title():
    assert len(log_title(TitleState(filter="x" * 1000))) < 110


@pytest.mark.parametrize(
    ("state", "opened", "begins"),
    [
        (TitleState(), False, "opening the journal"),
        (TitleState(), True, "no deliveries yet"),
        (TitleState(filter="x"), True, "nothing matches"),
        (TitleState(filter="x", total=10, searched=0.5), True, "searching: 50 % of 10"),
    ],
)
def test_empty_log_hints(state, opened, begins):
    assert empty_log_hints(state, opened=opened)[0].startswith(begins)


def test_read_only_hint_of_an_empty_log():
    text = " ".join(empty_log_hints(TitleState(), opened=True, file="S sends all 4", sends=False))
    assert "sends all" not in text
    assert "read-only" in text
