"""The live workers as a table of text, for the command line and for the console."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from sprig_tui.config.durations import format_duration
from sprig_tui.journal.records import WorkerInfo
from sprig_tui.text import one_line

COLUMN_HEADINGS = ("host", "pid", "role", "version", "since", "up", "rate", "leases", "delivers for")
_RIGHT_ALIGNED = frozenset({"pid", "up", "rate", "leases"})
_MAX_CELL_CHARS = 24
"""Characters of a host or a role; what a worker says of itself comes from another machine."""
COLUMN_GAP = "  "


def format_workers(workers: Sequence[WorkerInfo], now: int) -> list[str]:
    """A heading and a line per worker, in columns as wide as they need; `now` in ms."""
    return format_table(
        COLUMN_HEADINGS, [_worker_cells(worker, now) for worker in workers], right_aligned=_RIGHT_ALIGNED
    )


def summarize_workers(workers: Sequence[WorkerInfo]) -> str:
    """How many there are, such as `3 workers on 2 hosts, 212/s`."""
    if not workers:
        return "no worker is alive"
    hosts = len({worker.host for worker in workers})
    places = f" on {hosts} hosts" if hosts > 1 else ""
    many = "s" if len(workers) > 1 else ""
    return f"{len(workers):,} worker{many}{places}, {sum(worker.rate for worker in workers):,.0f}/s"


def format_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, right_aligned: frozenset[str]) -> list[str]:
    """Lines of a table; the columns named in `right` stand at their right edge."""
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
