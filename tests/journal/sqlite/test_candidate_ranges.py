"""Candidate ranges: a search leaves out blocks by their kept counts, and finds all that a search of the rows finds."""

from __future__ import annotations

import contextlib
import sqlite3

from support.records import make_entry

from sprig_tui.delivery.hold import hold_lane
from sprig_tui.journal.block_counts import BLOCK_IDS, user_mark
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.filter import parse_filter
from sprig_tui.journal.query import MATCH_ALL
from sprig_tui.journal.records import Attempt, Settlement, State
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.journal.sqlite.candidate_ranges import CandidateRanges

BLOCKS = 4
PRECISE = (
    "status:failed",
    "is:failed OR reason:invalid",
    "status:4xx",
    "status:429",
    "attempts:>1",
    "reason:anonymous",
    "-is:queued -reason:anonymous",
    "user:acct_9000",
    "env:development",
    "-env:production -env:staging",
    "survey-id:77",
    "endpoint:other.example",
    "endpoint:=https://other.example/v1",
    "size:>9kb",
    "latency:>70",
    "(status:failed env:production) OR (user:acct_9000 -env:development)",
    "-(is:queued OR is:delivered OR is:failed)",
    "since:30m",
    "until:3h",
    "user:acct_nobody",
    'user:"acct_90*"',
    'survey-id:"*"',
    "env:nowhere",
)
"""Filters of which only blocks with matches are read."""
OTHERS = (
    "is:retrying",
    "is:in-flight OR is:replayed",
    "user:acct_90*",
    "acct_9000",
    "-user:acct_9000",
    "-attempts:<1",
    "attempts:0",
    "latency:<90",
    "-latency:>1",
    "status:2xx,failed",
    "-status:4xx",
    "survey-id:*",
    "-survey-id:*",
    "is:held",
    "is:waiting OR is:anonymous",
    "user:ACCT_9000",
    "sent-since:10m",
    "to:eu",
    "size:0..200",
    "reason:anonymous -user:acct_9000 OR survey:checkout",
)


async def fill(journal, clock) -> None:
    """Four blocks an hour apart: some failed in the first, were tried in the second, are withheld in the third, and go
    elsewhere in the last."""
    for block in range(BLOCKS):
        place = "staging" if block == 1 else "production"
        numbers = range(block * BLOCK_IDS, (block + 1) * BLOCK_IDS - (block == 0))
        entries = [make_entry(at, place, reason="anonymous" if block == 2 and at % 9 == 0 else "") for at in numbers]
        if block == 3:
            entries[5:9] = [
                make_entry(-1, "development", user_id=""),
                make_entry(-2, survey_id="77"),
                make_entry(-3, endpoint="https://other.example/v1"),
                make_entry(-4, body=b"x" * 10_000),
            ]
        await journal.add(entries)
        for turn in range((1, 2, 0, 0)[block]):
            claim = await journal.claim(ClaimRequest(place, events=50, payload_bytes=475_000, lease_ms=60_000))
            attempt = Attempt(started_at=clock.now(), status=(400, 429)[block], latency_ms=40 * (block + 1))
            state = State.QUEUED if block else State.FAILED
            due = clock.now() * turn
            await journal.settle(claim, [Settlement(ids=claim.ids, state=state, attempt=attempt, due_at=due)])
        clock.advance(3600)


async def test_only_blocks_that_can_match_are_read_and_nothing_is_missed(tmp_path, clock):
    path = tmp_path / "j.db"
    async with SQLiteJournal(path, clock=clock) as journal:
        await fill(journal, clock)
        await hold_lane(journal, "production", "wait", by="anna")
        await journal.keep_counts(spared=0)
        rows = (await journal.page(MATCH_ALL, limit=BLOCKS * BLOCK_IDS)).deliveries

        def blocks_read(query) -> list[int]:
            with contextlib.closing(sqlite3.connect(path)) as connection:
                ranges = [*CandidateRanges(connection, query).within(1, BLOCKS * BLOCK_IDS - 1, older=True)]
            assert ranges == sorted(ranges, reverse=True)
            return sorted({block for low, high in ranges for block in range(low // BLOCK_IDS, high // BLOCK_IDS + 1)})

        for text in (*PRECISE, *OTHERS):
            query = parse_filter(text, now_ms=clock.now())
            expected = [row.id for row in rows if query.matches(row)]
            older = await journal.ids(query, limit=BLOCKS * BLOCK_IDS, budget_ms=60_000)
            newer = await journal.ids(query, limit=BLOCKS * BLOCK_IDS, direction="newer")
            assert ([*older.ids][::-1], [*newer.ids]) == (expected, expected), text
            page = await journal.page(query, limit=BLOCKS * BLOCK_IDS, direction="newer")
            assert [row.id for row in page.deliveries] == expected, text
            assert (await journal.count(query), await journal.count(query, cap=7)) == (
                len(expected),
                min(7, len(expected)),
            ), text
            if text in PRECISE:
                assert blocks_read(query) == sorted({delivery_id // BLOCK_IDS for delivery_id in expected}), text
        # a block that has changed is read again until it is counted
        await journal.withdraw([2 * BLOCK_IDS + 3])
        assert blocks_read(parse_filter("env:nowhere", now_ms=clock.now())) == [2]


async def test_what_is_removed_leaves_no_mark_of_its_user(tmp_path, clock):
    path = tmp_path / "j.db"
    async with SQLiteJournal(path, clock=clock) as journal:
        await journal.add([make_entry(at) for at in range(3)])
        await journal.withdraw([1, 2, 3])
        await journal.keep_counts(spared=0)
        mark = user_mark("acct_1")
        with contextlib.closing(sqlite3.connect(path)) as connection:
            kept = "SELECT content FROM kept_counts"
            assert mark in connection.execute(kept).fetchone()[0]
            clock.advance(60)
            await journal.prune(clock.now())
            assert connection.execute(kept).fetchall() == []
        await journal.keep_counts(spared=0)
    assert mark not in path.read_bytes()
