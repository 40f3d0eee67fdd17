"""Pacer of a lane."""

from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.delivery.sender import Pacer


def test_pacer_without_a_rate_never_waits() -> None:
    pacer = Pacer(0)
    assert [pacer.reserve(5.0) for _ in range(3)] == [0.0, 0.0, 0.0]


@given(st.floats(0.1, 1000), st.lists(st.floats(0, 2), min_size=1, max_size=60))
def test_pacer_never_exceeds_the_rate(rate: float, gaps: list[float]) -> None:
    pacer = Pacer(rate)
    now, sent = 1000.0, []
    for gap in gaps:
        now += gap
        sent.append(now + pacer.reserve(now))
    for first in range(len(sent)):
        for last in range(first, len(sent)):
            # the slack lets at most three requests stand together
            assert last - first <= (sent[last] - sent[first]) * rate + 3 + 1e-6
    assert sent == sorted(sent)


def test_pacer_makes_up_for_late_timers() -> None:
    pacer = Pacer(10)
    waits = []
    now = 0.0
    for _ in range(50):
        waits.append(pacer.reserve(now))
        now += waits[-1] + 0.01  # each timer fires 10 ms late
    assert now < 50 * 0.1 + 0.2
