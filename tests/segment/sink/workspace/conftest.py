"""Fixtures of the tests of the fake workspace."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from support.clocks import ManualClock
from support.plain_http import PLAIN
from support.workspace_lookalike import PRODUCTION_KEY, TOKEN, WorkspaceLookalike

BETA = "application/vnd.segment.v1beta+json, application/json"
ALPHA = "application/vnd.segment.v1alpha+json, application/json"
SURVEY = "SDK - Submitted - Survey Response"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def api(clock: ManualClock) -> Iterator[WorkspaceLookalike]:
    """The look-alike, with a clock that stands still and counts that are seen at once."""
    with WorkspaceLookalike(clock=clock) as served:
        yield served


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False, verify=PLAIN) as client:
        yield client


@pytest.fixture
def ask(api: WorkspaceLookalike, http: httpx.Client) -> Callable[..., httpx.Response]:
    """Asks the Public API; a stage of the version goes to Accept."""

    def get(
        path: str, *, method: str = "GET", token: str = TOKEN, accept: str = "*/*", body: Any = None
    ) -> httpx.Response:
        headers = {"Accept": accept, **({"Authorization": f"Bearer {token}"} if token else {})}
        content = None if body is None else json.dumps(body)
        return http.request(method, api.url + path, headers=headers, content=content)

    return get


@pytest.fixture
def send(api: WorkspaceLookalike, http: httpx.Client) -> Callable[..., None]:
    """Sends survey answers with these message ids to the Tracking API; fields replace those of each call."""

    def post(*message_ids: str, key: str = PRODUCTION_KEY, **fields: Any) -> None:
        calls = [
            {"type": "track", "messageId": one, "userId": "acct_1", "event": SURVEY, "properties": {"a": 1}, **fields}
            for one in message_ids
        ]
        assert http.post(api.url + "/v1/batch", json={"batch": calls}, auth=(key, "")).json() == {"success": True}

    return post


@pytest.fixture
def count(api: WorkspaceLookalike, ask: Callable[..., httpx.Response], clock: ManualClock) -> Callable[..., Any]:
    """Totals of one step for the day around now: by discard reason, or with a dimension's name by that."""

    def totals(step: str, source: int = 0, destination: int | None = None, by: str = "") -> dict[str, int]:
        by = by or ("eventName" if step == "successfully-received" else "discardReason")
        day = clock.now() // 86_400_000 * 86_400_000
        query = {
            "sourceId": api.sources[source]["id"],
            "startTime": _iso(day - 3 * 86_400_000),
            "endTime": _iso(day + 86_400_000),
            "granularity": "DAY",
            "groupBy.0": by,
        }
        if destination is not None:
            query["destinationConfigId"] = api.destinations[destination]["id"]
        answer = ask(f"/delivery-overview/{step}?{httpx.QueryParams(query)}", accept=BETA)
        assert answer.status_code == 200, answer.text
        return {row[by]: row["total"] for row in answer.json()["data"]["dataset"]}

    return totals


def _iso(ms: int) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()
