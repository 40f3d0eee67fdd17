"""Deliveries held by a worker that is gone: who counts as gone, and what is said."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from msgspec.structs import replace
from support.records import make_worker

from sprig_tui.delivery.worker_table import format_orphaned_leases, process_exists, without_live_worker
from sprig_tui.journal.records import WorkerLeases

HOLD = WorkerLeases(environment="production", owner="a", deliveries=12, until=1_790_000_000_001)
WORKER = make_worker(id="a", host=socket.gethostname(), pid=os.getpid(), environments=(), started_at=0)


def test_a_worker_that_reports_holds_what_it_holds():
    assert without_live_worker([HOLD], [WORKER]) == ()
    assert without_live_worker([HOLD], []) == (HOLD,)


def test_killed_local_process_is_an_orphan_before_its_heartbeat_expires():
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
        killed = replace(WORKER, pid=ended.pid)
    assert without_live_worker([HOLD], [killed]) == (HOLD,)
    assert without_live_worker([HOLD], [replace(killed, host="another machine")]) == ()


def test_a_number_that_no_process_has_is_no_fault():
    assert process_exists(os.getpid())
    assert process_exists(1)
    assert process_exists(1 << 80)


def test_what_is_said_of_it():
    assert format_orphaned_leases(()) == ""
    assert format_orphaned_leases((HOLD,)).startswith("12 held by a worker that is gone, until ")
    two = (HOLD, replace(HOLD, owner="b", deliveries=1))
    assert format_orphaned_leases(two).startswith("13 held by 2 workers that are gone, until ")


def test_the_minute_is_rounded_up_so_that_it_holds():
    even = replace(HOLD, until=1_790_000_040_000)
    assert format_orphaned_leases((replace(HOLD, until=even.until - 59_000),)) == format_orphaned_leases((even,))
