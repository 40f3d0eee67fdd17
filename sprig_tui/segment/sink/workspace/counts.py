"""Counts of events by minute, as Segment's Delivery Overview shows them: by step, source, destination and dimension.

Only numbers are kept, never events. A count is seen some time after it was made, as at Segment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

MINUTE_MS = 60_000
MAX_AGE_MS = 30 * 86_400_000
"""Segment shows nothing older than 30 days."""
MAX_EVENT_NAMES = 2_000
"""Names with counts of their own; later ones share `OTHER_NAME`, so that random names cannot fill the memory."""
OTHER_NAME = "(other events)"
MAX_POINTS = 1_000_000
"""Minutes with a count, over all series; above it the oldest are dropped."""
_MAX_NAME_CHARS = 500

RECEIVED = "successfully-received"
FAILED_ON_INGEST = "failed-on-ingest"
FILTERED_AT_SOURCE = "filtered-at-source"
FILTERED_AT_DESTINATION = "filtered-at-destination"
FAILED_DELIVERY = "failed-delivery"
DELIVERED = "successful-delivery"
SOURCE_STEPS = (RECEIVED, FAILED_ON_INGEST, FILTERED_AT_SOURCE)
DESTINATION_STEPS = (FILTERED_AT_DESTINATION, FAILED_DELIVERY, DELIVERED)


class Series(NamedTuple):
    """What is counted apart; the last four are the dimensions that `groupBy` knows."""

    step: str
    source_id: str
    destination_id: str = ""
    eventName: str = ""  # noqa: N815 - the API's name of the dimension
    eventType: str = "track"  # noqa: N815
    appVersion: str = ""  # noqa: N815
    discardReason: str = ""  # noqa: N815


class Counts:
    """Counts of all series; `add` makes them, `read` sees those that are due."""

    def __init__(self) -> None:
        self._series: dict[Series, dict[int, int]] = {}
        self._pending: dict[tuple[int, Series, int], int] = {}
        """(second at which it is seen, series, minute) -> count."""
        self._names: set[str] = set()
        self._points = 0

    def add(self, series: Series, at: int, count: int = 1, *, seen_at: int = 0) -> None:
        """Count events of the minute of `at`; both times in ms since 1970 UTC. They are seen from `seen_at` on."""
        name = series.eventName[:_MAX_NAME_CHARS]
        if name not in self._names:
            if len(self._names) < MAX_EVENT_NAMES:
                self._names.add(name)
            else:
                name = OTHER_NAME
        if name != series.eventName:
            series = series._replace(eventName=name)
        # in whole seconds, so that what waits is bounded by series and seconds; without a delay at once
        second = -(-seen_at // 1000) if seen_at > at else 0
        due = (second, series, at - at % MINUTE_MS)
        self._pending[due] = self._pending.get(due, 0) + count

    def read(
        self, wanted: Callable[[Series], bool], start: int, end: int, now: int
    ) -> Iterator[tuple[Series, list[tuple[int, int]]]]:
        """Each series that is wanted, with its minutes from `start` (inclusive) to `end` (exclusive), in order."""
        self._settle(now)
        for series, minutes in self._series.items():
            if wanted(series):
                yield series, sorted((at, count) for at, count in minutes.items() if start <= at < end)

    def _settle(self, now: int) -> None:
        """Move what is due by now from pending to seen."""
        for key in [key for key in self._pending if key[0] * 1000 <= now]:
            _, series, minute = key
            minutes = self._series.setdefault(series, {})
            self._points += minute not in minutes
            minutes[minute] = minutes.get(minute, 0) + self._pending.pop(key)
        if self._points > MAX_POINTS:
            self._drop_before(now - MAX_AGE_MS)
        while self._points > MAX_POINTS:
            ordered = sorted({minute for minutes in self._series.values() for minute in minutes})
            self._drop_before(ordered[len(ordered) // 2])

    def _drop_before(self, oldest: int) -> None:
        for series, minutes in list(self._series.items()):
            kept = {minute: count for minute, count in minutes.items() if minute >= oldest}
            self._points -= len(minutes) - len(kept)
            if kept:
                self._series[series] = kept
            else:
                del self._series[series]
