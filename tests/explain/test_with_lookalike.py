"""The same eight causes as faults of the fake Segment's workspace, which knows nothing of explanations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from support.clocks import ManualClock
from support.explained_workspace import make_detail
from support.plain_http import PLAIN
from support.workspace_lookalike import PRODUCTION_KEY, PROFILE_SPACE, PROFILE_TOKEN, TOKEN, WorkspaceLookalike

from sprig_tui.config.paths import Paths, paths_in_folder
from sprig_tui.config.settings import load_settings
from sprig_tui.explain.explanation import collect, explain
from sprig_tui.explain.model import Answer, Check, Explanation, title
from sprig_tui.journal.records import DeliveryDetail

COUNTS = {Check.SOURCE_COUNTS, Check.DESTINATION_COUNTS}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def lookalike(clock: ManualClock) -> Iterator[WorkspaceLookalike]:
    with WorkspaceLookalike(clock=clock) as served:
        yield served


@pytest.fixture
def paths(tmp_path: Path, lookalike: WorkspaceLookalike) -> Paths:
    found = paths_in_folder(str(tmp_path / "home"))
    found.config_file.parent.mkdir()
    found.config_file.write_text(
        f'[environments.production]\nwrite_key = "{PRODUCTION_KEY}"\nendpoint = "{lookalike.url}"\n'
        f'[segment]\npublic_api_token = "{TOKEN}"\nregion = "{lookalike.url}"\n'
        f'profile_space = "{PROFILE_SPACE}"\nprofile_token = "{PROFILE_TOKEN}"\n'
    )
    return found


async def delivered_and_explained(
    lookalike: WorkspaceLookalike, paths: Paths, clock: ManualClock, detail: DeliveryDetail
) -> Explanation:
    """Deliver the call to the look-alike; explain it an hour later."""
    async with httpx.AsyncClient(trust_env=False, verify=PLAIN) as http:
        body = b'{"batch":[' + detail.body + b"]}"
        taken = await http.post(f"{lookalike.url}/v1/batch", content=body, auth=(PRODUCTION_KEY, ""))
        assert taken.status_code == 200
    clock.advance(3_600)
    lines = explain(detail, load_settings(paths, {}), paths, clock=clock, send_payload=True)
    return await collect(detail, lines)


@pytest.mark.parametrize(
    ("fault", "body", "check"),
    [
        ("unknown@source:Acme production", {}, Check.KEY),
        ("disabled@source:Acme production", {}, Check.SOURCE_ENABLED),
        ("suppressed=u1", {}, Check.USER),
        ("", {"integrations": {"All": True, "Amplitude": False}}, Check.DESTINATION_INTEGRATIONS),
        ("violating@source:Acme production", {}, Check.PLAN),
        ("disabled@destination:Amplitude", {}, Check.DESTINATION_ENABLED),
        ('filtered=type = "track"@destination:Amplitude', {}, Check.FILTERS),
        ("unmapped@destination:Amplitude", {}, Check.MAPPINGS),
    ],
)
async def test_a_fault_of_the_workspace_is_named_by_its_line(
    lookalike: WorkspaceLookalike, paths: Paths, clock: ManualClock, fault: str, body: dict[str, object], check: Check
) -> None:
    detail = make_detail(body, settled_at=clock.now(), endpoint=lookalike.url)
    lookalike.set_faults(*([fault] if fault else []))
    found = await delivered_and_explained(lookalike, paths, clock, detail)
    refused = {line.check for line in found.lines if line.answer is Answer.NO and line.subject != "Customer.io"}
    assert refused - COUNTS - {Check.INTEGRATIONS} == {check}, [title(line) for line in found.lines]


async def test_an_answer_that_arrived_is_found_counted_and_proven(
    lookalike: WorkspaceLookalike, paths: Paths, clock: ManualClock
) -> None:
    detail = make_detail({"timestamp": "2026-09-21T14:10:00Z"}, settled_at=clock.now(), endpoint=lookalike.url)
    found = await delivered_and_explained(lookalike, paths, clock, detail)
    answers = {line.check: line.answer for line in found.lines if line.subject != "Customer.io"}
    assert answers[Check.SOURCE_COUNTS] is Answer.YES
    assert answers[Check.DESTINATION_COUNTS] is Answer.YES
    assert answers[Check.PROFILE] is Answer.YES
    assert not [line for line in found.lines if line.answer is Answer.NO and line.subject != "Customer.io"]
