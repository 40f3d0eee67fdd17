"""Journal in one SQLite file: the default, for one machine."""

from __future__ import annotations

from sprig_tui.journal.sqlite.journal import SQLiteJournal
from sprig_tui.journal.sqlite.verify import check_file

__all__ = ["SQLiteJournal", "check_file"]
