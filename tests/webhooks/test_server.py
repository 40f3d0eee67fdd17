"""Server address, TLS and shutdown."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path

import httpx
import pytest
from support.blocked_journal import BlockedJournal
from support.certificates import self_signed

from sprig_tui.errors import ConfigError
from sprig_tui.server.server import bind, is_bound_to_loopback, raise_open_files_limit
from sprig_tui.server.tls import tls_context

TOKEN = "production-token-0123456789"


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    return self_signed(tmp_path)


async def test_webhook_over_tls(serve, answer, certificate):
    served = await serve(tls=tls_context(*certificate))
    assert served.up.url.startswith("https://127.0.0.1:")
    trust = ssl.create_default_context(cafile=str(certificate[0]))
    async with httpx.AsyncClient(base_url=served.up.url, verify=trust, trust_env=False) as client:
        done = await client.post("/webhooks/production", json=answer(), headers={"authorization": f"Bearer {TOKEN}"})
    assert done.status_code == 200


def test_invalid_certificates_raise_config_error(certificate, tmp_path):
    certfile, keyfile = certificate
    with pytest.raises(ConfigError, match="No such file"):
        tls_context(tmp_path / "none.pem", keyfile)
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(ConfigError, match="the key is not the certificate's"):
        tls_context(certfile, self_signed(other)[1])
    with pytest.raises(ConfigError, match="not a certificate and its key"):
        tls_context(certfile, None)
    with pytest.raises(ConfigError, match="passphrase"):
        tls_context(certfile, tmp_path / "locked.pem")


def test_bind_reports_unusable_addresses():
    with bind("127.0.0.1", 0) as bound:
        assert is_bound_to_loopback(bound)
        bound.listen()
        with pytest.raises(ConfigError, match="cannot listen on"):
            bind("127.0.0.1", bound.getsockname()[1])
    with bind("0.0.0.0", 0) as bound:  # noqa: S104 - that it is no loopback is the point
        assert not is_bound_to_loopback(bound)
    with bind("[::1]", 0) as bound:
        assert is_bound_to_loopback(bound)
    for host in ("no.such.host.invalid", "999.1.1.1", "a" * 300):
        with pytest.raises(ConfigError, match="is not an address"):
            bind(host, 0)


def test_open_files_limit_is_raised_to_the_connections(monkeypatch):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
        raise_open_files_limit(500)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 700
        raise_open_files_limit(10)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] >= 700, "never lowered"
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, before[1]))
        monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 64))
        with pytest.raises(ConfigError, match="allows 64 open files") as raised:
            raise_open_files_limit(500)
        assert "ulimit -n 700" in raised.value.hint
        monkeypatch.undo()
        if before[1] != resource.RLIM_INFINITY:
            with pytest.raises(ConfigError, match="open files"):
                raise_open_files_limit(before[1])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_shutdown_answers_accepted_requests(serve, answer, tmp_path):
    async with BlockedJournal(tmp_path / "slow.db") as journal:
        served = await serve(journal=journal)
        posting = asyncio.create_task(served.post(answer()))
        await journal.asked.wait()
        ending = asyncio.create_task(served.up.shut_down())
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", served.port)
            except ConnectionError:
                break
            writer.close()
        assert not ending.done()
        journal.go.set()
        assert (await posting).status_code == 200
        await ending
        assert len(await served.log()) == 1


async def test_abort_closes_unanswered_requests(serve, answer, tmp_path):
    async with BlockedJournal(tmp_path / "slow.db") as journal:
        served = await serve(journal=journal)
        posting = asyncio.create_task(served.post(answer()))
        await journal.asked.wait()
        await served.up.abort()
        with pytest.raises(httpx.TransportError):
            await posting
        journal.go.set()


async def test_shutdown_closes_idle_keep_alive_connections(serve):
    served = await serve()
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
    assert json.loads((await reader.readuntil(b"}")).partition(b"\r\n\r\n")[2]) == {"alive": True}
    await served.up.shut_down()
    assert await reader.read() == b""
    writer.close()
