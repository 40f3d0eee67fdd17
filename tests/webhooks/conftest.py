"""Webhook receiver on a real socket, with a journal on a real disk."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import httpx
import pytest
from support.plain_http import PLAIN
from support.records import make_webhook_answer

from sprig_tui.config.environment import Environment, WebhookToken
from sprig_tui.journal.base import Journal
from sprig_tui.journal.query import MATCH_ALL
from sprig_tui.journal.records import Delivery
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.mapping.records import Rules
from sprig_tui.server.server import RunningServer, bind, running_server
from sprig_tui.webhooks.app import WebhookReceiver
from sprig_tui.webhooks.body import WebhookLimits

TOKEN = "production-token-0123456789"
OTHER = "development-token-0123456789"
ENVIRONMENTS = {
    "production": Environment(name="production", sprig_environment_id="QmK7x2dTfa", webhook_token=WebhookToken(TOKEN)),
    "development": Environment(
        name="development", sprig_environment_id="Rn3pWq81Zb", webhook_token=WebhookToken(OTHER)
    ),
}
JSON = {"content-type": "application/json"}


class Served(NamedTuple):
    """A receiver that is up, and a client of it."""

    receiver: WebhookReceiver
    journal: Journal
    up: RunningServer
    client: httpx.AsyncClient
    port: int

    async def post(
        self,
        body: bytes | dict[str, Any] | list[Any],
        path: str = "/webhooks/production",
        token: str = TOKEN,
        **headers: str,
    ) -> httpx.Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {**JSON, **({"authorization": f"Bearer {token}"} if token else {}), **headers}
        return await self.client.post(path, content=raw, headers=sent)

    async def log(self) -> list[Delivery]:
        return list((await self.journal.page(MATCH_ALL, limit=1000)).deliveries)


Serve = Callable[..., Awaitable[Served]]


@pytest.fixture
async def serve(tmp_path) -> AsyncIterator[Serve]:
    """Start receivers; all end with the test."""
    async with AsyncExitStack() as stack:

        async def start(
            *,
            trusting: bool = True,
            limits: WebhookLimits | None = None,
            journal: Journal | None = None,
            tls: Any = None,
            environments: dict[str, Environment] = ENVIRONMENTS,
            **options: Any,
        ) -> Served:
            if journal is None:
                journal = await stack.enter_async_context(SQLiteJournal(tmp_path / "journal.db"))
            limits = limits or WebhookLimits()
            receiver = WebhookReceiver(journal, Rules(), environments, limits, allow_anonymous=trusting, **options)
            bound = bind("127.0.0.1", 0)
            port = bound.getsockname()[1]
            up = await stack.enter_async_context(
                running_server(receiver.application, bound, limits, tls, traffic=receiver.traffic)
            )
            client = await stack.enter_async_context(httpx.AsyncClient(base_url=up.url, trust_env=False, verify=PLAIN))
            return Served(receiver, journal, up, client, port)

        yield start


@pytest.fixture
def answer() -> Callable[..., dict[str, Any]]:
    """Makes Answer Submitted bodies."""
    return make_webhook_answer
