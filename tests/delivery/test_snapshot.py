"""Rate meter."""

from sprig_tui.delivery.snapshot import RATE_WINDOW_S, RateMeter


def test_rate_is_zero_before_the_first_batch() -> None:
    assert RateMeter().rate(123.4) == 0.0


def test_rate_of_the_first_batch_is_not_inflated() -> None:
    meter = RateMeter()
    meter.add(500, 100.99)
    assert meter.rate(101.0) == 500.0


def test_rate_of_a_steady_stream() -> None:
    meter = RateMeter()
    for tick in range(1000):
        meter.add(10, 50 + tick / 10)
    assert 95 < meter.rate(150.0) < 105
    assert meter.total == 10_000


def test_rate_falls_to_zero_without_deliveries() -> None:
    meter = RateMeter()
    meter.add(500, 100.0)
    assert meter.rate(100.0 + RATE_WINDOW_S + 1) == 0.0
