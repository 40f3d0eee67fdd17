"""Tracking plans of all environments, fetched again on request and stored for the check before sending."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from msgspec import Struct

from sprig_tui.clock import Clock
from sprig_tui.config.environment import Environment
from sprig_tui.config.paths import Paths
from sprig_tui.config.tracking_plans import StoredPlan, key_digest, save_plan
from sprig_tui.errors import SprigTuiError
from sprig_tui.explain.asking import Asking
from sprig_tui.explain.source_lines import fetch_plan
from sprig_tui.segment.public_api import PublicApiClient
from sprig_tui.segment.public_api_json import unclear
from sprig_tui.segment.public_api_models import Source, source_of_key
from sprig_tui.segment.tracking_plan import TRACK, TrackingPlan


class RefreshedPlan(Struct, frozen=True, kw_only=True):
    """Result for one environment."""

    environment: str
    source: str = ""
    """Name of the source; empty where the key belongs to none of the workspace."""
    plan: TrackingPlan | None = None
    """None where there is none, or it could not be had."""
    error: SprigTuiError | None = None

    @property
    def text(self) -> str:
        """The result in words. Not sanitized for a terminal."""
        if self.error is not None:
            return self.error.message
        if not self.source:
            return "its key belongs to no source of the workspace"
        if self.plan is None:
            return f"{self.source} has no tracking plan"
        planned = any(rule.type == TRACK for rule in self.plan.rules)
        return f"the tracking plan of {self.source} {'has' if planned else 'does not have'} {self.plan.event!r}"


async def refresh_plans(
    api: PublicApiClient, environments: Iterable[Environment], event: str, paths: Paths, clock: Clock
) -> AsyncIterator[RefreshedPlan]:
    """Fetch and store the plan of each environment with a key. Raises SegmentApiError if there are no sources."""
    asking = Asking()
    sources = await asking.ask(api.sources)
    for environment in environments:
        if environment.write_key is None:
            continue
        source = source_of_key(environment.write_key.reveal(), sources)
        if source is None:
            yield RefreshedPlan(environment=environment.name)
            continue
        try:
            plan = await _fetch(api, asking, source, event)
            stored = StoredPlan(
                plan=plan, source_id=source.id, key_digest=key_digest(environment.write_key), fetched_at=clock.now()
            )
            save_plan(paths, environment.name, stored)
        except SprigTuiError as error:
            yield RefreshedPlan(environment=environment.name, source=source.name, error=error)
        else:
            yield RefreshedPlan(environment=environment.name, source=source.name, plan=plan)


async def _fetch(api: PublicApiClient, asking: Asking, source: Source, event: str) -> TrackingPlan | None:
    details = await asking.ask(lambda: api.source_details(source.id))
    if details.tracking_plan_id is None:
        raise unclear("it does not say whether a tracking plan is connected")
    return await fetch_plan(api, asking, details, event) if details.tracking_plan_id else None
