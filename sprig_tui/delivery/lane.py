"""Lane of one environment: claims what is due and keeps a few batches in flight."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from sprig_tui.config.environment import DeliverySettings, Environment
from sprig_tui.delivery.batch import BatchContext, BatchDelivery
from sprig_tui.delivery.context import BatchClient, EngineContext
from sprig_tui.delivery.lease_renewal import LeaseRenewer
from sprig_tui.delivery.retry import RetryDecision
from sprig_tui.delivery.sender import LaneConfig, RequestSender
from sprig_tui.delivery.settlement import MAX_JOURNAL_BACKOFF_S, MIN_JOURNAL_BACKOFF_S, SettlementWriter
from sprig_tui.delivery.snapshot import LaneSnapshot, LaneTotals
from sprig_tui.delivery.suppressed_users import SuppressedUsers
from sprig_tui.errors import JournalError
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.records import Claim, Lane, Notification
from sprig_tui.segment.limits import MAX_BATCH_EVENTS, TARGET_BATCH_BYTES

if TYPE_CHECKING:
    from sprig_tui.segment.client import SendResult

PREFETCH_CLAIMS = 2
"""Claims beyond the number of connections: one is prepared and one is settled while the connections are busy."""
ADD_CLAIM_FACTOR = 2
"""Claims that may be made with `Engine.add`, as a multiple of that: their results are settled after the next chunk."""
FULL_POLL_S = 1.0
"""Seconds between two looks at the lane while claims wait for a connection."""
MIN_IDLE_POLL_S = 0.25
MAX_IDLE_POLL_S = 1.0
"""Seconds between two polls of an idle journal, to which other processes may add."""

_log = logging.getLogger(__name__)


class LaneWait:
    """End of the lane's current wait, in wall time and by the monotonic clock."""

    def __init__(self) -> None:
        self._until = 0
        self._ends_at = 0.0

    def update(self, until: int, now: int, monotonic: float) -> None:
        """Take over the journal's `until` (wall time in ms, 0 for no wait); `now` is the wall time in ms."""
        if until != self._until:
            self._until = until
            self._ends_at = monotonic + max(0, until - now) / 1000

    def expired_at(self, monotonic: float) -> int:
        """Wall time in ms at which the wait was to end, once it is over by the monotonic clock; else 0."""
        return self._until if self._until and monotonic >= self._ends_at else 0


