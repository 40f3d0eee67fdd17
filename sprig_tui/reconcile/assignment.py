"""Assignment of message ids to counts: how many ids are missing at least, and from which buckets. Pure.

Each id may have been counted in its own bucket, or in another one where it was sent again or near whose edge it lies.
The fewest missing ids are a maximum flow from ids to counts; which of several buckets they are missing from may remain
open.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

from msgspec import Struct

Links = Sequence[tuple[tuple[int, int], int]]
"""((bucket that ids belong to, bucket that may have counted them), number of such ids)."""


class Missing(Struct, frozen=True):
    """Numbers of missing ids by bucket, at both extremes: in as late buckets as possible, and in as early ones."""

    late: tuple[int, ...]
    early: tuple[int, ...]
    late_sums: tuple[int, ...]
    """Sum of `late` before each bucket, and of all at the end."""
    early_sums: tuple[int, ...]

    def within(self, first: int, last: int) -> int:
        """At least so many are missing from the buckets first..last, however the others are assigned.

        The number of ids that are missing before a bucket lies between both sums: what can be assigned are the bases of
        a polymatroid, and a greedy order is extreme at every prefix.
        """
        return self.late_sums[last + 1] - self.early_sums[first]


def missing_ids(ids: Sequence[int], counts: Sequence[int], repeats: Links, neighbours: Links) -> Missing:
    """The fewest missing ids.

    Args:
        ids: number of ids by bucket.
        counts: number of counts by bucket.
        repeats: ids that were sent again.
        neighbours: ids near an edge. They only explain counts that are left over otherwise: a bucket never lacks an id
            because its count was taken for one of a neighbour.
    """
    late = _unassigned(ids, counts, repeats, neighbours, range(len(ids)))
    early = _unassigned(ids, counts, repeats, neighbours, range(len(ids) - 1, -1, -1)) if sum(late) else late
    return Missing(late, early, tuple(accumulate(late, initial=0)), tuple(accumulate(early, initial=0)))


def _unassigned(
    ids: Sequence[int], counts: Sequence[int], repeats: Links, neighbours: Links, order: Sequence[int]
) -> tuple[int, ...]:
    """What stays missing if the ids of the buckets are assigned in this order; earlier ones never lose a count."""
    flow = _Flow(ids, counts)
    for bucket, number in enumerate(ids):
        flow.allow(bucket, bucket, number)
    for (bucket, other), number in repeats:
        flow.allow(bucket, other, number)
    flow.assign(order)
    if neighbours and sum(flow.left):
        for (bucket, other), number in neighbours:
            flow.allow(bucket, other, number)
        flow.assign(order)
    return tuple(flow.left)


class _Flow:
    """Augmenting paths from ids (nodes 0..n-1 by bucket) to counts (nodes n..2n-1)."""

    def __init__(self, ids: Sequence[int], counts: Sequence[int]) -> None:
        self.left = list(ids)
        self._free = [0] * len(ids) + list(counts)
        self._capacity: list[dict[int, int]] = [{} for _ in self._free]

    def allow(self, bucket: int, other: int, number: int) -> None:
        """So many ids of a bucket may have been counted in the other one."""
        source, target = bucket, len(self.left) + other
        self._capacity[source][target] = self._capacity[source].get(target, 0) + number
        self._capacity[target].setdefault(source, 0)

    def assign(self, order: Iterable[int]) -> None:
        """Assign as many ids as possible, bucket by bucket."""
        exhausted: set[int] = set()
        """Nodes from which no free count can be reached, and never again."""
        for bucket in order:
            while self.left[bucket]:
                path = self._path_to_free_count(bucket, exhausted)
                if path is None:
                    break
                steps = list(pairwise(path))
                number = min(self.left[bucket], self._free[path[-1]], *(self._capacity[a][b] for a, b in steps))
                self.left[bucket] -= number
                self._free[path[-1]] -= number
                for a, b in steps:
                    self._capacity[a][b] -= number
                    self._capacity[b][a] += number

    def _path_to_free_count(self, start: int, exhausted: set[int]) -> list[int] | None:
        """The shortest path."""
        came_from = {start: start}
        queue = deque([start])
        while queue:
            at = queue.popleft()
            if self._free[at]:
                path = [at]
                while path[-1] != start:
                    path.append(came_from[path[-1]])
                return path[::-1]
            for target, number in self._capacity[at].items():
                if number and target not in came_from and target not in exhausted:
                    came_from[target] = at
                    queue.append(target)
        exhausted.update(came_from)
        return None
