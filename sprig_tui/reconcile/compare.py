"""Comparison of what Segment took with what it counted, bucket by bucket. Pure.

Rules:

- An id must be counted in the bucket of its first acceptance. A repeat may be counted or not: Segment drops it for
  about a day. So a bucket agrees between its distinct ids and its sends.
- A request without an answer may have arrived: the id may have been counted there. Likewise an id that was missed may
  have been counted when it was sent again. So ids are assigned to counts; which bucket lacks one may remain open.
- Segment counts by its own clock, up to two minutes ahead or behind, by the same amount all the time. That amount is
  not known, so each is tried. One that leaves counts unexplained needs others who use the event's name; those with the
  fewest unexplained counts are plausible. Without others the right one is always among them, whatever was lost: lost
  ids leave nothing unexplained. (The fewest *missing* ids would be the wrong measure: a loss can look like a shift.)
  If clocks that agree explain everything, an offset that puts requests on an edge is no plausible alternative.
- An id of the first or last old bucket may have been counted outside, where counts are not known, if it was near that
  edge; then all ids of its request were.
- A span is short by what is missing from it at every plausible offset and in every assignment of ids to buckets: the
  shortest spans of which that is at least one. Where the offsets disagree about which bucket it is, the span has
  several buckets.

Others whose events are evident (no offset explains all counts) hide what is missing from the same bucket; that cannot
be known. Others whose events could as well be ours, shifted, are not noticed. A send that the journal does not know,
of a process that was killed before it could write down the answer, looks like others.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from sprig_tui.journal.accepted import AcceptedBin
from sprig_tui.reconcile.assignment import Links, Missing, missing_ids
from sprig_tui.reconcile.expectation import EdgeIds, Expectation, ExpectationTable
from sprig_tui.reconcile.model import Bucket, Verdict
from sprig_tui.segment.metrics import MetricPoint

MAX_SKEW_MS = 120_000


def compare(
    bins: Sequence[AcceptedBin],
    received_points: Iterable[MetricPoint],
    *,
    buckets: Sequence[tuple[int, int]],
    now: int,
    hold_back_ms: int,
    max_skew_ms: int = MAX_SKEW_MS,
) -> tuple[Bucket, ...]:
    """The buckets with their verdicts, in order.

    Takes up to a few seconds for a month of hours, so an event loop should leave it to a thread.

    Args:
        bins: our sends; they should begin `max_skew_ms` before the first bucket and end as much after the last one.
        received_points: Segment's counts; a bucket without any counts as 0.
        buckets: (start, exclusive end) of each, ascending, without gaps.
        now: time of the comparison.
        hold_back_ms: how long after the end of a bucket (and the largest skew) its counts may still grow.
        max_skew_ms: largest difference between Segment's clock and ours.
    """
    if not buckets:
        return ()
    edges = [start for start, _ in buckets] + [buckets[-1][1]]
    counted = _Counted(
        # as the cells of ExpectationTable: also the time before the first bucket and after the last one
        received=[0] * (len(buckets) + 2),
        is_old=[False, *(end + hold_back_ms + max_skew_ms <= now for _, end in buckets), False],
    )
    for point in received_points:
        counted.received[bisect_right(edges, point.time)] += point.count
    table = ExpectationTable(bins, edges, max_skew_ms)
    plausible, missing = _plausible([table.at(offset) for offset in table.offsets()], counted)
    spans = _short_spans(missing)
    totals = _totals(bins, edges)
    return tuple(
        _bucket(cell, edges, totals[cell], counted, plausible[0], spans.get(cell)) for cell in range(1, len(edges))
    )


class _Counted(NamedTuple):
    """Segment's counts by cell, and whether they can be judged."""

    received: list[int]
    is_old: list[bool]


class _Span(NamedTuple):
    """Cells first..last, both included, which lack so many ids together."""

    first: int
    last: int
    short: int


