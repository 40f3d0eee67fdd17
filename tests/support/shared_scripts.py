"""Scripts that serve every process of a run at a socket: loaded once, when the first client comes, and not by each."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

COMMANDS, CONSOLES = "commands", "consoles"
"""Names of their sockets, in the folder that all processes of a run share."""
_TESTS = Path(__file__).parents[1]
_SCRIPTS = {
    COMMANDS: (_TESTS / "support" / "command_server.py", socket.SOCK_STREAM),
    CONSOLES: (_TESTS / "terminal" / "launcher.py", socket.SOCK_SEQPACKET),
}

# Waits for a client, or for the end of the run, with nothing loaded; then it is the script.
_WAIT = """
import os, select, sys
if 0 not in select.select([0, int(sys.argv[2])], [], [])[0]:
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


class SharedScripts:
    """All of them, each with its listening socket's descriptor as its argument, until their standard input ends."""

    def __init__(self, folder: str) -> None:
        self._processes = [self._begin(script, kind, f"{folder}/{name}") for name, (script, kind) in _SCRIPTS.items()]

    def _begin(self, script: Path, kind: socket.SocketKind, path: str) -> subprocess.Popen[bytes]:
        with socket.socket(socket.AF_UNIX, kind) as listening:
            listening.bind(path)
            listening.listen(64)
            descriptor = listening.fileno()
            return subprocess.Popen(
                [sys.executable, "-ISc", _WAIT, str(script), str(descriptor)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=[descriptor],
                env={**os.environ, "PYTHONPATH": str(_TESTS)},
            )

    def close(self) -> None:
        """End them, and what they started."""
        for process in self._processes:
            process.communicate()
