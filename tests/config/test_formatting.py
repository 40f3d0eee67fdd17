"""Durations: parsing and formatting."""

from __future__ import annotations

import pytest

from sprig_tui.errors import ConfigError
from sprig_tui.formatting import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("12h", 43_200),
        ("2d", 172_800),
        ("1w", 604_800),
        ("1h30m", 5400),
        ("1 h 30 m", 5400),
        ("250ms", 0.25),
        ("1.5H", 5400),
        ("0", 0),
        ("45", 45),
        (45, 45),
        (0.5, 0.5),
    ],
)
def test_duration_is_parsed(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "soon", "-1", "-1h", "1x", "h", "1h2", "\u0661s", -1, float("nan"), float("inf"), "99w" * 9]
)
def test_invalid_duration_error_names_the_setting(text: str | float) -> None:
    with pytest.raises(ConfigError, match="retry window"):
        parse_duration(text, "retry window")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.25, "250 ms"),
        (1.5, "1.5 s"),
        (42, "42 s"),
        (90, "1 m 30 s"),
        (3600, "1 h"),
        (43_200, "12 h"),
        (90_061, "1 d 1 h"),
    ],
)
def test_duration_is_formatted(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
