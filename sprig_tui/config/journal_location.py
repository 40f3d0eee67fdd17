"""Journal location: the file or the address of a database that the config or a variable names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sprig_tui.config.credentials import credential_label, read_credential
from sprig_tui.config.paths import Paths
from sprig_tui.config.schema import JournalTable, convert_table
from sprig_tui.errors import ConfigError
from sprig_tui.journal.url import is_server_url, password_problem

JOURNAL_URL_VARIABLE = "SPRIG_TUI_JOURNAL_URL"
"""Variable that takes precedence over the config's [journal] table."""


def journal_location(file: str, tables: dict[str, Any], folder: Path, paths: Paths, environ: Mapping[str, str]) -> str:
    """File of the journal, or URL of a shared one; `folder` is that of the config. Raises ConfigError."""
    table = convert_table(file, ("journal",), tables.get("journal", {}), JournalTable)
    if table.path is not None and table.url is not None:
        raise ConfigError(f"{file}: journal has both a path and a url", hint="keep one of them")
    if given := environ.get(JOURNAL_URL_VARIABLE, "").strip():
        return _check_journal_url(given, JOURNAL_URL_VARIABLE)
    if credential := read_credential(JOURNAL_URL_VARIABLE, environ):
        return _check_journal_url(credential.strip(), credential_label(JOURNAL_URL_VARIABLE))
    if table.url is not None:
        return _check_journal_url(table.url.strip(), f"{file}: journal.url")
    if table.path is None:
        return str(paths.journal_file)
    if not table.path.strip() or "\0" in table.path:
        raise ConfigError(f"{file}: journal.path names no file", hint="leave it out for the usual place")
    if "://" in table.path:
        # not quoted: it may contain a password, which would be the name of a folder
        raise ConfigError(
            f"{file}: journal.path is a URL, and not a file", hint='call it url: url = "postgresql://..."'
        )
    try:
        return str(folder / Path(table.path).expanduser())
    except RuntimeError as error:
        raise ConfigError(f"{file}: journal.path: {error}", hint="write the whole path") from error


def _check_journal_url(text: str, label: str) -> str:
    if not is_server_url(text):
        # not quoted: it may contain a password
        raise ConfigError(
            f"{label} is no address of a PostgreSQL database",
            hint='write it as "postgresql://user@host:5432/database"; a file belongs in journal.path',
        )
    if fault := password_problem(text):
        raise ConfigError(f"{label} cannot be used: {fault}", hint="or keep the password in a file: see PGPASSFILE")
    return text
