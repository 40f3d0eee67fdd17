"""Session of one browser: the process that draws its console, and the WebSocket that shows it.

The process leaves its console, and lets its requests finish, as soon as its standard input ends: with the browser, with
this server however that ends, or after `SessionLimits.idle_seconds` without a key. It is killed only where it does not.
"""

from __future__ import annotations

import asyncio
import logging
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Struct

from sprig_tui.browser.packets import DATA, PacketError, PacketReader, encode_data, encode_meta
from sprig_tui.formatting import format_duration
from sprig_tui.server.websocket import WebSocket
from sprig_tui.text import printable

_READ_BYTES = 65_536
_MAX_STDERR_CHARS = 2_000
_SAY_SECONDS = 1.0
_MIN_SIZE, _MAX_SIZE = (20, 5), (500, 200)
"""Columns and rows that a console is drawn at."""
_GOING_AWAY, _TRY_AGAIN_LATER = 1001, 1013
_log = logging.getLogger(__name__)


class SessionLimits(Struct, frozen=True, kw_only=True):
    """Limits of the sessions of one server."""

    sessions: int = 4
    """At the same time; each is a process of some 80 MB."""
    idle_seconds: float = 1800.0
    """Without a key, a click or a paste, until a session ends."""
    ping_seconds: float = 20.0
    """Between two pings; a browser that has not answered the last one has gone."""
    message_bytes: int = 1_048_576
    """Longest message of a browser: a paste."""
    leave_seconds: float = 4.0
    """For a console to leave by itself; then it is terminated, and after half of it again killed."""


class Sessions:
    """The sessions of one server: `serve` runs one from its start to its end.

    `command` starts a console with its standard input and output as its terminal, `environ` are its variables.
    """

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], limits: SessionLimits) -> None:
        self._command = tuple(command)
        self._environ = dict(environ)
        self.limits = limits
        self._open: set[_Session] = set()
        self._stopping = False
        self._left = asyncio.Event()

    def __len__(self) -> int:
        return len(self._open)

    async def serve(self, websocket: WebSocket, width: int, height: int) -> None:
        """Show a console in the browser until one of them ends."""
        if self._stopping or len(self._open) >= self.limits.sessions:
            text = f"{self.limits.sessions:,} consoles are open, and no more may be: close one, or raise --max-sessions"
            await _say(websocket, text)
            await websocket.close(_TRY_AGAIN_LATER, "too many consoles")
            return
        session = _Session(websocket, self.limits)
        self._open.add(session)
        try:
            await session.run(self._command, self._environ, clamp_size(width, height))
        finally:
            self._open.discard(session)
            self._left.set()

    async def stop(self) -> None:
        """End all sessions, and let no more begin."""
        self._stopping = True
        for session in tuple(self._open):
            session.end("the server is stopping")
        while self._open:
            self._left.clear()
            await self._left.wait()


