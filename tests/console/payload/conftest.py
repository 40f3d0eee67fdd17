"""Invented answers in files of each layout, and an inspector on the test bench."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sprig_tui.config.environment import Environment
from sprig_tui.console.payload.inspector import PayloadInspector
from sprig_tui.ingest import EntryBuilder
from sprig_tui.mapping.records import Rules

ENVIRONMENTS = {
    "production": Environment(name="production", protected=True, sprig_environment_id="env_prod"),
    "development": Environment(name="development"),
}


def flat(number: int = 1, **changes: Any) -> dict[str, Any]:
    """A canonical flat record; `changes` of None take a field out."""
    record = {
        "responseGroupId": f"group-{number}",
        "question": "How easy was it to check out?",
        "questionType": "LIKERT",
        "response": number % 5,
        "userId": f"acct_{number}",
        "surveyName": "Checkout effort",
        "surveyId": 12,
        "surveyCreatedAt": "2026-01-01T00:00:00Z",
        "respondedAt": "2026-09-01T10:00:00Z",
    }
    return {name: value for name, value in (record | changes).items() if value is not None}


@pytest.fixture
def record() -> Callable[..., dict[str, Any]]:
    return flat


@pytest.fixture
def lines_file(tmp_path) -> Callable[..., Path]:
    """A JSON Lines file of so many records, or of these."""

    def write(records: int | list[Any], name: str = "answers.jsonl") -> Path:
        listed = [flat(number) for number in range(records)] if isinstance(records, int) else records
        file = tmp_path / name
        file.write_text(
            "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in listed), encoding="utf-8"
        )
        return file

    return write


@pytest.fixture
def intake(clock) -> EntryBuilder:
    return EntryBuilder(Rules(), ENVIRONMENTS, "development", clock=clock)


@pytest.fixture
def inspector(tmp_path, clock) -> PayloadInspector:
    """Selected is development, which is not protected; neither has a key."""
    pane = PayloadInspector(state_dir=tmp_path / "state", clock=clock, id="payload")
    pane.set_reactive(PayloadInspector.environments, ENVIRONMENTS)
    pane.set_reactive(PayloadInspector.environment, "development")
    return pane


WIDE = (100, 30)


@pytest.fixture
def bench(host, inspector):
    """An inspector on the screen, with the messages it sends and the notices it shows."""

    @contextlib.asynccontextmanager
    async def run(*, size=WIDE, file=None, permissions=None):
        app = host(inspector, permissions=permissions)
        seen = []
        async with app.run_test(size=size, message_hook=seen.append, notifications=True) as pilot:
            pilot.seen = seen
            inspector.focus()
            if file is not None:
                inspector.show_file(file)
            await settle(pilot)
            yield app, pilot

    return run


async def settle(pilot):
    def working():
        # a flow of dialogs waits for the person
        return [one for one in pilot.app.workers if not one.is_finished and one.group != "payload-flow"]

    while workers := working():
        await pilot.app.workers.wait_for_complete(workers)
        await pilot.pause()
    await pilot.pause()


async def press(pilot, *keys):
    await pilot.press(*keys)
    await settle(pilot)


def notices(app):
    return [notice.message for notice in app._notifications]
