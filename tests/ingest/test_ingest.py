"""Ingest of records into the journal while the engine delivers."""

import asyncio
import os
import sys
import threading
from collections.abc import Generator, Iterator
from typing import Any

import pytest
from msgspec import Raw
from support.engine_bench import Bench

from sprig_tui.config.environment import Environment
from sprig_tui.delivery.wait import wait_until_settled
from sprig_tui.errors import ConfigError, InputError
from sprig_tui.ingest import EntryBuilder
from sprig_tui.ingest.ingest import IngestResult, ingest_records
from sprig_tui.ingest.prefetch import FIRST_CHUNK_ENTRIES, MAX_CHUNK_ENTRIES, SWITCH_INTERVAL_S, EntryPrefetcher
from sprig_tui.journal.records import NewDelivery, State
from sprig_tui.mapping.records import Rules
from sprig_tui.reasons import Reason
from sprig_tui.segment.sink import Sink
from sprig_tui.sprig.reader import read_responses
from sprig_tui.sprig.records import Origin, Record, StudyResponse


def response(number: int, user_id: str | None = "acct_1", padding: int = 0) -> StudyResponse:
    return StudyResponse(
        origin=Origin("answers.jsonl", "flat", number + 1),
        raw=b'{"number":%d,"padding":"%s"}' % (number, b"x" * padding),
        paths={},
        response=Raw(b"4"),
        response_group_id=f"group-{number}",
        question="How easy was it?",
        question_type="LIKERT",
        user_id=user_id,
        answered_at="2026-08-01T10:00:00.000Z",
    )


def builder_for(*environments: Environment) -> EntryBuilder:
    return EntryBuilder(Rules(), {one.name: one for one in environments}, environments[0].name)


async def test_ingest_counts_and_delivers_ten_thousand_records(bench: Bench) -> None:
    async with Sink(clock=bench.time, keep=0) as sink:
        environment = bench.environment(sink.url)
        async with bench.engine(environment) as engine:
            records = (response(n, None if n % 10 == 0 else f"acct_{n}") for n in range(10_000))
            seen: list[int] = []
            result = await ingest_records(
                records,
                builder_for(environment),
                bench.journal,
                engine,
                on_progress=lambda so_far: seen.append(so_far.records),
            )
            waited = await wait_until_settled(bench.journal, result.ids, result.environments, engine=engine)
        assert (waited.queued, waited.stalls) == (0, ())
        assert result.records == 10_000 == seen[-1]
        assert len(seen) >= 10_000 / MAX_CHUNK_ENTRIES
        assert result.outcomes == {"new": 10_000}
        assert result.states == {(State.QUEUED, ""): 9_000, (State.WITHHELD, Reason.ANONYMOUS): 1_000}
        assert result.environments == {"production": 9_000}
        assert list(result.added) == [(1, 10_000)]
        assert sink.stats.accepted == 9_000


async def test_ingest_of_known_records_adds_nothing(bench: Bench) -> None:
    environment = bench.environment("http://127.0.0.1:9")
    first = await ingest_records(map(response, range(50)), builder_for(environment), bench.journal)
    again = await ingest_records(map(response, range(50)), builder_for(environment), bench.journal)
    assert again.outcomes == {"known": 50}
    assert (list(first.added), list(again.added)) == ([(1, 50)], [])
    # they are still queued, so a second `send` waits for them too
    assert list(again.ids) == [(1, 50)]


async def test_ingest_of_no_records(bench: Bench) -> None:
    result = await ingest_records([], builder_for(bench.environment("http://127.0.0.1:9")), bench.journal)
    assert (result.records, len(result.ids)) == (0, 0)
    assert (await wait_until_settled(bench.journal, result.ids, result.environments)).queued == 0


async def test_reader_error_is_raised_after_earlier_records_are_stored(bench: Bench) -> None:
    def records() -> Iterator[Record]:
        yield from map(response, range(3_000))
        raise InputError("answers.jsonl went away")

    with pytest.raises(InputError, match="went away"):
        await ingest_records(records(), builder_for(bench.environment("http://127.0.0.1:9")), bench.journal)
    assert await bench.queued() == 3_000


