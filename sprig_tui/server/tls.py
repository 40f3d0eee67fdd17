"""TLS certificate of a server: its files, and their renewal while the server runs."""

from __future__ import annotations

import ssl
from pathlib import Path

from sprig_tui.errors import ConfigError
from sprig_tui.server.server import tls_context

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
