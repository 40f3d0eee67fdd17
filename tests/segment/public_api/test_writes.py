"""Writes of PublicApiClient against the fake Public API: what is sent, and never twice without a look."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from support import workspace_lookalike
from support.clocks import ManualClock
from support.workspace_lookalike import WorkspaceLookalike, answers, breaks_off, goes_on, hangs_up, limited

from sprig_tui.config.environment import PublicApiToken
from sprig_tui.errors import ExitCode, SegmentApiError, SegmentApiUnreachableError, SegmentWriteUnknownError
from sprig_tui.segment.public_api import PublicApiClient
from sprig_tui.segment.source_writes import HTTP_API_SLUG, SourceLabel

KIND = "iUM16Md8P2"
FIRST_SOURCE = "src0000000000000000001"


async def no_wait(_: float) -> None:
    """A wait that takes no time."""


@pytest.fixture
async def api(workspace_api: WorkspaceLookalike) -> AsyncIterator[PublicApiClient]:
    token = PublicApiToken(workspace_lookalike.TOKEN)
    async with PublicApiClient(workspace_api.url, token, clock=ManualClock(), timeout=5.0, sleep=no_wait) as opened:
        yield opened


def sent(workspace_api: WorkspaceLookalike) -> list[tuple[str, str]]:
    return [(one.method, one.path) for one in workspace_api.service.api.asked]


async def test_the_kind_of_an_http_source_is_found_by_slug(api: PublicApiClient) -> None:
    kinds = {kind.slug: kind for kind in await api.source_kinds()}
    assert (kinds[HTTP_API_SLUG].id, kinds[HTTP_API_SLUG].name) == (KIND, "HTTP API")


async def test_a_source_is_made_named_and_labelled(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    label = next(one for one in await api.workspace_labels() if one.value == "prod")
    made = await api.create_source("sprig-production", KIND)
    assert (made.slug, made.enabled, len(made.write_keys)) == ("sprig-production", True, 1)
    assert (await api.rename_source(made.id, "Sprig (Production)")).name == "Sprig (Production)"
    assert await api.label_source(made.id, [label]) == (SourceLabel("environment", "prod"),)
    posted = next(one for one in workspace_api.service.api.asked if one.path == "/sources")
    assert json.loads(posted.body or b"") == {
        "slug": "sprig-production", "enabled": True, "metadataId": KIND, "disconnectAllWarehouses": True,
    }  # fmt: skip
    assert posted.headers["content-type"] == "application/vnd.segment.v1+json"
    assert (await api.source(made.id)) is not None


async def test_a_further_key_leaves_the_first(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    before = workspace_api.sources[0]
    after = await api.add_write_key(before["id"])
    assert after.write_keys[0] == workspace_lookalike.PRODUCTION_KEY
    assert len(after.write_keys) == 2
    request = workspace_api.service.api.asked[-1]
    assert (request.method, request.body, request.headers.get("content-type")) == ("POST", b"", None)
    assert "v1alpha" in request.headers["accept"]


@pytest.mark.parametrize(
    "trouble",
    [
        hangs_up,
        breaks_off,
        answers(503),
        answers(500),
        answers(408),
        answers(201, b"<html>"),
        answers(201, {"data": 1}),
    ],
)
@pytest.mark.parametrize("path", ["/sources", f"/sources/{FIRST_SOURCE}/writekey"])
async def test_what_makes_something_is_sent_once_without_an_answer(
    api: PublicApiClient, workspace_api: WorkspaceLookalike, trouble: workspace_lookalike.Trouble, path: str
) -> None:
    workspace_api.problems = [trouble]
    request = api.create_source("sprig-production", KIND) if path == "/sources" else api.add_write_key(FIRST_SOURCE)
    with pytest.raises(SegmentWriteUnknownError, match="it may have happened all the same") as caught:
        await request
    assert caught.value.exit_code == ExitCode.UNREACHABLE
    assert sent(workspace_api) == [("POST", path)]


async def test_a_creation_that_the_rate_limit_stopped_is_sent_again(
    api: PublicApiClient, workspace_api: WorkspaceLookalike
) -> None:
    workspace_api.problems = [limited(1000), goes_on]
    await api.create_source("sprig-production", KIND)
    assert sent(workspace_api) == [("POST", "/sources")] * 2


async def test_a_creation_that_reached_nobody_made_nothing(
    api: PublicApiClient, workspace_api: WorkspaceLookalike
) -> None:
    workspace_api.down()
    with pytest.raises(SegmentApiUnreachableError, match="connection refused") as caught:
        await api.create_source("sprig-production", KIND)
    assert not isinstance(caught.value, SegmentWriteUnknownError)
    assert api.requests == 3


async def test_a_name_is_sent_again_without_an_answer(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    workspace_api.problems = [hangs_up, answers(502), goes_on]
    assert (await api.rename_source(workspace_api.sources[0]["id"], "Acme web")).name == "Acme web"
    assert [method for method, _ in sent(workspace_api)] == ["PATCH"] * 3


async def test_a_new_key_is_hidden_in_later_errors(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    made = await api.create_source("sprig-production", KIND)
    workspace_api.problems = [answers(422, {"errors": [{"type": "x", "message": f"no {made.write_keys[0]}"}]})]
    with pytest.raises(SegmentApiError) as caught:
        await api.rename_source(made.id, "Sprig")
    assert made.write_keys[0] not in caught.value.message


async def test_labels_that_are_odd_are_read(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    workspace_api.workspace.labels = [{"key": "environment", "value": None}, {"value": "x"}, {"key": "a", "value": "b"}]
    assert await api.workspace_labels() == (SourceLabel("environment", ""), SourceLabel("a", "b"))
