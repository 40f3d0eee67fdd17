"""One reconciliation: asks Segment for its counts, and compares them with the journal's.

    async with public_api(...) as api:
        report = await reconcile(settings, journal, api, environments=["production"], since=..., until=..., clock=clock)

Queries: the workspace's sources (a page each 1,000), the event's volume by source (one), and for each environment three
steps of its source, its destinations (one), and three steps of each that is enabled. A step takes one query a window,
and one more where it counted anything that has a reason. All these once more, if it is short and answers were sent
under another event name than that of the config.
"""

from __future__ import annotations

import asyncio
import itertools
from bisect import bisect_left
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import structs

from sprig_tui.clock import Clock
from sprig_tui.config.settings import Settings
from sprig_tui.journal.base import Journal
from sprig_tui.reconcile.compare import compare
from sprig_tui.reconcile.counts import SourceCounts, StepCounts, discard_counts
from sprig_tui.reconcile.destinations import ask_destination, passed_on
from sprig_tui.reconcile.event_names import delivered_event_names
from sprig_tui.reconcile.model import (
    Bucket,
    Destination,
    DiscardCount,
    EnvironmentReport,
    Obstacle,
    Report,
    StraySource,
    Verdict,
    shortfalls,
)
from sprig_tui.reconcile.queries import ProgressListener, Queries, Refusal, gather, ignore_progress
from sprig_tui.reconcile.volumes import ask_volumes, stray_sources
from sprig_tui.reconcile.windows import MINUTE_MS, bucket_edges, destination_windows, plan
from sprig_tui.segment.metrics import Granularity, Step
from sprig_tui.segment.public_api_models import Source, source_of_key

if TYPE_CHECKING:
    from sprig_tui.journal.accepted import AcceptedBin
    from sprig_tui.segment.public_api import PublicApiClient

HOLD_BACK_MS = 5 * MINUTE_MS
"""How far Segment's counts lag behind: its own app holds back so long, so that all steps agree."""
MAX_SKEW_MS = 2 * MINUTE_MS
"""How far the clocks may differ."""
_SOURCE_STEPS = (Step.RECEIVED, Step.FAILED_ON_INGEST, Step.FILTERED_AT_SOURCE)


async def reconcile(  # noqa: PLR0913 - the scope of a comparison
    settings: Settings,
    journal: Journal | None,
    api: PublicApiClient,
    *,
    environments: Sequence[str],
    since: int,
    until: int,
    clock: Clock,
    on_progress: ProgressListener = ignore_progress,
    destinations: bool = True,
    granularity: Granularity | None = None,
    hold_back_ms: int = HOLD_BACK_MS,
) -> Report:
    """Compare these environments (names; empty for all) from since to until.

    What cannot be asked becomes a verdict with its obstacle. `hold_back_ms` 0: Segment's counts do not lag, and the
    clocks do not differ, as in an endpoint on this machine. Raises JournalError, and ConfigError for an unknown name.
    """
    names = list(environments) or list(settings.environments)
    for name in names:
        settings.environment(name)
    run = _Reconciliation(
        settings, journal, api, since, until, clock, on_progress, destinations, granularity, hold_back_ms
    )
    return await run.report(names)


def clocks_differ(ahead_s: float | None) -> bool:
    """Whether this clock differs from Segment's by more than a comparison allows for; None where Segment said no time.

    The Date of a response is exact to a second, and takes a moment to arrive.
    """
    return ahead_s is not None and abs(ahead_s) > MAX_SKEW_MS / 1000 + 2


