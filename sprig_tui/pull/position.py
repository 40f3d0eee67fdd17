"""Pull position: how far pulls of an environment have come, as high-water marks and interrupted pulls.

It is kept in the journal that the answers went to, and written after a page is durably there: a kill repeats one page
at most, a new journal is filled from the beginning, and one that is restored from a backup goes on where it was then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from sprig_tui.config.atomically import make_folder
from sprig_tui.config.locking import file_lock
from sprig_tui.config.paths import Paths
from sprig_tui.errors import ConfigError
from sprig_tui.journal.contract import Journal
from sprig_tui.pull.request import Asked, Window

KIND = "pull"
"""Of the positions that the journal keeps."""
FOLDER = "pull"
VERSION = 1
MAX_UNFINISHED = 8
"""Interrupted pulls of other requests that are remembered; the oldest is forgotten first."""
STALE_MS = 7 * 86_400_000
"""Cursors are opaque, and nothing says how long they hold: an older one is not gone on with."""


class Unfinished(Struct, frozen=True, kw_only=True):
    """A pull that has not read its window to the end."""

    window: Window
    cursor: str = ""
    """Of the next page; empty before the first."""
    pages: int = 0
    records: int = 0
    newest: int = 0
    """Latest creation time among its records, epoch milliseconds; 0 for none."""
    edge: int = 0
    """Creation time of the last record on the last page, epoch milliseconds; 0 where it is not known."""
    started: int = 0
    """When its first page was asked for, epoch milliseconds."""
    at: int = 0
    """When it was last written, epoch milliseconds."""


class Place(Struct, frozen=True, kw_only=True):
    """How far pulls from one API address have come."""

    key: str = ""
    """Tells whether the API key is another than last time; the key cannot be found from it."""
    marks: dict[str, int] = {}
    """By survey id (empty for all surveys): everything created up to here was read, epoch milliseconds."""
    unfinished: dict[str, Unfinished] = {}
    """By `Asked.name`."""

    def mark(self, survey: int | None) -> int:
        """Up to when everything was read; 0 for never."""
        whole = self.marks.get("", 0)
        return whole if survey is None else max(whole, self.marks.get(str(survey), 0))

    def window(self, asked: Asked) -> Window:
        """What to read: as asked, or what is new."""
        since = asked.since
        if since is None and (mark := self.mark(asked.survey)):
            since = max(0, mark - asked.overlap_ms)
        return Window(
            since=since, until=asked.until, survey=asked.survey, snapshots=asked.snapshots, deleted=asked.deleted
        )

    def interrupted(self, asked: Asked, now_ms: int) -> Unfinished | None:
        """The same request, where it was interrupted."""
        found = self.unfinished.get(asked.name)
        if found is None or asked.restart or not found.cursor or now_ms - found.at > STALE_MS:
            return None
        return found

    def going_on(self, asked: Asked, unfinished: Unfinished) -> Place:
        """With the request as far as it came."""
        others = sorted(((n, u) for n, u in self.unfinished.items() if n != asked.name), key=lambda pair: pair[1].at)
        kept = dict(others[-(MAX_UNFINISHED - 1) :])
        return replace(self, unfinished={**kept, asked.name: unfinished})

    def finished(self, asked: Asked, done: Unfinished) -> Place:
        """With the request done.

        The mark moves when the window continues what was read before, or when it is the first: otherwise there would
        be a gap that no pull ever reads. It passes neither the window's end nor the pull's start, whatever a record
        says: in which order Sprig gives records is not documented, so that later ones may have been missed.
        """
        left = {name: one for name, one in self.unfinished.items() if name != asked.name}
        since, survey = done.window.since, done.window.survey
        before = self.mark(survey)
        reached = min(done.newest, done.started)
        if done.window.until is not None:
            reached = min(reached, done.window.until)
        if reached <= before or (before and since is not None and since > before):
            return replace(self, unfinished=left)
        return replace(self, unfinished=left, marks={**self.marks, "" if survey is None else str(survey): reached})


class _Kept(Struct, frozen=True, kw_only=True):
    """What stands in the journal."""

    version: int = VERSION
    place: Place = Place()


class _OlderFile(Struct, frozen=True, kw_only=True):
    """The file `pull/ENVIRONMENT.json` of the state folder, where positions stood before journals had an identity."""

    version: int = VERSION
    places: dict[str, Place] = {}
    """By API address and the journal's place."""


T = TypeVar("T", _Kept, _OlderFile)


def fingerprint(secret: str) -> str:
    """Sixteen hex digits that tell secrets apart, and from which they cannot be found."""
    return hashlib.blake2b(secret.encode(), digest_size=8, person=b"sprig-tui pull").hexdigest()


class PullPosition:
    """The position of one environment at one API address: what a look-alike gave says nothing about Sprig."""

    def __init__(self, paths: Paths, environment: str, api_url: str, journal: Journal | None, name: str = "") -> None:
        """`journal` is None where there is none yet; `name` is its place as the settings name it."""
        self.api_url = api_url
        self.paths = paths
        self._file = paths.state_dir / FOLDER / f"{environment}.json"
        self._environment = environment
        self._journal = journal
        self._key = f"{environment} {api_url}"
        # a journal's address may hold a password
        self._older_key = f"{api_url} {fingerprint(name)}"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other pulls of this environment out; raises ConfigError when one is at work on this machine."""
        make_folder(self._file.parent)
        busy = f"another pull for {self._environment} is at work"
        with file_lock(self._file, 0.0, busy_message=busy, hint="wait for it, or stop it; nothing was changed"):
            yield

    async def read(self) -> Place:
        """As far as pulls came. Raises ConfigError for what cannot be used: to start over is for a person."""
        if self._journal is None:
            return Place()
        kept = (await self._journal.positions(KIND)).get(self._key)
        if kept is not None:
            return _decoded(kept, _Kept, "the pull position in the journal", "use that version").place
        # a journal made since then was never pulled into without its position standing in it
        if (await self._journal.identity()).older:
            return _older(self._file).places.get(self._older_key, Place())
        return Place()

    async def write(self, place: Place) -> None:
        """Replace it, durably. Raises JournalError."""
        if self._journal is not None:
            await self._journal.save_positions(KIND, {self._key: msgspec.json.encode(_Kept(place=place))})


def _older(file: Path) -> _OlderFile:
    again = "remove it to pull from the beginning: what the journal still has is known by it, and not sent again"
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return _OlderFile()
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}", hint="check its owner and mode") from error
    return _decoded(data, _OlderFile, str(file), again)


def _decoded(data: bytes, kind: type[T], what: str, advice: str) -> T:
    try:
        found = msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{what} cannot be understood: {error}", hint=advice) from error
    if found.version > VERSION:
        raise ConfigError(f"{what} was written by a newer version of sprig-tui", hint=advice)
    return found