class LaneWorker:
    """Runs the lane of one environment in this process; the state of the lane itself is in the journal."""

    def __init__(
        self, context: EngineContext, environment: Environment, settings: DeliverySettings, client: BatchClient
    ) -> None:
        self._context = context
        self._lane = Lane(environment=environment.name)
        self._wakeup = asyncio.Event()
        """Set to wake the loop."""
        self._batches: dict[asyncio.Task[None], BatchDelivery] = {}
        self._reserved_claims = 0
        """Claims that calls of `Engine.add` are making now."""
        self._claim_expires_at = 0.0
        """End of the lease that was requested last, monotonic seconds."""
        self._idle_poll_s = MIN_IDLE_POLL_S
        self._lane_wait = LaneWait()
        self._totals = LaneTotals()
        self._error = ""
        self.config = LaneConfig.of(environment, settings, client, context.random)
        self.settlement_writer = SettlementWriter(context.journal, context.timing, self._set_error)
        self._lease_renewer = LeaseRenewer(context.journal, context.timing, context.heartbeat)
        self._sender = RequestSender(context, self.config, self._lease_renewer)
        self._stopping = self._sender.stopping
        self._batch_context = BatchContext(
            self._sender, self.settlement_writer, context.clock, context.clock_jumps, self
        )

    # -- called by the engine -----------------------------------------------------------------------------------------

    def reload(self, environment: Environment, settings: DeliverySettings, client: BatchClient) -> asyncio.Future[None]:
        """Continue with new settings; the future is done when no request uses the old client any more."""
        self.config = self._sender.config = LaneConfig.of(environment, settings, client, self._context.random)
        self.wake()
        return asyncio.ensure_future(_wait_all(tuple(self._batches)))

    def wake(self) -> None:
        """Poll the journal now."""
        self._idle_poll_s = MIN_IDLE_POLL_S
        self._wakeup.set()

    def on_notification(self, notification: Notification) -> None:
        """Handle a change by another worker; claims made before it closed the lane are not sent."""
        if notification.lane_closed:
            self._sender.close_epoch(notification.lane_epoch - 1)
        self.wake()

    def stop(self) -> None:
        """Claim and send nothing more; `run` returns when what is on the wire is settled."""
        self._stopping.set()
        self._wakeup.set()

    def snapshot(self) -> LaneSnapshot:
        """The lane at this moment."""
        totals = self._totals
        return LaneSnapshot(
            environment=self.config.environment.name,
            lane=self._lane,
            has_key=True,
            in_flight=self._sender.in_flight,
            requests=self._sender.requests,
            delivered=totals.delivered.total,
            unconfirmed=totals.unconfirmed,
            failed=totals.failed,
            retried=totals.retried,
            sent=self._sender.sent,
            rate=totals.delivered.rate(self._context.timing.monotonic()),
            last_error=totals.last_error,
            last_error_at=totals.last_error_at,
            local_error=self._error,
        )

    # -- claims made in the same transaction as the insert ------------------------------------------------------------

    def claim_request(self) -> ClaimRequest | None:
        """Claims that the lane has room for now; None when it is full or stops."""
        usual, rate = self.config.settings.connections + PREFETCH_CLAIMS, self.config.environment.requests_per_second
        # a second's worth at most: pacing slots reserved far ahead are lost to other workers
        most = max(usual, min(ADD_CLAIM_FACTOR * usual, int(rate))) if rate > 0 else ADD_CLAIM_FACTOR * usual
        room = most - len(self._batches) - self._reserved_claims
        return None if room <= 0 or self._stopping.is_set() else self._make_claim_request(room)

    def reserve(self, claims: int) -> None:
        """Reserve room for claims that are being made; a negative number gives it back."""
        self._reserved_claims += claims

    def dispatch(self, claim: Claim, lease_until: float) -> bool:
        """Deliver a claim whose lease ends at `lease_until`, monotonic seconds; False when the lane stops."""
        if self._stopping.is_set():
            return False
        self._start_batch(claim, lease_until)
        return True

    # -- the loop -----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Deliver until stopped. On cancellation, abort what is on the wire and release every lease."""
        renewal = asyncio.create_task(self._lease_renewer.run(lambda: self.config.settings.lease))
        try:
            while not self._stopping.is_set():
                self._wakeup.clear()
                if len(self._batches) >= self.config.settings.connections + PREFETCH_CLAIMS:
                    await self._wait_full()
                    continue
                claim = await self._claim()
                if claim is not None and claim.lease:
                    self._start_batch(claim, self._claim_expires_at)
                elif claim is not None:
                    await self._wait_idle(claim)
            await _wait_all(tuple(self._batches))
        finally:
            renewal.cancel()
            for task in self._batches:
                task.cancel()
            await _wait_all((renewal, *self._batches))

    async def _claim(self) -> Claim | None:
        """Claim from the journal, retrying until it succeeds; None when the lane stops."""
        pause = MIN_JOURNAL_BACKOFF_S
        while not self._stopping.is_set():
            self._context.clock_jumps.check()
            request = self._make_claim_request()
            self._claim_expires_at = self._context.timing.monotonic() + request.lease_ms / 1000
            # shielded: a claim whose result is dropped would block its deliveries until the lease expires
            claiming = asyncio.ensure_future(self._context.journal.claim(request))
            try:
                claim = await asyncio.shield(claiming)
            except asyncio.CancelledError:
                await self._release_pending_claim(claiming)
                raise
            except Exception as error:  # noqa: BLE001 - a lane that ended would leave its deliveries queued
                if isinstance(error, JournalError):
                    self._set_error(f"cannot claim from the journal, retrying: {error.message}")
                else:
                    self._log_internal_error(error)
                await self._context.timing.wait(self._stopping, pause)
                pause = min(pause * 2, MAX_JOURNAL_BACKOFF_S)
            else:
                self._set_error("")
                self._on_lane_read(claim.lane)
                self._lane_wait.update(claim.lane.until, self._context.clock.now(), self._context.timing.monotonic())
                return claim
        return None

    def _make_claim_request(self, claims: int = 1) -> ClaimRequest:
        environment = self.config.environment
        return ClaimRequest(
            environment.name,
            MAX_BATCH_EVENTS,
            TARGET_BATCH_BYTES,
            int(self.config.settings.lease * 1000),
            environment.requests_per_second,
            self._context.heartbeat.owner,
            claims,
            environment.override_url,
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
        # a lease begins when it is requested: a process suspended meanwhile may receive it after it has expired
        requested_at = lease_until - self.config.settings.lease
        self._lease_renewer.track(
            claim, lease_until - self._context.timing.monotonic(), self._context.clock.now(), requested_at
        )
        batch = BatchDelivery(self._batch_context, claim)
        task = asyncio.create_task(self._run_batch(batch))
        self._batches[task] = batch
        task.add_done_callback(self._on_batch_done)

    async def _run_batch(self, batch: BatchDelivery) -> None:
        """Run a batch; an internal error does not end the lane, the batch's deliveries are released and retried."""
        try:
            await batch.run()
        except Exception as error:  # noqa: BLE001 - the outer edge; logged with its traceback
            self._log_internal_error(error)
            await self._context.timing.wait(self._stopping, MAX_JOURNAL_BACKOFF_S)

    def _on_batch_done(self, task: asyncio.Task[None]) -> None:
        batch = self._batches.pop(task)
        self._lease_renewer.untrack(batch.claim)
        self._wakeup.set()

    async def _wait_full(self) -> None:
        """Wait until a batch ends; meanwhile notice a hold, so that claims made before it are not sent."""
        await self._context.timing.wait(self._wakeup, FULL_POLL_S)
        if self._wakeup.is_set():
            return
        environment = self.config.environment
        try:
            lanes = await self._context.journal.lanes(environment.override_url)
        except JournalError:
            return  # the next claim reports it
        if lane := lanes.get(environment.name):
            self._on_lane_read(lane)

    def _on_lane_read(self, lane: Lane) -> None:
        self._lane = lane
        if lane.is_held:
            self._sender.close_epoch(lane.epoch - 1)

    async def _wait_idle(self, claim: Claim) -> None:
        """Wait, with nothing to claim, until woken, until the journal's next due time, or until the next poll."""
        seconds = self._idle_poll_s
        if claim.retry_at:
            ahead = (claim.retry_at - self._context.clock.now()) / 1000.0
            seconds = min(max(ahead, 0.001), seconds)
        self._idle_poll_s = min(self._idle_poll_s * 1.5, MAX_IDLE_POLL_S)
        if not self._batches:
            self._context.idle.set()
        await self._context.timing.wait(self._wakeup, seconds)

    # -- called by batches --------------------------------------------------------------------------------------------

    @property
    def suppressed_users(self) -> SuppressedUsers:
        """The users whose deliveries must not be sent."""
        return self._context.suppression.current

    def on_result(self, result: SendResult, decision: RetryDecision) -> None:
        """Count a result and pass it to the engine's listener."""
        try:
            self._context.on_result(self.config.environment.name, result)
        except Exception as error:  # noqa: BLE001 - an error in a listener must not keep the result from being settled
            self._log_internal_error(error)
        self._totals.add(result, decision, self._context.clock.now(), self._context.timing.monotonic())

    def _set_error(self, text: str) -> None:
        self._error = text

    def _log_internal_error(self, error: Exception) -> None:
        _log.error("internal error in lane %s", self.config.environment.name, exc_info=error)
        self._set_error(f"internal error, retrying: {type(error).__name__}")


async def _wait_all(tasks: tuple[asyncio.Task[None], ...]) -> None:
    """Wait until all tasks have ended, whether with a result, an error or cancelled."""
    if tasks:
        await asyncio.wait(tasks)
