"""A process that has loaded the program and forks it, once per start: a start then costs a tenth of the CPU.

Run by `support.shared_scripts` as `python launcher.py DESCRIPTOR`, the descriptor being that of a listening socket,
until its standard input ends. Each message of a client is a JSON object; the answer is another one:

    {"start": {...}}, as `become` reads it, with the terminal's descriptor  ->  {"pid": 17}
    {"poll": 17}                                                            ->  {"code": null}, or the exit code

The child is the leader of a session, and the terminal given is its own; if `controlling`, the session's too. From there
on it is `sprig-tui ARGUMENTS`. It ends with the client, if not before.
"""

from __future__ import annotations

import asyncio
import fcntl
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import tempfile
import termios
import time
from collections.abc import Iterable
from typing import Any

# what a start loads, and what the first keys load
PARTS = ("config", "console", "delivery", "journal.sqlite", "mapping", "sprig")
MODULES = (
    "anyio._backends._asyncio",
    "httpcore",
    "sprig_tui.cli.program",
    "sprig_tui.cli.commands.console",
    "sprig_tui.cli.commands.demo",
    "sprig_tui.cli.usage",
    "sprig_tui.journal.open",
    "sprig_tui.segment.client",
    "sprig_tui.webhooks.capture_folders",
    "textual.layouts.factory",
    "textual.pilot",
)


def preload() -> None:
    """Load what a start would load."""
    # Textual reads these when it is imported
    for name in [name for name in os.environ if name.startswith(("TEXTUAL", "NO_COLOR"))]:
        del os.environ[name]
    os.environ.update(TEXTUAL_ANIMATIONS="none", COLORTERM="truecolor", TERM="xterm-256color")
    import httpx  # noqa: F401
    import textual.command
    import textual.drivers.linux_driver
    import textual.widgets
    from support import parsed_styles

    for name in ("Button", "Checkbox", "Input", "Label", "Static"):
        getattr(textual.widgets, name)
    # a cursor that blinks would make the same screen look like another one
    textual.widgets.Input.cursor_blink._default = False
    for part in PARTS:
        package = importlib.import_module(f"sprig_tui.{part}")
        for module in pkgutil.walk_packages(package.__path__, f"sprig_tui.{part}."):
            importlib.import_module(module.name)
    for name in MODULES:
        importlib.import_module(name)
    parsed_styles.keep()
    asyncio.run(mount_once())


async def mount_once() -> None:
    """Show the console where nobody sees it: what Textual works out once and keeps is there for all starts."""
    from sprig_tui.config.paths import paths_in_folder
    from sprig_tui.config.secret_reader import process_secrets
    from sprig_tui.config.settings import load_settings
    from sprig_tui.console.app import SprigTui
    from sprig_tui.console.commands.base import Permissions
    from sprig_tui.console.session import ConsoleDependencies
    from sprig_tui.journal.open import open_journal

    with tempfile.TemporaryDirectory() as folder:
        paths = paths_in_folder(folder)
        dependencies = ConsoleDependencies(paths, lambda: load_settings(paths, {}), open_journal, None)
        app = SprigTui(dependencies, dependencies.load(), Permissions(engine=False))
        async with app.run_test(size=(120, 40)) as pilot:
            await pilot.pause()
    # which secrets a console asks for is found out by each start: modules hold this very object
    process_secrets.__init__()


def become(asked: dict[str, Any], terminal: int) -> None:
    """Make this process what a shell would have started."""
    os.setsid()
    if asked["controlling"]:
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    for descriptor in (0, 1, 2):
        os.dup2(terminal, descriptor)
    os.close(terminal)
    os.environ.clear()
    os.environ.update(asked["environ"])
    time.tzset()
    os.chdir(asked["folder"])
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = open(1, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.argv = ["sprig-tui", *asked["arguments"]]
    if asked["prepare"]:
        exec(asked["prepare"], {"__name__": "prepare"})  # noqa: S102 - a test's own words


def serve(listening: socket.socket) -> bool:
    """Answer until standard input ends; True in a child."""
    started: dict[int, socket.socket] = {}
    clients: list[socket.socket] = []
    while True:
        ready, _, _ = select.select([sys.stdin, listening, *clients], [], [])
        if sys.stdin in ready:
            _kill(started)
            return False
        if listening in ready:
            clients.append(listening.accept()[0])
        for client in [one for one in clients if one in ready]:
            message, descriptors, _, _ = socket.recv_fds(client, 1_000_000, 1)
            if not message:
                _kill(pid for pid, owner in started.items() if owner is client)
                clients.remove(client)
                client.close()
                continue
            asked = json.loads(message)
            if "poll" in asked:
                done, status = os.waitpid(asked["poll"], os.WNOHANG)
                started.pop(done, None)
                client.send(json.dumps({"code": os.waitstatus_to_exitcode(status) if done else None}).encode())
                continue
            pid = os.fork()
            if pid == 0:
                for one in (listening, *clients):
                    one.close()
                become(asked["start"], descriptors[0])
                return True
            started[pid] = client
            os.close(descriptors[0])
            client.send(json.dumps({"pid": pid}).encode())


def _kill(pids: Iterable[int]) -> None:
    """End what nobody looks at any more; none of it was waited for, so that no other has its id."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    preload()
    gc.collect()
    gc.freeze()
    if serve(socket.socket(fileno=int(sys.argv[1]))):
        from sprig_tui.cli import main

        main()
