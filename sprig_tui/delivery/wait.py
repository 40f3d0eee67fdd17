"""Waiting until what was added has reached an end state, or until it is clear that it will not soon."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from sprig_tui.clock import MonotonicClock, SystemMonotonicClock
from sprig_tui.config.environment import UNREACHABLE_TIMEOUT_S
from sprig_tui.delivery import retry
from sprig_tui.ingest.id_ranges import IdRanges
from sprig_tui.journal.base import Journal
from sprig_tui.journal.records import Lane, State

if TYPE_CHECKING:
    from sprig_tui.delivery.engine import Engine

MIN_WAIT_POLL_S = 0.02
MAX_WAIT_POLL_S = 0.25
"""Seconds between two looks into the journal."""
POLL_COST_FACTOR = 4
"""Times that a look took, to wait before the next: with a million queued a look costs a good part of a second."""


class Stall(Struct, frozen=True, gc=False):
    """Why an environment's deliveries stay queued."""

    environment: str
    kind: Literal["paused", "no-key", "unreachable", "journal"]
    """`journal`: it takes no notes of what Segment answers, though it can be read."""
    cause: str = ""
    """As the lane says it, such as `write key Zq8T…e1Rk refused (401)`."""


class WaitResult(Struct, frozen=True):
    """How the wait ended: nothing queued any more, or standstills that explain what is."""

    queued: int = 0
    stalls: tuple[Stall, ...] = ()


async def wait_until_settled(
    journal: Journal,
    ids: IdRanges,
    environments: Iterable[str],
    *,
    engine: Engine | None = None,
    timeout_s: float = UNREACHABLE_TIMEOUT_S,
    timing: MonotonicClock | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> WaitResult:
    """Wait until none of `ids` is queued; `environments` are those they belong to. Raises JournalError.

    Ends early when every environment that still has deliveries queued stands still: its lane is paused, or has failed
    for `patience` seconds without a break (a first wait that Segment asked for is waited out, further ones are not);
    or the engine here has no key for it, or cannot write what happens into the journal and nothing was settled for
    `patience` seconds. Without `engine` another process is trusted to deliver. `progress` hears how many are queued.
    """
    names = sorted(set(environments))
    clock = timing or SystemMonotonicClock()
    quiet = engine.idle if engine else asyncio.Event()
    failing_since: dict[str, float] = {}
    left, moved_at = -1, clock.monotonic()
    look = MIN_WAIT_POLL_S
    while True:
        quiet.clear()
        queued = 0
        began = clock.monotonic()
        for first, last in ids:
            queued += await journal.count_queued(first, last)
        if on_progress is not None:
            on_progress(queued)
        if not queued:
            return WaitResult()
        if queued != left:
            left, moved_at = queued, clock.monotonic()
        stuck = clock.monotonic() - moved_at >= timeout_s
        standstills = await _find_stalls(
            journal, names, engine, failing_since, clock.monotonic(), timeout_s, stuck=stuck
        )
        if standstills:
            return WaitResult(queued, standstills)
        await clock.wait(quiet, max(look, POLL_COST_FACTOR * (clock.monotonic() - began)))
        look = min(look * 1.5, MAX_WAIT_POLL_S)


async def _find_stalls(
    journal: Journal,
    names: list[str],
    engine: Engine | None,
    failing_since: dict[str, float],
    now: float,
    timeout_s: float,
    *,
    stuck: bool,
) -> tuple[Stall, ...]:
    """What holds everything up; empty as long as one environment moves. `stuck`: nothing was settled for `patience`."""
    troubles = {name: lane.local_error for name, lane in engine.snapshot().environments.items()} if engine else {}
    elsewhere = engine.override_urls() if engine is not None else {}
    lanes = await _read_lanes(journal, names, elsewhere)
    counts = await journal.counts()
    found: list[Stall] = []
    for name in names:
        lane = lanes.get(name, Lane(environment=name))
        if lane.state == "open":
            failing_since.pop(name, None)
        queued, foreign = counts.by_environment.get(name, {}).get(State.QUEUED, 0), counts.queued_elsewhere.get(name, 0)
        if not (foreign if name in elsewhere else queued - foreign):
            continue
        if lane.state == "paused":
            found.append(Stall(name, "paused", lane.cause))
        elif engine is not None and name not in engine.served_environments():
            found.append(Stall(name, "no-key"))
        elif stuck and lane.state == "open" and troubles.get(name):
            found.append(Stall(name, "journal", troubles[name]))
        elif lane.state == "open":
            return ()
        elif now - failing_since.setdefault(name, now) >= timeout_s and not retry.is_first_retry_after(lane):
            found.append(Stall(name, "unreachable", lane.cause))
        else:
            return ()
    return tuple(found)


async def _read_lanes(journal: Journal, names: list[str], overrides: Mapping[str, str]) -> dict[str, Lane]:
    """The lanes to where these environments' deliveries go."""
    found = await journal.lanes()
    for endpoint in {overrides[name] for name in names if name in overrides}:
        lanes = await journal.lanes(endpoint)
        for name in names:
            if overrides.get(name) == endpoint:
                found[name] = lanes.get(name, Lane(environment=name))
    return found
