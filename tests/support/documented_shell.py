"""A shell that runs commands of the documentation as they stand, one after the other, each with its output."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple, Self

from support.command_server import write_client
from support.forked import shared_server

DEADLINE_S = 30.0
SIMPLE_COMMAND = re.compile(r"sprig-tui [^|&;<>$`()\\*~'\n]*")
EXPORT = re.compile(r"export (\w+)=([^\s'\"$]+)")
PROMPT_END = re.compile(rb"[:?\]] ?\Z")
"""The end of what a command shows when it waits for a line."""


class Done(NamedTuple):
    """A command that ended."""

    code: int
    out: str
    err: str


class Installed:
    """A folder with `sprig-tui` and `python`, to be put on PATH; the first is forked from the shared server."""

    def __init__(self, folder: Path) -> None:
        self.programs = folder / "programs"
        self.programs.mkdir()
        self.server = shared_server()
        write_client(self.programs / "sprig-tui", self.server.path)
        python = self.programs / "python"
        python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n', encoding="utf-8")
        python.chmod(0o755)

    def run(self, argv: list[str], environ: Mapping[str, str], folder: Path, streams: list[int]) -> int:
        """Run `sprig-tui` with these standard streams; returns its exit code."""
        with self.server.ask(argv, environ, streams, folder) as link:
            link.settimeout(DEADLINE_S)
            link.recv(4)
            return abs(int.from_bytes(link.recv(2), "big", signed=True))


class Shell:
    """One bash, whose variables stay from command to command; a context manager."""

    def __init__(self, folder: Path, environ: Mapping[str, str], installed: Installed) -> None:
        self._folder = folder
        self._environ = dict(environ)
        self._installed = installed
        self._count = 0
        self._terminals: list[int] = []

    def __enter__(self) -> Self:
        self._files = self._folder / ".shell"
        self._files.mkdir()
        reading, writing = os.pipe()
        self._codes = reading
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[writing],
            cwd=self._folder,
            env={**self._environ},
            process_group=0,
            text=True,
            bufsize=1,
        )
        os.close(writing)
        assert self._process.stdin is not None
        self._process.stdin.write(f"trap '' TERM; exec 9>&{writing} {writing}>&-\n")
        self._running: dict[int, str] = {}
        self._ended: dict[int, int] = {}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()
        os.close(self._codes)
        for terminal in self._terminals:
            os.close(terminal)

    def run(self, command: str, *, stdin: str = "", typed: str = "") -> Done:
        """Run a command to its end; `typed` is what a person answers at a terminal."""
        if export := EXPORT.fullmatch(command):
            self._environ[export[1]] = export[2]
        if SIMPLE_COMMAND.fullmatch(command) and not stdin:
            return self._run_directly(command, typed)
        number = self._begin(command, stdin=stdin, typed=typed, ending="")
        while number not in self._ended:
            self._read_code()
        return self._done(number)

    def _run_directly(self, command: str, typed: str) -> Done:
        """Run a command that a shell would not change, without the shell: it costs a third."""
        self._count += 1
        file = self._files / str(self._count)
        out, err = file.with_suffix(".out"), file.with_suffix(".err")
        with out.open("wb") as into:
            if typed:
                terminal = os.open(self._terminal(err, typed), os.O_RDWR | os.O_NOCTTY)
                streams = [terminal, into.fileno(), os.dup(terminal)]
            else:
                streams = [os.open(os.devnull, os.O_RDONLY), into.fileno(), os.open(err, os.O_CREAT | os.O_WRONLY)]
            try:
                code = self._installed.run(shlex.split(command)[1:], self._environ, self._folder, streams)
            finally:
                os.close(streams[0])
                os.close(streams[2])
        self._ended[self._count] = code
        return self._done(self._count)

    def start(self, command: str, *, ready: str, stdin: str = "") -> str:
        """Start a command that goes on; returns what it has written once `ready` (a pattern) is in it."""
        number = self._begin(command, stdin=stdin, typed="", ending=" &")
        self._running[number] = command
        deadline = time.monotonic() + DEADLINE_S
        while True:
            written = "".join(self._done(number, code=0)[1:])
            if re.search(ready, written):
                return written
            assert time.monotonic() < deadline, f"{command}: not ready, wrote {written!r}"
            time.sleep(0.01)

    def stop_all(self) -> dict[str, Done]:
        """Send SIGTERM to what goes on; how each ended."""
        if not self._running:
            return {}
        os.killpg(self._process.pid, signal.SIGTERM)
        while set(self._running) - set(self._ended):
            self._read_code()
        ended = {command: self._done(number) for number, command in self._running.items()}
        self._running.clear()
        return ended

    def _begin(self, command: str, *, stdin: str, typed: str, ending: str) -> int:
        self._count += 1
        number = self._count
        file = self._files / str(number)
        file.with_suffix(".sh").write_text(f"{command}\n", encoding="utf-8")
        places = {name: shlex.quote(str(file.with_suffix(f".{name}"))) for name in ("sh", "in", "out", "err")}
        file.with_suffix(".in").write_text(stdin, encoding="utf-8")
        streams = "<{in} >{out} 2>{err}".format(**places)
        if typed:
            streams = f"<>{self._terminal(file.with_suffix('.err'), typed)} >{places['out']} 2>&0"
        line = f"{{ . {places['sh']}; }} {streams}; echo {number} $? >&9"
        assert self._process.stdin is not None
        self._process.stdin.write(f"(trap : TERM; {line}) &\n" if ending else f"{line}\n")
        return number

    def _terminal(self, file: Path, typed: str) -> str:
        """The name of a terminal at which a line is typed at each prompt; what it shows goes to a file."""
        inner, outer = pty.openpty()
        self._terminals.append(outer)
        answers = typed.splitlines(keepends=True)

        def copy(into: IO[bytes]) -> None:
            shown = b""
            with into:
                while True:
                    try:
                        text = os.read(inner, 4096)
                    except OSError:
                        break
                    into.write(text)
                    into.flush()
                    shown += text
                    if answers and PROMPT_END.search(shown):
                        os.write(inner, answers.pop(0).encode())
                        shown = b""
            os.close(inner)

        threading.Thread(target=copy, args=(file.open("wb"),), daemon=True).start()
        return os.ttyname(outer)

    def _read_code(self) -> None:
        """Read at least one end of a command; lines of this length are written whole."""
        ready, _, _ = select.select([self._codes], [], [], DEADLINE_S)
        lines = os.read(self._codes, 4096).decode().splitlines() if ready else []
        assert lines, f"no command ended within {DEADLINE_S:.0f} s, or the shell did: {self._written()}"
        for line in lines:
            number, code = line.split()
            self._ended[int(number)] = int(code)

    def _written(self) -> str:
        """What the command that was begun last has written."""
        return "".join(self._done(self._count, code=0)[1:])[-2000:]

    def _done(self, number: int, *, code: int | None = None) -> Done:
        file = self._files / str(number)
        texts = []
        for suffix in (".out", ".err"):
            place = file.with_suffix(suffix)
            texts.append(place.read_text(encoding="utf-8", errors="replace") if place.exists() else "")
        return Done(self._ended[number] if code is None else code, *texts)
