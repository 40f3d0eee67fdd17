"""Private key of an OAuth application: its file, and the problems for which it cannot sign."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from sprig_tui.extras import OAUTH, install_hint

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

MAX_KEY_FILE_BYTES = 65_536
"""A larger file is not a key."""
MIN_KEY_BITS = 2_048
"""RSA keys below it are not secure (RFC 7518, 3.3: RS256 needs 2,048 bits or more)."""

_LABEL = re.compile(r"-----BEGIN ([A-Z0-9 ]{0,40})-----")


class KeyProblem(StrEnum):
    """Why a key file cannot sign."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    """`detail` is the system's error."""
    NOT_A_FILE = "not_a_file"
    TOO_LARGE = "too_large"
    NOT_A_KEY = "not_a_key"
    NOT_PRIVATE = "not_private"
    """A public key or a certificate."""
    OPENSSH = "openssh"
    ENCRYPTED = "encrypted"
    NOT_RSA = "not_rsa"
    TOO_SMALL = "too_small"
    """`detail` is its length in bits."""
    NO_LIBRARY = "no_library"


_SENTENCES = {
    KeyProblem.MISSING: "is not there",
    KeyProblem.UNREADABLE: "cannot be read",
    KeyProblem.NOT_A_FILE: "is not a file",
    KeyProblem.TOO_LARGE: "is too large for a private key",
    KeyProblem.NOT_A_KEY: "holds no private key in PEM form",
    KeyProblem.NOT_PRIVATE: "holds a public key or a certificate, not the private key",
    KeyProblem.OPENSSH: "holds a key in the form of OpenSSH, not in PEM form",
    KeyProblem.ENCRYPTED: "is encrypted with a passphrase, which nobody can type here",
    KeyProblem.NOT_RSA: "holds no RSA key, and Segment takes RS256 only",
    KeyProblem.TOO_SMALL: f"holds an RSA key of less than {MIN_KEY_BITS:,} bits",
    KeyProblem.NO_LIBRARY: f"cannot sign: OAuth needs the package {OAUTH.package}, which is not installed",
}
_NEW_KEY_HINT = "openssl genrsa -out private.pem 2048 makes one; its public key belongs into the OAuth app in Segment"
_HINTS = {
    KeyProblem.MISSING: "name the file in private_key_file; a relative path begins at the config's folder",
    KeyProblem.UNREADABLE: "check its owner and mode",
    KeyProblem.NOT_A_FILE: "name the file of the private key in private_key_file",
    KeyProblem.TOO_LARGE: "name the file of the private key in private_key_file",
    KeyProblem.NOT_A_KEY: _NEW_KEY_HINT,
    KeyProblem.NOT_PRIVATE: "name the file that the public key was made from",
    KeyProblem.OPENSSH: "ssh-keygen -p -m PEM -N '' -f FILE rewrites it; keep a copy",
    KeyProblem.ENCRYPTED: "openssl rsa -in FILE -out NEW writes it without a passphrase; chmod 600 protects it",
    KeyProblem.NOT_RSA: _NEW_KEY_HINT,
    KeyProblem.TOO_SMALL: _NEW_KEY_HINT,
    KeyProblem.NO_LIBRARY: install_hint(OAUTH),
}


class SigningKeyError(Exception):
    """A key that cannot sign; `problem` says why."""

    def __init__(self, problem: KeyProblem, detail: str = "") -> None:
        super().__init__(problem.value)
        self.problem = problem
        self.detail = detail


class PrivateKeyFile(Struct, frozen=True, kw_only=True):
    """Content of a private key's file as it was read; its repr shows no part of the key."""

    path: str
    pem: bytes = b""
    """Empty where the file could not be read."""
    problem: KeyProblem | None = None
    """What is wrong at first sight; None also where only the library will tell."""
    detail: str = ""
    mode: int = 0o600
    """Permission bits."""

    def __repr__(self) -> str:
        return f"PrivateKeyFile({self.path!r}, {self.fingerprint})"

    @property
    def fingerprint(self) -> str:
        """Hex digest that changes with the content."""
        return hashlib.blake2b(self.pem, digest_size=8).hexdigest()

    @property
    def is_readable_by_others(self) -> bool:
        """Whether group or others may read or write it (always false on Windows)."""
        return os.name == "posix" and bool(self.mode & 0o077)

    def load(self) -> RSAPrivateKey:
        """The key, ready to sign; raises SigningKeyError."""
        if self.problem is not None:
            raise SigningKeyError(self.problem, self.detail)
        return _parse(self.pem)


def problem_text(path: str, problem: KeyProblem, detail: str = "") -> str:
    """Such as `the private key /etc/sprig/private.pem is not there`."""
    more = f" ({detail})" if detail else ""
    return f"the private key {path} {_SENTENCES[problem]}{more}"


def problem_hint(problem: KeyProblem) -> str:
    """The next step."""
    return _HINTS[problem]


def read_private_key(path: Path) -> PrivateKeyFile:
    """The file's content with what can be told without a library; never raises for a file that cannot be used."""
    try:
        # without a blocking open: the path may name a pipe
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as stream:
            status = os.fstat(stream.fileno())
            if not stat.S_ISREG(status.st_mode):
                return PrivateKeyFile(path=str(path), problem=KeyProblem.NOT_A_FILE)
            pem = stream.read(MAX_KEY_FILE_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return PrivateKeyFile(path=str(path), problem=KeyProblem.MISSING)
    except IsADirectoryError:
        return PrivateKeyFile(path=str(path), problem=KeyProblem.NOT_A_FILE)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a file name"
        return PrivateKeyFile(path=str(path), problem=KeyProblem.UNREADABLE, detail=reason)
    mode = stat.S_IMODE(status.st_mode)
    if len(pem) > MAX_KEY_FILE_BYTES:
        return PrivateKeyFile(path=str(path), problem=KeyProblem.TOO_LARGE, mode=mode)
    return PrivateKeyFile(path=str(path), pem=pem, problem=_problem_at_first_sight(pem), mode=mode)


def _problem_at_first_sight(pem: bytes) -> KeyProblem | None:
    """What the labels of a PEM file tell."""
    text = pem.decode("utf-8", "replace")
    labels = _LABEL.findall(text)
    private = [label for label in labels if label.endswith("PRIVATE KEY")]
    if not private:
        return KeyProblem.NOT_PRIVATE if labels else KeyProblem.NOT_A_KEY
    if private[0].startswith("ENCRYPTED") or "Proc-Type: 4,ENCRYPTED" in text:
        return KeyProblem.ENCRYPTED
    if private[0].startswith("OPENSSH"):
        return KeyProblem.OPENSSH
    return None if private[0] in ("PRIVATE KEY", "RSA PRIVATE KEY") else KeyProblem.NOT_RSA


@lru_cache(maxsize=8)  # the library verifies the numbers of a key, which takes a quarter of a second
def _parse(pem: bytes) -> RSAPrivateKey:
    try:
        import jwt  # noqa: F401 - signs; asked for here, so that a missing one is told with the key
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey as Rsa
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise SigningKeyError(KeyProblem.NO_LIBRARY) from None
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        raise SigningKeyError(KeyProblem.ENCRYPTED) from None
    except (ValueError, UnsupportedAlgorithm):
        # not chained: the library's message may quote the file
        raise SigningKeyError(KeyProblem.NOT_A_KEY) from None
    if not isinstance(key, Rsa):
        raise SigningKeyError(KeyProblem.NOT_RSA)
    if key.key_size < MIN_KEY_BITS:
        raise SigningKeyError(KeyProblem.TOO_SMALL, f"{key.key_size} bits")
    return key
