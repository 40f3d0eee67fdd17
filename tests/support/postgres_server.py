"""A real PostgreSQL of one's own: started, stopped, killed and started again at will, gone when its owner is gone."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from support.memory_folder import memory_folder
from support.postgres_binaries import find_binaries

PATIENCE = 60.0
"""Seconds that a start may take, recovery after a kill included, and that a stop may take."""

HASTY = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
"""For what needs no disk: a killed server loses nothing by it that the system would not lose with it."""

# Waits for its input to end, as it does when the process that holds the other end is gone, however it went.
_GUARD = """
cat > /dev/null
cd / && [ -d "$1" ] || exit 0
if read -r pid < "$1/data/postmaster.pid"; then
  kill -QUIT "$pid"
  # its lock file goes last; a process that nobody waits for stays for good
  while [ -e "$1/data/postmaster.pid" ] && kill -0 "$pid"; do sleep 0.1; done
fi
rm -rf "$1"
"""


SHARED_VARIABLE = "SPRIG_TUI_TEST_SHARED"
"""Names a folder of all processes of this run, if there is one."""


class PostgresServer:
    """One server on 127.0.0.1, in a folder of its own; a context manager.

    Its superuser is `sprig`. A `durable` one syncs to disk as a real one does; any other is in memory, where there is
    room. Settings are those of postgresql.conf.
    """

    def __init__(self, *, durable: bool = False, settings: Mapping[str, str] | None = None) -> None:
        self._durable = durable
        self._settings = {**({} if durable else HASTY), **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._password = secrets.token_urlsafe(12)
        self.port = 0

    def __enter__(self) -> Self:
        place = None if self._durable else memory_folder()
        self._folder = Path(tempfile.mkdtemp(prefix="sprig-tui-postgres-", dir=place))
        self._run_batch = subprocess.Popen(
            ["sh", "-c", _GUARD, "guard", str(self._folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            self._binaries = find_binaries(self._folder)
            self._initialise()
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self._folder)
        self._run_batch.communicate()

    @property
    def pid(self) -> int:
        """The postmaster's process id, 0 when it does not run."""
        return self._process.pid if self._process else 0

    def url(self, database: str = "postgres") -> str:
        """Where the superuser finds this database."""
        return f"postgresql://sprig:{self._password}@127.0.0.1:{self.port}/{database}"

    def log(self) -> str:
        """What the server logged so far."""
        return (self._folder / "log").read_text(errors="replace")

    def start(self) -> None:
        """Start it, and wait until it takes connections: on the same port as before, or on a free one at first.

        Raises:
            RuntimeError: it does not start; with its log.
        """
        deadline = time.monotonic() + PATIENCE
        port = self.port
        while time.monotonic() < deadline:
            self.port = port or _free_port()
            logged = len(self.log()) if (self._folder / "log").exists() else 0
            if self._launch(deadline):
                return
            # another took the port in between, or processes of a killed server are still about to end
            if not any(why in self.log()[logged:] for why in ("already in use", "is still in use")):
                break
            time.sleep(0.05)
        raise RuntimeError(f"PostgreSQL did not start:\n{self.log()[-4000:]}")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGTERM waits for clients, SIGINT throws them out, SIGQUIT leaves recovery to the next start."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(PATIENCE)
            self._process = None

    def kill(self) -> None:
        """Kill the postmaster with SIGKILL; its processes end as they notice, as after an out-of-memory kill."""
        self.stop(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop the clock of every process of it (SIGSTOP), as a machine that hangs; connections stay open."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)  # the first, so that it starts no others
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                after_name = stat.read_text().rpartition(")")[2].split()
                if int(after_name[1]) == self.pid:
                    os.kill(int(stat.parent.name), number)

    def _run(self, *command: str) -> subprocess.Popen[bytes]:
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env={**os.environ, "LC_ALL": "C"},
                user=self._binaries.user,
                start_new_session=True,  # Ctrl-C in the terminal is for the tests, not for the server
            )

    def _initialise(self) -> None:
        """Make the data, or copy those that another server of this run began with: a tenth of the cost."""
        self._binaries.own(self._folder)
        if not (shared := os.environ.get(SHARED_VARIABLE)):
            self._initdb()
            return
        first = Path(shared) / f"postgres of {self._binaries.user}"
        with first.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if first.exists():
                self._password = (first / "password").read_text()
            else:
                self._initdb()
                first.mkdir()
                _copy(self._folder / "data", first)
                (first / "password").write_text(self._password)
                return
        _copy(first / "data", self._folder)

    def _initdb(self) -> None:
        password = self._folder / "password"
        password.write_text(self._password)
        self._binaries.own(password)
        initdb = self._binaries.command(
            *("initdb", "--pgdata=data", "--username=sprig", "--auth=scram-sha-256", "--pwfile=password"),
            *("--no-sync", "--no-instructions", "--encoding=UTF8"),
            # the same on every machine; an installation of a person's has a UTF-8 locale too
            *("--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            *("--set", "scram_iterations=1"),  # the password is random, and connecting shall be cheap
        )
        if self._run(*initdb).wait(PATIENCE):
            raise RuntimeError(f"initdb failed:\n{self.log()[-4000:]}")

    def _launch(self, deadline: float) -> bool:
        """Whether it came up; its process is set only then."""
        settings = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            **self._settings,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        process = self._run(*self._binaries.command("postgres", "-D", "data", *options))
        while process.poll() is None and time.monotonic() < deadline:
            if self._ready(process.pid):
                self._process = process
                return True
            time.sleep(0.02)
        if process.poll() is None:
            process.kill()
        process.wait()
        return False

    def _ready(self, pid: int) -> bool:
        """Whether the postmaster says so in its lock file: line 1 its pid, line 8 its state."""
        try:
            lines = (self._folder / "data" / "postmaster.pid").read_text().split("\n")
        except FileNotFoundError:
            return False
        return lines[0] == str(pid) and len(lines) >= 8 and lines[7].strip() == "ready"


def _copy(data: Path, to: Path) -> None:
    """Copy the folder with its owner and modes."""
    subprocess.run(["cp", "-a", str(data), str(to)], check=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
