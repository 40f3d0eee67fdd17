"""Timestamps: ISO-8601 is kept unchanged, other forms are rewritten, ambiguous ones rejected."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.segment.timestamps import Instant, format_iso, parse_instant, parse_usual_ms

MOMENT = 1_741_105_269_114


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-03-04T16:21:09.114Z", Instant("2025-03-04T16:21:09.114Z", MOMENT)),
        (" 2025-03-04T16:21:09.114Z ", Instant("2025-03-04T16:21:09.114Z", MOMENT)),
        ("2025-03-04T18:21:09.114+02:00", Instant("2025-03-04T18:21:09.114+02:00", MOMENT)),
        ("2025-03-04T16:21:09.114999Z", Instant("2025-03-04T16:21:09.114999Z", MOMENT)),
        ("2025-03-04T16:21:09Z", Instant("2025-03-04T16:21:09Z", MOMENT - 114)),
        ("2025-03-04T16:21Z", Instant("2025-03-04T16:21Z", MOMENT - 9_114)),
        ("1969-12-31T23:59:59.999Z", Instant("1969-12-31T23:59:59.999Z", -1)),
        (
            "2025-03-04T16:21:09.114",
            Instant("2025-03-04T16:21:09.114", MOMENT, "no time zone: UTC is meant"),
        ),
        ("2025-03-04", Instant("2025-03-04", 1_741_046_400_000, "no time of day: midnight UTC is meant")),
        (
            "2025-03-04 16:21:09.114Z",
            Instant("2025-03-04T16:21:09.114Z", MOMENT, "rewritten from 2025-03-04 16:21:09.114Z"),
        ),
        (
            "2025-03-04t16:21:09.114z",
            Instant("2025-03-04T16:21:09.114Z", MOMENT, "rewritten from 2025-03-04t16:21:09.114z"),
        ),
        (
            "20250304T162109",
            Instant("2025-03-04T16:21:09.000Z", MOMENT - 114, "rewritten from 20250304T162109, taken as UTC"),
        ),
        (
            "2025-W10-2",
            Instant("2025-03-04T00:00:00.000Z", 1_741_046_400_000, "rewritten from 2025-W10-2, taken as UTC"),
        ),
        ("1741105269114", Instant("2025-03-04T16:21:09.114Z", MOMENT, "1741105269114 taken as time since 1970")),
        ("1741105269", Instant("2025-03-04T16:21:09.000Z", MOMENT - 114, "1741105269 taken as time since 1970")),
        ("2016-12-31T23:59:60Z", Instant("2016-12-31T23:59:60Z", 1_483_228_799_000)),
    ],
)
def test_timestamp_is_parsed(text: str, expected: Instant) -> None:
    assert parse_instant(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "4 March 2025",
        "03/04/2025 16:21",
        "2025-13-04T16:21:09Z",
        "2025-03-04T16:61:09Z",
        "٢٠٢٥-03-04T16:21:09Z",
        "12345",
        "9" * 10_000,
        "2025-03-04T16:21:09.114Z\x00",
        "2025-03-04T16:21:Z\x00.113Z",
        "\ud800",
    ],
)
def test_invalid_timestamp_is_none(text: str) -> None:
    assert parse_instant(text) is None


@given(st.datetimes(timezones=st.just(UTC)))
def test_fast_path_agrees_with_parse_instant(moment: datetime) -> None:
    text = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    ms = parse_usual_ms(text)
    assert ms is not None
    assert parse_instant(text) == Instant(text, ms)
    assert format_iso(ms) == text


@given(st.text(alphabet="0123456789-:TZW.+ ", max_size=30) | st.text(max_size=30))
def test_parsing_never_raises_and_its_result_parses_again(text: str) -> None:
    instant = parse_instant(text)
    if parse_usual_ms(text) is not None:
        assert instant == Instant(text, parse_usual_ms(text) or 0)
    if instant is not None:
        again = parse_instant(instant.text)
        assert again is not None
        assert again.ms == instant.ms
