"""`status`: what it says of lanes, counts and live workers, to people and to programs."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from support.forked import popen
from support.records import make_worker

from sprig_tui.delivery.hold import hold_lane
from sprig_tui.journal.sqlite import SQLiteJournal

THEIRS = make_worker(id="f" * 32, host="mill-\x1b[31m2", rate=212.4)


def in_journal(home: Path, work: Callable[[SQLiteJournal], Any]) -> Any:
    async def run() -> Any:
        async with SQLiteJournal(home / "journal.db") as journal:
            return await work(journal)

    return asyncio.run(run())


def test_status_of_an_empty_journal_without_workers(configured, cli):
    done = cli("status")
    assert (done.code, done.err) == (0, "")
    assert "no worker is alive" in done.out
    told = cli("status", "--json").json
    assert told["workers"] == []
    assert told["environments"]["production"]["lane"] == "open"
    assert told["environments"]["production"]["oldest_queued_seconds"] is None


def test_lanes_counts_and_age(configured, cli, write, answer):
    file = write(*[answer(number) for number in range(3)], answer(4, userId=None))
    cli("send", file, "-e", "development", "--no-wait")
    in_journal(configured, lambda journal: hold_lane(journal, "development", "check it", by="anna@build"))
    done = cli("status")
    assert done.code == 1, "nothing is sent there until somebody looks"
    line, held = [line for line in done.out.splitlines() if line.startswith("development")]
    assert line.split()[1:6] == ["3", "0", "0", "1", "0"]
    assert line.endswith(" held")
    assert re.fullmatch(r"development is held by anna@build since .+: check it: 3 held, the oldest for \d+ s", held)
    assert "  sprig-tui log is:held shows them, sprig-tui resume development sends them\n" in done.out
    assert "sprig-tui run delivers what is queued" in done.out
    told = cli("status", "--json").json["environments"]["development"]
    assert (told["lane"], told["cause"]) == ("paused", "held by anna@build: check it")
    assert {**told["held"], "since": ""} == {
        "by": "anna@build",
        "since": "",
        "why": "check it",
        "deliveries": 3,
        "being_sent": 0,
    }
    assert (told["queued"], told["withheld"], told["leased"]) == (3, 1, 0)
    assert 0 <= told["oldest_queued_seconds"] < 600


def test_an_environment_of_another_machine_is_shown_too(configured, cli):
    in_journal(configured, lambda journal: journal.set_lane("staging", "open"))
    assert "\nstaging " in cli("status").out
    (configured / "config.toml").write_text("")
    assert "open, no key here" in cli("status").out


def test_workers_are_those_that_run_and_only_as_long_as_they_do(configured, sink, start, cli):
    running = start("run", "--status-every", "0")
    running.until("delivering for")
    receiving = start("listen", "--port", "0", "--no-engine")
    receiving.url()
    workers: list[dict[str, Any]] = []
    while len(workers) < 2:
        workers = cli("status", "--json").json["workers"]
    by_role = {worker["role"]: worker for worker in workers}
    assert by_role["run"]["pid"] == running.process.pid
    assert by_role["run"]["host"] == socket.gethostname()
    assert by_role["run"]["environments"] == ["development", "production"]
    assert by_role["listen"]["pid"] == receiving.process.pid
    assert by_role["listen"]["environments"] == []
    assert "2 workers" in cli("status").out
    assert running.stop() == 0
    assert receiving.stop() == 0
    assert cli("status", "--json").json["workers"] == []


def test_status_shows_leased_deliveries_of_a_worker(configured, sink, start, cli, write, answer):
    sink.set_faults("hang@1")
    cli("send", write(*[answer(number) for number in range(5)]), "-e", "development", "--no-wait")
    running = start("run", "--status-every", "0")
    sink.wait_until(lambda stats: stats.requests == 1)
    [worker] = cli("status", "--json").json["workers"]
    assert (worker["pid"], worker["leased"]) == (running.process.pid, 5)
    assert cli("status", "--json").json["environments"]["development"]["leased"] == 5


def test_a_host_cannot_steer_the_terminal(configured, cli):
    in_journal(configured, lambda journal: journal.heartbeat(THEIRS))
    out = cli("status").out
    assert "1 worker, 212/s" in out
    assert "\x1b" not in out
    assert "mill-␛[31m2" in out


def test_status_exits_2_for_unusable_and_3_for_unreachable_journal(configured, cli):
    (configured / "journal.db").write_text("this is no database at all, " * 100)
    done = cli("status", "--json")
    assert (done.code, done.out) == (2, "")
    assert "damaged" in done.err
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    config = configured / "config.toml"
    config.write_text(config.read_text() + f'[journal]\nurl = "postgresql://nobody@127.0.0.1:{port}/none"\n')
    done = cli("status", "--json")
    assert (done.code, done.out) == (3, "")


def test_status_watch_survives_an_unavailable_journal(configured):
    in_journal(configured, lambda journal: journal.counts())
    with popen(
        ["status", "--watch", "0.2", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as watching:
        assert watching.stdout is not None
        assert watching.stderr is not None
        assert json.loads(watching.stdout.readline())["workers"] == []
        with closing(sqlite3.connect(configured / "journal.db")) as connection:
            connection.execute("ALTER TABLE lanes RENAME TO gone")
            assert "trying again" in watching.stderr.readline()
            connection.execute("ALTER TABLE gone RENAME TO lanes")
        in_journal(configured, lambda journal: journal.heartbeat(THEIRS))
        while not json.loads(watching.stdout.readline())["workers"]:
            pass
        watching.send_signal(signal.SIGINT)
        watching.communicate()
        assert watching.returncode == 130


def test_watching_takes_up_a_journal_that_is_made_later(configured):
    with popen(
        ["status", "--watch", "0.2", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as watching:
        assert watching.stdout is not None
        assert json.loads(watching.stdout.readline())["workers"] == []
        assert not (configured / "journal.db").exists()
        in_journal(configured, lambda journal: journal.heartbeat(THEIRS))
        while not json.loads(watching.stdout.readline())["workers"]:
            pass
        watching.send_signal(signal.SIGINT)
        watching.communicate()


def test_watching_a_terminal_redraws_it(configured, terminal):
    watching = terminal("status", "--watch")
    watching.says("\x1b[H\x1b[2J")
    watching.says("no worker is alive")
    os.kill(watching.process.pid, signal.SIGINT)
    assert watching.ends() == 130


def test_status_shows_leases_of_a_killed_worker_and_their_end(configured, sink, start, cli, write, answer):
    sink.set_faults("hang@1")
    cli("send", write(*[answer(number) for number in range(5)]), "-e", "development", "--no-wait")
    running = start("run", "--status-every", "0")
    sink.wait_until(lambda stats: stats.requests == 1)
    assert cli("status", "--json").json["held_by_gone"] == []
    running.process.kill()
    running.process.wait()
    [held] = cli("status", "--json").json["held_by_gone"]
    assert (held["environment"], held["deliveries"]) == ("development", 5)
    assert "development: 5 claimed by a worker that is gone, until " in cli("status").out
