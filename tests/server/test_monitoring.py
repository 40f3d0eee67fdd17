"""Health server of `run --metrics`, on a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from support.plain_http import PLAIN

from sprig_tui.config.environment import Environment, WebhookToken
from sprig_tui.journal.notes import load_notes
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.server.monitoring import HEALTH_LIMITS, HealthServer
from sprig_tui.server.server import bind, running_server

TOKEN = "production-token-0123456789"
ENVIRONMENTS = {"production": Environment(name="production", webhook_token=WebhookToken(TOKEN))}


class ServedHealth:
    def __init__(self, health_server: HealthServer, journal: SQLiteJournal, client: httpx.AsyncClient) -> None:
        self.health_server, self.journal, self.client = health_server, journal, client

    async def ask(self, path: str, token: str = "") -> httpx.Response:
        return await self.client.get(path, headers={"authorization": f"Bearer {token}"} if token else {})


@pytest.fixture
def serve(tmp_path) -> Callable:
    @asynccontextmanager
    async def start(*, trusting: bool) -> AsyncIterator[ServedHealth]:
        async with SQLiteJournal(tmp_path / "j.db") as journal:
            health_server = HealthServer(journal, ENVIRONMENTS, allow_anonymous=trusting)
            async with (
                running_server(
                    health_server.application, bind("127.0.0.1", 0), HEALTH_LIMITS, traffic=health_server.traffic
                ) as up,
                httpx.AsyncClient(base_url=up.url, trust_env=False, verify=PLAIN) as client,
            ):
                yield ServedHealth(health_server, journal, client)

    return start


async def test_readyz_follows_config_stop_and_journal(serve):
    async with serve(trusting=True) as served:
        assert (await served.ask("/healthz")).json() == {"alive": True}
        assert (await served.ask("/readyz")).json() == {
            "ready": True,
            "stopping": False,
            "journal": "writable",
            "lanes": {},
            "config": "in use",
        }
        served.health_server.set_config_problem("it is empty")
        body = (await served.ask("/readyz")).json()
        assert (body["ready"], body["config"]) == (True, "the previous one is in use: it is empty")
        served.health_server.set_stopping()
        done = await served.ask("/readyz")
        assert (done.status_code, done.json()["stopping"]) == (503, True)
        await served.journal.close()
        assert (await served.ask("/healthz")).status_code == 200
        assert "sprig_tui_journal_readable 0.0" in (await served.ask("/metrics")).text


async def test_health_server_has_no_other_routes(serve):
    async with serve(trusting=True) as served:
        done = await served.ask("/webhooks/production")
        assert (done.status_code, "/metrics" in done.json()["error"]) == (404, True)
        assert (await served.client.post("/metrics")).status_code == 405


async def test_readyz_hides_details_without_a_token(serve):
    async with serve(trusting=False) as served:
        assert (await served.ask("/readyz")).json() == {"ready": True, "stopping": False}
        assert (await served.ask("/metrics")).status_code == 401
        assert (await served.ask("/metrics", "wrong")).status_code == 401
        assert (await served.ask("/metrics", TOKEN)).status_code == 200
        assert (await served.ask("/readyz", TOKEN)).json()["journal"] == "writable"
        served.health_server.reconfigure({"production": Environment(name="production")})
        assert (await served.ask("/metrics", TOKEN)).status_code == 401, "that token is no longer one"


async def test_the_journal_notes_who_read_the_metrics_but_not_each_time(serve):
    async with serve(trusting=True) as served:
        await served.client.get("/readyz")
        assert (await load_notes(served.journal)).metrics is None
        for reader in ("Prometheus/2.53.1\x9b2J", "curl/8.5.0"):
            assert (
                await served.client.get("/metrics", headers={"user-agent": reader.encode("latin-1")})
            ).status_code == 200
        note = (await load_notes(served.journal)).metrics
        assert note is not None
        assert note.reader.startswith("Prometheus/2.53.1")
        assert "\x9b" not in note.reader


async def test_metrics_that_the_journal_cannot_note_are_served_anyway(serve):
    async with serve(trusting=True) as served:
        await served.journal.close()
        assert (await served.ask("/metrics")).status_code == 200
