"""ProfileApiClient on real sockets: one event found among a user's events."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from support import workspace_lookalike
from support.clocks import NOW_MS, ManualClock
from support.workspace_lookalike import WorkspaceLookalike, answers

from sprig_tui.config.environment import PublicApiToken
from sprig_tui.errors import SegmentApiError
from sprig_tui.segment.profile_api import FoundEvent, ProfileApiClient

START, END = NOW_MS - 60_000, NOW_MS
SECRET = "invented-profile-token"
NOT_FOUND = answers(404, {"error": {"code": "not_found", "message": "Profile was not found."}})


@pytest.fixture
async def api(workspace_api: WorkspaceLookalike) -> AsyncIterator[ProfileApiClient]:
    token = PublicApiToken(SECRET)
    async with ProfileApiClient(workspace_api.url, "spa/1", token, clock=ManualClock(), timeout=5.0) as opened:
        yield opened


def page(*ids: str, **cursor: Any) -> dict[str, Any]:
    data = [
        {
            "message_id": one,
            "event": "Answered",
            "timestamp": "2026-09-21T14:13:00.5Z",
            "source_id": "s1",
            "context": {},
        }
        for one in ids
    ]
    return {"data": data, "cursor": {"url": "/v1/x", **cursor}}


async def test_event_is_found_on_a_later_page(api: ProfileApiClient, workspace_api: WorkspaceLookalike) -> None:
    workspace_api.problems = [
        answers(200, page("a", has_more=True, next="MTUx")),
        answers(200, page("b", "m7", has_more=True, next="MTUy")),
    ]
    found = await api.find_event("user/7", "Answered", "m7", START, END)
    assert found == FoundEvent("m7", "Answered", 1_789_999_980_500, "s1")
    first, second = map(urlsplit, workspace_api.asked)
    assert first.path == "/v1/spaces/spa%2F1/collections/users/profiles/user_id:user%2F7/events"
    assert dict(parse_qsl(first.query)) == {
        "start": "2026-09-21T14:12:20.000Z",
        "end": "2026-09-21T14:13:20.000Z",
        "limit": "100",
        "include": "Answered",
    }
    assert dict(parse_qsl(second.query))["next"] == "MTUx"
    basic = workspace_api.headers[0]["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(basic) == f"{SECRET}:".encode()


async def test_id_is_asked_for_in_lower_case_first(api: ProfileApiClient, workspace_api: WorkspaceLookalike) -> None:
    workspace_api.problems = [NOT_FOUND, answers(200, page("m7", has_more=False, next=""))]
    assert await api.find_event("User-7", "Answered, again", "m7", START, END) is not None
    assert ["user_id:user-7" in workspace_api.asked[0], "user_id:User-7" in workspace_api.asked[1]] == [True, True]
    assert "include" not in workspace_api.asked[0], "a comma would divide the name"


async def test_unknown_user_and_missing_event_are_none(
    api: ProfileApiClient, workspace_api: WorkspaceLookalike
) -> None:
    workspace_api.problems = [NOT_FOUND, answers(200, page("a", has_more=False, next="x"))]
    assert await api.find_event("u", "Answered", "m7", START, END) is None
    assert await api.find_event("u", "Answered", "m7", START, END) is None
    assert api.requests == 2


@pytest.mark.parametrize("body", [{"cursor": {}}, b'{"data": [', {"data": {}}])
async def test_half_an_answer_is_an_error(api: ProfileApiClient, workspace_api: WorkspaceLookalike, body: Any) -> None:
    workspace_api.problems = [answers(200, body)]
    with pytest.raises(SegmentApiError, match="not what its documentation says"):
        await api.find_event("u", "Answered", "m7", START, END)


async def test_repeating_cursor_is_an_error_rather_than_an_absence(
    api: ProfileApiClient, workspace_api: WorkspaceLookalike
) -> None:
    workspace_api.problems = [answers(200, page("a", has_more=True, next="same"))] * 3
    with pytest.raises(SegmentApiError, match="do not come to an end"):
        await api.find_event("u", "Answered", "m7", START, END)


async def test_error_shows_neither_user_nor_token(api: ProfileApiClient, workspace_api: WorkspaceLookalike) -> None:
    basic = base64.b64encode(f"{SECRET}:".encode()).decode()
    told = {"error": {"code": "authentication_error", "message": f"no {SECRET} or {basic}"}}
    workspace_api.problems = [answers(401, told)]
    with pytest.raises(SegmentApiError, match="refuses the token") as caught:
        await api.find_event("ann@example.com", "Answered", "m7", START, END)
    text = f"{caught.value.message} {caught.value.hint} {caught.value.request}"
    assert all(secret not in text for secret in (SECRET, basic, "ann@", workspace_lookalike.TOKEN))
    assert caught.value.status == 401
