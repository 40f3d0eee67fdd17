"""Bisection of rejected batches and slices of a payload."""

from math import ceil, log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.delivery.batch import BatchSlice, PayloadSlicer, split_in_halves
from sprig_tui.journal.records import Claim, Lane


def bisected(size: int, poison: set[int]) -> tuple[set[int], set[int], int]:
    """(delivered, failed, requests) when a request is rejected exactly if it holds poison."""
    stack, delivered, failed, requests = [BatchSlice(0, size)], set(), set(), 0
    while stack:
        batch_slice = stack.pop()
        requests += 1
        members = set(range(batch_slice.start, batch_slice.stop))
        if not members & poison:
            delivered |= members
        elif len(batch_slice) == 1:
            failed |= members
        else:
            stack.extend(reversed(split_in_halves(batch_slice)))
    return delivered, failed, requests


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_bisection_isolates_every_poison_set(case: tuple[int, set[int]]) -> None:
    size, poison = case
    delivered, failed, requests = bisected(size, poison)
    assert failed == poison
    assert delivered == set(range(size)) - poison
    assert requests <= 2 * size - 1


@pytest.mark.parametrize("position", [0, 1249, 1250, 2499])
def test_bisection_of_2500_costs_two_requests_a_level(position: int) -> None:
    assert bisected(2_500, {position})[2] <= 2 * ceil(log2(2_500)) + 1


def test_bisection_of_all_poison_has_a_bounded_cost() -> None:
    assert bisected(2_500, set(range(2_500)))[2] == 4_999


@given(st.lists(st.binary(min_size=1, max_size=9).map(lambda b: b.replace(b",", b";")), min_size=1), st.data())
def test_payload_slices_are_the_bodies_joined(bodies: list[bytes], data: st.DataObject) -> None:
    claim = Claim(
        lease=1,
        environment="production",
        ids=tuple(range(len(bodies))),
        attempts=(),
        retries_used=(),
        first_attempts=(),
        sizes=tuple(map(len, bodies)),
        payload=b",".join(bodies),
        send_at=0,
        lane=Lane(environment="production"),
    )
    start = data.draw(st.integers(0, len(bodies) - 1))
    stop = data.draw(st.integers(start + 1, len(bodies)))
    assert PayloadSlicer(claim).payload(BatchSlice(start, stop)) == b",".join(bodies[start:stop])


@given(st.integers(0, 1000), st.integers(2, 1000))
def test_halves_are_even_and_in_order(start: int, size: int) -> None:
    older, newer = split_in_halves(BatchSlice(start, start + size, 3))
    assert (older.start, older.stop, newer.stop) == (start, newer.start, start + size)
    assert 0 <= len(older) - len(newer) <= 1
    assert older.splits == newer.splits == 4
