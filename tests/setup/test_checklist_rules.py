"""Rules of the checklist: nothing is done that was not asked, and a further problem improves no step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from support.clocks import NOW_MS
from support.workspace_lookalike import PRODUCTION_KEY

from sprig_tui.config.environment import Environment, WebhookToken, WriteKey
from sprig_tui.journal.records import Delivery, State, WorkerInfo
from sprig_tui.segment.public_api_models import Destination, Source
from sprig_tui.setup.checklist import checklist
from sprig_tui.setup.facts import Facts, JournalFacts, WorkspaceFacts
from sprig_tui.setup.model import FindingCode, Step, StepKind, StepState

HOUR = 3_600_000
SOURCE = Source(id="s1", name="Acme production", kind="HTTP API", enabled=True, write_keys=(PRODUCTION_KEY,))
AMPLITUDE = Destination(id="d1", name="Amplitude EU", kind="Amplitude", enabled=True)
SEVERITY = (StepState.DONE, StepState.UNKNOWN, StepState.DOUBTFUL, StepState.TODO)


def make_delivery(state: State = State.DELIVERED, at: int = NOW_MS - HOUR, **fields: Any) -> Delivery:
    texts = dict.fromkeys(("message_id", "reason", "detail", "survey_id", "question_type", "answer", "error"), "")
    numbers = dict.fromkeys(("id", "answered_at", "due_at", "attempts", "line", "size", "origin_id"), 0)
    default = Delivery(
        **texts,
        **numbers,
        environment="production",
        state=state,
        survey_name="Checkout effort",
        user_id="acct_1",
        added_at=at,
        settled_at=at,
        status=200 if state is State.DELIVERED else 400,
        latency_ms=0.0,
        source="answers.jsonl",
        leased=False,
        edited=False,
    )
    return replace(default, **fields)


TEST_EVENT = make_delivery(source="test event")
ANSWER = make_delivery()
WEBHOOK = make_delivery(source="webhook")
LISTEN = WorkerInfo(
    id="1", role="listen", host="mill-1", pid=1, version="1", environments=("production",), started_at=NOW_MS
)
COMPLETE = Facts(
    environment=Environment(
        name="production",
        write_key=WriteKey(PRODUCTION_KEY),
        protected=True,
        webhook_token=WebhookToken("t" * 32),
        sprig_environment_id="QmK7x2dTfa",
    ),
    has_token=True,
    journal=JournalFacts(
        seen=9,
        webhook=WEBHOOK,
        answer_webhook=WEBHOOK,
        answer=ANSWER,
        newest=ANSWER,
        delivered=ANSWER,
        environment_id="QmK7x2dTfa",
        workers=(LISTEN,),
    ),
    workspace=WorkspaceFacts(
        asked_at=NOW_MS,
        sources=(SOURCE,),
        source=SOURCE,
        destinations=(AMPLITUDE,),
        counted=9,
        counted_since=NOW_MS - 3 * HOUR,
    ),
    at=NOW_MS,
)


def of_journal(facts: Facts, **fields: Any) -> Facts:
    return replace(facts, journal=replace(facts.journal, **fields)) if facts.journal is not None else facts


def of_workspace(facts: Facts, **fields: Any) -> Facts:
    return replace(facts, workspace=replace(facts.workspace, **fields)) if facts.workspace is not None else facts


def of_environment(facts: Facts, **fields: Any) -> Facts:
    return replace(facts, environment=replace(facts.environment, **fields))


def step(facts: Facts, kind: StepKind) -> Step:
    return next(one for one in checklist(facts).steps if one.kind is kind)


def states(facts: Facts) -> dict[StepKind, StepState]:
    return {one.kind: one.state for one in checklist(facts).steps}


def test_everything_done_is_complete_and_only_going_live_cannot_be_known() -> None:
    found = states(COMPLETE)
    assert checklist(COMPLETE).complete
    assert checklist(COMPLETE).next_step is None
    assert tuple(found) == tuple(StepKind)
    assert {kind for kind, state in found.items() if state is not StepState.DONE} == {StepKind.GOING_LIVE}


PROBLEMS: dict[str, Callable[[Facts], Facts]] = {
    "no key": lambda facts: of_environment(facts, write_key=None),
    "an odd key": lambda facts: of_environment(facts, write_key=WriteKey("short")),
    "a reused key": lambda facts: replace(facts, reuse=("this is the write key of development",)),
    "a source of another stage": lambda facts: of_workspace(facts, mismatches=("its name says 'dev'",)),
    "no webhook token": lambda facts: of_environment(facts, webhook_token=None),
    "another environment id": lambda facts: of_journal(facts, environment_id="AnotherId1"),
    "answers without a User ID": lambda facts: of_journal(facts, seen=20, anonymous=19),
    "no answer with a User ID": lambda facts: of_journal(facts, anonymous=9, answer=None),
    "a rejected test event": lambda facts: of_journal(facts, test_event=make_delivery(State.FAILED, NOW_MS)),
    "nothing counted": lambda facts: of_workspace(facts, counted=0),
    "a destination switched off by the config": lambda facts: replace(facts, excluded=("Amplitude",)),
    "all destinations switched off by the config": lambda facts: replace(facts, excludes_all=True),
    "a disabled destination": lambda facts: of_workspace(facts, destinations=(replace(AMPLITUDE, enabled=False),)),
    "no destination": lambda facts: of_workspace(facts, destinations=()),
    "no protection": lambda facts: of_environment(facts, protected=False),
}
PROBLEM_NAMES = st.sets(st.sampled_from(sorted(PROBLEMS)))


def with_problems(names: set[str]) -> Facts:
    facts = COMPLETE
    for name in sorted(names):
        facts = PROBLEMS[name](facts)
    return facts


@pytest.mark.parametrize("name", PROBLEMS)
def test_each_problem_leaves_something_to_do(name: str) -> None:
    found = checklist(with_problems({name}))
    assert not found.complete
    assert found.next_step is not None


@settings(max_examples=60, deadline=None)
@given(PROBLEM_NAMES, st.sampled_from(sorted(PROBLEMS)))
def test_a_further_problem_improves_no_step(names: set[str], further: str) -> None:
    before, after = states(with_problems(names)), states(with_problems(names | {further}))
    for kind in StepKind:
        assert SEVERITY.index(after[kind]) >= SEVERITY.index(before[kind]), (kind, names, further)


@settings(max_examples=60, deadline=None)
@given(PROBLEM_NAMES, st.booleans(), st.booleans())
def test_what_was_not_asked_is_never_done(names: set[str], has_token: bool, journal_is_open: bool) -> None:
    facts = replace(with_problems(names), has_token=has_token, workspace=None)
    found = states(facts if journal_is_open else replace(facts, journal=None))
    unasked = [StepKind.SOURCE, StepKind.ARRIVAL, StepKind.DESTINATIONS]
    unasked += [] if journal_is_open else [StepKind.SPRIG, StepKind.FIRST_ANSWER]
    assert all(found[kind] is not StepState.DONE for kind in unasked)
    assert found[StepKind.GOING_LIVE] is not StepState.DONE


@pytest.mark.parametrize("kind", [StepKind.SPRIG, StepKind.FIRST_ANSWER, StepKind.ARRIVAL])
def test_what_may_be_among_older_deliveries_is_not_said_to_be_missing(kind: StepKind) -> None:
    nothing = replace(COMPLETE, journal=JournalFacts(), environment=Environment(name="production"))
    assert step(nothing, kind).state is StepState.TODO
    found = step(of_journal(nothing, more=True), kind)
    assert found.state is StepState.UNKNOWN
    assert "older ones were not looked at" in found.findings[0].evidence


def test_anonymous_answers_are_all_of_those_looked_at_not_all_there_are() -> None:
    facts = of_journal(COMPLETE, answer=None, seen=500, anonymous=500, more=True)
    assert step(facts, StepKind.FIRST_ANSWER).findings[0].evidence.startswith("each of the last 500 answers lacks")


def test_a_test_event_that_the_wrong_key_cost_is_overcome_by_an_answer_that_segment_took() -> None:
    rejected = make_delivery(State.FAILED, NOW_MS - 2 * HOUR, source="test event", error="invalid write key")
    assert step(of_journal(COMPLETE, test_event=rejected), StepKind.ARRIVAL).state is StepState.DONE
    later = replace(rejected, added_at=NOW_MS, settled_at=NOW_MS)
    assert step(of_journal(COMPLETE, test_event=later), StepKind.ARRIVAL).state is StepState.TODO


def test_an_answer_that_failed_is_not_called_nothing_sent() -> None:
    failed = make_delivery(State.FAILED, error="invalid_request")
    found = step(of_journal(COMPLETE, delivered=None, newest=failed), StepKind.ARRIVAL)
    assert found.state is StepState.TODO
    assert [one.evidence for one in found.findings] == ["Segment rejected an answer: 400 invalid_request"]


def test_an_old_test_event_does_not_make_the_missing_count_of_a_new_answer_doubtful() -> None:
    sent = {"delivered": make_delivery(at=NOW_MS - 60_000), "test_event": make_delivery(at=NOW_MS - 24 * HOUR)}
    found = step(of_workspace(of_journal(COMPLETE, **sent), counted=0), StepKind.ARRIVAL)
    assert found.deciding is not None
    assert (found.state, found.deciding.code) == (StepState.TODO, FindingCode.COUNTED)


@pytest.mark.parametrize(
    ("rules", "state"),
    [
        ({"excluded": ("amplitude (Actions)",)}, StepState.DOUBTFUL),
        ({"excluded": ("Mixpanel",)}, StepState.DONE),
        ({"excludes_all": True}, StepState.DOUBTFUL),
        ({"excludes_all": True, "admitted": ("Amplitude",)}, StepState.DONE),
        ({"excludes_all": True, "admitted": ("Mixpanel",)}, StepState.DOUBTFUL),
    ],
)
def test_a_rule_that_excludes_is_doubtful_where_it_meets_a_connected_destination(
    rules: dict[str, Any], state: StepState
) -> None:
    assert step(replace(COMPLETE, **rules), StepKind.DESTINATIONS).state is state
    unasked = of_workspace(replace(COMPLETE, **rules), destinations=None)
    assert step(unasked, StepKind.DESTINATIONS).state is StepState.DOUBTFUL


@pytest.mark.parametrize(
    ("name", "state"), [("live", StepState.TODO), ("prod-eu", StepState.TODO), ("reproduction", StepState.DONE)]
)
def test_only_an_environment_of_production_has_to_be_protected(name: str, state: StepState) -> None:
    facts = of_environment(COMPLETE, name=name, protected=False)
    assert step(facts, StepKind.GOING_LIVE).findings[0].state is state
