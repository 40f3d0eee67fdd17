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

from sprig_tui.config.paths import Paths
from sprig_tui.errors import ConfigError
from sprig_tui.files import file_lock, make_folder
from sprig_tui.journal.base import Journal
from sprig_tui.pull.request import PullRequest, TimeWindow

POSITION_KIND = "pull"
"""Of the positions that the journal keeps."""
LEGACY_FOLDER = "pull"
CHECKPOINT_VERSION = 1
MAX_RESUME_POINTS = 8
"""Interrupted pulls of other requests that are remembered; the oldest is forgotten first."""
MAX_CURSOR_AGE_MS = 7 * 86_400_000
"""Cursors are opaque, and nothing says how long they hold: an older one is not gone on with."""


class ResumePoint(Struct, frozen=True, kw_only=True):
    """A pull that has not read its window to the end."""

    window: TimeWindow
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


class Checkpoint(Struct, frozen=True, kw_only=True):
    """How far pulls from one API address have come."""

    key: str = ""
    """Tells whether the API key is another than last time; the key cannot be found from it."""
    marks: dict[str, int] = {}
    """By survey id (empty for all surveys): everything created up to here was read, epoch milliseconds."""
    unfinished: dict[str, ResumePoint] = {}
    """By `Asked.name`."""

    def high_water_mark(self, survey: int | None) -> int:
        """Up to when everything was read; 0 for never."""
        whole = self.marks.get("", 0)
        return whole if survey is None else max(whole, self.marks.get(str(survey), 0))

    def time_window(self, request: PullRequest) -> TimeWindow:
        """What to read: as asked, or what is new."""
        since = request.since
        if since is None and (mark := self.high_water_mark(request.survey)):
            since = max(0, mark - request.overlap_ms)
        return TimeWindow(
            since=since,
            until=request.until,
            survey=request.survey,
            snapshots=request.snapshots,
            deleted=request.deleted,
        )

    def find_resume_point(self, request: PullRequest, now_ms: int) -> ResumePoint | None:
        """The same request, where it was interrupted."""
        found = self.unfinished.get(request.name)
        if found is None or request.restart or not found.cursor or now_ms - found.at > MAX_CURSOR_AGE_MS:
            return None
        return found

    def with_resume_point(self, request: PullRequest, resume_point: ResumePoint) -> Checkpoint:
        """With the request as far as it came."""
        others = sorted(((n, u) for n, u in self.unfinished.items() if n != request.name), key=lambda pair: pair[1].at)
        kept = dict(others[-(MAX_RESUME_POINTS - 1) :])
        return replace(self, unfinished={**kept, request.name: resume_point})

    def with_finished(self, request: PullRequest, done: ResumePoint) -> Checkpoint:
        """With the request done.

        The mark moves when the window continues what was read before, or when it is the first: otherwise there would
        be a gap that no pull ever reads. It passes neither the window's end nor the pull's start, whatever a record
        says: in which order Sprig gives records is not documented, so that later ones may have been missed.
        """
        left = {name: one for name, one in self.unfinished.items() if name != request.name}
        since, survey = done.window.since, done.window.survey
        before = self.high_water_mark(survey)
        reached = min(done.newest, done.started)
        if done.window.until is not None:
            reached = min(reached, done.window.until)
        if reached <= before or (before and since is not None and since > before):
            return replace(self, unfinished=left)
        return replace(self, unfinished=left, marks={**self.marks, "" if survey is None else str(survey): reached})


class _StoredCheckpoint(Struct, frozen=True, kw_only=True):
    """What stands in the journal."""

    version: int = CHECKPOINT_VERSION
    place: Checkpoint = Checkpoint()


class _LegacyFile(Struct, frozen=True, kw_only=True):
    """The file `pull/ENVIRONMENT.json` of the state folder, where positions stood before journals had an identity."""

    version: int = CHECKPOINT_VERSION
    places: dict[str, Checkpoint] = {}
    """By API address and the journal's place."""


Stored = TypeVar("Stored", _StoredCheckpoint, _LegacyFile)


def fingerprint(secret: str) -> str:
    """Sixteen hex digits that tell secrets apart, and from which they cannot be found."""
    return hashlib.blake2b(secret.encode(), digest_size=8, person=b"sprig-tui pull").hexdigest()


class CheckpointStore:
    """The position of one environment at one API address: what a look-alike gave says nothing about Sprig."""

    def __init__(self, paths: Paths, environment: str, api_url: str, journal: Journal | None, name: str = "") -> None:
        """`journal` is None where there is none yet; `name` is its place as the settings name it."""
        self.api_url = api_url
        self.paths = paths
        self._file = paths.state_dir / LEGACY_FOLDER / f"{environment}.json"
        self._environment = environment
        self._journal = journal
        self._key = f"{environment} {api_url}"
        # a journal's address may hold a password
        self._legacy_key = f"{api_url} {fingerprint(name)}"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other pulls of this environment out; raises ConfigError when one is at work on this machine."""
        make_folder(self._file.parent)
        busy = f"another pull for {self._environment} is at work"
        with file_lock(self._file, 0.0, busy_message=busy, hint="wait for it, or stop it; nothing was changed"):
            yield

    async def read(self) -> Checkpoint:
        """As far as pulls came. Raises ConfigError for what cannot be used: to start over is for a person."""
        if self._journal is None:
            return Checkpoint()
        kept = (await self._journal.positions(POSITION_KIND)).get(self._key)
        if kept is not None:
            return _decode(kept, _StoredCheckpoint, "the pull position in the journal", "use that version").place
        # a journal made since then was never pulled into without its position standing in it
        if (await self._journal.identity()).older:
            return _read_legacy_file(self._file).places.get(self._legacy_key, Checkpoint())
        return Checkpoint()

    async def write(self, checkpoint: Checkpoint) -> None:
        """Replace it, durably. Raises JournalError."""
        if self._journal is not None:
            await self._journal.save_positions(
                POSITION_KIND, {self._key: msgspec.json.encode(_StoredCheckpoint(place=checkpoint))}
            )


def _read_legacy_file(file: Path) -> _LegacyFile:
    again = "remove it to pull from the beginning: what the journal still has is known by it, and not sent again"
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return _LegacyFile()
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}", hint="check its owner and mode") from error
    return _decode(data, _LegacyFile, str(file), again)


def _decode(data: bytes, kind: type[Stored], what: str, advice: str) -> Stored:
    try:
        found = msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{what} cannot be understood: {error}", hint=advice) from error
    if found.version > CHECKPOINT_VERSION:
        raise ConfigError(f"{what} was written by a newer version of sprig-tui", hint=advice)
    return found
