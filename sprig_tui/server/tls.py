"""TLS of a server: its context, and its certificate, which may be renewed while the server runs."""

from __future__ import annotations

import ssl
from pathlib import Path

from sprig_tui.errors import ConfigError

TLS_1_2_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Only authenticated encryption with forward secrecy (RFC 9325, 4.2), as in TLS 1.3."""

_FileSignatures = tuple[tuple[int, int, int], ...]


class Certificate:
    """A certificate and its key in PEM form; raises ConfigError for invalid files.

    The server uses `context`; each handshake takes the certificate that is current then.
    """

    def __init__(self, certfile: Path, keyfile: Path | None) -> None:
        self._certfile = certfile
        self._keyfile = keyfile
        self._signatures = self._rejected = self._read_signatures()
        self._current = self._load()
        self.context = self._current_front()

    def _current_front(self) -> ssl.SSLContext:
        front = self._load()

        def choose(connection: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
            connection.context = self._current

        front.sni_callback = choose  # called at each handshake, with or without a server name
        return front

    def reload_if_changed(self) -> bool:
        """Load the files again if they changed; whether they did.

        Raises ConfigError once for each state of the files that is invalid, since one may be written before the other.
        """
        signatures = self._read_signatures()
        if signatures == self._signatures:
            return False
        try:
            self._current = self._load()
        except ConfigError:
            if signatures == self._rejected:
                return False
            self._rejected = signatures
            raise
        self._signatures = signatures
        return True

    def _load(self) -> ssl.SSLContext:
        return tls_context(self._certfile, self._keyfile)

    def _read_signatures(self) -> _FileSignatures:
        signatures = []
        for file in (self._certfile, self._keyfile):
            try:
                status = file.stat() if file is not None else None
            except OSError:
                status = None
            signatures.append((status.st_mtime_ns, status.st_size, status.st_ino) if status else (0, 0, 0))
        return tuple(signatures)


def tls_context(certfile: Path, keyfile: Path | None) -> ssl.SSLContext:
    """A server's TLS context; raises ConfigError for invalid files and for a key with a passphrase."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(TLS_1_2_CIPHERS)
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        context.load_cert_chain(certfile, keyfile, password=_reject_passphrase)
    except _PassphraseError:
        raise ConfigError(
            f"the key in {keyfile or certfile} has a passphrase, and a server cannot ask for it",
            hint="store the key without one, readable only by its owner",
        ) from None
    except OSError as error:
        names = f"{certfile} and {keyfile}" if keyfile else str(certfile)
        if not isinstance(error, ssl.SSLError):
            problem = error.strerror
        elif error.reason == "KEY_VALUES_MISMATCH":
            problem = "the key is not the certificate's"
        else:
            problem = "they are not a certificate and its key in PEM form"
        raise ConfigError(
            f"cannot use {names}: {problem}", hint="give --certfile and --keyfile, in PEM form"
        ) from error
    return context


class _PassphraseError(Exception):
    pass


def _reject_passphrase() -> str:
    raise _PassphraseError
