"""The real program, as processes on one folder of settings: started, listened to, killed; none outlives its owner."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from support.forked import Begun, begin

TOKEN = "fault-run-token-0123456789"
SPRIG_ENVIRONMENT = "QmK7x2dTfa"


class Told(NamedTuple):
    """What a command that ended by itself said."""

    code: int
    out: str
    err: str


class Program:
    """A running command; what it says on stderr is kept."""

    def __init__(self, process: Begun | asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []
        self._state_changed = asyncio.Condition()
        self._told_all = False
        self._reading = asyncio.create_task(self._read())

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.returncode is None

    async def says(self, text: str, *, after: int = 0) -> str:
        """Wait for a line that holds the text, the first `after` lines left out; returns it.

        Raises AssertionError when it ends without having said so.
        """
        async with self._state_changed:
            while True:
                if found := next((line for line in self.lines[after:] if text in line), ""):
                    return found
                assert not self._told_all, f"it ended and did not say {text!r}: {self.lines[-10:]}"
                await self._state_changed.wait()

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """SIGTERM, and wait until it has drained; returns its exit code."""
        await self._end(signal.SIGTERM)
        assert self.process.returncode is not None
        return self.process.returncode

    async def _end(self, how: signal.Signals) -> None:
        if self.running:
            self.process.send_signal(how)
        await self.process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            async with self._state_changed:
                self.lines.append(line.decode(errors="replace").rstrip())
                self._state_changed.notify_all()
        async with self._state_changed:
            self._told_all = True
            self._state_changed.notify_all()


class Programs:
    """Starts commands in one folder of settings (SPRIG_TUI_HOME) on one journal."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.more_environ: dict[str, str] = {}
        self._started: list[Program] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for program in self._started:
            await program.kill()

    def configure(self, journal: str, endpoint: str, *, timeout: str = "400ms", requests_per_second: int = 200) -> None:
        """Write the config: one environment, with a key and a webhook token."""
        self.home.mkdir(exist_ok=True)
        where = "url" if "://" in journal else "path"
        config = self.home / "config.toml"
        config.write_text(
            f'[environments.production]\nwrite_key = "{"F" * 32}"\nendpoint = "{endpoint}"\nwebhook_token = "{TOKEN}"\n'
            f'requests_per_second = {requests_per_second}\nsprig_environment_id = "{SPRIG_ENVIRONMENT}"\n'
            f'[delivery]\ntimeout = "{timeout}"\n[journal]\n{where} = "{journal}"\n'
        )
        config.chmod(0o600)

    @property
    def environ(self) -> dict[str, str]:
        """What the commands see."""
        return {**os.environ, "SPRIG_TUI_HOME": str(self.home), "NO_COLOR": "1", **self.more_environ}

    async def start(self, *argv: str, ready: str) -> Program:
        """Start a command that goes on; returns when it says that it is ready."""
        program = await self.begin(*argv)
        await program.says(ready)
        return program

    async def begin(self, *argv: str) -> Program:
        """Start a command, and wait for nothing."""
        program = Program(await begin(*argv, env=self.environ))
        self._started.append(program)
        return program

    async def listen(self, port: int = 0, *options: str) -> tuple[Program, int]:
        """Start a receiver; returns it and its port."""
        program = await self.start("listen", "--port", str(port), *options, ready="listening on http://127.0.0.1:")
        line = await program.says("listening on http://127.0.0.1:")
        return program, int(line.split(",")[0].rpartition(":")[2])

    async def run(self, *options: str) -> Program:
        """Start a worker."""
        return await self.start("run", *options, ready="delivering for production")

    async def command(self, *argv: str) -> Told:
        """Run a command to its end."""
        process = await begin(*argv, env=self.environ, stdout=asyncio.subprocess.PIPE)
        out, err = await process.communicate()
        assert process.returncode is not None
        return Told(process.returncode, out.decode(), err.decode())
