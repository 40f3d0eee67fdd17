"""Expected counts of each bucket, by how far Segment's clock is ahead of ours. Pure.

A cell is a bucket, or the time before the first or after the last one. Near an edge between two cells it is open which
of both counts an id: the response comes a moment after Segment has stamped the event, and offsets are tried in steps.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from msgspec import Struct

from sprig_tui.journal.accepted import FINE_BIN_MS, AcceptedBin
from sprig_tui.reconcile.assignment import Links

STEP_MS = 1_000
"""Between two offsets that are tried."""
SLACK_MS = 1_000
"""Half a step, and the time between Segment's stamp and the end of its response, beyond a constant part."""


class EdgeIds(NamedTuple):
    """Ids of a cell near one of its edges."""

    loose: int = 0
    """Sent by several requests."""
    requests: tuple[int, ...] = ()
    """Numbers of ids that one request each carried: Segment counts all of them in the same cell."""

    @property
    def number(self) -> int:
        """All of them."""
        return self.loose + sum(self.requests)

    def sums(self) -> int:
        """How many of them a cell may have counted, as a set of bits."""
        sums = (2 << self.loose) - 1
        for number in self.requests:
            sums |= sums << number
        return sums


class Expectation(Struct, frozen=True):
    """What Segment should have counted in each cell at one offset, if nothing is missing."""

    offset_ms: int
    """Segment's clock minus ours."""
    needed: tuple[int, ...]
    """Ids that were first accepted in the cell."""
    sent: tuple[int, ...]
    """All that was sent in it: also repeats, and requests without an answer."""
    allowed: tuple[int, ...]
    """As many as our sends explain: also ids of the neighbours' edges."""
    edges: tuple[tuple[tuple[int, int], EdgeIds], ...]
    """((cell, neighbour), ids near their edge, which the neighbour may have counted)."""
    repeat_links: Links
    """Ids that were sent more than once: ((cell of the first acceptance, cell of another send), how many)."""


class ExpectationTable:
    """Expectations of the cells between these edges, for any offset up to the largest."""

    def __init__(self, bins: Sequence[AcceptedBin], edges: Sequence[int], max_skew_ms: int) -> None:
        """`edges`: the starts of the buckets, and the end of the last one, ascending."""
        self._edges = edges
        self._max_skew_ms = max_skew_ms
        self._firsts = [one for one in sorted(bins, key=_start) if one.first]
        self._times = [one.start + one.width // 2 for one in self._firsts]
        self._sums = list(accumulate((one.first for one in self._firsts), initial=0))
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
        sent = list(needed)
        from_neighbours = [0] * len(needed)
        edges: dict[tuple[int, int], EdgeIds] = {}
        for left, edge in enumerate(self._edges):
            at = bisect_left(self._times, edge - offset)
            for cell, neighbour, start, end in (
                (left, left + 1, bisect_left(self._times, edge - offset - self._slack_ms), at),
                (left + 1, left, at, bisect_left(self._times, edge - offset + self._slack_ms)),
            ):
                if start < end:
                    edges[cell, neighbour] = found = self._edge_ids(start, end)
                    from_neighbours[neighbour] += found.number
        links = Counter[tuple[int, int]]()
        for (first, cell), number in self._far_pairs.items():
            _add_pair(links, sent, first, cell, number)
        for (first_time, sent_time), number in self._near_pairs.items():
            first = self._cell(first_time + offset) if first_time else -1
            earliest = self._cell(sent_time + offset - self._slack_ms)
            latest = self._cell(sent_time + offset + self._slack_ms)
            for cell in range(earliest, latest + 1):
                _add_pair(links, sent, first, cell, number)
        needed[0] = needed[-1] = 0
        allowed = tuple(a + b for a, b in zip(sent, from_neighbours, strict=True))
        return Expectation(
            offset, tuple(needed), tuple(sent), allowed, tuple(edges.items()), tuple(sorted(links.items()))
        )

    def _edge_ids(self, start: int, end: int) -> EdgeIds:
        bins = self._firsts[start:end]
        return EdgeIds(
            sum(one.first for one in bins if not one.is_one_request),
            tuple(one.first for one in bins if one.is_one_request),
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


def _add_pair(links: Counter[tuple[int, int]], sent: list[int], first: int, cell: int, number: int) -> None:
    """Add sends in a cell of ids that belong to cell `first` (-1 for none)."""
    sent[cell] += number
    if first >= 0 and first != cell:
        links[first, cell] += number
