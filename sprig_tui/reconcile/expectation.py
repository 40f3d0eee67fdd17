"""Expected counts of each bucket, by how far Segment's clock is ahead of ours. Pure.

A cell is a bucket, or the time before the first or after the last one. Near an edge between two cells it is open which
of both counts an id: the response comes a moment after Segment has stamped the event, and offsets are tried in steps.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate

from msgspec import Struct

from sprig_tui.journal.accepted import FINE_BIN_MS, AcceptedBin
from sprig_tui.reconcile.assignment import Links

STEP_MS = 1_000
"""Between two offsets that are tried."""
SLACK_MS = 1_000
"""Half a step, and the time between Segment's stamp and the end of its response, beyond a constant part."""


class Expectation(Struct, frozen=True):
    """What Segment should have counted in each cell at one offset, if nothing is missing."""

    offset_ms: int
    """Segment's clock minus ours."""
    needed: tuple[int, ...]
    """Ids that were first accepted in the cell."""
    allowed: tuple[int, ...]
    """As many as our sends explain: also repeats, requests without an answer, and ids of the neighbours' edges."""
    edge_bins: tuple[tuple[tuple[int, int], tuple[int, ...]], ...]
    """Ids near an edge, which the neighbour may have counted: ((cell, neighbour), numbers of ids by bin).

    A bin is a moment, mostly one request: Segment counts its ids in one of the two cells."""
    repeat_links: Links
    """Ids that were sent more than once: ((cell of the first acceptance, cell of another send), how many)."""


class ExpectationTable:
    """Expectations of the cells between these edges, for any offset up to the largest."""

    def __init__(self, bins: Sequence[AcceptedBin], edges: Sequence[int], max_skew_ms: int) -> None:
        """`edges`: the starts of the buckets, and the end of the last one, ascending."""
        self._edges = edges
        self._max_skew_ms = max_skew_ms
        firsts = [(one.start + one.width // 2, one.first) for one in sorted(bins, key=_start) if one.first]
        self._times = [time for time, _ in firsts]
        self._numbers = [number for _, number in firsts]
        self._sums = list(accumulate(self._numbers, initial=0))
        widths = {
            one.width
            for one in bins
            if self._is_near_edge(one.start + one.width // 2, max_skew_ms + SLACK_MS + one.width // 2)
        }
        widest = max(widths, default=FINE_BIN_MS)
        self._slack_ms = SLACK_MS + (widest - FINE_BIN_MS) // 2
        pairs = Counter[tuple[int, int]]()
        for one in bins:
            for first, number in (*one.repeats, *one.unanswered):
                pairs[first, one.start] += number
        far = max_skew_ms + self._slack_ms + FINE_BIN_MS
        self._near_pairs: dict[tuple[int, int], int] = {}
        self._far_pairs = Counter[tuple[int, int]]()
        """By cells: the offset changes nothing about them."""
        for (first, sent), number in pairs.items():
            if self._is_near_edge(sent, far) or (first and self._is_near_edge(first, far)):
                self._near_pairs[first, sent] = number
            else:
                self._far_pairs[self._cell(first) if first else -1, self._cell(sent)] += number

    def offsets(self) -> list[int]:
        """Offsets to try, the smallest differences first."""
        steps = self._max_skew_ms // STEP_MS
        return sorted((step * STEP_MS for step in range(-steps, steps + 1)), key=lambda offset: (abs(offset), offset))

    def at(self, offset: int) -> Expectation:
        """The expectation at an offset."""
        below = [self._ids_before(edge - offset) for edge in self._edges]
        needed = [b - a for a, b in zip([0, *below], [*below, self._sums[-1]], strict=True)]
        allowed = list(needed)
        edge_bins: dict[tuple[int, int], tuple[int, ...]] = {}
        for left, edge in enumerate(self._edges):
            at = bisect_left(self._times, edge - offset)
            from_left = self._numbers[bisect_left(self._times, edge - offset - self._slack_ms) : at]
            from_right = self._numbers[at : bisect_left(self._times, edge - offset + self._slack_ms)]
            if from_left:
                edge_bins[left, left + 1] = tuple(from_left)
                allowed[left + 1] += sum(from_left)
            if from_right:
                edge_bins[left + 1, left] = tuple(from_right)
                allowed[left] += sum(from_right)
        links = Counter[tuple[int, int]]()
        for (first, sent), number in self._far_pairs.items():
            _add_pair(links, allowed, first, sent, number)
        for (first_time, sent_time), number in self._near_pairs.items():
            first = self._cell(first_time + offset) if first_time else -1
            earliest = self._cell(sent_time + offset - self._slack_ms)
            latest = self._cell(sent_time + offset + self._slack_ms)
            for cell in range(earliest, latest + 1):
                _add_pair(links, allowed, first, cell, number)
        needed[0] = needed[-1] = 0
        return Expectation(
            offset, tuple(needed), tuple(allowed), tuple(edge_bins.items()), tuple(sorted(links.items()))
        )

    def _ids_before(self, time: int) -> int:
        return self._sums[bisect_left(self._times, time)]

    def _cell(self, time: int) -> int:
        return bisect_right(self._edges, time)

    def _is_near_edge(self, time: int, reach: int) -> bool:
        at = bisect_left(self._edges, time - reach)
        return at < len(self._edges) and self._edges[at] <= time + reach


def _start(one: AcceptedBin) -> int:
    return one.start


def _add_pair(links: Counter[tuple[int, int]], allowed: list[int], first: int, sent: int, number: int) -> None:
    """Add sends of ids that belong to cell `first` (-1 for none) and may have been counted in cell `sent`."""
    allowed[sent] += number
    if first >= 0 and first != sent:
        links[first, sent] += number
