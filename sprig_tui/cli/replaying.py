"""One run of `replay`: what it is about, queueing it, delivering it, and what became of it."""

from __future__ import annotations

import asyncio
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.interrupts import Interrupts, Stopped
from sprig_tui.cli.sending import DRAIN
from sprig_tui.cli.tally import Tally, say_standstills, tally_json, tally_text, verdict
from sprig_tui.cli.watching import Watch, engine_log
from sprig_tui.clock import SystemClock
from sprig_tui.delivery.engine import Engine
from sprig_tui.delivery.ids import IdRanges
from sprig_tui.delivery.waiting import Waited, until_settled
from sprig_tui.errors import ExitCode
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import State

if TYPE_CHECKING:
    from sprig_tui.cli.terms import Terms
    from sprig_tui.config.settings import Settings
    from sprig_tui.journal.contract import Journal
    from sprig_tui.journal.records import Delivery

PAGE = 1_000
LOOK_EVERY = 0.1
"""Seconds between two looks at a bulk replay."""
WINDOW_MS = 24 * 3600 * 1000
"""How long Segment remembers message ids (facts: about 24 hours)."""


class Chosen(Struct, kw_only=True):
    """The deliveries that a replay is about, as they stood when it was asked for."""

    ids: array[int]
    """Ascending."""
    by_id: bool
    tally: Tally
    environments: Counter[str]
    recent: int = 0
    """Delivered so lately that Segment will ignore the repeat."""
    ignored_until: int = 0
    """When it takes the last of them again, ms since 1970."""

    @property
    def total(self) -> int:
        """How many."""
        return len(self.ids)

    def __contains__(self, number: int) -> bool:
        at = bisect_left(self.ids, number)
        return at < len(self.ids) and self.ids[at] == number

    def as_json(self) -> dict[str, Any]:
        """For `--dry-run --json`."""
        return {**tally_json(self.tally), "environments": self.environments, "ignored_by_segment": self.recent}


async def choose(journal: Journal, query: Query, ids: tuple[int, ...]) -> Chosen | None:
    """Look at what matches; None, said on stderr, when a delivery named by id is not there."""
    chosen = Chosen(ids=array("q"), by_id=bool(ids), tally=Counter(), environments=Counter())
    now = SystemClock().now()
    if not ids:
        async for delivery in _matching(journal, query, 0):
            _note(chosen, delivery, now)
        return chosen
    for number in sorted(set(ids)):
        found = await journal.get(number)
        if found is None:
            diagnostics.fault(f"there is no delivery {number}", "sprig-tui log lists them, the id in front")
            return None
        _note(chosen, found.delivery, now)
    return chosen


def _note(chosen: Chosen, delivery: Delivery, now: int) -> None:
    chosen.ids.append(delivery.id)
    chosen.tally[delivery.state, delivery.reason] += 1
    chosen.environments[delivery.environment] += 1
    if delivery.state is State.DELIVERED and delivery.settled_at + WINDOW_MS > now:
        chosen.recent += 1
        chosen.ignored_until = max(chosen.ignored_until, delivery.settled_at + WINDOW_MS)


async def _matching(journal: Journal, query: Query, cursor: int) -> AsyncIterator[Delivery]:
    more = True
    while more:
        page = await journal.page(query, cursor=cursor, limit=PAGE, direction="newer")
        for delivery in page.deliveries:
            yield delivery
        more = page.more and bool(page.deliveries)
        cursor = page.deliveries[-1].id if page.deliveries else cursor


