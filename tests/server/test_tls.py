"""Certificate renewal while the server runs."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
from support.certificates import key_pem, make_certificate

from sprig_tui.errors import ConfigError
from sprig_tui.server.tls import Certificate


def made(name: str) -> tuple[bytes, bytes]:
    """A self-signed certificate and its key, as PEM."""
    certificate, key = make_certificate(name)
    return certificate, key_pem(key)


async def shown(port: int) -> bytes:
    """The certificate that a new connection is shown, as PEM."""
    anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.check_hostname = False
    anyone.verify_mode = ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=anyone)
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return ssl.DER_cert_to_PEM_cert(found).encode()


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    certfile, keyfile = tmp_path / "cert.pem", tmp_path / "key.pem"
    for file, data in zip((certfile, keyfile), made("first"), strict=True):
        file.write_bytes(data)
    return certfile, keyfile


async def test_renewed_certificate_is_used_for_new_connections(files):
    certfile, keyfile = files
    certificate = Certificate(certfile, keyfile)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", ssl=certificate.context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        first = certfile.read_bytes()
        assert (await shown(port), certificate.reload_if_changed()) == (first, False)
        cert, key = made("second")
        certfile.write_bytes(cert)
        with pytest.raises(ConfigError, match="the key is not the certificate"):
            certificate.reload_if_changed()
        assert (await shown(port), certificate.reload_if_changed()) == (first, False), "said once"
        keyfile.write_bytes(key)
        assert certificate.reload_if_changed()
        assert (await shown(port), certificate.reload_if_changed()) == (cert, False)
        certfile.unlink()
        with pytest.raises(ConfigError, match="No such file"):
            certificate.reload_if_changed()
        assert await shown(port) == cert
