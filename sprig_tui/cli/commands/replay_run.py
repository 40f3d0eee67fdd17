"""One run of `replay`: selects deliveries, requeues them, delivers and reports."""

from __future__ import annotations

import asyncio
from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.progress import RunProgress
from sprig_tui.cli.report import StateCounts, counts_json, counts_text, end_json, exit_code_for, print_stalls
from sprig_tui.cli.run_options import delivering_command
from sprig_tui.cli.session import delivery_session
from sprig_tui.clock import SystemClock
from sprig_tui.config.environment import override_urls
from sprig_tui.delivery.engine import Engine
from sprig_tui.delivery.wait import WaitResult
from sprig_tui.errors import ExitCode
from sprig_tui.ingest.id_ranges import IdRanges
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import State
from sprig_tui.journal.resend import is_resendable, needs_copy
from sprig_tui.segment.limits import DEDUP_WINDOW_MS

if TYPE_CHECKING:
    from sprig_tui.cli.run_options import RunOptions
    from sprig_tui.config.environment import Environment
    from sprig_tui.config.settings import Settings
    from sprig_tui.journal.base import Journal
    from sprig_tui.journal.records import Delivery

PAGE_SIZE = 1_000
POLL_INTERVAL_S = 0.1
"""Seconds between two looks at a bulk replay."""


class ReplaySelection(Struct, kw_only=True):
    """Deliveries selected for a replay, with their states at that time."""

    ids: array[int]
    """Ascending."""
    by_id: bool
    tally: StateCounts
    environments: Counter[str]
    dropped: int = 0
    """Deliveries without content, which cannot be sent again."""
    repaired: int = 0
    """Deliveries whose place another one took already."""
    recent: int = 0
    """Deliveries so recent that Segment ignores the repeat."""
    ignored_until: int = 0
    """When it takes the last of them again, ms since 1970."""
    in_place: array[int]
    """Ascending: those that are queued again themselves; of the others a copy is, to the endpoint of this run."""
    redirected: Counter[tuple[str, str]]
    """How many went to one URL before and would go to another now, by both."""

    @property
    def total(self) -> int:
        """Number of selected deliveries."""
        return len(self.ids)

    def as_json(self) -> dict[str, Any]:
        """The selection as JSON, for `--dry-run`."""
        redirected = [
            {"went_to": went, "goes_to": goes, "deliveries": number} for (went, goes), number in self.redirected.items()
        ]
        return {
            **counts_json(self.tally),
            "environments": self.environments,
            "ignored_by_segment": self.recent,
            "content_dropped": self.dropped,
            "repaired": self.repaired,
            "redirected": redirected,
        }


async def select_deliveries(
    journal: Journal, query: Query, ids: tuple[int, ...], environments: Mapping[str, Environment]
) -> ReplaySelection | None:
    """Select deliveries; None, with an error on stderr, where a delivery named by id does not exist.

    `environments` are those of this run; they give each delivery its endpoint.
    """
    chosen = _empty_selection(by_id=bool(ids))
    now = SystemClock().now()
    if not ids:
        async for delivery in iter_matching(journal, query):
            _add_to_selection(chosen, delivery, environments, now)
        return chosen
    for number in sorted(set(ids)):
        found = await journal.get(number)
        if found is None:
            diagnostics.failure(f"there is no delivery {number}", "sprig-tui log lists them, the id in front")
            return None
        _add_to_selection(chosen, found.delivery, environments, now)
    return chosen


async def select_listed(
    journal: Journal, ids: Sequence[int], environments: Mapping[str, Environment]
) -> ReplaySelection:
    """Select these deliveries (ascending ids), a page at a time: there may be very many. Missing ones are left out."""
    chosen = _empty_selection(by_id=True)
    now, wanted = SystemClock().now(), array("q", ids)
    if wanted:
        async for delivery in iter_matching(journal, Query(), wanted[0] - 1):
            if delivery.id > wanted[-1]:
                break
            if _contains(wanted, delivery.id):
                _add_to_selection(chosen, delivery, environments, now)
    return chosen


def _empty_selection(*, by_id: bool) -> ReplaySelection:
    return ReplaySelection(
        ids=array("q"),
        by_id=by_id,
        tally=Counter(),
        environments=Counter(),
        in_place=array("q"),
        redirected=Counter(),
    )


def _add_to_selection(
    selection: ReplaySelection, delivery: Delivery, environments: Mapping[str, Environment], now: int
) -> None:
    selection.ids.append(delivery.id)
    selection.dropped += delivery.content_dropped
    selection.repaired += bool(delivery.repaired_by) and is_resendable(delivery.state, delivery.reason, delivery.size)
    found = environments.get(delivery.environment)
    if not needs_copy(delivery.bound_for, found.override_url if found else ""):
        selection.in_place.append(delivery.id)
    if (
        found is not None
        and delivery.endpoint not in ("", found.base_url)
        and is_resendable(delivery.state, delivery.reason, delivery.size)
    ):
        selection.redirected[delivery.endpoint, found.base_url] += 1
    selection.tally[delivery.state, delivery.reason] += 1
    selection.environments[delivery.environment] += 1
    # another endpoint never saw its id
    same = not delivery.content_dropped and (found is None or delivery.endpoint in ("", found.base_url))
    if delivery.state is State.DELIVERED and same and delivery.settled_at + DEDUP_WINDOW_MS > now:
        selection.recent += 1
        selection.ignored_until = max(selection.ignored_until, delivery.settled_at + DEDUP_WINDOW_MS)


async def iter_matching(journal: Journal, query: Query, cursor: int = 0) -> AsyncIterator[Delivery]:
    """Every delivery that matches, oldest first, behind this id."""
    more = True
    while more:
        page = await journal.page(query, cursor=cursor, limit=PAGE_SIZE, direction="newer")
        for delivery in page.deliveries:
            yield delivery
        more = page.more and bool(page.deliveries)
        cursor = page.deliveries[-1].id if page.deliveries else cursor


