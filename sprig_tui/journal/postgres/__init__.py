"""Journal on PostgreSQL, for workers, receivers and consoles on several machines.

Importing this package raises ConfigError, which names the extra, where its driver is not installed.
"""

from __future__ import annotations

from sprig_tui.extras import POSTGRES, missing_extra_error

try:
    from sprig_tui.journal.postgres.journal import PostgresJournal
    from sprig_tui.journal.postgres.schema import migrate
except ModuleNotFoundError as error:
    if error.name != POSTGRES.package:
        raise
    raise missing_extra_error(POSTGRES) from None

__all__ = ["PostgresJournal", "migrate"]
