"""Facts of the set-up, gathered from both journals and from the look-alike of a workspace."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from support import workspace_lookalike
from support.accepted_deliveries import deliver_at
from support.clocks import NOW_MS, ManualClock
from support.records import make_entry, make_webhook_answer
from support.workspace_lookalike import WorkspaceLookalike, answers

from sprig_tui.config.environment import PublicApiToken
from sprig_tui.config.paths import paths_in_folder
from sprig_tui.config.settings import Settings, load_settings
from sprig_tui.journal.base import Journal
from sprig_tui.journal.open import open_journal
from sprig_tui.reasons import Reason
from sprig_tui.reconcile.last_report import save
from sprig_tui.reconcile.model import EnvironmentReport, Obstacle, Report, Verdict
from sprig_tui.segment.public_api import PublicApiClient
from sprig_tui.segment.sink.workspace.counts import RECEIVED
from sprig_tui.setup.checklist import checklist
from sprig_tui.setup.facts import Facts, WorkspaceFacts, gather_facts
from sprig_tui.setup.model import StepKind, StepState

HOUR, DAY = 3_600_000, 86_400_000


async def no_wait(_: float) -> None:
    """A wait that takes no time."""


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def configure(tmp_path: Path) -> Callable[..., Settings]:
    """Settings with a token and this Write Key of production; `more` is TOML of other tables."""

    def make(key: str = workspace_lookalike.PRODUCTION_KEY, more: str = "") -> Settings:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        own = f'write_key = "{key}"\n' if key else ""
        text = f'[segment]\npublic_api_token = "{workspace_lookalike.TOKEN}"\n[environments.production]\n{own}{more}'
        (home / "config.toml").write_text(text)
        return load_settings(paths_in_folder(str(home)), {})

    return make


@pytest.fixture
async def journal(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Journal]:
    async with open_journal(str(tmp_path / "journal.db"), clock=clock) as opened:
        yield opened


@pytest.fixture
async def api(workspace_api: WorkspaceLookalike, clock: ManualClock) -> AsyncIterator[PublicApiClient]:
    workspace_api.clock = clock
    token = PublicApiToken(workspace_lookalike.TOKEN)
    async with PublicApiClient(workspace_api.url, token, clock=clock, timeout=5.0, sleep=no_wait) as opened:
        yield opened


def workspace_of(facts: Facts) -> WorkspaceFacts:
    assert facts.workspace is not None
    return facts.workspace


async def test_both_journals_tell_what_came_and_whether_it_had_a_user_id(
    journal_place: str, configure: Callable[..., Settings], clock: ManualClock
) -> None:
    body = json.dumps(make_webhook_answer(environmentId="QmK7x2dTfa")).encode()
    anonymous = {"reason": Reason.ANONYMOUS, "user_id": ""}
    test_webhook = {"reason": Reason.TEST_WEBHOOK, "source": "webhook"}
    async with open_journal(journal_place, clock=clock) as journal:
        await journal.add([make_entry(1, source="webhook", raw=body), make_entry(2, source="api")])
        await journal.add([make_entry(3), make_entry(4, **anonymous), make_entry(5, **test_webhook)])
        await journal.add([make_entry(6, "development", source="webhook")])
        facts = await gather_facts(configure(), journal, "production", api=None, clock=clock)
    found = facts.journal
    assert found is not None
    assert (found.seen, found.anonymous, found.more) == (4, 1, False)
    assert found.webhook is not None
    assert found.webhook.reason == Reason.TEST_WEBHOOK
    assert found.answer_webhook is not None
    assert (found.answer_webhook.user_id, found.environment_id) == ("acct_1", "QmK7x2dTfa")
    assert found.pulled is not None
    assert found.pulled.user_id == "acct_2"
    assert found.answer is not None
    assert found.answer.user_id == "acct_3"
    assert (found.delivered, found.test_event) == (None, None)
    assert facts.workspace is None


async def test_an_empty_journal_was_asked_and_a_missing_one_was_not(
    journal: Journal, configure: Callable[..., Settings], clock: ManualClock
) -> None:
    empty = await gather_facts(configure(), journal, "production", api=None, clock=clock)
    assert empty.journal is not None
    assert (empty.journal.seen, empty.journal.states) == (0, {})
    assert (await gather_facts(configure(), None, "production", api=None, clock=clock)).journal is None


@pytest.mark.parametrize("age", [HOUR // 60, DAY, 20 * DAY], ids=["a minute", "a day", "twenty days"])
async def test_segment_is_asked_for_counts_as_far_back_as_what_it_took_last(
    journal: Journal,
    configure: Callable[..., Settings],
    clock: ManualClock,
    api: PublicApiClient,
    workspace_api: WorkspaceLookalike,
    age: int,
) -> None:
    settings, at = configure(), NOW_MS - age
    await deliver_at(journal, at, 2)
    workspace_api.add_counts(RECEIVED, workspace_api.sources[0]["id"], at, 2, event=settings.rules.event)
    clock.advance(3600)
    facts = await gather_facts(settings, journal, "production", api=api, clock=clock)
    found = workspace_of(facts)
    assert (found.obstacle, found.detail) == (Obstacle.NONE, "")
    assert found.counts is not None
    assert (found.counts.answers, found.counts.delivered, found.counts.due) == (2, 2, 2)
    assert found.counts.since <= at
    arrival = next(step for step in checklist(facts).steps if step.kind is StepKind.ARRIVAL)
    assert arrival.state is StepState.DONE


async def test_what_segment_took_before_its_counts_began_is_not_called_missing(
    journal: Journal, configure: Callable[..., Settings], clock: ManualClock, api: PublicApiClient
) -> None:
    await deliver_at(journal, NOW_MS - 40 * DAY, 1)
    facts = await gather_facts(configure(), journal, "production", api=api, clock=clock)
    assert (workspace_of(facts).counts, workspace_of(facts).obstacle) == (None, Obstacle.TOO_OLD)
    arrival = next(step for step in checklist(facts).steps if step.kind is StepKind.ARRIVAL)
    assert arrival.state is StepState.UNKNOWN


@pytest.mark.parametrize(
    ("key", "problem", "obstacle"),
    [
        ("", None, Obstacle.NO_KEY),
        ("Xq8TaaaaBBBBcccc1111DDDDeeee1Rkx", None, Obstacle.NOT_IN_WORKSPACE),
        (workspace_lookalike.PRODUCTION_KEY, answers(403), Obstacle.PERMISSION),
        (workspace_lookalike.PRODUCTION_KEY, answers(200, b"<html>"), Obstacle.ANSWER_UNCLEAR),
    ],
)
async def test_what_could_not_be_asked_is_an_obstacle_and_no_error(
    configure: Callable[..., Settings],
    clock: ManualClock,
    api: PublicApiClient,
    workspace_api: WorkspaceLookalike,
    key: str,
    problem: workspace_lookalike.Trouble,
    obstacle: Obstacle,
) -> None:
    workspace_api.problems = [problem]
    found = workspace_of(await gather_facts(configure(key), None, "production", api=api, clock=clock))
    assert (found.obstacle, found.source, found.destinations, found.counts) == (obstacle, None, None, None)


async def test_a_workspace_out_of_reach_is_an_obstacle(
    configure: Callable[..., Settings], clock: ManualClock, api: PublicApiClient, workspace_api: WorkspaceLookalike
) -> None:
    workspace_api.down()
    found = workspace_of(await gather_facts(configure(), None, "production", api=api, clock=clock))
    assert (found.obstacle, found.sources) == (Obstacle.UNREACHABLE, ())


async def test_a_key_that_a_command_keeps_and_nobody_read_is_an_obstacle(
    configure: Callable[..., Settings], clock: ManualClock, api: PublicApiClient
) -> None:
    settings = configure("", 'write_key_command = ["false"]\n')
    assert settings.environment("production").write_key is not None
    found = workspace_of(await gather_facts(settings, None, "production", api=api, clock=clock))
    assert (found.obstacle, found.source) == (Obstacle.NOT_ASKED, None)


async def test_a_swapped_key_has_its_source_and_why_it_may_be_the_wrong_one(
    configure: Callable[..., Settings], clock: ManualClock, api: PublicApiClient
) -> None:
    key = workspace_lookalike.DEVELOPMENT_KEY
    facts = await gather_facts(configure(key), None, "production", api=api, clock=clock)
    source = workspace_of(facts).source
    assert source is not None
    assert source.name == "Acme dev"
    assert workspace_of(facts).mismatches
    assert next(iter(checklist(facts).steps)).state is StepState.DOUBTFUL


async def test_rules_of_the_config_that_exclude_destinations_are_facts(
    configure: Callable[..., Settings], clock: ManualClock
) -> None:
    more = "[mapping.integrations]\nAll = false\nAmplitude = true\nMixpanel = false\n"
    facts = await gather_facts(configure(more=more), None, "production", api=None, clock=clock)
    assert (facts.excluded, facts.excludes_all, facts.admitted) == (("Mixpanel",), True, ("Amplitude",))


async def test_the_last_comparison_and_the_retention_of_the_config_are_facts(
    configure: Callable[..., Settings], clock: ManualClock, tmp_path: Path
) -> None:
    settings, paths = configure(more='[journal]\nkeep = "90d"\n'), paths_in_folder(str(tmp_path / "home"))
    found = EnvironmentReport(environment="production", source_id="s1", verdict=Verdict.SHORT, short=3)
    save(paths, Report(asked_at=NOW_MS - 1, since=0, until=NOW_MS, event="e", environments=(found,)))
    facts = await gather_facts(settings, None, "production", api=None, clock=clock, paths=paths)
    assert facts.comparison is not None
    assert (facts.comparison.verdict, facts.comparison.short, facts.comparison.source_id) == (Verdict.SHORT, 3, "s1")
    assert facts.retention.startswith("delivered 90 d")
    assert (await gather_facts(settings, None, "development", api=None, clock=clock, paths=paths)).comparison is None
