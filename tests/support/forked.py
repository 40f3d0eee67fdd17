"""`sprig-tui` as a process, for tests: forked from one that has loaded it, at a tenth of the CPU of a start.

That one is the `command_server` of the run, see `shared_scripts`; a client that goes away ends its own commands alone.

`popen` and `begin` are `subprocess.Popen` and `asyncio.create_subprocess_exec` for the program's command lines. Where
the environment says something to the interpreter itself (its language, its buffers), or with `anew`, they start
`python -m sprig_tui`.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from support.command_server import PROGRAM
from support.postgres_server import SHARED_VARIABLE
from support.shared_scripts import COMMANDS

OWN_INTERPRETER = ("LANG", "LC_", "LD_", "PYTHON")
"""So begin variables that an interpreter, or its loader, reads when it starts."""
COMMAND = (sys.executable, "-m", "sprig_tui")


class CommandServer:
    """The `command_server` at a socket."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.environ = dict(os.environ)

    def serves(self, environ: Mapping[str, str]) -> bool:
        """Whether a process of this environment can be forked from it."""
        names = {name for name in (*environ, *self.environ) if name.startswith(OWN_INTERPRETER)}
        return all(environ.get(name) == self.environ.get(name) for name in names)

    def ask(
        self,
        argv: Iterable[object],
        environ: Mapping[str, str],
        streams: list[int],
        folder: Path | None = None,
        program: str = PROGRAM,
    ) -> socket.socket:
        """Ask for a process; the socket gives its id (four bytes), and its exit code (two) when it has ended."""
        link = socket.socket(socket.AF_UNIX)
        link.connect(self.path)
        asked = {
            "program": program,
            "argv": list(map(str, argv)),
            "environ": dict(environ),
            "folder": str(folder or Path.cwd()),
        }
        text = json.dumps(asked).encode()
        socket.send_fds(link, [len(text).to_bytes(4, "big")], streams)
        link.sendall(text)
        return link


@functools.cache
def shared_server() -> CommandServer:
    """The server of this run; asked for at first before a test changes the environment."""
    return CommandServer(f"{os.environ[SHARED_VARIABLE]}/{COMMANDS}")


class Forked:
    """A process of the server, with the part of `subprocess.Popen` that tests use."""

    def __init__(
        self,
        argv: Iterable[object],
        environ: Mapping[str, str],
        *,
        stdin: int | IO[Any] | None = None,
        stdout: int | IO[Any] | None = None,
        stderr: int | IO[Any] | None = None,
        text: bool = False,
    ) -> None:
        self.args = ("sprig-tui", *map(str, argv))
        self.returncode: int | None = None
        self._lent: list[int] = []
        self.stdin, reading = self._open(stdin, 0, text=text)
        self.stdout, writing = self._open(stdout, 1, text=text)
        self.stderr, telling = self._open(stderr, 2, text=text)
        self._link = shared_server().ask(self.args[1:], environ, [reading, writing, telling])
        self.pid = int.from_bytes(self._link.recv(4), "big")
        for number in self._lent:
            os.close(number)

    def _open(self, given: int | IO[Any] | None, number: int, *, text: bool) -> tuple[IO[Any] | None, int]:
        """Our end of a stream, if there is one, and the end of the process."""
        if given is None:
            return None, number
        if given == subprocess.DEVNULL:
            self._lent.append(os.open(os.devnull, os.O_RDWR))
            return None, self._lent[-1]
        if given != subprocess.PIPE:
            return None, given if isinstance(given, int) else given.fileno()
        ends = os.pipe()
        ours, theirs = ends if number else ends[::-1]
        self._lent.append(theirs)
        mode = "r" if number else "w"
        return os.fdopen(ours, mode, encoding="utf-8") if text else os.fdopen(ours, f"{mode}b"), theirs

    def poll(self) -> int | None:
        """The exit code (negative: the signal); None while it runs."""
        if self.returncode is None:
            try:
                self.wait(0)
            except subprocess.TimeoutExpired:
                return None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code. Raises subprocess.TimeoutExpired after so many seconds."""
        if self.returncode is None:
            self._link.settimeout(timeout)
            try:
                code = self._link.recv(2)
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
            assert code, "the server of commands ended"
            self.returncode = int.from_bytes(code, "big", signed=True)
            self._link.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """As `kill`."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, input: bytes | str | None = None, timeout: float | None = None) -> tuple[Any, Any]:  # noqa: A002 - as in subprocess
        """What it wrote, once it has ended. Raises subprocess.TimeoutExpired, and keeps nothing of what was read."""
        texts: dict[IO[Any], Any] = {}
        streams = [stream for stream in (self.stdout, self.stderr) if stream is not None]
        readers = [
            threading.Thread(target=lambda stream=stream: texts.update({stream: stream.read()}), daemon=True)
            for stream in streams
        ]
        for reader in readers:
            reader.start()
        if self.stdin is not None:
            try:
                if input:
                    self.stdin.write(input)
                self.stdin.close()
            except BrokenPipeError:
                pass  # it ended, or reads no more
        self.wait(timeout)
        for reader in readers:
            reader.join(timeout)
        for stream in streams:
            stream.close()
        return tuple(texts.get(stream) if stream is not None else None for stream in (self.stdout, self.stderr))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self.kill()
        for stream in (self.stdout, self.stderr, self.stdin):
            if stream is not None:
                stream.close()
        self.wait()


