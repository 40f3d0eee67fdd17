"""Environment of child processes: editors, clipboard tools and readers get ours without the secrets in it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from sprig_tui.config.keysource import SECRET_KINDS, named_variables

DATABASE_VARIABLES = ("SPRIG_TUI_JOURNAL_URL", "PGPASSWORD")
"""Variables that may hold a password of the database."""


def child_environ(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """A copy without what holds a key, token or password: by our prefixes, and by the names that the config gives."""
    prefixes = tuple(kind.prefix for kind in SECRET_KINDS)
    hidden = named_variables()
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(prefixes) and name not in DATABASE_VARIABLES and name not in hidden
    }
