"""Storing for many at once: together, each told its own, and a bad one spoils no other."""

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


async def test_those_that_wait_together_are_stored_together():
    journal = RecordingJournal()
    inflow = GroupCommitter(journal)
    await asyncio.gather(*(inflow.store(entries(f"m{number}")) for number in range(40)))
    assert len(journal.calls) < 4
    assert sorted(name for names in journal.calls for name in names) == sorted(f"m{number}" for number in range(40))


@given(st.lists(st.lists(st.text(max_size=3), max_size=4), max_size=30))
@settings(max_examples=40, deadline=None)
async def test_each_hears_its_own(parcels):
    inflow = GroupCommitter(RecordingJournal())
    told = await asyncio.gather(*(inflow.store(entries(*names)) for names in parcels))
    assert [[one.outcome for one in added] for added in told] == parcels


async def test_a_large_parcel_goes_alone_and_order_holds():
    journal = RecordingJournal()
    inflow = GroupCommitter(journal)
    large = [f"l{number}" for number in range(MAX_GROUP_ENTRIES + 1)]
    await asyncio.gather(inflow.store(entries("a")), inflow.store(entries(*large)), inflow.store(entries("b")))
    assert journal.calls == [["a"], large, ["b"]]


@pytest.mark.parametrize("error", [JournalError("the journal failed"), ValueError("of no parcel")])
async def test_a_bad_one_spoils_no_other(error):
    journal = RecordingJournal(error)
    inflow = GroupCommitter(journal)
    told = await asyncio.gather(
        *(inflow.store(entries(name)) for name in ("a", "bad", "b", "c")), return_exceptions=True
    )
    assert [type(one) for one in told] == [list, JournalError, list, list]


@pytest.mark.parametrize("kind", [JournalFullError, JournalUnreachableError])
async def test_a_store_at_fault_is_asked_once_for_all(kind):
    journal = RecordingJournal(kind("no room left", hint="free disk space"))
    inflow = GroupCommitter(journal)
    told = await asyncio.gather(*(inflow.store(entries("bad")) for _ in range(20)), return_exceptions=True)
    assert all(isinstance(one, kind) for one in told)
    assert len({id(one) for one in told}) == 20, "each waiter has an error of its own"
    assert len(journal.calls) <= 2
    assert (await inflow.store(entries("later")))[0].outcome == "later"


async def test_one_that_left_does_not_hold_up_the_rest():
    journal = RecordingJournal()
    inflow = GroupCommitter(journal)
    leaving = asyncio.create_task(inflow.store(entries("leaves")))
    staying = asyncio.create_task(inflow.store(entries("stays")))
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


async def test_hanging_journal_is_waited_for_once_then_refused_at_once():
    journal = Hanging()
    inflow = GroupCommitter(journal, timeout_s=0.05)
    told = await asyncio.gather(*(inflow.store(entries(name)) for name in "abc"), return_exceptions=True)
    assert [type(one) for one in told] == [JournalUnavailableError] * 3
    assert "did not store" in inflow.problem()
    with pytest.raises(JournalUnavailableError):
        async with asyncio.timeout(0):  # at once, without a turn of the loop
            await inflow.store(entries("d"))
    journal.go.set()
    async with asyncio.timeout(20):
        while inflow.problem():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
    assert (await inflow.store(entries("e")))[0].outcome == "e"
    stored = [name for names in journal.calls for name in names]
    assert "d" not in stored
    assert stored[-1] == "e"


async def test_what_went_wrong_last_is_told_until_something_is_stored():
    inflow = GroupCommitter(journal := RecordingJournal(JournalFullError("no room left", hint="free disk space")))
    with pytest.raises(JournalFullError):
        await inflow.store(entries("bad"))
    assert inflow.problem() == "no room left"
    await inflow.store(entries("good"))
    assert inflow.problem() == ""
    assert journal.number == 1