def _plausible(expectations: Sequence[Expectation], counted: _Counted) -> tuple[list[Expectation], list[Missing]]:
    """The plausible expectations, the best first, and what is missing at each; nothing if one explains everything."""
    unexplained = [_unexplained(one.allowed, counted) for one in expectations]
    if not _unexplained(expectations[0].sent, counted):
        # clocks that agree explain all counts: others only matter if they do so as well, edges aside
        expectations = [one for one in expectations if not _unexplained(one.sent, counted)]
        unexplained = [0] * len(expectations)
    fewest = min(unexplained)
    order = sorted(range(len(expectations)), key=unexplained.__getitem__)
    # others hide which offset is the right one: then one at which nothing is missing suffices
    candidates = order if fewest else [number for number in order if not unexplained[number]]
    missing: dict[_Case, Missing] = {}
    found: list[Missing] = []
    for number in candidates:
        case = _case(expectations[number], counted)
        if case not in missing:
            missing[case] = missing_ids(*case)
        if not missing[case].late_sums[-1]:
            return [expectations[number]], []
        if unexplained[number] <= 2 * fewest:
            found.append(missing[case])
    return [expectations[number] for number in order if unexplained[number] <= 2 * fewest], list(dict.fromkeys(found))


def _unexplained(explained: Sequence[int], counted: _Counted) -> int:
    """Counts beyond those that are explained."""
    return sum(
        max(0, received - number)
        for received, is_old, number in zip(counted.received, counted.is_old, explained, strict=True)
        if is_old
    )


class _Case(NamedTuple):
    """Arguments of `missing_ids`: ids and counts of all cells that are judged, and counts of the young ones."""

    ids: tuple[int, ...]
    counts: tuple[int, ...]
    repeats: Links
    neighbours: Links


def _case(expectation: Expectation, counted: _Counted) -> _Case:
    is_old, last = counted.is_old, len(counted.is_old) - 1
    cells = list(zip(expectation.needed, counted.received, is_old, strict=True))
    # of a young bucket: what it has beyond its own ids
    counts = [received if old else max(0, received - needed) for needed, received, old in cells]
    counts[0] = counts[last] = 0
    ids = [needed if old else 0 for needed, _, old in cells]
    outermost = {cell for link, _ in expectation.edges for cell in link if not all(is_old[end] for end in link)}
    earlier = {cell for (cell, other), _ in expectation.repeat_links if other == 0}
    for cell in outermost | earlier:
        if is_old[cell]:
            ids[cell] = _needed_ids(expectation, counted, cell)
    return _Case(
        tuple(ids),
        tuple(counts),
        tuple((link, number) for link, number in expectation.repeat_links if is_old[link[0]] and 0 < link[1] < last),
        tuple((link, found.number) for link, found in expectation.edges if is_old[link[0]] and is_old[link[1]]),
    )


def _needed_ids(expectation: Expectation, counted: _Counted, cell: int) -> int:
    """Ids that must have been counted in the judged cells if they belong to this one.

    What was counted outside is not known, or not complete. So fewer are needed where ids may have been counted there.
    """
    needed, received = expectation.needed[cell], counted.received[cell]
    joined = EdgeIds()
    for (home, other), found in expectation.edges:
        if home == cell and not counted.is_old[other]:
            lacking = max(0, needed - received)
            needed -= min(lacking, _largest_sum(found, _room(expectation, counted, cell)))
        elif other == cell and not counted.is_old[home]:
            joined = EdgeIds(joined.loose + found.loose, joined.requests + found.requests)
    for (home, other), number in expectation.repeat_links:
        if home == cell and other == 0:
            # a request without an answer, before the first bucket
            needed -= min(number, max(0, needed - received))
    # a request of which some ids were counted here belongs here, and its other ids are missing here
    explained = expectation.allowed[cell] - joined.number
    return needed + _smallest_sum(joined, max(0, received - explained))


