"""Last report: the newest comparison of each environment, kept for the console, `status` and the metrics.

A file that is missing, damaged or of another version is treated as none. It holds counts and names, no secrets.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct, structs

from sprig_tui.config.paths import Paths
from sprig_tui.files import make_folder, write_atomically
from sprig_tui.reconcile.model import Report

LAST_REPORT_FILE = "reconcile.json"
LAST_REPORT_VERSION = 1
MAX_REPORT_BYTES = 64_000_000
"""A report of 500 environments over 30 days of hours is smaller."""


class _Stored(Struct, frozen=True):
    version: int
    config: str
    """The config file that it belongs to."""
    reports: tuple[Report, ...]
    """Newest first; an earlier one keeps only environments that no later one compared."""


def save(paths: Paths, report: Report) -> None:
    """Store the report, mode 0600, whole or not at all. Raises ConfigError."""
    kept, seen = [report], {found.environment for found in report.environments}
    for before in _load(paths):
        others = tuple(found for found in before.environments if found.environment not in seen)
        if others:
            kept.append(structs.replace(before, environments=others))
            seen.update(found.environment for found in others)
    make_folder(paths.state_dir)
    stored = _Stored(LAST_REPORT_VERSION, str(paths.config_file), tuple(kept))
    write_atomically(paths.state_dir / LAST_REPORT_FILE, msgspec.json.encode(stored))


def load(paths: Paths) -> Report | None:
    """The newest report; None if there is none that can be read."""
    return next(iter(_load(paths)), None)


def load_by_environment(paths: Paths) -> Mapping[str, Report]:
    """The newest report that compared each environment; its `asked_at` says when."""
    return {found.environment: report for report in reversed(_load(paths)) for found in report.environments}


def _load(paths: Paths) -> tuple[Report, ...]:
    try:
        with (paths.state_dir / LAST_REPORT_FILE).open("rb") as file:
            stored = msgspec.json.decode(file.read(MAX_REPORT_BYTES), type=_Stored)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()
    is_ours = stored.version == LAST_REPORT_VERSION and stored.config == str(paths.config_file)
    return stored.reports if is_ours else ()
