"""Sending from the Payload pane: real files, journal, engine and fake Segment."""

from __future__ import annotations

import contextlib
import json

import pytest

from sprig_tui.console.sending.actions import SendActions
from sprig_tui.console.sending.plan import SendPlan
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
    return list((await pilot.app.session.journal.page(Query(), limit=1_000)).deliveries)


async def test_record_is_sent_once_and_shown_when_the_log_selects_it(console, sink, answers, screen_text):
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
        await console.press("n", "s")
        await console.until(lambda: sink.stats.accepted == 2)
        assert pilot.app.main.payload.detail is None
        await console.press("3", "k")
        await console.until(lambda: pilot.app.main.payload.detail is not None)
        assert pilot.app.main.payload.detail.delivery.state is State.DELIVERED


async def test_marked_records_of_the_list_are_confirmed_and_sent(console, sink, answers, screen_text):
    console.keys(development=KEY, endpoint=sink.url)
    file = answers(answer(1), answer(2, userId=None), answer(3))
    async with console.running(files=(file,)) as pilot:
        await console.press("1", "j", "2")
        await console.until(lambda: "1 of 3" in screen_text(pilot.app))
        await console.press("f")
        await console.until(lambda: "[List]" in screen_text(pilot.app))
        await console.press("space", "s")
        await console.until(lambda: "Send 1 record?" in screen_text(pilot.app))
        await console.press("n", "space", "s")
        await console.until(lambda: "Send 2 records?" in screen_text(pilot.app))
        assert "1 to development" in screen_text(pilot.app)
        await console.press("y")
        await console.until(lambda: any("1 of 2 records queued" in said for said in console.notices()))
        await console.until(lambda: sink.stats.accepted == 1)
        assert {row.user_id for row in await rows(pilot)} == {"acct_1", ""}
        assert pilot.app.main.payload.records.marked == []


async def test_an_edited_delivery_is_compared_asked_about_and_linked(
    console, sink, answers, screen_text, tmp_path, monkeypatch
):
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i s/acct_1/acct_repaired/ $1\n")
    editor.chmod(0o700)
    monkeypatch.setenv("VISUAL", str(editor))
    monkeypatch.setattr("textual.app.App.suspend", lambda _app: contextlib.nullcontext())
    console.keys(development=KEY, endpoint=sink.url)
    async with console.running(files=(answers(answer(1), answer(2)),)) as pilot:
        await console.press("1", "j", "2")
        await console.until(lambda: "1 of 2" in screen_text(pilot.app))
        await console.press("s", "n", "s")
        await console.until(lambda: sink.stats.accepted == 2)
        await console.press("3")
        await console.until(lambda: pilot.app.main.deliveries.lines.selected == 2)
        await console.press("k", "2")
        await console.until(lambda: pilot.app.main.payload.detail is not None)
        await console.press("e")
        await console.until(lambda: "edited · " in screen_text(pilot.app))
        await console.press("q")
        await console.until(lambda: "Leave without sending 1 record?" in screen_text(pilot.app))
        await console.press("escape", "equals_sign")
        await console.until(lambda: '+ "acct_repaired"' in screen_text(pilot.app))
        await console.press("escape", "s")
        await console.until(lambda: "Send delivery 1 as it is now to development?" in screen_text(pilot.app))
        assert '- "acct_1"' in screen_text(pilot.app)
        assert "counts beside it" in screen_text(pilot.app)
        await console.press("y")
        await console.until(lambda: sink.stats.accepted == 3)
        old, _, new = sorted(await rows(pilot), key=lambda row: row.id)
        assert (new.origin_id, new.edited, new.user_id) == (old.id, True, "acct_repaired")
        assert new.message_id != old.message_id
        assert pilot.app.main.payload.edited == 0


async def test_file_is_counted_confirmed_and_sent(console, sink, answers, screen_text):
    console.keys(development=KEY, endpoint=sink.url)
    file = answers(*(answer(number) for number in range(40)), answer(99, userId=None))
    async with console.running(files=(file,)) as pilot:
        await console.press("1", "j", "2")
        await console.until(lambda: "1 of 41" in screen_text(pilot.app))
        await console.press("S")
        await console.until(lambda: "Send all 41 records" in screen_text(pilot.app))
        assert "40 to development" in screen_text(pilot.app)
        assert "1 is withheld (no User ID) and can be sent only after a repair." in screen_text(pilot.app)
        assert "Send 40" in screen_text(pilot.app)
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


