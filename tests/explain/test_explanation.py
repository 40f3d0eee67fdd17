"""Why one answer is not where it should be: eight planted causes, and what is said where nothing can be known."""

from __future__ import annotations

import stat
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.clocks import NOW_MS, ManualClock
from support.explained_workspace import (
    ENDPOINT,
    EVENT,
    KEY,
    PROFILE_TOKEN,
    SPACE,
    TOKEN,
    ExplainedWorkspace,
    make_detail,
)

from sprig_tui.config.paths import Paths, paths_in_folder
from sprig_tui.config.settings import Settings, load_settings
from sprig_tui.config.tracking_plans import load_plan_lints, plans_file
from sprig_tui.explain.explanation import collect, explain
from sprig_tui.explain.hour_counts import Delivered, hour_of, judge, weigh_source
from sprig_tui.explain.model import Answer, Check, Explanation, Line, Obstacle
from sprig_tui.journal.records import DeliveryDetail, State


@pytest.fixture
def workspace() -> Iterator[ExplainedWorkspace]:
    with ExplainedWorkspace() as found:
        yield found


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = paths_in_folder(str(tmp_path / "home"))
    found.config_file.parent.mkdir()
    return found


@pytest.fixture
def settings(paths: Paths, workspace: ExplainedWorkspace) -> Settings:
    paths.config_file.write_text(
        f'[environments.production]\nwrite_key = "{KEY}"\nendpoint = "{ENDPOINT}"\n'
        f'[segment]\npublic_api_token = "{TOKEN}"\nregion = "{workspace.url}"\n'
        f'profile_space = "{SPACE}"\nprofile_token = "{PROFILE_TOKEN}"\n'
    )
    return load_settings(paths, {})


Ask = Callable[..., Any]


@pytest.fixture
def ask(settings: Settings, paths: Paths) -> Ask:
    async def no_sleep(_: float) -> None:
        """The client need not wait."""

    async def call(detail: DeliveryDetail | None = None, found: Settings = settings, **options: Any) -> Explanation:
        detail = detail or make_detail()
        lines = explain(detail, found, paths, clock=ManualClock(), sleep=no_sleep, **options)
        return await collect(detail, lines)

    return call


def line_of(explanation: Explanation, check: Check) -> Line:
    [found] = [line for line in explanation.lines if line.check is check]
    return found


def refusals(explanation: Explanation) -> list[Check]:
    return [line.check for line in explanation.lines if line.answer is Answer.NO]


async def test_an_answer_that_arrived_has_no_refusal(ask: Ask, workspace: ExplainedWorkspace) -> None:
    workspace.profile_events = [{"message_id": "sprig-1", "event": EVENT, "timestamp": "2026-09-21T13:13:19Z"}]
    found = await ask()
    assert [(line.check, line.answer) for line in found.lines] == [
        (check, Answer.YES)
        for check in (
            Check.TAKEN, Check.INTEGRATIONS, Check.KEY, Check.SOURCE_FITS, Check.SOURCE_ENABLED, Check.PLAN,
            Check.USER, Check.SOURCE_COUNTS, Check.DESTINATION_ENABLED, Check.FILTERS, Check.MAPPINGS,
            Check.DESTINATION_COUNTS, Check.PROFILE,
        )
    ]  # fmt: skip
    assert not found.says_no
    assert all(line.at for line in found.lines)
    assert line_of(found, Check.PROFILE).evidence.startswith("Segment has it: 2026-09-21 ")
    assert line_of(found, Check.KEY).evidence == "Acme production (HTTP API) in Acme"


# -- the eight causes -------------------------------------------------------------------------------------------------


