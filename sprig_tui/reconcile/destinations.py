"""Connected destinations: what became of the events that a source received.

A destination is compared with what its source received, less what the source filtered: Segment retries for 4 h, so
what is missing may still be on its way for so long. Segment counts cloud-mode streaming destinations only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from msgspec import structs

from sprig_tui.reconcile.counts import SourceCounts, StepCounts, discard_counts, retried_count
from sprig_tui.reconcile.model import Destination, Obstacle, Verdict
from sprig_tui.reconcile.queries import gather
from sprig_tui.reconcile.windows import HOUR_MS, Window
from sprig_tui.segment import public_api_models as api_models
from sprig_tui.segment.metrics import Step

RETRY_WINDOW_MS = 4 * HOUR_MS
"""How long Segment retries a delivery to a destination."""
_STEPS = (Step.DELIVERED, Step.FILTERED_AT_DESTINATION, Step.FAILED_DELIVERY)


class Passed(NamedTuple):
    """Events that a source passed on to its destinations. None where it is not known."""

    total: int | None
    """Those that are old enough to be counted everywhere."""
    recent: int | None
    """Of these: so recent that Segment may still retry them."""
    obstacle: Obstacle = Obstacle.NONE
    """Why it is not known."""


def passed_on(received: StepCounts, filtered: StepCounts, start: int, end: int, settled_before: int) -> Passed:
    """What the source passed on from start to end (excluded); younger than `settled_before` is left out."""
    refusal = received.refusal or filtered.refusal
    if refusal is not None:
        return Passed(None, None, refusal.obstacle)
    old = settled_before - RETRY_WINDOW_MS

    def count(since: int) -> int:
        return sum(
            sign * point.count
            for sign, counts in ((1, received), (-1, filtered))
            for point in counts.points
            if max(start, since) <= point.time and point.time + _width_ms(counts) <= min(end, settled_before)
        )

    return Passed(max(0, count(start)), max(0, count(old - _width_ms(received))))


async def ask_destination(
    counts: SourceCounts, found: api_models.Destination, windows: Sequence[Window], passed: Passed, what: str
) -> Destination:
    """The destination's counts with their reasons, and the verdict; a disabled one is not asked for."""
    known = Destination(id=found.id, name=found.name, kind=found.kind, enabled=found.enabled)
    if found.enabled is False:
        return structs.replace(known, obstacle=Obstacle.DISABLED)
    steps = await gather(counts.step(step, windows, what, found.id) for step in _STEPS)
    delivered, filtered, failed = steps
    attempts, *reasons = await gather(counts.reasons(step, what, found.id) for step in steps)
    answered = structs.replace(
        known,
        delivered=delivered.total,
        filtered=filtered.total,
        failed=failed.total,
        retried=retried_count(attempts),
        discards=tuple(
            discard
            for step, found_reasons in zip((filtered.step, failed.step), reasons, strict=True)
            for discard in discard_counts(step, found_reasons)
        ),
    )
    refusal = next((step.refusal for step in steps if step.refusal), None)
    if refusal is not None:
        return structs.replace(answered, obstacle=refusal.obstacle)
    handled = sum(step.total or 0 for step in steps)
    verdict, obstacle = judge(handled, passed)
    return structs.replace(answered, verdict=verdict, obstacle=obstacle)


def judge(handled: int, passed: Passed) -> tuple[Verdict, Obstacle]:
    """The verdict on a destination that delivered, filtered or gave up so many events of those passed on."""
    if passed.total is None or passed.recent is None:
        return Verdict.CANNOT_ASK, passed.obstacle
    missing = passed.total - handled
    if missing <= 0:
        return Verdict.AGREES, Obstacle.NONE
    if missing <= passed.recent:
        return Verdict.TOO_YOUNG, Obstacle.NONE
    if not handled:
        # a warehouse or a device-mode destination looks the same as one that gets nothing
        return Verdict.CANNOT_ASK, Obstacle.NOT_COUNTED
    return Verdict.SHORT, Obstacle.NONE


def _width_ms(counts: StepCounts) -> int:
    return counts.windows[0].granularity.width_ms if counts.windows else 0
