"""TrackingClient: TLS is verified, and SSL_CERT_FILE is honoured."""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from support.clocks import ManualClock

from sprig_tui.segment.client import TrackingClient
from sprig_tui.segment.sink import Sink

from .conftest import Key


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1 with its key, made here so that none expires in the repository."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "fake-segment")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "fake-segment.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def context(certificate: Path) -> ssl.SSLContext:
    """TLS context of the fake Segment."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificate)
    return made


async def test_untrusted_certificate_is_rejected(
    context: ssl.SSLContext, key: Key, clock: ManualClock, payload: Callable[..., bytes]
) -> None:
    async with Sink(tls=context) as sink, TrackingClient(sink.url, key, clock=clock) as client:
        answer = await client.send_batch(payload())
    assert (answer.kind, answer.status) == ("retry", 0)
    assert answer.error.startswith("certificate of 127.0.0.1 not trusted: ")
    assert sink.stats.requests == 0


async def test_ssl_cert_file_is_trusted(
    context: ssl.SSLContext,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
    key: Key,
    clock: ManualClock,
    payload: Callable[..., bytes],
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with Sink(tls=context) as sink, TrackingClient(sink.url, key, clock=clock) as client:
        answers = [await client.send_batch(payload(f"sprig-{n}")) for n in range(3)]
    assert {answer.kind for answer in answers} == {"delivered"}
    assert sink.stats.connections == 1


async def test_https_to_a_plain_http_server_is_reported(
    key: Key, clock: ManualClock, payload: Callable[..., bytes]
) -> None:
    async with (
        Sink() as sink,
        TrackingClient(sink.url.replace("http:", "https:"), key, clock=clock, timeout=5) as client,
    ):
        answer = await client.send_batch(payload())
    assert answer.kind == "retry"
    assert answer.error.startswith("tls failed: ")
