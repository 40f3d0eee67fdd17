"""Journal on PostgreSQL, for workers, receivers and consoles on several machines."""

from __future__ import annotations

from sprig_tui.journal.postgres.journal import PostgresJournal
from sprig_tui.journal.postgres.schema import migrate

__all__ = ["PostgresJournal", "migrate"]
