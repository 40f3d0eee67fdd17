"""Wait until the given deliveries are settled, or until every lane involved has stalled."""

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
"""Seconds between two polls of the journal."""
POLL_COST_FACTOR = 4
"""Pause between polls, as a multiple of a poll's duration: with a million queued a poll takes a good part of a second.
"""


class Stall(Struct, frozen=True, gc=False):
    """Reason for which an environment's deliveries stay queued."""

    environment: str
    kind: Literal["paused", "held", "no-key", "unreachable", "journal"]
    """`held`: by a user, until one resumes it; `journal`: results cannot be stored in it, though it can be read."""
    cause: str = ""
    """Cause of the lane or of the journal, such as `write key Zq8T…e1Rk refused (401)`."""
    over_oauth: bool = False
    """Whether other OAuth credentials would resume it."""


class WaitResult(Struct, frozen=True):
    """End of a wait: nothing queued any more, or the stalls that keep the rest queued."""

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

    Ends early when every environment with queued deliveries has stalled: its lane is paused or held; it has failed for
    `timeout_s` without a break (the first Retry-After is waited out, further ones are not); the engine here has no key
    for it; or the engine cannot write to the journal and nothing was settled for `timeout_s`. Without `engine`, another
    process is trusted to deliver. `on_progress` is called with the number of queued deliveries.
    """
    clock = timing or SystemMonotonicClock()
    detector = _StallDetector(journal, sorted(set(environments)), engine, timeout_s)
    idle = engine.idle if engine else asyncio.Event()
    last_queued, changed_at = -1, clock.monotonic()
    poll_s = MIN_WAIT_POLL_S
    while True:
        idle.clear()
        queued = 0
        started_at = clock.monotonic()
        for first, last in ids:
            queued += await journal.count_queued(first, last)
        if on_progress is not None:
            on_progress(queued)
        if not queued:
            return WaitResult()
        if queued != last_queued:
            last_queued, changed_at = queued, clock.monotonic()
        now = clock.monotonic()
        if stalls := await detector.find(now, unchanged=now - changed_at >= timeout_s):
            return WaitResult(queued, stalls)
        await clock.wait(idle, max(poll_s, POLL_COST_FACTOR * (clock.monotonic() - started_at)))
        poll_s = min(poll_s * 1.5, MAX_WAIT_POLL_S)


class _StallDetector:
    """Finds out whether all lanes that are waited for have stalled."""

    def __init__(self, journal: Journal, names: list[str], engine: Engine | None, timeout_s: float) -> None:
        self._journal = journal
        self._names = names
        self._engine = engine
        self._timeout_s = timeout_s
        self._failing_since: dict[str, float] = {}
        """Environment name -> monotonic seconds, for lanes that are not open."""

    async def find(self, now: float, *, unchanged: bool) -> tuple[Stall, ...]:
        """The stalls; empty while one environment makes progress. `unchanged`: nothing was settled for `timeout_s`."""
        engine = self._engine
        local_errors = (
            {name: lane.local_error for name, lane in engine.snapshot().environments.items()} if engine else {}
        )
        overrides = engine.override_urls() if engine is not None else {}
        lanes = await _read_lanes(self._journal, self._names, overrides)
        counts = await self._journal.counts()
        stalls: list[Stall] = []
        for name in self._names:
            lane = lanes.get(name, Lane(environment=name))
            if lane.state == "open":
                self._failing_since.pop(name, None)
            elsewhere = counts.queued_elsewhere.get(name, 0)
            queued = counts.by_environment.get(name, {}).get(State.QUEUED, 0) - elsewhere
            if not (elsewhere if name in overrides else queued):
                continue
            if lane.is_held:
                stalls.append(Stall(name, "held", lane.cause))
            elif lane.state == "paused":
                stalls.append(Stall(name, "paused", lane.cause, lane.reason in retry.OAUTH_PAUSES))
            elif engine is not None and name not in engine.served_environments():
                stalls.append(Stall(name, "no-key"))
            elif unchanged and lane.state == "open" and local_errors.get(name):
                stalls.append(Stall(name, "journal", local_errors[name]))
            elif lane.state != "open" and self._has_timed_out(lane, now):
                stalls.append(Stall(name, "unreachable", lane.cause))
            else:
                return ()
        return tuple(stalls)

    def _has_timed_out(self, lane: Lane, now: float) -> bool:
        failing_since = self._failing_since.setdefault(lane.environment, now)
        return now - failing_since >= self._timeout_s and not retry.is_first_retry_after(lane)


async def _read_lanes(journal: Journal, names: list[str], overrides: Mapping[str, str]) -> dict[str, Lane]:
    """The lanes that these environments' deliveries go through."""
    lanes = await journal.lanes()
    for endpoint in {overrides[name] for name in names if name in overrides}:
        lanes_there = await journal.lanes(endpoint)
        for name in names:
            if overrides.get(name) == endpoint:
                lanes[name] = lanes_there.get(name, Lane(environment=name))
    return lanes
