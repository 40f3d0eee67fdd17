"""Retry-After and X-RateLimit-Reset in valid and invalid forms."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.http import MAX_RETRY_AFTER_S
from sprig_tui.http.retry_after import retry_after

NOW = datetime(2026, 11, 2, 12, 0, 0, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)


def wait(value: str, **others: str) -> float | None:
    headers = {name.replace("_", "-"): text for name, text in others.items()}
    return retry_after({"retry-after": value, **headers}, now_ms=NOW_MS)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1", 1.0),
        ("120", 120.0),
        (" 2 ", 2.0),
        ("1.5", 1.5),
        ("3.", 3.0),
        ("007", 7.0),
        ("5, 10", 10.0),
        ("10,0", 10.0),
        ("300", 300.0),
        ("301", 300.0),
        ("86400", 300.0),
        ("9" * 5000, 300.0),
        ("0", None),
        ("0.0", None),
        ("0, 0", None),
        ("-1", None),
        ("+5", None),
        ("1e3", None),
        ("1_000", None),
        ("inf", None),
        ("nan", None),
        ("soon", None),
        ("", None),
        (",", None),
        ("5,", None),
        ("5, soon", None),
        ("٣", None),
        ("5s", None),
        ("Mon, 02 Nov", None),
        ("Mon, 99 Zzz 2026 12:00:30 GMT", None),
        ("Mon, 02 Nov 99999999 12:00:30 GMT", None),
    ],
)
def test_retry_after_seconds_and_invalid_texts(value: str, seconds: float | None) -> None:
    assert wait(value) == seconds


@pytest.mark.parametrize(
    "date",
    [
        "Mon, 02 Nov 2026 12:00:30 GMT",
        "Monday, 02-Nov-26 12:00:30 GMT",
        "Mon Nov  2 12:00:30 2026",
        "Mon, 02 Nov 2026 12:00:30 -0000",
        "Mon, 02 Nov 2026 13:00:30 +0100",
    ],
)
def test_retry_after_dates_in_all_http_forms(date: str) -> None:
    assert wait(date) == 30.0


@pytest.mark.parametrize(
    "date", ["Mon, 02 Nov 2026 11:59:59 GMT", "Mon, 02 Nov 2026 12:00:00 GMT", "Sun Nov  6 08:49:37 1994"]
)
def test_retry_after_date_in_the_past_is_ignored(date: str) -> None:
    assert wait(date) is None


def test_retry_after_date_is_capped_at_300_s() -> None:
    assert wait("Mon, 02 Nov 2037 12:00:30 GMT") == MAX_RETRY_AFTER_S


def test_retry_after_date_is_relative_to_the_servers_date() -> None:
    assert wait("Mon, 02 Nov 2026 15:00:40 GMT", date="Mon, 02 Nov 2026 15:00:00 GMT") == 40.0
    assert wait("Mon, 02 Nov 2026 12:00:30 GMT", date="yesterday") == 30.0


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("25", 25.0),
        ("0", None),
        ("4000", 300.0),
        (str(NOW_MS // 1000 + 20), 20.0),
        (str(NOW_MS + 20_000), 20.0),
        (str(NOW_MS // 1000 - 20), None),
        ("junk", None),
    ],
)
def test_rate_limit_reset_is_used_without_retry_after(reset: str, seconds: float | None) -> None:
    assert retry_after({"x-ratelimit-reset": reset}, now_ms=NOW_MS) == seconds
    assert wait("soon", x_ratelimit_reset=reset) == seconds
    assert wait("0", x_ratelimit_reset=reset) == seconds


def test_retry_after_takes_precedence_over_rate_limit_reset() -> None:
    assert wait("7", x_ratelimit_reset="25") == 7.0


def test_no_wait_without_headers() -> None:
    assert retry_after({}, now_ms=NOW_MS) is None


@given(st.text(max_size=60), st.text(max_size=20), st.text(max_size=40))
def test_wait_is_in_bounds_for_any_headers(value: str, reset: str, date: str) -> None:
    found = wait(value, x_ratelimit_reset=reset, date=date)
    assert found is None or 0 < found <= MAX_RETRY_AFTER_S


@given(st.integers(min_value=1, max_value=300))
def test_retry_after_seconds_and_date_agree(seconds: int) -> None:
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)
    assert wait(date) == wait(str(seconds)) == seconds
