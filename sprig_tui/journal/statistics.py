"""Statistics: how many deliveries of a period are in which state, by hour or day, survey, reason, failure and endpoint.

Both stores answer a StatisticsRequest with the same records; `statistics_filters` has the filter of each number.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Literal

from msgspec import Struct

from sprig_tui.journal.records import State

Unit = Literal["hour", "day"]
UNIT_MS: dict[Unit, int] = {"hour": 3_600_000, "day": 86_400_000}
"""Usual lengths; a day on which the clock is changed is longer or shorter."""
MAX_BUCKETS = 4_000
DEFAULT_BUCKETS: dict[Unit, int] = {"hour": 24, "day": 30}
OTHER = "other"
"""Key of what is not counted one by one: see MAX_SURVEYS in `block_counts`."""
NO_STATUS = 0
"""Status of a failure without an HTTP status."""


class StatisticsRequest(Struct, frozen=True, kw_only=True):
    """What to count: deliveries that arrived in so many hours or days, the last one of which is that of `until`."""

    environments: tuple[str, ...] = ()
    """Names; empty for all."""
    unit: Unit = "hour"
    buckets: int = DEFAULT_BUCKETS["hour"]
    """At most MAX_BUCKETS."""
    until: int = 0
    """A time in the last bucket, ms since 1970; 0 for now."""


StateCounts = dict[State, int]
"""Deliveries by state; states without one are left out."""


class Bucket(Struct, frozen=True, kw_only=True):
    """An hour or a day in local time."""

    since: int
    """Its first millisecond since 1970."""
    until: int
    """Exclusive."""
    arrived: StateCounts
    """What arrived in it, by today's state."""
    answered: int = 0
    """Deliveries whose last request was answered in it."""
    median_ms: int = 0
    """Of the latencies of these requests, within 7 %; 0 without one."""
    p95_ms: int = 0

    @property
    def per_second(self) -> float:
        """Answered deliveries per second."""
        return self.answered * 1000 / max(self.until - self.since, 1)


class SurveyCounts(Struct, frozen=True, kw_only=True):
    """Deliveries of a survey."""

    id: str
    """Empty for those without one, OTHER for all that are not counted one by one."""
    name: str
    """One of its names; not sanitized for a terminal."""
    states: StateCounts
    anonymous: int
    """Those without a user, except those of forgotten persons; included in `states`."""
    is_other: bool = False

    @property
    def total(self) -> int:
        """In any state."""
        return sum(self.states.values())

    @property
    def anonymous_share(self) -> float:
        """From 0 to 1."""
        return self.anonymous / self.total if self.total else 0.0


class Statistics(Struct, frozen=True, kw_only=True):
    """The answer to a request; everything but `answered` of buckets is about deliveries that arrived in the period."""

    request: StatisticsRequest
    buckets: tuple[Bucket, ...]
    """Oldest first, without gaps."""
    surveys: tuple[SurveyCounts, ...]
    """Most deliveries first; OTHER is last."""
    environments: dict[str, StateCounts]
    reasons: dict[str, int]
    """Withheld deliveries by reason, most first."""
    failures: dict[int, int]
    """Failed deliveries by the last HTTP status or NO_STATUS, most first."""
    endpoints: dict[str, StateCounts]
    """By the URL that the last request went to, or that a run with `--endpoint` bound the delivery for. One that has
    two different ones is counted at both, as the filter finds it at both."""
    recounted: int = 0
    """Deliveries that were counted one by one for this: those that changed since the counts were kept."""

    @property
    def since(self) -> int:
        """Begin of the period."""
        return self.buckets[0].since

    @property
    def until(self) -> int:
        """End of the period, exclusive."""
        return self.buckets[-1].until

    @property
    def totals(self) -> StateCounts:
        """Deliveries that arrived in the period."""
        return sum_states([bucket.arrived for bucket in self.buckets])


def sum_states(parts: Sequence[StateCounts]) -> StateCounts:
    """The sum of counts, in the order of the states."""
    sums = {state: sum(part.get(state, 0) for part in parts) for state in State}
    return {state: number for state, number in sums.items() if number}


def bucket_edges(unit: Unit, buckets: int, until: int) -> tuple[int, ...]:
    """The `buckets` + 1 edges of consecutive local hours or days; `until` is in the last one.

    Hours begin where the minutes of the local clock are 0, days at local midnight, also where the offset has half
    hours and where the clock is changed.
    """
    number = max(1, min(buckets, MAX_BUCKETS))
    last = _local(until)
    if unit == "day":
        end = datetime.combine(last.date(), time()) + timedelta(days=1)
        edges = [end - timedelta(days=back) for back in range(number, -1, -1)]
        return tuple(_milliseconds(edge.astimezone()) for edge in edges)
    start = _milliseconds(last.replace(minute=0, second=0, microsecond=0))
    return tuple(start + UNIT_MS["hour"] * (at - number + 1) for at in range(number + 1))


def buckets_between(unit: Unit, since: int, until: int) -> int:
    """How many buckets it takes from the one of `since` to the one before `until`, at most MAX_BUCKETS."""
    number = max(1, -(-(until - since) // UNIT_MS[unit]))
    while number < MAX_BUCKETS and bucket_edges(unit, number, until - 1)[0] > since:
        number += 1
    while number > 1 and bucket_edges(unit, number, until - 1)[1] <= since:
        number -= 1
    return min(number, MAX_BUCKETS)


def _local(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone()


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
