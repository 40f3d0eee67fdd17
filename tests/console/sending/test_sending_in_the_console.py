"""Sending from the Payload pane: real files, journal, engine and look-alike."""

from __future__ import annotations

import json

import pytest

from sprig_tui.journal.query import Query
from sprig_tui.journal.records import State

KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"


def answer(number: int, **fields) -> dict:
    return {
        "responseGroupUid": f"group-{number}",
        "question": "How easy was it?",
        "questionType": "LIKERT",
        "response": number % 5,
        "userId": f"acct_{number}",
        "createdAt": "2026-09-01T10:00:00.000Z",
        **fields,
    }


@pytest.fixture
def answers(tmp_path):
    def write(*records: dict) -> str:
        file = tmp_path / "answers.jsonl"
        file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        return str(file)

    return write


async def rows(pilot) -> list:
    return list((await pilot.app.core.journal.page(Query(), limit=1_000)).deliveries)


async def test_one_record_is_sent_and_known_the_second_time(console, sink, answers, screen_text):
    console.keys(development=KEY, endpoint=sink.url)
    async with console.running(files=(answers(answer(1), answer(2)),)) as pilot:
        await console.press("1", "j", "2")
        await console.until(lambda: "1 of 2" in screen_text(pilot.app))
        await console.press("s")
        await console.until(lambda: any("queued as delivery" in said for said in console.notices()))
        await console.until(lambda: sink.stats.accepted == 1)
        await console.press("s")
        await console.until(lambda: any(said.startswith("known:") for said in console.notices()))
        assert len(await rows(pilot)) == 1


async def test_a_file_is_counted_asked_about_and_sent(console, sink, answers, screen_text):
    console.keys(development=KEY, endpoint=sink.url)
    file = answers(*(answer(number) for number in range(40)), answer(99, userId=None))
    async with console.running(files=(file,)) as pilot:
        await console.press("1", "j", "2")
        await console.until(lambda: "1 of 41" in screen_text(pilot.app))
        await console.press("S")
        await console.until(lambda: "Send all 41 records" in screen_text(pilot.app))
        assert "41 to development" in screen_text(pilot.app)
        await console.press("enter")
        assert await rows(pilot) == []
        await console.press("S")
        await console.until(lambda: "Send all 41 records" in screen_text(pilot.app))
        await console.press("y")
        await console.until(lambda: any("41 records, 40 queued, 1 withheld" in said for said in console.notices()))
        await console.until(lambda: sink.stats.accepted == 40)
        found = await rows(pilot)
        assert len(found) == 41
        assert sum(row.state is State.WITHHELD for row in found) == 1


async def test_a_protected_environment_asks_for_its_name_in_bulk(console, sink, answers, screen_text):
    console.keys(production=KEY, endpoint=sink.url)
    async with console.running(files=(answers(answer(1), answer(2)),)) as pilot:
        await console.until(lambda: "1 of 2" in screen_text(pilot.app))
        await console.press("S")
        await console.until(lambda: "Type production to go ahead" in screen_text(pilot.app))
        await console.press("y", "enter")
        assert await rows(pilot) == []
        await console.press("backspace", *"production", "enter")
        await console.until(lambda: sink.stats.accepted == 2)


async def test_read_only_sends_nothing(console, answers, screen_text):
    console.keys(development=KEY)
    async with console.running(files=(answers(answer(1)),), read_only=True) as pilot:
        await console.until(lambda: "1 of 1" in screen_text(pilot.app))
        await console.press("s", "S")
        assert all("read-only" in said for said in console.notices())
        assert await rows(pilot) == []


async def test_a_payload_of_another_environment_is_warned_of(console, answers, screen_text):
    console.write('[environments.development]\nsprig_environment_id = "dev7id"\n')
    file = answers(answer(1, environment="development"))
    async with console.running(files=(file,)) as pilot:
        await console.until(lambda: "1 of 1" in screen_text(pilot.app))
        assert "this payload belongs to" in screen_text(pilot.app)
        await console.press("1", "j")
        assert "this payload belongs to" not in screen_text(pilot.app)


async def test_the_log_selects_what_the_payload_pane_shows(console, sink, answers, screen_text):
    console.keys(development=KEY, endpoint=sink.url)
    async with console.running(files=(answers(answer(1), answer(2)),)) as pilot:
        await console.press("1", "j", "2")
        await console.until(lambda: "1 of 2" in screen_text(pilot.app))
        await console.press("s", "n", "s")
        await console.until(lambda: sink.stats.accepted == 2)
        await console.press("3", "k")
        await console.until(lambda: pilot.app.main.payload.detail is not None)
        assert pilot.app.main.payload.detail.delivery.state is State.DELIVERED
