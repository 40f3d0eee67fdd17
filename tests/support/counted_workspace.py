"""Look-alike of a Segment workspace whose counts are made up: what happened when, without sending it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sprig_tui.clock import Clock
from sprig_tui.segment.sink.messages import SinkReply, SinkRequest
from support.workspace_lookalike import WorkspaceLookalike, answers

HOUR = 3_600_000
OUR_EVENT = "SDK - Submitted - Survey Response"


class Happened(NamedTuple):
    """So many events of one step at one time, ms since 1970."""

    step: str
    source: str
    at: int
    count: int
    destination: str = ""
    reason: str = ""
    event: str = OUR_EVENT


class CountedWorkspace(WorkspaceLookalike):
    """`refusals` maps a part of a request's path and query to the status that it gets."""

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        self.refusals: dict[str, int] = {}
        api = self.service.api
        handle = api.handle

        def handle_unless_refused(request: SinkRequest) -> SinkReply:
            status = next((status for part, status in self.refusals.items() if part in request.target), 0)
            if not status:
                return handle(request)
            api.asked.append(request)
            return answers(status, {"errors": [{"type": "invented", "message": "Not for you."}]})

        api.handle = handle_unless_refused  # type: ignore[method-assign]

    def happen(self, events: Iterable[Happened]) -> None:
        """Add these counts."""
        for one in events:
            self.add_counts(
                one.step,
                one.source,
                one.at,
                one.count,
                event=one.event,
                destination_id=one.destination,
                reason=one.reason,
            )