class _Session:
    def __init__(self, websocket: WebSocket, limits: SessionLimits) -> None:
        self._websocket = websocket
        self._limits = limits
        self._ended = asyncio.Event()
        self._reason = ""
        self._typed_at = time.monotonic()
        self._stderr = ""

    def end(self, reason: str) -> None:
        """Let the console leave; the browser shows the reason."""
        self._reason = self._reason or reason
        self._ended.set()

    async def run(self, command: Sequence[str], environ: Mapping[str, str], size: tuple[int, int]) -> None:
        size_variables = {"COLUMNS": str(size[0]), "LINES": str(size[1])}
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                env={**environ, **size_variables},
                # ctrl+c at the server's terminal is the server's: it ends its sessions in order
                start_new_session=True,
            )
        except OSError as error:
            _log.warning("a console could not be started: %s", error.strerror)
            await _say(self._websocket, "the console could not be started: the server's terminal says why")
            await self._websocket.close(_TRY_AGAIN_LATER, "the console could not be started")
            return
        errors = asyncio.create_task(self._read_errors(process))
        work = (self._show_output(process, errors), self._pass_input(process), self._watch(), self._ended.wait())
        tasks = [asyncio.create_task(part) for part in work]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            # shielded: a process is never left behind, even if the connection is aborted meanwhile
            await asyncio.shield(asyncio.ensure_future(self._finish(process, tasks, errors)))

    async def _finish(self, process: Process, tasks: Sequence[asyncio.Task[Any]], errors: asyncio.Task[None]) -> None:
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._reason:
            with suppress(TimeoutError):  # a browser that reads nothing must not keep its console
                await asyncio.wait_for(_say(self._websocket, self._reason), _SAY_SECONDS)
        closing = asyncio.create_task(self._websocket.close(_GOING_AWAY, self._reason[:100]))
        draining = asyncio.create_task(_discard(process))
        await end_process(process, self._limits.leave_seconds)
        await asyncio.wait((closing, errors, draining), timeout=self._limits.leave_seconds)
        for task in (errors, draining):
            task.cancel()  # a program of its own may hold the pipes
        if process.returncode and self._stderr:
            _log.warning("a console ended with %d: %s", process.returncode, printable(self._stderr, limit=300))

    async def _show_output(self, process: Process, errors: asyncio.Task[None]) -> None:
        """Pass on what the console draws, until it has left."""
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        reader = PacketReader()
        try:
            while data := await process.stdout.read(_READ_BYTES):
                # one message for what came together; of the metadata nothing concerns the browser
                if drawn := b"".join(body for kind, body in reader.feed(data) if kind == DATA):
                    await self._websocket.send(drawn)
        except PacketError as error:
            _log.warning("a console wrote something else than packets: %s", error)
        await process.wait()
        await asyncio.wait((errors,), timeout=1.0)
        if process.returncode:
            why = printable(self._stderr.strip(), limit=500) or end_text(process.returncode)
            self._reason = f"the console ended: {why}"

    async def _pass_input(self, process: Process) -> None:
        """Pass on what is typed, until the browser has gone."""
        assert process.stdin is not None  # noqa: S101 - it is a pipe
        while (message := await self._websocket.receive()) is not None:
            packet = self._packet_of(message)
            if packet is None:
                return
            if packet:
                process.stdin.write(packet)
                with suppress(ConnectionError):  # it has left; the task that reads its output notices
                    await process.stdin.drain()

    def _packet_of(self, message: str) -> bytes | None:
        """The packet of a browser's message; empty for one without, None for one that no page of ours sends."""
        try:
            parts = msgspec.json.decode(message)
            match parts:
                case ["stdin", str(text)]:
                    self._typed_at = time.monotonic()
                    return encode_data(text.encode("utf-8", "replace"))
                case ["resize", {"width": int(width), "height": int(height)}]:
                    columns, rows = clamp_size(width, height)
                    return encode_meta("resize", width=columns, height=rows)
                case ["focus" | "blur" as kind]:
                    return encode_meta(kind)
                case ["ping", _]:  # it measures; the server asks by pings of the protocol
                    return b""
        except msgspec.DecodeError:
            pass
        return None

    async def _watch(self) -> None:
        """Return when nobody is there any more."""
        interval = min(self._limits.ping_seconds, self._limits.idle_seconds / 2)
        while self._websocket.ping():
            await asyncio.sleep(interval)
            if time.monotonic() - self._typed_at >= self._limits.idle_seconds:
                self.end(f"nothing was typed for {format_duration(self._limits.idle_seconds)}")

    async def _read_errors(self, process: Process) -> None:
        assert process.stderr is not None  # noqa: S101 - it is a pipe
        while data := await process.stderr.read(_READ_BYTES):
            self._stderr = (self._stderr + data.decode("utf-8", "replace"))[-_MAX_STDERR_CHARS:]


async def _discard(process: Process) -> None:
    """Read what a console still draws while it leaves."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    while await process.stdout.read(_READ_BYTES):
        pass


async def end_process(process: Process, seconds: float) -> None:
    """Close the standard input of a process, and wait for its end; it is terminated, then killed where it stays."""
    if process.stdin is not None:
        process.stdin.close()
    for ask, patience in ((None, seconds), (process.terminate, seconds / 2), (process.kill, None)):
        if process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            if ask is not None:
                ask()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), patience)


def end_text(code: int) -> str:
    """The end of a process that wrote no reason: `exit code 1`, or `it was ended by signal 9 ...`."""
    return f"exit code {code}" if code > 0 else f"it was ended by signal {-code} of the server's machine"


def clamp_size(width: int, height: int) -> tuple[int, int]:
    """Columns and rows within what a console is drawn at."""
    return (
        max(_MIN_SIZE[0], min(width, _MAX_SIZE[0])),
        max(_MIN_SIZE[1], min(height, _MAX_SIZE[1])),
    )


async def _say(websocket: WebSocket, text: str) -> None:
    """Write a line on the browser's terminal, on a screen of its own."""
    await websocket.send(f"\x1b[?1049l\x1b[2J\x1b[H\x1b[?25l{printable(text)}\r\n".encode())