class _Reconciliation:
    def __init__(  # noqa: PLR0913, PLR0917 - the arguments of `reconcile`
        self,
        settings: Settings,
        journal: Journal | None,
        api: PublicApiClient,
        since: int,
        until: int,
        clock: Clock,
        on_progress: ProgressListener,
        destinations: bool,
        granularity: Granularity | None,
        hold_back_ms: int,
    ) -> None:
        self._settings = settings
        self._journal = journal
        self._api = api
        self._clock = clock
        self._with_destinations = destinations
        self._hold_back_ms = hold_back_ms
        self._max_skew_ms = MAX_SKEW_MS if hold_back_ms else 0
        self._event = settings.rules.event
        self._queries = Queries(on_progress)
        self._requests_before = api.requests
        self._now = clock.now()
        self._since, self._until = since, min(until, self._now)
        self._windows = plan(self._since, self._until, self._now, granularity=granularity)
        self._edges = bucket_edges(self._windows, self._now, hold_back_ms)
        self._granularity = self._windows[0].granularity if self._windows else granularity or Granularity.HOUR

    @property
    def _judged_at(self) -> int:
        """Time of the comparison; without a hold-back the last bucket is judged although it may not be over."""
        return self._now if self._hold_back_ms or not self._edges else max(self._now, self._edges[-1][1])

    @property
    def _is_cut(self) -> bool:
        """Whether the beginning is older than Segment's counts."""
        begins = self._windows[0].start if self._windows else self._until
        return begins - self._since >= self._granularity.width_ms

    async def report(self, names: Sequence[str]) -> Report:
        sources: tuple[Source, ...] | Refusal = ()
        strays: tuple[StraySource, ...] = ()
        if self._windows:
            sources = await self._queries.ask("sources of the workspace", self._api.sources)
            if not isinstance(sources, Refusal):
                strays = await self._strays(sources)
        reports = await gather(self._environment(name, sources) for name in names)
        return Report(
            asked_at=self._now,
            since=self._since,
            until=self._until,
            event=self._event,
            environments=tuple(reports),
            strays=strays,
            requests=self._api.requests - self._requests_before,
            complete=not self._queries.refusals and not self._is_cut,
        )

    # -- the source of each key --------------------------------------------------------------------------------------

    def _source_of(self, name: str, sources: Sequence[Source]) -> Source | Refusal:
        key = self._settings.environments[name].write_key
        if key is None:
            return Refusal(Obstacle.NO_KEY)
        source = source_of_key(key.reveal(), sources)
        if source is not None:
            return source
        hidden = sum(not source.write_keys for source in sources)
        if sources and hidden == len(sources):
            return Refusal(Obstacle.KEYS_HIDDEN)
        detail = f"the token sees no key of {hidden:,} of the {len(sources):,} sources" if hidden else ""
        return Refusal(Obstacle.NOT_IN_WORKSPACE, detail)

    async def _strays(self, sources: Sequence[Source]) -> tuple[StraySource, ...]:
        found = await ask_volumes(self._queries, self._api, self._event, self._windows, self._now)
        return () if isinstance(found, Refusal) else stray_sources(found, self._settings, sources)

    # -- one environment ---------------------------------------------------------------------------------------------

    async def _environment(self, name: str, sources: tuple[Source, ...] | Refusal) -> EnvironmentReport:
        bins = await self._accepted(name)
        known = EnvironmentReport(environment=name, granularity=self._granularity)
        if not self._windows:
            return self._not_asked(known, bins, Refusal(Obstacle.TOO_OLD))
        source = sources if isinstance(sources, Refusal) else self._source_of(name, sources)
        if isinstance(source, Refusal):
            return self._not_asked(known, bins, source)
        known = structs.replace(known, source_id=source.id, source_name=source.name, source_enabled=source.enabled)
        if clocks_differ(self._api.clock_ahead_s):
            return self._not_asked(known, bins, Refusal(Obstacle.CLOCK))
        found = await self._compare_with(known, source, bins, frozenset({self._event}))
        if found.verdict is Verdict.SHORT and self._journal is not None:
            # what was sent under another name is counted under it
            names = await delivered_event_names(
                self._journal,
                name,
                shortfalls(found.buckets),
                endpoint=self._settings.environments[name].base_url,
            )
            if names - {self._event}:
                return await self._compare_with(known, source, bins, names | {self._event})
        return found

    async def _compare_with(
        self, known: EnvironmentReport, source: Source, bins: tuple[AcceptedBin, ...], events: frozenset[str]
    ) -> EnvironmentReport:
        """The comparison with the counts of these event names."""
        name = known.environment
        counts = SourceCounts(self._api, self._queries, source.id, events, self._clock.now)
        steps = await gather(counts.step(step, self._windows, name) for step in _SOURCE_STEPS)
        discards: list[DiscardCount] = []
        for step in steps[1:]:
            discards.extend(discard_counts(step.step, await counts.reasons(step, name)))
        destinations: tuple[Destination, ...] | Refusal = ()
        if self._with_destinations:
            destinations = await self._destinations(name, source, counts, steps)
        # it computes for seconds over a month of hours
        return await asyncio.to_thread(self._compared, known, bins, steps, tuple(discards), destinations)

    async def _accepted(self, name: str) -> tuple[AcceptedBin, ...]:
        if self._journal is None:
            return ()
        start = min(self._since, self._windows[0].start) if self._windows else self._since
        end = max(self._until, self._edges[-1][1]) if self._edges else self._until
        # counts of its source have nothing to do with what another endpoint took
        return await self._journal.accepted(
            name,
            since=start - self._max_skew_ms,
            until=end + self._max_skew_ms,
            endpoint=self._settings.environments[name].base_url,
        )

    def _not_asked(self, known: EnvironmentReport, bins: Sequence[AcceptedBin], why: Refusal) -> EnvironmentReport:
        edges = self._edges if self._windows else ((self._since, self._until),)
        buckets = uncounted_buckets(bins, edges, why.obstacle) if self._since < self._until else ()
        if self._windows:
            buckets = (*self._old_buckets(bins), *buckets)
        return structs.replace(known, buckets=buckets, obstacle=why.obstacle, detail=why.detail)

    def _old_buckets(self, bins: Sequence[AcceptedBin]) -> tuple[Bucket, ...]:
        edges = ((self._since, self._windows[0].start),) if self._is_cut else ()
        return uncounted_buckets(bins, edges, Obstacle.TOO_OLD)

    def _compared(
        self,
        known: EnvironmentReport,
        bins: tuple[AcceptedBin, ...],
        steps: Sequence[StepCounts],
        discards: tuple[DiscardCount, ...],
        destinations: tuple[Destination, ...] | Refusal,
    ) -> EnvironmentReport:
        received, failed, filtered = steps
        buckets: list[Bucket] = list(self._old_buckets(bins))
        for (start, end), is_known in received_ranges(received, self._edges):
            edges = tuple(edge for edge in self._edges if start <= edge[0] < end)
            if is_known:
                points = tuple(point for point in received.points if start <= point.time < end)
                buckets += compare(
                    bins,
                    points,
                    buckets=edges,
                    now=self._judged_at,
                    hold_back_ms=self._hold_back_ms,
                    max_skew_ms=self._max_skew_ms,
                )
            else:
                refusal = received.refusal
                buckets += uncounted_buckets(bins, edges, refusal.obstacle if refusal else Obstacle.NOT_ASKED)
        counted = tuple(
            structs.replace(
                bucket,
                failed_on_ingest=failed.count_in(bucket.start, bucket.end),
                filtered_at_source=filtered.count_in(bucket.start, bucket.end),
            )
            if bucket.obstacle is not Obstacle.TOO_OLD
            else bucket
            for bucket in buckets
        )
        refusal = next((step.refusal for step in steps if step.refusal), None)
        if isinstance(destinations, Refusal):
            # without its obstacle it would look as if none were connected
            refusal, destinations = refusal or destinations, ()
        return structs.replace(
            known,
            buckets=counted,
            discards=discards,
            destinations=destinations,
            verdict=overall_verdict(counted),
            short=sum(shortfall.short for shortfall in shortfalls(counted)),
            obstacle=refusal.obstacle if refusal else Obstacle.TOO_OLD if self._is_cut else Obstacle.NONE,
            detail=refusal.detail if refusal else "",
        )

    async def _destinations(
        self, name: str, source: Source, counts: SourceCounts, steps: Sequence[StepCounts]
    ) -> tuple[Destination, ...] | Refusal:
        found = await self._queries.ask(f"destinations of {name}", lambda: self._api.destinations(source.id))
        if isinstance(found, Refusal):
            return found
        windows = destination_windows(self._windows, self._until, self._now)
        received, _, filtered = steps
        settled_before = self._judged_at - self._hold_back_ms - self._max_skew_ms
        passed = passed_on(received, filtered, windows[0].start, windows[-1].end, settled_before)
        return tuple(
            await gather(
                ask_destination(counts, destination, windows, passed, f"{name}, {destination.name}")
                for destination in found
            )
        )


