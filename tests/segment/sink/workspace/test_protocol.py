"""Protocol of the fake Public API: tokens, versions, pages, rate limit and errors, as documented."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime

import httpx
import pytest
from support.clocks import ManualClock
from support.workspace_lookalike import MEMBER_TOKEN, TOKEN, WorkspaceLookalike, source

Ask = Callable[..., httpx.Response]
V1, BETA, ALPHA = (f"application/vnd.segment.{name}+json" for name in ("v1", "v1beta", "v1alpha"))


def error_of(answer: httpx.Response) -> dict[str, object]:
    (error,) = answer.json()["errors"]
    return dict(error)


@pytest.mark.parametrize("token", ["", "sgp_anotherToken"])
def test_missing_or_unknown_token_is_rejected(ask: Ask, token: str) -> None:
    answer = ask("/sources", token=token)
    assert (answer.status_code, error_of(answer)["type"]) == (401, "unauthorized")


def test_member_sees_no_write_keys_and_changes_nothing(ask: Ask) -> None:
    shown = ask("/sources", token=MEMBER_TOKEN).json()["data"]["sources"]
    assert [one["writeKeys"] for one in shown] == [[], [], []]
    assert ask(f"/sources/{shown[0]['id']}", token=MEMBER_TOKEN).json()["data"]["source"]["writeKeys"] == []
    body = {"regulationType": "SUPPRESS_ONLY", "subjectType": "USER_ID", "subjectIds": ["acct_1"]}
    assert ask("/regulations", method="POST", token=MEMBER_TOKEN, body=body).status_code == 401


def test_permission_can_be_taken_from_every_token(api: WorkspaceLookalike, ask: Ask) -> None:
    api.workspace.denied = ["/suppressions"]
    assert ask("/suppressions").status_code == 401
    assert ask("/regulations").status_code == 200


@pytest.mark.parametrize(
    ("path", "accept", "answered"),
    [
        ("/sources", V1, V1),
        ("/sources", f"{V1}, application/json", V1),
        ("/sources", BETA, BETA),
        ("/sources", f"{ALPHA},application/json,{V1}", V1),
        ("/sources", "application/json", V1),
        ("/destinations/{destination}/subscriptions", "application/json", ALPHA),
        ("/destinations/{destination}/subscriptions", "application/vnd.segment.alpha+json", ALPHA),
        ("/destinations/{destination}/subscriptions", f"{V1}, application/json", ""),
        ("/destinations/{destination}/subscriptions", BETA, ""),
        ("/delivery-overview/successfully-received", V1, ""),
    ],
)
def test_version_goes_by_accept(api: WorkspaceLookalike, ask: Ask, path: str, accept: str, answered: str) -> None:
    answer = ask(path.format(destination=api.destinations[0]["id"]), accept=accept)
    if answered:
        assert (answer.status_code, answer.headers["content-type"]) == (200, answered)
    else:
        assert (answer.status_code, error_of(answer)["type"]) == (404, "not-found")


def test_pages_have_at_most_a_thousand_entries(api: WorkspaceLookalike, ask: Ask) -> None:
    api.sources = [source(n, f"Source {n}", f"key{n:029d}") for n in range(1_001)]
    first = ask("/sources?pagination.count=1000").json()["data"]
    assert (len(first["sources"]), first["pagination"]["totalEntries"]) == (1_000, 1_001)
    last = ask(f"/sources?pagination.count=1000&pagination.cursor={first['pagination']['next']}").json()["data"]
    assert [one["name"] for one in last["sources"]] == ["Source 1000"]
    assert "next" not in last["pagination"]
    assert last["pagination"]["previous"] == first["pagination"]["current"]
    assert len(ask("/sources").json()["data"]["sources"]) == 200


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("pagination.count=0", "pagination.count"),
        ("pagination.count=1001", "pagination.count"),
        ("pagination.count=many", "pagination.count"),
        ("pagination.cursor=???", "pagination.cursor"),
        ("pagination=5", "pagination"),
        ("pagination.a.b.c.d.e.f=5", "query"),
    ],
)
def test_invalid_page_is_rejected(ask: Ask, query: str, field: str) -> None:
    answer = ask(f"/sources?{query}")
    assert (answer.status_code, error_of(answer)["field"]) == (422, field)


def test_points_are_told_and_run_out_until_the_next_minute(
    api: WorkspaceLookalike, ask: Ask, clock: ManualClock
) -> None:
    api.service.api.points.per_minute = 3
    clock.ms -= clock.ms % 60_000 - 1_500  # so that 58.5 seconds of this minute are left
    remaining = [ask("/").headers["x-ratelimit-remaining"] for _ in range(3)]
    assert remaining == ["2", "1", "0"]
    limited = ask("/")
    assert limited.status_code == 429
    assert limited.headers["retry-after"] == "59"
    assert error_of(limited)["data"] == {"remainingPoints": 0, "msBeforeNext": 58_500, "consumedPoints": 4}
    assert ask("/", token=MEMBER_TOKEN).status_code == 200, "each token has points of its own"
    clock.advance(59)
    answer = ask("/")
    assert answer.status_code == 200
    assert parsedate_to_datetime(answer.headers["x-ratelimit-reset"]).timestamp() * 1000 > clock.ms


def test_volume_has_a_lower_limit(ask: Ask) -> None:
    assert [ask("/events/volume").status_code for _ in range(61)] == [422] * 60 + [429]
    assert ask("/sources").status_code == 200


def test_unknown_routes_ids_and_methods_are_404(api: WorkspaceLookalike, ask: Ask) -> None:
    for path in (
        "/nothing",
        "/sources/nobody",
        "/sources/nobody/settings",
        "/destinations/x",
        "/tracking-plans/x/rules",
    ):
        answer = ask(path)
        assert (answer.status_code, error_of(answer)["type"]) == (404, "not-found")
    assert ask("/suppressions", method="DELETE").status_code == 404


@pytest.mark.parametrize("content", ["{", "[]", "\xff"])
def test_body_that_is_no_object_is_rejected(api: WorkspaceLookalike, http: httpx.Client, content: str) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = http.post(f"{api.url}/regulations", content=content.encode("latin-1"), headers=headers)
    assert (answer.status_code, error_of(answer)["field"]) == (422, "body")


def test_oversize_body_is_rejected(api: WorkspaceLookalike, http: httpx.Client) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = http.post(f"{api.url}/regulations", content=b" " * 700_000, headers=headers)
    assert answer.status_code == 413


def test_echo_answers_with_errors_at_will(ask: Ask) -> None:
    data = ask("/echo?message=hello").json()["data"]
    assert (data["message"], data["method"]) == ("hello", "GET")
    assert "authorization" not in data["headers"]
    assert ask("/echo?triggerError=true&statusCode=503&message=x").status_code == 503
    assert ask("/echo?triggerError=true").status_code == 500


def test_tracking_and_admin_routes_stay_as_they_are(api: WorkspaceLookalike, http: httpx.Client) -> None:
    assert http.get(f"{api.url}/health").json() == {"ok": True}
    assert http.get(f"{api.url}/events").json() == {"total": 0, "events": []}
    assert http.post(f"{api.url}/v1/track", json={"event": "x"}).status_code == 400
