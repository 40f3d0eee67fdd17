"""The server that runs the commands of the documentation outlives clients that are killed."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

from support.documented_shell import CommandServer


def test_client_that_ends_while_it_asks_ends_no_server(tmp_path: Path) -> None:
    with CommandServer(tmp_path) as server:
        for asked in (b"", b"\0\0\0\x09", b'\0\0\0\x09{"argv":', b"\0\0\0\x02{}"):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(tmp_path / "socket"))
                client.sendall(asked)
        done = subprocess.run([server.programs / "sprig-tui", "--version"], capture_output=True, check=False)
        assert (done.returncode, done.stdout[:10]) == (0, b"sprig-tui ")
