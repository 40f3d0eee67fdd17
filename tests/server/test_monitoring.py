"""Health server of `run --metrics`, on a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from sprig_tui.config.environment import Environment, WebhookToken
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.server.monitoring import HEALTH_LIMITS, HealthServer
from sprig_tui.server.server import bind, running_server

TOKEN = "production-token-0123456789"
ENVIRONMENTS = {"production": Environment(name="production", webhook_token=WebhookToken(TOKEN))}


class Post:
    def __init__(self, watchpost: HealthServer, journal: SQLiteJournal, client: httpx.AsyncClient) -> None:
        self.watchpost, self.journal, self.client = watchpost, journal, client

    async def ask(self, path: str, token: str = "") -> httpx.Response:
        return await self.client.get(path, headers={"authorization": f"Bearer {token}"} if token else {})


@pytest.fixture
def serve(tmp_path) -> Callable:
    @asynccontextmanager
    async def start(*, trusting: bool) -> AsyncIterator[Post]:
        async with SQLiteJournal(tmp_path / "j.db") as journal:
            watchpost = HealthServer(journal, ENVIRONMENTS, allow_anonymous=trusting)
            async with (
                running_server(watchpost.app, bind("127.0.0.1", 0), HEALTH_LIMITS, traffic=watchpost.traffic) as up,
                httpx.AsyncClient(base_url=up.url, trust_env=False) as client,
            ):
                yield Post(watchpost, journal, client)

    return start


async def test_readyz_follows_config_stop_and_journal(serve):
    async with serve(trusting=True) as post:
        assert (await post.ask("/healthz")).json() == {"alive": True}
        assert (await post.ask("/readyz")).json() == {
            "ready": True,
            "stopping": False,
            "journal": "writable",
            "lanes": {},
            "config": "in use",
        }
        post.watchpost.set_config_problem("it is empty")
        told = (await post.ask("/readyz")).json()
        assert (told["ready"], told["config"]) == (True, "the previous one is in use: it is empty")
        post.watchpost.set_stopping()
        done = await post.ask("/readyz")
        assert (done.status_code, done.json()["stopping"]) == (503, True)
        await post.journal.close()
        assert (await post.ask("/healthz")).status_code == 200
        assert "sprig_tui_journal_readable 0.0" in (await post.ask("/metrics")).text


async def test_health_server_has_no_other_routes(serve):
    async with serve(trusting=True) as post:
        done = await post.ask("/webhooks/production")
        assert (done.status_code, "/metrics" in done.json()["error"]) == (404, True)
        assert (await post.client.post("/metrics")).status_code == 405


async def test_readyz_hides_details_without_a_token(serve):
    async with serve(trusting=False) as post:
        assert (await post.ask("/readyz")).json() == {"ready": True, "stopping": False}
        assert (await post.ask("/metrics")).status_code == 401
        assert (await post.ask("/metrics", "wrong")).status_code == 401
        assert (await post.ask("/metrics", TOKEN)).status_code == 200
        assert (await post.ask("/readyz", TOKEN)).json()["journal"] == "writable"
        post.watchpost.reconfigure({"production": Environment(name="production")})
        assert (await post.ask("/metrics", TOKEN)).status_code == 401, "that token is no longer one"
