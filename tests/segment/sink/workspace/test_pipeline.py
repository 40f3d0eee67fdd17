"""Balance of the counts: what a source received is filtered there, or accounted for at each of its destinations."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from support.clocks import NOW_MS, ManualClock
from support.workspace_lookalike import PRODUCTION_KEY, acme

from sprig_tui.segment.sink.store import EventStore
from sprig_tui.segment.sink.workspace import WorkspaceService
from sprig_tui.segment.sink.workspace.counts import (
    DELIVERED,
    FAILED_DELIVERY,
    FILTERED_AT_DESTINATION,
    FILTERED_AT_SOURCE,
    RECEIVED,
)

RULES = st.sampled_from(
    [
        "lost=2", "lost@3-5", "late=5", "repeats", "failed", "failed=401@2-@destination:Amplitude", "retried=3@every:2",
        "suppressed=acct_1", "unplanned", "violating", "filtered", "filtered=properties.a > 1", "unmapped",
        "disabled@destination:Amplitude",
    ]
)  # fmt: skip
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "messageId": st.integers(1, 9).map(str),
            "userId": st.sampled_from(["acct_1", "acct_2"]),
            "event": st.sampled_from(["SDK - Submitted - Survey Response", "Order Completed"]),
            "properties": st.fixed_dictionaries({"a": st.integers(0, 3)}),
            "integrations": st.sampled_from([{}, {"All": False}, {"Amplitude": False}]),
        }
    ),
    max_size=15,
)


@settings(max_examples=60)
@given(st.lists(RULES, max_size=3), EVENTS)
def test_nothing_is_counted_twice_or_left_out(rules: list[str], events: list[dict[str, Any]]) -> None:
    workspace = acme()
    service = WorkspaceService(
        workspace, store=EventStore(keep=0, remember=None), clock=ManualClock(), faults=rules, delay_s=0
    )
    pipeline = service.pipeline
    known: set[str] = set()
    taken = repeated = 0
    for event in events:
        call = {"type": "track", **event}
        if pipeline.loss_reason(PRODUCTION_KEY, call):
            continue
        repeat = event["messageId"] in known
        known.add(event["messageId"])
        taken += not repeat
        repeated += repeat
        pipeline.on_received(PRODUCTION_KEY, call, NOW_MS, repeat=repeat)

    def total(step: str, destination: str = "") -> int:
        found = service.counts.read(
            lambda one: one.step == step and one.destination_id == destination, 0, 2 * NOW_MS, NOW_MS + 60_000
        )
        return sum(count for _, minutes in found for _, count in minutes)

    assert total(RECEIVED) == taken + (repeated if "repeats" in rules else 0)
    passed = taken - total(FILTERED_AT_SOURCE)
    for destination in workspace.destinations:
        seen = sum(total(step, destination["id"]) for step in (FILTERED_AT_DESTINATION, FAILED_DELIVERY, DELIVERED))
        assert seen == (passed if destination["enabled"] else 0)
