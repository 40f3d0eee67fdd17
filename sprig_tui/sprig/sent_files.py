"""Sent files of a watched folder, remembered by content, so that a restart does not send them again."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from sprig_tui.errors import InputError
from sprig_tui.files import open_input

POSITION_KIND = "sent-file"
"""Kind of these positions in the journal."""
MIN_REMEMBERED = 200_000
"""Contents remembered at least. A forgotten file is read again, which its message ids make harmless."""
_CHUNK_BYTES = 1_048_576
_DIGEST_LINE = re.compile(rb"([0-9a-f]{32})(?: .*)?")


class PositionStore(Protocol):
    """The part of the journal that stores positions of inputs."""

    async def positions(self, kind: str) -> dict[str, bytes]:
        """All positions of a kind, by key."""
        ...

    async def save_positions(self, kind: str, updates: Mapping[str, bytes], *, removed: Sequence[str] = ()) -> None:
        """Add or replace positions, and remove some."""


class SentFiles:
    """Digests of file contents, stored in the journal that the files were sent to.

    The digests are part of a journal's backup. `scope` separates files by more than their content, such as by the
    environment that was given for them.
    """

    def __init__(self, journal: PositionStore, scope: Iterable[str]) -> None:
        self._journal = journal
        self._scope = "\0".join(scope).encode(errors="surrogateescape")
        self._digests: set[str] = set()

    async def load(self, older: Path | None = None) -> None:
        """Read the digests in the journal, and prune the oldest if there are too many; raises JournalError.

        `older` is the file in the state folder that held the digests before the journal did. Raises InputError if it
        cannot be read.
        """
        stored = await self._journal.positions(POSITION_KIND)
        if len(stored) > 2 * MIN_REMEMBERED:
            # each value begins with its time
            oldest = sorted(stored, key=lambda digest: stored[digest])[:-MIN_REMEMBERED]
            await self._journal.save_positions(POSITION_KIND, {}, removed=oldest)
            for digest in oldest:
                del stored[digest]
        self._digests = {*stored, *(_read_digests(older) if older is not None else ())}

    def digest_of(self, path: str) -> str:
        """Hex digest of the file's content; raises OSError. Reads the whole file."""
        state = hashlib.blake2b(hashlib.blake2b(self._scope, digest_size=16).digest(), digest_size=16)
        with open_input(path) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                state.update(chunk)
        return state.hexdigest()

    def knows(self, digest: str) -> bool:
        """Whether a file with this content was sent."""
        return digest in self._digests

    async def remember(self, digest: str, name: str) -> None:
        """Store the digest durably. Raises JournalError; the digest is then known only until this run ends."""
        if digest in self._digests:
            return
        self._digests.add(digest)
        moment = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
        await self._journal.save_positions(POSITION_KIND, {digest: f"{moment} {json.dumps(name)}".encode()})


def _read_digests(file: Path) -> set[str]:
    """Digests at the beginning of lines; a line cut off by a crash is skipped."""
    try:
        lines = file.read_bytes().splitlines()
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise InputError(
            f"cannot read {file}: {error.strerror}", hint="check its owner and mode, or remove it"
        ) from error
    return {match.group(1).decode() for line in lines if (match := _DIGEST_LINE.fullmatch(line))}
