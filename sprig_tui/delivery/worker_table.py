"""Table of live workers and text about orphaned leases, for the command line and the console."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sprig_tui.formatting import format_duration
from sprig_tui.journal.records import WorkerInfo, WorkerLeases
from sprig_tui.text import one_line

if TYPE_CHECKING:
    from sprig_tui.journal.base import Journal

COLUMN_HEADINGS = ("host", "pid", "role", "version", "since", "up", "rate", "leases", "delivers for")
_RIGHT_ALIGNED = frozenset({"pid", "up", "rate", "leases"})
_MAX_CELL_CHARS = 24
"""Characters of a host or a role, which come from other machines and may be long."""
COLUMN_GAP = "  "


def format_workers(workers: Sequence[WorkerInfo], now: int) -> list[str]:
    """A heading and a line per worker, in columns as wide as their content; `now` in ms."""
    return format_table(
        COLUMN_HEADINGS, [_worker_cells(worker, now) for worker in workers], right_aligned=_RIGHT_ALIGNED
    )


def summarize_workers(workers: Sequence[WorkerInfo]) -> str:
    """Number of workers and their rate, such as `3 workers on 2 hosts, 212/s`."""
    if not workers:
        return "no worker is alive"
    hosts = len({worker.host for worker in workers})
    on_hosts = f" on {hosts} hosts" if hosts > 1 else ""
    plural = "s" if len(workers) > 1 else ""
    return f"{len(workers):,} worker{plural}{on_hosts}, {sum(worker.rate for worker in workers):,.0f}/s"


def format_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, right_aligned: frozenset[str]) -> list[str]:
    """Lines of a table; `right_aligned` names the columns to align right."""
    columns = [(heading, *cells) for heading, *cells in zip(headings, *rows, strict=True)]
    padded = []
    for column in columns:
        width = max(map(len, column))
        padded.append([cell.rjust(width) if column[0] in right_aligned else cell.ljust(width) for cell in column])
    return [COLUMN_GAP.join(cells).rstrip() for cells in zip(*padded, strict=True)]


def _worker_cells(worker: WorkerInfo, now: int) -> tuple[str, ...]:
    return (
        one_line(worker.host, limit=_MAX_CELL_CHARS) or "-",
        str(worker.pid),
        one_line(worker.role, limit=_MAX_CELL_CHARS) or "-",
        one_line(worker.version, limit=_MAX_CELL_CHARS) or "-",
        _format_day_minute(worker.started_at),
        format_duration(max(0, now - worker.started_at) // 1000),
        f"{worker.rate:,.0f}/s",
        f"{worker.leased:,}",
        ", ".join(one_line(name, limit=_MAX_CELL_CHARS) for name in worker.environments) or "-",
    )


def _format_day_minute(milliseconds: int) -> str:
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone()
    except (ValueError, OverflowError, OSError):
        return "-"
    return moment.strftime("%m-%d %H:%M")


MINUTE_MS = 60_000


async def orphaned_leases(journal: Journal) -> tuple[WorkerLeases, ...]:
    """Leases of workers that are gone, by environment and worker. Raises JournalError."""
    return without_live_worker(await journal.worker_leases(), await journal.workers())


def without_live_worker(
    leases: Iterable[WorkerLeases], workers: Iterable[WorkerInfo], *, is_running: Callable[[int], bool] | None = None
) -> tuple[WorkerLeases, ...]:
    """Leases whose worker sends no heartbeat any more, or ran on this machine and its process does not exist.

    `is_running` says whether a process of this machine exists: after a kill, a heartbeat stays valid for 30 s.
    """
    is_running = is_running or process_exists
    this_host = socket.gethostname()
    alive = {worker.id for worker in workers if worker.host != this_host or is_running(worker.pid)}
    return tuple(lease for lease in leases if lease.owner not in alive)


def process_exists(pid: int) -> bool:
    """Whether a process of this machine has this id; True where that is unknown."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def format_orphaned_leases(leases: Sequence[WorkerLeases]) -> str:
    """Text such as `12 claimed by a worker that is gone, until 12:04`; empty for no leases."""
    return ", ".join(part for part in orphaned_parts(leases) if part)


def orphaned_parts(leases: Sequence[WorkerLeases]) -> tuple[str, str]:
    """Two parts of that text: `12 claimed by a worker that is gone` and `until 12:04`; empty for no leases."""
    if not leases:
        return "", ""
    owners = {lease.owner for lease in leases}
    who = "a worker that is gone" if len(owners) == 1 else f"{len(owners)} workers that are gone"
    until = max(lease.until for lease in leases)
    return f"{sum(lease.deliveries for lease in leases):,} claimed by {who}", f"until {_format_minute(until)}"


def _format_minute(milliseconds: int) -> str:
    """Local time, rounded up to the minute, so that the leases have expired by then."""
    try:
        moment = datetime.fromtimestamp(-(-milliseconds // MINUTE_MS) * 60, UTC).astimezone()
    except (ValueError, OverflowError, OSError):
        return "later"
    return moment.strftime("%H:%M")
