"""Runs `sprig-tui` command lines as processes that are forked from one with everything imported, which is cheap.

    python tests/support/command_server.py DESCRIPTOR      # of a listening socket; until its standard input ends

A client sends one JSON object (argv, environ, folder, and the program where it is a script) with its three standard
streams, and gets the process id, and its exit code (negative: the signal) when it ends; when the client goes away the
command is ended. `write_client` writes such a client, to be put on PATH as `sprig-tui`; `forked` has one for tests.

The command is a process of its own in every way but two: its parent, and that its modules are loaded already. It ends
as any Python does, with its exit handlers and what waits for threads.
"""

from __future__ import annotations

import array
import contextlib
import importlib
import io
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import sys
import time
from pathlib import Path

PROGRAM = "sprig-tui"
CLIENT = """#!{python} -IS
import array, json, os, signal, socket, sys
# a stream that was closed is /dev/null
for number in (0, 1, 2):
    try:
        os.fstat(number)
    except OSError:
        os.open(os.devnull, os.O_RDWR)
link = socket.socket(socket.AF_UNIX)
link.connect({path!r})
asked = json.dumps({{"argv": sys.argv[1:], "environ": dict(os.environ), "folder": os.getcwd()}}).encode()
link.sendmsg([len(asked).to_bytes(4, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))])
link.sendall(asked)
child = int.from_bytes(link.recv(4), "big")
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, _: os.kill(child, number))
code = link.recv(2)
sys.exit(abs(int.from_bytes(code, "big", signed=True)) if code else 70)
"""


def write_client(file: Path, path: str) -> None:
    """Write the client of the server at this socket."""
    file.write_text(CLIENT.format(python=sys.executable, path=path), encoding="utf-8")
    file.chmod(0o755)


def serve(descriptor: int) -> bool:
    """Serve until standard input ends, then end what still runs; a client that is killed ends its command alone.

    True in a child, which is to become the command.
    """
    _import_everything()
    with socket.socket(fileno=descriptor) as server:
        children: dict[int, socket.socket] = {}
        waking, woken = pipe = os.pipe()
        os.set_blocking(woken, False)
        signal.set_wakeup_fd(woken)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        try:
            while True:
                ready, _, _ = select.select([server, sys.stdin, waking, *children.values()], [], [])
                if sys.stdin in ready:
                    return False
                if waking in ready:
                    os.read(waking, 4096)
                    _reap(children)
                for child, link in list(children.items()):
                    if link in ready:  # its client is gone
                        os.kill(child, signal.SIGKILL)
                        link.close()
                        del children[child]
                if server in ready:
                    link, _ = server.accept()
                    try:
                        child = _start(link)
                    except (OSError, ValueError):  # the client was killed while it asked
                        link.close()
                        continue
                    children[child] = link
                    if child == 0:
                        _leave(children, pipe)
                        return True
        finally:
            for child in children:
                os.kill(child, signal.SIGKILL)


def _leave(children: dict[int, socket.socket], pipe: tuple[int, int]) -> None:
    """Let go of what is the server's."""
    for link in children.values():
        link.close()
    children.clear()
    for number in pipe:
        os.close(number)


def _import_everything() -> None:
    import sprig_tui

    for module in pkgutil.walk_packages(sprig_tui.__path__, "sprig_tui."):
        if not module.name.startswith(("sprig_tui.console", "sprig_tui.__main__")):
            importlib.import_module(module.name)
    for name in ("uvloop", "anyio._backends._asyncio", "httpcore", "encodings.idna", "asyncpg"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    import gc

    gc.collect()
    gc.freeze()


def _reap(children: dict[int, socket.socket]) -> None:
    while True:
        try:
            child, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not child:
            return
        if link := children.pop(child, None):
            with contextlib.suppress(OSError):
                link.send(os.waitstatus_to_exitcode(status).to_bytes(2, "big", signed=True))
            link.close()


def _start(link: socket.socket) -> int:
    """Start what a client asks for; its process id, 0 in the child, which has become that process.

    Raises OSError or ValueError when the client ends before it has asked.
    """
    head, ancillary, _, _ = link.recvmsg(4, socket.CMSG_SPACE(12))
    streams = array.array("i")
    for _, _, numbers in ancillary:
        streams.frombytes(numbers[:12])
    try:
        size = int.from_bytes(head, "big")
        text = b""
        while len(text) < size:
            if not (part := link.recv(size - len(text))):
                raise ConnectionError("the client ended in the middle of its request")
            text += part
        asked = json.loads(text)
        child = os.fork()
        if child == 0:
            _become(asked, streams)
    finally:
        for stream in streams:
            os.close(stream)
    if child:
        with contextlib.suppress(OSError):  # of a client that is gone: its link ends the child
            link.sendall(child.to_bytes(4, "big"))
    return child


def _become(asked: dict[str, object], streams: array.array[int]) -> None:
    """Be the command, up to its first line. What cannot be asked for ends this process."""
    ready = False
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encoding="utf-8")
        sys.stdout, sys.stderr = (
            io.TextIOWrapper(
                io.BufferedWriter(io.FileIO(number, "w", closefd=False)),
                encoding="utf-8",
                errors="strict" if number == 1 else "backslashreplace",
                line_buffering=number == 2 or os.isatty(number),
            )
            for number in (1, 2)
        )
        sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
        os.environ.clear()
        os.environ.update(asked["environ"])  # type: ignore[call-overload]
        time.tzset()
        os.chdir(str(asked["folder"]))
        sys.argv = [asked.get("program", PROGRAM), *asked["argv"]]  # type: ignore[list-item, misc]
        sys.orig_argv = [sys.executable, "-m", "sprig_tui", *sys.argv[1:]]  # what workers are started with
        ready = True
    finally:
        if not ready:
            os._exit(70)


if __name__ == "__main__" and serve(int(sys.argv[1])):
    if sys.argv[0] == PROGRAM:
        from sprig_tui.cli import main

        main()
    runpy.run_path(sys.argv[0], run_name="__main__")
