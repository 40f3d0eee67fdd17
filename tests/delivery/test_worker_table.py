"""Table of live workers, and orphaned leases."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest
from msgspec.structs import replace
from support.records import make_worker

from sprig_tui.delivery.worker_table import (
    format_orphaned_leases,
    format_table,
    format_workers,
    process_exists,
    summarize_workers,
    without_live_worker,
)
from sprig_tui.journal.records import WorkerLeases

NOW = 1_790_000_000_000
ONE = make_worker(
    environments=("development", "production"), started_at=NOW - 3_600_000 - 61_000, rate=212.4, leased=1475
)
LEASES = WorkerLeases(environment="production", owner="a", deliveries=12, until=1_790_000_000_001)
LIVE_WORKER = make_worker(id="a", host=socket.gethostname(), pid=os.getpid(), environments=(), started_at=0)


def test_worker_table_columns_align_with_headings():
    heading, first, second = format_workers([ONE, replace(ONE, host="m", pid=7, rate=0.0, environments=())], NOW)
    assert heading.split("  ")[0] == "host"
    assert first.startswith("mill-1  4211  run   0.1.0    ")
    assert first.endswith("  1 h 1 m  212/s   1,475  development, production")
    assert second.endswith("  -")
    assert heading.index("rate") + len("rate") == first.index("212/s") + len("212/s")


@pytest.mark.parametrize("started_at", [NOW + 60_000, 10**18, -(10**18)])
def test_worker_table_accepts_impossible_start_times(started_at):
    assert "mill-1" in format_workers([replace(ONE, started_at=started_at)], NOW)[1]


def test_worker_table_escapes_and_cuts_hostile_worker_names():
    hostile = replace(ONE, host="x\n\x1b[2J" + "y" * 500, role="\u202erun", version="", environments=("a\nb",))
    lines = format_workers([hostile], NOW)
    assert len(lines) == 2
    assert all(line.isprintable() for line in lines)
    assert len(lines[1]) < 160


def test_workers_summary_text():
    assert summarize_workers([]) == "no worker is alive"
    assert summarize_workers([ONE]) == "1 worker, 212/s"
    assert summarize_workers([ONE, replace(ONE, host="mill-2")]) == "2 workers on 2 hosts, 425/s"


def test_table_columns_are_as_wide_as_their_content():
    assert format_table(("a", "n"), [("xyz", "1"), ("", "10")], right_aligned=frozenset("n")) == [
        "a     n",
        "xyz   1",
        "     10",
    ]


def test_leases_of_a_live_worker_are_not_orphaned():
    assert without_live_worker([LEASES], [LIVE_WORKER]) == ()
    assert without_live_worker([LEASES], []) == (LEASES,)


def test_killed_local_process_is_an_orphan_before_its_heartbeat_expires():
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
        killed = replace(LIVE_WORKER, pid=ended.pid)
    assert without_live_worker([LEASES], [killed]) == (LEASES,)
    assert without_live_worker([LEASES], [replace(killed, host="another machine")]) == ()


def test_process_exists_accepts_any_number():
    assert process_exists(os.getpid())
    assert process_exists(1)
    assert process_exists(1 << 80)


def test_orphaned_leases_text():
    assert format_orphaned_leases(()) == ""
    assert format_orphaned_leases((LEASES,)).startswith("12 claimed by a worker that is gone, until ")
    two = (LEASES, replace(LEASES, owner="b", deliveries=1))
    assert format_orphaned_leases(two).startswith("13 claimed by 2 workers that are gone, until ")


def test_orphaned_leases_expiry_is_rounded_up_to_the_minute():
    even = replace(LEASES, until=1_790_000_040_000)
    assert format_orphaned_leases((replace(LEASES, until=even.until - 59_000),)) == format_orphaned_leases((even,))
