"""Workspace service: a workspace, the counts of what came in, and the API that shows them."""

from __future__ import annotations

from collections.abc import Sequence

from sprig_tui.clock import Clock
from sprig_tui.segment.sink.store import EventStore
from sprig_tui.segment.sink.workspace.api import PublicApi
from sprig_tui.segment.sink.workspace.counts import Counts, Series
from sprig_tui.segment.sink.workspace.fault_rules import FaultRules, WorkspaceFault, change_workspace
from sprig_tui.segment.sink.workspace.model import Workspace
from sprig_tui.segment.sink.workspace.pipeline import DEFAULT_DELAY_S, Pipeline
from sprig_tui.segment.sink.workspace.points import DEFAULT_POINTS_PER_MINUTE
from sprig_tui.segment.sink.workspace.setup_faults import SetupFaults


class WorkspaceService:
    """What a sink with a workspace has besides its tracking endpoint.

    Counts are seen `delay_s` seconds after an event came. Raises ConfigError for a fault rule that cannot be used.
    """

    def __init__(
        self,
        workspace: Workspace,
        *,
        store: EventStore,
        clock: Clock,
        faults: Sequence[str | WorkspaceFault] = (),
        delay_s: float = DEFAULT_DELAY_S,
        points_per_minute: int = DEFAULT_POINTS_PER_MINUTE,
    ) -> None:
        self.workspace = workspace
        self.counts = Counts()
        self.pipeline = Pipeline(workspace, self.counts, FaultRules(), delay_s=delay_s)
        self.api = PublicApi(workspace, self.counts, store, clock.now, points_per_minute=points_per_minute)
        self.set_faults(faults)

    def set_faults(self, faults: Sequence[str | WorkspaceFault]) -> None:
        """Replace the rules; events are numbered from 1 again, and what a rule changed in the workspace stays."""
        rules = FaultRules(faults)
        change_workspace(self.workspace, rules.rules)
        self.pipeline.faults = rules
        self.api.faults = SetupFaults(rules.rules)

    def add_counts(
        self,
        step: str,
        source_id: str,
        at: int,
        count: int = 1,
        *,
        event: str,
        destination_id: str = "",
        reason: str = "",
    ) -> None:
        """Add counts of the past that are seen at once; `at` in ms since 1970 UTC."""
        series = Series(step, source_id, destination_id, eventName=event, discardReason=reason)
        self.counts.add(series, at, count)
