"""One environment's lane: claims what is due, keeps a few requests in flight, and stands still when it must."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from sprig_tui.config.delivery import DeliverySettings
from sprig_tui.config.environment import Environment
from sprig_tui.delivery.clock_jumps import told
from sprig_tui.delivery.flight import Flight, Request
from sprig_tui.delivery.lane_wait import LaneWait
from sprig_tui.delivery.leases import Leases
from sprig_tui.delivery.ledger import FIRST_PAUSE, LONGEST_PAUSE, Ledger
from sprig_tui.delivery.means import Client, Means
from sprig_tui.delivery.pacing import Pacer
from sprig_tui.delivery.retry import Decision, Policy
from sprig_tui.delivery.snapshot import LaneSnapshot, Meter
from sprig_tui.delivery.timing import LONGEST_WAIT
from sprig_tui.errors import JournalError
from sprig_tui.journal.claiming import ClaimRequest
from sprig_tui.journal.records import Claim, Lane, Notification, State
from sprig_tui.segment.limits import BATCH_BYTES, MAX_BATCH_EVENTS

if TYPE_CHECKING:
    from sprig_tui.segment.client import Answer

AHEAD = 2
"""Claims made beyond the connections: one being prepared and one being settled while the wire is busy."""
AT_ONCE = 2
"""Times as many claims as that, of what is stored just now: its answers wait for the writer behind the next chunk."""
FIRST_REST = 0.25
LONGEST_REST = 1.0
"""Seconds between two looks at an idle journal, to which other processes may add."""

_log = logging.getLogger(__name__)


class LaneWorker:
    """Runs the lane of one environment in this process; the lane's state itself lives in the journal."""

    def __init__(self, means: Means, environment: Environment, settings: DeliverySettings, client: Client) -> None:
        self._means = means
        self._lane = Lane(environment=environment.name)
        self._stir = asyncio.Event()
        """Something changed: look again."""
        self._stopping = asyncio.Event()
        self._flights: dict[asyncio.Task[None], Flight] = {}
        self._promised = 0
        """Claims that are being made by those who store."""
        self._shut_epoch = -1
        self._asked_until = 0.0
        """End of the lease that was asked for last, by the monotonic clock."""
        self._rest_seconds = FIRST_REST
        self._requests = self._in_flight = self._sent = self._failed = self._retried = self._unconfirmed = 0
        self._waiting = LaneWait()
        self._meter = Meter()
        self._last_error, self._last_error_at = "", 0
        self._trouble = ""
        self.ledger = Ledger(means.journal, means.timing, self._hear_trouble)
        self._leases = Leases(self.ledger, means.timing, means.reported_at)
        self._use(environment, settings, client)

    def _use(self, environment: Environment, settings: DeliverySettings, client: Client) -> None:
        self.environment, self.settings, self.client = environment, settings, client
        self.policy = Policy(settings, environment, self._means.draw)
        self._pacer = Pacer(environment.requests_per_second)
        self._connections = asyncio.Semaphore(settings.connections)

    # -- from outside ---------------------------------------------------------------------------------------------

    def reload(self, environment: Environment, settings: DeliverySettings, client: Client) -> asyncio.Future[None]:
        """Go on under new terms; the future is done when no request uses the old client any more."""
        self._use(environment, settings, client)
        self.wake()
        return asyncio.ensure_future(_all_done(tuple(self._flights)))

    def wake(self) -> None:
        """Look into the journal now."""
        self._rest_seconds = FIRST_REST
        self._stir.set()

    def hear(self, notice: Notification) -> None:
        """Another worker changed the lane: what was claimed before it was shut is not sent any more."""
        if notice.lane_closed:
            self._shut_epoch = max(self._shut_epoch, notice.lane_epoch - 1)
        self.wake()

    def stop(self) -> None:
        """Claim and send nothing more; `run` returns when what is on the wire is settled."""
        self._stopping.set()
        self._stir.set()

    def snapshot(self) -> LaneSnapshot:
        """The lane at this moment."""
        return LaneSnapshot(
            environment=self.environment.name,
            lane=self._lane,
            has_key=True,
            in_flight=self._in_flight,
            requests=self._requests,
            delivered=self._meter.total,
            unconfirmed=self._unconfirmed,
            failed=self._failed,
            retried=self._retried,
            sent=self._sent,
            rate=self._meter.rate(self._means.timing.monotonic()),
            last_error=self._last_error,
            last_error_at=self._last_error_at,
            trouble=self._trouble,
        )

    # -- what is carried as it is stored --------------------------------------------------------------------------

    def wanted(self) -> ClaimRequest | None:
        """What this lane could carry at once of what is stored now; None where it is full or ends."""
        usual, rate = self.settings.connections + AHEAD, self.environment.requests_per_second
        # a second's worth at most: moments taken up far ahead are lost to other workers
        most = max(usual, min(AT_ONCE * usual, int(rate))) if rate > 0 else AT_ONCE * usual
        room = most - len(self._flights) - self._promised
        return None if room <= 0 or self._stopping.is_set() else self._terms(room)

    def promise(self, claims: int) -> None:
        """Keep room for so many claims that are being made; fewer than none when they were."""
        self._promised += claims

    def carry(self, claim: Claim, until: float) -> bool:
        """Send what was claimed as it was stored, ours `until` that monotonic moment; False where the lane ends."""
        if self._stopping.is_set():
            return False
        self._launch(claim, until)
        return True

    # -- the loop -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Deliver until stopped. Cancelled, it breaks off what is on the wire and gives every lease back."""
        keeper = asyncio.create_task(self._leases.keep(lambda: self.settings.lease))
        try:
            while not self._stopping.is_set():
                self._stir.clear()
                if len(self._flights) >= self.settings.connections + AHEAD:
                    await self._stir.wait()
                    continue
                claim = await self._claim()
                if claim is not None and claim.lease:
                    self._launch(claim, self._asked_until)
                elif claim is not None:
                    await self._rest(claim)
            await _all_done(tuple(self._flights))
        finally:
            keeper.cancel()
            for task in self._flights:
                task.cancel()
            await _all_done((keeper, *self._flights))

    async def _claim(self) -> Claim | None:
        """Ask the journal for work; None after trouble, when it is time to ask again."""
        pause = FIRST_PAUSE
        while not self._stopping.is_set():
            self._look_at_the_clock()
            # not to be broken off half way: a claim that nobody holds would wait for its lease to run out
            terms = self._terms()
            self._asked_until = self._means.timing.monotonic() + terms.lease_ms / 1000
            asking = asyncio.ensure_future(
                self._means.journal.claim(
                    terms.environment,
                    events=terms.events,
                    payload_bytes=terms.payload_bytes,
                    lease_ms=terms.lease_ms,
                    rate=terms.rate,
                    owner=terms.owner,
                    endpoint=terms.endpoint,
                    adopt=terms.adopt,
                    waited_until=terms.waited_until,
                )
            )
            try:
                claim = await asyncio.shield(asking)
            except asyncio.CancelledError:
                await self._give_back(asking)
                raise
            except Exception as error:  # noqa: BLE001 - a lane that ended would leave its deliveries queued for ever
                if isinstance(error, JournalError):
                    self._hear_trouble(f"cannot claim from the journal, trying again: {error.message}")
                else:
                    self._hear_fault(error)
                await self._means.timing.wait(self._stopping, pause)
                pause = min(pause * 2, LONGEST_PAUSE)
            else:
                self._hear_trouble("")
                self._lane = claim.lane
                self._waiting.note(claim.lane.until, self._means.clock.now(), self._means.timing.monotonic())
                return claim
        return None

    def _terms(self, claims: int = 1) -> ClaimRequest:
        return ClaimRequest(
            self.environment.name,
            MAX_BATCH_EVENTS,
            BATCH_BYTES,
            int(self.settings.lease * 1000),
            self.environment.requests_per_second,
            self._means.owner,
            claims,
            self.environment.override_url,
            self._means.adopt,
            self._waiting.over_at(self._means.timing.monotonic()),
        )

    async def _give_back(self, asking: asyncio.Future[Claim]) -> None:
        try:
            async with asyncio.timeout(LONGEST_REST):
                claim = await asking
        except (JournalError, TimeoutError):
            return
        if claim.lease:
            await self.ledger.last_words(claim, ())

    def _launch(self, claim: Claim, until: float) -> None:
        self._rest_seconds = FIRST_REST
        # the lease began when it was asked for: a process that stood still meanwhile may hear of it when it is over
        asked_at = until - self.settings.lease
        self._leases.hold(claim, until - self._means.timing.monotonic(), self._means.clock.now(), asked_at)
        flight = Flight(self, claim)
        task = asyncio.create_task(self._guard(flight))
        self._flights[task] = flight
        task.add_done_callback(self._landed)

    async def _guard(self, flight: Flight) -> None:
        """A worker's outer edge: a fault of ours must not end the lane; what it held is given back and tried again."""
        try:
            await flight.run()
        except Exception as error:  # noqa: BLE001 - the outer edge; logged with its traceback
            self._hear_fault(error)
            await self._means.timing.wait(self._stopping, LONGEST_PAUSE)

    def _landed(self, task: asyncio.Task[None]) -> None:
        flight = self._flights.pop(task)
        self._leases.drop(flight.claim)
        self._stir.set()

    async def _rest(self, claim: Claim) -> None:
        """Nothing to claim: wait for a wake, for what the journal says comes next, or for the next look."""
        seconds = self._rest_seconds
        if claim.retry_at:
            ahead = (claim.retry_at - self._means.clock.now()) / 1000.0
            seconds = min(max(ahead, 0.001), seconds)
        self._rest_seconds = min(self._rest_seconds * 1.5, LONGEST_REST)
        if not self._flights:
            self._means.quiet.set()
        await self._means.timing.wait(self._stir, seconds)

    def _look_at_the_clock(self) -> None:
        jump = self._means.jumps.look()
        if jump is not None:
            _log.warning("%s", told(jump))

    def _hear_trouble(self, text: str) -> None:
        self._trouble = text

    def _hear_fault(self, error: Exception) -> None:
        _log.error("the lane %s met an internal error", self.environment.name, exc_info=error)
        self._hear_trouble(f"internal error, trying again: {type(error).__name__}")

    # -- what flights need ----------------------------------------------------------------------------------------

    def now(self) -> int:
        """Wall time in ms."""
        return self._means.clock.now()

    def in_present_time(self, moments: tuple[int, ...]) -> tuple[int, ...]:
        """Wall times noted before, ms, as the clock of now would have told them; 0 stays 0."""
        self._look_at_the_clock()
        jumps = self._means.jumps
        return tuple(map(jumps.in_present_time, moments)) if jumps.seen else moments

    async def send(self, claim: Claim, request: Request) -> Answer | None:
        """Wait for a connection and for the moment, then make the request; None when nothing may be sent any more."""
        async with self._connections:
            wait = max(self._leases.wait_for(claim), self._pacer.reserve(self._means.timing.monotonic()))
            if wait > 0:
                await self._means.timing.wait(self._stopping, min(wait, LONGEST_WAIT))
            # since this was claimed a failure may have shut the lane, here or elsewhere, or another taken it over
            shut = claim.lane.epoch <= self._shut_epoch
            if self._stopping.is_set() or shut or not self._leases.holds(claim):
                return None
            self._requests += 1
            self._in_flight += request.events
            request.started_at, request.endpoint = self._means.clock.now(), self.environment.base_url
            try:
                return await self.client.send_batch(request.payload, request.retry_count)
            finally:
                self._requests -= 1
                self._in_flight -= request.events
                self._sent += 1

    def note(self, answer: Answer, decision: Decision, claim: Claim) -> None:
        """Hear what an answer led to, before it is written down."""
        if decision.halt:
            self._shut_epoch = max(self._shut_epoch, claim.lane.epoch)
        try:
            self._means.hear(self.environment.name, answer)
        except Exception as error:  # noqa: BLE001 - a listener's fault must not undo what Segment has answered
            self._hear_fault(error)
        if answer.kind != "delivered":
            self._last_error, self._last_error_at = answer.error or str(answer.status), self.now()
        for settlement in decision.settlements:
            if settlement.state is State.DELIVERED:
                self._meter.add(len(settlement.ids), self._means.timing.monotonic())
                self._unconfirmed += len(settlement.ids) if answer.unconfirmed else 0
            elif settlement.state is State.FAILED:
                self._failed += len(settlement.ids)
            elif settlement.state is State.QUEUED:
                self._retried += len(settlement.ids)


async def _all_done(tasks: tuple[asyncio.Task[None], ...]) -> None:
    """Wait for the end of tasks, however they end."""
    if tasks:
        await asyncio.wait(tasks)
