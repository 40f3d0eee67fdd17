"""Journal protocol; tests/journal runs each of its tests on both stores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Protocol, Self

from sprig_tui.clock import Clock
from sprig_tui.journal.accepted import AcceptedBin
from sprig_tui.journal.block_counts import MAX_STALE_BLOCKS
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.forgetting import EraseResult, ForgetReceipt, ForgottenIdentifier, PersonScan
from sprig_tui.journal.persons import Identifier, PersonMatcher
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
    NewDelivery,
    Notification,
    PruneResult,
    ReplayJob,
    ReplayState,
    Settlement,
    State,
    TombstoneCounts,
    WithdrawResult,
    WorkerInfo,
    WorkerLeases,
)
from sprig_tui.journal.retention import RetentionStore
from sprig_tui.journal.statistics import Statistics, StatisticsRequest
from sprig_tui.journal.verify import VerifyReport

NO_OVERRIDES: Mapping[str, str] = MappingProxyType({})
"""Environment -> endpoint of a run with `--endpoint`; empty for a run without the option."""

Direction = Literal["older", "newer"]
"""Of a search: towards smaller or larger ids."""


class Journal(Protocol):
    """Durable store of deliveries, their payloads and the state of the lanes.

    Several tasks, threads and processes may use one store. Times are wall-clock milliseconds. Every method may raise
    JournalError; then it has stored and changed nothing.
    """

    clock: Clock
    """The clock of its times; for a store shared by many machines, the same on all of them."""
    writes: WriteHistory
    """Outcome of the last adds."""
    retention: RetentionStore
    """Removal of what is kept no longer, step by step."""

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> None:
        """Open or create; upgrade an older schema; refuse a newer one (JournalVersionError)."""

    async def close(self) -> None:
        """Finish the writes that were accepted, then close the connections."""

    def subscribe(self, on_notification: Callable[[Notification], None]) -> Callable[[], None]:
        """Call back, in the caller's loop, soon after an add or a lane change; returns the function that unsubscribes.

        Best effort: notifications may be missing, and SQLite sends none, so callers also have to poll.
        """
        ...

    # -- adding ---------------------------------------------------------------------------------------------------

    async def add(self, entries: Sequence[NewDelivery], *, deadline: float | None = None) -> list[AddResult]:
        """Store entries durably, in order, all or none; returns one AddResult per entry.

        With a deadline it raises JournalLockedError after so many seconds. A write that had begun by then may still be
        stored; adding the same entries again then returns `known`.

        An entry whose (environment, message id) is stored with the same digest is `known` and changes nothing, with one
        exception: if the stored delivery is withheld because it is incomplete (no user id, invalid ...) and the entry
        can be sent, the entry takes the identity over. With another digest: if both question ids are set and differ,
        the entry is another question, under an id derived from the question id; with a later `updated_at` or the same
        question id it is a `revision`; otherwise a `duplicate`. Revisions and duplicates are withheld under an id
        derived from (message id, digest) and linked by `origin_id`; adding them again is `known`.

        A delivery bound for the endpoint of a run with `--endpoint` is known to that endpoint only: an entry of the
        same answer for another endpoint is new and takes the identity over, and the stored one is withdrawn if it is
        queued and not leased. A delivery to the environment's own endpoint is known to every entry.
        """
        ...

    async def add_and_claim(
        self, entries: Sequence[NewDelivery], claim_requests: Sequence[ClaimRequest]
    ) -> tuple[list[AddResult], tuple[Claim, ...]]:
        """Add, and claim new deliveries in the same transaction, which saves searching and reading them again.

        At most `ClaimRequest.claims` claims for each request, in the order of the entries; none if the lane is not open
        or an older delivery is due. Deliveries without a claim are queued as usual. PostgreSQL makes no claims here.
        """
        ...

    # -- delivery -------------------------------------------------------------------------------------------------

    async def claim(self, request: ClaimRequest) -> Claim:
        """Lease the oldest due deliveries that fit, live traffic before bulk replays; or none.

        At least one is claimed even if it is larger than `payload_bytes`. Expired leases are due again. Deliveries with
        SUSPECT_TRIES or more tries are not claimed together with others, and a probe that begins with one of them is
        smaller the more tries it has: a delivery that makes requests fail ends up alone, and the others are delivered.

        Nothing is claimed while the lane is paused, waits, or is probed by another worker. After a wait one claim gets
        the probe; after a pause that probe is one delivery.

        The lane of an endpoint of a run with `--endpoint` is separate from the environment's own. With `adopt` nothing
        is taken from the environment's own lane while that is paused.
        """
        ...

    async def settle(self, claim: Claim, settlements: Sequence[Settlement], lane: LaneChange | None = None) -> int:
        """Record outcomes in one transaction; returns how many deliveries (still leased by the claim) changed."""
        ...

    async def extend(self, claim: Claim, lease_ms: int) -> bool:
        """Renew the lease; False if it has expired and was released."""
        ...

    async def release(self, claim: Claim) -> None:
        """Release the deliveries that the claim still leases; ends a probe without a result."""

    async def lanes(self, endpoint: str = "") -> dict[str, Lane]:
        """Lanes by environment, to the own endpoint or to that of a run with `--endpoint`."""
        ...

    async def set_lane(
        self, environment: str, state: Literal["open", "paused"], cause: str = "", *, by: str = "", endpoint: str = ""
    ) -> Lane:
        """Hold a lane, or resume it, by hand or because the key changed; `cause` is the reason that the user `by` gave.

        From then on no claim gets a delivery of a held lane. Those that are leased are sent, or come back to the queue.
        """
        ...

    async def withdraw(self, ids: Sequence[int]) -> WithdrawResult:
        """Withhold queued deliveries that are not leased, as `withdrawn`; a replay queues them again."""
        ...

    async def merge_endpoint(self, environment: str, endpoint: str) -> int:
        """Rebind deliveries of runs with `--endpoint` to the environment's own endpoint, which now has that URL.

        Returns how many deliveries those were; 0 while one of them is leased. Cheap where there are none.
        """
        ...

    # -- reading --------------------------------------------------------------------------------------------------

    async def page(
        self, query: Query, *, cursor: int = 0, limit: int = 100, direction: Direction = "older", budget_ms: int = 0
    ) -> DeliveryPage:
        """Deliveries that match, strictly before or after id `cursor`.

        Cursor 0 starts at the newest (older) or at the oldest (newer). With a budget a search through many rows that
        do not match stops after about that time, and `reached` is the cursor to resume from.
        """
        ...

    async def ids(
        self, query: Query, *, cursor: int = 0, limit: int = 10_000, direction: Direction = "older", budget_ms: int = 0
    ) -> IdPage:
        """Ids without the deliveries, by the rules of `page`; a hundred times cheaper."""
        ...

    async def get_many(self, ids: Sequence[int], query: Query = MATCH_ALL) -> tuple[Delivery, ...]:
        """The deliveries with these ids that exist and match, oldest first."""
        ...

    async def count(self, query: Query, *, cap: int = 0) -> int:
        """How many match, at most `cap` where it is not 0."""
        ...

    async def counts(self) -> Counts:
        """Maintained counts by environment and state; constant time."""
        ...

    async def repaired(self) -> dict[str, dict[State, int]]:
        """Repaired deliveries by environment and state (see `Delivery.repaired_by`).

        Takes as long as there are deliveries that were made of others.
        """
        ...

    async def statistics(self, request: StatisticsRequest) -> Statistics:
        """Deliveries of a period by hour or day, survey, environment, reason, failure and endpoint.

        Each number is that of the rows as they are now: what was pruned is not counted, and deliveries of forgotten
        persons are, without a survey. Kept as counts (`block_counts`): takes as long for a year as for a day.
        """
        ...

    async def keep_counts(self, blocks: int = 8, *, spared: int = MAX_STALE_BLOCKS) -> int:
        """Count at most so many blocks that have changed, for `statistics`; returns how many are left to count.

        The newest `spared` of them are left, as they go on changing.
        """
        ...

    async def recount(self) -> None:
        """Have all deliveries counted again for `statistics`, by `keep_counts`."""
        ...

    async def get(self, delivery_id: int) -> DeliveryDetail | None:
        """One delivery with payload and history."""
        ...

    async def bodies(self, ids: Sequence[int]) -> dict[int, bytes]:
        """The mapped calls of these deliveries by id, without those that are gone or whose payload is damaged."""
        ...

    async def find(self, environment: str, message_id: str) -> Delivery | None:
        """One delivery by its identity."""
        ...

    async def changes(self, cursor: str = "", *, limit: int = 1000) -> Changes:
        """Rows added or changed since the cursor; an empty cursor means 'from now on' and returns none."""
        ...

    async def accepted(
        self, environment: str, *, since: int, until: int, endpoint: str = ""
    ) -> tuple[AcceptedBin, ...]:
        """Sends to the environment's own endpoint that Segment took (or may have taken) in this time, in bins.

        With an endpoint only attempts to that URL count, and those of versions that recorded none: an environment may
        have had another one before. Deliveries that were pruned are missing. Reads every delivery: about a second for a
        million.
        """
        ...

    async def accepted_ids(self, environment: str, since: int, until: int, *, endpoint: str = "") -> tuple[int, ...]:
        """Ids, ascending, of deliveries that Segment took in this time and not again later; as `accepted` counts."""
        ...

    # -- replay ---------------------------------------------------------------------------------------------------

    async def requeue(
        self, ids: Sequence[int], *, as_new: bool = False, overrides: Mapping[str, str] = NO_OVERRIDES
    ) -> list[AddResult]:
        """Queue deliveries again, together with live traffic; returns one AddResult for each.

        Same id: a delivery in an end state that has a body becomes `queued`, with all its retries. As new: a new
        delivery with a message id derived from the old one and a running number, linked by `origin_id`. `known` where
        it was still queued or has nothing to send.

        They go to the environment's own endpoint, or to the one in `overrides`: then a delivery that is not bound for
        it stays unchanged, and a copy with the same message id is queued.
        """
        ...

    async def start_replay(
        self, query: Query, *, as_new: bool = False, overrides: Mapping[str, str] = NO_OVERRIDES
    ) -> ReplayJob:
        """Create a job over all deliveries that match now; `total` is their number."""
        ...

    async def step_replay(self, job_id: int, limit: int = 500) -> ReplayJob:
        """Queue the next deliveries of the job, behind live traffic, in one transaction with its progress."""
        ...

    async def set_replay(self, job_id: int, state: ReplayState) -> ReplayJob:
        """Pause, resume or cancel; deliveries that the job has queued stay queued."""
        ...

    async def replays(self) -> list[ReplayJob]:
        """Jobs, newest first."""
        ...

    # -- health ---------------------------------------------------------------------------------------------------

    async def check_writable(self) -> None:
        """Write about as much as a webhook does to the disk, without a visible effect.

        Raises JournalError where that fails. It may wait as long as any write; `Readiness` adds a deadline.
        """

    async def oldest_queued(self) -> dict[str, int]:
        """Arrival time, ms, of the delivery at the head of each environment's queue; empty queues are left out.

        An index seek, not a search: of deliveries that wait for a retry it sees the one that is due first.
        """
        ...

    # -- identity and positions -----------------------------------------------------------------------------------

    async def identity(self) -> JournalIdentity:
        """The identity of the journal; it never changes, and backups and copies share it.

        Raises JournalLostError if another journal has replaced it.
        """
        ...

    async def positions(self, kind: str) -> dict[str, bytes]:
        """Read positions of the inputs of this kind, by key; stored here, so that a backup contains them."""
        ...

    async def save_positions(self, kind: str, updates: Mapping[str, bytes], *, removed: Sequence[str] = ()) -> None:
        """Store these positions durably, and delete the removed ones."""

    # -- verification ---------------------------------------------------------------------------------------------

    async def verify(self, seconds: float | None = None) -> VerifyReport:
        """Check everything for damage, or as much as possible in so many seconds.

        Damage is reported, not raised. Raises JournalError where the journal cannot be read at all.
        """
        ...

    # -- workers --------------------------------------------------------------------------------------------------

    async def heartbeat(self, worker: WorkerInfo) -> None:
        """Record that this worker is alive, by the journal's clock; replaces its last heartbeat.

        Removes workers without a heartbeat within WORKER_TTL_MS. Does not wait for the disk.
        """

    async def unregister_worker(self, worker_id: str) -> None:
        """Remove a worker that exits; no error where it is unknown."""

    async def workers(self) -> tuple[WorkerInfo, ...]:
        """Workers with a heartbeat within WORKER_TTL_MS, in the order of their start."""
        ...

    async def worker_leases(self) -> tuple[WorkerLeases, ...]:
        """Current leases by environment and worker, including those of dead workers."""
        ...

    # -- maintenance ---------------------------------------------------------------------------------------------------

    async def prune(self, before: int, *, dry_run: bool = False, forget: bool = False) -> PruneResult:
        """Delete deliveries that reached an end state (delivered, failed, withheld) before this time.

        What Segment took stays known by a tombstone, and so do revisions, duplicates and withdrawn deliveries: adding
        the same answer again is `known`, with REMOVED_ID. Other failed and withheld deliveries leave none, nor do
        deliveries of runs with `--endpoint`. With `forget` none are left, and those of earlier calls are deleted if
        their deliveries ended before this time.
        """
        ...

    # -- forgotten persons ------------------------------------------------------------------------------------------

    async def forgotten(self) -> tuple[ForgottenIdentifier, ...]:
        """Identifiers of persons whose answers are not taken in, oldest first."""
        ...

    async def forget_receipts(self) -> tuple[ForgetReceipt, ...]:
        """Requests to forget persons and to take their answers again, oldest first."""
        ...

    async def begin_forget(self, identifiers: Sequence[Identifier], actor: str) -> int:
        """Put these on the list; returns the number of the receipt. Raises ForgetKeyError and ConfigError.

        From then on `add` withholds their answers as `forgotten`, and stores nothing of them but what the account
        needs; replays make no copies of them. Until `end_forget` each claim is searched for them: what is of theirs is
        erased instead of sent. So a process notices with its next add or claim, without being told.
        """
        ...

    async def find_persons(
        self, after: int, identifiers: Sequence[Identifier] = (), *, forgotten: bool = False
    ) -> PersonScan:
        """The next deliveries above id `after` that hold one of these, or with `forgotten` of all on the list.

        Also finds payloads that pruned deliveries left.
        """
        ...

    async def forgotten_matcher(self) -> PersonMatcher:
        """Recognises the persons on the list, by their hashes. Raises ForgetKeyError."""
        ...

    async def erase(self, ids: Sequence[int]) -> EraseResult:
        """Remove the content of these deliveries in one transaction; somebody must be on the list.

        A queued one is withheld, as `forgotten`; one that is leased stays as it is, until its lease is released, has
        expired, or its worker is dead. What is left of a delivery is its row, with state, times and requests, so that
        all counts stay true, and a tombstone, as `prune` leaves it. Payloads of other deliveries stay the same bytes.
        The counts of the last unfinished receipt grow in the same transaction.
        """
        ...

    async def erase_quotes(self) -> int:
        """Remove errors and responses of Segment that quote somebody on the list, of whatever delivery.

        One request carries deliveries of many people. Returns how many responses changed; they count in the receipt.
        """
        ...

    async def end_forget(
        self, receipt: int, counts: Mapping[str, int], *, regulation: str = "", done: bool = True
    ) -> ForgetReceipt:
        """Add to the counts of a receipt, and finish it with `done`."""
        ...

    async def undo_forget(self, identifiers: Sequence[Identifier] | None, actor: str) -> int:
        """Take these off the list, or all with None, which needs no key; returns how many were on it."""
        ...

    async def scrub(self) -> bool:
        """Remove erased content from the files too; False if that is up to the database (PostgreSQL: its VACUUM).

        Raises JournalLockedError if other processes do not let go of the file.
        """
        ...

    @property
    def forget_key_file(self) -> Path | None:
        """Where the key of the list is, or would be; None before the journal is open."""
        ...

    async def tombstones(self) -> TombstoneCounts:
        """Deliveries that were removed and stay known; reads all tombstones."""
        ...

    async def count_queued(self, first_id: int, last_id: int) -> int:
        """Number of queued deliveries in this range of ids, both included; cheap while few are queued."""
        ...

    async def count_by_state(self, first_id: int, last_id: int) -> dict[tuple[State, str], int]:
        """Number of deliveries in this range of ids by (state, reason)."""
        ...
