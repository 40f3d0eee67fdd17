"""Counts of the hour in which a delivery was taken: what they say of one answer, and what they leave open. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from sprig_tui.explain.model import Answer, Obstacle
from sprig_tui.formatting import local_time
from sprig_tui.reconcile.model import Obstacle as CountsObstacle
from sprig_tui.reconcile.model import obstacle_text
from sprig_tui.reconcile.reasons import reason_text
from sprig_tui.segment.metrics import Granularity, MetricRow, Step

HOLD_BACK_MS = 5 * 60_000
"""Age at which Segment's counts agree with each other (Delivery Overview of its app waits as long)."""
MAX_SKEW_MS = 120_000
"""Difference between this machine's clock and Segment's that is allowed for."""
MAX_AGE_MS = 30 * 86_400_000
"""Segment has no older counts."""
_SHOWN_REASONS = 4


class Window(NamedTuple):
    """Whole hours, ms since 1970 UTC; the end is excluded."""

    start: int
    end: int

    @property
    def text(self) -> str:
        """In local time, such as `14:00 to 15:00`."""
        return f"{local_time(self.start):%H:%M} to {local_time(self.end):%H:%M}"


class Counted(NamedTuple):
    """What the counts say."""

    answer: Answer
    evidence: str
    why: str = ""
    obstacle: Obstacle = Obstacle.NONE


def hour_of(taken_at: int) -> Window:
    """The hour of this time by Segment's clock; two hours where the clocks could put it into either."""
    width = Granularity.HOUR.width_ms
    start = (taken_at - MAX_SKEW_MS) // width * width
    end = -(-(taken_at + MAX_SKEW_MS + 1) // width) * width
    return Window(start, end)


def age_obstacle(taken_at: int, now: int) -> Obstacle:
    """Why there are no counts of this time, if so."""
    if now - taken_at < HOLD_BACK_MS + MAX_SKEW_MS:
        return Obstacle.TOO_YOUNG
    return Obstacle.TOO_OLD if taken_at < now - MAX_AGE_MS + Granularity.HOUR.width_ms else Obstacle.NONE


def sure_part(window: Window, now: int) -> Window:
    """The part of it in which our deliveries are in its counts: by any clock, and whole."""
    return Window(window.start + MAX_SKEW_MS, min(window.end, now - HOLD_BACK_MS) - MAX_SKEW_MS)


AGE_TEXTS = {
    Obstacle.TOO_YOUNG: "too young: Segment's counts are whole after about 7 minutes; ask again",
    Obstacle.TOO_OLD: "Segment keeps counts for 30 days only",
}


Discards = Counter[tuple[Step, str]]
"""Events by step and discard reason; an empty reason where the answer gives none."""


def of_event(step: Step, rows: Iterable[MetricRow], event: str) -> Discards:
    """The events of our name."""
    counted: Discards = Counter()
    for row in rows:
        if row.event_name == event:
            counted[step, row.discard_reason] += row.total
    return counted


def judge(arrived: int, discards: Discards, window: Window, *, verb: str) -> Counted:
    """What the counts of a step say: none discarded, all discarded, or some, and then not which.

    `arrived` is what went through; `verb` says how, such as `received`.
    """
    lost = sum(discards.values())
    hours = f"from {window.text}"
    if not arrived and not lost:
        return Counted(Answer.NO, f"none of this event counted {hours}", "what was sent there did not get so far")
    if not lost:
        return Counted(Answer.YES, f"{arrived:,} {verb} {hours}, none discarded")
    found = discards.most_common(_SHOWN_REASONS)
    reasons = ", ".join(f"{reason or 'no reason given'} {count:,}" for (_, reason), count in found)
    (step, reason), _ = found[0]
    meaning = reason_text(step, reason)
    if not arrived:
        return Counted(Answer.NO, f"all {lost:,} {hours} discarded: {reasons}", meaning)
    evidence = f"{arrived:,} {verb} {hours}, {lost:,} discarded: {reasons}"
    why = "; ".join(part for part in ("counts do not say which", meaning) if part)
    return Counted(Answer.UNKNOWN, evidence, why, Obstacle.UNCLEAR)


class Delivered(NamedTuple):
    """What Segment took of ours in a time."""

    first: int
    """Message ids that it took for the first time."""
    sends: int
    """All sends, repeats included."""


def weigh_source(counted: Counted, arrived: int, delivered: Delivered) -> Counted:
    """The same beside what we delivered in the sure part: where the source counted fewer, it is open which."""
    if counted.answer is not Answer.YES or delivered.sends <= arrived:
        return counted
    if delivered.first <= arrived:
        evidence = f"{counted.evidence}; {delivered.sends:,} were sent then, some of them again"
        why = "Segment counts a repeat or drops it, and counts do not say which"
        return Counted(Answer.UNKNOWN, evidence, why, Obstacle.UNCLEAR)
    evidence = f"{counted.evidence}; {delivered.first:,} were delivered then"
    why = "some are missing, and counts do not say which: sprig-tui reconcile"
    return Counted(Answer.UNKNOWN, evidence, why, Obstacle.UNCLEAR)


def weigh_destination(counted: Counted, handled: int, passed_on: int | None) -> Counted:
    """The same beside what the source passed on, None where that is not known.

    `handled` was delivered, filtered or given up. Nothing of it says nothing: Segment does not count all destinations.
    """
    if not handled and passed_on != 0:
        return Counted(Answer.UNKNOWN, counted.evidence, obstacle_text(CountsObstacle.NOT_COUNTED), Obstacle.UNCLEAR)
    if counted.answer is not Answer.YES or passed_on is None or passed_on <= handled:
        return counted
    evidence = f"{counted.evidence}; the source passed on {passed_on:,}"
    return Counted(Answer.UNKNOWN, evidence, "Segment retries for 4 h, and counts do not say which", Obstacle.UNCLEAR)
