"""Deliveries held by a worker that is gone: who counts as gone, and what is said."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

from msgspec.structs import replace
from support.records import make_worker

from sprig_tui.delivery.orphans import orphaned_text, process_runs, without_worker
from sprig_tui.journal.records import WorkerLeases

HOLD = WorkerLeases(environment="production", owner="a", deliveries=12, until=1_790_000_000_001)
WORKER = make_worker(id="a", host=socket.gethostname(), pid=os.getpid(), environments=(), started_at=0)


def test_a_worker_that_reports_holds_what_it_holds():
    assert without_worker([HOLD], [WORKER]) == ()
    assert without_worker([HOLD], []) == (HOLD,)


def test_killed_local_process_is_an_orphan_before_its_heartbeat_expires():
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
        killed = replace(WORKER, pid=ended.pid)
    assert without_worker([HOLD], [killed]) == (HOLD,)
    assert without_worker([HOLD], [replace(killed, host="another machine")]) == ()


def test_a_number_that_no_process_has_is_no_fault():
    assert process_runs(os.getpid())
    assert process_runs(1)
    assert process_runs(1 << 80)


def test_what_is_said_of_it():
    assert orphaned_text(()) == ""
    assert orphaned_text((HOLD,)).startswith("12 held by a worker that is gone, until ")
    two = (HOLD, replace(HOLD, owner="b", deliveries=1))
    assert orphaned_text(two).startswith("13 held by 2 workers that are gone, until ")


def test_the_minute_is_rounded_up_so_that_it_holds():
    even = replace(HOLD, until=1_790_000_040_000)
    assert orphaned_text((replace(HOLD, until=even.until - 59_000),)) == orphaned_text((even,))
