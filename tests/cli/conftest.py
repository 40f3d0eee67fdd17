"""A home of its own, a fake Segment on a real socket, and the program run in-process or as a process."""

from __future__ import annotations

import io
import json
import os
import pty
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support.forked import popen
from support.live_sink import LiveSink
from support.records import make_flat_record

from sprig_tui.cli import style
from sprig_tui.cli.program import run
from sprig_tui.config.secret_reader import process_secrets

KEY = "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx"
OTHER = "k2bbbbbbCCCCdddd2222EEEEffff2Sky"


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def rows(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def sink() -> Iterator[LiveSink]:
    live = LiveSink()
    yield live
    live.close()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    for name in list(os.environ):
        if name.startswith("SPRIG_TUI_") or name.upper().endswith("_PROXY") or name in ("NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SPRIG_TUI_HOME", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.fixture
def cli(home: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run a command line in this process."""

    def call(*argv: object) -> Outcome:
        style.set_color_choice("auto")
        process_secrets.clear()
        capsys.readouterr()
        code = run([str(word) for word in argv])
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Pipes a secret into the next command."""

    def pipe(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    return pipe


@pytest.fixture
def process(home: Path) -> Callable[..., Outcome]:
    """Run a command line as a process of its own."""

    def call(*argv: object, stdin: bytes = b"", **environ: str) -> Outcome:
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        with popen(argv, env={**os.environ, **environ}, **streams) as running:
            out, err = running.communicate(stdin, 60)
        return Outcome(running.returncode, out.decode(), err.decode())

    return call


@pytest.fixture
def configured(home: Path, sink: LiveSink) -> Path:
    """Production (protected) and development with keys, both to the fake Segment."""
    home.mkdir()
    config = home / "config.toml"
    config.write_text(
        f'[environments.production]\nwrite_key = "{KEY}"\nendpoint = "{sink.url}"\n'
        f'[environments.development]\nwrite_key = "{OTHER}"\nendpoint = "{sink.url}"\n'
    )
    config.chmod(0o600)
    return home


@pytest.fixture
def answer() -> Callable[..., dict[str, Any]]:
    """Makes canonical flat records."""
    return make_flat_record


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write records as JSON Lines."""

    def to_file(*records: dict[str, Any] | str, name: str = "answers.jsonl") -> Path:
        file = tmp_path / name
        lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return file

    return to_file


class Lasting:
    """The program, running until it is told to stop."""

    def __init__(self, *argv: str) -> None:
        self.process = popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.said: list[str] = []
        self._lines: queue.Queue[str] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._lines.put(line.rstrip("\n"))
        self._lines.put("")

    def until(self, part: str) -> str:
        """The next line that holds this."""
        while line := self._lines.get(timeout=30):
            self.said.append(line)
            if part in line:
                return line
        raise AssertionError(f"it ended: {self.said}")

    def url(self) -> str:
        return self.until("listening on ").split("listening on ")[1].split(",")[0]

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(30)
        self._reader.join(10)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


@pytest.fixture
def start(home: Path) -> Iterator[Callable[..., Lasting]]:
    """Start command lines that do not end by themselves; all end with the test."""
    started: list[Lasting] = []

    def launch(*argv: str) -> Lasting:
        started.append(Lasting(*argv))
        return started[-1]

    yield launch
    for one in started:
        one.close()


class Terminal:
    """A program at a pseudo-terminal; `says` reads until a text is there."""

    def __init__(self, *argv: object, **streams: Any) -> None:
        self._end, inner = pty.openpty()
        self.seen = ""
        streams = {"stdin": inner, "stdout": inner, "stderr": inner, **streams}
        self.process = popen(argv, env={**os.environ, "TERM": "xterm"}, **streams)
        os.close(inner)

    def says(self, text: str) -> None:
        while text not in self.seen:
            self.seen += os.read(self._end, 4096).decode()

    def types(self, text: str) -> None:
        os.write(self._end, text.encode())

    def ends(self) -> int:
        try:
            while more := os.read(self._end, 4096):
                self.seen += more.decode()
        except OSError:
            pass  # the other end is closed: it is over
        return self.process.wait(60)

    def hangs_up(self) -> int:
        """Close the terminal, and tell the program, as a shell does."""
        os.close(self._end)
        self._end = -1
        self.process.send_signal(signal.SIGHUP)
        return self.process.wait(60)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if self._end >= 0:
            os.close(self._end)


@pytest.fixture
def terminal(home: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def open_one(*argv: object, **streams: Any) -> Terminal:
        opened.append(Terminal(*argv, **streams))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()
