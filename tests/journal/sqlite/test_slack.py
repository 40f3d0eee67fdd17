"""Slack of pages: no byte of what prune, retention and forgetting removed is left in the file or its log."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.clocks import InstantTiming
from support.records import make_entry

from sprig_tui.delivery.retention import RetentionWorker
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.persons import make_identifier
from sprig_tui.journal.records import Attempt, Settlement, State
from sprig_tui.journal.retention import RetentionPolicy
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.journal.sqlite.compact import compact_file

DAY_S = 86_400
ROWS = 2_000
RECORD_START = b"\xf5\xfa"
_TEXTS = re.compile(
    rb"sprig-[0-9a-f]{32}|user-[0-9]{6}|answer-[0-9]{6}|response-[0-9]{6}|" + RECORD_START + b".{14}", re.DOTALL
)
"""What tells one answer from the others, wherever it stands in a file."""


def answer(number: int, rng: random.Random):
    """An answer of its own sizes; what is searched for stands in no other one."""
    text = f"answer-{number:06}-{rng.randbytes(6).hex()} {'so ' * rng.randrange(30)}"[:120]
    return replace(
        make_entry(number, user_id=f"user-{number:06}-{rng.randbytes(rng.randrange(4, 30)).hex()}", answer=text),
        reason="" if rng.random() < 0.8 else "anonymous",
        survey_name="Checkout effort " * rng.randrange(1, 5),
        raw=RECORD_START + rng.randbytes(rng.choice((20, 200, 900))),
    )


async def deliver(journal, clock, rng):
    """Deliver what is due, some after a retry, some not at all; errors and responses quote users."""
    request = ClaimRequest("production", events=rng.randrange(5, 60), payload_bytes=400_000, lease_ms=60_000)
    while (taken := await journal.claim(request)).lease:
        ids = list(taken.ids)
        rng.shuffle(ids)
        cut, end = sorted((rng.randrange(len(ids) + 1), rng.randrange(len(ids) + 1)))
        quoting = Attempt(
            started_at=clock.now(),
            status=400,
            outcome="refused",
            excerpt=f"response-{rng.randrange(1_000_000):06} {'no such user ' * rng.randrange(20)}",
        )
        ok = Attempt(started_at=clock.now(), status=200, outcome="delivered", latency_ms=10)
        settled = [
            Settlement(ids=tuple(ids[:cut]), state=State.DELIVERED, attempt=ok),
            Settlement(ids=tuple(ids[cut:end]), state=State.FAILED, attempt=quoting, error="x" * rng.randrange(90)),
            Settlement(
                ids=tuple(ids[end:]), state=State.QUEUED, attempt=quoting, error="later " * rng.randrange(20), due_at=1
            ),
        ]
        await journal.settle(taken, [one for one in settled if one.ids])


@dataclass
class Filled:
    """A journal's file, and what it holds."""

    path: Path
    texts: dict[int, tuple[bytes, ...]]
    """What is searched for, by delivery."""

    def ids(self) -> set[int]:
        """The deliveries that are left."""
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            return {row[0] for row in connection.execute("SELECT id FROM deliveries")}

    def contents(self) -> set[bytes]:
        """All that tells answers and responses, in the file or its log."""
        return {*_TEXTS.findall(b"".join(file.read_bytes() for file in sorted(self.path.parent.iterdir())))}

    def left_responses(self) -> set[bytes]:
        """Responses that no request has, and that are found all the same."""
        with contextlib.closing(sqlite3.connect(self.path)) as connection:
            kept = {row[0][:15].encode() for row in connection.execute("SELECT excerpt FROM attempts")}
        return {one for one in self.contents() if one.startswith(b"response-")} - kept

    def left(self, gone: set[int]) -> list[bytes]:
        """What is found of these deliveries, in the file or its log."""
        found = self.contents()
        return [text for one in sorted(gone) for text in self.texts[one] if text in found]


