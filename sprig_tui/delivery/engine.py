"""Engine: one lane per environment that has a Write Key, and the bulk replays."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from msgspec.structs import replace

from sprig_tui.clock import Clock, MonotonicClock, SystemMonotonicClock
from sprig_tui.config.environment import DeliverySettings, Environment, override_urls
from sprig_tui.delivery import retry
from sprig_tui.delivery.clock_jumps import ClockJumpDetector
from sprig_tui.delivery.context import (
    BatchClient,
    ClientFactory,
    EngineContext,
    ResultListener,
    TrackingClientFactory,
    ignore_result,
)
from sprig_tui.delivery.count_keeper import CountKeeper
from sprig_tui.delivery.heartbeat import Heartbeat
from sprig_tui.delivery.lane import LaneWorker
from sprig_tui.delivery.replay import ReplayRunner
from sprig_tui.delivery.settlement import SHUTDOWN_GRACE_S
from sprig_tui.delivery.snapshot import EngineSnapshot, LaneSnapshot
from sprig_tui.delivery.suppression_watch import NoSuppression, SuppressionWatch
from sprig_tui.journal.base import Journal
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.entry_columns import EntryColumns
from sprig_tui.journal.records import AddResult, Lane, NewDelivery, Notification

ABORT_GRACE_S = 1.0
"""Seconds that requests may take to finish when the engine is left without `drain`."""

_log = logging.getLogger(__name__)


class Engine:
    """Delivers what is queued in a journal while it is entered.

        async with Engine(journal, environments, DeliverySettings()) as engine:
            ...
            await engine.drain(30)

    Any number of engines, in any number of processes, may share a journal. `environments` without a Write Key are
    known but not served: their deliveries stay queued. When the block is left without `drain`, requests on the wire
    have one second to finish; aborted ones are queued again under the same message ids. `on_result` is called with
    the result of each request. `role` names this worker in the journal's list of live workers. `suppression` tells
    whose deliveries are withheld instead of sent.

    An environment with an endpoint override (`Environment.override_url`) has a lane and a queue of its own there, for
    what is added through this engine. With `adopt` that lane also delivers what is queued for the environment's own
    endpoint.
    """

    def __init__(  # noqa: PLR0913 - each has a name, and all but two a default
        self,
        journal: Journal,
        environments: Mapping[str, Environment],
        settings: DeliverySettings | None = None,
        *,
        clock: Clock | None = None,
        timing: MonotonicClock | None = None,
        client_factory: ClientFactory | None = None,
        role: str = "engine",
        adopt: bool = False,
        on_result: ResultListener = ignore_result,
        suppression: SuppressionWatch | None = None,
    ) -> None:
        clock, timing = clock or journal.clock, timing or SystemMonotonicClock()
        self._heartbeat = Heartbeat(
            journal, role, served_environments=self.served_environments, rate=self._rate, clock=clock, timing=timing
        )
        self._context = EngineContext(
            journal=journal,
            clock=clock,
            timing=timing,
            random=random.Random().random,  # noqa: S311 - full jitter needs no secret randomness
            heartbeat=self._heartbeat,
            clock_jumps=ClockJumpDetector(clock, timing),
            idle=asyncio.Event(),
            on_result=on_result,
            suppression=suppression or NoSuppression(),
            adopt=adopt,
        )
        self.suppression = suppression
        """Keeps the list of suppressed users current while the engine runs; None where nobody is withheld as such."""
        self._suppression_task: asyncio.Task[None] | None = None
        self._environments = dict(environments)
        self._settings = settings or DeliverySettings()
        self._client_factory = client_factory or TrackingClientFactory()
        self._workers: dict[str, LaneWorker] = {}
        self._count_keeper = CountKeeper(journal, timing=timing)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._close_tasks: set[asyncio.Task[None]] = set()
        self._retired_tasks: set[asyncio.Task[None]] = set()
        """Lanes that are no longer served and may still have requests on the wire."""
        self._final_snapshots: dict[str, LaneSnapshot] = {}
        """Last snapshot of each lane, once the engine is drained."""
        self._replay_runner = ReplayRunner(journal, timing, self.served_environments, self._wake_all)
        self._replay_task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] = lambda: None
        self._pending_adds: set[asyncio.Task[list[AddResult]]] = set()
        self._draining = False

    # -- start, drain, reload -----------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Start the lanes; raises JournalError when the journal cannot be read, ConfigError for a bad endpoint."""
        if self.suppression is not None:
            await asyncio.to_thread(self.suppression.load)
        await merge_own_endpoints(self._context.journal, self._environments)
        await self._resume_lanes((), starting=self._environments)
        try:
            for environment in self._environments.values():
                if environment.write_key is not None:
                    self._start_lane(environment)
        except BaseException:
            await self.drain(0.0)
            raise
        self._replay_task = asyncio.create_task(self._replay_runner.run())
        if self.suppression is not None:
            self._suppression_task = asyncio.create_task(
                self.suppression.run(self._context.clock, self._context.timing)
            )
        self._heartbeat.start()
        self._count_keeper.start()
        self._unsubscribe = self._context.journal.subscribe(self._on_notification)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drain for `ABORT_GRACE_S` seconds."""
        await self.drain(ABORT_GRACE_S)

    async def drain(self, timeout: float) -> bool:  # noqa: ASYNC109 - part of the interface; the rest is aborted
        """Claim nothing more, wait at most `timeout` seconds for requests on the wire, then abort the rest.

        True when nothing was aborted. The engine cannot be restarted; its snapshot keeps the totals.
        """
        self._draining = True
        self._unsubscribe()
        self._replay_runner.stop()
        for worker in self._workers.values():
            worker.stop()
        tasks = [*self._tasks.values(), *self._retired_tasks, *([self._replay_task] if self._replay_task else [])]
        left: set[asyncio.Task[Any]] = set()
        try:
            if tasks or self._pending_adds:
                _, left = await asyncio.wait((*tasks, *self._pending_adds), timeout=max(timeout, 0.0))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._pending_adds:
                # not cancelled: their callers need the result, and claims made with them are released
                await asyncio.wait(self._pending_adds, timeout=SHUTDOWN_GRACE_S)
            await asyncio.gather(
                *self._close_tasks, *(worker.config.client.close() for worker in self._workers.values())
            )
            await self._count_keeper.stop()
            await self._heartbeat.stop()
            if self.suppression is not None and self._suppression_task is not None:
                if timeout > 0:
                    await self.suppression.wait_idle(ABORT_GRACE_S)
                self._suppression_task.cancel()
                await asyncio.wait((self._suppression_task,))
            self._final_snapshots |= {
                name: replace(worker.snapshot(), rate=0.0) for name, worker in self._workers.items()
            }
            self._tasks.clear()
            self._workers.clear()
        return not left

    async def reload(self, environments: Mapping[str, Environment], settings: DeliverySettings | None = None) -> None:
        """Continue with other keys, endpoints or settings; lanes paused over a changed key or endpoint resume.

        Requests on the wire finish with the old ones. Raises JournalError when a lane could not be resumed.
        """
        before, self._environments = self._environments, dict(environments)
        changed_settings = settings is not None and settings != self._settings
        self._settings = settings or self._settings
        for name in [name for name in self._workers if self._write_key(name) is None]:
            self._retire_lane(name)
        for name, environment in self._environments.items():
            if environment.write_key is None or self._draining:
                continue
            if name not in self._workers:
                self._start_lane(environment)
            elif environment != before.get(name) or changed_settings:
                self._reconfigure(environment)
        changed = [
            name for name, environment in self._environments.items() if _endpoint_changed(before.get(name), environment)
        ]
        await merge_own_endpoints(self._context.journal, self._environments)
        await self._resume_lanes(changed, starting=changed)
        self._heartbeat.beat_now()
        self._wake_all()

    # -- adding deliveries --------------------------------------------------------------------------------------------

    async def add(self, entries: Sequence[NewDelivery]) -> list[AddResult]:
        """Add to the journal, durably. Claims that the lanes have room for are made in the same transaction.

        The rest stays queued until the lane polls; `wake` makes it poll now. Raises JournalError; then nothing is
        stored. Completes even when the caller is cancelled.
        """
        adding = asyncio.create_task(self._add(entries))
        self._pending_adds.add(adding)
        adding.add_done_callback(self._pending_adds.discard)
        return await asyncio.shield(adding)

    async def _add(self, entries: Sequence[NewDelivery]) -> list[AddResult]:
        workers: dict[str, LaneWorker] = {}
        requests: dict[str, ClaimRequest] = {}
        entries = EntryColumns.of(entries)
        for name in set(entries.column("environment")):
            worker = self._workers.get(name)
            if worker is not None and (request := worker.claim_request()):
                workers[name], requests[name] = worker, request
        requested_at = self._context.timing.monotonic()
        for name, worker in workers.items():
            worker.reserve(requests[name].claims)
        try:
            results, claims = await self._context.journal.add_and_claim(entries, tuple(requests.values()))
        finally:
            for name, worker in workers.items():
                worker.reserve(-requests[name].claims)
        declined = [
            claim
            for claim in claims
            if not workers[claim.environment].dispatch(
                claim, requested_at + requests[claim.environment].lease_ms / 1000
            )
        ]
        await asyncio.gather(*(workers[claim.environment].settlement_writer.release(claim) for claim in declined))
        return results

    # -- wake-up and state --------------------------------------------------------------------------------------------

    def wake(self, environment: str = "") -> None:
        """Poll the journal now, for one environment or, without a name, for all and for bulk replays."""
        if not environment:
            self._wake_all()
            self._replay_runner.wake()
        elif environment in self._workers:
            self._workers[environment].wake()

    def served_environments(self) -> frozenset[str]:
        """Names of the environments that this engine delivers to."""
        return frozenset(self._workers)

    def override_urls(self) -> dict[str, str]:
        """Environment name -> URL, for environments delivered to an endpoint other than their own."""
        return override_urls({name: worker.config.environment for name, worker in self._workers.items()})

    @property
    def idle(self) -> asyncio.Event:
        """Set each time a lane has nothing to do; clear it before waiting."""
        return self._context.idle

    def snapshot(self) -> EngineSnapshot:
        """The engine at this moment; cheap enough for twenty times a second."""
        return EngineSnapshot(
            environments={
                name: self._workers[name].snapshot()
                if name in self._workers
                else self._final_snapshots.get(
                    name, LaneSnapshot(environment=name, lane=Lane(environment=name), has_key=False)
                )
                for name in self._environments
            },
            draining=self._draining,
            clock_jumps=tuple(self._context.clock_jumps.jumps),
            replays=self._replay_runner.jobs,
            replay_error=self._replay_runner.error,
        )

    # -- lanes --------------------------------------------------------------------------------------------------------

    def _write_key(self, name: str) -> object:
        environment = self._environments.get(name)
        return environment.write_key if environment else None

    def _rate(self) -> float:
        return sum(worker.snapshot().rate for worker in self._workers.values())

    def _on_notification(self, notification: Notification) -> None:
        """Handle a change that another process made in the journal."""
        if not notification.environment:
            self._wake_all()
        elif notification.environment in self._workers:
            self._workers[notification.environment].on_notification(notification)

    def _wake_all(self) -> None:
        for worker in self._workers.values():
            worker.wake()

    def _start_lane(self, environment: Environment) -> None:
        client = self._client_factory(environment, self._settings, self._context.clock)
        worker = LaneWorker(self._context, environment, self._settings, client)
        self._workers[environment.name] = worker
        self._tasks[environment.name] = asyncio.create_task(worker.run())

    def _reconfigure(self, environment: Environment) -> None:
        worker = self._workers[environment.name]
        old_client = worker.config.client
        batches_done = worker.reload(
            environment, self._settings, self._client_factory(environment, self._settings, self._context.clock)
        )
        self._close_after(batches_done, old_client)

    def _retire_lane(self, name: str) -> None:
        worker = self._workers.pop(name)
        worker.stop()
        task = self._tasks.pop(name)
        self._retired_tasks.add(task)
        task.add_done_callback(self._retired_tasks.discard)
        self._close_after(task, worker.config.client)

    def _close_after(self, done: asyncio.Future[None], client: BatchClient) -> None:
        async def close() -> None:
            await asyncio.wait((done,))
            await client.close()

        task = asyncio.create_task(close())
        self._close_tasks.add(task)
        task.add_done_callback(self._close_tasks.discard)

    async def _resume_lanes(self, changed: Collection[str], *, starting: Collection[str]) -> None:
        """Resume lanes that were paused over a key, OAuth credentials or an endpoint no longer in use.

        A lane of an endpoint override (`--endpoint`) is resumed when an engine starts with it, whatever the reason of
        the pause: such lanes are not listed anywhere and cannot be resumed manually.
        """
        keyed = {
            name: environment for name, environment in self._environments.items() if environment.write_key is not None
        }
        for endpoint in {environment.override_url for environment in keyed.values()}:
            for name, lane in (await self._context.journal.lanes(endpoint)).items():
                environment = keyed.get(name)
                if environment is None or environment.override_url != endpoint:
                    continue
                outdated = retry.pause_is_outdated(lane, environment) or (
                    name in changed and retry.is_engine_pause(lane)
                )
                if outdated or (endpoint and lane.state != "open" and name in starting):
                    _log.info("lane %s resumes: its key, OAuth credentials or endpoint changed", name)
                    await self._context.journal.set_lane(name, "open", endpoint=endpoint)


async def merge_own_endpoints(journal: Journal, environments: Mapping[str, Environment]) -> None:
    """Merge the queues of endpoint overrides (`--endpoint`) whose URL the config has now into the environment's own."""
    for name, environment in environments.items():
        if environment.write_key is not None and not environment.override_url:
            await journal.merge_endpoint(name, environment.base_url)


def _endpoint_changed(before: Environment | None, now: Environment) -> bool:
    return before is None or (before.write_key, before.base_url, before.oauth_credentials) != (
        now.write_key,
        now.base_url,
        now.oauth_credentials,
    )
