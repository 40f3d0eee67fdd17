"""Log file of the console: plain text in the state folder, rotated, mode 0600, without secrets."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from sprig_tui.text import printable, redact

MAX_LOG_BYTES = 1_000_000
"""Size at which the log is rotated; one old file is kept."""
MAX_LINE_CHARS = 2_000
"""A hostile server may send long texts."""

SecretsProvider = Callable[[], Iterable[str]]


class LogFile(logging.Handler):
    """Handler that writes records as lines; errors while writing are ignored, since nothing depends on the log."""

    def __init__(self, file: Path, secrets: SecretsProvider) -> None:
        """`secrets` returns the secrets known at the moment, which are redacted in every line."""
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
        self._file = file
        self._secrets = secrets

    def emit(self, record: logging.LogRecord) -> None:
        """Append the record; a traceback keeps its lines."""
        with suppress(OSError):
            self._append(self.text(record))

    def text(self, record: logging.LogRecord) -> str:
        """The record as lines without secrets and control characters."""
        lines = redact(self.format(record), self._secrets()).split("\n")
        return "\n".join(printable(line, limit=MAX_LINE_CHARS) for line in lines) + "\n"

    def _append(self, text: str) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileNotFoundError):
            if self._file.stat().st_size > MAX_LOG_BYTES:
                self._file.replace(self._file.with_suffix(".log.1"))
        descriptor = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8", errors="replace") as stream:
            stream.write(text)


def start_log_file(file: Path, secrets: SecretsProvider) -> LogFile:
    """Write the program's log records to this file, until `stop_log_file`."""
    handler = LogFile(file, secrets)
    logger = logging.getLogger("sprig_tui")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    return handler


def stop_log_file(handler: LogFile) -> None:
    """Stop writing log records."""
    logging.getLogger("sprig_tui").removeHandler(handler)
