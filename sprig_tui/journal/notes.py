"""Journal notes: when the journal was last backed up, and when the metrics of a process on it were last read.

They stand beside the read positions, so that every process and machine on the journal sees them. A note of another
version, or one that cannot be read, counts as none.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import Struct

from sprig_tui.journal.base import Journal

NOTE_KIND = "note"
"""Kind of the positions that are notes."""
_BACKUP_KEY, _METRICS_KEY = "backup", "metrics"


class BackupNote(Struct, frozen=True, kw_only=True):
    """The last `journal backup`."""

    at: int
    """ms since 1970 UTC, by the journal's clock; as of the other note."""
    file: str
    host: str = ""


class MetricsNote(Struct, frozen=True, kw_only=True):
    """A recent read of `/metrics`."""

    at: int
    reader: str = ""
    """What the reader calls itself, such as `Prometheus/2.53.1`; text from outside."""
    host: str = ""
    """Of the process that was read."""


class Notes(Struct, frozen=True, kw_only=True):
    """All notes; None where there is none."""

    backup: BackupNote | None = None
    metrics: MetricsNote | None = None


Note = TypeVar("Note", BackupNote, MetricsNote)


async def load_notes(journal: Journal) -> Notes:
    """The notes of a journal. Raises JournalError."""
    stored = await journal.positions(NOTE_KIND)
    return Notes(
        backup=_decode(stored.get(_BACKUP_KEY), BackupNote), metrics=_decode(stored.get(_METRICS_KEY), MetricsNote)
    )


async def save_note(journal: Journal, note: BackupNote | MetricsNote) -> None:
    """Store a note durably, in place of the last one of its kind. Raises JournalError."""
    key = _BACKUP_KEY if isinstance(note, BackupNote) else _METRICS_KEY
    await journal.save_positions(NOTE_KIND, {key: msgspec.json.encode(note)})


def _decode(stored: bytes | None, kind: type[Note]) -> Note | None:
    try:
        return msgspec.json.decode(stored, type=kind) if stored is not None else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
