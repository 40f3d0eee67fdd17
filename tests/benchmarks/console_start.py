"""Benchmark of the console's start in a pty of 120x40, compared with a bare Textual app: paint, memory, idle CPU.

    python tests/benchmarks/console_start.py [ROUNDS [DELIVERIES]]

Each round starts every program once, one after the other, so that a ratio is between neighbours. First paint is when
the first screen that says something is there: for the console its three panes with both environments. Wall time is
what a person waits, CPU time (of all threads, up to that moment) is what a busy machine does not change.
"""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent))
from full_journal import full_journal

BARE = """
from textual.app import App
from textual.widgets import Static

class Bare(App):
    def compose(self):
        yield Static("Development")

Bare().run()
"""
SETTLE_S = 4.0
"""Seconds after which everything that follows the first paint is done."""
IDLE_S = 6.0
"""Seconds in which nothing happens are watched."""


class Start(NamedTuple):
    """One start."""

    wall: float
    """Seconds to the first paint."""
    cpu: float
    """CPU seconds to the first paint."""
    rss: float = 0.0
    """MB, when idle."""
    idle: float = 0.0
    """Share of a core, when idle."""
    painted: int = 0
    """Bytes that were painted while idle."""


def cpu_of(pid: int) -> float:
    """CPU seconds of all threads of a process so far."""
    total = 0
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            total += int((thread / "schedstat").read_text().split()[0])
    return total / 1e9


def rss_of(pid: int) -> float:
    """MB in memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def start(command: list[str], home: Path, *, stay: bool = False) -> Start:
    """Start it, wait for its first paint, watch it idle (`stay`), end it."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (40, 120))
    environ = {
        **os.environ,
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "TEXTUAL_ANIMATIONS": "none",
        "SPRIG_TUI_HOME": str(home),
    }
    # what pip installs is compiled, and the bare app's Textual is: ours must be too, whatever this machine wishes
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    begun = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=environ, start_new_session=True, close_fds=True
    )
    os.close(slave)
    seen = b""
    try:
        while b"Development" not in seen:
            if not select.select([master], [], [], 20)[0]:
                raise TimeoutError(seen[-400:])
            seen += os.read(master, 65_536)
        found = Start(time.perf_counter() - begun, cpu_of(process.pid))
        if stay:
            _drain(master, SETTLE_S)
            before, at = cpu_of(process.pid), time.perf_counter()
            painted = _drain(master, IDLE_S)
            idle = (cpu_of(process.pid) - before) / (time.perf_counter() - at)
            found = found._replace(rss=rss_of(process.pid), idle=idle, painted=painted)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        os.close(master)
    return found


def _drain(master: int, seconds: float) -> int:
    painted = 0
    until = time.perf_counter() + seconds
    while (left := until - time.perf_counter()) > 0:
        if select.select([master], [], [], left)[0]:
            painted += len(os.read(master, 65_536))
    return painted


def main(rounds: int, deliveries: int) -> None:
    """Start them in turn, print medians and ratios."""
    source = full_journal(deliveries) if deliveries else None
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        program = str(Path(sys.executable).parent / "sprig-tui")
        empty, full = folder / "empty", folder / "full"
        for home in (empty, full):
            home.mkdir()
        commands = {"bare": ([sys.executable, "-c", BARE], empty), "console": ([program], empty)}
        if source is not None:
            # the console writes nothing into it: there is no key, and nothing is pruned
            (full / "config.toml").write_text(f'[journal]\npath = "{source}"\n')
            commands["full"] = ([program, "--read-only"], full)
        for command, home in commands.values():
            start(command, home)  # what is imported is compiled, what is read is cached
        taken: dict[str, list[Start]] = {name: [] for name in commands}
        for _ in range(rounds):
            for name, (command, home) in commands.items():
                taken[name].append(start(command, home))
        stayed = {name: start(command, home, stay=True) for name, (command, home) in commands.items()}
    names = {"bare": "bare Textual app", "console": "sprig-tui", "full": f"sprig-tui, {deliveries:,}"}
    for name, starts in taken.items():
        walls = [one.wall / bare.wall for one, bare in zip(starts, taken["bare"], strict=True)]
        cpus = [one.cpu / bare.cpu for one, bare in zip(starts, taken["bare"], strict=True)]
        stay = stayed[name]
        print(
            f"   {names[name]:<22} first paint {statistics.median(one.wall for one in starts) * 1000:4.0f} ms"
            f" ({statistics.median(walls):.2f} of bare, {min(walls):.2f} to {max(walls):.2f}; limit 1.5),"
            f" CPU {statistics.median(one.cpu for one in starts) * 1000:4.0f} ms ({statistics.median(cpus):.2f});"
            f" idle: {stay.rss:.0f} MB (limit 60), {stay.idle:.2%} of a core, {stay.painted} bytes painted"
        )


if __name__ == "__main__":
    asked = [int(one) for one in sys.argv[1:]]
    main(*asked, *(11, 1_000_000)[len(asked) :])
