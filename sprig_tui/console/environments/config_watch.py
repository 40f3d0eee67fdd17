"""Noticing that the config changed on disk: by the file's status, and by its bytes only where that differs."""

from __future__ import annotations

import os
from pathlib import Path

from sprig_tui.config.document import digest_of

Signature = tuple[int, int, int] | None


class ConfigWatch:
    """Tells when the bytes of the config are other ones than those known."""

    def __init__(self, file: Path, digest: str) -> None:
        self._file = file
        self._digest = digest
        self._signature = self._look()
        self._trusted = False

    def know(self, digest: str) -> None:
        """This content is known: it was just read or written."""
        self._digest = digest
        self._signature = self._look()
        self._trusted = False

    def changed(self) -> bool:
        """Whether the content is another one; a file that cannot be read counts as changed once.

        The second look after a change reads the bytes again, since file systems tell time in coarse steps and two
        changes may share one.
        """
        signature = self._look()
        if signature == self._signature and self._trusted:
            return False
        self._trusted = signature == self._signature
        self._signature = signature
        digest = self._content()
        if digest == self._digest:
            return False
        self._digest = digest
        return True

    def _content(self) -> str:
        try:
            data = self._file.read_bytes()
        except FileNotFoundError:
            return digest_of(None)
        except OSError as error:
            return f"unreadable: {error.strerror}"
        return digest_of(data)

    def _look(self) -> Signature:
        try:
            status = os.stat(self._file)  # noqa: PTH116 - asked for every second
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
