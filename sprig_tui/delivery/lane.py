"""One environment's lane: claims what is due, keeps a few requests in flight, and stands still when it must."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from sprig_tui.clock import MAX_WAIT_S
from sprig_tui.config.environment import DeliverySettings, Environment
from sprig_tui.delivery.batch import BatchDelivery, BatchRequest
from sprig_tui.delivery.clock_jumps import describe_jump
from sprig_tui.delivery.context import BatchClient, EngineContext
from sprig_tui.delivery.retry import RetryDecision, RetryPolicy
from sprig_tui.delivery.settlement import MAX_JOURNAL_BACKOFF_S, MIN_JOURNAL_BACKOFF_S, LeaseRenewer, SettlementWriter
from sprig_tui.delivery.snapshot import LaneSnapshot, Pacer, RateMeter
from sprig_tui.errors import JournalError
from sprig_tui.journal.base import ClaimRequest
from sprig_tui.journal.records import Claim, Lane, Notification, State
from sprig_tui.segment.limits import MAX_BATCH_EVENTS, TARGET_BATCH_BYTES

if TYPE_CHECKING:
    from sprig_tui.segment.client import SendResult


class LaneWait:
    """The end of the wait that was seen last."""

    def __init__(self) -> None:
        self._until = 0
        self._ends_at = 0.0

    def update(self, until: int, now: int, monotonic: float) -> None:
        """The journal says that the lane waits `until` this wall time (ms; 0 for no wait); `now` is the wall time."""
        if until != self._until:
            self._until = until
            self._ends_at = monotonic + max(0, until - now) / 1000

    def expired_at(self, monotonic: float) -> int:
        """The wall time at which the wait was to end, ms, once it is over by the monotonic clock; else 0."""
        return self._until if self._until and monotonic >= self._ends_at else 0


PREFETCH_CLAIMS = 2
"""Claims made beyond the connections: one being prepared and one being settled while the wire is busy."""
ADD_CLAIM_FACTOR = 2
"""Times as many claims as that, of what is stored just now: its answers wait for the writer behind the next chunk."""
MIN_IDLE_POLL_S = 0.25
MAX_IDLE_POLL_S = 1.0
"""Seconds between two looks at an idle journal, to which other processes may add."""

_log = logging.getLogger(__name__)


class LaneWorker:
    """Runs the lane of one environment in this process; the lane's state itself lives in the journal."""

    def __init__(
        self, context: EngineContext, environment: Environment, settings: DeliverySettings, client: BatchClient
    ) -> None:
        self._context = context
        self._lane = Lane(environment=environment.name)
        self._wakeup = asyncio.Event()
        """Something changed: look again."""
        self._stopping = asyncio.Event()
        self._batches: dict[asyncio.Task[None], BatchDelivery] = {}
        self._reserved_claims = 0
        """Claims that are being made by those who store."""
        self._closed_epoch = -1
        self._claim_expires_at = 0.0
        """End of the lease that was asked for last, by the monotonic clock."""
        self._idle_poll_s = MIN_IDLE_POLL_S
        self._requests = self._in_flight = self._sent = self._failed = self._retried = self._unconfirmed = 0
        self._lane_wait = LaneWait()
        self._rate_meter = RateMeter()
        self._last_error, self._last_error_at = "", 0
        self._error = ""
        self.settlement_writer = SettlementWriter(context.journal, context.timing, self._set_error)
        self._lease_renewer = LeaseRenewer(self.settlement_writer, context.timing, context.last_beat_at)
        self._configure(environment, settings, client)

    def _configure(self, environment: Environment, settings: DeliverySettings, client: BatchClient) -> None:
        self.environment, self.settings, self.client = environment, settings, client
        self.policy = RetryPolicy(settings, environment, self._context.random)
        self._pacer = Pacer(environment.requests_per_second)
        self._connections = asyncio.Semaphore(settings.connections)

    # -- from outside ---------------------------------------------------------------------------------------------

    def reload(self, environment: Environment, settings: DeliverySettings, client: BatchClient) -> asyncio.Future[None]:
        """Go on under new terms; the future is done when no request uses the old client any more."""
        self._configure(environment, settings, client)
        self.wake()
        return asyncio.ensure_future(_wait_all(tuple(self._batches)))

    def wake(self) -> None:
        """Look into the journal now."""
        self._idle_poll_s = MIN_IDLE_POLL_S
        self._wakeup.set()

    def on_notification(self, notification: Notification) -> None:
        """Another worker changed the lane: what was claimed before it was shut is not sent any more."""
        if notification.lane_closed:
            self._closed_epoch = max(self._closed_epoch, notification.lane_epoch - 1)
        self.wake()

    def stop(self) -> None:
        """Claim and send nothing more; `run` returns when what is on the wire is settled."""
        self._stopping.set()
        self._wakeup.set()

    def snapshot(self) -> LaneSnapshot:
        """The lane at this moment."""
        return LaneSnapshot(
            environment=self.environment.name,
            lane=self._lane,
            has_key=True,
            in_flight=self._in_flight,
            requests=self._requests,
            delivered=self._rate_meter.total,
            unconfirmed=self._unconfirmed,
            failed=self._failed,
            retried=self._retried,
            sent=self._sent,
            rate=self._rate_meter.rate(self._context.timing.monotonic()),
            last_error=self._last_error,
            last_error_at=self._last_error_at,
            local_error=self._error,
        )

    # -- what is carried as it is stored --------------------------------------------------------------------------

    def claim_request(self) -> ClaimRequest | None:
        """What this lane could carry at once of what is stored now; None where it is full or ends."""
        usual, rate = self.settings.connections + PREFETCH_CLAIMS, self.environment.requests_per_second
        # a second's worth at most: moments taken up far ahead are lost to other workers
        most = max(usual, min(ADD_CLAIM_FACTOR * usual, int(rate))) if rate > 0 else ADD_CLAIM_FACTOR * usual
        room = most - len(self._batches) - self._reserved_claims
        return None if room <= 0 or self._stopping.is_set() else self._make_claim_request(room)

    def reserve(self, claims: int) -> None:
        """Keep room for so many claims that are being made; fewer than none when they were."""
        self._reserved_claims += claims

    def dispatch(self, claim: Claim, lease_until: float) -> bool:
        """Send what was claimed as it was stored, ours `until` that monotonic moment; False where the lane ends."""
        if self._stopping.is_set():
            return False
        self._start_batch(claim, lease_until)
        return True

    # -- the loop -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Deliver until stopped. Cancelled, it breaks off what is on the wire and gives every lease back."""
        keeper = asyncio.create_task(self._lease_renewer.run(lambda: self.settings.lease))
        try:
            while not self._stopping.is_set():
                self._wakeup.clear()
                if len(self._batches) >= self.settings.connections + PREFETCH_CLAIMS:
                    await self._wakeup.wait()
                    continue
                claim = await self._claim()
                if claim is not None and claim.lease:
                    self._start_batch(claim, self._claim_expires_at)
                elif claim is not None:
                    await self._wait_idle(claim)
            await _wait_all(tuple(self._batches))
        finally:
            keeper.cancel()
            for task in self._batches:
                task.cancel()
            await _wait_all((keeper, *self._batches))

    async def _claim(self) -> Claim | None:
        """Ask the journal for work; None after trouble, when it is time to ask again."""
        pause = MIN_JOURNAL_BACKOFF_S
        while not self._stopping.is_set():
            self._check_clock()
            # not to be broken off half way: a claim that nobody holds would wait for its lease to run out
            request = self._make_claim_request()
            self._claim_expires_at = self._context.timing.monotonic() + request.lease_ms / 1000
            asking = asyncio.ensure_future(self._context.journal.claim(request))
            try:
                claim = await asyncio.shield(asking)
            except asyncio.CancelledError:
                await self._release_pending_claim(asking)
                raise
            except Exception as error:  # noqa: BLE001 - a lane that ended would leave its deliveries queued for ever
                if isinstance(error, JournalError):
                    self._set_error(f"cannot claim from the journal, trying again: {error.message}")
                else:
                    self._log_internal_error(error)
                await self._context.timing.wait(self._stopping, pause)
                pause = min(pause * 2, MAX_JOURNAL_BACKOFF_S)
            else:
                self._set_error("")
                self._lane = claim.lane
                self._lane_wait.update(claim.lane.until, self._context.clock.now(), self._context.timing.monotonic())
                return claim
        return None

    def _make_claim_request(self, claims: int = 1) -> ClaimRequest:
        return ClaimRequest(
            self.environment.name,
            MAX_BATCH_EVENTS,
            TARGET_BATCH_BYTES,
            int(self.settings.lease * 1000),
            self.environment.requests_per_second,
            self._context.owner,
            claims,
            self.environment.override_url,
            self._context.adopt,
            self._lane_wait.expired_at(self._context.timing.monotonic()),
        )

    async def _release_pending_claim(self, pending_claim: asyncio.Future[Claim]) -> None:
        try:
            async with asyncio.timeout(MAX_IDLE_POLL_S):
                claim = await pending_claim
        except (JournalError, TimeoutError):
            return
        if claim.lease:
            await self.settlement_writer.settle_and_release(claim, ())

    def _start_batch(self, claim: Claim, lease_until: float) -> None:
        self._idle_poll_s = MIN_IDLE_POLL_S
        # the lease began when it was asked for: a process that stood still meanwhile may hear of it when it is over
        asked_at = lease_until - self.settings.lease
        self._lease_renewer.track(
            claim, lease_until - self._context.timing.monotonic(), self._context.clock.now(), asked_at
        )
        flight = BatchDelivery(self, claim)
        task = asyncio.create_task(self._run_batch(flight))
        self._batches[task] = flight
        task.add_done_callback(self._on_batch_done)

    async def _run_batch(self, batch: BatchDelivery) -> None:
        """A worker's outer edge: a fault of ours must not end the lane; what it held is given back and tried again."""
        try:
            await batch.run()
        except Exception as error:  # noqa: BLE001 - the outer edge; logged with its traceback
            self._log_internal_error(error)
            await self._context.timing.wait(self._stopping, MAX_JOURNAL_BACKOFF_S)

    def _on_batch_done(self, task: asyncio.Task[None]) -> None:
        flight = self._batches.pop(task)
        self._lease_renewer.untrack(flight.claim)
        self._wakeup.set()

    async def _wait_idle(self, claim: Claim) -> None:
        """Nothing to claim: wait for a wake, for what the journal says comes next, or for the next look."""
        seconds = self._idle_poll_s
        if claim.retry_at:
            ahead = (claim.retry_at - self._context.clock.now()) / 1000.0
            seconds = min(max(ahead, 0.001), seconds)
        self._idle_poll_s = min(self._idle_poll_s * 1.5, MAX_IDLE_POLL_S)
        if not self._batches:
            self._context.idle.set()
        await self._context.timing.wait(self._wakeup, seconds)

    def _check_clock(self) -> None:
        jump = self._context.clock_jumps.check()
        if jump is not None:
            _log.warning("%s", describe_jump(jump))

    def _set_error(self, text: str) -> None:
        self._error = text

    def _log_internal_error(self, error: Exception) -> None:
        _log.error("the lane %s met an internal error", self.environment.name, exc_info=error)
        self._set_error(f"internal error, trying again: {type(error).__name__}")

    # -- what flights need ----------------------------------------------------------------------------------------

    def now(self) -> int:
        """Wall time in ms."""
        return self._context.clock.now()

    def adjust_times(self, moments: tuple[int, ...]) -> tuple[int, ...]:
        """Wall times noted before, ms, as the clock of now would have told them; 0 stays 0."""
        self._check_clock()
        jumps = self._context.clock_jumps
        return tuple(map(jumps.adjust, moments)) if jumps.jumps else moments

    async def send(self, claim: Claim, request: BatchRequest) -> SendResult | None:
        """Wait for a connection and for the moment, then make the request; None when nothing may be sent any more."""
        async with self._connections:
            wait = max(
                self._lease_renewer.seconds_until_send(claim), self._pacer.reserve(self._context.timing.monotonic())
            )
            if wait > 0:
                await self._context.timing.wait(self._stopping, min(wait, MAX_WAIT_S))
            # since this was claimed a failure may have shut the lane, here or elsewhere, or another taken it over
            shut = claim.lane.epoch <= self._closed_epoch
            if self._stopping.is_set() or shut or not self._lease_renewer.is_held(claim):
                return None
            self._requests += 1
            self._in_flight += request.events
            request.started_at, request.endpoint = self._context.clock.now(), self.environment.base_url
            try:
                return await self.client.send_batch(request.payload, request.retry_count)
            finally:
                self._requests -= 1
                self._in_flight -= request.events
                self._sent += 1

    def record_result(self, result: SendResult, decision: RetryDecision, claim: Claim) -> None:
        """Hear what an answer led to, before it is written down."""
        if decision.halt:
            self._closed_epoch = max(self._closed_epoch, claim.lane.epoch)
        try:
            self._context.on_result(self.environment.name, result)
        except Exception as error:  # noqa: BLE001 - a listener's fault must not undo what Segment has answered
            self._log_internal_error(error)
        if result.kind != "delivered":
            self._last_error, self._last_error_at = result.error or str(result.status), self.now()
        for settlement in decision.settlements:
            if settlement.state is State.DELIVERED:
                self._rate_meter.add(len(settlement.ids), self._context.timing.monotonic())
                self._unconfirmed += len(settlement.ids) if result.unconfirmed else 0
            elif settlement.state is State.FAILED:
                self._failed += len(settlement.ids)
            elif settlement.state is State.QUEUED:
                self._retried += len(settlement.ids)


async def _wait_all(tasks: tuple[asyncio.Task[None], ...]) -> None:
    """Wait for the end of tasks, however they end."""
    if tasks:
        await asyncio.wait(tasks)
