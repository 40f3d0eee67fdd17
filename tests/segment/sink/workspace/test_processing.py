"""What becomes of an event behind its 200: faults, plans, filters and mappings show in the counts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.clocks import ManualClock
from support.workspace_lookalike import DEVELOPMENT_KEY, WorkspaceLookalike

from sprig_tui.errors import ConfigError

SURVEY = "SDK - Submitted - Survey Response"
Send = Callable[..., None]
Count = Callable[..., Any]


def test_lost_event_arrives_when_it_is_sent_again(api: WorkspaceLookalike, send: Send, count: Count) -> None:
    api.set_faults("lost=3@source:Acme production")
    ids = [f"m{n}" for n in range(10)]
    send(*ids)
    send("dev", key=DEVELOPMENT_KEY)
    assert count("successfully-received") == {SURVEY: 7}
    assert count("successfully-received", source=1) == {SURVEY: 1}
    assert api.sink.stats.rejected == {"lost": 3}
    send(*ids)
    assert count("successfully-received") == {SURVEY: 10}
    assert count("successful-delivery", destination=0) == {"successes.attempt.1": 10}


def test_late_counts_come_later(api: WorkspaceLookalike, send: Send, count: Count, clock: ManualClock) -> None:
    api.set_faults("late=600@1-2")
    send("m1", "m2", "m3")
    assert count("successfully-received") == {SURVEY: 1}
    clock.advance(601)
    assert count("successfully-received") == {SURVEY: 3}


def test_disabled_source_fails_on_ingest(api: WorkspaceLookalike, send: Send, count: Count) -> None:
    api.set_faults("disabled@source:Acme production")
    send("m1", "m2")
    send("d1", key=DEVELOPMENT_KEY)
    assert count("failed-on-ingest") == {"source_disabled": 2}
    assert count("successfully-received") == {}
    assert count("successfully-received", source=1) == {SURVEY: 1}


def test_key_of_another_workspace_counts_nowhere(api: WorkspaceLookalike, send: Send, count: Count) -> None:
    api.set_faults("unknown@source:Acme production")
    send("m1")
    assert count("failed-on-ingest") == count("successfully-received") == {}
    assert api.sink.stats.rejected == {"unknown_source": 1}


def test_suppressed_user_counts_nowhere(api: WorkspaceLookalike, send: Send, count: Count) -> None:
    api.set_faults("suppressed=acct_1")
    send("m1")
    send("m2", userId="acct_2")
    assert count("successfully-received") == {SURVEY: 1}
    assert count("failed-on-ingest") == {}


@pytest.mark.parametrize(("rule", "reason"), [("unplanned", "unplanned"), ("violating", "schema_violation")])
def test_tracking_plan_filters_at_the_source(
    api: WorkspaceLookalike, send: Send, count: Count, rule: str, reason: str
) -> None:
    api.set_faults(rule)
    send("m1")
    assert count("successfully-received") == {SURVEY: 1}
    assert count("filtered-at-source") == {reason: 1}
    assert count("successful-delivery", destination=0) == {}


@pytest.mark.parametrize(
    ("rule", "step", "reason"),
    [
        ("filtered@destination:Amplitude", "filtered-at-destination", "FILTERED_BY_RULES"),
        ("filtered=properties.a = 2@destination:Amplitude", "successful-delivery", "successes.attempt.1"),
        ("unmapped", "filtered-at-destination", "NO_MATCHING_MAPPING"),
        ("failed", "failed-delivery", "ETIMEDOUT"),
        ("failed=401@destination:Amplitude@every:1", "failed-delivery", "401"),
        ("failed@destination:Customer.io", "successful-delivery", "successes.attempt.1"),
        ("retried=4", "successful-delivery", "successes.attempt.4"),
    ],
)
def test_destination_faults_have_their_reasons(
    api: WorkspaceLookalike, send: Send, count: Count, rule: str, step: str, reason: str
) -> None:
    api.set_faults(rule)
    send("m1")
    assert count(step, destination=0) == {reason: 1}


def test_integrations_object_turns_destinations_off(send: Send, count: Count) -> None:
    send("m1", integrations={"Amplitude": False})
    send("m2", integrations={"All": False})
    send("m3", integrations={"All": False, "Amplitude": True})
    assert count("filtered-at-destination", destination=0) == {"FILTERED_BY_INTEGRATIONS_OBJECT": 2}
    assert count("successful-delivery", destination=0) == {"successes.attempt.1": 1}


def test_disabled_destination_counts_nothing(api: WorkspaceLookalike, send: Send, count: Count) -> None:
    api.set_faults("disabled@destination:Amplitude")
    send("m1")
    assert count("successfully-received") == {SURVEY: 1}
    for step in ("filtered-at-destination", "failed-delivery", "successful-delivery"):
        assert count(step, destination=0) == {}


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("vanished=3", "expected one of lost, late"),
        ("lost=x", "'x' is no number"),
        ("lost=", "needs a value"),
        ("late", "needs a value"),
        ("suppressed", "needs a value"),
        ("disabled@3", "takes no numbers"),
        ("lost@destination:Amplitude", "happens at the source"),
        ("lost@5-3", "first to last"),
        ("lost@0", "counted from 1"),
        ("lost@soon", "no number, range"),
        ("repeats=2", "takes no value"),
        ("lost=1@source:Nobody", "no source is called 'Nobody'"),
        ("failed@destination:Nowhere", "no destination is called 'Nowhere'"),
    ],
)
def test_invalid_fault_says_what_is_wrong(rule: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        WorkspaceLookalike(faults=[rule])


@pytest.mark.parametrize("schema", [{"type": 5}, {"minimum": "x"}, {"properties": []}, {"required": 5}, {"enum": 5}])
def test_schema_that_cannot_be_read_blocks_nothing(
    api: WorkspaceLookalike, send: Send, count: Count, schema: dict[str, Any]
) -> None:
    nested = {"type": "object", "properties": {"properties": {"properties": {"a": schema}, **schema}}}
    api.workspace.connect_plan(api.sources[0], [(SURVEY, nested)], block=True)
    send("m1")
    assert count("filtered-at-source") == {}
    assert count("successful-delivery", destination=0) == {"successes.attempt.1": 1}


def test_odd_events_are_counted(send: Send, count: Count) -> None:
    send("m1", context={"app": {"version": ["x"]}}, integrations=[])
    send("m2", context=[], userId="acct_2", integrations={"Amplitude": {"option": 1}})
    send("m3", event="x" * 20_000)
    assert sum(count("successfully-received").values()) == 3
    assert count("successful-delivery", destination=0) == {"successes.attempt.1": 3}