async def test_single_send_to_a_protected_environment_asks_and_a_bulk_send_for_its_name(
    console, sink, answers, screen_text
):
    console.keys(production=KEY, endpoint=sink.url)
    async with console.running(files=(answers(answer(1), answer(2)),)) as pilot:
        await console.until(lambda: "1 of 2" in screen_text(pilot.app))
        await console.press("s")
        await console.until(lambda: "Send this record to production?" in screen_text(pilot.app))
        await console.press("enter")
        assert await rows(pilot) == []
        await console.press("s")
        await console.until(lambda: "Send this record to production?" in screen_text(pilot.app))
        await console.press("y")
        await console.until(lambda: sink.stats.accepted == 1)

        await console.press("S")
        await console.until(lambda: "Type production to go ahead" in screen_text(pilot.app))
        await console.press("y", "enter")
        assert len(await rows(pilot)) == 1
        await console.press("backspace", *"production", "enter")
        await console.until(lambda: sink.stats.accepted == 2)
        assert len(await rows(pilot)) == 2


async def test_read_only_payload_pane_sends_nothing(console, answers, screen_text):
    console.keys(development=KEY)
    async with console.running(files=(answers(answer(1)),), read_only=True) as pilot:
        await console.until(lambda: "1 of 1" in screen_text(pilot.app))
        await console.press("s", "S")
        assert all("read-only" in said for said in console.notices())
        assert await rows(pilot) == []


async def test_payload_of_another_environment_is_warned_of(console, answers, screen_text):
    console.write('[environments.development]\nsprig_environment_id = "dev7id"\n')
    file = answers(answer(1, environment="development"))
    async with console.running(files=(file,)) as pilot:
        await console.until(lambda: "1 of 1" in screen_text(pilot.app))
        assert "this payload belongs to" in screen_text(pilot.app)
        await console.press("1", "j")
        assert "this payload belongs to" not in screen_text(pilot.app)


async def test_unconfirmed_protected_environment_is_asked_about(
    console, sink, answers, screen_text, tmp_path, monkeypatch
):
    console.keys(production=KEY, endpoint=sink.url)
    file = answers(*(answer(number) for number in range(20)))
    async with console.running(files=(file,)) as pilot:
        await console.until(lambda: "1 of 20" in screen_text(pilot.app))
        # as if all that was looked at goes elsewhere
        monkeypatch.setattr(
            SendActions, "_count_ahead", lambda *_: SendPlan(1, {"development": 1}, complete=False, estimate=20)
        )
        await console.press("S")
        await console.until(lambda: "Send all of answers.jsonl, about 20 records?" in screen_text(pilot.app))
        await console.press("y")
        await console.until(lambda: "Send to production as well?" in screen_text(pilot.app))
        assert await rows(pilot) == []
        await console.press(*"production", "enter")
        await console.until(lambda: sink.stats.accepted == 20)


async def test_filter_and_follow_update_the_payload_pane(console, sink, answers):
    console.keys(development=KEY, endpoint=sink.url)
    async with console.running(files=(answers(*(answer(number) for number in range(1, 9))),)) as pilot:
        main = pilot.app.main
        await console.until(lambda: main.payload.inspection is not None)
        await console.press("S")
        await console.until(lambda: "Send all 8 records" in console.text())
        await console.press("y")
        await console.until(lambda: sink.stats.accepted == 8)
        await console.until(lambda: main.deliveries.lines.count == 8)
        assert main.payload.detail is None, "what comes in alone does not take the place of the file"
        # in one go, as a fast typist or a macro has them: the copy is of what the filter finds
        await console.press("3", "slash", *"user:acct_2", "enter")
        await pilot.press("2", "Y")
        await console.until((console.paths.state_dir / "clipboard.txt").exists)
        assert "acct_2" in (console.paths.state_dir / "clipboard.txt").read_text()
        assert main.payload.detail.delivery.user_id == "acct_2"
        await console.press("3", "escape", "k", "f")
        await console.until(lambda: main.payload.detail.delivery.user_id == "acct_8")
        await console.press("w")
        await console.until(lambda: "as new?" in console.text())
        await console.press("y")
        await console.until(lambda: main.payload.detail.delivery.id == 9)
        await console.until(lambda: main.payload.inspection.delivery.state is State.DELIVERED)
        await console.press("2")
        assert not main.deliveries.following, "what is looked at stays"
