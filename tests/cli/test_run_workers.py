"""`run --workers N`: real processes on one journal, the real fake Segment, and kills."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.plain_http import PLAIN

from sprig_tui.cli.shutdown import SIGNAL_DEBOUNCE_S
from sprig_tui.cli.supervisor import MIN_RESTART_BACKOFF_S

QUIET = ("--status-every", "0")
LOOK_AGAIN_S = 0.1
"""Between two looks at the journal: looks without a pause take the processor from the workers that are waited for."""


@pytest.fixture
def shared(configured: Path, journal_place: str) -> Path:
    """The home, on a journal of each kind."""
    if "://" in journal_place:
        config = configured / "config.toml"
        config.write_text(f'{config.read_text()}[journal]\nurl = "{journal_place}"\n')
    return configured


@pytest.fixture
def alive(cli) -> Callable[[int], list[int]]:
    """The process ids of the live workers, once there are so many."""

    def wait(number: int) -> list[int]:
        while len(found := cli("status", "--json").json["workers"]) != number:
            time.sleep(LOOK_AGAIN_S)
        return [worker["pid"] for worker in found]

    return wait


def standing(cli: Callable[..., Any]) -> dict[str, int]:
    told = cli("status", "--json").json["environments"]["development"]
    return {name: told[name] for name in ("queued", "delivered", "leased")}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_workers_all_deliver_and_stop(shared, sink, start, cli, write, answer, alive, number):
    supervisor = start("run", "--workers", "3", *QUIET)
    for _ in range(3):
        assert supervisor.until("delivering for").startswith("[")
    pids = alive(3)
    assert len({*pids, supervisor.process.pid}) == 4
    cli("send", write(*[answer(number) for number in range(50)]), "-e", "development", "--no-wait")
    sink.wait_until(lambda stats: stats.accepted == 50)  # what is on the wire is noted before they end
    assert supervisor.stop(number) == 0
    supervisor.until("all 3 workers stopped")
    assert alive(0) == []
    assert {line[:4] for line in supervisor.said if "] stopped; " in line} == {"[1] ", "[2] ", "[3] "}
    assert standing(cli) == {"queued": 0, "delivered": 50, "leased": 0}


def test_killed_worker_is_restarted_and_nothing_is_lost(shared, sink, start, cli, write, answer, alive):
    sink.set_faults("hang@1")
    cli("send", write(*[answer(number) for number in range(20)]), "-e", "development", "--no-wait")
    supervisor = start("run", "--workers", "2", *QUIET)
    sink.wait_until(lambda stats: stats.requests == 1)
    alive(2)
    holder = next(one for one in cli("status", "--json").json["workers"] if one["leased"] == 20)["pid"]
    os.kill(holder, signal.SIGKILL)
    assert f"(pid {holder}) was killed (SIGKILL); another takes its place in 500 ms" in supervisor.until("was killed")
    alive(3)  # the killed one is thought alive for as long as it could just be late
    cli("send", write(*[answer(number) for number in range(20, 40)]), "-e", "development", "--no-wait")
    while standing(cli)["delivered"] < 20:  # the other one, or the new one, goes on with what came later
        time.sleep(LOOK_AGAIN_S)
    assert standing(cli) == {"queued": 20, "delivered": 20, "leased": 20}, "the lease of the killed one has to run out"
    assert supervisor.stop() == 0


def test_crashing_worker_is_restarted_with_backoff(configured, start, alive, cli):
    supervisor = start("run", "--workers", "2", *QUIET)
    known = set(alive(2))
    os.kill(min(known), signal.SIGKILL)
    assert "in 500 ms" in supervisor.until("another takes its place")
    assert MIN_RESTART_BACKOFF_S == 0.5
    while not (fresh := {worker["pid"] for worker in cli("status", "--json").json["workers"]} - known):
        time.sleep(LOOK_AGAIN_S)
    os.kill(fresh.pop(), signal.SIGKILL)
    assert "in 1 s" in supervisor.until("another takes its place")
    assert supervisor.stop() == 0, "also while one is being waited for"


def test_workers_do_not_outlive_a_supervisor_that_is_killed(shared, sink, start, cli, write, answer, alive):
    supervisor = start("run", "--workers", "2", *QUIET)
    alive(2)
    sink.set_faults("slow=0.5@1")
    cli("send", write(*[answer(number) for number in range(10)]), "-e", "development", "--no-wait")
    sink.wait_until(lambda stats: stats.requests == 1)
    supervisor.process.kill()
    supervisor.process.wait(30)
    assert alive(0) == [], "they sign off, which a killed one cannot"
    assert standing(cli) == {"queued": 0, "delivered": 10, "leased": 0}, "what was on the wire was finished"


def test_second_signal_aborts_workers_and_releases_leases(configured, sink, start, cli, write, answer, alive):
    sink.set_faults("hang@1")
    cli("send", write(*[answer(number) for number in range(5)]), "-e", "development", "--no-wait")
    supervisor = start("run", "--workers", "2", *QUIET)
    sink.wait_until(lambda stats: stats.requests == 1)
    alive(2)
    supervisor.process.terminate()
    supervisor.until("stopping")
    with pytest.raises(subprocess.TimeoutExpired):  # as long as two signals may count as one, it waits for Segment
        supervisor.process.wait(2 * SIGNAL_DEBOUNCE_S)
    assert supervisor.stop() == 130
    assert standing(cli) == {"queued": 5, "delivered": 0, "leased": 0}


def test_run_workers_reports_a_start_error_once(home, cli, configured):
    (configured / "journal.db").write_text("this is no database at all, " * 100)
    done = cli("run", "--workers", "2")
    assert done.code == 2
    assert done.err.count("damaged") == 1
    assert "starting" not in done.err
    (configured / "config.toml").write_text("")
    assert "no environment has a write key" in cli("run", "--workers", "2").err


def test_the_line_to_the_supervisor_is_not_for_people(configured, cli):
    done = cli("run", "--supervised", "999")
    assert done.code == 2
    assert "workers of run --workers" in done.err
    assert "--supervised" not in cli("run", "--help").out


def numbers(url: str) -> dict[str, float]:
    lines = httpx.get(url + "/metrics", trust_env=False, verify=PLAIN).text.splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


def test_supervisor_metrics_cover_all_workers(configured, sink, start, cli, write, answer, alive):
    supervisor = start("run", "--workers", "3", "--metrics", "0", *QUIET)
    url = supervisor.until("monitors ask").split("monitors ask ")[1].split("/healthz")[0]
    pids = alive(3)
    assert numbers(url)['sprig_tui_workers{role="run"}'] == 3
    for number in range(6):
        cli("send", write(answer(number)), "-e", "development", "--no-wait")
        sink.wait_until(lambda stats, until=number + 1: stats.accepted == until)
    told = 'sprig_tui_attempts_total{environment="development",outcome="delivered",status="200"}'
    while numbers(url).get(told) != 6:  # they come up the line a moment later
        time.sleep(LOOK_AGAIN_S)
    assert numbers(url)['sprig_tui_attempt_seconds_count{environment="development"}'] == 6
    assert numbers(url)["sprig_tui_worker_restarts_total"] == 0
    os.kill(pids[0], signal.SIGKILL)
    while numbers(url)["sprig_tui_worker_restarts_total"] != 1:
        time.sleep(LOOK_AGAIN_S)
    assert numbers(url)[told] == 6, "a counter never falls"
    assert httpx.get(url + "/readyz", trust_env=False, verify=PLAIN).json()["ready"] is True
    assert supervisor.stop() == 0
