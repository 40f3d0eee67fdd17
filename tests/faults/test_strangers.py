"""Strangers at the receiver: more connections than there is room for, of every bad kind, and webhooks go on."""

from __future__ import annotations

import asyncio
import os
import ssl
from contextlib import suppress

import pytest
from support import reconcile
from support.certificates import self_signed
from support.programs import TOKEN, Programs
from support.webhook_senders import request

resource = pytest.importorskip("resource")

STRANGERS = int(os.environ.get("SPRIG_TUI_FAULT_STRANGERS", "200"))
"""Connections; 5,000 by hand."""
ROOM = max(100, STRANGERS // 10)
"""Connections that the receiver takes: 500 by default, as with 5,000 strangers here."""
PAUSE_S = 0.05 * STRANGERS / 400
"""Before one that was ended comes again: strangers and webhooks share one process here, and its time."""
WEBHOOKS = 20
_POST = b"POST /webhooks/production HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
FIRST_BYTES = {
    "bare": b"",
    "half a handshake": bytes.fromhex("160301008b010000870303"),
    "half a head": b"POST /webhooks/production HT",
    "a slow body": _POST + b"authorization: Bearer " + TOKEN.encode() + b"\r\ncontent-length: 100000\r\n\r\n{",
    "a wrong token": _POST + b"authorization: Bearer wrong\r\ncontent-length: 100000\r\n\r\n{",
    "two lengths": _POST + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "pipelined and never read": b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n" * 3000,
}


async def besiege(port: int, kinds: list[str], enough: asyncio.Event) -> None:
    """Hold connections of these kinds, each opened again when it is ended, until there were enough."""

    async def one(kind: str) -> None:
        while not enough.is_set():
            with suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
                try:
                    writer.write(FIRST_BYTES[kind])
                    if kind.startswith("pipelined"):
                        writer.transport.pause_reading()
                        await enough.wait()
                    while not enough.is_set() and await reader.read(1024):
                        pass
                finally:
                    writer.transport.abort()
            await asyncio.sleep(PAUSE_S)

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(kinds[turn % len(kinds)])) for turn in range(STRANGERS)]
        await enough.wait()
        for task in tasks:
            task.cancel()


async def send(port: int, number: int, tls: ssl.SSLContext | None) -> None:
    """Send one webhook, again where it is refused for now or crowded out: as any sender in bad weather would."""
    async with asyncio.timeout(60):
        while True:
            with suppress(OSError, asyncio.IncompleteReadError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
                try:
                    writer.write(request(number))
                    status = int((await reader.readuntil(b"\r\n\r\n"))[9:12])
                    if status == 200:
                        return
                    assert status == 503
                finally:
                    writer.transport.abort()
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
async def test_webhooks_go_on(tmp_path, secure):
    place = str(tmp_path / "journal.db")
    files, tls = [], None
    if secure:
        certfile, keyfile = self_signed(tmp_path)
        keyfile.chmod(0o600)
        files = ["--certfile", str(certfile), "--keyfile", str(keyfile)]
        tls = ssl.create_default_context(cafile=str(certfile))
    async with Programs(tmp_path / "home") as programs:
        programs.configure(place, "http://127.0.0.1:9")
        receiver = await programs.start(
            *("listen", "--port", "0", "--no-engine", "--status-every", "0", "--max-connections", str(ROOM), *files),
            ready="listening on",
        )
        port = int((await receiver.says("listening on")).split(",")[0].rpartition(":")[2])
        # less than the strangers would take, but what the connections need
        resource.prlimit(receiver.process.pid, resource.RLIMIT_NOFILE, (ROOM + 200, ROOM + 200))
        kinds = ["bare", "half a handshake"] if secure else list(FIRST_BYTES)
        enough = asyncio.Event()
        siege = asyncio.create_task(besiege(port, kinds, enough))
        try:
            await asyncio.gather(*(send(port, number, tls) for number in range(1, WEBHOOKS + 1)))
        finally:
            enough.set()
            await siege
        assert await receiver.stop() == 0
        said = "\n".join(receiver.lines)
        assert "Traceback" not in said
        assert len(receiver.lines) < 20, said
    assert len(await reconcile.by_answer(place)) == WEBHOOKS
