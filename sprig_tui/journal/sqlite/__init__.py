"""Journal in one SQLite file: the default, for one machine."""

from __future__ import annotations

from sprig_tui.journal.sqlite.journal import SQLiteJournal

__all__ = ["SQLiteJournal"]
