"""Withdrawal as a job: what it finds, its steps, and what a stop or an error leaves."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from sprig_tui.delivery import withdraw
from sprig_tui.delivery.withdraw import WithdrawJob, find_queued, find_queued_among
from sprig_tui.errors import JournalError
from sprig_tui.journal.filter import parse_filter
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import State, WithdrawResult


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch) -> None:
    monkeypatch.setattr(withdraw, "WITHDRAW_STEP_ROWS", 2)
    monkeypatch.setattr(withdraw, "SEARCH_PAGE_ROWS", 2)


async def test_queued_deliveries_are_found_by_environment(journal, entry, claim):
    await journal.add([entry(), entry("staging"), entry(user_id="acct_9"), entry(), entry("staging")])
    await journal.withdraw([4])
    assert (await claim(events=1)).ids == (1,), "a leased one is still queued"
    found = await find_queued(journal, Query())
    assert (list(found.ids), found.environments) == ([1, 3, 2, 5], Counter(production=2, staging=2))
    only = await find_queued(journal, parse_filter("env:staging OR user:acct_9", now_ms=0))
    assert sorted(only.ids) == [2, 3, 5]
    assert (await find_queued(journal, parse_filter("status:withheld", now_ms=0))).ids.tolist() == []
    among = await find_queued_among(journal, [1, 4, 5, 99])
    assert (list(among.ids), among.environments) == ([1, 5], Counter(production=1, staging=1))


async def test_what_arrives_while_it_counts_is_not_withdrawn(journal, entry):
    await journal.add([entry() for _ in range(3)])
    arrivals: list[asyncio.Task[object]] = []

    def on_progress(_number: int) -> None:
        arrivals.append(asyncio.create_task(journal.add([entry()])))

    assert list((await find_queued(journal, Query(), on_progress)).ids) == [1, 2, 3]
    await asyncio.gather(*arrivals)


async def test_steps_add_up_and_a_second_run_finds_the_rest(journal, entry, claim, deliver):
    await journal.add([entry()])
    await deliver()
    await journal.add([entry() for _ in range(6)])
    assert (await claim(events=1)).ids == (2,)
    job = WithdrawJob(journal, list(range(1, 8)))
    seen: list[int] = []

    def stop_after_two(running: WithdrawJob) -> None:
        seen.append(running.position)
        if len(seen) == 2:
            running.cancel()

    assert await job.run(stop_after_two) == WithdrawResult(withdrawn=2, leased=1, not_queued=1)
    assert (seen, job.was_cut_short, job.total) == ([2, 4], True, 7)
    again = WithdrawJob(journal, (await find_queued(journal, Query())).ids)
    assert await again.run() == WithdrawResult(withdrawn=3, leased=1, not_queued=0)
    assert not again.was_cut_short
    assert (await journal.counts()).by_environment["production"] == {
        State.QUEUED: 1,
        State.DELIVERED: 1,
        State.WITHHELD: 5,
    }


async def test_a_step_that_was_begun_is_counted_when_the_job_is_cancelled(journal, entry):
    await journal.add([entry() for _ in range(4)])
    job = WithdrawJob(journal, [1, 2, 3, 4])
    running = asyncio.create_task(job.run())
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    withheld = await journal.count(parse_filter("reason:withdrawn", now_ms=0))
    assert (job.done.withdrawn, job.position) == (withheld, withheld)
    assert withheld <= 2


async def test_an_error_ends_the_job_and_keeps_what_was_done(journal, entry, monkeypatch):
    await journal.add([entry() for _ in range(4)])
    real, calls = journal.withdraw, []

    async def fail_second(ids):
        calls.append(ids)
        if len(calls) == 2:
            raise JournalError("the disk is full")
        return await real(ids)

    monkeypatch.setattr(journal, "withdraw", fail_second)
    job = WithdrawJob(journal, [1, 2, 3, 4])
    with pytest.raises(JournalError):
        await job.run()
    assert (job.done, job.was_cut_short) == (WithdrawResult(2, 0, 0), True)
