"""The real `serve`, and a browser as small as it can be: a WebSocket and a terminal emulator."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Self

import aiohttp
import pyte
import pytest
from support.programs import Program, Programs

PATIENCE_S = 30.0


class Browser:
    """One window: what it shows, and what is typed."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse, columns: int = 100, rows: int = 30) -> None:
        self.websocket = websocket
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)

    @property
    def text(self) -> str:
        """The whole screen."""
        return "\n".join(self.screen.display)

    async def shows(self, *texts: str) -> Self:
        """Read until the screen has all of the texts."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while not all(text in self.text for text in texts):
                    message = await self.websocket.receive()
                    if message.type is not aiohttp.WSMsgType.BINARY:
                        break
                    self._stream.feed(message.data)
        assert all(text in self.text for text in texts), self.text
        return self

    async def type(self, text: str) -> None:
        """Type, paste or click: what a terminal sends."""
        await self.websocket.send_str(json.dumps(["stdin", text]))

    async def resize(self, columns: int, rows: int) -> None:
        """Another size of the window."""
        self.screen.resize(rows, columns)
        await self.websocket.send_str(json.dumps(["resize", {"width": columns, "height": rows}]))

    async def ended(self) -> int | None:
        """Read to the end; returns the code of the close."""
        async with asyncio.timeout(PATIENCE_S):
            async for message in self.websocket:
                if message.type is aiohttp.WSMsgType.BINARY:
                    self._stream.feed(message.data)
        return self.websocket.close_code


class Serving:
    """A running `serve`, and browsers that open it."""

    def __init__(self, program: Program, url: str) -> None:
        self.program = program
        self.url = url
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        self._windows: list[aiohttp.ClientWebSocketResponse] = []

    async def open(self, columns: int = 100, rows: int = 30) -> Browser:
        """A window of this size, with the cookies that there are."""
        place = f"{self.url}/ws?width={columns}&height={rows}"
        self._windows.append(await self.http.ws_connect(place, origin=self.url))
        return Browser(self._windows[-1], columns, rows)

    async def close(self) -> None:
        """Close everything that was opened."""
        for window in self._windows:
            await window.close()
        await self.http.close()

    async def get(self, path: str = "/", **options: object) -> aiohttp.ClientResponse:
        """A page, whose text is read, without following where it sends to."""
        response = await self.http.get(f"{self.url}{path}", allow_redirects=False, **options)
        await response.read()
        return response

    def consoles(self) -> list[int]:
        """Processes of the consoles."""
        pid = self.program.process.pid
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def gone(pid: int) -> None:
    """Wait until a process that may be nobody's child any more has ended."""
    async with asyncio.timeout(PATIENCE_S):
        while _is_alive(pid):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.02)


def _is_alive(pid: int) -> bool:
    with suppress(OSError):
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@pytest.fixture
async def serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[object]:
    """Starts `serve` on an empty journal: `await serving("--read-only", TOKEN="...")`."""
    for name in [name for name in os.environ if name.startswith("SPRIG_TUI_")]:
        monkeypatch.delenv(name)
    opened: list[Serving] = []
    async with Programs(tmp_path / "home") as programs:
        programs.configure("journal.db", "http://127.0.0.1:9")

        async def start(*options: str, token: str = "", **environ: str) -> Serving:
            programs.more_environ = {**environ, **({"SPRIG_TUI_SERVE_TOKEN": token} if token else {})}
            program = await programs.start("serve", "--port", "0", *options, ready="the console is at ")
            line = await program.says("the console is at ")
            opened.append(Serving(program, line.removeprefix("the console is at ").split(",")[0]))
            return opened[-1]

        yield start
        for one in opened:
            await one.close()
