"""Set of delivery ids, stored as ranges."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator

MAX_RANGES = 256
UNLIMITED_RANGES = 1 << 60
"""For sets that must be exact."""


class IdRanges:
    """Set of ids as ascending ranges. Beyond twice `max_ranges`, the smallest gaps are merged into the ranges.

    The journal numbers the deliveries of a chunk consecutively, so that a million of them are mostly one range.
    """

    def __init__(self, ids: Iterable[int] = (), *, max_ranges: int = MAX_RANGES) -> None:
        self._max_ranges = max_ranges
        self._ranges: list[tuple[int, int]] = []
        self.add(ids)

    def add(self, ids: Iterable[int]) -> None:
        """Add ids, in any order; fastest for consecutive ones."""
        ids = list(ids)
        if ids and ids == list(range(ids[0], ids[0] + len(ids))):
            self._add_range(ids[0], ids[-1])
            return
        first = last = -2
        for number in ids:
            if number == last + 1:
                last = number
                continue
            if first >= 0:
                self._add_range(first, last)
            first = last = number
        if first >= 0:
            self._add_range(first, last)

    def _add_range(self, first: int, last: int) -> None:
        ranges = self._ranges
        start = bisect_left(ranges, first - 1, key=lambda span: span[1])
        stop = start
        while stop < len(ranges) and ranges[stop][0] <= last + 1:
            first, last = min(first, ranges[stop][0]), max(last, ranges[stop][1])
            stop += 1
        ranges[start:stop] = [(first, last)]
        if len(ranges) > 2 * self._max_ranges:
            self._merge_small_gaps()

    def _merge_small_gaps(self) -> None:
        """Keep the widest gaps only. Called rarely, because it scans all ranges."""
        ranges = self._ranges
        widest = sorted(range(1, len(ranges)), key=lambda i: ranges[i][0] - ranges[i - 1][1])[-self._max_ranges + 1 :]
        starts = [0, *sorted(widest)]
        ends = [*(start - 1 for start in starts[1:]), len(ranges) - 1]
        self._ranges = [(ranges[start][0], ranges[end][1]) for start, end in zip(starts, ends, strict=True)]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """(first, last) of each range, both included."""
        return iter(self._ranges)

    def __contains__(self, number: int) -> bool:
        at = bisect_left(self._ranges, number, key=lambda span: span[1])
        return at < len(self._ranges) and self._ranges[at][0] <= number

    def __bool__(self) -> bool:
        return bool(self._ranges)

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self._ranges)
