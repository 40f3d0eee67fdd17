"""Tracking plan of a source: what it has for one event, and what it says of a track call. Pure.

A rule's JSON Schema describes the whole message, of which `properties` is a part. A rule of type COMMON holds for all
events. Whether a source blocks what breaks the plan, or only marks it, stands in the source's settings.
Facts: Segment's SDKs (TrackingPlansApi, SourcesApi).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from sprig_tui.segment.plan_schema import PlanSchema, SchemaProblem, Violation
from sprig_tui.segment.source_settings import SourceSettings, TrackingPlanRule

TRACK, COMMON = "TRACK", "COMMON"


class TrackingPlan(Struct, frozen=True, kw_only=True):
    """The part of a tracking plan that holds for one event, and the settings of the source that it is connected to."""

    plan_id: str
    event: str
    rules: tuple[TrackingPlanRule, ...] = ()
    """At most one of type TRACK, and those of type COMMON."""
    settings: SourceSettings = SourceSettings()


class PlanVerdict(Struct, frozen=True, kw_only=True):
    """What the plan says of one call."""

    planned: bool
    """Whether the plan has the event at all."""
    violations: tuple[Violation, ...] = ()
    blocked: bool | None = False
    """Whether the source drops the call because of this; None if its settings do not say."""
    problem: SchemaProblem | None = None
    """Why a schema could not be checked, or not to its end."""

    @property
    def breaks(self) -> bool:
        """Whether the plan objects to anything."""
        return not self.planned or bool(self.violations)


def plan_of_event(
    plan_id: str, event: str, rules: Iterable[TrackingPlanRule], settings: SourceSettings
) -> TrackingPlan:
    """The part of the plan for this event; of several versions of a rule the newest."""
    listed = list(rules)
    own = [rule for rule in listed if rule.type == TRACK and rule.key == event]
    newest = max(own, key=lambda rule: rule.version, default=None)
    common = [rule for rule in listed if rule.type == COMMON]
    return TrackingPlan(plan_id=plan_id, event=event, rules=(*([newest] if newest else []), *common), settings=settings)


class PlanChecker:
    """A plan whose schemas are compiled once, at the first check."""

    def __init__(self, plan: TrackingPlan) -> None:
        self.plan = plan
        self._schemas = [
            (rule.type, PlanSchema(rule.json_schema)) for rule in plan.rules if rule.json_schema is not None
        ]
        self._planned = any(rule.type == TRACK for rule in plan.rules)

    def check(self, call: Mapping[str, Any]) -> PlanVerdict:
        """The verdict on a decoded track call of the plan's event. Never raises."""
        settings = self.plan.settings
        violations: list[Violation] = []
        problem: SchemaProblem | None = None
        blocks: list[bool | None] = []
        for kind, schema in self._schemas:
            result = schema.check(call)
            problem = problem or result.problem
            if result.violations:
                violations += result.violations
                blocks.append(_blocks(kind, settings))
        if not self._planned:
            allowed = settings.allow_unplanned_events
            blocks.append(None if allowed is None else not allowed)
        return PlanVerdict(
            planned=self._planned,
            violations=tuple(dict.fromkeys(violations)),
            blocked=True if True in blocks else None if None in blocks else False,
            problem=problem,
        )


def _blocks(kind: str, settings: SourceSettings) -> bool | None:
    """Whether the source drops an event that breaks a rule of this type."""
    if kind == COMMON:
        chosen = settings.common_event_on_violations.upper()
        return chosen == "BLOCK" if chosen else None
    allowed = settings.allow_event_on_violations
    return None if allowed is None else not allowed
