"""Segment's own Python client gets a token from the fake Segment and delivers with it, unchanged."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import segment.analytics.oauth_manager
import segment.analytics.request
from segment.analytics.client import Client
from support.rsa_keys import private_pem, rsa_key, write_private_key

from sprig_tui.clock import SystemClock
from sprig_tui.segment.oauth.credentials import OAuthCredentials
from sprig_tui.segment.oauth.private_key import read_private_key
from sprig_tui.segment.oauth.token_source import TokenSource
from sprig_tui.segment.sink import Sink

KEY = "Zq8TinventedWriteKey0000000e1Rk1"


@pytest.fixture(autouse=True)
def _sessions() -> Iterator[None]:
    yield
    # the client keeps sessions for the process; their connections would outlive the sink
    segment.analytics.request._session.close()
    segment.analytics.oauth_manager._session.close()


async def test_official_client_delivers_with_a_token_and_asks_as_ours_does(tmp_path: Path) -> None:
    errors: list[Exception] = []
    async with Sink(keys={KEY: "Production"}, oauth_key=rsa_key().public_key()) as sink:

        def session() -> None:
            client = Client(
                KEY,
                host=sink.url,
                on_error=lambda error, _: errors.append(error),
                oauth_client_id="2Xapp",
                oauth_client_key=private_pem().decode(),
                oauth_key_id="2Xkey",
                oauth_auth_server=sink.url,
                max_retries=3,
            )
            for number in range(3):
                client.track(f"acct_{number}", "Survey answered", {"n": number})
            client.flush()
            client.join()

        await asyncio.to_thread(session)
        assert (errors, sink.stats.accepted) == ([], 3)
        assert {one.source for one in sink.received} == {"Production"}
        assert sink.token_server is not None
        theirs = sink.token_server.requests[0]
        key = read_private_key(write_private_key(tmp_path))
        credentials = OAuthCredentials(client_id="2Xapp", key_id="2Xkey", key=key, token_url=f"{sink.url}/token")
        await TokenSource(credentials, clock=SystemClock()).get()
        ours = sink.token_server.requests[-1]
    assert (theirs.status, ours.status) == (200, 200)
    assert theirs.header == ours.header
    assert {name: type(value) for name, value in theirs.claims.items()} == {
        name: type(value) for name, value in ours.claims.items()
    }
    for name in ("iss", "sub", "aud"):
        assert theirs.claims[name] == ours.claims[name]
    assert theirs.claims["exp"] - theirs.claims["iat"] == 60
    assert ours.claims["exp"] - ours.claims["iat"] == 55
