"""Labels of statistics: names of surveys and failures for people, the same in `stats` and in the console."""

from __future__ import annotations

from sprig_tui.journal.statistics import NO_STATUS, SurveyCounts
from sprig_tui.text import one_line

UNKNOWN = "(unknown)"
"""Of an environment, a reason or an endpoint without a name."""


def survey_label(survey: SurveyCounts, *, limit: int = 0) -> str:
    """The name of a survey on one line, its id where it has no name; `limit` in characters, 0 for none."""
    if survey.is_other:
        return "other surveys"
    return one_line(survey.name or survey.id, limit=limit) or "(no survey)"


def failure_label(status: int) -> str:
    """Failures with an HTTP status, or without one."""
    return "no response" if status == NO_STATUS else f"HTTP {status}"
