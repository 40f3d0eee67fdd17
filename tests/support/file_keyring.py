"""A keyring whose entries are a file, for the library `keyring`: real reads and writes, and a lock."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keyring
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError


class FileKeyring(KeyringBackend):
    """Entries in a JSON file; locked while a file `locked` is beside it."""

    priority = 0.01  # type: ignore[assignment]  # a plain number serves; the library never chooses it by itself

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.file = file

    @property
    def entries(self) -> dict[str, str]:
        """All entries by `service/user`."""
        if self.file.with_name("locked").exists():
            raise KeyringLocked("it is locked")
        return json.loads(self.file.read_text()) if self.file.exists() else {}

    def get_password(self, service: str, username: str) -> str | None:
        """The entry's password."""
        return self.entries.get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        """Store it."""
        self.file.write_text(json.dumps({**self.entries, f"{service}/{username}": password}))

    def delete_password(self, service: str, username: str) -> None:
        """Remove it."""
        entries = self.entries
        if entries.pop(f"{service}/{username}", None) is None:
            raise PasswordDeleteError("there is no such entry")
        self.file.write_text(json.dumps(entries))


@contextmanager
def file_keyring(folder: Path) -> Iterator[FileKeyring]:
    """The system's keyring while it is open."""
    before = keyring.get_keyring()
    backend = FileKeyring(folder / "keyring.json")
    keyring.set_keyring(backend)
    try:
        yield backend
    finally:
        keyring.set_keyring(before)
