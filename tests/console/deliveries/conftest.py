"""Deliveries in every state, and the pane on a real journal."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable

import pytest
from msgspec.structs import replace
from support.records import make_delivery, make_entry

from sprig_tui.console.commands.base import Permissions
from sprig_tui.console.deliveries.log import DeliveryLog
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.records import Attempt, Delivery, NewDelivery, Settlement, State


@pytest.fixture
def delivery() -> Callable[..., Delivery]:
    """A delivery as lists show it."""

    return make_delivery


@pytest.fixture
def entry() -> Callable[..., NewDelivery]:
    """An answer to add; each is another one."""
    numbers = itertools.count(1)

    def make(environment: str = "production", **fields) -> NewDelivery:
        number = next(numbers)
        made = make_entry(number, environment, answered_at=1_789_990_000_000, source="answers.jsonl", line=1)
        call = b'{"messageId":"%s","event":"SDK - Submitted","properties":{"response":4}}' % made.message_id.encode()
        return replace(made, **{"user_id": "acct_88213", "body": call} | fields)

    return make


@pytest.fixture
def settle(journal, clock):
    """Claim what is due in an environment and settle it."""

    async def run(state=State.DELIVERED, *, environment="production", status=200, events=2500, **fields):
        claim = await journal.claim(ClaimRequest(environment, events=events, payload_bytes=475_000, lease_ms=60_000))
        attempt = Attempt(
            started_at=clock.now(),
            status=status,
            outcome="delivered" if state is State.DELIVERED else "refused",
            latency_ms=38.0,
            events=len(claim.ids),
            body_bytes=812,
            excerpt='{"success":true}' if status == 200 else '{"error":"invalid_request"}',
        )
        if claim.lease:
            await journal.settle(claim, [Settlement(ids=claim.ids, state=state, attempt=attempt, **fields)])
        return claim.ids

    return run


@pytest.fixture
async def mixed(journal, entry, settle):
    """Ids by what they are: the log of product.md."""
    (delivered,) = await journal.add([entry()])
    await settle()
    (failed,) = await journal.add([entry(question_type="NPS", answer="9", user_id="acct_1")])
    await settle(State.FAILED, status=400, error="invalid_request: bad userId")
    (anonymous,) = await journal.add([entry(question_type="OPEN", answer="Slow…", user_id="", reason="anonymous")])
    (elsewhere,) = await journal.add([entry("development", survey_name="Onboarding", user_id="acct_2")])
    await settle(environment="development")
    (queued,) = await journal.add([entry(user_id="acct_3")])
    return {
        "delivered": delivered.id,
        "failed": failed.id,
        "anonymous": anonymous.id,
        "elsewhere": elsewhere.id,
        "queued": queued.id,
    }


@pytest.fixture
def until():
    """Wait, bounded, for something that a background task does."""

    async def wait(pilot, holds: Callable[[], object]) -> None:
        for _ in range(1_000):
            await pilot.pause()
            if holds():
                return
            await asyncio.sleep(0.005)
        raise AssertionError("it never came to that")

    return wait


@pytest.fixture
def log(clock, journal) -> DeliveryLog:
    """The pane; `log.journal = journal` starts it."""
    pane = DeliveryLog(clock=clock, id="deliveries")
    pane.add_class("pane")
    pane.replays.protected = frozenset({"production"})
    pane.environment_names = ("production", "development")
    return pane


@pytest.fixture
def opened(host, log, journal, until):
    """The pane in an app, its rows read; `async with opened(size=...) as pilot:`."""

    @contextlib.asynccontextmanager
    async def run(size=(120, 30), seen=None, **permissions):
        app = host(log, permissions=Permissions(**permissions))
        async with app.run_test(size=size, message_hook=seen.append if seen is not None else None) as pilot:
            log.journal = journal
            log.focus()
            await until(pilot, lambda: log.updater.search is not None and log.updater.search.started)
            await until(pilot, lambda: log.lines.count == 0 or log.lines.selected_row is not None)
            await pilot.pause()
            yield pilot

    return run
