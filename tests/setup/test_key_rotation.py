"""Rotation of a key against the fake Public API: one new key, found by comparison, never made twice blindly."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from support import workspace_lookalike
from support.clocks import NOW_MS, ManualClock
from support.workspace_lookalike import WorkspaceLookalike, answers, goes_on, hangs_up

from sprig_tui.config.environment import PublicApiToken
from sprig_tui.errors import ExitCode
from sprig_tui.segment.public_api import PublicApiClient
from sprig_tui.segment.sink.workspace.counts import RECEIVED
from sprig_tui.setup.key_rotation import KeyRotationError, RotationFault, counted_since, make_key

EVENT = "Sprig Test Event"


async def no_wait(_: float) -> None:
    """A wait that takes no time."""


@pytest.fixture
async def api(workspace_api: WorkspaceLookalike) -> AsyncIterator[PublicApiClient]:
    token = PublicApiToken(workspace_lookalike.TOKEN)
    async with PublicApiClient(workspace_api.url, token, clock=ManualClock(), timeout=5.0, sleep=no_wait) as opened:
        yield opened


def keys_of_first(workspace_api: WorkspaceLookalike) -> list[str]:
    keys: list[str] = workspace_api.sources[0]["writeKeys"]
    return keys


@pytest.mark.parametrize("rule", ["", "no-answer"])
async def test_the_new_key_is_the_one_that_was_not_there(
    api: PublicApiClient, workspace_api: WorkspaceLookalike, rule: str
) -> None:
    workspace_api.set_faults(*filter(None, [rule]))
    made = await make_key(api, workspace_api.sources[0]["id"])
    assert keys_of_first(workspace_api) == [workspace_lookalike.PRODUCTION_KEY, made.write_key]
    assert made.found is bool(rule)
    assert made.write_key not in repr(made)


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        ("no-new-key", RotationFault.NOT_OFFERED),
        ("read-only", RotationFault.PERMISSION),
        ("read-only=403", RotationFault.PERMISSION),
        ("no-new-key=409", RotationFault.REJECTED),
    ],
)
async def test_a_rejection_says_how_to_go_on_by_hand(
    api: PublicApiClient, workspace_api: WorkspaceLookalike, rule: str, fault: RotationFault
) -> None:
    workspace_api.set_faults(rule)
    with pytest.raises(KeyRotationError, match="no key was made") as caught:
        await make_key(api, workspace_api.sources[0]["id"])
    assert caught.value.fault is fault
    assert "Connections > Sources > Acme production > Settings > API Keys" in caught.value.hint
    assert caught.value.hint.endswith("and paste that key")
    assert caught.value.is_pasteable


async def test_silence_without_a_new_key_says_so(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    workspace_api.problems = [goes_on, hangs_up]
    with pytest.raises(KeyRotationError, match="shows no new key") as caught:
        await make_key(api, workspace_api.sources[0]["id"])
    assert (caught.value.fault, caught.value.exit_code) == (RotationFault.UNREACHABLE, ExitCode.UNREACHABLE)
    assert len(keys_of_first(workspace_api)) == 1


async def test_silence_at_the_look_too_claims_nothing(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    workspace_api.set_faults("no-answer")
    workspace_api.problems = [goes_on, goes_on, answers(503), answers(503), answers(503)]
    with pytest.raises(KeyRotationError, match="whether a key was made is not known") as caught:
        await make_key(api, workspace_api.sources[0]["id"])
    assert caught.value.fault is RotationFault.UNKNOWN


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        ([workspace_lookalike.PRODUCTION_KEY], RotationFault.UNKNOWN),
        ([workspace_lookalike.PRODUCTION_KEY, "a" * 32, "b" * 32], RotationFault.AMBIGUOUS),
    ],
)
async def test_an_answer_that_names_no_single_new_key_is_told(
    api: PublicApiClient, workspace_api: WorkspaceLookalike, keys: list[str], fault: RotationFault
) -> None:
    answer = {"data": {"source": {**workspace_api.sources[0], "writeKeys": keys}}}
    workspace_api.problems = [goes_on, answers(200, answer)]
    with pytest.raises(KeyRotationError) as caught:
        await make_key(api, workspace_api.sources[0]["id"])
    assert caught.value.fault is fault
    assert "a" * 32 not in caught.value.message + caught.value.hint


async def test_a_source_that_is_gone_gets_no_key(api: PublicApiClient) -> None:
    with pytest.raises(KeyRotationError, match="not in the workspace any more"):
        await make_key(api, "nobody")


async def test_counts_since_the_switch_go_by_source(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    workspace_api.clock = ManualClock(NOW_MS)
    first, second, _ = (source["id"] for source in workspace_api.sources)
    workspace_api.add_counts(RECEIVED, first, NOW_MS - 119_000, 2, event=EVENT)
    workspace_api.add_counts(RECEIVED, second, NOW_MS - 119_000, 1, event="Another")
    workspace_api.add_counts(RECEIVED, second, NOW_MS - 3_600_000, 1, event=EVENT)
    counted = await counted_since(api, NOW_MS - 120_000, NOW_MS, (EVENT,))
    assert counted is not None
    assert [(count.source_id, count.source_name, count.total) for count in counted] == [(first, "Acme production", 2)]
    assert await counted_since(api, NOW_MS - 60_000, NOW_MS, (EVENT,)) is None, "too early to ask"
