"""Capture of raw webhook requests as files for support, without tokens and cookies."""

from __future__ import annotations

import itertools
import logging
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from sprig_tui.errors import ConfigError
from sprig_tui.mapping.records import StoreRaw
from sprig_tui.server.exchange import Exchange
from sprig_tui.text import printable

MAX_FILES = 10_000
"""Files of one run; a forgotten capture must not fill the disk of the journal."""
_SECRET_HEADERS = frozenset({b"authorization", b"proxy-authorization", b"cookie"})

_log = logging.getLogger(__name__)


class RequestCapture:
    """Writes each request to its own file in a background thread; an error is logged once and stops only capturing."""

    def __init__(self, folder: Path, store_raw: StoreRaw = "full") -> None:
        self.folder = folder
        self.store_raw = store_raw
        """As the journal does, a file holds the record only under `full`."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="capture")
        self._number = itertools.count(1)
        self._stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        self._stopped = False

    def __enter__(self) -> Self:
        """Make the folder; raises ConfigError."""
        shown = printable(str(self.folder))
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ConfigError(
                f"cannot make the folder {shown}: {error.strerror}",
                hint="name another in --capture",
            ) from error
        if not os.access(self.folder, os.W_OK | os.X_OK):
            raise ConfigError(f"cannot write in {shown}", hint="check its owner and mode, or name another")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the files that are being written."""
        self._thread.shutdown(wait=True)

    def save(self, exchange: Exchange, body: bytes, status: int) -> None:
        """Write one request; the status of its response is part of the file name."""
        number = next(self._number)
        if self._stopped or number > MAX_FILES:
            self._stop(f"{MAX_FILES:,} requests are captured; no more are captured until the next start")
            return
        # control characters are escaped: people print these files in terminals
        target = exchange.head.raw_path.decode("latin-1")
        head = [f"{exchange.head.method} {printable(target)} HTTP/{exchange.head.version}"]
        head += [
            f"{name.decode('latin-1')}: {printable(value.decode('latin-1'))}"
            for name, value in exchange.head.headers
            if name not in _SECRET_HEADERS
        ]
        if self.store_raw != "full":
            left_out = f"({len(body):,} bytes left out: journal.store_raw is {self.store_raw})"
            head, body = [*head, f"x-sprig-tui-note: {left_out}"], b""
        text = "\r\n".join(head).encode() + b"\r\n\r\n" + body
        self._thread.submit(self._write, self.folder / f"{self._stamp}-{os.getpid()}-{number:05}-{status}.http", text)

    def _write(self, file: Path, text: bytes) -> None:
        try:
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
                stream.write(text)
        except OSError as error:
            self._stop(f"capturing ends: cannot write {printable(str(file))}: {error.strerror}")

    def _stop(self, why: str) -> None:
        if not self._stopped:
            self._stopped = True
            _log.warning("%s", why)
