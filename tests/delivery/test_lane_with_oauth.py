"""Lanes of sources that require OAuth: what they wait and pause for, and how they resume."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.engine_bench import Bench
from support.rsa_keys import rsa_key, write_private_key

from sprig_tui.config.environment import Environment
from sprig_tui.journal.pause_reasons import PauseReason
from sprig_tui.journal.records import Lane, State
from sprig_tui.segment.oauth.credentials import OAuthCredentials
from sprig_tui.segment.oauth.private_key import read_private_key
from sprig_tui.segment.sink import Sink


@pytest.fixture(scope="module")
def key_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_private_key(tmp_path_factory.mktemp("oauth"))


def with_oauth(environment: Environment, file: Path) -> Environment:
    return replace(environment, oauth=OAuthCredentials(client_id="2Xapp", key_id="2Xkey", key=read_private_key(file)))


def oauth_sink(bench: Bench, *token_faults: str, faults: tuple[str, ...] = ()) -> Sink:
    return Sink(clock=bench.time, oauth_key=rsa_key().public_key(), token_faults=token_faults, faults=faults)


async def test_lane_delivers_all_with_one_token(bench: Bench, key_file: Path) -> None:
    ids = await bench.queue(range(300), poison=(5,))
    async with (
        oauth_sink(bench, faults=("400~POISON",)) as sink,
        bench.engine(with_oauth(bench.environment(sink.url), key_file)) as engine,
    ):
        engine.wake()
        await bench.settled(engine)
        assert sink.token_server is not None
        # the second one for the 400, which each half of the batch with the bad event gets as well
        assert [one.status for one in sink.token_server.requests] == [200, 200]
        assert sink.stats.accepted == 299
    assert Counter(await bench.states(ids)) == {State.DELIVERED: 299, State.FAILED: 1}


@pytest.mark.parametrize(
    ("rule", "cause"),
    [
        ("503@1-3", "no OAuth token from {url}/token (503): http 503"),
        ("reset@1-3", "no OAuth token from {url}/token: connection reset"),
        ("429+retry-after=7@1-3", "no OAuth token from {url}/token (429): http 429, asked for 7 s"),
        ("html@1-3", "no OAuth token from {url}/token (200): its answer is no JSON object"),
    ],
)
async def test_token_server_that_fails_costs_no_delivery_a_retry(
    bench: Bench, key_file: Path, rule: str, cause: str
) -> None:
    ids = await bench.queue(range(3))
    causes: set[str] = set()
    async with oauth_sink(bench, rule) as sink:
        environment = with_oauth(bench.environment(sink.url), key_file)
        async with bench.engine(environment, max_retries=0, retry_window=0) as engine:
            engine.wake()

            def settled() -> bool:
                lane = engine.snapshot().environments["production"].lane
                if lane.state != "open":
                    assert lane.reason is PauseReason.TOKEN_SERVER_FAILED
                    causes.add(lane.cause)
                return sink.stats.accepted == 3

            await bench.until(settled, engine)
        await bench.settled(engine)
        assert causes == {cause.format(url=sink.url)}
    assert Counter(await bench.states(ids)) == {State.DELIVERED: 3}
    (detail, *_) = await bench.details(ids)
    assert [(one.status, one.outcome) for one in detail.history] == [(200, "delivered")]
    assert detail.delivery.attempts == 1


async def paused_lane(bench: Bench, environment: Environment) -> Lane:
    async with bench.engine(environment) as engine:
        engine.wake()
        await bench.until(lambda: engine.snapshot().environments["production"].lane.state == "paused", engine)
    return await bench.lane()


async def test_client_that_the_token_server_refuses_pauses_the_lane_until_the_key_file_is_another(
    bench: Bench, key_file: Path, tmp_path: Path
) -> None:
    ids = await bench.queue(range(3))
    wrong = write_private_key(tmp_path, key=rsa_key(2))
    async with oauth_sink(bench) as sink:
        before = with_oauth(bench.environment(sink.url), wrong)
        async with bench.engine(before) as engine:
            engine.wake()
            await bench.until(lambda: engine.snapshot().environments["production"].lane.state == "paused", engine)
            lane = await bench.lane()
            assert lane.reason is PauseReason.OAUTH_CLIENT_REFUSED
            assert lane.cause == (
                f"{sink.url}/token refuses the OAuth client 2Xapp (401): "
                "invalid_client: the assertion is not valid: InvalidSignatureError"
            )
            assert lane.last_status == 0, "the endpoint was not asked"
            # the same path and ids, another key in it
            write_private_key(tmp_path)
            await engine.reload({"production": with_oauth(bench.environment(sink.url), wrong)})
            await bench.settled(engine)
        assert sink.stats.accepted == 3
    assert Counter(await bench.states(ids)) == {State.DELIVERED: 3}


async def test_lane_paused_over_a_key_file_resumes_at_the_next_start_with_a_good_one(
    bench: Bench, key_file: Path, tmp_path: Path
) -> None:
    ids = await bench.queue(range(2))
    async with oauth_sink(bench) as sink:
        lane = await paused_lane(bench, with_oauth(bench.environment(sink.url), tmp_path / "missing.pem"))
        assert lane.reason is PauseReason.OAUTH_KEY_UNUSABLE
        assert lane.cause.startswith(f"the private key {tmp_path}/missing.pem is not there: ")
        assert sink.token_server is not None
        assert sink.token_server.requests == []
        async with bench.engine(with_oauth(bench.environment(sink.url), key_file)) as engine:
            engine.wake()
            await bench.settled(engine)
    assert Counter(await bench.states(ids)) == {State.DELIVERED: 2}


async def test_token_that_segment_refuses_twice_pauses_the_lane_and_names_the_client(
    bench: Bench, key_file: Path
) -> None:
    await bench.queue(range(2))
    async with oauth_sink(bench, faults=("403",)) as sink:
        lane = await paused_lane(bench, with_oauth(bench.environment(sink.url), key_file))
    assert lane.reason is PauseReason.OAUTH_TOKEN_REFUSED
    assert lane.cause == "Segment refuses the OAuth token of client 2Xapp, and a new one too (403)"


async def test_source_that_requires_oauth_resumes_once_the_config_has_it(bench: Bench, key_file: Path) -> None:
    ids = await bench.queue(range(2))
    async with oauth_sink(bench) as sink:
        lane = await paused_lane(bench, bench.environment(sink.url))
        assert lane.reason is PauseReason.KEY_REFUSED
        async with bench.engine(with_oauth(bench.environment(sink.url), key_file)) as engine:
            engine.wake()
            await bench.settled(engine)
    assert Counter(await bench.states(ids)) == {State.DELIVERED: 2}


async def test_511_is_retried_with_oauth_and_loses_nothing(bench: Bench, key_file: Path) -> None:
    ids = await bench.queue(range(2))
    async with oauth_sink(bench, faults=("511@1-4",)) as sink:
        async with bench.engine(with_oauth(bench.environment(sink.url), key_file)) as engine:
            engine.wake()
            await bench.settled(engine)
        assert sink.stats.statuses == {"511": 4, "200": 1}
    assert Counter(await bench.states(ids)) == {State.DELIVERED: 2}


async def test_reload_of_another_setting_keeps_the_token(bench: Bench, key_file: Path) -> None:
    await bench.queue(range(2))
    async with oauth_sink(bench) as sink:
        environment = with_oauth(bench.environment(sink.url), key_file)
        async with bench.engine(environment) as engine:
            engine.wake()
            await bench.settled(engine)
            await engine.reload({"production": replace(environment, requests_per_second=40.0)})
            await bench.queue(range(2, 4))
            engine.wake()
            await bench.settled(engine)
            assert sink.stats.accepted == 4
            assert sink.token_server is not None
            assert len(sink.token_server.requests) == 1
