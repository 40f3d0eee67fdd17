"""Creation of a source: the proposal, and each way in which making it may go wrong, against the fake Public API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import workspace_lookalike
from support.clocks import ManualClock
from support.workspace_lookalike import WorkspaceLookalike, answers, goes_on, hangs_up

from sprig_tui.config.environment import PublicApiToken
from sprig_tui.errors import ExitCode, SegmentApiError
from sprig_tui.segment.public_api import PublicApiClient
from sprig_tui.segment.public_api_models import Source
from sprig_tui.segment.source_writes import SourceKind, SourceLabel
from sprig_tui.setup.source_creation import (
    CreationFault,
    Done,
    NewSource,
    PartKind,
    SourceCreationError,
    ask_proposal,
    continue_creation,
    create_source,
    planned_parts,
    propose,
    with_slug,
)

CATALOG = (
    SourceKind(id="m1", slug="javascript", name="Javascript"),
    SourceKind(id="k1", slug="http-api", name="HTTP API"),
)
LABELS = (SourceLabel("team", "prod"), SourceLabel("environment", "Dev"), SourceLabel("environment", "Prod"))


async def no_wait(_: float) -> None:
    """A wait that takes no time."""


@pytest.fixture
async def api(workspace_api: WorkspaceLookalike) -> AsyncIterator[PublicApiClient]:
    token = PublicApiToken(workspace_lookalike.TOKEN)
    async with PublicApiClient(workspace_api.url, token, clock=ManualClock(), timeout=5.0, sleep=no_wait) as opened:
        yield opened


def posts(workspace_api: WorkspaceLookalike) -> int:
    return sum((one.method, one.path) == ("POST", "/sources") for one in workspace_api.service.api.asked)


# -- the proposal -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "name", "slug", "label"),
    [
        ("production", "Sprig (Production)", "sprig-production", SourceLabel("environment", "Prod")),
        ("development", "Sprig (Development)", "sprig-development", SourceLabel("environment", "Dev")),
        ("eu-live", "Sprig (Eu live)", "sprig-eu-live", SourceLabel("environment", "Prod")),
        ("staging", "Sprig (Staging)", "sprig-staging", None),
        ("acme", "Sprig (Acme)", "sprig-acme", None),
    ],
)
def test_the_proposal_names_the_environment(environment: str, name: str, slug: str, label: SourceLabel | None) -> None:
    new = propose(environment, (), LABELS, CATALOG)
    assert (new.name, new.slug, new.label, new.kind_id) == (name, slug, label, "k1")


@given(st.lists(st.integers(1, 6), unique=True), st.lists(st.integers(1, 6), unique=True))
def test_the_proposed_name_and_slug_are_free(slugs: list[int], names: list[int]) -> None:
    taken = [
        *(Source(id=f"s{n}", name="x", slug=f"Sprig-Production{f'-{n}' if n > 1 else ''}") for n in slugs),
        *(Source(id=f"n{n}", name=f"sprig (production{f' {n}' if n > 1 else ''})") for n in names),
    ]
    new = propose("production", taken, (), CATALOG)
    assert new.slug not in {one.slug.lower() for one in taken}
    assert new.name.lower() not in {one.name for one in taken}


def test_a_catalog_without_http_sources_is_told() -> None:
    with pytest.raises(SourceCreationError) as caught:
        propose("production", (), LABELS, CATALOG[:1])
    assert caught.value.fault is CreationFault.NO_KIND


async def test_the_confirmation_says_all_that_will_be_made(api: PublicApiClient) -> None:
    texts = {part.kind: part.text for part in planned_parts(await ask_proposal(api, "production"))}
    assert texts[PartKind.NAME] == "Sprig (Production)"
    assert texts[PartKind.SLUG] == "sprig-production"
    assert texts[PartKind.LABEL] == "environment: prod"
    assert texts[PartKind.WAREHOUSES].startswith("none connected")
    assert set(texts) == set(PartKind)


async def test_labels_that_cannot_be_read_do_not_stop_the_proposal(
    api: PublicApiClient, workspace_api: WorkspaceLookalike
) -> None:
    workspace_api.workspace.denied = ["/labels"]
    new = await ask_proposal(api, "production")
    assert new.label is None
    text = next(part.text for part in planned_parts(new) if part.kind is PartKind.LABEL)
    assert text.startswith("none: the workspace's labels could not be read (")
    assert "GET /labels (401)" in text


# -- making it --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def new(api: PublicApiClient) -> NewSource:
    return await ask_proposal(api, "production")


async def test_a_source_is_made_with_all_its_parts(
    api: PublicApiClient, workspace_api: WorkspaceLookalike, new: NewSource
) -> None:
    heard: list[Done] = []
    made = await create_source(api, new, on_done=lambda done, _: heard.append(done))
    record = workspace_api.sources[-1]
    assert (record["name"], record["slug"], record["enabled"]) == ("Sprig (Production)", "sprig-production", True)
    assert record["metadata"]["slug"] == "http-api"
    assert [label["value"] for label in record["labels"]] == ["prod"]
    assert made.write_key == record["writeKeys"][0]
    assert made.problems == ()
    assert list(made.done) == heard == [Done.CREATED, Done.NAMED, Done.LABELLED]
    assert made.write_key not in repr(made)
    assert made.source.labels == ("environment: prod",)


async def test_a_source_that_was_made_without_an_answer_is_found(
    api: PublicApiClient, workspace_api: WorkspaceLookalike, new: NewSource
) -> None:
    workspace_api.set_faults("no-answer")
    made = await create_source(api, new)
    assert made.done == (Done.FOUND, Done.NAMED, Done.LABELLED)
    assert made.write_key == workspace_api.sources[-1]["writeKeys"][0]
    assert posts(workspace_api) == 1
    assert len(workspace_api.sources) == 4


async def test_silence_without_a_source_makes_none_and_says_so(
    api: PublicApiClient, workspace_api: WorkspaceLookalike, new: NewSource
) -> None:
    workspace_api.problems = [goes_on, hangs_up]
    with pytest.raises(SourceCreationError, match="does not list a source with the slug sprig-production") as caught:
        await create_source(api, new)
    assert (caught.value.fault, caught.value.exit_code) == (CreationFault.UNKNOWN, ExitCode.UNREACHABLE)
    assert posts(workspace_api) == 1
    assert (await create_source(api, new)).problems == ()


async def test_silence_at_the_look_too_claims_nothing(
    api: PublicApiClient, workspace_api: WorkspaceLookalike, new: NewSource
) -> None:
    workspace_api.set_faults("no-answer")
    workspace_api.problems = [goes_on, goes_on, answers(503), answers(503), answers(503)]
    with pytest.raises(SourceCreationError, match="whether the source was made is not known") as caught:
        await create_source(api, new)
    assert caught.value.fault is CreationFault.UNKNOWN
    with pytest.raises(SourceCreationError) as again:
        await create_source(api, new)
    assert again.value.fault is CreationFault.SLUG_TAKEN
    assert again.value.source is not None
    assert again.value.source.write_keys
    assert posts(workspace_api) == 1


@pytest.mark.parametrize("rule", ["slug-taken", "slug-rejected"])
async def test_a_slug_that_nobody_is_seen_to_have_may_be_taken(
    api: PublicApiClient, workspace_api: WorkspaceLookalike, new: NewSource, rule: str
) -> None:
    workspace_api.set_faults(rule)
    with pytest.raises(SourceCreationError, match="does not take the slug sprig-production") as caught:
        await create_source(api, new)
    assert (caught.value.fault, caught.value.source) == (CreationFault.SLUG_TAKEN, None)
    assert (await create_source(api, with_slug(new, "sprig-prod"))).source.slug == "sprig-prod"


async def test_a_slug_that_another_source_took_meanwhile_is_told_with_it(
    api: PublicApiClient, workspace_api: WorkspaceLookalike, new: NewSource
) -> None:
    workspace_api.workspace.add_source("Sprig\x1b[31m", "inventedWriteKey0000000000000009", slug=new.slug)
    with pytest.raises(SourceCreationError, match="has the slug sprig-production already") as caught:
        await create_source(api, new)
    assert caught.value.fault is CreationFault.SLUG_TAKEN
    assert caught.value.source is not None
    assert "\x1b" not in caught.value.message
    assert posts(workspace_api) == 0


@pytest.mark.parametrize(
    ("rule", "fault", "hint"),
    [
        ("read-only", CreationFault.PERMISSION, "Workspace Owner"),
        ("read-only=403", CreationFault.PERMISSION, "Workspace Owner"),
        ("read-only=402", CreationFault.PLAN, "plan"),
        ("read-only=413", CreationFault.REJECTED, ""),
    ],
)
async def test_a_rejection_makes_nothing_and_says_why(
    api: PublicApiClient, workspace_api: WorkspaceLookalike, new: NewSource, rule: str, fault: CreationFault, hint: str
) -> None:
    workspace_api.set_faults(rule)
    with pytest.raises(SourceCreationError, match="no source was made") as caught:
        await create_source(api, new)
    assert (caught.value.fault, caught.value.exit_code) == (fault, ExitCode.USAGE)
    assert hint in caught.value.hint
    assert len(workspace_api.sources) == 3


async def test_an_api_that_is_not_reached_made_nothing(
    api: PublicApiClient, workspace_api: WorkspaceLookalike, new: NewSource
) -> None:
    workspace_api.down()
    with pytest.raises(SegmentApiError, match="connection refused") as caught:
        await create_source(api, new)
    assert caught.value.exit_code == ExitCode.UNREACHABLE


@pytest.mark.parametrize(
    ("rules", "faults"),
    [
        (["no-rename"], [CreationFault.NOT_NAMED]),
        (["no-label"], [CreationFault.NOT_LABELLED]),
        (["no-rename=401", "no-label=401"], [CreationFault.NOT_NAMED, CreationFault.NOT_LABELLED]),
    ],
)
async def test_a_source_in_part_is_told_and_continued(
    api: PublicApiClient,
    workspace_api: WorkspaceLookalike,
    new: NewSource,
    rules: list[str],
    faults: list[CreationFault],
) -> None:
    workspace_api.set_faults(*rules)
    made = await create_source(api, new)
    assert [problem.fault for problem in made.problems] == faults
    assert all(problem.detail for problem in made.problems)
    assert made.write_key
    workspace_api.set_faults()
    whole = await continue_creation(api, new, made)
    assert whole.problems == ()
    assert sorted(whole.done) == sorted([Done.CREATED, Done.NAMED, Done.LABELLED])
    assert workspace_api.sources[-1]["name"] == new.name
    assert posts(workspace_api) == 1


async def test_a_key_that_is_not_shown_is_missed(
    api: PublicApiClient, workspace_api: WorkspaceLookalike, new: NewSource
) -> None:
    def without_keys(data: Any) -> Any:
        return {"source": {**data["source"], "writeKeys": []}} if "source" in data else data

    workspace_api.service.api.reshape = without_keys
    made = await create_source(api, new)
    assert (made.write_key, [problem.fault for problem in made.problems]) == ("", [CreationFault.NO_KEY])
