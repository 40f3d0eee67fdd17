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
from sprig_tui.reconcile.expectation import Expectation, ExpectationTable
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
    unexplained = [_unexplained(one, counted) for one in expectations]
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


def _unexplained(expectation: Expectation, counted: _Counted) -> int:
    """Counts beyond what our sends explain."""
    return sum(
        max(0, received - allowed)
        for received, is_old, allowed in zip(counted.received, counted.is_old, expectation.allowed, strict=True)
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
    ids: list[int] = []
    counts: list[int] = []
    for needed, received, old in zip(expectation.needed, counted.received, is_old, strict=True):
        ids.append(needed if old else 0)
        # what a young bucket has beyond its own ids
        counts.append(received if old else max(0, received - needed))
    counts[0] = counts[last] = 0
    neighbours: list[tuple[tuple[int, int], int]] = []
    for (cell, other), numbers in expectation.edge_bins:
        if is_old[cell] and is_old[other]:
            neighbours.append(((cell, other), sum(numbers)))
        elif is_old[cell]:
            # what was counted there is not known, or not complete
            ids[cell] -= _largest_sum(numbers, max(0, ids[cell] - counts[cell]))
    repeats: list[tuple[tuple[int, int], int]] = []
    for (cell, other), number in expectation.repeat_links:
        if is_old[cell] and other == 0:
            # a request without an answer, before the first bucket
            ids[cell] -= min(number, max(0, ids[cell] - counts[cell]))
        elif is_old[cell] and other < last:
            repeats.append(((cell, other), number))
    return _Case(tuple(ids), tuple(counts), tuple(repeats), tuple(neighbours))


def _largest_sum(numbers: Sequence[int], limit: int) -> int:
    """The largest sum of some of these numbers that is at most `limit`."""
    sums = 1
    for number in numbers:
        sums |= sums << number
    return (sums & ((2 << limit) - 1)).bit_length() - 1


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