def _room(expectation: Expectation, counted: _Counted, cell: int) -> int:
    """At most so many ids of a cell were counted outside: repeats and ids of a neighbour may stand in for them."""
    room = _uncounted(expectation, counted, cell)
    for (home, other), found in expectation.edges:
        if other == cell and counted.is_old[home]:
            room += min(found.number, _uncounted(expectation, counted, home))
    return room


def _uncounted(expectation: Expectation, counted: _Counted, cell: int) -> int:
    """How many of the sends of a cell were not counted in it."""
    return max(0, expectation.sent[cell] - counted.received[cell])


def _largest_sum(ids: EdgeIds, limit: int) -> int:
    """The largest number of ids that may have been counted together and is at most `limit`."""
    return (ids.sums() & ((2 << limit) - 1)).bit_length() - 1


def _smallest_sum(ids: EdgeIds, least: int) -> int:
    """The smallest number of ids that may have been counted together and is at least `least`; all if none is."""
    larger = ids.sums() >> least
    return least + (larger & -larger).bit_length() - 1 if larger else ids.number


def _short_spans(missing: Sequence[Missing]) -> dict[int, _Span]:
    """The shortest spans that are short in every case, by each of their cells; overlapping ones are joined."""
    if not missing:
        return {}
    cells = len(missing[0].late)
    ends = _shortest_ends(missing, cells)
    spans: list[_Span] = []
    for cell in range(cells):
        if any(one.late[cell] or one.early[cell] for one in missing):
            around = [(max(end, cell) - first, first) for first, end in enumerate(ends[: cell + 1]) if end is not None]
            if around:
                length, first = min(around)
                spans.append(_Span(first, first + length, 0))
    joined: list[_Span] = []
    for span in sorted(spans):
        if joined and span.first <= joined[-1].last:
            joined[-1] = _Span(joined[-1].first, max(joined[-1].last, span.last), 0)
        else:
            joined.append(span)
    by_cell: dict[int, _Span] = {}
    for first, last, _ in joined:
        span = _Span(first, last, min(one.within(first, last) for one in missing))
        by_cell |= dict.fromkeys(range(first, last + 1), span)
    return by_cell


def _shortest_ends(missing: Sequence[Missing], cells: int) -> list[int | None]:
    """By first cell: the last cell of the shortest span from there that is short in every case."""
    ends: list[int | None] = []
    end = 0
    for first in range(cells):
        end = max(end, first)
        while end < cells and min(one.within(first, end) for one in missing) < 1:
            end += 1
        ends.append(end if end < cells else None)
    return ends


class _Totals(Struct):
    """Our sends in one bucket, by our clock."""

    distinct: int = 0
    sends: int = 0
    repeats: int = 0


def _totals(bins: Sequence[AcceptedBin], edges: Sequence[int]) -> list[_Totals]:
    """By cell."""
    totals = [_Totals() for _ in range(len(edges) + 1)]
    for one in bins:
        total = totals[bisect_right(edges, one.start)]
        total.distinct += one.first
        total.sends += one.sends
        total.repeats += sum(number for _, number in one.repeats)
    return totals


def _bucket(
    cell: int, edges: Sequence[int], totals: _Totals, counted: _Counted, best: Expectation, span: _Span | None
) -> Bucket:
    bucket = Bucket(
        start=edges[cell - 1],
        end=edges[cell],
        distinct=totals.distinct,
        sends=totals.sends,
        repeats=totals.repeats,
        received=counted.received[cell],
        verdict=Verdict.AGREES,
    )
    if not counted.is_old[cell]:
        return replace(bucket, verdict=Verdict.TOO_YOUNG)
    if span is not None:
        return replace(
            bucket,
            verdict=Verdict.SHORT,
            short=span.short,
            span_start=edges[span.first - 1],
            span_end=edges[span.last],
        )
    more = counted.received[cell] - best.allowed[cell]
    return replace(bucket, verdict=Verdict.MORE, more=more) if more > 0 else bucket
