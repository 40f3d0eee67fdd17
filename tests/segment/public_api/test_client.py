"""PublicApiClient against the fake Public API on real sockets: requests, records and errors."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
from support import workspace_lookalike
from support.clocks import NOW_MS, ManualClock
from support.workspace_lookalike import WorkspaceLookalike

from sprig_tui.config.environment import PublicApiToken
from sprig_tui.errors import ConfigError, ExitCode, SegmentApiError, SegmentApiUnreachableError
from sprig_tui.segment import api_transport
from sprig_tui.segment.public_api import PublicApiClient
from sprig_tui.segment.public_api_models import MAX_NAME_CHARS

NOW = datetime.fromtimestamp(NOW_MS / 1000, tz=UTC)


class Waits(list[float]):
    """Waits that take no time."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
async def api(workspace_api: WorkspaceLookalike, waits: Waits) -> AsyncIterator[PublicApiClient]:
    token = PublicApiToken(workspace_lookalike.TOKEN)
    async with PublicApiClient(workspace_api.url, token, clock=ManualClock(), timeout=5.0, sleep=waits) as opened:
        yield opened


async def test_sources_have_all_fields(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    first, second, third = await api.sources()
    assert (first.name, first.slug, first.kind) == ("Acme production", "acme-production", "HTTP API")
    assert first.labels == ("environment: prod",)
    assert first.write_keys == (workspace_lookalike.PRODUCTION_KEY,)
    assert (first.enabled, third.enabled) == (True, False)
    assert second.id == workspace_api.sources[1]["id"]
    assert workspace_lookalike.PRODUCTION_KEY not in repr((first, second, third))
    headers = workspace_api.headers[0]
    assert headers["Authorization"] == f"Bearer {workspace_lookalike.TOKEN}"
    assert headers["Accept"].startswith("application/vnd.segment.v1+json")
    assert workspace_api.asked == ["/sources?pagination.count=1000"]


async def test_a_name_without_end_is_cut(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    source, name = workspace_api.sources[0], "W" * 10_000
    source["name"], source["metadata"]["name"], source["labels"][0]["value"] = name, name, name
    first = (await api.sources())[0]
    assert all(len(text) == MAX_NAME_CHARS for text in (first.name, first.kind, *first.labels))
    assert first.name.endswith("W…")


async def test_the_server_tells_its_time(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    assert api.clock_ahead_s is None
    await api.sources()
    assert api.clock_ahead_s is not None
    assert api.clock_ahead_s < -86_400, "this clock stands still in the past"


@pytest.mark.parametrize(
    ("token", "route_is_rejected", "told", "asked"),
    [
        (workspace_lookalike.TOKEN, False, [True], 1),
        (workspace_lookalike.TOKEN, True, [True], 2),
        ("sgp_anInventedTokenThatIsNotKnown", False, [False], 2),
    ],
)
async def test_rejected_token_is_told_from_one_without_a_permission(
    workspace_api: WorkspaceLookalike, token: str, *, route_is_rejected: bool, told: list[bool], asked: int
) -> None:
    seen: list[bool] = []
    secret = PublicApiToken(token)
    async with PublicApiClient(workspace_api.url, secret, clock=ManualClock(), on_token=seen.append) as client:
        if route_is_rejected:
            workspace_api.problems = [workspace_lookalike.answers(401)]
        with suppress(SegmentApiError):
            await client.sources()
        assert (seen, len(workspace_api.asked)) == (told, asked)
        with suppress(SegmentApiError):
            await client.sources()
        assert (seen, len(workspace_api.asked)) == (told, asked + 1), "it is told once"


async def test_all_pages_are_read(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    workspace_api.sources = [workspace_lookalike.source(n, f"Source {n}", f"key{n:029d}") for n in range(451)]
    workspace_api.page_size = 200
    assert [one.name for one in await api.sources()] == [f"Source {n}" for n in range(451)]
    assert len(workspace_api.asked) == 3


async def test_workspace_without_sources(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    workspace_api.sources = []
    assert await api.sources() == ()


async def test_source_destinations_and_workspace_name(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    source_id = workspace_api.sources[0]["id"]
    found = await api.source(source_id)
    assert found is not None
    assert found.name == "Acme production"
    assert await api.source("nothing/../of that?id") is None
    assert workspace_api.asked[-1] == "/sources/nothing%2F..%2Fof%20that%3Fid"
    assert [(one.name, one.enabled) for one in await api.destinations(source_id)] == [
        ("Amplitude", True),
        ("Customer.io", False),
    ]
    assert await api.destinations(workspace_api.sources[1]["id"]) == ()
    assert await api.workspace() == "Acme"


async def test_sources_without_write_keys_for_a_restricted_token(workspace_api: WorkspaceLookalike) -> None:
    async with PublicApiClient(
        workspace_api.url, PublicApiToken(workspace_lookalike.MEMBER_TOKEN), clock=ManualClock()
    ) as api:
        assert [one.write_keys for one in await api.sources()] == [(), (), ()]


async def test_optional_fields_may_be_missing_or_null(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    workspace_api.sources = [
        {"id": "a", "enabled": True},
        {"id": "b", "enabled": True, "slug": "web", "name": None, "labels": None, "writeKeys": None, "metadata": None},
    ]
    assert [(one.name, one.write_keys) for one in await api.sources()] == [("a", ()), ("web", ())]


async def test_rejected_token_error_has_a_hint(workspace_api: WorkspaceLookalike) -> None:
    wrong = PublicApiToken("sgp_anInventedTokenThatIsNotKnown")
    async with PublicApiClient(workspace_api.url, wrong, clock=ManualClock()) as api:
        with pytest.raises(SegmentApiError, match=r"refuses the token for GET /sources \(401\): The token") as caught:
            await api.sources()
    assert (caught.value.status, caught.value.request) == (401, "GET /sources")
    assert "other region" in caught.value.hint
    assert caught.value.exit_code == ExitCode.USAGE
    assert len(workspace_api.asked) == 1


@pytest.mark.parametrize("status", [403, 400, 409, 413, 302, 204])
async def test_permanent_error_is_not_retried(
    api: PublicApiClient, workspace_api: WorkspaceLookalike, status: int
) -> None:
    workspace_api.problems = [
        workspace_lookalike.answers(status, b"" if status == 204 else b"<html>", location="https://x.example/")
    ]
    with pytest.raises(SegmentApiError, match=str(status)):
        await api.sources()
    assert len(workspace_api.asked) == 1


async def test_echoed_token_is_redacted(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    error = {"errors": [{"type": "x", "message": f"bad \x1b[31m token {workspace_lookalike.TOKEN}"}]}
    workspace_api.problems = [workspace_lookalike.answers(403, error)]
    with pytest.raises(SegmentApiError) as caught:
        await api.sources()
    assert workspace_lookalike.TOKEN not in caught.value.message
    assert "\x1b" not in caught.value.message


async def test_transient_error_is_retried(
    api: PublicApiClient, workspace_api: WorkspaceLookalike, waits: Waits
) -> None:
    workspace_api.problems = [workspace_lookalike.answers(503), workspace_lookalike.hangs_up]
    assert len(await api.sources()) == 3
    assert waits == [0.5, 2.0]


@pytest.mark.parametrize("trouble", ["hangs_up", "breaks_off"])
async def test_missing_response_is_an_error_after_three_attempts(
    api: PublicApiClient, workspace_api: WorkspaceLookalike, trouble: str
) -> None:
    workspace_api.problems = [getattr(workspace_lookalike, trouble)] * 3
    with pytest.raises(SegmentApiUnreachableError, match=r"no answer from 127\.0\.0\.1") as caught:
        await api.sources()
    assert caught.value.exit_code == ExitCode.UNREACHABLE


async def test_unreachable_api_is_an_error(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    workspace_api.down()
    with pytest.raises(SegmentApiUnreachableError, match="connection refused"):
        await api.sources()


async def test_oversize_page_is_asked_for_in_pieces_and_else_an_error(
    api: PublicApiClient, workspace_api: WorkspaceLookalike, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_transport, "MAX_BODY_BYTES", 3_000_000)
    workspace_api.problems = [workspace_lookalike.endless]
    assert len(await api.sources()) == 3
    assert [path.rpartition("=")[2] for path in workspace_api.asked] == ["1000", "200"]
    workspace_api.problems = [workspace_lookalike.endless] * 2
    with pytest.raises(SegmentApiError, match="larger than 3 MB"):
        await api.sources()


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, 57.647),
        ({"retry_after": "7"}, 7.0),
    ],
)
async def test_rate_limit_is_waited_for(
    workspace_api: WorkspaceLookalike, waits: Waits, headers: dict[str, str], wait: float
) -> None:
    told: list[float] = []
    workspace_api.problems = [workspace_lookalike.limited(57_647, **headers)]
    token = PublicApiToken(workspace_lookalike.TOKEN)
    async with PublicApiClient(workspace_api.url, token, clock=ManualClock(), sleep=waits, on_wait=told.append) as api:
        assert len(await api.sources()) == 3
    assert waits == [wait]
    assert told == waits


async def test_rate_limit_with_only_a_reset_date(
    api: PublicApiClient, workspace_api: WorkspaceLookalike, waits: Waits
) -> None:
    reset = workspace_lookalike.reset_at(NOW + timedelta(seconds=20))
    assert parsedate_to_datetime(reset)
    workspace_api.problems = [
        workspace_lookalike.answers(429, b"", X_RateLimit_Reset=reset),
        workspace_lookalike.answers(429),
    ]
    assert len(await api.sources()) == 3
    assert waits == [20.0, 5.0]


async def test_rate_limit_with_a_long_wait_is_an_error(
    api: PublicApiClient, workspace_api: WorkspaceLookalike, waits: Waits
) -> None:
    workspace_api.problems = [workspace_lookalike.limited(100_000), workspace_lookalike.limited(100_000)]
    with pytest.raises(SegmentApiUnreachableError, match="asks to wait 100 s"):
        await api.sources()
    assert waits == [100.0]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>sign in</html>",
        b"[]",
        b'{"data": {"sources": {}}}',
        b'{"data": {"sources": [{"id": 5, "enabled": true}]}}',
        b'{"data": {"sources": [{"id": "a", "enabled": "yes"}]}}',
        b'{"data": {}}',
        b'{"sources": []}',
        b'{"data":' * 5_000,
        b"\xff\xfe",
    ],
)
async def test_invalid_list_of_sources_is_an_error(
    api: PublicApiClient, workspace_api: WorkspaceLookalike, body: bytes
) -> None:
    workspace_api.problems = [workspace_lookalike.answers(200, body)]
    with pytest.raises(SegmentApiError, match="not what its documentation says") as caught:
        await api.sources()
    assert "the API may have changed" in caught.value.hint


async def test_repeating_cursor_is_an_error(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    page = {"data": {"sources": [], "pagination": {"current": "MA==", "next": "MQ=="}}}
    workspace_api.problems = [workspace_lookalike.answers(200, page)] * 3
    with pytest.raises(SegmentApiError, match="do not come to an end"):
        await api.sources()
    assert len(workspace_api.asked) == 2


async def test_gzip_response_is_read(api: PublicApiClient, workspace_api: WorkspaceLookalike) -> None:
    body = gzip.compress(b'{"data": {"sources": [{"id": "a", "enabled": true}]}}')
    workspace_api.problems = [workspace_lookalike.answers(200, body, Content_Encoding="gzip")]
    assert [one.id for one in await api.sources()] == ["a"]


async def test_invalid_address_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="is not an address that can be used"):
        PublicApiClient("https://[::1", PublicApiToken(workspace_lookalike.TOKEN), clock=ManualClock())
