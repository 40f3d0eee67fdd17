"""Backoff and Retry-After, as numbers."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.delivery.retry import backoff_ms, retry_after_ms


@pytest.mark.parametrize(
    ("failures", "ceiling"),
    [(0, 500), (1, 1_000), (2, 2_000), (6, 32_000), (7, 60_000), (8, 60_000), (10**9, 60_000), (-3, 500)],
)
def test_ceiling_doubles_up_to_a_minute(failures: int, ceiling: int) -> None:
    assert backoff_ms(failures, lambda: 1.0) == ceiling
    assert backoff_ms(failures, lambda: 0.0) == 0


@given(st.integers(0, 40), st.floats(0, 1, exclude_max=True))
def test_jitter_is_drawn_after_the_clamp(failures: int, drawn: float) -> None:
    assert backoff_ms(failures, lambda: drawn) == int(drawn * backoff_ms(failures, lambda: 1.0))


@pytest.mark.parametrize(
    ("asked", "milliseconds"),
    [(None, 0), (0, 0), (-1.0, 0), (1.5, 1_500), (40, 40_000), (300, 300_000), (86_400, 300_000), (math.inf, 300_000)],
)
def test_segments_wish_is_capped(asked: float | None, milliseconds: int) -> None:
    assert retry_after_ms(asked) == milliseconds


def test_a_wish_that_is_no_number_is_none() -> None:
    assert retry_after_ms(math.nan) == 0
