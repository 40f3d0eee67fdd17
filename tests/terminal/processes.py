"""Processes in a terminal: forked from one that has loaded the program, or started anew like a person's."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from support.postgres_server import SHARED_VARIABLE
from support.shared_scripts import CONSOLES

TAKE_CONTROL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
)
"""The terminal becomes the one whose keys and whose end the kernel turns into signals."""


class Process(Protocol):
    """What a test needs of a process."""

    pid: int

    def poll(self) -> int | None:
        """The exit code (negative: the signal); None while it runs."""

    def send_signal(self, number: int) -> None:
        """As `kill`."""


class Forked:
    """A child of the launcher."""

    def __init__(self, launcher: Launcher, pid: int) -> None:
        self.pid = pid
        self._launcher = launcher
        self._code: int | None = None

    def poll(self) -> int | None:
        """See `Process`."""
        if self._code is None:
            self._code = self._launcher.ask({"poll": self.pid})["code"]
        return self._code

    def send_signal(self, number: int) -> None:
        """See `Process`."""
        if self.poll() is None:
            os.kill(self.pid, number)


class Launcher:
    """The `launcher` of this run, see `support.shared_scripts`; what was started ends with `close`."""

    def __init__(self) -> None:
        self._channel = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._channel.connect(f"{os.environ[SHARED_VARIABLE]}/{CONSOLES}")

    def start(
        self,
        arguments: Sequence[str],
        environ: Mapping[str, str],
        folder: Path,
        slave: int,
        *,
        prepare: str = "",
        controlling: bool = True,
    ) -> Forked:
        """Fork `sprig-tui ARGUMENTS`; `prepare` is Python that runs in it first.

        The kernel tells it by SIGHUP that its terminal is gone, if that is the controlling one.
        """
        asked = {"arguments": arguments, "environ": environ, "folder": str(folder), "prepare": prepare}
        return Forked(self, self.ask({"start": {**asked, "controlling": controlling}}, slave)["pid"])

    def ask(self, what: Mapping[str, object], *descriptors: int) -> dict[str, int]:
        """One question, one answer."""
        socket.send_fds(self._channel, [json.dumps(what).encode()], list(descriptors))
        answer: dict[str, int] = json.loads(self._channel.recv(10_000))
        return answer

    def close(self) -> None:
        """End what still runs."""
        self._channel.close()


def start_anew(command: Sequence[str], environ: Mapping[str, str], folder: Path, slave: int) -> subprocess.Popen[bytes]:
    """Start a command as the leader of a session whose terminal is the one given."""
    return subprocess.Popen(
        [sys.executable, "-c", TAKE_CONTROL, *command],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=dict(environ),
        cwd=folder,
        start_new_session=True,
    )


def activity(pid: int) -> tuple[str, ...] | None:
    """How often each thread of a process has run: the same twice means that it did nothing; None while one runs.

    One that waits for a processor counts as running.
    """
    seen: list[str] = []
    for thread in Path(f"/proc/{pid}/task").glob("*/status"):
        with suppress(OSError):  # it has ended
            said = thread.read_text()
            if "\nState:\tS" not in said:
                return None
            seen += [thread.parent.name, said.partition("\nvoluntary_ctxt_switches:")[2]]
    return tuple(seen)


def end(process: Process) -> None:
    """Kill it, and everything in its session's foreground."""
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
        while process.poll() is None:
            time.sleep(0.002)
