"""Windows: which ranges of time to ask Segment's counters for, and the buckets that are compared. Pure.

Limits of Delivery Overview (Segment's Public API, beta): minutes over 4 h at most, from at most 48 h ago; hours over
14 d, days over 30 d, both from at most 30 d ago. Nothing is older than 30 days. All times are ms since 1970 UTC;
hours and days are those of UTC, as Segment's buckets are.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from sprig_tui.segment.metrics import Granularity

MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
MAX_RANGE_MS = {Granularity.MINUTE: 4 * HOUR_MS, Granularity.HOUR: 14 * DAY_MS, Granularity.DAY: 30 * DAY_MS}
"""The longest range of one request."""
MAX_AGE_MS = {Granularity.MINUTE: 48 * HOUR_MS, Granularity.HOUR: 30 * DAY_MS, Granularity.DAY: 30 * DAY_MS}
"""How long ago the range of a request may begin."""
AGE_MARGIN_MS = 5 * MINUTE_MS
"""Kept from the limits of age: requests take time, and Segment's clock is another one."""
MAX_MINUTE_BUCKETS = 24
"""Buckets of a range that is asked for by minutes, so that they fit a screen."""
MINUTE_BUCKETS_MS = (5 * MINUTE_MS, 10 * MINUTE_MS)
"""Widths of these buckets; below 5 minutes the clocks' difference (up to 2 min) would blur every one."""

MAX_MINUTE_QUERIES = 2
"""Queries by minutes for one count of a destination."""


class Window(NamedTuple):
    """One range to ask for, its ends multiples of the granularity; `end` is exclusive and may lie ahead."""

    start: int
    end: int
    granularity: Granularity


def plan(since: int, until: int, now: int, *, granularity: Granularity | None = None) -> tuple[Window, ...]:
    """The fewest windows that cover since..until, oldest first; empty if nothing of it can be asked for.

    Ranges up to 4 h within the last 48 h are asked for by minutes, all others by hours, unless `granularity` is given
    and its counters reach back that far. The range is widened to whole units; what is older than Segment's counters
    is left out, so that the first window may begin after `since`.
    """
    until = min(until, now)
    if since >= until:
        return ()
    if granularity is None:
        granularity = _finest_for(since, until, now)
    width, oldest = granularity.width_ms, now - MAX_AGE_MS[granularity] + AGE_MARGIN_MS
    start = since // width * width
    if start < oldest:
        start = _align_up(oldest, width)
    end = _align_up(until, width)
    longest = MAX_RANGE_MS[granularity]
    return tuple(Window(begin, min(end, begin + longest), granularity) for begin in range(start, end, longest))


def destination_windows(windows: Sequence[Window], until: int, now: int) -> tuple[Window, ...]:
    """Windows for the totals of destinations: whole days where hours would take several queries for each of many.

    Likewise whole hours, where minutes would take more than two. The days or hours lie within the range, so that up to
    one of its beginning is left out.
    """
    granularity = windows[0].granularity if windows else Granularity.DAY
    if granularity is Granularity.HOUR and len(windows) > 1:
        coarser = Granularity.DAY
    elif granularity is Granularity.MINUTE and len(windows) > MAX_MINUTE_QUERIES:
        coarser = Granularity.HOUR
    else:
        return tuple(windows)
    return plan(_align_up(windows[0].start, coarser.width_ms), until, now, granularity=coarser)


def bucket_edges(windows: Sequence[Window], now: int, hold_back_ms: int) -> tuple[tuple[int, int], ...]:
    """Start and exclusive end of each bucket, oldest first, without gaps.

    Hours and days are buckets themselves; minutes are joined to at most `MAX_MINUTE_BUCKETS`, and one of them ends
    where the hold-back begins, so that what is old enough is not held back with its neighbours. The last one may lie
    ahead in part.
    """
    if not windows:
        return ()
    start, end, granularity = windows[0].start, windows[-1].end, windows[0].granularity
    width, cuts = granularity.width_ms, set[int]()
    if granularity is Granularity.MINUTE:
        width = next((size for size in MINUTE_BUCKETS_MS if end - start <= size * (MAX_MINUTE_BUCKETS - 1)), HOUR_MS)
        if hold_back_ms:
            cuts.add((now - hold_back_ms) // MINUTE_MS * MINUTE_MS)
    first = _align_up(start + 1, width)
    edges = sorted({start, end, *range(first, end, width), *(cut for cut in cuts if start < cut < end)})
    return tuple(itertools.pairwise(edges))


def _finest_for(since: int, until: int, now: int) -> Granularity:
    oldest = now - MAX_AGE_MS[Granularity.MINUTE] + AGE_MARGIN_MS
    recent = since // MINUTE_MS * MINUTE_MS >= oldest
    return Granularity.MINUTE if recent and until - since <= MAX_RANGE_MS[Granularity.MINUTE] else Granularity.HOUR


def _align_up(time: int, width: int) -> int:
    return -(-time // width) * width
