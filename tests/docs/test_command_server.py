"""Commands that are forked are like those that are started; their server outlives clients that are killed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest
from support.documented_shell import Installed
from support.forked import Forked, popen


@pytest.mark.parametrize(
    "argv", [("paths",), ("log", "foo:bar"), ("preview", "-", "--as", "json")], ids=lambda argv: argv[0]
)
def test_a_forked_command_says_what_a_started_one_says(argv: tuple[str, ...], tmp_path: Path) -> None:
    told = []
    for anew in (False, True):
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        environ = {**os.environ, "SPRIG_TUI_HOME": str(tmp_path)}
        with popen(argv, env=environ, anew=anew, **streams) as running:
            assert isinstance(running, Forked) is not anew
            told.append((*running.communicate(b'{"response": "no \xff"}\n', 60), running.returncode))
    assert told[0] == told[1]
    assert told[0][0] or told[0][1]


def test_a_forked_command_ends_by_the_signal_and_its_streams_with_it(tmp_path: Path) -> None:
    environ = {**os.environ, "SPRIG_TUI_HOME": str(tmp_path)}
    with popen(["sink", "--port", "0"], env=environ, stderr=subprocess.PIPE, text=True) as running:
        assert "listening on" in running.stderr.readline()
        assert running.poll() is None
        running.kill()
        running.communicate(timeout=30)
        assert running.returncode == -signal.SIGKILL


@pytest.mark.parametrize("name", ["LC_ALL", "LD_PRELOAD", "PYTHONWARNINGS"])
def test_what_only_an_interpreter_reads_starts_one(name: str) -> None:
    with popen(["--version"], env={**os.environ, name: ""}, stdout=subprocess.DEVNULL) as running:
        assert isinstance(running, subprocess.Popen)
        assert running.wait(30) == 0


def test_client_that_ends_while_it_asks_ends_no_server(tmp_path: Path) -> None:
    installed = Installed(tmp_path)
    for asked in (b"", b"\0\0\0\x09", b'\0\0\0\x09{"argv":', b"\0\0\0\x02{}"):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(installed.server.path)
            client.sendall(asked)
    done = subprocess.run([installed.programs / "sprig-tui", "--version"], capture_output=True, check=False)
    assert (done.returncode, done.stdout[:10]) == (0, b"sprig-tui ")