async def test_cause_1_key_of_no_source(ask: Ask, workspace: ExplainedWorkspace) -> None:
    workspace.source["writeKeys"] = ["k2bbbbbbCCCCdddd2222EEEEffff2Sky"]
    found = await ask()
    assert refusals(found) == [Check.KEY]
    assert line_of(found, Check.KEY).evidence == "Acme has no source with the key of production"
    depending = {line.check for line in found.lines if line.obstacle is Obstacle.DEPENDS}
    assert depending == {Check.SOURCE_ENABLED, Check.PLAN, Check.SOURCE_COUNTS, Check.DESTINATIONS}
    assert line_of(found, Check.USER).answer is Answer.YES


async def test_a_key_may_be_one_that_the_token_does_not_see(ask: Ask, workspace: ExplainedWorkspace) -> None:
    workspace.source["writeKeys"] = []
    workspace.other_sources = [{**workspace.source, "id": "b", "writeKeys": ["k2bbbbbbCCCCdddd2222EEEEffff2Sky"]}]
    line = line_of(await ask(), Check.KEY)
    assert (line.answer, line.obstacle) == (Answer.UNKNOWN, Obstacle.PERMISSION)


async def test_cause_1_key_of_another_source(ask: Ask, workspace: ExplainedWorkspace) -> None:
    workspace.source["name"] = "Acme dev"
    workspace.source["slug"] = "acme-dev"
    found = await ask()
    assert refusals(found) == [Check.SOURCE_FITS]
    assert "'dev'" in line_of(found, Check.SOURCE_FITS).evidence


async def test_cause_2_disabled_source(ask: Ask, workspace: ExplainedWorkspace) -> None:
    workspace.source["enabled"] = False
    found = await ask()
    assert refusals(found) == [Check.SOURCE_ENABLED]


@pytest.mark.parametrize(
    ("listed", "requests", "said"),
    [
        (["u0", "u1"], [], "the user is on the list of suppressed users"),
        ([], [("SUPPRESS_WITH_DELETE", "FINISHED", 2)], "the request SUPPRESS_WITH_DELETE of 2026-0"),
        ([], [("UNSUPPRESS", "FINISHED", 1), ("DELETE_ONLY", "RUNNING", 2)], "the request DELETE_ONLY of 2026-0"),
    ],
)
async def test_cause_3_suppressed_or_deleted_user(
    ask: Ask, workspace: ExplainedWorkspace, listed: list[str], requests: list[tuple[str, str, int]], said: str
) -> None:
    workspace.suppressed = listed
    workspace.regulations = [regulation(*one) for one in requests]
    found = await ask()
    assert refusals(found) == [Check.USER]
    assert line_of(found, Check.USER).evidence.startswith(said)


def regulation(kind: str, status: str, month: int) -> dict[str, Any]:
    return {
        "id": f"r{month}", "regulationType": kind, "status": status, "subjectType": "USER_ID", "subjects": ["u1"],
        "createdAt": f"2026-0{month}-15T00:00:00Z",
    }  # fmt: skip


async def test_a_deletion_that_was_done_before_does_not_touch_the_call(ask: Ask, workspace: ExplainedWorkspace) -> None:
    workspace.regulations = [regulation("DELETE_ONLY", "FINISHED", 1) | {"finishedAt": "2026-01-20T00:00:00Z"}]
    assert line_of(await ask(), Check.USER).answer is Answer.YES
    workspace.regulations = [regulation("DELETE_ONLY", "FINISHED", 1) | {"finishedAt": "2026-09-30T00:00:00Z"}]
    assert line_of(await ask(), Check.USER).answer is Answer.NO


async def test_a_request_that_was_taken_back_or_is_invalid_suppresses_nobody(
    ask: Ask, workspace: ExplainedWorkspace
) -> None:
    workspace.regulations = [regulation("SUPPRESS_ONLY", "FINISHED", 1), regulation("UNSUPPRESS", "FINISHED", 2)]
    assert line_of(await ask(), Check.USER).answer is Answer.YES
    workspace.regulations = [regulation("SUPPRESS_ONLY", "INVALID", 1)]
    assert line_of(await ask(), Check.USER).answer is Answer.YES


