"""RSA keys of the OAuth tests: made once for a test run, since each takes a tenth of a second."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

PLAIN = serialization.NoEncryption()


@cache
def rsa_key(number: int = 1, bits: int = 2048) -> rsa.RSAPrivateKey:
    """A private key; the same one for the same arguments."""
    return rsa.generate_private_key(65_537, bits)


def private_pem(
    key: rsa.RSAPrivateKey | None = None, encryption: serialization.KeySerializationEncryption = PLAIN
) -> bytes:
    """The private key as a PEM file holds it."""
    form = serialization.PrivateFormat.PKCS8
    return (key or rsa_key()).private_bytes(serialization.Encoding.PEM, form, encryption)


def public_pem(key: rsa.RSAPrivateKey | None = None) -> bytes:
    """The public key as a PEM file holds it."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return (key or rsa_key()).public_key().public_bytes(serialization.Encoding.PEM, form)


def write_private_key(folder: Path, name: str = "private.pem", key: rsa.RSAPrivateKey | None = None) -> Path:
    """A file of a private key, mode 0600."""
    file = folder / name
    file.write_bytes(private_pem(key))
    file.chmod(0o600)
    return file
