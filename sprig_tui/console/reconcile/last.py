"""Last comparisons with Segment's counts, as the state folder has them; read again when its file changes."""

from __future__ import annotations

import os
from collections.abc import Mapping

from sprig_tui.config.paths import Paths
from sprig_tui.console.environments.status import Level
from sprig_tui.console.reconcile.words import SIGNS, last_verdict
from sprig_tui.reconcile.last_report import LAST_REPORT_FILE, load_by_environment
from sprig_tui.reconcile.model import Report, Verdict

_LEVELS: dict[Verdict, Level] = {
    Verdict.AGREES: "good",
    Verdict.SHORT: "bad",
    Verdict.MORE: "",
    Verdict.TOO_YOUNG: "muted",
    Verdict.CANNOT_ASK: "muted",
}
_UNREAD = (-1, -1)


class LastComparisons:
    """The newest comparison of each environment, made by any process of this installation."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._stamp = _UNREAD
        self._reports: Mapping[str, Report] = {}

    def is_outdated(self) -> bool:
        """Whether the file is another one than what was read."""
        return self._file_stamp() != self._stamp

    def read(self) -> None:
        """Read the file; a missing or damaged one holds no comparison."""
        self._stamp = self._file_stamp()
        self._reports = load_by_environment(self._paths)

    def report_of(self, environment: str) -> Report | None:
        """The newest comparison that includes an environment."""
        return self._reports.get(environment)

    def text_of(self, environment: str, now: int) -> tuple[str, Level]:
        """What it said of an environment, with its sign, and how to show it."""
        report = self._reports.get(environment)
        if report is None:
            return "Segment's counts: not compared", "muted"
        text, verdict = last_verdict(report, environment, now)
        return f"{SIGNS[verdict]} {text}", _LEVELS[verdict]

    def _file_stamp(self) -> tuple[int, int]:
        try:
            status = os.stat(self._paths.state_dir / LAST_REPORT_FILE)  # noqa: PTH116 - each second, and twice as fast
        except OSError:
            return 0, 0
        return status.st_mtime_ns, status.st_ino