def popen(argv: Iterable[object], *, env: Mapping[str, str] | None = None, anew: bool = False, **streams: Any) -> Any:
    """Start `sprig-tui ARGV`; a `subprocess.Popen`, or what is like it."""
    argv = tuple(map(str, argv))
    environ = os.environ if env is None else env
    if anew or not shared_server().serves(environ):
        return subprocess.Popen([*COMMAND, *argv], env=dict(environ), start_new_session=True, **streams)
    return Forked(argv, environ, **streams)


async def _nothing() -> bytes:
    return b""


class Begun:
    """A process of the server, with the part of `asyncio.subprocess.Process` that tests use."""

    def __init__(self, link: socket.socket, pid: int, readers: Mapping[str, asyncio.StreamReader]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdout, self.stderr = readers.get("stdout"), readers.get("stderr")
        self._link = link
        self._ending = asyncio.create_task(self._end())

    async def _end(self) -> int:
        code = await asyncio.get_running_loop().sock_recv(self._link, 2)
        self._link.close()
        assert code, "the server of commands ended"
        self.returncode = int.from_bytes(code, "big", signed=True)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """As `kill`."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        """Its exit code, when it has ended."""
        return await asyncio.shield(self._ending)

    async def communicate(self) -> tuple[bytes, bytes]:
        """What it wrote, once it has ended."""
        out, err = await asyncio.gather(
            *(stream.read() if stream else _nothing() for stream in (self.stdout, self.stderr))
        )
        await self.wait()
        return out, err


async def begin(
    *argv: object, env: Mapping[str, str] = os.environ, stdout: int = subprocess.DEVNULL, program: str = PROGRAM
) -> Any:
    """Start `sprig-tui ARGV`, or a script that imports it, without an input, its errors in a pipe."""
    if not shared_server().serves(env):
        command = COMMAND if program == PROGRAM else (sys.executable, program)
        return await asyncio.create_subprocess_exec(
            *command, *map(str, argv), env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE
        )
    loop = asyncio.get_running_loop()
    nothing = os.open(os.devnull, os.O_RDWR)
    lent, readers = {"stdin": nothing}, {}
    for name in ("stderr",) if stdout == subprocess.DEVNULL else ("stdout", "stderr"):
        ours, lent[name] = os.pipe()
        readers[name] = reader = asyncio.StreamReader()
        await loop.connect_read_pipe(
            lambda reader=reader: asyncio.StreamReaderProtocol(reader), os.fdopen(ours, "rb", buffering=0)
        )
    link = shared_server().ask(
        argv, env, [lent.get(name, nothing) for name in ("stdin", "stdout", "stderr")], program=program
    )
    link.setblocking(False)
    pid = int.from_bytes(await loop.sock_recv(link, 4), "big")
    for number in lent.values():
        os.close(number)
    return Begun(link, pid, readers)
