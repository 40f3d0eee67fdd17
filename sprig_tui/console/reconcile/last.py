"""Last comparisons with Segment's counts, as the state folder has them; read again when its file changes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date

from sprig_tui.config.paths import Paths
from sprig_tui.console.environments.status import Level
from sprig_tui.console.reconcile.words import SIGNS, last_verdict
from sprig_tui.formatting import local_time
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
        self._texts: dict[str, tuple[str, Level]] = {}
        self._texts_of: date | None = None
        """The day of `_texts`; they are made once a day, and asked for ten times a second."""

    def is_outdated(self) -> bool:
        """Whether the file is another one than what was read."""
        return self._file_stamp() != self._stamp

    def read(self) -> None:
        """Read the file; a missing or damaged one holds no comparison."""
        self._stamp = self._file_stamp()
        self._reports = load_by_environment(self._paths)
        self._texts_of = None

    def text_of(self, environment: str, now: int) -> tuple[str, Level]:
        """What it said of an environment, with its sign, and how to show it."""
        report = self._reports.get(environment)
        if report is None:
            return "Segment's counts: not compared", "muted"
        today = local_time(now).date()
        if self._texts_of != today:  # times of other days are dated
            self._texts, self._texts_of = {}, today
        if environment not in self._texts:
            text, verdict = last_verdict(report, environment, now)
            self._texts[environment] = f"{SIGNS[verdict]} {text}", _LEVELS[verdict]
        return self._texts[environment]

    def _file_stamp(self) -> tuple[int, int]:
        try:
            status = os.stat(self._paths.state_dir / LAST_REPORT_FILE)  # noqa: PTH116 - each second, and twice as fast
        except OSError:
            return 0, 0
        return status.st_mtime_ns, status.st_ino
