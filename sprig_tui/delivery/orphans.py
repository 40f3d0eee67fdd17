"""Orphaned leases: deliveries that a worker which is gone still holds, and until when nobody else may send them."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime

from sprig_tui.journal.contract import Journal
from sprig_tui.journal.records import WorkerInfo, WorkerLeases

MINUTE_MS = 60_000


async def orphaned_leases(journal: Journal) -> tuple[WorkerLeases, ...]:
    """What is leased to workers that are gone, by environment and worker. Raises JournalError."""
    return without_live_worker(await journal.worker_leases(), await journal.workers())


def without_live_worker(
    leases: Iterable[WorkerLeases], workers: Iterable[WorkerInfo], *, is_running: Callable[[int], bool] | None = None
) -> tuple[WorkerLeases, ...]:
    """The holds whose worker reports no more, or ran on this machine and is no process any more.

    `runs` tells whether a process of this machine is there; the worker's own report outlives a kill for half a minute.
    """
    is_running = is_running or process_exists
    here = socket.gethostname()
    alive = {one.id for one in workers if one.host != here or is_running(one.pid)}
    return tuple(hold for hold in leases if hold.owner not in alive)


def process_exists(pid: int) -> bool:
    """Whether a process of this machine has this id; True where that cannot be told."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def format_orphaned_leases(leases: Sequence[WorkerLeases]) -> str:
    """Such as `12 held by a worker that is gone, until 12:04`; empty for none."""
    return ", ".join(part for part in orphaned_parts(leases) if part)


def orphaned_parts(holds: Sequence[WorkerLeases]) -> tuple[str, str]:
    """Such as `12 held by a worker that is gone` and `until 12:04`; empty for none."""
    if not holds:
        return "", ""
    owners = {hold.owner for hold in holds}
    who = "a worker that is gone" if len(owners) == 1 else f"{len(owners)} workers that are gone"
    until = max(hold.until for hold in holds)
    return f"{sum(hold.deliveries for hold in holds):,} held by {who}", f"until {_format_minute(until)}"


def _format_minute(milliseconds: int) -> str:
    """Local time, rounded up to the minute: what is promised for then has come true."""
    try:
        moment = datetime.fromtimestamp(-(-milliseconds // MINUTE_MS) * 60, UTC).astimezone()
    except (ValueError, OverflowError, OSError):
        return "later"
    return moment.strftime("%H:%M")
