"""Suppressed users: the stored list of the users whose events Segment blocks, which must not be sent.

The state folder has two files of mode 0600, made only where a token of Segment's Public API is configured:

| file              | content                                                                                      |
|-------------------|----------------------------------------------------------------------------------------------|
| `suppressed.key`  | 32 random bytes                                                                              |
| `suppressed.json` | when the list was read, of which workspace, what was missing, and a hash (BLAKE2b, keyed     |
|                   | with these bytes) of each user id: neither file names anybody, though who has both can test  |
|                   | whether a given id is on the list                                                            |
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from sprig_tui.config.secrets import Workspace
from sprig_tui.files import make_folder, write_atomically
from sprig_tui.journal.records import Claim
from sprig_tui.segment.timestamps import format_iso

LIST_FILE = "suppressed.json"
KEY_FILE = "suppressed.key"
_KEY_BYTES = 32
_HASH_BYTES = 16
_VERSION = 1
_MAX_TIME = 253_402_300_799_999
"""The last millisecond of the year 9999."""


class SuppressedUsers(Struct, frozen=True, kw_only=True):
    """The list as it is in use."""

    read_at: int = 0
    """When Segment was asked, ms since 1970 UTC; 0 for no list."""
    missing: tuple[str, ...] = ()
    """Routes that the token may not read, so that the list may lack users."""
    key: bytes = b""
    hashes: frozenset[bytes] = frozenset()

    def __repr__(self) -> str:
        return f"SuppressedUsers({len(self.hashes)} users, read_at={self.read_at})"

    def __len__(self) -> int:
        return len(self.hashes)

    def __contains__(self, user_id: object) -> bool:
        return isinstance(user_id, str) and bool(self.hashes) and _hash(self.key, user_id) in self.hashes

    @property
    def detail(self) -> str:
        """Why a delivery is withheld, in words."""
        return f"Segment suppresses this user (list of {format_iso(self.read_at)[:16]}Z)"

    def is_of(self, body: bytes) -> bool:
        """Whether the track call with this body is one of a suppressed user."""
        try:
            return bool(self.hashes) and bool(body) and _decode_call(body).user_id in self
        except msgspec.DecodeError:
            return False

    def positions(self, claim: Claim) -> tuple[int, ...]:
        """Positions of the claim's deliveries that are of suppressed users."""
        if not self.hashes:
            return ()
        try:
            calls = _decode_calls(b"[" + claim.payload + b"]")
        except msgspec.DecodeError:
            return ()  # Segment will say what is wrong with it
        return tuple(position for position, call in enumerate(calls) if call.user_id in self)


NOBODY_SUPPRESSED = SuppressedUsers()


class SuppressedUsersStore:
    """The two files of one installation, for one workspace."""

    def __init__(self, state_dir: Path, workspace: Workspace) -> None:
        self._list_file = state_dir / LIST_FILE
        self._key_file = state_dir / KEY_FILE
        self._workspace = workspace

    def version(self) -> tuple[int, int]:
        """Changes whenever another list is stored; zeros for none."""
        try:
            found = self._list_file.stat()
        except OSError:
            return 0, 0
        return found.st_mtime_ns, found.st_ino

    def load(self) -> SuppressedUsers:
        """The stored list. Without one that is of this workspace and whole, NOBODY_SUPPRESSED."""
        if self._workspace.token is None:
            return NOBODY_SUPPRESSED
        try:
            key = self._key_file.read_bytes()
            stored = msgspec.json.decode(self._list_file.read_bytes(), type=_StoredList)
        except (OSError, msgspec.DecodeError, ValueError):
            return NOBODY_SUPPRESSED
        if len(key) != _KEY_BYTES or not 0 <= stored.read_at <= _MAX_TIME:
            return NOBODY_SUPPRESSED
        if stored.version != _VERSION or stored.workspace != _fingerprint(key, self._workspace):
            return NOBODY_SUPPRESSED
        hashes = frozenset(
            stored.hashes[start : start + _HASH_BYTES] for start in range(0, len(stored.hashes), _HASH_BYTES)
        )
        return SuppressedUsers(read_at=stored.read_at, missing=stored.missing, key=key, hashes=hashes)

    def save(self, user_ids: Iterable[str], read_at: int, missing: tuple[str, ...] = ()) -> SuppressedUsers:
        """Store a list and return it. Raises ConfigError."""
        make_folder(self._list_file.parent)
        key = self._make_key()
        hashes = frozenset(_hash(key, user_id) for user_id in user_ids)
        stored = _StoredList(
            version=_VERSION,
            workspace=_fingerprint(key, self._workspace),
            read_at=read_at,
            missing=missing,
            # sorted, so that the order says nothing either
            hashes=b"".join(sorted(hashes)),
        )
        write_atomically(self._list_file, msgspec.json.encode(stored))
        return SuppressedUsers(read_at=read_at, missing=missing, key=key, hashes=hashes)

    def _make_key(self) -> bytes:
        """The key, made if there is none. A list with another key is not of this workspace any more."""
        try:
            key = self._key_file.read_bytes()
        except OSError:
            key = b""
        if len(key) != _KEY_BYTES:
            key = secrets.token_bytes(_KEY_BYTES)
            write_atomically(self._key_file, key)
        return key


class _StoredList(Struct, frozen=True, kw_only=True):
    version: int
    workspace: str
    read_at: int
    missing: tuple[str, ...] = ()
    hashes: bytes


class _Call(Struct, frozen=True, gc=False, rename="camel"):
    user_id: Any = None


_decode_call = msgspec.json.Decoder(_Call).decode
_decode_calls = msgspec.json.Decoder(list[_Call]).decode


def _hash(key: bytes, user_id: str) -> bytes:
    return hashlib.blake2b(user_id.encode("utf-8", "surrogatepass"), key=key, digest_size=_HASH_BYTES).digest()


def _fingerprint(key: bytes, workspace: Workspace) -> str:
    """Of address and token, since a token belongs to one workspace; of one that is kept elsewhere, its reference."""
    token = workspace.token.identity if workspace.token else ""
    return hashlib.blake2b(f"{workspace.base_url}\0{token}".encode(), key=key, digest_size=_HASH_BYTES).hexdigest()