async def test_blocked_pipe_does_not_hold_back_earlier_records(bench: Bench) -> None:
    read, write = os.pipe()
    line = (
        b'{"question":"Q","questionType":"OPEN","response":"r","responseGroupId":"g%d","userId":"u",'
        b'"respondedAt":"2026-08-01T10:00:00Z"}\n'
    )
    async with Sink(clock=bench.time) as sink:
        environment = bench.environment(sink.url)
        async with bench.engine(environment) as engine:
            with os.fdopen(read, "rb") as stdin:
                ingesting = asyncio.ensure_future(
                    ingest_records(read_responses(["-"], stdin=stdin), builder_for(environment), bench.journal, engine)
                )
                try:
                    # more than any reader buffers, then silence
                    for number in range(4_000):
                        await asyncio.to_thread(os.write, write, line % number)
                    await bench.until(lambda: sink.stats.accepted > 3_000)
                    assert not ingesting.done()
                finally:
                    os.close(write)
                    result = await ingesting
            await wait_until_settled(bench.journal, result.ids, result.environments, engine=engine)
        assert sink.stats.accepted == result.records == 4_000


async def test_prefetch_raises_the_error_of_its_source(bench: Bench) -> None:
    def made() -> Generator[list[NewDelivery]]:
        try:
            yield bench.entries([1, 2])
        finally:
            raise OSError("cannot end")

    def check(entry: NewDelivery) -> None:
        raise ConfigError("it may not go there")

    prefetcher = EntryPrefetcher(made(), check)
    prefetcher.start()
    with pytest.raises(OSError, match="cannot end"):
        async with asyncio.timeout(5):
            await prefetcher.next_chunk()


async def test_cancelled_ingest_counts_the_current_chunk(bench: Bench) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    class HeldJournal:
        async def add(self, entries: Any) -> Any:
            begun.set()
            await go_on.wait()
            return await bench.journal.add(entries)

    result = IngestResult()
    environment = bench.environment("http://127.0.0.1:9")
    ingesting = asyncio.ensure_future(
        ingest_records(map(response, range(50)), builder_for(environment), HeldJournal(), result=result)
    )  # type: ignore[arg-type] # only `add` is asked for
    await begun.wait()
    ingesting.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await ingesting
    assert result.records == len(result.ids) == await bench.queued() == 50


async def test_prefetch_is_bounded_while_the_journal_is_slow(bench: Bench) -> None:
    taken = 0
    stored = asyncio.Event()

    def records() -> Iterator[Record]:
        nonlocal taken
        for number in range(20 * MAX_CHUNK_ENTRIES):
            taken = number
            yield response(number)

    class SlowJournal:
        async def add(self, entries: Any) -> Any:
            await stored.wait()
            return await bench.journal.add(entries)

    builder = builder_for(bench.environment("http://127.0.0.1:9"))
    ingesting = asyncio.ensure_future(ingest_records(records(), builder, SlowJournal()))  # type: ignore[arg-type]
    # the first chunk is being stored, the second, twice as large, waits
    await bench.until(lambda: taken >= 3 * FIRST_CHUNK_ENTRIES - 1)
    for _ in range(50):
        await asyncio.sleep(0.001)
    assert taken == 3 * FIRST_CHUNK_ENTRIES - 1
    ingesting.cancel()
    stored.set()
    with pytest.raises(asyncio.CancelledError):
        await ingesting
    await bench.until(lambda: not any(thread.name == "ingest" for thread in threading.enumerate()))
    assert taken <= 2 * MAX_CHUNK_ENTRIES + 1


async def test_ingest_lowers_the_switch_interval(bench: Bench) -> None:
    before = sys.getswitchinterval()
    seen: list[float] = []
    await ingest_records(
        [response(1)],
        builder_for(bench.environment("https://127.0.0.1:9")),
        bench.journal,
        on_progress=lambda _: seen.append(sys.getswitchinterval()),
    )
    assert seen == pytest.approx([SWITCH_INTERVAL_S])
    assert sys.getswitchinterval() == before > SWITCH_INTERVAL_S
