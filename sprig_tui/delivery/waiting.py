"""Waiting until what was added has reached an end state, or until it is clear that it will not soon."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from sprig_tui.delivery import pauses
from sprig_tui.delivery.ids import IdRanges
from sprig_tui.delivery.timing import SystemTiming, Timing
from sprig_tui.journal.contract import Journal
from sprig_tui.journal.records import Lane, State

if TYPE_CHECKING:
    from sprig_tui.delivery.engine import Engine

FIRST_LOOK = 0.02
LONGEST_LOOK = 0.25
"""Seconds between two looks into the journal."""
REST = 4
"""Times that a look took, to wait before the next: with a million queued a look costs a good part of a second."""
PATIENCE = 60.0
"""Seconds that a lane, or the journal, may fail without a break until waiting for it ends."""


class Standstill(Struct, frozen=True, gc=False):
    """Why an environment's deliveries stay queued."""

    environment: str
    why: Literal["paused", "no-key", "unreachable", "journal"]
    """`journal`: it takes no notes of what Segment answers, though it can be read."""
    cause: str = ""
    """As the lane says it, such as `write key Zq8T…e1Rk refused (401)`."""


class Waited(Struct, frozen=True):
    """How the wait ended: nothing queued any more, or standstills that explain what is."""

    queued: int = 0
    standstills: tuple[Standstill, ...] = ()


async def until_settled(
    journal: Journal,
    ids: IdRanges,
    environments: Iterable[str],
    *,
    engine: Engine | None = None,
    patience: float = PATIENCE,
    timing: Timing | None = None,
    progress: Callable[[int], None] | None = None,
) -> Waited:
    """Wait until none of `ids` is queued; `environments` are those they belong to. Raises JournalError.

    Ends early when every environment that still has deliveries queued stands still: its lane is paused, or has failed
    for `patience` seconds without a break (a first wait that Segment asked for is waited out, further ones are not);
    or the engine here has no key for it, or cannot write what happens into the journal and nothing was settled for
    `patience` seconds. Without `engine` another process is trusted to deliver. `progress` hears how many are queued.
    """
    names = sorted(set(environments))
    clock = timing or SystemTiming()
    quiet = engine.quiet if engine else asyncio.Event()
    failing_since: dict[str, float] = {}
    left, moved_at = -1, clock.monotonic()
    look = FIRST_LOOK
    while True:
        quiet.clear()
        queued = 0
        began = clock.monotonic()
        for first, last in ids:
            queued += await journal.count_queued(first, last)
        if progress is not None:
            progress(queued)
        if not queued:
            return Waited()
        if queued != left:
            left, moved_at = queued, clock.monotonic()
        stuck = clock.monotonic() - moved_at >= patience
        standstills = await _standstills(
            journal, names, engine, failing_since, clock.monotonic(), patience, stuck=stuck
        )
        if standstills:
            return Waited(queued, standstills)
        await clock.wait(quiet, max(look, REST * (clock.monotonic() - began)))
        look = min(look * 1.5, LONGEST_LOOK)


async def _standstills(
    journal: Journal,
    names: list[str],
    engine: Engine | None,
    failing_since: dict[str, float],
    now: float,
    patience: float,
    *,
    stuck: bool,
) -> tuple[Standstill, ...]:
    """What holds everything up; empty as long as one environment moves. `stuck`: nothing was settled for `patience`."""
    troubles = {name: lane.trouble for name, lane in engine.snapshot().environments.items()} if engine else {}
    elsewhere = engine.elsewhere() if engine is not None else {}
    lanes = await _lanes(journal, names, elsewhere)
    counts = await journal.counts()
    found: list[Standstill] = []
    for name in names:
        lane = lanes.get(name, Lane(environment=name))
        if lane.state == "open":
            failing_since.pop(name, None)
        queued, foreign = counts.by_environment.get(name, {}).get(State.QUEUED, 0), counts.queued_elsewhere.get(name, 0)
        if not (foreign if name in elsewhere else queued - foreign):
            continue
        if lane.state == "paused":
            found.append(Standstill(name, "paused", lane.cause))
        elif engine is not None and name not in engine.served():
            found.append(Standstill(name, "no-key"))
        elif stuck and lane.state == "open" and troubles.get(name):
            found.append(Standstill(name, "journal", troubles[name]))
        elif lane.state == "open":
            return ()
        elif now - failing_since.setdefault(name, now) >= patience and not pauses.is_first_retry_after(lane):
            found.append(Standstill(name, "unreachable", lane.cause))
        else:
            return ()
    return tuple(found)


async def _lanes(journal: Journal, names: list[str], elsewhere: Mapping[str, str]) -> dict[str, Lane]:
    """The lanes to where these environments' deliveries go."""
    found = await journal.lanes()
    for endpoint in {elsewhere[name] for name in names if name in elsewhere}:
        lanes = await journal.lanes(endpoint)
        for name in names:
            if elsewhere.get(name) == endpoint:
                found[name] = lanes.get(name, Lane(environment=name))
    return found
