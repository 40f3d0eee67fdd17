"""Counts of one source: a step of the Delivery Overview over several windows, our event's names only.

Counts are grouped by the event's name and picked here: the SDKs do not agree on how a filter is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple

from sprig_tui.reconcile.model import DiscardCount, Obstacle
from sprig_tui.reconcile.queries import Queries, Refusal, gather
from sprig_tui.reconcile.reasons import attempt_of
from sprig_tui.reconcile.windows import Window
from sprig_tui.segment.metrics import MetricPoint, MetricRow, Step

if TYPE_CHECKING:
    from sprig_tui.segment.public_api import PublicApiClient


class StepCounts(NamedTuple):
    """Points of one step, by window; a Refusal where a window could not be asked for."""

    step: Step
    windows: tuple[Window, ...]
    by_window: tuple[tuple[MetricPoint, ...] | Refusal, ...]

    @property
    def refusal(self) -> Refusal | None:
        """The first reason for a gap; None for none."""
        return next((points for points in self.by_window if isinstance(points, Refusal)), None)

    @property
    def total(self) -> int | None:
        """Events over all windows; None if one is unknown."""
        return None if self.refusal else sum(point.count for point in self.points)

    @property
    def points(self) -> tuple[MetricPoint, ...]:
        """The points of all windows that were answered."""
        return tuple(point for points in self.by_window if not isinstance(points, Refusal) for point in points)

    def count_in(self, start: int, end: int) -> int | None:
        """Events from start to end (excluded); None if a window that overlaps is unknown."""
        for window, points in zip(self.windows, self.by_window, strict=True):
            if isinstance(points, Refusal) and window.start < end and start < window.end:
                return None
        return sum(point.count for point in self.points if start <= point.time < end)


class SourceCounts:
    """Asks for the counts of one source."""

    def __init__(
        self,
        api: PublicApiClient,
        queries: Queries,
        source_id: str,
        events: Collection[str],
        now: Callable[[], int],
    ) -> None:
        self._api = api
        self._queries = queries
        self._source_id = source_id
        self._events = events
        self._now = now

    async def step(self, step: Step, windows: Sequence[Window], what: str, destination_id: str = "") -> StepCounts:
        """The counts of a step; one query a window."""
        rows = await gather(self._rows(step, window, what, destination_id, ("eventName",)) for window in windows)
        return StepCounts(step, tuple(windows), tuple(map(self._own_points, rows)))

    async def reasons(self, counts: StepCounts, what: str, destination_id: str = "") -> Counter[str]:
        """Events by Segment's reason; one query for each window that has any. The reason is empty if it is not told."""
        wanted = [
            (window, sum(point.count for point in points))
            for window, points in zip(counts.windows, counts.by_window, strict=True)
            if not isinstance(points, Refusal)
        ]
        wanted = [(window, total) for window, total in wanted if total]
        group_by = ("eventName", "discardReason")
        found: Counter[str] = Counter()
        answers = await gather(self._rows(counts.step, window, what, destination_id, group_by) for window, _ in wanted)
        for (_, total), rows in zip(wanted, answers, strict=True):
            own = [] if isinstance(rows, Refusal) else [row for row in rows if row.event_name in self._events]
            for row in own:
                found[row.discard_reason] += row.total
            if (rest := total - sum(row.total for row in own)) > 0:
                found[""] += rest
        return found

    async def _rows(
        self, step: Step, window: Window, what: str, destination_id: str, group_by: Sequence[str]
    ) -> tuple[MetricRow, ...] | Refusal:
        found = await self._queries.ask(
            what,
            lambda: self._api.delivery_metric(
                step,
                self._source_id,
                start=window.start,
                # no API promises to count what is still to come
                end=min(window.end, self._now()),
                granularity=window.granularity,
                destination_id=destination_id,
                group_by=group_by,
            ),
        )
        if isinstance(found, Refusal) and found.obstacle is Obstacle.ANSWER_UNCLEAR and found.status == 404:
            # the source was listed a moment ago: it is the route that is missing
            return Refusal(Obstacle.PLAN, found.detail, found.status)
        return found

    def _own_points(self, rows: tuple[MetricRow, ...] | Refusal) -> tuple[MetricPoint, ...] | Refusal:
        if isinstance(rows, Refusal):
            return rows
        return tuple(point for row in rows if row.event_name in self._events for point in row.points)


def discard_counts(step: Step, reasons: Counter[str]) -> tuple[DiscardCount, ...]:
    """The reasons of a step, the largest first."""
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return tuple(DiscardCount(step=step, reason=reason, count=count) for reason, count in ordered if count)


def retried_count(reasons: Counter[str]) -> int:
    """Events that were delivered by a later attempt than the first."""
    return sum(count for reason, count in reasons.items() if attempt_of(reason) > 1)
