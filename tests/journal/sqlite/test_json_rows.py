"""JSON rows: pages that SQLite writes as one text hold what the rows hold."""

from __future__ import annotations

import contextlib
import sqlite3

from support.records import make_entry

from sprig_tui.delivery.hold import hold_lane
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.query import MATCH_ALL
from sprig_tui.journal.records import Attempt, Settlement, State
from sprig_tui.journal.sqlite import SQLiteJournal

TEXTS = ("", 'a "b" \\ c', "\0\x01\x1b[2J\x7f", "two\r\nlines", "ü漢🙂\u202e", "null", "9" * 30, "[1,{}]")


async def test_a_page_has_every_field_of_the_rows_in_every_state_and_with_any_text(tmp_path, clock):
    path = tmp_path / "j.db"
    async with SQLiteJournal(path, clock=clock) as journal:
        await journal.add([make_entry(at, answer=text, survey_name=text) for at, text in enumerate(TEXTS)])
        await journal.add([make_entry(20, reason="anonymous", user_id="", edited=True)])
        await journal.add([make_entry(21, endpoint="https://other.example/v1", origin_id=3)])
        claim = await journal.claim(ClaimRequest("production", events=3, payload_bytes=475_000, lease_ms=60_000))
        attempt = Attempt(started_at=clock.now(), status=400, latency_ms=38.25, error="http 400")
        failed = Settlement(ids=claim.ids[:1], state=State.FAILED, attempt=attempt, error="http 400")
        later = Settlement(ids=claim.ids[1:2], state=State.QUEUED, attempt=attempt, due_at=clock.now() + 9)
        await journal.settle(claim, [failed, later])
        await hold_lane(journal, "production", "wait", by="anna")
        await journal.requeue(claim.ids[:1])

        async def rows():
            newest = (await journal.ids(MATCH_ALL, limit=1)).ids[0]
            return [detail.delivery for at in range(1, newest + 1) if (detail := await journal.get(at))]

        expected = await rows()
        assert {row.answer for row in expected} >= {*TEXTS}
        assert {row.held for row in expected} == {row.replayed for row in expected} == {True, False}
        for direction in ("older", "newer"):
            assert [*(await journal.page(MATCH_ALL, limit=50, direction=direction)).deliveries] == expected
        # what JSON cannot hold, and what is not of its column, is shown as it was before
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("UPDATE deliveries SET answer = x'00ff' WHERE id = 2")
            connection.execute("UPDATE deliveries SET line = 'none' WHERE id = 4")
        assert [*(await journal.page(MATCH_ALL, limit=50, direction="newer")).deliveries] == await rows()
