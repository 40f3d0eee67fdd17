"""How far pulls of an environment have come: high-water marks and interrupted pulls, in one file of the state folder.

`pull/ENVIRONMENT.json`, replaced whole after a page is durably in the journal: a kill repeats one page at most.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from sprig_tui.config.atomically import make_folder, write_atomically
from sprig_tui.config.locking import locked
from sprig_tui.config.paths import Paths
from sprig_tui.errors import ConfigError
from sprig_tui.pull.request import Asked, Window

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


class Position(Struct, frozen=True, kw_only=True):
    """The file's content."""

    version: int = VERSION
    places: dict[str, Place] = {}
    """By API address and journal: what a look-alike gave says nothing about Sprig, and another journal lacks it."""


def fingerprint(secret: str) -> str:
    """Sixteen hex digits that tell secrets apart, and from which they cannot be found."""
    return hashlib.blake2b(secret.encode(), digest_size=8, person=b"sprig-tui pull").hexdigest()


class PositionFile:
    """The position of one environment at one API address, for one journal, on disk."""

    def __init__(self, paths: Paths, environment: str, api_url: str, journal: str) -> None:
        """`journal` is its place as the settings name it."""
        self.file = paths.state_dir / FOLDER / f"{environment}.json"
        self.api_url = api_url
        self.paths = paths
        self._environment = environment
        # a journal's address may hold a password
        self._place = f"{api_url} {fingerprint(journal)}"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other pulls of this environment out; raises ConfigError when one is at work."""
        make_folder(self.file.parent)
        busy = f"another pull for {self._environment} is at work"
        with locked(self.file, 0.0, busy=busy, hint="wait for it, or stop it; nothing was changed"):
            yield

    def read(self) -> Place:
        """As far as pulls came. Raises ConfigError for a file that cannot be used: to start over is for a person."""
        return _read(self.file).places.get(self._place, Place())

    def write(self, place: Place) -> None:
        """Replace it, whole or not at all. Raises ConfigError."""
        position = _read(self.file)
        position = replace(position, places={**position.places, self._place: place})
        make_folder(self.file.parent)
        write_atomically(self.file, msgspec.json.format(msgspec.json.encode(position), indent=1))


def _read(file: Path) -> Position:
    again = "remove it to pull from the beginning: what the journal still has is known by it, and not sent again"
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return Position()
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}", hint="check its owner and mode") from error
    try:
        found = msgspec.json.decode(data, type=Position)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be understood: {error}", hint=again) from error
    if found.version > VERSION:
        raise ConfigError(f"{file} was written by a newer version of sprig-tui", hint=f"use that version, or {again}")
    return found
