"""Arrival of the first webhook: the journal is polled while `listen` runs elsewhere, or while it is received here."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from sprig_tui.cli import diagnostics
from sprig_tui.cli.context import journal_session
from sprig_tui.formatting import local_time
from sprig_tui.journal.query import Query, Term
from sprig_tui.journal.records import State
from sprig_tui.reasons import Reason, reason_label
from sprig_tui.text import one_line

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.journal.base import Journal
    from sprig_tui.journal.records import Delivery

POLL_S = 0.5
WEBHOOK_SOURCE = "webhook"


async def wait_for_answer(settings: Settings, environment: str, *, port: int | None = None) -> bool:
    """Report each webhook of the environment as it arrives, until one is an answer; True then.

    With a `port` webhooks are received here meanwhile, and stored, and nothing is sent. Raises ConfigError where the
    port is taken, and JournalError.
    """
    async with AsyncExitStack() as stack:
        journal = await stack.enter_async_context(journal_session(settings))
        newest = await journal.page(Query(()), limit=1)
        cursor = newest.deliveries[0].id if newest.deliveries else 0
        if port is not None:
            await _receive(settings, journal, port, stack)
        diagnostics.info(
            "waiting for the first webhook: press Test Webhook in Sprig, and Save; enter or Ctrl-C goes on"
        )
        while True:
            page = await journal.page(Query((Term("env", environment),)), cursor=cursor, limit=20, direction="newer")
            for delivery in page.deliveries:
                cursor = delivery.id
                if delivery.source != WEBHOOK_SOURCE:
                    continue
                diagnostics.success(arrival_text(delivery))
                if delivery.reason not in (Reason.TEST_WEBHOOK, Reason.NOT_AN_ANSWER):
                    return True
                diagnostics.info("the way from Sprig works; answer a survey now to see a real one, or press enter")
            await asyncio.sleep(POLL_S)


async def _receive(settings: Settings, journal: Journal, port: int, stack: AsyncExitStack) -> None:
    from sprig_tui.cli.run_options import RunOptions
    from sprig_tui.server.server import bind, running_server
    from sprig_tui.webhooks.app import WebhookReceiver
    from sprig_tui.webhooks.body import WebhookLimits

    limits = WebhookLimits(connections=50)
    bound = stack.enter_context(bind("127.0.0.1", port))
    receiver = WebhookReceiver(
        journal, settings.rules, RunOptions().environments(settings), limits, allow_anonymous=False
    )
    server = await stack.enter_async_context(
        running_server(receiver.application, bound, limits, traffic=receiver.traffic)
    )
    diagnostics.info(f"receiving here, at {server.url}/webhooks; what comes is stored, and nothing is sent yet")


def arrival_text(delivery: Delivery) -> str:
    """Such as `arrived: 14:02, Test Webhook` and `arrived: 14:03, Quarterly NPS, of acct_1`."""
    at = f"arrived: {local_time(delivery.added_at):%H:%M}"
    if delivery.reason == Reason.TEST_WEBHOOK:
        return f"{at}, Test Webhook"
    about = one_line(delivery.survey_name or "a survey without a name", limit=60)
    if delivery.state is State.WITHHELD:
        return f"{at}, {about}: withheld, {reason_label(delivery.reason)}"
    return f"{at}, {about}, of {one_line(delivery.user_id, limit=60)}"
