"""The contract that every journal keeps; tests/journal/contract holds each of them to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, Protocol, Self

from msgspec import Struct

from sprig_tui.clock import Clock
from sprig_tui.journal.query import MATCH_ALL, Query
from sprig_tui.journal.readiness import WriteHistory
from sprig_tui.journal.records import (
    AddResult,
    Changes,
    Claim,
    Counts,
    Delivery,
    DeliveryDetail,
    DeliveryPage,
    IdPage,
    JournalIdentity,
    Lane,
    LaneChange,
    LaneState,
    NewDelivery,
    Notification,
    PruneResult,
    ReplayJob,
    ReplayState,
    Settlement,
    State,
    WithdrawResult,
    WorkerInfo,
    WorkerLeases,
)
from sprig_tui.journal.verify import VerifyReport
from sprig_tui.segment.limits import MAX_RETRY_AFTER_MS

MAX_PROBE_EVENTS = 100
"""Deliveries that one probe risks at most."""
SUSPECT_TRIES = 4
"""Tries from which on a delivery may itself be why requests fail: it goes apart from others, in ever smaller probes."""
_MIN_SLOT_HORIZON_MS = 10_000
_MAX_SLOTS_AHEAD = 64
"""A pacing slot further ahead than both of these is the work of a clock that jumped."""

MAX_RETRY_DEFERRAL_MS = 60_000
"""Deliveries that failed go behind the untried, but for no longer: under a steady load there are always some."""


class ClaimRequest(Struct, frozen=True):
    """What a worker asks for; `claim` of the contract tells the terms."""

    environment: str
    events: int
    payload_bytes: int
    lease_ms: int
    rate: float = 0.0
    """Requests per second for the environment over all workers; 0 for no pacing."""
    owner: str = ""
    """Id of the worker; empty where none reports."""
    claims: int = 1
    """At most so many claims, where several can be had at once."""
    endpoint: str = ""
    """What is bound for this one; empty for what goes to the environment's own."""
    adopt: bool = False
    """With an endpoint: also what waits for the environment's own, which is bound for this one then."""
    waited_until: int = 0
    """The lane's `until` that is over by this worker's monotonic clock, ms; a clock set back prolongs no wait."""


PROBE_NOW = 1
"""The `until` of a lane whose next probe may start at once; 0 would keep a paused one until somebody acts."""


def probe_events(lane: Lane) -> int:
    """Deliveries that a probe of this lane risks at most: one after a pause, since a key or endpoint was refused."""
    return 1 if lane.pauses else MAX_PROBE_EVENTS


def state_after_probe(lane: Lane) -> LaneState:
    """What a lane goes back to when its probe ended without a verdict."""
    return "paused" if lane.pauses else "waiting"


def empty_claim(state: Lane, retry_at: int, endpoint: str = "") -> Claim:
    """An empty claim, and when to ask again."""
    return Claim(
        lease=0,
        environment=state.environment,
        ids=(),
        attempts=(),
        retries_used=(),
        first_attempts=(),
        sizes=(),
        payload=b"",
        send_at=0,
        lane=state,
        endpoint=endpoint,
        retry_at=retry_at,
    )


def max_slot_ahead_ms(rate: float) -> float:
    """How far ahead a pacing slot may be, before it counts as the work of a clock that jumped."""
    return max(_MIN_SLOT_HORIZON_MS, _MAX_SLOTS_AHEAD * 1000.0 / rate) if rate > 0 else 0.0


MAX_LANE_WAIT_MS = MAX_RETRY_AFTER_MS
"""No lane and no delivery waits longer, whatever the clock or Segment says."""
MAX_PAUSE_MS = 3_600_000
"""A lane that is paused over a key or an endpoint is probed at least so often."""
WORKER_TTL_MS = 30_000
"""A worker that was not heard of for so long is not alive; it reports three times as often."""


NO_OVERRIDES: Mapping[str, str] = MappingProxyType({})
"""Environment -> endpoint of a run with `--endpoint`, of a run that has none."""

Direction = Literal["older", "newer"]
"""Of a search: towards smaller or larger ids."""