@pytest.mark.parametrize("integrations", [{"Amplitude": False}, {"All": False}, {"All": False, "Mixpanel": True}])
async def test_cause_4_integrations_object_excludes(ask: Ask, integrations: dict[str, bool]) -> None:
    found = await ask(make_detail({"integrations": integrations}))
    assert refusals(found) == [Check.INTEGRATIONS, Check.DESTINATION_INTEGRATIONS]


async def test_an_integrations_object_that_names_a_destination_lets_it_through(ask: Ask) -> None:
    found = await ask(make_detail({"integrations": {"All": False, "Amplitude": {"session_id": 1}}}))
    assert line_of(found, Check.DESTINATION_INTEGRATIONS).answer is Answer.YES
    assert line_of(found, Check.INTEGRATIONS).evidence == "its integrations object excludes all but Amplitude"


SCORE_AS_TEXT = {
    "type": "object",
    "properties": {"properties": {"type": "object", "properties": {"score": {"type": "string"}}}},
}


async def test_cause_5_tracking_plan_violation_with_blocking(ask: Ask, workspace: ExplainedWorkspace) -> None:
    workspace.rules[0]["jsonSchema"] = SCORE_AS_TEXT
    found = await ask()
    assert refusals(found) == [Check.PLAN]
    line = line_of(found, Check.PLAN)
    assert (line.evidence, line.why) == ("properties.score: not a string", "the source blocks what breaks the plan")


async def test_a_violation_that_is_only_marked_passes(ask: Ask, workspace: ExplainedWorkspace) -> None:
    workspace.rules[0]["jsonSchema"] = SCORE_AS_TEXT
    workspace.settings["track"]["allowEventOnViolations"] = True
    line = line_of(await ask(), Check.PLAN)
    assert (line.answer, line.why) == (Answer.YES, "the source only marks it, and passes it on")
    del workspace.settings["track"]["allowEventOnViolations"]
    line = line_of(await ask(), Check.PLAN)
    assert line.answer is Answer.UNKNOWN
    assert "properties.score" in line.why


async def test_an_unplanned_event_is_blocked_where_the_source_allows_none(
    ask: Ask, workspace: ExplainedWorkspace
) -> None:
    workspace.rules[0]["key"] = "Order Completed"
    assert line_of(await ask(), Check.PLAN).answer is Answer.YES
    workspace.settings["track"]["allowUnplannedEvents"] = False
    line = line_of(await ask(), Check.PLAN)
    assert (line.answer, line.evidence) == (Answer.NO, f"the plan does not have {EVENT!r}")


async def test_cause_6_disabled_destination(ask: Ask, workspace: ExplainedWorkspace) -> None:
    workspace.destinations[0]["enabled"] = False
    found = await ask()
    assert refusals(found) == [Check.DESTINATION_ENABLED]
    assert line_of(found, Check.DESTINATION_ENABLED).subject == "Amplitude"
    assert not any(line.check is Check.FILTERS for line in found.lines)


async def test_cause_7_destination_filter(ask: Ask, workspace: ExplainedWorkspace) -> None:
    drops = {"type": "DROP"}
    workspace.filters = [
        {"id": "f0", "title": "off", "if": "all", "actions": [drops], "enabled": False},
        {"id": "f1", "title": "no surveys", "if": 'contains(event, "Survey")', "actions": [drops], "enabled": True},
    ]
    workspace.drops = {"all", 'contains(event, "Survey")'}
    line = line_of(await ask(), Check.FILTERS)
    assert (line.answer, line.obstacle) == (Answer.UNKNOWN, Obstacle.NOT_ASKED)
    assert line.why.startswith("it has 1 filter; not asked, because Segment would have to get the payload")
    assert workspace.previewed == []
    found = await ask(send_payload=True)
    assert refusals(found) == [Check.FILTERS]
    assert line_of(found, Check.FILTERS).evidence.startswith("the filter 'no surveys' drops it")
    [sent] = workspace.previewed
    assert sent["payload"]["messageId"] == "sprig-1"


