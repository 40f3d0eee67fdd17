"""Check by stored tracking plans before sending: of one call for `preview`, summed up for a dry run."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from sprig_tui.cli import diagnostics
from sprig_tui.clock import SystemClock
from sprig_tui.errors import ConfigError
from sprig_tui.formatting import iso_time, time_ago

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.config.tracking_plans import PlanFinding, PlanLints

SHOWN_FIELDS = 5
"""Fields that a dry run names."""
MAX_COUNTED_FIELDS = 1_000
"""Fields that are counted apart; a hostile plan may have a name for each record."""
OLD_PLAN_MS = 24 * 3_600_000
"""Age from which it is said how a newer plan is fetched."""


def open_plan_lints(settings: Settings) -> PlanLints | None:
    """The stored plans; None without a token or a plan. A file that cannot be used is a warning."""
    if settings.workspace.token is None:
        return None
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.tracking_plans import load_plan_lints

    try:
        return load_plan_lints(settings, find_paths()) or None
    except ConfigError as error:
        diagnostics.warning(f"calls are not checked by the tracking plan: {error.message}", error.hint)
        return None


def finding_text(finding: PlanFinding) -> str:
    """Such as `tracking plan fetched 3 h ago: 2 fields break it, the source would drop the call`."""
    found = finding.verdict
    number = len(found.violations)
    what = f"{number} field{'' if number == 1 else 's'} break{'s' if number == 1 else ''} it, " if number else ""
    if not found.planned:
        what = "it does not have this event, "
    return f"{_age_text(finding.fetched_at)}: {what}{finding.outcome}"


def _age_text(fetched_at: int) -> str:
    now = SystemClock().now()
    old = " (sprig-tui explain --refresh-plan fetches it again)" if now - fetched_at > OLD_PLAN_MS else ""
    return f"tracking plan fetched {time_ago(fetched_at, now)}{old}"


def finding_json(finding: PlanFinding | None) -> dict[str, Any] | None:
    """The finding for programs."""
    if finding is None:
        return None
    return {
        "fetched_at": iso_time(finding.fetched_at),
        "planned": finding.verdict.planned,
        "blocked": finding.verdict.blocked,
        "violations": [
            {"path": found.path, "message": found.message, "keyword": found.keyword}
            for found in finding.verdict.violations
        ],
        "problem": finding.verdict.problem.value if finding.verdict.problem else None,
    }


def plan_tally(settings: Settings) -> PlanTally | None:
    """A tally by the stored plans; None without a token or a plan."""
    plans = open_plan_lints(settings)
    return PlanTally(plans) if plans is not None else None


class PlanTally:
    """Calls of a dry run that break the stored plan of their environment."""

    def __init__(self, plans: PlanLints) -> None:
        self._plans = plans
        self._checked = self._broken = self._dropped = self._unchecked = 0
        self._fields: Counter[str] = Counter()
        self._fetched_at = 0
        """The oldest of the plans that were used."""

    def add(self, environment: str, body: bytes) -> None:
        """Check one call that would be sent."""
        finding = self._plans.check(environment, body)
        if finding is None:
            return
        verdict = finding.verdict
        self._checked += 1
        self._broken += verdict.breaks
        self._dropped += verdict.breaks and bool(verdict.blocked)
        self._unchecked += verdict.problem is not None and not verdict.breaks
        self._fetched_at = min(self._fetched_at or finding.fetched_at, finding.fetched_at)
        named = [(found.path or "the call", found.message) for found in verdict.violations]
        if not verdict.planned:
            named.append(("event", "the plan does not have it"))
        for path, message in named:
            text = f"{path}: {message}"
            if text in self._fields or len(self._fields) < MAX_COUNTED_FIELDS:
                self._fields[text] += 1

    def report(self) -> None:
        """Say what breaks the plan, on stderr; nothing where no call was checked."""
        if not self._checked:
            return
        age = _age_text(self._fetched_at)
        if self._unchecked:
            number = f"{self._unchecked:,} of {self._checked:,}"
            diagnostics.warning(f"{age}: {number} could not be checked; its schema is beyond what is checked here")
        if not self._broken:
            if not self._unchecked:
                diagnostics.info(f"{age}: all {self._checked:,} fit it")
            return
        dropped = f", and the source would drop {self._dropped:,}" if self._dropped else ""
        diagnostics.warning(f"{age}: {self._broken:,} of {self._checked:,} break it{dropped}")
        for text, count in self._fields.most_common(SHOWN_FIELDS):
            diagnostics.info(f"  {text}  ({count:,})")
        if len(self._fields) > SHOWN_FIELDS:
            diagnostics.info(f"  and {len(self._fields) - SHOWN_FIELDS:,} more")

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "fetched_at": iso_time(self._fetched_at),
            "checked": self._checked,
            "broken": self._broken,
            "would_be_dropped": self._dropped,
            "not_checked": self._unchecked,
            "violations": dict(self._fields.most_common()),
        }
