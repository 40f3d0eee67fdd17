"""One run of `replay`: what it is about, queueing it, delivering it, and what became of it."""

from __future__ import annotations

import asyncio
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.interrupts import ENDS_WITHIN, Interrupts, Stopped
from sprig_tui.cli.sending import STOP_DRAIN
from sprig_tui.cli.tally import Tally, say_standstills, tally_json, tally_text, verdict
from sprig_tui.cli.terms import who_delivers
from sprig_tui.cli.watching import Watch, engine_log
from sprig_tui.clock import SystemClock
from sprig_tui.config.environment import override_urls
from sprig_tui.delivery.engine import Engine
from sprig_tui.delivery.ids import IdRanges
from sprig_tui.delivery.waiting import WaitResult, wait_until_settled
from sprig_tui.errors import ExitCode
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import State
from sprig_tui.journal.resending import is_resendable, needs_copy

if TYPE_CHECKING:
    from sprig_tui.cli.terms import Terms
    from sprig_tui.config.environment import Environment
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
    in_place: array[int]
    """Ascending: those that are queued again themselves; of the others a copy is, to the endpoint of this run."""
    redirected: Counter[tuple[str, str]]
    """How many went to one URL before and would go to another now, by both."""

    @property
    def total(self) -> int:
        """How many."""
        return len(self.ids)

    def as_json(self) -> dict[str, Any]:
        """For `--dry-run --json`."""
        redirected = [
            {"went_to": went, "goes_to": goes, "deliveries": number} for (went, goes), number in self.redirected.items()
        ]
        numbers = {"environments": self.environments, "ignored_by_segment": self.recent, "redirected": redirected}
        return {**tally_json(self.tally), **numbers}


async def choose(
    journal: Journal, query: Query, ids: tuple[int, ...], environments: Mapping[str, Environment]
) -> Chosen | None:
    """Look at what matches; None, said on stderr, when a delivery named by id is not there.

    `environments` are those of this run: they say where each would go.
    """
    chosen = Chosen(
        ids=array("q"),
        by_id=bool(ids),
        tally=Counter(),
        environments=Counter(),
        in_place=array("q"),
        redirected=Counter(),
    )
    now = SystemClock().now()
    if not ids:
        async for delivery in matching(journal, query):
            _note(chosen, delivery, environments, now)
        return chosen
    for number in sorted(set(ids)):
        found = await journal.get(number)
        if found is None:
            diagnostics.fault(f"there is no delivery {number}", "sprig-tui log lists them, the id in front")
            return None
        _note(chosen, found.delivery, environments, now)
    return chosen


def _note(chosen: Chosen, delivery: Delivery, environments: Mapping[str, Environment], now: int) -> None:
    chosen.ids.append(delivery.id)
    found = environments.get(delivery.environment)
    if not needs_copy(delivery.bound_for, found.override_url if found else ""):
        chosen.in_place.append(delivery.id)
    if (
        found is not None
        and delivery.endpoint not in ("", found.base_url)
        and is_resendable(delivery.state, delivery.reason, delivery.size)
    ):
        chosen.redirected[delivery.endpoint, found.base_url] += 1
    chosen.tally[delivery.state, delivery.reason] += 1
    chosen.environments[delivery.environment] += 1
    # another endpoint never saw its id
    same = found is None or delivery.endpoint in ("", found.base_url)
    if delivery.state is State.DELIVERED and same and delivery.settled_at + WINDOW_MS > now:
        chosen.recent += 1
        chosen.ignored_until = max(chosen.ignored_until, delivery.settled_at + WINDOW_MS)


