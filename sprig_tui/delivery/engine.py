"""The engine: a lane per environment that has a Write Key, and the bulk replays."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from msgspec.structs import replace

from sprig_tui.clock import Clock
from sprig_tui.config.delivery import DeliverySettings
from sprig_tui.config.environment import Environment, override_urls
from sprig_tui.delivery import pauses
from sprig_tui.delivery.attendance import Attendance
from sprig_tui.delivery.clock_jumps import ClockJumps
from sprig_tui.delivery.lane import LaneWorker
from sprig_tui.delivery.ledger import LAST_MOMENT
from sprig_tui.delivery.means import Client, ClientFactory, Means, tracking_client
from sprig_tui.delivery.replay import ReplayDriver
from sprig_tui.delivery.snapshot import EngineSnapshot, LaneSnapshot
from sprig_tui.delivery.timing import SystemTiming, Timing
from sprig_tui.journal.contract import Journal
from sprig_tui.journal.records import AddResult, Lane, NewDelivery, Notification

if TYPE_CHECKING:
    from sprig_tui.segment.client import Answer

BREAK_OFF = 1.0
"""Seconds that requests get to finish when the engine is left without `drain`."""

_log = logging.getLogger(__name__)


class Engine:
    """Delivers what is queued in a journal, until it is left.

        async with Engine(journal, environments, DeliverySettings()) as engine:
            ...
            await engine.drain(30)

    Any number of engines, in any number of processes, may share a journal. `environments` without a Write Key are
    known but not served: what is queued for them stays queued. Leaving the block without `drain` gives requests on the
    wire a second; those broken off go back to the queue under the same message ids. `hear` is told the answer to each
    request. `role` is what the journal's list of live workers calls this one.

    An environment with another endpoint than its own (`Environment.elsewhere`) has a lane and a queue of its own there:
    what comes in through this engine. With `adopt` it also delivers there what waits for the environment's own.
    """

    def __init__(  # noqa: PLR0913 - each has a name, and all but two a default
        self,
        journal: Journal,
        environments: Mapping[str, Environment],
        settings: DeliverySettings | None = None,
        *,
        clock: Clock | None = None,
        timing: Timing | None = None,
        client_factory: ClientFactory = tracking_client,
        role: str = "engine",
        adopt: bool = False,
        hear: Callable[[str, Answer], None] = lambda _environment, _answer: None,
    ) -> None:
        # full jitter needs no secret randomness
        draw = random.Random().random  # noqa: S311
        clock, timing = clock or journal.clock, timing or SystemTiming()
        self._attendance = Attendance(journal, role, served=self.served, rate=self._rate, clock=clock, timing=timing)
        self._means = Means(
            journal,
            clock,
            timing,
            draw,
            self._attendance.owner,
            ClockJumps(clock, timing),
            asyncio.Event(),
            hear,
            lambda: self._attendance.reported_at,
            adopt,
        )
        self._environments = dict(environments)
        self._settings = settings or DeliverySettings()
        self._client_factory = client_factory
        self._workers: dict[str, LaneWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._retired: set[asyncio.Task[None]] = set()
        """Lanes that are no longer served and still have requests on the wire."""
        self._last: dict[str, LaneSnapshot] = {}
        """Each lane as it was when the engine was drained."""
        self._replays = ReplayDriver(journal, timing, self.served, self._wake_all)
        self._replay_task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] = lambda: None
        self._storing: set[asyncio.Task[list[AddResult]]] = set()
        self._draining = False

    # -- life -----------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Start the lanes; raises JournalError when the journal cannot be read, ConfigError for a bad endpoint."""
        await take_home(self._means.journal, self._environments)
        await self._reopen_lanes((), begun=self._environments)
        try:
            for environment in self._environments.values():
                if environment.write_key is not None:
                    self._start(environment)
        except BaseException:
            await self.drain(0.0)
            raise
        self._replay_task = asyncio.create_task(self._replays.run())
        self._attendance.start()
        self._unsubscribe = self._means.journal.subscribe(self._hear)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; see the class for what becomes of requests on the wire."""
        await self.drain(BREAK_OFF)

    async def drain(self, timeout: float) -> bool:  # noqa: ASYNC109 - part of the interface; what is left is broken off
        """Claim nothing more and let what is on the wire finish, for at most `timeout` seconds, then break it off.

        True when nothing had to be broken off. The engine does not start again after this; its snapshot keeps the
        totals.
        """
        self._draining = True
        self._unsubscribe()
        self._replays.stop()
        for worker in self._workers.values():
            worker.stop()
        tasks = [*self._tasks.values(), *self._retired, *([self._replay_task] if self._replay_task else [])]
        left: set[asyncio.Task[Any]] = set()
        try:
            if tasks or self._storing:
                _, left = await asyncio.wait((*tasks, *self._storing), timeout=max(timeout, 0.0))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._storing:
                # not broken off: whoever stores wants to hear of it, and what was claimed with it is given back
                await asyncio.wait(self._storing, timeout=LAST_MOMENT)
            await asyncio.gather(*self._closing, *(w.client.close() for w in self._workers.values()))
            await self._attendance.end()
            self._last |= {name: replace(worker.snapshot(), rate=0.0) for name, worker in self._workers.items()}
            self._tasks.clear()
            self._workers.clear()
        return not left

    async def reload(self, environments: Mapping[str, Environment], settings: DeliverySettings | None = None) -> None:
        """Go on with other keys, endpoints or settings; a lane paused over a key or an endpoint that changed resumes.

        Requests on the wire finish under the old terms. Raises JournalError when a lane could not be resumed.
        """
        before, self._environments = self._environments, dict(environments)
        changed_settings = settings is not None and settings != self._settings
        self._settings = settings or self._settings
        for name in [name for name in self._workers if self._key_of(name) is None]:
            self._retire(name)
        for name, environment in self._environments.items():
            if environment.write_key is None or self._draining:
                continue
            if name not in self._workers:
                self._start(environment)
            elif environment != before.get(name) or changed_settings:
                self._renew(environment)
        changed = [
            name for name, environment in self._environments.items() if _other_terms(before.get(name), environment)
        ]
        await take_home(self._means.journal, self._environments)
        await self._reopen_lanes(changed, begun=changed)
        self._attendance.stir()
        self._wake_all()

    # -- what comes in --------------------------------------------------------------------------------------------

    async def add(self, entries: Sequence[NewDelivery]) -> list[AddResult]:
        """Add to the journal, durably; what the lanes have room for is claimed as it is stored, and sent at once.

        The rest is queued: `wake`. Raises JournalError; then nothing is stored. Once begun it is carried through, also
        when the caller is cancelled.
        """
        storing = asyncio.create_task(self._add(entries))
        self._storing.add(storing)
        storing.add_done_callback(self._storing.discard)
        return await asyncio.shield(storing)

    async def _add(self, entries: Sequence[NewDelivery]) -> list[AddResult]:
        names = {entry.environment for entry in entries}
        wanted = {name: found for name in names if (worker := self._workers.get(name)) and (found := worker.wanted())}
        workers = {name: self._workers[name] for name in wanted}
        asked_at = self._means.timing.monotonic()
        until = {name: asked_at + one.lease_ms / 1000 for name, one in wanted.items()}
        for name, worker in workers.items():
            worker.promise(wanted[name].claims)
        try:
            added, claims = await self._means.journal.add_and_claim(entries, tuple(wanted.values()))
        finally:
            for name, worker in workers.items():
                worker.promise(-wanted[name].claims)
        back = [one for one in claims if not workers[one.environment].carry(one, until[one.environment])]
        await asyncio.gather(*(workers[claim.environment].ledger.release(claim) for claim in back))
        return added

    # -- what others ask ------------------------------------------------------------------------------------------

    def wake(self, environment: str = "") -> None:
        """Look into the journal now, because something was added; for all environments where none is named."""
        if not environment:
            self._wake_all()
            self._replays.wake()
        elif environment in self._workers:
            self._workers[environment].wake()

    def served(self) -> frozenset[str]:
        """Names of the environments that this engine delivers to."""
        return frozenset(self._workers)

    def elsewhere(self) -> dict[str, str]:
        """Environment -> URL, of those that this engine delivers to another endpoint than their own."""
        return override_urls({name: worker.environment for name, worker in self._workers.items()})

    @property
    def quiet(self) -> asyncio.Event:
        """Set each time a lane finds nothing to do; whoever waits on it clears it first."""
        return self._means.quiet

    def snapshot(self) -> EngineSnapshot:
        """The engine at this moment; cheap enough for twenty times a second."""
        return EngineSnapshot(
            environments={
                name: self._workers[name].snapshot()
                if name in self._workers
                else self._last.get(name, LaneSnapshot(environment=name, lane=Lane(environment=name), has_key=False))
                for name in self._environments
            },
            draining=self._draining,
            clock_jumps=tuple(self._means.jumps.seen),
            replays=self._replays.jobs,
            trouble=self._replays.trouble,
        )

    # -- inside ---------------------------------------------------------------------------------------------------

    def _key_of(self, name: str) -> object:
        environment = self._environments.get(name)
        return environment.write_key if environment else None

    def _rate(self) -> float:
        return sum(worker.snapshot().rate for worker in self._workers.values())

    def _hear(self, notice: Notification) -> None:
        """What the journal calls out of the doings of other processes."""
        if not notice.environment:
            self._wake_all()
        elif notice.environment in self._workers:
            self._workers[notice.environment].hear(notice)

    def _wake_all(self) -> None:
        for worker in self._workers.values():
            worker.wake()

    def _start(self, environment: Environment) -> None:
        client = self._client_factory(environment, self._settings, self._means.clock)
        worker = LaneWorker(self._means, environment, self._settings, client)
        self._workers[environment.name] = worker
        self._tasks[environment.name] = asyncio.create_task(worker.run())

    def _renew(self, environment: Environment) -> None:
        worker = self._workers[environment.name]
        old = worker.client
        landed = worker.reload(
            environment, self._settings, self._client_factory(environment, self._settings, self._means.clock)
        )
        self._close_after(landed, old)

    def _retire(self, name: str) -> None:
        worker = self._workers.pop(name)
        worker.stop()
        task = self._tasks.pop(name)
        self._retired.add(task)
        task.add_done_callback(self._retired.discard)
        self._close_after(task, worker.client)

    def _close_after(self, done: asyncio.Future[None], client: Client) -> None:
        async def close() -> None:
            await asyncio.wait((done,))
            await client.close()

        task = asyncio.create_task(close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _reopen_lanes(self, changed: Collection[str], *, begun: Collection[str]) -> None:
        """Resume lanes that were paused over a key or an endpoint that is no longer in use.

        A lane to the endpoint of a run with `--endpoint` is resumed at the start of the next such run, whatever it was
        paused over: nobody is told of it otherwise, and nobody could resume it by hand.
        """
        keyed = {name: one for name, one in self._environments.items() if one.write_key is not None}
        for endpoint in {one.override_url for one in keyed.values()}:
            for name, lane in (await self._means.journal.lanes(endpoint)).items():
                environment = keyed.get(name)
                if environment is None or environment.override_url != endpoint:
                    continue
                over = pauses.pause_is_outdated(lane, environment) or (name in changed and pauses.is_engine_pause(lane))
                if over or (endpoint and lane.state != "open" and name in begun):
                    _log.info("lane %s resumes: its key or endpoint changed", name)
                    await self._means.journal.set_lane(name, "open", endpoint=endpoint)


async def take_home(journal: Journal, environments: Mapping[str, Environment]) -> None:
    """Know what runs with `--endpoint` sent to URLs that the config has now, and deliver what they left queued."""
    for name, environment in environments.items():
        if environment.write_key is not None and not environment.override_url:
            await journal.merge_endpoint(name, environment.base_url)


def _other_terms(before: Environment | None, now: Environment) -> bool:
    return before is None or (before.write_key, before.base_url) != (now.write_key, now.base_url)
