"""Queries as each official SDK writes them, byte for byte, with the Accept that it sends.

TypeScript: recorded from @segment/public-api-sdk-typescript 47.0.0 (querystring of the package `request`). Python and
Go, 73: `parameters_to_url_query` of segment_public_api/api_client.py, `parameterAddToHeaderOrQuery` of api/client.go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import httpx
import pytest
from support.clocks import NOW_MS
from support.workspace_lookalike import WorkspaceLookalike

from sprig_tui.segment.sink.workspace.metrics_routes import iso

SURVEY = "SDK - Submitted - Survey Response"
HOUR = 3_600_000
START, END = iso(NOW_MS - HOUR), iso(NOW_MS + HOUR)
QUOTED_START, QUOTED_END = START.replace(":", "%3A"), END.replace(":", "%3A")
V1, BETA = "application/vnd.segment.v1+json", "application/vnd.segment.v1beta+json"


class Sdk(NamedTuple):
    """What one SDK writes."""

    page: str
    overview: str
    volume: str
    accepts: tuple[str, str]
    """For a v1 route, and for a beta one."""


SDKS = {
    "typescript": Sdk(
        "pagination%5Bcount%5D=2",
        f"startTime={QUOTED_START}&endTime={QUOTED_END}&groupBy%5B0%5D=eventName&groupBy%5B1%5D=eventType"
        "&granularity=hour&filter%5BeventName%5D%5B0%5D=SDK%20-%20Submitted%20-%20Survey%20Response"
        "&pagination%5Bcount%5D=2",
        f"granularity=HOUR&startTime={QUOTED_START}&endTime={QUOTED_END}&groupBy%5B0%5D=source"
        "&eventName%5B0%5D=SDK%20-%20Submitted%20-%20Survey%20Response&pagination%5Bcount%5D=2",
        ("application/json", "application/json"),
    ),
    "python": Sdk(
        "pagination=%7B%22count%22%3A%202%7D",
        f"startTime={QUOTED_START}&endTime={QUOTED_END}&granularity=HOUR&groupBy.0=eventName&groupBy.1=eventType"
        "&filter=%7B%22eventName%22%3A%20%5B%22SDK%20-%20Submitted%20-%20Survey%20Response%22%5D%7D"
        "&pagination=%7B%22count%22%3A%202.0%7D",
        f"granularity=HOUR&startTime={QUOTED_START}&endTime={QUOTED_END}&groupBy.0=source"
        "&eventName.0=SDK%20-%20Submitted%20-%20Survey%20Response&pagination=%7B%22count%22%3A%202%7D",
        (V1, BETA),
    ),
    "go": Sdk(
        "pagination[count]=2",
        f"endTime={QUOTED_END}&filter[eventName].0=SDK+-+Submitted+-+Survey+Response&granularity=HOUR"
        f"&groupBy.0=eventName&groupBy.1=eventType&pagination[count]=2&startTime={QUOTED_START}",
        f"endTime={QUOTED_END}&eventName.0=SDK+-+Submitted+-+Survey+Response&granularity=HOUR&groupBy.0=source"
        f"&pagination[count]=2&startTime={QUOTED_START}",
        ("application/json", "application/json"),
    ),
    "documentation": Sdk(
        "pagination.count=2",
        f"startTime={START}&endTime={END}&granularity=HOUR&groupBy.0=eventName&groupBy.1=eventType&pagination.count=2"
        f"&filter.eventName.0=SDK+-+Submitted+-+Survey+Response",
        f"granularity=HOUR&startTime={START}&endTime={END}&groupBy.0=source&eventName.0={SURVEY}&pagination.count=2",
        (f"{V1}, application/json", f"{BETA}, application/json"),
    ),
    "repeated": Sdk(
        "pagination[count]=2",
        f"startTime={START}&endTime={END}&granularity=Hour&groupBy[]=eventName&groupBy[]=eventType&pagination.count=2",
        f"granularity=hour&startTime={START}&endTime={END}&groupBy=source&eventName={SURVEY}&eventName=Other",
        ("", "*/*"),
    ),
    "json lists": Sdk(
        'pagination={"count":2}',
        f'startTime={START}&endTime={END}&granularity=HOUR&groupBy=["eventName","eventType"]&filter={{}}',
        f'granularity=HOUR&startTime={START}&endTime={END}&groupBy=["source"]&eventName=["{SURVEY}"]',
        ("*/*", "*/*"),
    ),
}


@pytest.mark.parametrize("name", SDKS)
def test_sdk_is_understood(
    api: WorkspaceLookalike, ask: Callable[..., httpx.Response], send: Callable[..., None], name: str
) -> None:
    sdk = SDKS[name]
    api.workspace.suppressed = ["acct_7", "acct_8", "acct_9"]
    send("m1", "m2", "m3")

    def data(path: str, stage: int = 0) -> Any:
        answer = ask(path, accept=sdk.accepts[stage])
        assert answer.status_code == 200, (path, answer.text)
        return answer.json()["data"]

    first = data(f"/sources?{sdk.page}")
    assert [one["name"] for one in first["sources"]] == ["Acme production", "Acme dev"]
    assert first["pagination"]["next"]
    assert len(data(f"/destinations?{sdk.page}")["destinations"]) == 2
    assert len(data(f"/suppressions?{sdk.page}")["suppressed"]) == 2
    overview = data(f"/delivery-overview/successfully-received?sourceId={api.sources[0]['id']}&{sdk.overview}", 1)
    (row,) = overview["dataset"]
    assert (row["eventName"], row["eventType"], row["total"]) == (SURVEY, "track", 3)
    (volume,) = data(f"/events/volume?{sdk.volume}")["result"]
    assert (volume["source"]["id"], volume["total"]) == (api.sources[0]["id"], 3)


def test_cursor_is_understood_in_each_notation(ask: Callable[..., httpx.Response]) -> None:
    cursor = ask("/sources?pagination.count=1").json()["data"]["pagination"]["next"]
    quoted = cursor.replace("=", "%3D")
    for query in (
        f"pagination.count=1&pagination.cursor={quoted}",
        f"pagination%5Bcursor%5D={quoted}&pagination%5Bcount%5D=1",
        f"pagination=%7B%22cursor%22%3A%20%22{quoted}%22%2C%20%22count%22%3A%201%7D",
    ):
        assert ask(f"/sources?{query}").json()["data"]["sources"][0]["name"] == "Acme dev"