@pytest.fixture
def fill(tmp_path, clock):
    """Fill a journal: `kept` of a thousand of the old answers end later than the others."""

    async def run(seed: int, kept: int = 0) -> Filled:
        rng = random.Random(seed)
        path = tmp_path / "slack" / "journal.db"
        texts: dict[int, tuple[bytes, ...]] = {}
        number = 0
        async with SQLiteJournal(path, clock=clock) as journal:
            for share in (rng.uniform(0.5, 0.95), 1.0):
                while number < ROWS * share:
                    size = rng.randrange(1, 80)
                    entries = [answer(number + at, rng) for at in range(size)]
                    number += size
                    for entry, result in zip(entries, await journal.add(entries), strict=True):
                        texts[result.id] = (
                            *(text.encode() for text in (entry.message_id, entry.user_id[:11], entry.answer[:13])),
                            entry.raw[:16],
                        )
                    if rng.random() < 0.5:
                        await deliver(journal, clock, rng)
                await deliver(journal, clock, rng)
                if share < 1:
                    later = rng.sample(sorted(texts), len(texts) * kept // 1_000)
                    clock.advance(10 * DAY_S)
                    await journal.requeue(later)
        filled = Filled(path, texts)
        found = filled.left({*texts})
        # random records are stored as they are, so that a copy of them would be found
        assert len(found) > 3.5 * len(texts)
        return filled

    return run


CASES = [(1, 0), (2, 0), (3, 2), (4, 20), (5, 300)]


@pytest.mark.parametrize(("seed", "kept"), CASES)
async def test_a_prune_leaves_no_byte(fill, clock, seed, kept):
    filled = await fill(seed, kept)
    before = filled.ids()
    async with SQLiteJournal(filled.path, clock=clock) as journal:
        await journal.prune(clock.now() - 5 * DAY_S * 1000)
        gone = before - filled.ids()
        assert len(gone) > ROWS / 8
        assert filled.left(gone) == []
        assert filled.left_responses() == set()
        assert (await journal.verify()).problems == ()
    assert filled.left(gone) == []


@pytest.mark.parametrize(("seed", "kept"), CASES)
async def test_retention_leaves_no_byte(fill, clock, seed, kept):
    filled = await fill(seed, kept)
    before = filled.ids()
    policy = RetentionPolicy(delivered_ms=5 * DAY_S * 1000, withheld_ms=5 * DAY_S * 1000)
    async with SQLiteJournal(filled.path, clock=clock) as journal:
        assert await RetentionWorker(journal, policy, timing=InstantTiming()).apply_if_due()
        gone = before - filled.ids()
        assert len(gone) > ROWS / 8
        assert filled.left(gone) == []
        assert filled.left_responses() == set()
        assert (await journal.verify()).problems == ()
    assert filled.left(gone) == []


async def test_requests_that_go_in_a_later_pass_leave_no_byte(fill, clock, monkeypatch):
    filled = await fill(*CASES[3])
    policy = RetentionPolicy(delivered_ms=5 * DAY_S * 1000, withheld_ms=5 * DAY_S * 1000, failed_ms=5 * DAY_S * 1000)
    async with SQLiteJournal(filled.path, clock=clock) as journal:
        worker = RetentionWorker(journal, policy, timing=InstantTiming())
        with monkeypatch.context() as patch:
            patch.setattr(type(journal.retention), "unused_attempts", lambda *_: asyncio.sleep(0, []))
            assert await worker.apply_if_due()
        assert filled.left_responses() == set()
        clock.advance(2 * DAY_S)
        assert await worker.apply_if_due()
        assert filled.left_responses() == set()


@pytest.mark.parametrize(("seed", "kept"), CASES)
async def test_content_that_is_kept_no_longer_leaves_no_byte(fill, clock, seed, kept):
    filled = await fill(seed, kept)
    policy = RetentionPolicy(content_ms=5 * DAY_S * 1000)
    async with SQLiteJournal(filled.path, clock=clock) as journal:
        assert await RetentionWorker(journal, policy, timing=InstantTiming()).apply_if_due()
    with contextlib.closing(sqlite3.connect(filled.path)) as connection:
        gone = {row[0] for row in connection.execute("SELECT id FROM deliveries WHERE answer = ''")}
    assert len(gone) > ROWS / 8
    assert {text for one in gone for text in filled.texts[one][2:]} & filled.contents() == set()


@pytest.mark.parametrize("forget", [False, True])
async def test_compacting_leaves_no_byte(fill, clock, forget):
    filled = await fill(9, 100)
    before = filled.ids()
    async with SQLiteJournal(filled.path, clock=clock) as journal:
        await journal.prune(clock.now() - 5 * DAY_S * 1000, forget=forget)
    compact_file(str(filled.path))
    gone = before - filled.ids()
    assert gone
    assert filled.left(gone) == []


@pytest.mark.parametrize(("seed", "kept"), CASES[:2])
async def test_forgetting_leaves_no_byte(fill, clock, seed, kept):
    filled = await fill(seed, kept)
    with contextlib.closing(sqlite3.connect(filled.path)) as connection:
        users = dict(connection.execute("SELECT id, user_id FROM deliveries WHERE id % 9 = 0"))
    persons = tuple(make_identifier("user", user) for user in users.values())
    async with SQLiteJournal(filled.path, clock=clock) as journal:
        receipt = await journal.begin_forget(persons, "ann")
        after, more = 0, True
        while more:
            step = await journal.find_persons(after, persons)
            await journal.erase([one.id for one in step.found])
            after, more = step.reached, step.more
        assert filled.left({*users}) != []
        assert await journal.scrub()
        await journal.end_forget(receipt, {})
        assert filled.left({*users}) == []
    assert filled.left({*users}) == []
