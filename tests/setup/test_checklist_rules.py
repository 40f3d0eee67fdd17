"""Rules of the checklist: nothing is done that was not asked, and a further problem improves no step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from support.clocks import NOW_MS
from support.workspace_lookalike import PRODUCTION_KEY

from sprig_tui.config.environment import Environment, WebhookToken, WriteKey
from sprig_tui.config.warnings import ConfigWarning, WarningCode
from sprig_tui.journal.notes import BackupNote, MetricsNote, Notes
from sprig_tui.journal.pause_reasons import PauseDetail, PauseReason
from sprig_tui.journal.records import Delivery, Lane, State, WorkerInfo
from sprig_tui.reconcile.model import Obstacle, Verdict
from sprig_tui.segment.oauth.credentials import OAuthCredentials
from sprig_tui.segment.oauth.private_key import read_private_key
from sprig_tui.segment.public_api_models import Destination, Source
from sprig_tui.setup import journal_facts
from sprig_tui.setup.checklist import checklist
from sprig_tui.setup.facts import Comparison, CountedSpan, Facts, WorkspaceFacts
from sprig_tui.setup.guides import GUIDES, command_line, guide_lines
from sprig_tui.setup.journal_facts import JournalFacts
from sprig_tui.setup.model import OPTIONAL_CODES, ActionKind, FindingCode, Step, StepKind, StepState

HOUR = 3_600_000
DAY = 24 * HOUR
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
        notes=Notes(
            backup=BackupNote(at=NOW_MS - DAY, file="/backup/journal.db"),
            metrics=MetricsNote(at=NOW_MS - 60_000, reader="Prometheus/2.53.1"),
        ),
    ),
    workspace=WorkspaceFacts(
        asked_at=NOW_MS,
        sources=(SOURCE,),
        source=SOURCE,
        destinations=(AMPLITUDE,),
        counts=CountedSpan(since=NOW_MS - 3 * HOUR, answers=9, delivered=9, due=9, sends=9),
    ),
    retention="delivered 90 d",
    comparison=Comparison(verdict=Verdict.AGREES, asked_at=NOW_MS - HOUR, source_id="s1"),
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


def of_counts(facts: Facts, **fields: Any) -> Facts:
    counts = facts.workspace.counts if facts.workspace is not None else None
    return of_workspace(facts, counts=replace(counts, **fields)) if counts is not None else facts


def of_notes(facts: Facts, **fields: Any) -> Facts:
    return of_journal(facts, notes=replace(facts.journal.notes, **fields)) if facts.journal is not None else facts


def refused(facts: Facts) -> Facts:
    detail = PauseDetail(key="Zq8T…1Rkx", status=401)
    lane = Lane(environment="production", state="paused", reason=PauseReason.KEY_REFUSED, detail=detail)
    return of_journal(facts, lane=lane)


def test_everything_done_is_complete() -> None:
    found = states(COMPLETE)
    assert checklist(COMPLETE).complete
    assert checklist(COMPLETE).next_step is None
    assert tuple(found) == tuple(StepKind)
    assert set(found.values()) == {StepState.DONE}


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
    "nothing counted": lambda facts: of_counts(facts, answers=0),
    "fewer counted than delivered": lambda facts: of_counts(facts, answers=8),
    "a comparison that was short": lambda facts: replace(
        facts, comparison=Comparison(verdict=Verdict.SHORT, asked_at=NOW_MS, source_id="s1", short=3)
    ),
    "a web source": lambda facts: of_workspace(facts, source=replace(SOURCE, kind="Javascript")),
    "a source that requires OAuth": refused,
    "no listen although webhooks come": lambda facts: of_journal(facts, workers=()),
    "no backup": lambda facts: of_notes(facts, backup=None),
    "an old backup": lambda facts: of_notes(facts, backup=BackupNote(at=NOW_MS - 30 * DAY, file="j")),
    "nothing that reads the metrics": lambda facts: of_notes(facts, metrics=None),
    "metrics that are read no more": lambda facts: of_notes(facts, metrics=MetricsNote(at=NOW_MS - DAY)),
    "no retention": lambda facts: replace(facts, retention=""),
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
def test_what_was_not_asked_is_never_done_nor_complete(names: set[str], has_token: bool, journal_is_open: bool) -> None:
    facts = replace(with_problems(names), has_token=has_token, workspace=None)
    facts = facts if journal_is_open else replace(facts, journal=None)
    found = states(facts)
    unasked = [StepKind.SOURCE, StepKind.ARRIVAL, StepKind.DESTINATIONS]
    unasked += [] if journal_is_open else [StepKind.SPRIG, StepKind.FIRST_ANSWER, StepKind.GOING_LIVE]
    assert all(found[kind] is not StepState.DONE for kind in unasked)
    assert not checklist(facts).complete


@pytest.mark.parametrize("obstacle", [one for one in Obstacle if one not in ("", Obstacle.NO_KEY, Obstacle.NO_TOKEN)])
def test_a_workspace_that_said_nothing_never_reads_as_done(obstacle: Obstacle) -> None:
    facts = replace(COMPLETE, workspace=WorkspaceFacts(asked_at=NOW_MS, obstacle=obstacle))
    found = checklist(facts)
    assert not found.complete
    unknown = {StepKind.SOURCE, StepKind.ARRIVAL, StepKind.DESTINATIONS}
    assert all(one.state in (StepState.UNKNOWN, StepState.DOUBTFUL) for one in found.steps if one.kind in unknown)
    assert found.waits is (obstacle in (Obstacle.UNREACHABLE, Obstacle.RATE_LIMITED, "answer-unclear", "clock"))


CODES = st.sets(st.sampled_from(sorted(FindingCode)))


@settings(max_examples=60, deadline=None)
@given(PROBLEM_NAMES, CODES, st.booleans(), st.booleans())
def test_accepting_hides_only_what_is_not_wanted_or_cannot_be_known(
    names: set[str], codes: set[FindingCode], has_token: bool, is_asked: bool
) -> None:
    facts = replace(with_problems(names), has_token=has_token)
    facts = facts if is_asked and has_token else replace(facts, workspace=None)
    before = {one.code: one for step_ in checklist(facts).steps for one in step_.findings if not one.is_acceptable}
    accepted = checklist(of_environment(facts, setup_accepted=tuple(codes)))
    for one in (one for step_ in accepted.steps for one in step_.findings):
        assert not (one.is_acceptable and one.code in codes)
        if one.is_accepted:
            assert one.code in codes
            assert one.actions == (ActionKind.REOPEN,)
        elif one.code in before and one.code not in OPTIONAL_CODES:
            assert one.state is not StepState.UNKNOWN or one.is_temporary or one.code not in codes


def test_without_a_token_everything_is_complete_once_what_cannot_be_known_is_accepted() -> None:
    facts = replace(COMPLETE, has_token=False, workspace=None)
    found = checklist(facts)
    assert (found.complete, found.left, found.waits) == (False, (), False)
    codes = tuple(code for one in found.steps for code in one.acceptable)
    assert codes == (FindingCode.SOURCE, FindingCode.COUNTED, FindingCode.DESTINATIONS)
    assert checklist(of_environment(facts, setup_accepted=codes)).complete
    # what is known to be wrong is not hidden by that
    assert not checklist(of_environment(with_problems({"nothing counted"}), setup_accepted=codes)).complete


@pytest.mark.parametrize("kind", [StepKind.SPRIG, StepKind.FIRST_ANSWER, StepKind.ARRIVAL])
def test_what_may_be_among_older_deliveries_is_not_said_to_be_missing(kind: StepKind) -> None:
    nothing = replace(COMPLETE, journal=JournalFacts(), environment=Environment(name="production"))
    assert step(nothing, kind).state is StepState.TODO
    found = step(of_journal(nothing, more=True), kind)
    assert found.state is StepState.UNKNOWN
    assert "there are older ones" in found.findings[0].evidence


@pytest.mark.parametrize("kind", [StepKind.FIRST_ANSWER, StepKind.ARRIVAL])
def test_what_was_searched_for_to_the_end_is_missing(kind: StepKind) -> None:
    nothing = replace(COMPLETE, journal=JournalFacts(more=True, absent=frozenset({journal_facts.ANSWER})))
    assert step(of_counts(nothing, answers=0), kind).state is StepState.TODO


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
    assert found.findings[0].evidence == "Segment rejected an answer: 400 invalid_request"
    assert found.action is ActionKind.EXPLAIN


def test_an_old_test_event_does_not_make_the_missing_count_of_a_new_answer_doubtful() -> None:
    sent = {"delivered": make_delivery(at=NOW_MS - 60_000), "test_event": make_delivery(at=NOW_MS - 24 * HOUR)}
    young = of_counts(COMPLETE, answers=0, delivered=1, due=0)
    found = step(of_journal(young, **sent), StepKind.ARRIVAL)
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


@pytest.mark.parametrize(
    ("counts", "state", "text"),
    [
        ({"answers": 9}, StepState.DONE, "counted by Segment: 9 of 9 delivered since"),
        ({"answers": 8, "test_events": 1}, StepState.DONE, "counted by Segment: 9 of 9 delivered since"),
        ({"answers": 8}, StepState.DOUBTFUL, "Segment counted 8 of the 9 that we delivered"),
        ({"answers": 8, "due": 8}, StepState.DONE, "8 of 9 counted by Segment"),
        ({"answers": 10, "sends": 10}, StepState.DONE, "counted by Segment: 10 with 9 delivered"),
        ({"answers": 1_200}, StepState.UNKNOWN, "another program sends the same event"),
        (
            {"answers": 9, "test_events": 3, "own_tests": 0},
            StepState.DONE,
            "counted by Segment: 9 of 9 delivered since",
        ),
        ({"answers": 6, "test_events": 3, "own_tests": 0}, StepState.DOUBTFUL, "Segment counted 6 of the 9"),
        ({"answers": 1_200, "is_exact": False}, StepState.DONE, "with at least 9 delivered"),
    ],
)
def test_counted_says_what_was_delivered_in_the_same_span(counts: dict[str, Any], state: StepState, text: str) -> None:
    found = step(of_counts(COMPLETE, **counts), StepKind.ARRIVAL).findings[0]
    assert (found.code, found.state) == (FindingCode.COUNTED, state)
    assert text in found.evidence


def test_a_test_event_that_segment_counted_and_the_journal_does_not_know_is_an_arrival() -> None:
    unsent = of_journal(COMPLETE, delivered=None, answer=None, newest=None)
    found = step(of_counts(unsent, answers=0, test_events=1, delivered=0), StepKind.ARRIVAL)
    assert found.findings[0].state is StepState.DONE
    assert "not in this journal" in found.findings[0].evidence
    # the answers' event is one that others send too
    assert step(of_counts(unsent, answers=5, delivered=0), StepKind.ARRIVAL).state is StepState.TODO


def test_a_comparison_with_another_source_or_an_old_one_says_nothing() -> None:
    for changes in ({"source_id": "other"}, {"asked_at": NOW_MS - 8 * DAY}, {"verdict": Verdict.CANNOT_ASK}):
        last = Comparison(verdict=Verdict.SHORT, asked_at=NOW_MS, short=3, source_id="s1")
        found = step(replace(COMPLETE, comparison=replace(last, **changes)), StepKind.ARRIVAL)
        assert FindingCode.COMPARED not in {one.code for one in found.findings}


@pytest.mark.parametrize(
    ("problem", "kind", "action"),
    [
        ("no answer with a User ID", StepKind.FIRST_ANSWER, ActionKind.IDENTIFY_USERS),
        ("answers without a User ID", StepKind.FIRST_ANSWER, ActionKind.IDENTIFY_USERS),
        ("a source that requires OAuth", StepKind.WRITE_KEY, ActionKind.SET_OAUTH),
        ("a web source", StepKind.SOURCE, ActionKind.CHOOSE_SOURCE),
        ("fewer counted than delivered", StepKind.ARRIVAL, ActionKind.COMPARE),
        ("no backup", StepKind.GOING_LIVE, ActionKind.BACK_UP),
        ("nothing that reads the metrics", StepKind.GOING_LIVE, ActionKind.WATCH_METRICS),
        ("no listen although webhooks come", StepKind.GOING_LIVE, ActionKind.PRINT_UNIT),
    ],
)
def test_a_problem_names_what_to_do(problem: str, kind: StepKind, action: ActionKind) -> None:
    facts = of_workspace(with_problems({problem}), fitting=1)
    assert step(facts, kind).action is action


@pytest.mark.parametrize("key", [None, WriteKey(PRODUCTION_KEY)])
@pytest.mark.parametrize("obstacle", [Obstacle.PERMISSION, Obstacle.KEYS_HIDDEN])
def test_a_token_that_may_not_see_keys_is_to_be_replaced(key: WriteKey | None, obstacle: Obstacle) -> None:
    sources = (replace(SOURCE, write_keys=()),) if obstacle is Obstacle.KEYS_HIDDEN else ()
    workspace = WorkspaceFacts(asked_at=NOW_MS, obstacle=obstacle, sources=sources)
    found = step(of_environment(replace(COMPLETE, workspace=workspace), write_key=key), StepKind.SOURCE)
    assert found.actions[:2] == (ActionKind.REPLACE_TOKEN, ActionKind.PASTE_KEY)


def test_what_did_not_arrive_names_the_delivery_to_explain() -> None:
    failed = make_delivery(State.FAILED, error="invalid_request", id=41)
    found = step(of_journal(COMPLETE, delivered=None, newest=failed), StepKind.ARRIVAL)
    assert command_line(ActionKind.EXPLAIN, "production", found.delivery) == "sprig-tui explain 41"
    lane = Lane(environment="production", state="paused", reason=PauseReason.MANUAL)
    queued = of_journal(COMPLETE, delivered=None, newest=make_delivery(State.QUEUED, id=7), lane=lane)
    assert "sending is paused: held by hand" in step(queued, StepKind.ARRIVAL).findings[0].evidence


@pytest.mark.parametrize("code", [WarningCode.SECRET_UNREADABLE, WarningCode.SECRET_UNUSABLE])
def test_a_key_that_the_config_names_and_nobody_gives_is_not_said_to_be_missing(code: WarningCode) -> None:
    problem = ConfigWarning(code, "the write key cannot be read: command op is not there", "production")
    facts = of_environment(replace(COMPLETE, key_problem=problem), write_key=None)
    found = step(facts, StepKind.WRITE_KEY)
    assert (found.state, found.findings[0].evidence) == (StepState.TODO, problem.text)
    is_unread = code is WarningCode.SECRET_UNREADABLE
    assert found.action is (ActionKind.READ_SECRET if is_unread else ActionKind.PASTE_KEY)
    source = step(facts, StepKind.SOURCE)
    assert (source.state, source.acceptable, source.actions) == (StepState.UNKNOWN, (), ())


def test_a_webhook_token_or_a_key_of_sprig_that_nobody_gives_is_to_do() -> None:
    problem = ConfigWarning(WarningCode.SECRET_UNREADABLE, "it cannot be read: command op", "production")
    for facts in (replace(COMPLETE, webhook_token_problem=problem), replace(COMPLETE, sprig_key_problem=problem)):
        found = step(facts, StepKind.SPRIG)
        assert (found.state, found.action) == (StepState.TODO, ActionKind.READ_SECRET)
        assert found.deciding is not None
        assert problem.text in found.deciding.evidence


def test_a_token_that_the_config_names_and_nobody_gives_is_said_where_it_is_missed() -> None:
    problem = ConfigWarning(WarningCode.SECRET_UNREADABLE, "the public api token cannot be read: command op")
    facts = replace(COMPLETE, has_token=False, token_problem=problem, workspace=None)
    for kind in (StepKind.SOURCE, StepKind.ARRIVAL, StepKind.DESTINATIONS):
        found = step(facts, kind)
        assert problem.text in found.findings[0].evidence
        assert found.actions[:2] == (ActionKind.READ_SECRET, ActionKind.STORE_TOKEN)


@pytest.mark.parametrize(
    ("obstacle", "action"),
    [
        (Obstacle.PERMISSION, ActionKind.REPLACE_TOKEN),
        (Obstacle.NOT_IN_WORKSPACE, ActionKind.CREATE_SOURCE),
        (Obstacle.UNREACHABLE, ActionKind.CONNECT_DESTINATION),
    ],
)
def test_a_destination_is_not_asked_for_before_it_is_known_that_none_is_there(
    obstacle: Obstacle, action: ActionKind
) -> None:
    workspace = WorkspaceFacts(asked_at=NOW_MS, obstacle=obstacle, sources=(SOURCE,))
    assert step(replace(COMPLETE, workspace=workspace), StepKind.DESTINATIONS).action is action


def test_oauth_is_done_where_its_key_can_sign_and_to_do_with_the_reason_where_not(tmp_path: Path) -> None:
    credentials = OAuthCredentials(client_id="app1", key_id="key1", key=read_private_key(tmp_path / "none.pem"))
    facts = of_environment(COMPLETE, oauth=credentials)
    assert step(facts, StepKind.WRITE_KEY).state is StepState.DONE
    broken = step(replace(facts, oauth_problem="there is no private key"), StepKind.WRITE_KEY)
    assert (broken.state, broken.action) == (StepState.TODO, ActionKind.SET_OAUTH)


def test_what_a_token_server_says_is_told_to_its_end() -> None:
    detail = PauseDetail(
        client="x", endpoint="https://oauth2.segment.io/token", status=401, error="a" * 60 + " expired"
    )
    lane = Lane(environment="production", state="paused", reason=PauseReason.OAUTH_CLIENT_REFUSED, detail=detail)
    oauth = OAuthCredentials(client_id="x", key_id="y", key=read_private_key(Path("none.pem")))
    queued = of_journal(COMPLETE, lane=lane, delivered=None, newest=make_delivery(State.QUEUED))
    facts = of_environment(queued, oauth=oauth)
    for kind in (StepKind.WRITE_KEY, StepKind.ARRIVAL):
        assert any("expired" in one.evidence for one in step(facts, kind).findings), kind


def test_every_action_has_words_that_name_the_environment() -> None:
    assert set(GUIDES) == set(ActionKind)
    for action in ActionKind:
        text = " ".join((command_line(action, "dev-eu", 7), *guide_lines(action, "dev-eu")))
        assert "{" not in text
    assert "name it such as Sprig (Dev eu)" in " ".join(guide_lines(ActionKind.PASTE_KEY, "dev-eu"))


def test_a_listen_that_waits_asks_for_a_test_webhook_and_not_for_another_listen() -> None:
    waiting = of_journal(COMPLETE, webhook=None, answer_webhook=None)
    assert step(waiting, StepKind.SPRIG).action is ActionKind.TEST_WEBHOOK
    assert step(of_journal(waiting, workers=()), StepKind.SPRIG).action is ActionKind.START_LISTENING
