"""The log and the payload of the delivery that is chosen in it: one frame for both, and keys that wait for neither."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from textual import events

from sprig_tui.console import chosen_delivery
from sprig_tui.console.keyboard import queue
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import DeliveryDetail, IdPage, NewDelivery
from sprig_tui.journal.sqlite import SQLiteJournal

NUMBER = 12


class GatedJournal(SQLiteJournal):
    """The journal; it gives a payload while the gate is open."""

    gate = asyncio.Event()

    async def ids(self, query: Query, **options: Any) -> IdPage:
        if query.terms:
            await self.gate.wait()
        return await super().ids(query, **options)

    async def get(self, delivery_id: int) -> DeliveryDetail | None:
        await self.gate.wait()
        return await super().get(delivery_id)


@pytest.fixture
async def ids(console) -> Sequence[int]:
    async with SQLiteJournal(console.paths.journal_file) as journal:
        rows = [
            NewDelivery(
                environment="production",
                message_id=f"sprig-{number:032}",
                digest=bytes(8),
                user_id=f"acct_{number}",
                source="answers.jsonl",
                raw=b"{}",
                body=b'{"userId":"acct_%d"}' % number,
            )
            for number in range(NUMBER)
        ]
        return [added.id for added in await journal.add(rows)]


async def test_one_frame_has_cursor_and_payload_and_keys_need_not_wait_for_a_slow_one(console, ids, monkeypatch):
    monkeypatch.setattr(chosen_delivery, "MAX_FRAME_WAIT_S", 60.0)
    monkeypatch.setattr(queue, "LOADING_TIMEOUT_S", 60.0)
    monkeypatch.setattr(GatedJournal, "gate", asyncio.Event())
    GatedJournal.gate.set()
    console.journal_class = GatedJournal
    async with console.running(size=(120, 40), engine=False) as pilot:
        app, main, lines = pilot.app, pilot.app.main, pilot.app.main.deliveries.lines

        def shows(delivery_id: int) -> bool:
            return main.payload.detail is not None and main.payload.detail.delivery.id == delivery_id

        # the log follows the newest from the start, before a key is pressed and where no engine changes anything
        await console.until(lambda: lines.count == NUMBER and shows(ids[-1]))
        await console.press("3")
        frames: list[tuple[int, bool]] = []
        display = app._display

        def displayed(screen, renderable) -> None:
            if renderable is not None:
                frames.append((lines.selected, shows(lines.selected)))
            display(screen, renderable)

        monkeypatch.setattr(app, "_display", displayed)
        for place in (-2, -3, -4):
            await console.press("k")
            await console.until(lambda place=place: (ids[place], True) in frames)
        assert all(complete for _, complete in frames)

        # a payload that does not come: the cursor is shown without it, after a moment, and each further key moves it
        monkeypatch.setattr(chosen_delivery, "MAX_FRAME_WAIT_S", 0.05)
        GatedJournal.gate.clear()
        for key in "kkk":
            await app.on_event(events.Key(key, key))
        await console.until(lambda: (ids[-7], False) in frames)
        assert shows(ids[-4])
        # what follows the cursor is for the payload of the last one, and comes after it
        await app.on_event(events.Key("2", "2"))
        await pilot.pause()
        assert app.focused_scope() == "deliveries"
        GatedJournal.gate.set()
        await console.until(lambda: app.focused_scope() == "payload")
        assert shows(ids[-7])

        # keys typed ahead of the rows of a filter move among those
        await console.press("3", "/", *"user:acct_1")
        GatedJournal.gate.clear()
        for key in ("asterisk", "enter", "k"):
            await app.on_event(events.Key(key, "*" if key == "asterisk" else None))
        await console.until(lambda: app.focused is lines)
        await pilot.pause()
        GatedJournal.gate.set()
        await console.until(lambda: lines.count == 3 and shows(ids[-2]))
