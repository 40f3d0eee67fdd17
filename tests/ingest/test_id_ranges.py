"""Id ranges."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.ingest.id_ranges import MAX_RANGES, IdRanges

numbers = st.lists(st.integers(0, 120))


@given(st.lists(numbers))
def test_id_ranges_are_exact_while_few(batches: list[list[int]]) -> None:
    ids = IdRanges()
    for batch in batches:
        ids.add(batch)
    held = [number for first, last in ids for number in range(first, last + 1)]
    assert held == sorted({number for batch in batches for number in batch})
    assert len(ids) == len(held)
    assert bool(ids) == bool(held)


def test_smallest_gaps_are_merged_beyond_the_limit() -> None:
    ids = IdRanges(range(0, 40_000, 2))
    ranges = list(ids)
    assert MAX_RANGES <= len(ranges) <= 2 * MAX_RANGES
    assert ranges[0][0] == 0
    assert ranges[-1][1] == 39_998
    assert all(before[1] < after[0] for before, after in pairwise(ranges))
