"""Hold of an environment's queue: a user stops all sending until one resumes it; the journal keeps who, when and why.

A hold is a pause of the lane without an end. Answers are still taken in and queued. Every process on the journal sees
it with its next claim. What a worker had claimed before is sent or comes back to the queue; `wait_until_quiet` waits
for that.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from sprig_tui.delivery.worker_table import without_live_worker
from sprig_tui.formatting import format_duration, relative_time
from sprig_tui.journal.pause_reasons import PauseReason
from sprig_tui.journal.records import Counts, Lane, State
from sprig_tui.text import one_line

if TYPE_CHECKING:
    from sprig_tui.journal.base import Journal

QUIET_POLL_S = 0.1
"""Seconds between two looks at what is still being sent."""
MAX_WHY_CHARS = 200
NOTHING_HELD_TEXT = "nothing waits"
HELD_FILTER = "is:held"
"""The filter of what a hold keeps back."""


class Hold(Struct, frozen=True, kw_only=True):
    """Hold of one environment, and the queue behind it."""

    environment: str
    by: str
    """Such as `anna@build-1`; empty where that was not recorded."""
    since: int
    """ms; 0 where that was not recorded."""
    why: str
    waiting: int
    """Deliveries that are held."""
    sending: int
    """Queued deliveries that a worker claimed before."""
    oldest_at: int
    """When the first of the queue was added, ms; 0 for an empty queue."""

    @property
    def identity(self) -> tuple[str, int, str]:
        """Who, when and why: what makes it another hold than one before."""
        return self.by, self.since, self.why

    def text(self, now: int) -> str:
        """Such as `held by anna@build-1 since 12:04: check the survey`; printable."""
        since = f" since {relative_time(self.since, now)}" if self.since else ""
        why = f": {one_line(self.why, limit=MAX_WHY_CHARS)}" if self.why else ""
        return f"held by {one_line(self.by, limit=60) or 'hand'}{since}{why}"

    def queue_text(self, now: int) -> str:
        """Such as `1,204 held, the oldest for 3 m, 500 still being sent`; `nothing waits` for an empty queue."""
        parts = [f"{self.waiting:,} held" if self.waiting else NOTHING_HELD_TEXT]
        if self.waiting and self.oldest_at:
            parts.append(f"the oldest for {format_duration(max(0, now - self.oldest_at) // 1000)}")
        if self.sending:
            parts.append(f"{self.sending:,} still being sent")
        return ", ".join(parts)


def hold_of(lane: Lane, counts: Counts, oldest: Mapping[str, int]) -> Hold | None:
    """The hold of a lane to the environment's own endpoint; None where it is not held."""
    if not lane.is_held:
        return None
    name, detail = lane.environment, lane.detail
    by_hand = lane.reason is PauseReason.MANUAL
    sending = counts.leased.get(name, 0)
    queued = counts.by_environment.get(name, {}).get(State.QUEUED, 0) - counts.queued_elsewhere.get(name, 0)
    return Hold(
        environment=name,
        by=detail.by,
        since=detail.at or lane.since,
        why=detail.text if by_hand else lane.cause,
        waiting=max(0, queued - sending),
        sending=sending,
        oldest_at=oldest.get(name, 0),
    )


async def read_holds(journal: Journal) -> dict[str, Hold]:
    """Holds by environment. Raises JournalError."""
    lanes = await journal.lanes()
    if not any(lane.is_held for lane in lanes.values()):
        return {}
    counts, oldest = await journal.counts(), await journal.oldest_queued()
    return {name: hold for name, lane in lanes.items() if name and (hold := hold_of(lane, counts, oldest))}


async def newer_hold(journal: Journal, environment: str, known: Hold | None) -> Hold | None:
    """The hold of an environment, where somebody made or changed it after `known` was read. Raises JournalError."""
    hold = (await read_holds(journal)).get(environment)
    return hold if hold is not None and (known is None or hold.identity != known.identity) else None


def this_person() -> str:
    """User and machine of this process, such as `anna@build-1`."""
    import getpass

    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        user = "somebody"
    return f"{user}@{socket.gethostname()}"


async def hold_lane(journal: Journal, environment: str, why: str = "", *, by: str = "", keep: bool = False) -> Lane:
    """Hold a lane. With `keep` a hold that exists keeps its person, time and reason. Raises JournalError."""
    lane = (await journal.lanes()).get(environment)
    if keep and lane is not None and lane.is_held:
        return lane
    return await journal.set_lane(environment, "paused", why, by=by or this_person())


async def wait_until_quiet(
    journal: Journal, environments: Collection[str], timeout_s: float, on_progress: Callable[[int], None]
) -> int:
    """Wait until live workers have sent or returned what they claimed of these; returns how many are left.

    `on_progress` is called with the number of deliveries that are being sent. Raises JournalError.
    """
    deadline = asyncio.get_running_loop().time() + timeout_s
    while left := await _count_sending(journal, environments):
        on_progress(left)
        if asyncio.get_running_loop().time() >= deadline:
            break
        await asyncio.sleep(QUIET_POLL_S)
    return left


async def _count_sending(journal: Journal, environments: Collection[str]) -> int:
    leases = await journal.worker_leases()
    gone = without_live_worker(leases, await journal.workers())
    return sum(lease.deliveries for lease in leases if lease.environment in environments and lease not in gone)
