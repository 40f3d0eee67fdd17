"""Group commit: concurrent requests are stored together, and a bad one fails alone."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprig_tui.errors import JournalError, JournalFullError, JournalUnavailableError, JournalUnreachableError
from sprig_tui.journal.records import AddResult, NewDelivery, State
from sprig_tui.webhooks.group_commit import MAX_GROUP_ENTRIES, GroupCommitter


class RecordingJournal:
    """Remembers what each call stored; a call that holds an entry named `bad` fails as a whole."""

    def __init__(self, error: Exception | None = None) -> None:
        self.calls: list[list[str]] = []
        self.error = error
        self.number = 0

    async def add(self, entries, *, deadline):  # noqa: ARG002
        names = [entry.message_id for entry in entries]
        self.calls.append(names)
        await asyncio.sleep(0)
        if self.error is not None and "bad" in names:
            raise self.error
        self.number += len(names)
        return [AddResult(index, name, State.QUEUED) for index, name in enumerate(names)]


def entries(*names: str) -> list[NewDelivery]:
    return [NewDelivery(environment="production", message_id=name) for name in names]


async def test_concurrent_requests_share_a_commit():
    journal = RecordingJournal()
    committer = GroupCommitter(journal)
    await asyncio.gather(*(committer.store(entries(f"m{number}")) for number in range(40)))
    assert len(journal.calls) < 4
    assert sorted(name for names in journal.calls for name in names) == sorted(f"m{number}" for number in range(40))


@given(st.lists(st.lists(st.text(max_size=3), max_size=4), max_size=30))
@settings(max_examples=40, deadline=None)
async def test_each_request_gets_its_own_results(requests):
    committer = GroupCommitter(RecordingJournal())
    results = await asyncio.gather(*(committer.store(entries(*names)) for names in requests))
    assert [[result.outcome for result in added] for added in results] == requests


async def test_large_request_is_committed_alone_in_order():
    journal = RecordingJournal()
    committer = GroupCommitter(journal)
    large = [f"l{number}" for number in range(MAX_GROUP_ENTRIES + 1)]
    await asyncio.gather(committer.store(entries("a")), committer.store(entries(*large)), committer.store(entries("b")))
    assert journal.calls == [["a"], large, ["b"]]


@pytest.mark.parametrize("error", [JournalError("the journal failed"), ValueError("of no request")])
async def test_failing_request_does_not_fail_others(error):
    journal = RecordingJournal(error)
    committer = GroupCommitter(journal)
    results = await asyncio.gather(
        *(committer.store(entries(name)) for name in ("a", "bad", "b", "c")), return_exceptions=True
    )
    assert [type(result) for result in results] == [list, JournalError, list, list]


@pytest.mark.parametrize("kind", [JournalFullError, JournalUnreachableError])
async def test_store_error_fails_the_whole_group_once(kind):
    journal = RecordingJournal(kind("no room left", hint="free disk space"))
    committer = GroupCommitter(journal)
    results = await asyncio.gather(*(committer.store(entries("bad")) for _ in range(20)), return_exceptions=True)
    assert all(isinstance(result, kind) for result in results)
    assert len({id(result) for result in results}) == 20, "each waiter has an error of its own"
    assert len(journal.calls) <= 2
    assert (await committer.store(entries("later")))[0].outcome == "later"


async def test_cancelled_request_does_not_delay_others():
    journal = RecordingJournal()
    committer = GroupCommitter(journal)
    leaving = asyncio.create_task(committer.store(entries("leaves")))
    staying = asyncio.create_task(committer.store(entries("stays")))
    await asyncio.sleep(0)
    leaving.cancel()
    assert (await staying)[0].outcome == "stays"
    assert journal.number == 2, "it is stored all the same"


class Hanging(RecordingJournal):
    """Answers nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()

    async def add(self, entries, *, deadline):
        await self.go.wait()
        return await super().add(entries, deadline=deadline)


async def test_hanging_journal_times_out_once_then_fails_immediately():
    journal = Hanging()
    committer = GroupCommitter(journal, timeout_s=0.05)
    results = await asyncio.gather(*(committer.store(entries(name)) for name in "abc"), return_exceptions=True)
    assert [type(result) for result in results] == [JournalUnavailableError] * 3
    assert "did not store" in committer.problem()
    with pytest.raises(JournalUnavailableError):
        async with asyncio.timeout(0):  # at once, without a turn of the loop
            await committer.store(entries("d"))
    journal.go.set()
    async with asyncio.timeout(20):
        while committer.problem():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
    assert (await committer.store(entries("e")))[0].outcome == "e"
    stored = [name for names in journal.calls for name in names]
    assert "d" not in stored
    assert stored[-1] == "e"


async def test_problem_is_reported_until_a_write_succeeds():
    committer = GroupCommitter(journal := RecordingJournal(JournalFullError("no room left", hint="free disk space")))
    with pytest.raises(JournalFullError):
        await committer.store(entries("bad"))
    assert committer.problem() == "no room left"
    await committer.store(entries("good"))
    assert committer.problem() == ""
    assert journal.number == 1
