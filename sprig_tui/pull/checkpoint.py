"""Pull checkpoint of an environment: high-water marks, and resume points of interrupted pulls.

It is stored in the same journal as the answers, after each page is durable: a killed pull repeats at most one page, a
new journal is filled from the beginning, and a restored backup resumes from its own checkpoint.
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
"""Kind of these positions in the journal."""
LEGACY_FOLDER = "pull"
CHECKPOINT_VERSION = 1
MAX_RESUME_POINTS = 8
"""Interrupted pulls that are remembered, one per request; the oldest is forgotten first."""
MAX_CURSOR_AGE_MS = 7 * 86_400_000
"""Older cursors are not used: how long a cursor is valid is not documented."""


class ResumePoint(Struct, frozen=True, kw_only=True):
    """Progress of a pull that has not read its whole window."""

    window: TimeWindow
    cursor: str = ""
    """Of the next page; empty before the first."""
    pages: int = 0
    records: int = 0
    newest: int = 0
    """Latest creation time among its records, epoch milliseconds; 0 for none."""
    edge: int = 0
    """Creation time of the last record on the last page, epoch milliseconds; 0 if unknown."""
    started: int = 0
    """Time of the request for the first page, epoch milliseconds."""
    at: int = 0
    """Time of the last update, epoch milliseconds."""


class Checkpoint(Struct, frozen=True, kw_only=True):
    """Progress of all pulls from one API address."""

    key: str = ""
    """Fingerprint of the API key, to notice another key."""
    marks: dict[str, int] = {}
    """Creation time up to which everything was read, epoch milliseconds, by survey id (empty for all surveys)."""
    unfinished: dict[str, ResumePoint] = {}
    """By `PullRequest.name`."""

    def high_water_mark(self, survey: int | None) -> int:
        """Creation time up to which everything was read; 0 before the first pull."""
        whole = self.marks.get("", 0)
        return whole if survey is None else max(whole, self.marks.get(str(survey), 0))

    def time_window(self, request: PullRequest) -> TimeWindow:
        """The window of the request, by default from the high-water mark on."""
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
        """The resume point of the same request, if it was interrupted and its cursor may still be valid."""
        point = self.unfinished.get(request.name)
        if point is None or request.restart or not point.cursor or now_ms - point.at > MAX_CURSOR_AGE_MS:
            return None
        return point

    def with_resume_point(self, request: PullRequest, resume_point: ResumePoint) -> Checkpoint:
        """This checkpoint with a new resume point for the request."""
        others = [(name, point) for name, point in self.unfinished.items() if name != request.name]
        newest = sorted(others, key=lambda pair: pair[1].at)[-(MAX_RESUME_POINTS - 1) :]
        return replace(self, unfinished={**dict(newest), request.name: resume_point})

    def with_finished(self, request: PullRequest, done: ResumePoint) -> Checkpoint:
        """This checkpoint after the request is complete.

        The high-water mark moves only if the window begins at or before it, or is the first one; otherwise it would
        hide a gap that no pull reads. It never passes the window's end or the pull's start: Sprig does not document the
        order of records, so later ones may be missing.
        """
        others = {name: point for name, point in self.unfinished.items() if name != request.name}
        since, survey = done.window.since, done.window.survey
        before = self.high_water_mark(survey)
        reached = min(done.newest, done.started)
        if done.window.until is not None:
            reached = min(reached, done.window.until)
        if reached <= before or (before and since is not None and since > before):
            return replace(self, unfinished=others)
        return replace(self, unfinished=others, marks={**self.marks, "" if survey is None else str(survey): reached})


class _StoredCheckpoint(Struct, frozen=True, kw_only=True):
    """The JSON that is stored in the journal."""

    version: int = CHECKPOINT_VERSION
    place: Checkpoint = Checkpoint()


class _LegacyFile(Struct, frozen=True, kw_only=True):
    """The JSON of `pull/ENVIRONMENT.json` in the state folder, which older versions wrote."""

    version: int = CHECKPOINT_VERSION
    places: dict[str, Checkpoint] = {}
    """By API address and the journal's address."""


Stored = TypeVar("Stored", _StoredCheckpoint, _LegacyFile)


def fingerprint(secret: str) -> str:
    """Sixteen hex digits that identify a secret without revealing it."""
    return hashlib.blake2b(secret.encode(), digest_size=8, person=b"sprig-tui pull").hexdigest()


class CheckpointStore:
    """Checkpoint of one environment at one API address; a fake Sprig API has its own."""

    def __init__(self, paths: Paths, environment: str, api_url: str, journal: Journal | None, name: str = "") -> None:
        """`journal` is None if none exists yet; `name` is its path or URL in the settings."""
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
        """Exclude other pulls of this environment; raises ConfigError if one is running on this machine."""
        make_folder(self._file.parent)
        busy = f"another pull for {self._environment} is running"
        with file_lock(self._file, 0.0, busy_message=busy, hint="wait for it, or stop it; nothing was changed"):
            yield

    async def read(self) -> Checkpoint:
        """The stored checkpoint. Raises ConfigError for an invalid one: only a person may decide to start over."""
        if self._journal is None:
            return Checkpoint()
        stored = (await self._journal.positions(POSITION_KIND)).get(self._key)
        if stored is not None:
            return _decode(stored, _StoredCheckpoint, "the pull position in the journal", "use that version").place
        # only journals of an older version can have a checkpoint in the legacy file
        if (await self._journal.identity()).older:
            return _read_legacy_file(self._file).places.get(self._legacy_key, Checkpoint())
        return Checkpoint()

    async def write(self, checkpoint: Checkpoint) -> None:
        """Store the checkpoint durably; raises JournalError."""
        if self._journal is not None:
            await self._journal.save_positions(
                POSITION_KIND, {self._key: msgspec.json.encode(_StoredCheckpoint(place=checkpoint))}
            )


def _read_legacy_file(file: Path) -> _LegacyFile:
    hint = "remove it to pull from the beginning; answers that are already in the journal are not sent again"
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return _LegacyFile()
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}", hint="check its owner and mode") from error
    return _decode(data, _LegacyFile, str(file), hint)


def _decode(data: bytes, kind: type[Stored], what: str, hint: str) -> Stored:
    try:
        stored = msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{what} cannot be read: {error}", hint=hint) from error
    if stored.version > CHECKPOINT_VERSION:
        raise ConfigError(f"{what} was written by a newer version of sprig-tui", hint=hint)
    return stored