async def matching(journal: Journal, query: Query, cursor: int = 0) -> AsyncIterator[Delivery]:
    """Every delivery that matches, oldest first, behind this id."""
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
    environments = {name: found for name, found in terms.environments(settings).items() if name in chosen.environments}
    last = newest.deliveries[-1].id if newest.deliveries else 0
    run = _Replaying(journal, query, chosen, last, as_new=as_new, elsewhere=override_urls(environments))
    if no_wait:
        await run.queue(None)
        diagnostics.note(f"{who_delivers(terms)} delivers it")
        return _report(
            run, await run.tally() if chosen.by_id else Counter(), WaitResult(), terms, as_json=as_json, stopped=False
        )
    async with AsyncExitStack() as stack:
        interrupts = stack.enter_context(Interrupts(ends_within=ENDS_WITHIN, last_code=ExitCode.INTERRUPTED))
        stack.enter_context(engine_log())
        engine = await stack.enter_async_context(Engine(journal, environments, terms.delivery(settings), role="replay"))

        async def work() -> WaitResult:
            with Watch(None, engine, chosen.total) as watch:
                watch.journal = journal
                await run.queue(engine)
                return await wait_until_settled(
                    journal,
                    await run.affected(),
                    list(chosen.environments),
                    engine=engine,
                    timeout_s=terms.give_up_after,
                    on_progress=watch.waiting,
                )

        waited, stopped = WaitResult(), False
        try:
            waited = await interrupts.guard(work())
        except Stopped:
            stopped = True
        await interrupts.drain(engine.drain(STOP_DRAIN))
        return _report(run, await run.tally(), waited, terms, as_json=as_json, stopped=stopped)


class _Replaying:
    def __init__(
        self,
        journal: Journal,
        query: Query,
        chosen: Chosen,
        newest: int,
        *,
        as_new: bool,
        elsewhere: Mapping[str, str],
    ) -> None:
        self._journal = journal
        self._query = query
        self._newest = newest
        """The newest delivery when it was asked for: new sendings come after it."""
        self.as_new = as_new
        self.elsewhere = elsewhere
        self.chosen = chosen
        self.queued = 0
        self.skipped = 0

    async def queue(self, engine: Engine | None) -> None:
        """Queue again: named ones at once, a filter's by a job that the engine (or another one) drives."""
        if self.chosen.by_id:
            added = await self._journal.requeue(list(self.chosen.ids), as_new=self.as_new, overrides=self.elsewhere)
            self.skipped = sum(one.outcome == "known" for one in added)
            self.queued = len(added) - self.skipped
            if engine is not None:
                engine.wake()
            return
        job = await self._journal.start_replay(self._query, as_new=self.as_new, overrides=self.elsewhere)
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
        found = IdRanges() if self.as_new else IdRanges(self.chosen.in_place)
        if self._makes:
            found.add([one.id async for one in matching(self._journal, Query(), self._newest) if self._is_made(one)])
        return found

    async def tally(self) -> Tally:
        """How they stand."""
        found: Tally = Counter()
        kept = array("q") if self.as_new else self.chosen.in_place
        if kept:
            async for one in matching(self._journal, Query(), kept[0] - 1):
                if one.id > kept[-1]:
                    break
                if _holds(kept, one.id):
                    found[one.state, one.reason] += 1
        if self._makes:
            async for one in matching(self._journal, Query(), self._newest):
                if self._is_made(one):
                    found[one.state, one.reason] += 1
        return found

    @property
    def _makes(self) -> bool:
        """Whether deliveries are made, under new ids or as copies."""
        return self.as_new or len(self.chosen.in_place) < self.chosen.total

    def _is_made(self, one: Delivery) -> bool:
        return one.origin_id > 0 and _holds(self.chosen.ids, one.origin_id)


def _holds(ids: array[int], number: int) -> bool:
    at = bisect_left(ids, number)
    return at < len(ids) and ids[at] == number


def _report(run: _Replaying, tally: Tally, waited: WaitResult, terms: Terms, *, as_json: bool, stopped: bool) -> int:
    if as_json:
        output.write_json(
            {
                "matched": run.chosen.total,
                "requeued": run.queued,
                "skipped": run.skipped,
                **tally_json(tally),
                "interrupted": stopped,
                "standstills": [
                    {"environment": one.environment, "why": one.kind, "cause": one.cause} for one in waited.stalls
                ],
            }
        )
    skipped = (
        f", {run.skipped:,} left as they are (withheld for good, queued already, or sent as another)"
        if run.skipped
        else ""
    )
    done = "queued as new, under ids of their own" if run.as_new else "queued again"
    if tally or run.skipped or not run.chosen.total:
        diagnostics.note(f"{run.queued:,} {done}{skipped}; now: {tally_text(tally)}")
    say_standstills(waited.stalls)
    if stopped:
        diagnostics.note(f"interrupted, nothing is lost: {who_delivers(terms)} goes on with it")
        return ExitCode.INTERRUPTED
    return verdict(tally, waited.stalls)
