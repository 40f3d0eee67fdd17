"""From records to the journal: what `send` does before it waits, for scripts too.

async with SQLiteJournal(path) as journal, Engine(journal, environments) as engine:
    fed = await feed(read_responses(["answers.jsonl"]), Intake(rules, environments, "production"), journal, engine)
    await until_settled(journal, fed.ids, fed.environments, engine=engine)
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import TYPE_CHECKING

from sprig_tui.ingest.id_ranges import UNLIMITED_RANGES, IdRanges
from sprig_tui.ingest.mapper_process import iter_entries
from sprig_tui.ingest.prefetch import SHORT_SWITCH_INTERVAL, EntryPrefetcher
from sprig_tui.journal.base import Journal
from sprig_tui.journal.records import AddOutcome, AddResult, NewDelivery, State
from sprig_tui.sprig.records import Record

if TYPE_CHECKING:
    from sprig_tui.delivery.engine import Engine
    from sprig_tui.ingest import EntryBuilder

CANCEL_GRACE_S = 5.0
"""Seconds that a cancelled feed waits to hear whether the chunk at hand was stored."""
_OUTCOME_KEY = attrgetter("outcome", "state", "reason")
_ENVIRONMENT_KEY = attrgetter("environment")


class IngestResult:
    """What became of the records so far."""

    def __init__(self) -> None:
        self.records = 0
        self.outcomes: Counter[AddOutcome] = Counter()
        """How the journal took them."""
        self.states: Counter[tuple[State, str]] = Counter()
        """(state, reason) that each stood in when it was added; `known` ones as they were found."""
        self.new_states: Counter[tuple[State, str]] = Counter()
        """The same of those alone that were not known."""
        self.repeats = 0
        """Known ones that an earlier record of the same input had brought."""
        self.environments: Counter[str] = Counter()
        """Queued deliveries by environment; those that this run can deliver."""
        self.ids = IdRanges()
        """Deliveries that were queued then, whether new or known; those that this run can deliver."""
        self.added = IdRanges(max_ranges=UNLIMITED_RANGES)
        """Deliveries that these records made: exactly so many as were not known."""
        self.queued_before = IdRanges(max_ranges=UNLIMITED_RANGES)
        """Known deliveries that were still queued, and that this run can deliver."""

    @property
    def known(self) -> int:
        """Records that the journal had."""
        return self.outcomes["known"]

    @property
    def new(self) -> int:
        """Records that it had not, whatever became of them."""
        return self.records - self.known

    def add_chunk(self, entries: list[NewDelivery], added: list[AddResult]) -> set[str]:
        """Take note of a chunk; returns the environments for which something was queued."""
        self.records += len(entries)
        # in C, all of it: this runs on the event loop, once for each record
        queued = known = 0
        for (outcome, state, reason), number in Counter(map(_OUTCOME_KEY, added)).items():
            self.outcomes[outcome] += number
            self.states[state, reason] += number
            if outcome == "known":
                known += number
            else:
                self.new_states[state, reason] += number
            queued += number if state is State.QUEUED else 0
        ids = [one.id for one in added]
        self.added.add([one.id for one in added if one.outcome != "known"] if known else ids)
        if known:
            self._count_known([one for one in added if one.outcome == "known"])
        if not queued:
            return set()
        if queued < len(added) or known:
            pairs = [
                (entry, one.id)
                for entry, one in zip(entries, added, strict=True)
                if one.state is State.QUEUED and not one.for_other_endpoint
            ]
            entries, ids = [entry for entry, _ in pairs], [delivery_id for _, delivery_id in pairs]
        self.ids.add(ids)
        touched = Counter(map(_ENVIRONMENT_KEY, entries))
        self.environments.update(touched)
        return set(touched)

    def _count_known(self, known: list[AddResult]) -> None:
        before = known
        if self.added:
            first = next(iter(self.added))[0]
            before = [one for one in known if one.id < first or one.id not in self.added]
            self.repeats += len(known) - len(before)
        self.queued_before.add(
            sorted(one.id for one in before if one.state is State.QUEUED and not one.for_other_endpoint)
        )


async def ingest_records(
    records: Iterable[Record],
    builder: EntryBuilder,
    journal: Journal,
    engine: Engine | None = None,
    *,
    on_entry: Callable[[NewDelivery], None] | None = None,
    on_progress: Callable[[IngestResult], None] | None = None,
    result: IngestResult | None = None,
) -> IngestResult:
    """Store every record, durably and in order, and wake the engine as they come; delivery goes on meanwhile.

    Memory holds two chunks, however long the input: what waits for delivery waits on disk. `check` hears of each entry
    before it is stored, in a thread of its own, and may refuse the rest by what it raises; `progress` hears after each
    chunk; `into` goes on counting where an earlier feed ended. Raises InputError of the reader (what was read before it
    is stored) and JournalError (chunks before it are stored; reading the same input again sends nothing twice).
    Cancelled, it stores nothing more, and counts the chunk that is being stored into `into`.
    """
    fed = IngestResult() if result is None else result
    pump = EntryPrefetcher(iter_entries(records, builder), on_entry)
    pump.start()
    try:
        with SHORT_SWITCH_INTERVAL:
            while entries := await pump.next_chunk():
                touched = fed.add_chunk(entries, await _add_chunk(engine or journal, entries, fed))
                if engine is not None:
                    for environment in touched:
                        engine.wake(environment)
                if on_progress is not None:
                    on_progress(fed)
    finally:
        pump.stop()
    return fed


async def _add_chunk(store: Journal | Engine, entries: list[NewDelivery], result: IngestResult) -> list[AddResult]:
    """Add a chunk; what the journal took although nobody waits any more is counted all the same."""
    storing = asyncio.ensure_future(store.add(entries))
    try:
        return await asyncio.shield(storing)
    except asyncio.CancelledError:
        done, _ = await asyncio.wait((storing,), timeout=CANCEL_GRACE_S)
        if done and storing.exception() is None:
            result.add_chunk(entries, storing.result())
        raise
