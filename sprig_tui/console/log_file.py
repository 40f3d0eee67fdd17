"""The console's own log: plain text in the state folder, rotating, readable by its owner only, never a key in it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from sprig_tui.text import printable, redact

MAX_LOG_BYTES = 1_000_000
"""Bytes of the log until a new one is begun; one old one is kept."""
MAX_LINE_CHARS = 2_000
"""Characters; a hostile server's words are not worth more."""

Secrets = Callable[[], Iterable[str]]


class LogFile(logging.Handler):
    """Writes records as lines; a log that cannot be written is given up without a word: nothing depends on it."""

    def __init__(self, file: Path, secrets: Secrets) -> None:
        """`secrets` gives the Write Keys known at the moment, which are taken out of every line."""
        super().__init__(logging.INFO)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
        self._file = file
        self._secrets = secrets

    def emit(self, record: logging.LogRecord) -> None:
        """Append the record; a traceback keeps its lines."""
        with suppress(OSError):
            self._append(self.text(record))

    def text(self, record: logging.LogRecord) -> str:
        """The record as it is written: no key, nothing that could steer the terminal that shows it."""
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


def start_log_file(file: Path, secrets: Secrets) -> LogFile:
    """Write what the program says of its own troubles to this file; undo with `stop_log_file`."""
    handler = LogFile(file, secrets)
    logger = logging.getLogger("sprig_tui")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    return handler


def stop_log_file(handler: LogFile) -> None:
    """Write no more."""
    logging.getLogger("sprig_tui").removeHandler(handler)