@pytest.mark.parametrize(
    ("trigger", "enabled", "said"),
    [
        ('type = "identify"', True, "its one mapping does not match this event"),
        ('type = "track"', False, "Track calls would match, and is disabled"),
    ],
)
async def test_cause_8_no_matching_mapping(
    ask: Ask, workspace: ExplainedWorkspace, trigger: str, enabled: bool, said: str
) -> None:
    workspace.subscriptions = [{"id": "s", "name": "Track calls", "trigger": trigger, "enabled": enabled}]
    found = await ask()
    assert refusals(found) == [Check.MAPPINGS]
    assert line_of(found, Check.MAPPINGS).evidence.startswith(said)


# -- what cannot be known ---------------------------------------------------------------------------------------------


async def test_a_trigger_that_is_not_understood_is_unknown(ask: Ask, workspace: ExplainedWorkspace) -> None:
    workspace.subscriptions[0]["trigger"] = 'typeof(event) = "string"'
    line = line_of(await ask(), Check.MAPPINGS)
    assert (line.answer, line.obstacle) == (Answer.UNKNOWN, Obstacle.UNCLEAR)


async def test_a_mapping_is_missed_only_where_the_destination_needs_one(
    ask: Ask, workspace: ExplainedWorkspace
) -> None:
    workspace.subscriptions = []
    assert line_of(await ask(), Check.MAPPINGS).evidence == "it has no mapping"
    workspace.destinations[0]["metadata"]["name"] = "Webhooks"
    assert line_of(await ask(), Check.MAPPINGS).answer is Answer.UNKNOWN


async def test_counts_name_the_reason_but_not_the_answer(ask: Ask, workspace: ExplainedWorkspace) -> None:
    workspace.counts["filtered-at-destination"] = [("FILTERED_BY_RULES", 2)]
    line = line_of(await ask(), Check.DESTINATION_COUNTS)
    assert line.answer is Answer.UNKNOWN
    assert "5 delivered" in line.evidence
    assert "2 discarded: FILTERED_BY_RULES 2" in line.evidence
    assert line.why.startswith("counts do not say which; a filter of the destination matched")
    workspace.counts["successful-delivery"] = []
    assert line_of(await ask(), Check.DESTINATION_COUNTS).answer is Answer.NO
    workspace.counts = {}
    found = await ask()
    assert refusals(found) == [Check.SOURCE_COUNTS, Check.DESTINATION_COUNTS]


async def test_what_the_destination_did_not_count_of_what_the_source_passed_on_is_open(
    ask: Ask, workspace: ExplainedWorkspace
) -> None:
    workspace.counts["successful-delivery"] = [("", 4)]
    line = line_of(await ask(), Check.DESTINATION_COUNTS)
    assert (line.answer, line.obstacle) == (Answer.UNKNOWN, Obstacle.UNCLEAR)
    assert line.evidence.endswith("none discarded; the source passed on 5")
    workspace.counts["successful-delivery"] = []
    line = line_of(await ask(), Check.DESTINATION_COUNTS)
    assert line.answer is Answer.UNKNOWN, "a warehouse has no counts, and neither has a destination in device mode"
    assert "warehouses" in line.why


async def test_counts_are_not_asked_for_what_is_too_young_or_too_old_or_not_delivered(
    ask: Ask, workspace: ExplainedWorkspace
) -> None:
    for fields, obstacle in (
        ({"settled_at": NOW_MS - 60_000}, Obstacle.TOO_YOUNG),
        ({"settled_at": NOW_MS - 31 * 86_400_000}, Obstacle.TOO_OLD),
        ({"state": State.FAILED, "status": 400}, Obstacle.NOT_DELIVERED),
    ):
        found = await ask(make_detail(**fields))
        assert line_of(found, Check.SOURCE_COUNTS).obstacle is obstacle
        assert line_of(found, Check.DESTINATION_COUNTS).obstacle is obstacle
    assert not [path for path in workspace.asked if "delivery-overview" in path]


