"""Retention worker: when it applies a policy, and which one."""

from __future__ import annotations

import asyncio
import os

import pytest
from support.clocks import InstantTiming, ManualClock
from support.records import make_entry

from sprig_tui.delivery.retention import CHECK_INTERVAL_S, CLOCK_HOLD_S, GRACE_S, PASS_INTERVAL_MS, RetentionWorker
from sprig_tui.errors import JournalError
from sprig_tui.journal.open import open_journal
from sprig_tui.journal.query import Query
from sprig_tui.journal.retention import RetentionPolicy

DAY = 24 * 3_600_000
NAME = "20261129T203000Z-5167-0000{}-200.http"
SHORT, LONG = RetentionPolicy(withheld_ms=DAY), RetentionPolicy(withheld_ms=9 * DAY)


@pytest.fixture
async def journal(tmp_path):
    async with open_journal(str(tmp_path / "journal.db"), clock=ManualClock()) as opened:
        await opened.add([make_entry(number, reason="anonymous") for number in range(1, 4)])
        opened.clock.advance(2 * 86_400)
        yield opened


def make_worker(journal, policy, said):
    return RetentionWorker(journal, policy, timing=InstantTiming(), on_report=said.append)


async def test_a_policy_that_removes_more_waits_and_can_be_taken_back(journal):
    said = []
    worker = make_worker(journal, LONG, said)
    worker.use(SHORT)
    assert worker.policy == LONG
    assert said == [
        (
            "retention: the config keeps less now (withheld 1 d); in 5 m what is older is removed, unless the config is"
            " changed back"
        )
    ]
    worker.use(SHORT)  # another change of the config, which leaves it as it is
    assert len(said) == 1
    worker.use(LONG)
    worker._timing.now_s += GRACE_S
    assert worker.policy == LONG
    worker.use(SHORT)
    worker._timing.now_s += GRACE_S
    assert worker.policy == SHORT


async def test_a_policy_that_keeps_more_counts_at_once(journal):
    worker = make_worker(journal, SHORT, [])
    worker.use(LONG)
    assert worker.policy == LONG
    worker.use(RetentionPolicy())
    assert worker.policy == RetentionPolicy()


async def test_it_runs_until_cancelled_and_gives_its_turn_back(journal):
    said = []
    worker = make_worker(journal, SHORT, said)
    running = asyncio.create_task(worker.run())
    while await journal.count(Query()):  # noqa: ASYNC110 - no event reports it
        await asyncio.sleep(0.001)
    running.cancel()
    await asyncio.wait((running,))
    assert (await journal.retention.state()).owner == ""
    assert worker._timing.now_s >= CHECK_INTERVAL_S // 10


async def test_an_error_of_the_journal_is_logged_once_and_waited_out(journal, caplog, monkeypatch):
    worker = make_worker(journal, SHORT, [])
    looks = 0
    seen = asyncio.Event()

    async def state():
        nonlocal looks
        looks += 1
        if looks == 3:
            seen.set()
        raise JournalError("the disk is gone")

    monkeypatch.setattr(journal.retention, "state", state)
    running = asyncio.create_task(worker.run())
    await seen.wait()
    running.cancel()
    await asyncio.wait((running,))
    assert caplog.text.count("retention stopped: the disk is gone") == 1


async def test_without_a_policy_nothing_is_asked_of_the_journal(journal, monkeypatch):
    monkeypatch.setattr(journal, "retention", None)
    worker = make_worker(journal, RetentionPolicy(), [])
    running = asyncio.create_task(worker.run())
    while worker._timing.now_s < 10 * CHECK_INTERVAL_S:  # noqa: ASYNC110 - no event reports it
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait((running,))
    assert await journal.count(Query()) == 3


async def test_a_clock_far_ahead_of_the_last_pass_is_used_only_after_an_hour(journal):
    said = []
    worker = make_worker(journal, LONG, said)
    assert await worker.trusts_clock()
    await worker.apply_if_due()
    journal.clock.advance(366 * 86_400)
    assert not await worker.trusts_clock()
    assert not await worker.trusts_clock()
    assert [one for one in said if "in case the clock is wrong" in one] == said[-1:]
    worker._timing.now_s += CLOCK_HOLD_S
    assert await worker.trusts_clock()
    # a process with another clock has made a pass: the hour begins again
    state = await journal.retention.take_turn("another")
    state.finished_at += 600_000
    await journal.retention.end_turn("another", state)
    assert not await worker.trusts_clock()
    journal.clock.advance(-366 * 86_400)
    assert await worker.trusts_clock()


async def test_captured_requests_go_when_content_is_kept_no_longer_and_other_files_stay(journal, tmp_path):
    old, young, other = (tmp_path / name for name in (NAME.format(1), NAME.format(2), "notes.http"))
    for file, days in ((old, 3), (young, 0), (other, 3)):
        file.write_text("POST")
        at = journal.clock.now() / 1000 - days * 86_400
        os.utime(file, (at, at))
    said = []
    worker = RetentionWorker(
        journal,
        LONG,
        timing=InstantTiming(),
        on_report=said.append,
        capture_folders=lambda: (tmp_path, tmp_path / "no"),
    )
    await worker.remove_captures()  # failed ones are kept always
    assert old.exists()
    worker.use(RetentionPolicy(DAY, 9 * DAY, 9 * DAY, 2 * DAY))
    worker._timing.now_s += GRACE_S
    await worker.remove_captures()
    assert [file.exists() for file in (old, young, other)] == [False, True, True]
    assert said[-1] == "retention: removed 1 captured request"


@pytest.mark.parametrize("policy", [RetentionPolicy(content_ms=DAY), SHORT, None], ids=["content", "rows", "prune"])
async def test_no_file_holds_what_was_removed_while_the_journal_stays_open(journal, tmp_path, policy):
    await journal.add([make_entry(number, reason="anonymous", answer="Mira said so") for number in range(10, 14)])
    journal.clock.advance(2 * 86_400)
    assert any(b"Mira" in file.read_bytes() for file in tmp_path.iterdir())
    if policy is None:
        await journal.prune(journal.clock.now())
    else:
        await make_worker(journal, policy, []).apply_if_due()
    assert not [file.name for file in tmp_path.iterdir() if b"Mira" in file.read_bytes()]


async def test_processes_with_different_policies_do_not_make_one_pass_after_the_other(journal):
    one, other = make_worker(journal, LONG, []), make_worker(journal, RetentionPolicy(withheld_ms=8 * DAY), [])
    assert [await worker.apply_if_due() for worker in (one, other, one, other)] == [True, True, False, False]
    journal.clock.advance(PASS_INTERVAL_MS / 1000)
    assert await one.apply_if_due()
