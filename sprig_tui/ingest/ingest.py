"""Ingest of records: maps them and adds them to the journal, chunk by chunk.

async with open_journal(path) as journal, Engine(journal, environments) as engine:
    builder = EntryBuilder(rules, environments, "production")
    result = await ingest_records(read_responses(["answers.jsonl"]), builder, journal, engine)
    await wait_until_settled(journal, result.ids, result.environments, engine=engine)
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Protocol

from sprig_tui.ingest.entries import EntryBuilder
from sprig_tui.ingest.id_ranges import UNLIMITED_RANGES, IdRanges
from sprig_tui.ingest.mapper_process import iter_chunks
from sprig_tui.ingest.prefetch import SHORT_SWITCH_INTERVAL, EntryPrefetcher
from sprig_tui.journal.base import Journal
from sprig_tui.journal.entry_columns import EntryColumns
from sprig_tui.journal.records import REMOVED_ID, AddOutcome, AddResult, NewDelivery, State
from sprig_tui.sprig.records import Record

CANCEL_GRACE_S = 5.0
"""Seconds that a cancelled ingest waits for the result of the current chunk."""
_OUTCOME_KEY = attrgetter("outcome", "state", "reason")


class IngestEngine(Protocol):
    """Engine, as ingest uses it."""

    async def add(self, entries: Sequence[NewDelivery]) -> list[AddResult]:
        """Add to the engine's journal and send what the lanes have room for."""

    def wake(self, environment: str = "") -> None:
        """Poll the journal for an environment."""


class IngestResult:
    """Counts of the records so far."""

    def __init__(self) -> None:
        self.records = 0
        self.outcomes: Counter[AddOutcome] = Counter()
        """Records by what the journal did with them."""
        self.states: Counter[tuple[State, str]] = Counter()
        """Records by (state, reason) after the add; for `known` ones, that of the existing delivery."""
        self.new_states: Counter[tuple[State, str]] = Counter()
        """The same without the known ones."""
        self.repeats = 0
        """Known ones whose delivery an earlier record of this input made."""
        self.removed = 0
        """Known ones whose delivery was removed from the journal."""
        self.environments: Counter[str] = Counter()
        """Queued deliveries that this run can deliver, by environment."""
        self.ids = IdRanges()
        """Queued deliveries that this run can deliver, new and known."""
        self.added = IdRanges(max_ranges=UNLIMITED_RANGES)
        """New deliveries: as many as there were records that were not known."""
        self.queued_before = IdRanges(max_ranges=UNLIMITED_RANGES)
        """Known deliveries that were queued before this input and that this run can deliver."""

    @property
    def known(self) -> int:
        """Records whose delivery was in the journal already, or had been and was removed."""
        return self.outcomes["known"]

    @property
    def new(self) -> int:
        """Records that made a new delivery, in whatever state."""
        return self.records - self.known

    def add_chunk(self, entries: Sequence[NewDelivery], results: list[AddResult]) -> set[str]:
        """Count a chunk; returns the environments for which something was queued."""
        self.records += len(entries)
        # mostly in C, because this runs on the event loop and for every record
        queued = known = 0
        for (outcome, state, reason), number in Counter(map(_OUTCOME_KEY, results)).items():
            self.outcomes[outcome] += number
            self.states[state, reason] += number
            if outcome == "known":
                known += number
            else:
                self.new_states[state, reason] += number
            queued += number if state is State.QUEUED else 0
        ids = [result.id for result in results]
        self.added.add([result.id for result in results if result.outcome != "known"] if known else ids)
        if known:
            self._count_known([result for result in results if result.outcome == "known"])
        if not queued:
            return set()
        names = EntryColumns.of(entries).column("environment")
        if queued < len(results) or known:
            pairs = [
                (name, result.id)
                for name, result in zip(names, results, strict=True)
                if result.state is State.QUEUED and not result.for_other_endpoint
            ]
            names, ids = [name for name, _ in pairs], [delivery_id for _, delivery_id in pairs]
        self.ids.add(ids)
        environments = Counter(names)
        self.environments.update(environments)
        return set(environments)

    def _count_known(self, known: list[AddResult]) -> None:
        self.removed += sum(result.id == REMOVED_ID for result in known)
        before = known
        if self.added:
            first = next(iter(self.added))[0]
            before = [result for result in known if result.id < first or result.id not in self.added]
            self.repeats += len(known) - len(before)
        self.queued_before.add(
            sorted(result.id for result in before if result.state is State.QUEUED and not result.for_other_endpoint)
        )


async def ingest_records(
    records: Iterable[Record],
    builder: EntryBuilder,
    journal: Journal,
    engine: IngestEngine | None = None,
    *,
    on_entry: Callable[[NewDelivery], None] | None = None,
    on_progress: Callable[[IngestResult], None] | None = None,
    result: IngestResult | None = None,
) -> IngestResult:
    """Add every record to the journal, durably and in order, and wake the engine, which delivers at the same time.

    Large files are mapped in a subprocess. Memory holds two chunks, however long the input. `on_entry` is called with
    each entry before it is stored, in another thread; an exception that it raises ends the input. `on_progress` is
    called after each chunk. `result` is an earlier result to continue. Raises InputError of the reader (records before
    the error are stored) and JournalError (chunks before the error are stored; ingesting the same input again adds
    nothing twice). On cancellation the current chunk is still counted in `result`, and no other is stored.
    """
    result = IngestResult() if result is None else result
    prefetcher = EntryPrefetcher(iter_chunks(records, builder), on_entry)
    prefetcher.start()
    try:
        with SHORT_SWITCH_INTERVAL:
            while entries := await prefetcher.next_chunk():
                queued_for = result.add_chunk(entries, await _add_chunk(engine or journal, entries, result))
                if engine is not None:
                    for environment in queued_for:
                        engine.wake(environment)
                if on_progress is not None:
                    on_progress(result)
    finally:
        prefetcher.stop()
    return result


async def _add_chunk(
    store: Journal | IngestEngine, entries: Sequence[NewDelivery], result: IngestResult
) -> list[AddResult]:
    """Add a chunk; on cancellation, wait for its result and count it."""
    adding = asyncio.ensure_future(store.add(entries))
    try:
        return await asyncio.shield(adding)
    except asyncio.CancelledError:
        done, _ = await asyncio.wait((adding,), timeout=CANCEL_GRACE_S)
        if done and adding.exception() is None:
            result.add_chunk(entries, adding.result())
        raise