async def test_an_event_that_the_profile_lacks_is_no_proof(ask: Ask, workspace: ExplainedWorkspace) -> None:
    workspace.profile_events = [{"message_id": "another", "event": EVENT}]
    line = line_of(await ask(), Check.PROFILE)
    assert (line.answer, line.obstacle) == (Answer.UNKNOWN, Obstacle.UNCLEAR)


@pytest.mark.parametrize(
    ("word", "check"),
    [
        ("settings", Check.PLAN),
        ("rules", Check.PLAN),
        ("suppressions", Check.USER),
        ("regulations", Check.USER),
        ("filters", Check.FILTERS),
        ("subscriptions", Check.MAPPINGS),
        ("failed-on-ingest", Check.SOURCE_COUNTS),
        ("failed-delivery", Check.DESTINATION_COUNTS),
        ("connected-destinations", Check.DESTINATIONS),
        ("events", Check.PROFILE),
    ],
)
async def test_an_error_of_one_line_is_its_own(
    ask: Ask, workspace: ExplainedWorkspace, word: str, check: Check
) -> None:
    workspace.failures[word] = 401
    found = await ask()
    unknown = [line for line in found.lines if line.answer is Answer.UNKNOWN and line.check is not Check.PROFILE]
    line = line_of(found, check)
    assert line.obstacle is Obstacle.PERMISSION
    assert unknown == ([line] if check is not Check.PROFILE else [])
    assert TOKEN not in line.why + line.evidence
    assert PROFILE_TOKEN not in line.why + line.evidence


async def test_a_route_that_fails_does_not_cost_the_other_lines(ask: Ask, workspace: ExplainedWorkspace) -> None:
    workspace.failures["suppressions"] = 500
    found = await ask()
    line = line_of(found, Check.USER)
    assert line.obstacle is Obstacle.UNREACHABLE
    assert [one.check for one in found.lines if one.obstacle is Obstacle.UNREACHABLE] == [Check.USER]


async def test_without_a_token_the_first_lines_stand_and_the_rest_say_what_is_needed(
    ask: Ask, paths: Paths, workspace: ExplainedWorkspace
) -> None:
    paths.config_file.write_text(f'[environments.production]\nwrite_key = "{KEY}"\nendpoint = "{ENDPOINT}"\n')
    found = await ask(found=load_settings(paths, {}))
    assert [line.answer for line in found.lines[:2]] == [Answer.YES, Answer.YES]
    assert {line.obstacle for line in found.lines[2:]} == {Obstacle.NO_TOKEN}
    assert "sprig-tui keys workspace" in line_of(found, Check.KEY).why
    assert "profile_space" in line_of(found, Check.PROFILE).why
    assert workspace.asked == []


async def test_nobody_is_asked_again_after_nobody_answered(ask: Ask, workspace: ExplainedWorkspace) -> None:
    workspace.down()
    found = await ask()
    assert found.is_incomplete
    assert not found.says_no
    assert {line.obstacle for line in found.lines[2:]} == {Obstacle.UNREACHABLE}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"state": State.QUEUED, "status": 503, "error": "server error"}, "queued after 1 attempt, 503: server error"),
        ({"state": State.FAILED, "status": 400, "attempts": 3}, "failed after 3 attempts, 400"),
        ({"state": State.WITHHELD, "reason": "anonymous", "attempts": 0}, "withheld, anonymous"),
        ({"endpoint": "http://127.0.0.1:1"}, "200 from http://127.0.0.1:1"),
        ({"bound_for": "http://127.0.0.1:1", "endpoint": "http://127.0.0.1:1"}, "200 from http://127.0.0.1:1"),
    ],
)
async def test_what_segment_did_not_take_is_said_first(ask: Ask, fields: dict[str, Any], said: str) -> None:
    found = await ask(make_detail(**fields))
    assert (found.lines[0].answer, found.lines[0].evidence) == (Answer.NO, said)