async def run_replay(
    journal: Journal,
    settings: Settings,
    options: RunOptions,
    query: Query,
    selection: ReplaySelection,
    *,
    as_new: bool,
    no_wait: bool,
    as_json: bool,
) -> int:
    """Queue what was chosen, deliver it unless `no_wait`, say what became of it; returns the exit code."""
    newest = await journal.page(Query(), limit=1)
    environments = {
        name: found for name, found in options.environments(settings).items() if name in selection.environments
    }
    last = newest.deliveries[-1].id if newest.deliveries else 0
    run = ReplayRun(journal, query, selection, last, as_new=as_new, elsewhere=override_urls(environments))
    if no_wait:
        await run.requeue(None)
        diagnostics.info(f"{delivering_command(options)} delivers it")
        counts = await run.count_by_state() if selection.by_id else Counter()
        return _report_result(run, counts, WaitResult(), options, as_json=as_json, stopped=False)
    async with delivery_session(settings, options, journal) as session:
        engine = await session.start_engine("replay", environments)

        async def work() -> WaitResult:
            await run.requeue(engine)
            ids = await run.affected_ids()
            return await session.wait_until_settled(ids, list(selection.environments), progress.set_queued)

        with RunProgress(engine, journal, total=selection.total) as progress:
            waited = await session.run(work()) or WaitResult()
        await session.drain()
        counts = await run.count_by_state()
        return _report_result(run, counts, waited, options, as_json=as_json, stopped=session.stopped)


class ReplayRun:
    """One run of `replay`: its selection and its progress."""

    def __init__(
        self,
        journal: Journal,
        query: Query,
        selection: ReplaySelection,
        newest: int,
        *,
        as_new: bool,
        elsewhere: Mapping[str, str],
    ) -> None:
        self._journal = journal
        self._query = query
        self._newest_id = newest
        """The newest delivery when it was asked for: new sendings come after it."""
        self.as_new = as_new
        self.elsewhere = elsewhere
        self.selection = selection
        self.queued = 0
        self.skipped = 0

    async def requeue(self, engine: Engine | None) -> None:
        """Queue again: named ones at once, a filter's by a job that the engine (or another one) drives."""
        if self.selection.by_id:
            added = await self._journal.requeue(list(self.selection.ids), as_new=self.as_new, overrides=self.elsewhere)
            self.skipped = sum(added_delivery.outcome == "known" for added_delivery in added)
            self.queued = len(added) - self.skipped
            if engine is not None:
                engine.wake()
            return
        job = await self._journal.start_replay(self._query, as_new=self.as_new, overrides=self.elsewhere)
        if engine is None:
            self.queued = 0
            diagnostics.info(f"replay {job.id} of {job.total:,} deliveries waits in the journal")
            return
        engine.wake()
        while job.state in ("running", "paused"):
            await asyncio.sleep(POLL_INTERVAL_S)
            job = next((current for current in await self._journal.replays() if current.id == job.id), job)
            self.queued, self.skipped = job.queued, job.skipped

    async def affected_ids(self) -> IdRanges:
        """The deliveries that this replay has queued."""
        found = IdRanges() if self.as_new else IdRanges(self.selection.in_place)
        if self._makes_deliveries:
            found.add(
                [
                    delivery.id
                    async for delivery in iter_matching(self._journal, Query(), self._newest_id)
                    if self._is_result(delivery)
                ]
            )
        return found

    async def count_by_state(self) -> StateCounts:
        """Counts of the replayed deliveries by state."""
        found: StateCounts = Counter()
        kept = array("q") if self.as_new else self.selection.in_place
        if kept:
            async for delivery in iter_matching(self._journal, Query(), kept[0] - 1):
                if delivery.id > kept[-1]:
                    break
                if _contains(kept, delivery.id):
                    found[delivery.state, delivery.reason] += 1
        if self._makes_deliveries:
            async for delivery in iter_matching(self._journal, Query(), self._newest_id):
                if self._is_result(delivery):
                    found[delivery.state, delivery.reason] += 1
        return found

    @property
    def _makes_deliveries(self) -> bool:
        """Whether deliveries are made, under new ids or as copies."""
        return self.as_new or len(self.selection.in_place) < self.selection.total

    def _is_result(self, delivery: Delivery) -> bool:
        return delivery.origin_id > 0 and _contains(self.selection.ids, delivery.origin_id)


def _contains(ids: array[int], number: int) -> bool:
    at = bisect_left(ids, number)
    return at < len(ids) and ids[at] == number


def _report_result(
    run: ReplayRun, tally: StateCounts, wait_result: WaitResult, options: RunOptions, *, as_json: bool, stopped: bool
) -> int:
    if as_json:
        output.write_json(
            {
                "matched": run.selection.total,
                "requeued": run.queued,
                "skipped": run.skipped,
                **counts_json(tally),
                **end_json(wait_result.stalls, interrupted=stopped),
            }
        )
    skipped = (
        f", {run.skipped:,} left as they are (withheld for good, queued already, without content, or sent as another)"
        if run.skipped
        else ""
    )
    done = "queued as new, under ids of their own" if run.as_new else "queued again"
    if tally or run.skipped or not run.selection.total:
        diagnostics.info(f"{run.queued:,} {done}{skipped}; now: {counts_text(tally)}")
    print_stalls(wait_result.stalls)
    if stopped:
        diagnostics.info(f"interrupted, nothing is lost: {delivering_command(options)} resumes it")
        return ExitCode.INTERRUPTED
    return exit_code_for(tally, wait_result.stalls)