def received_ranges(received: StepCounts, edges: Sequence[tuple[int, int]]) -> list[tuple[tuple[int, int], bool]]:
    """The ranges that were answered or not, in order, each as long as it can be: what adjoins is compared together."""
    found: list[tuple[tuple[int, int], bool]] = []
    for is_known, group in itertools.groupby(edges, lambda edge: received.count_in(*edge) is not None):
        listed = list(group)
        found.append(((listed[0][0], listed[-1][1]), is_known))
    return found


def uncounted_buckets(
    bins: Sequence[AcceptedBin], edges: Sequence[tuple[int, int]], obstacle: Obstacle
) -> tuple[Bucket, ...]:
    """Buckets with what was sent, of which it is not known what Segment received; `bins` are in order of time."""
    starts = [item.start for item in bins]
    found: list[Bucket] = []
    for start, end in edges:
        own = bins[bisect_left(starts, start) : bisect_left(starts, end)]
        distinct, sends = sum(item.first for item in own), sum(item.sends for item in own)
        found.append(
            Bucket(start=start, end=end, distinct=distinct, sends=sends, repeats=sends - distinct, obstacle=obstacle)
        )
    return tuple(found)


def overall_verdict(buckets: Sequence[Bucket]) -> Verdict:
    """The verdict of all buckets: short if one is; too young or not compared only if no other says anything."""
    busy = [bucket for bucket in buckets if bucket.sends or bucket.received]
    verdicts = {bucket.verdict for bucket in busy or buckets}
    order = (Verdict.SHORT, Verdict.MORE, Verdict.AGREES, Verdict.TOO_YOUNG)
    return next((verdict for verdict in order if verdict in verdicts), Verdict.CANNOT_ASK)
