"""The journal on PostgreSQL: for any number of workers, receivers and consoles on any number of machines."""

from __future__ import annotations

from sprig_tui.journal.postgres.journal import PostgresJournal
from sprig_tui.journal.postgres.schema import migrate

__all__ = ["PostgresJournal", "migrate"]
