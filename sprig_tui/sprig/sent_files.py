"""Sent files: what was read before, by content, so that a restart sends nothing twice."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from sprig_tui.errors import InputError

POSITION_KIND = "sent-file"
"""Of the positions that the journal keeps."""
MIN_REMEMBERED = 200_000
"""Contents remembered, at least; a forgotten one is read again, and its message ids make that harmless."""
_CHUNK_BYTES = 1_048_576
_DIGEST_LINE = re.compile(rb"([0-9a-f]{32})(?: .*)?")


class PositionStore(Protocol):
    """The journal, as far as it keeps how inputs were read."""

    async def positions(self, kind: str) -> dict[str, bytes]:
        """All of a kind, by key."""
        ...

    async def save_positions(self, kind: str, updates: Mapping[str, bytes], *, removed: Sequence[str] = ()) -> None:
        """Replace or add, and remove."""


class SentFiles:
    """Digests of file contents in the journal that they went to; each is durable before `remember` returns.

    A new journal knows none, and one that is restored from a backup those that it had then. `scope` parts contents that
    are told apart for other reasons than their bytes, such as the environment that was declared for them.
    """

    def __init__(self, journal: PositionStore, scope: Iterable[str]) -> None:
        self._journal = journal
        self._scope = "\0".join(scope).encode(errors="surrogateescape")
        self._digests: set[str] = set()

    async def load(self, older: Path | None = None) -> None:
        """Read what the journal knows, cut to the latest where that is too much; raises JournalError.

        `older` is the file of the state folder that such digests stood in before they stood in the journal. Raises
        InputError where it cannot be read.
        """
        kept = await self._journal.positions(POSITION_KIND)
        if len(kept) > 2 * MIN_REMEMBERED:
            # each begins with its time
            oldest = sorted(kept, key=lambda digest: kept[digest])[:-MIN_REMEMBERED]
            await self._journal.save_positions(POSITION_KIND, {}, removed=oldest)
            for digest in oldest:
                del kept[digest]
        self._digests = {*kept, *(_read_digests(older) if older is not None else ())}

    def digest_of(self, path: str) -> str:
        """The content's digest, as hex; raises OSError. Takes as long as reading the file."""
        state = hashlib.blake2b(hashlib.blake2b(self._scope, digest_size=16).digest(), digest_size=16)
        with Path(path).open("rb", buffering=0) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                state.update(chunk)
        return state.hexdigest()

    def knows(self, digest: str) -> bool:
        """Whether this content was read before."""
        return digest in self._digests

    async def remember(self, digest: str, name: str) -> None:
        """Know it from now on, over restarts too; raises JournalError, and then it is known until this run ends."""
        if digest in self._digests:
            return
        self._digests.add(digest)
        moment = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")
        await self._journal.save_positions(POSITION_KIND, {digest: f"{moment} {json.dumps(name)}".encode()})


def _read_digests(file: Path) -> set[str]:
    """Digests at the beginning of lines; one that a crash tore is passed over."""
    try:
        lines = file.read_bytes().splitlines()
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise InputError(
            f"cannot read {file}: {error.strerror}", hint="check its owner and mode, or remove it"
        ) from error
    return {match.group(1).decode() for line in lines if (match := _DIGEST_LINE.fullmatch(line))}
