"""Relative times."""

from __future__ import annotations

import pytest

from sprig_tui.formatting import relative_day, relative_time, time_ago, time_left

NOW = 1_790_000_000_000  # 2026-09-21 14:13:20 UTC


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (-5, "just now"),
        (0.9, "just now"),
        (2, "2 s ago"),
        (9.99, "9 s ago"),
        (19, "10 s ago"),
        (59, "50 s ago"),
        (60, "1 min ago"),
        (3_599, "59 min ago"),
        (3_600, "1 h ago"),
        (86_399, "23 h ago"),
        (86_400, "20 Sep"),
        (365 * 86_400, "21 Sep 2025"),
    ],
)
def test_time_ago(seconds, said):
    assert time_ago(NOW - int(seconds * 1000), NOW) == said


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [
        (-1, "0 s"),
        (0, "0 s"),
        (1, "1 s"),
        (40_000, "40 s"),
        (40_001, "41 s"),
        (60_000, "1 min"),
        (185_000, "3 min 5 s"),
    ],
)
def test_time_left(milliseconds, said):
    assert time_left(NOW + milliseconds, NOW) == said


def test_relative_times():
    assert relative_time(NOW, NOW) == "14:13"
    assert relative_time(NOW - 86_400_000, NOW) == "20 Sep 14:13"
    assert relative_day(NOW, NOW) == "21 Sep"