async def test_a_repaired_delivery_names_the_one_to_explain(ask: Ask) -> None:
    found = await ask(make_detail(state=State.WITHHELD, reason="anonymous", attempts=0, repaired_by=7))
    assert found.lines[0].why == "delivery 7 repairs it: explain that one"


async def test_a_delivery_without_a_call_has_all_its_lines(ask: Ask) -> None:
    detail = msgspec.structs.replace(make_detail(state=State.WITHHELD, reason="invalid"), body=b"")
    found = await ask(detail)
    assert refusals(found) == [Check.TAKEN]
    assert line_of(found, Check.SOURCE_ENABLED).answer is Answer.YES


async def test_the_plan_that_was_fetched_checks_calls_later(
    ask: Ask, workspace: ExplainedWorkspace, settings: Settings, paths: Paths
) -> None:
    workspace.rules[0]["jsonSchema"] = SCORE_AS_TEXT
    assert not load_plan_lints(settings, paths)
    await ask()
    asked = len(workspace.asked)
    finding = load_plan_lints(settings, paths).check("production", make_detail().body)
    assert finding is not None
    assert [found.path for found in finding.verdict.violations] == ["properties.score"]
    assert finding.verdict.blocked
    assert finding.fetched_at == NOW_MS
    assert len(workspace.asked) == asked
    assert stat.S_IMODE(plans_file(paths).stat().st_mode) == 0o600
    assert KEY.encode() not in plans_file(paths).read_bytes()


async def test_an_explanation_may_be_left_at_any_line(
    settings: Settings, paths: Paths, workspace: ExplainedWorkspace
) -> None:
    for number in (1, 3, 8):
        lines = explain(make_detail(), settings, paths, clock=ManualClock())
        for _ in range(number):
            await anext(lines)
        await lines.aclose()
    asked = len(workspace.asked)
    assert asked < 3 * 18


@pytest.mark.parametrize(
    ("fields", "obstacle"),
    [
        ({"attempts": 0, "state": State.QUEUED, "status": 0, "settled_at": 0}, Obstacle.NOT_DELIVERED),
        ({"settled_at": NOW_MS - 15 * 86_400_000}, Obstacle.TOO_OLD),
        ({"state": State.QUEUED, "status": 0, "settled_at": 0}, Obstacle.UNCLEAR),
    ],
)
async def test_the_profile_is_asked_for_what_may_have_arrived_within_14_days(
    ask: Ask, workspace: ExplainedWorkspace, fields: dict[str, Any], obstacle: Obstacle
) -> None:
    assert line_of(await ask(make_detail(**fields)), Check.PROFILE).obstacle is obstacle
    assert any("/profiles/" in path for path in workspace.asked) == (obstacle is Obstacle.UNCLEAR)


@pytest.mark.parametrize(
    ("arrived", "delivered", "answer", "said"),
    [
        (12, Delivered(12, 12), Answer.YES, "none discarded"),
        (15, Delivered(12, 12), Answer.YES, "none discarded"),
        (12, Delivered(15, 15), Answer.UNKNOWN, "none discarded; 15 were delivered then"),
        (12, Delivered(15, 30), Answer.UNKNOWN, "none discarded; 15 were delivered then"),
        (3, Delivered(0, 15), Answer.UNKNOWN, "none discarded; 15 were sent then, some of them again"),
    ],
)
def test_counts_of_a_source_are_held_against_what_was_delivered(
    arrived: int, delivered: Delivered, answer: Answer, said: str
) -> None:
    counted = judge(arrived, Counter(), hour_of(NOW_MS), verb="received")
    found = weigh_source(counted, arrived, delivered)
    assert found.answer is answer
    assert found.evidence.endswith(said)
