"""The client against the look-alike, on real sockets: what is asked, what is read, and every kind of trouble."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import pytest
from support import fake_segment_api
from support.clocks import NOW_MS, ManualClock
from support.fake_segment_api import FakeSegmentApi

from sprig_tui.config.environment import PublicApiToken
from sprig_tui.errors import ConfigError, ExitCode, SegmentApiError, SegmentApiUnreachableError
from sprig_tui.segment import public_api
from sprig_tui.segment.public_api import PublicApiClient

NOW = datetime.fromtimestamp(NOW_MS / 1000, tz=UTC)


class Waits(list[float]):
    """Waits that take no time."""

    async def __call__(self, seconds: float) -> None:
        self.append(seconds)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
async def api(workspace_api: FakeSegmentApi, waits: Waits) -> AsyncIterator[PublicApiClient]:
    token = PublicApiToken(fake_segment_api.TOKEN)
    async with PublicApiClient(workspace_api.url, token, clock=ManualClock(), timeout=5.0, sleep=waits) as opened:
        yield opened


async def test_sources_with_all_that_matters(api: PublicApiClient, workspace_api: FakeSegmentApi) -> None:
    first, second, third = await api.sources()
    assert (first.name, first.slug, first.kind) == ("Acme production", "acme-production", "HTTP API")
    assert first.labels == ("environment: prod",)
    assert first.write_keys == (fake_segment_api.PRODUCTION_KEY,)
    assert (first.enabled, third.enabled) == (True, False)
    assert second.id == workspace_api.sources[1]["id"]
    assert fake_segment_api.PRODUCTION_KEY not in repr((first, second, third))
    headers = workspace_api.headers[0]
    assert headers["Authorization"] == f"Bearer {fake_segment_api.TOKEN}"
    assert headers["Accept"].startswith("application/vnd.segment.v1+json")
    assert workspace_api.asked == ["/sources?pagination.count=200"]


async def test_pages_to_the_end(api: PublicApiClient, workspace_api: FakeSegmentApi) -> None:
    workspace_api.sources = [fake_segment_api.source(n, f"Source {n}", f"key{n:029d}") for n in range(451)]
    assert [one.name for one in await api.sources()] == [f"Source {n}" for n in range(451)]
    assert len(workspace_api.asked) == 3


async def test_no_sources_at_all(api: PublicApiClient, workspace_api: FakeSegmentApi) -> None:
    workspace_api.sources = []
    assert await api.sources() == ()


async def test_one_source_its_destinations_and_the_workspace(
    api: PublicApiClient, workspace_api: FakeSegmentApi
) -> None:
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


async def test_a_token_without_the_role_sees_no_keys(workspace_api: FakeSegmentApi) -> None:
    async with PublicApiClient(
        workspace_api.url, PublicApiToken(fake_segment_api.MEMBER_TOKEN), clock=ManualClock()
    ) as api:
        assert [one.write_keys for one in await api.sources()] == [(), (), ()]


async def test_what_may_be_missing_or_null_is(api: PublicApiClient, workspace_api: FakeSegmentApi) -> None:
    workspace_api.sources = [
        {"id": "a", "enabled": True},
        {"id": "b", "enabled": True, "slug": "web", "name": None, "labels": None, "writeKeys": None, "metadata": None},
    ]
    assert [(one.name, one.write_keys) for one in await api.sources()] == [("a", ()), ("web", ())]


async def test_a_refused_token_says_what_to_look_at(workspace_api: FakeSegmentApi) -> None:
    wrong = PublicApiToken("sgp_anInventedTokenThatIsNotKnown")
    async with PublicApiClient(workspace_api.url, wrong, clock=ManualClock()) as api:
        with pytest.raises(SegmentApiError, match=r"refuses the token \(401\): The token is missing") as caught:
            await api.sources()
    assert "other region" in caught.value.hint
    assert caught.value.exit_code == ExitCode.USAGE
    assert len(workspace_api.asked) == 1


@pytest.mark.parametrize("status", [403, 400, 422, 302, 204])
async def test_what_no_retry_helps_is_not_tried_again(
    api: PublicApiClient, workspace_api: FakeSegmentApi, status: int
) -> None:
    workspace_api.problems = [
        fake_segment_api.answers(status, b"" if status == 204 else b"<html>", location="https://x.example/")
    ]
    with pytest.raises(SegmentApiError, match=str(status)):
        await api.sources()
    assert len(workspace_api.asked) == 1


async def test_an_echoed_token_is_blotted_out(api: PublicApiClient, workspace_api: FakeSegmentApi) -> None:
    error = {"errors": [{"type": "x", "message": f"bad \x1b[31m token {fake_segment_api.TOKEN}"}]}
    workspace_api.problems = [fake_segment_api.answers(403, error)]
    with pytest.raises(SegmentApiError) as caught:
        await api.sources()
    assert fake_segment_api.TOKEN not in caught.value.message
    assert "\x1b" not in caught.value.message


async def test_what_passes_is_tried_again(api: PublicApiClient, workspace_api: FakeSegmentApi, waits: Waits) -> None:
    workspace_api.problems = [fake_segment_api.answers(503), fake_segment_api.hangs_up]
    assert len(await api.sources()) == 3
    assert waits == [0.5, 2.0]


@pytest.mark.parametrize("trouble", ["hangs_up", "breaks_off"])
async def test_no_answer_is_named_after_three_tries(
    api: PublicApiClient, workspace_api: FakeSegmentApi, trouble: str
) -> None:
    workspace_api.problems = [getattr(fake_segment_api, trouble)] * 3
    with pytest.raises(SegmentApiUnreachableError, match=r"no answer from 127\.0\.0\.1") as caught:
        await api.sources()
    assert caught.value.exit_code == ExitCode.UNREACHABLE


async def test_an_api_that_is_down(api: PublicApiClient, workspace_api: FakeSegmentApi) -> None:
    workspace_api.down()
    with pytest.raises(SegmentApiUnreachableError, match="connection refused"):
        await api.sources()


async def test_an_endless_body_is_left(
    api: PublicApiClient, workspace_api: FakeSegmentApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_api, "MAX_BODY_BYTES", 3_000_000)
    workspace_api.problems = [fake_segment_api.endless]
    with pytest.raises(SegmentApiError, match="larger than 3 MB"):
        await api.sources()


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, 57.647),
        ({"retry_after": "7"}, 7.0),
    ],
)
async def test_a_limit_is_waited_for_as_documented(
    workspace_api: FakeSegmentApi, waits: Waits, headers: dict[str, str], wait: float
) -> None:
    told: list[float] = []
    workspace_api.problems = [fake_segment_api.limited(57_647, **headers)]
    token = PublicApiToken(fake_segment_api.TOKEN)
    async with PublicApiClient(workspace_api.url, token, clock=ManualClock(), sleep=waits, on_wait=told.append) as api:
        assert len(await api.sources()) == 3
    assert waits == [wait]
    assert told == waits


async def test_a_limit_that_names_only_its_reset(
    api: PublicApiClient, workspace_api: FakeSegmentApi, waits: Waits
) -> None:
    reset = fake_segment_api.reset_at(NOW + timedelta(seconds=20))
    assert parsedate_to_datetime(reset)
    workspace_api.problems = [
        fake_segment_api.answers(429, b"", X_RateLimit_Reset=reset),
        fake_segment_api.answers(429),
    ]
    assert len(await api.sources()) == 3
    assert waits == [20.0, 5.0]


async def test_a_limit_that_would_take_too_long_is_named(
    api: PublicApiClient, workspace_api: FakeSegmentApi, waits: Waits
) -> None:
    workspace_api.problems = [fake_segment_api.limited(100_000), fake_segment_api.limited(100_000)]
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
async def test_what_is_no_list_of_sources_is_named(
    api: PublicApiClient, workspace_api: FakeSegmentApi, body: bytes
) -> None:
    workspace_api.problems = [fake_segment_api.answers(200, body)]
    with pytest.raises(SegmentApiError, match="not what its documentation says") as caught:
        await api.sources()
    assert "a key can be pasted as before" in caught.value.hint


async def test_pages_that_go_round_are_no_list(api: PublicApiClient, workspace_api: FakeSegmentApi) -> None:
    page = {"data": {"sources": [], "pagination": {"current": "MA==", "next": "MQ=="}}}
    workspace_api.problems = [fake_segment_api.answers(200, page)] * 3
    with pytest.raises(SegmentApiError, match="do not come to an end"):
        await api.sources()
    assert len(workspace_api.asked) == 2


async def test_a_compressed_answer(api: PublicApiClient, workspace_api: FakeSegmentApi) -> None:
    body = gzip.compress(b'{"data": {"sources": [{"id": "a", "enabled": true}]}}')
    workspace_api.problems = [fake_segment_api.answers(200, body, Content_Encoding="gzip")]
    assert [one.id for one in await api.sources()] == ["a"]


async def test_an_address_that_cannot_be_used() -> None:
    with pytest.raises(ConfigError, match="is not an address that can be used"):
        PublicApiClient("https://[::1", PublicApiToken(fake_segment_api.TOKEN), clock=ManualClock())