class Journal(Protocol):
    """Every method may raise JournalError; what it was asked to store is then not stored, and nothing else changed.

    Safe with several tasks, threads and processes on one store. Times are wall-clock milliseconds.
    """

    clock: Clock
    """The clock that its times are told by: with many machines, one that all of them agree on."""
    writes: WriteHistory
    """What became of the last adds."""

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Open or create; upgrade an older schema; refuse a newer one (JournalVersionError)."""

    async def close(self) -> None:
        """Finish what was accepted, then let go."""

    def subscribe(self, on_notification: Callable[[Notification], None]) -> Callable[[], None]:
        """Call `hear`, in the caller's loop, soon after something was added or a lane changed; returns what ends that.

        A courtesy: a journal that cannot tell never calls, and any notice may be missing. Whoever needs to know looks.
        """
        ...

    # -- what came in ---------------------------------------------------------------------------------------------

    async def add(self, entries: Sequence[NewDelivery], *, deadline: float | None = None) -> list[AddResult]:
        """Store entries durably, in order, all or none; returns one Added per entry.

        With a deadline it raises JournalLockedError after so many seconds, whatever holds it up. What had begun by then
        may still be stored; adding it again says `known` then.

        A known (environment, message id) with the same digest is `known` and changes nothing, but for one case: it was
        withheld for what it lacked (no user id, invalid ...) and the new entry may be sent; then the new one takes the
        identity over. With another digest: both question ids known and different -> a question of its own, under an
        id derived with the question id; a later `updated_at`, or the same question id -> `revision`; else
        `duplicate`. The last two are withheld under an id derived from (message id, digest), linked by `origin_id`,
        and adding them again is `known`.

        What is bound for the endpoint of a run with `--endpoint` is known to that endpoint alone: any other entry of
        the same answer is new, and takes the identity over; if the old one is queued and on no wire it is withdrawn.
        What goes to the environment's own endpoint is known to every entry.
        """
        ...

    async def add_and_claim(
        self, entries: Sequence[NewDelivery], claim_requests: Sequence[ClaimRequest]
    ) -> tuple[list[AddResult], tuple[Claim, ...]]:
        """Add, and lease to a worker what it can carry at once: then nothing has to be looked for and read again.

        The claims are as `claim` makes them, of new deliveries alone, in their order: at most `Wanted.claims` for each
        environment, none where its lane is not open or something older is due. What is not claimed is queued as ever;
        a journal that gains nothing by it may claim none.
        """
        ...

    # -- delivery -------------------------------------------------------------------------------------------------

    async def claim(self, request: ClaimRequest) -> Claim:
        """Lease the oldest due deliveries, live traffic before bulk replays, as many as fit; or none.

        At least one is taken even if it is larger than `payload_bytes`. What was tried often (4 times or more) is not
        claimed together with what was not, and a probe that begins with such a one is the smaller the oftener it was
        tried: a delivery that makes the endpoint fail ends up alone, and the others are delivered. None while the
        lane is paused, waits, or is being probed by another; when a wait is over, one claim gets the probe, and after
        a pause with an end that probe is one delivery. Expired leases become due again. `waited_until` is a lane's
        `until` that the caller has waited out by a clock that never jumps: it is over, whatever the wall clock says.
        `rate` (requests/s for the environment over all workers, 0 for no pacing) sets `send_at`.
        `endpoint` asks for what is bound for the endpoint of a run with `--endpoint`, which has a lane of its own; with
        `adopt` also for what waits for the environment's own, unless that lane is paused.
        """
        ...

    async def settle(self, claim: Claim, settlements: Sequence[Settlement], lane: LaneChange | None = None) -> int:
        """Record outcomes in one transaction; returns how many deliveries changed: those still held by this claim."""
        ...

    async def extend(self, claim: Claim, lease_ms: int) -> bool:
        """Keep the claim longer; False when it is no longer ours."""
        ...

    async def release(self, claim: Claim) -> None:
        """Give back what is left of the claim, unused; ends a probe without a verdict."""

    async def lanes(self, endpoint: str = "") -> dict[str, Lane]:
        """Every lane that was ever used, by environment: to its own endpoint, or to that of a run with `--endpoint`."""
        ...

    async def set_lane(
        self, environment: str, state: Literal["open", "paused"], cause: str = "", *, endpoint: str = ""
    ) -> Lane:
        """Pause or resume by hand, or resume because the key changed; `cause` is what a person gives as the reason."""
        ...

    async def withdraw(self, ids: Sequence[int]) -> WithdrawResult:
        """Take queued deliveries back: withheld as `withdrawn`, which a replay queues again; none that is leased."""
        ...

    async def merge_endpoint(self, environment: str, endpoint: str) -> int:
        """Take what runs with `--endpoint` bound for this URL as bound for the environment's own, which it now is.

        Returns how many deliveries that were; 0 while one of them is leased. Cheap where there are none.
        """
        ...

    # -- looking --------------------------------------------------------------------------------------------------

    async def page(
        self, query: Query, *, cursor: int = 0, limit: int = 100, direction: Direction = "older", budget_ms: int = 0
    ) -> DeliveryPage:
        """Deliveries that match, strictly before or after id `cursor`.

        Cursor 0 starts at the newest (older) or at the oldest (newer). With a budget a search through many rows that
        do not match stops after about that time, and says in `reached` where to go on.
        """
        ...

    async def ids(
        self, query: Query, *, cursor: int = 0, limit: int = 10_000, direction: Direction = "older", budget_ms: int = 0
    ) -> IdPage:
        """Ids alone, by the rules of `page`: a hundred times cheaper where a list has to know what it will show."""
        ...

    async def get_many(self, ids: Sequence[int], query: Query = MATCH_ALL) -> tuple[Delivery, ...]:
        """Those of these deliveries that are there and match, oldest first."""
        ...

    async def count(self, query: Query, *, cap: int = 0) -> int:
        """How many match, at most `cap` where it is not 0."""
        ...

    async def counts(self) -> Counts:
        """Kept counts by environment and state; constant time."""
        ...

    async def get(self, delivery_id: int) -> DeliveryDetail | None:
        """One delivery with payload and history."""
        ...

    async def find(self, environment: str, message_id: str) -> Delivery | None:
        """One delivery by its identity."""
        ...

    async def changes(self, cursor: str = "", *, limit: int = 1000) -> Changes:
        """Rows added or changed since the cursor; an empty cursor means 'from now on' and returns none."""
        ...

    # -- replay ---------------------------------------------------------------------------------------------------

    async def requeue(
        self, ids: Sequence[int], *, as_new: bool = False, overrides: Mapping[str, str] = NO_OVERRIDES
    ) -> list[AddResult]:
        """Queue deliveries again, in front with live traffic; one Added each.

        Same id: an end state with a body becomes `queued` again, its retries start afresh. As new: a new delivery
        with a message id derived from the old one and from how many were made before, linked by `origin_id`.
        `known` where it was still queued or has nothing to send.
        They go to the environment's own endpoint, or to the one that `elsewhere` names for it: then one that is not
        bound for it already stays as it is, and a copy under the same id is queued.
        """
        ...

    async def start_replay(
        self, query: Query, *, as_new: bool = False, overrides: Mapping[str, str] = NO_OVERRIDES
    ) -> ReplayJob:
        """Make a job over everything that matches now; `total` counts what it will look at."""
        ...

    async def step_replay(self, job_id: int, limit: int = 500) -> ReplayJob:
        """Re-queue the next stretch, behind live traffic; progress and deliveries change in one transaction."""
        ...

    async def set_replay(self, job_id: int, state: ReplayState) -> ReplayJob:
        """Pause, resume or cancel; what was re-queued stays queued."""
        ...

    async def replays(self) -> list[ReplayJob]:
        """Jobs, newest first."""
        ...

    # -- health ---------------------------------------------------------------------------------------------------

    async def check_writable(self) -> None:
        """Write about as much as a webhook does, so that it reaches the disk, and nothing of it is seen.

        Raises JournalError where that is not possible. It may wait as long as any write; `Readiness` has a deadline.
        """

    async def oldest_queued(self) -> dict[str, int]:
        """When the delivery that waits at the head of the line arrived, ms, by environment; none where none waits.

        An index seek, not a search: of deliveries that wait for a retry it sees the one that is due first.
        """
        ...

    # -- what it is, and how far inputs were read -----------------------------------------------------------------

    async def identity(self) -> JournalIdentity:
        """Which journal this is; it never changes, and a backup or a copy has the same.

        Raises JournalLostError where the place now holds another.
        """
        ...

    async def positions(self, kind: str) -> dict[str, bytes]:
        """How far inputs of this kind were read, by key: kept here, so that a restored journal goes back with them."""
        ...

    async def save_positions(self, kind: str, updates: Mapping[str, bytes], *, removed: Sequence[str] = ()) -> None:
        """Replace or add these, durably, and remove those that are to be forgotten."""

    # -- whether it is whole --------------------------------------------------------------------------------------

    async def verify(self, seconds: float | None = None) -> VerifyReport:
        """Look for damage: through everything, or as far as comes in so many seconds.

        Raises JournalError where it cannot be looked at; what is found damaged is no error.
        """
        ...

    # -- workers --------------------------------------------------------------------------------------------------

    async def heartbeat(self, worker: WorkerInfo) -> None:
        """Note that this worker is alive now, by the journal's clock; a later report of the same id replaces it.

        Removes those not heard of within WORKER_TTL_MS. Need not survive a power cut, and waits for no disk.
        """

    async def unregister_worker(self, worker_id: str) -> None:
        """Forget a worker that ends in good order; one that is not known is no error."""

    async def workers(self) -> tuple[WorkerInfo, ...]:
        """Workers heard of within WORKER_TTL_MS, the one that started first before the others."""
        ...

    async def worker_leases(self) -> tuple[WorkerLeases, ...]:
        """What is leased now, by environment and worker, also to workers that are gone."""
        ...

    # -- upkeep ---------------------------------------------------------------------------------------------------

    async def prune(self, before: int, *, dry_run: bool = False) -> PruneResult:
        """Remove end states (delivered, failed, withheld) that settled before this time; never queued ones."""
        ...

    async def count_queued(self, first_id: int, last_id: int) -> int:
        """How many of these ids (both included) are still queued; cheap while few are queued."""
        ...

    async def count_by_state(self, first_id: int, last_id: int) -> dict[tuple[State, str], int]:
        """How many of these ids stand in which (state, reason)."""
        ...


__all__ = ["MAX_LANE_WAIT_MS", "MAX_PAUSE_MS", "NO_OVERRIDES", "WORKER_TTL_MS", "Delivery", "Journal"]