async def deliver(
    journal: Journal,
    settings: Settings,
    terms: Terms,
    query: Query,
    chosen: Chosen,
    *,
    as_new: bool,
    no_wait: bool,
    as_json: bool,
) -> int:
    """Queue what was chosen, deliver it unless `no_wait`, say what became of it; returns the exit code."""
    newest = await journal.page(Query(), limit=1)
    run = _Replaying(journal, query, chosen, newest.deliveries[-1].id if newest.deliveries else 0, as_new=as_new)
    if no_wait:
        await run.queue(None)
        diagnostics.note("sprig-tui run delivers it")
        return _report(run, await run.tally() if chosen.by_id else Counter(), Waited(), as_json=as_json, stopped=False)
    environments = {name: found for name, found in terms.environments(settings).items() if name in chosen.environments}
    async with AsyncExitStack() as stack:
        interrupts = stack.enter_context(Interrupts())
        stack.enter_context(engine_log())
        engine = await stack.enter_async_context(Engine(journal, environments, terms.delivery(settings), role="replay"))

        async def work() -> Waited:
            with Watch(None, engine, chosen.total) as watch:
                watch.journal = journal
                await run.queue(engine)
                return await until_settled(
                    journal,
                    await run.affected(),
                    list(chosen.environments),
                    engine=engine,
                    patience=terms.give_up_after,
                    progress=watch.waiting,
                )

        waited, stopped = Waited(), False
        try:
            waited = await interrupts.guard(work())
        except Stopped:
            stopped = True
        await interrupts.drain(engine.drain(DRAIN))
        return _report(run, await run.tally(), waited, as_json=as_json, stopped=stopped)


class _Replaying:
    def __init__(self, journal: Journal, query: Query, chosen: Chosen, newest: int, *, as_new: bool) -> None:
        self._journal = journal
        self._query = query
        self._newest = newest
        """The newest delivery when it was asked for: new sendings come after it."""
        self.as_new = as_new
        self.chosen = chosen
        self.queued = 0
        self.skipped = 0

    async def queue(self, engine: Engine | None) -> None:
        """Queue again: named ones at once, a filter's by a job that the engine (or another one) drives."""
        if self.chosen.by_id:
            added = await self._journal.requeue(list(self.chosen.ids), as_new=self.as_new)
            self.skipped = sum(one.outcome == "known" for one in added)
            self.queued = len(added) - self.skipped
            if engine is not None:
                engine.wake()
            return
        job = await self._journal.start_replay(self._query, as_new=self.as_new)
        if engine is None:
            self.queued = 0
            diagnostics.note(f"replay {job.id} of {job.total:,} deliveries waits in the journal")
            return
        engine.wake()
        while job.state in ("running", "paused"):
            await asyncio.sleep(LOOK_EVERY)
            job = next((one for one in await self._journal.replays() if one.id == job.id), job)
            self.queued, self.skipped = job.queued, job.skipped

    async def affected(self) -> IdRanges:
        """The deliveries that stand for the replay now."""
        if not self.as_new:
            return IdRanges(self.chosen.ids)
        return IdRanges([one.id async for one in _matching(self._journal, Query(), self._newest) if self._is_ours(one)])

    async def tally(self) -> Tally:
        """How they stand."""
        found: Tally = Counter()
        start = self._newest if self.as_new else (self.chosen.ids[0] - 1 if self.chosen.ids else 0)
        async for one in _matching(self._journal, Query(), start):
            if not self.as_new and one.id > self.chosen.ids[-1]:
                break
            if self._is_ours(one):
                found[one.state, one.reason] += 1
        return found

    def _is_ours(self, one: Delivery) -> bool:
        return one.origin_id in self.chosen if self.as_new else one.id in self.chosen


def _report(run: _Replaying, tally: Tally, waited: Waited, *, as_json: bool, stopped: bool) -> int:
    if as_json:
        output.write_json(
            {
                "matched": run.chosen.total,
                "requeued": run.queued,
                "skipped": run.skipped,
                **tally_json(tally),
                "interrupted": stopped,
                "standstills": [
                    {"environment": one.environment, "why": one.why, "cause": one.cause} for one in waited.standstills
                ],
            }
        )
    skipped = f", {run.skipped:,} cannot be sent (withheld for good, or still queued)" if run.skipped else ""
    if tally or run.skipped or not run.chosen.total:
        diagnostics.note(f"{run.queued:,} queued again{skipped}; now: {tally_text(tally)}")
    say_standstills(waited.standstills)
    if stopped:
        diagnostics.note("interrupted, nothing is lost: sprig-tui run goes on with it")
        return ExitCode.INTERRUPTED
    return verdict(tally, waited.standstills)
