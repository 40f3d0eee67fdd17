"""All HTTP clients through real proxies: CONNECT and SOCKS, with and without a password."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import gc
import ssl
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sprig_tui.clock import SystemClock
from sprig_tui.config.environment import PublicApiToken, SprigApiKey, WriteKey
from sprig_tui.errors import ConfigError, SegmentApiUnreachableError
from sprig_tui.http.client import CA_VARIABLES
from sprig_tui.segment.client import SendResult, TrackingClient
from sprig_tui.segment.public_api import PublicApiClient
from sprig_tui.segment.sink import Sink
from sprig_tui.sprig.api import SprigClient

HOST = "segment.invalid"
"""A name that nobody but the proxy knows."""
URL = f"https://{HOST}"
PAYLOAD = b'{"type":"track","event":"e","userId":"u","messageId":"m-1","timestamp":"2026-10-04T16:21:09.114Z"}'
CREDENTIALS = base64.b64encode(b"user:secret")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate of that name, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
async def sink(certificate: Path) -> AsyncIterator[Sink]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with Sink(tls=context) as served:
        yield served


@pytest.fixture(autouse=True)
def environ(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", *CA_VARIABLES):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    yield monkeypatch
    with warnings.catch_warnings():
        # httpcore leaves a connection to its collector when a proxy or TLS refuses it
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


class Proxy:
    """Takes connections on loopback and carries them to one port, whatever name they ask for."""

    def __init__(self, target: int, *, locked: bool = False, status: str = "") -> None:
        self.asked: list[bytes] = []
        self.port = 0
        self._target = target
        self._locked = locked
        self._status = status

    async def http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked.append(head)
        status = self._status or (
            "407 Proxy Authentication Required" if self._locked and CREDENTIALS not in head else ""
        )
        if status:
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
            writer.close()
            return
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await self._carry(reader, writer)

    async def socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """RFC 1928, and RFC 1929 where it is locked."""
        _, number = await reader.readexactly(2)
        methods = await reader.readexactly(number)
        if self._locked:
            if 2 not in methods:
                writer.write(b"\x05\xff")
                writer.close()
                return
            writer.write(b"\x05\x02")
            _, length = await reader.readexactly(2)
            user = await reader.readexactly(length)
            password = await reader.readexactly((await reader.readexactly(1))[0])
            writer.write(b"\x01\x00" if (user, password) == (b"user", b"secret") else b"\x01\x01")
        else:
            writer.write(b"\x05\x00")
        _, _, _, kind = await reader.readexactly(4)
        assert kind == 3, "a name, so that the proxy looks it up"
        name = await reader.readexactly((await reader.readexactly(1))[0])
        self.asked.append(name + b":" + str(int.from_bytes(await reader.readexactly(2), "big")).encode())
        writer.write(b"\x05\x00\x00\x01" + bytes(6))
        await self._carry(reader, writer)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._target)
        await asyncio.gather(_pipe(reader, to_writer), _pipe(to_reader, writer), return_exceptions=True)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


@asynccontextmanager
async def serving(proxy: Proxy, serve: Callable[..., Any]) -> AsyncIterator[Proxy]:
    tasks: list[asyncio.Task[Any]] = []
    writers: list[asyncio.StreamWriter] = []

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        tasks.append(asyncio.create_task(serve(reader, writer)))

    async with await asyncio.start_server(begin, "127.0.0.1") as server:
        proxy.port = server.sockets[0].getsockname()[1]
        yield proxy
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for writer in writers:
            # from Python 3.12 on the server waits for connections that are open
            writer.close()


def port_of(sink: Sink) -> int:
    return int(sink.url.rpartition(":")[2])


async def send(url: str = URL) -> SendResult:
    async with TrackingClient(url, WriteKey("Zq8TinventedKeyOfThirtyTwoChE1Rk"), clock=SystemClock()) as client:
        return await client.send_batch(PAYLOAD)


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "ALL_PROXY", "https_proxy"])
async def test_clients_work_through_a_connect_proxy(sink, certificate, environ, variable):
    environ.setenv("SSL_CERT_FILE", str(certificate))
    proxy = Proxy(port_of(sink), locked=True)
    async with serving(proxy, proxy.http):
        environ.setenv(variable, f"http://user:secret@127.0.0.1:{proxy.port}")
        assert (await send()).kind == "delivered"
    assert proxy.asked[0].startswith(b"CONNECT segment.invalid:443 HTTP/1.1\r\n")
    assert sink.stats.accepted == 1


@pytest.mark.parametrize("locked", [False, True])
async def test_clients_work_through_a_socks_proxy(sink, certificate, environ, locked):
    pytest.importorskip("socksio", reason="comes with httpx[socks], which we depend on")
    environ.setenv("SSL_CERT_FILE", str(certificate))
    proxy = Proxy(port_of(sink), locked=locked)
    async with serving(proxy, proxy.socks):
        environ.setenv("ALL_PROXY", f"socks5://{'user:secret@' if locked else ''}127.0.0.1:{proxy.port}")
        assert (await send()).kind == "delivered"
    assert proxy.asked == [b"segment.invalid:443"]
    assert sink.stats.accepted == 1


async def test_socks_proxy_with_a_wrong_password_is_reported(sink, environ):
    pytest.importorskip("socksio", reason="comes with httpx[socks], which we depend on")
    proxy = Proxy(port_of(sink), locked=True)
    async with serving(proxy, proxy.socks):
        environ.setenv("ALL_PROXY", f"socks5://user:wrong@127.0.0.1:{proxy.port}")
        answer = await send()
    assert (answer.kind, answer.error) == ("retry", "the proxy refused the connection")


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("407 Proxy Authentication Required", "the proxy wants a user and password (407)"),
        ("403 Forbidden", "the proxy does not let segment.invalid be reached (403)"),
        ("502 Bad Gateway", "the proxy cannot reach segment.invalid (502)"),
    ],
)
async def test_rejected_connect_is_reported_as_the_proxys_error(sink, environ, status, said):
    proxy = Proxy(port_of(sink), status=status)
    async with serving(proxy, proxy.http):
        environ.setenv("HTTPS_PROXY", f"http://user:secret@127.0.0.1:{proxy.port}")
        answer = await send()
        async with SprigClient(URL, SprigApiKey("spk_secret_key_000001"), clock=SystemClock()) as sprig:
            assert (await sprig.get("/v1/surveys", {})).error == said
        async with PublicApiClient(URL, PublicApiToken("sgp_secret"), clock=SystemClock(), sleep=_at_once) as api:
            with pytest.raises(SegmentApiUnreachableError, match="the proxy"):
                await api.workspace()
    assert (answer.kind, answer.error, answer.status) == ("retry", said, 0)
    assert not any(secret in head for head in proxy.asked for secret in (b"Zq8T", b"spk_", b"sgp_"))


async def _at_once(_seconds: float) -> None:
    return


async def test_407_over_plain_http_is_reported_as_the_proxys_error(environ):
    proxy = Proxy(0, status="407 Proxy Authentication Required")
    async with serving(proxy, proxy.http):
        environ.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
        answer = await send("http://segment.invalid")
    assert (answer.kind, answer.status) == ("retry", 407), "no event is to blame"
    assert answer.endpoint_fault
    assert answer.error == "the proxy wants a user and password (407)"


async def test_loopback_uses_no_proxy(environ):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        environ.setenv(name, "http://127.0.0.1:9")
    async with Sink() as plain:
        assert (await send(plain.url)).kind == "delivered"
        assert (await send(plain.url.replace("127.0.0.1", "localhost"))).kind == "delivered"


async def test_invalid_no_proxy_entry_is_logged_and_ignored(sink, certificate, environ, caplog):
    environ.setenv("SSL_CERT_FILE", str(certificate))
    environ.setenv("NO_PROXY", "[::1],[::2,localhost")
    proxy = Proxy(port_of(sink))
    async with serving(proxy, proxy.http):
        environ.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        assert (await send()).kind == "delivered"
    assert "NO_PROXY: '[::2' cannot be read" in caplog.text
    assert "[::1" not in caplog.text


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
async def test_ca_variables_of_other_programs_are_honoured(sink, certificate, environ, variable):
    environ.setenv(variable, str(certificate))
    proxy = Proxy(port_of(sink))
    async with serving(proxy, proxy.http):
        environ.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        assert (await send()).kind == "delivered"


async def test_untrusted_certificate_error_names_the_variable(sink, environ):
    proxy = Proxy(port_of(sink))
    async with serving(proxy, proxy.http):
        environ.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        assert "SSL_CERT_FILE can name the file of your own authority" in (await send()).error


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_unusable_ca_file_is_named(environ, tmp_path, content):
    file = tmp_path / "authorities.pem"
    if content is not None:
        file.write_text(content)
    environ.setenv("REQUESTS_CA_BUNDLE", str(file))
    with pytest.raises(ConfigError, match=r"REQUESTS_CA_BUNDLE names .*authorities.pem, which cannot be used"):
        await send()
