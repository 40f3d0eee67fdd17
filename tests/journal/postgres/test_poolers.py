"""Poolers: PgBouncer, if it is installed, and the settings that any pooler receives."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sprig_tui.errors import JournalError, JournalUnreachableError
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.postgres import PostgresJournal
from sprig_tui.journal.records import Settlement, State


@pytest.fixture
def pooler(postgres_journal_url: str, tmp_path: Path) -> Iterator[object]:
    """Starts PgBouncer in a mode; gives the journal's address through it."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        pytest.skip("this machine has no pgbouncer")
    parts = urlsplit(postgres_journal_url)
    running: list[subprocess.Popen[bytes]] = []

    def start(mode: str) -> str:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        (tmp_path / "users").write_text(f'"{parts.username}" "{parts.password}"\n')
        (tmp_path / "ini").write_text(
            f"[databases]\n* = host=127.0.0.1 port={parts.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {port}\nunix_socket_dir =\nauth_type = plain\nauth_file = {tmp_path}/users\n"
            f"pool_mode = {mode}\n"
        )
        user = ("-u", "postgres") if getpass.getuser() == "root" else ()
        for path in (tmp_path, *tmp_path.parents[:3], tmp_path / "users", tmp_path / "ini"):
            with contextlib.suppress(OSError):
                path.chmod(0o755 if path.is_dir() else 0o644)
        process = subprocess.Popen(
            [program, *user, str(tmp_path / "ini")], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        running.append(process)
        assert process.stderr is not None
        for line in process.stderr:
            if b"listening on" in line:
                break
        else:
            pytest.fail("pgbouncer did not start")
        return parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}").geturl()

    yield start
    for process in running:
        process.terminate()
        process.communicate()


async def test_pooler_in_session_mode_works(pooler, entry) -> None:
    heard = asyncio.Event()
    async with PostgresJournal(pooler("session")) as one, PostgresJournal(one.url) as other:
        other.subscribe(lambda _: heard.set())
        async with asyncio.timeout(30):
            await heard.wait()  # it listens
            heard.clear()
            await one.add([entry(), entry()])
            await heard.wait()
        taken = await other.claim(ClaimRequest("production", events=9, payload_bytes=9_999, lease_ms=60_000))
        await other.settle(taken, [Settlement(ids=taken.ids, state=State.DELIVERED)])
        assert (await one.counts()).by_environment["production"][State.DELIVERED] == 2


@pytest.mark.parametrize("mode", ["transaction", "statement"])
async def test_pooler_that_shares_sessions_is_rejected(pooler, mode) -> None:
    url = pooler(mode)
    for _ in range(3):
        with pytest.raises(JournalError, match="behind a pooler that shares sessions") as refused:
            await PostgresJournal(url).open()
        assert refused.value.hint.startswith("set pool_mode = session")


async def test_connection_sends_only_the_application_name() -> None:
    """PgBouncer refuses all but a few settings in the first message of a connection."""
    first: list[bytes] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            message = await reader.readexactly(int.from_bytes(await reader.readexactly(4)) - 4)
            if message.startswith((80877103).to_bytes(4)):  # may we use TLS?
                writer.write(b"N")
                continue
            first.append(message)
            break
        writer.close()

    async with await asyncio.start_server(accept, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(JournalUnreachableError):
            await PostgresJournal(f"postgresql://sprig@127.0.0.1:{port}/journal").open()
    words = first[0][4:].rstrip(b"\0").split(b"\0")
    assert set(words[::2]) <= {b"user", b"database", b"client_encoding", b"application_name"}
