"""Records that a journal stores and returns."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from sprig_tui.journal.pause_reasons import NO_DETAIL, PauseDetail, PauseReason, pause_text
from sprig_tui.reasons import Reason


class State(StrEnum):
    """A delivery's state; `queued` covers waiting, leased and waiting for a retry."""

    __hash__ = str.__hash__  # Enum's own is a function in Python, and deliveries are counted by this

    QUEUED = "queued"
    DELIVERED = "delivered"
    FAILED = "failed"
    WITHHELD = "withheld"


class NewDelivery(Struct, frozen=True, gc=False, array_like=True):
    """One delivery to add. Times are milliseconds since 1970 UTC, 0 where unknown.

    `ingest` builds it by position: keywords would cost as much as encoding the call.
    """

    environment: str
    """Name; empty where it is unknown (then it is withheld)."""
    message_id: str
    digest: bytes = b""
    reason: str = ""
    """Empty to queue it; otherwise a `Reason`, and it is withheld."""
    detail: str = ""
    survey_id: str = ""
    survey_name: str = ""
    user_id: str = ""
    question_type: str = ""
    question_id: str = ""
    answer: str = ""
    """The answer for people, at most 120 characters."""
    answered_at: int = 0
    updated_at: int = 0
    source: str = ""
    """File name, `webhook`, `api` ..."""
    line: int = 0
    edited: bool = False
    raw: bytes = b""
    body: bytes = b""
    """The mapped track call; empty where nothing could be mapped."""
    endpoint: str = ""
    """URL of the run with `--endpoint` that delivers it; empty for the environment's own endpoint."""
    origin_id: int = 0
    """The delivery whose record a person changed to make this one; 0 for none."""


AddOutcome = Literal["new", "known", "revision", "duplicate"]
REMOVED_ID = 0
"""Id that stands for a delivery that was removed from the journal, of which a tombstone is left."""


class AddResult(Struct, frozen=True, gc=False):
    """Outcome of adding an entry: `known` changed nothing, `revision` and `duplicate` were stored as withheld."""

    id: int
    """The delivery that was added; for `known` the one that was stored already, REMOVED_ID if it was removed since."""
    outcome: AddOutcome
    state: State
    reason: str = ""
    for_other_endpoint: bool = False
    """For `known`: whether the stored delivery goes to another endpoint than the entry."""


class WithdrawResult(Struct, frozen=True, gc=False):
    """Outcome of a withdrawal, in deliveries."""

    withdrawn: int
    """Withheld now; the others are unchanged."""
    leased: int
    """Leased to a worker, which may be sending them."""
    not_queued: int
    """In an end state, or unknown."""


class Delivery(Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """A delivery as lists show it; the payload is fetched with `get`.

    As JSON it is an array, of which SQLite writes thousands at once (`json_rows`); exports name the fields.
    """

    id: int
    """Grows with time of arrival; the order of the log."""
    environment: str
    message_id: str
    state: State
    reason: str
    detail: str
    survey_id: str
    survey_name: str
    user_id: str
    question_type: str
    answer: str
    answered_at: int
    added_at: int
    due_at: int
    """Earliest time of the next try, for a queued delivery; 0 for as soon as possible."""
    attempts: int
    """HTTP requests that carried it so far, including those of replays."""
    status: int
    """Last HTTP status; 0 for none."""
    error: str
    """Last error, such as `invalid_request` or `connection reset`; empty after success."""
    latency_ms: float
    settled_at: int
    """Time of its last HTTP response, or of its end state."""
    source: str
    line: int
    leased: bool
    size: int
    """Bytes of the mapped body."""
    edited: bool
    origin_id: int
    """The delivery this one is a revision, duplicate or new sending of; 0 for none."""
    endpoint: str = ""
    """URL of its last request; empty for none, and for requests of versions that did not record it."""
    bound_for: str = ""
    """URL of the run with `--endpoint` that delivers it; empty for the environment's own endpoint."""
    replayed: bool = False
    """Whether it was queued again under its message id; replays of versions before this field are not known."""
    held: bool = False
    """Whether it is queued, unleased, and a user holds its lane; a hold and its end are no change of the delivery."""
    content_dropped: bool = False
    """Whether retention removed its record, its call and its answer: it cannot be replayed or edited."""
    repaired_by: int = 0
    """For a failed or withheld delivery, the newest one that was made of it and is not withheld itself; 0 for none."""

    @property
    def is_forgotten(self) -> bool:
        """Whether it is of a forgotten person: it has no content any more."""
        return self.reason == Reason.FORGOTTEN

    @property
    def shown_user(self) -> str:
        """The user id for lists. Not sanitized for a terminal."""
        return "(forgotten)" if self.is_forgotten else self.user_id


def bare_url(url: str) -> str:
    """An endpoint as lists show it: without the scheme."""
    return url.partition("://")[2] or url


class Attempt(Struct, frozen=True, kw_only=True, gc=False):
    """One HTTP request; it carried `events` deliveries."""

    started_at: int
    status: int = 0
    error: str = ""
    outcome: str = ""
    """`delivered`, `refused`, `retry`, `key-refused`."""
    latency_ms: float = 0.0
    events: int = 0
    body_bytes: int = 0
    excerpt: str = ""
    """The first 1,024 bytes of the response body as text."""
    endpoint: str = ""
    """URL without the path that the client appends; empty for requests of versions that did not record it."""


class DeliveryDetail(Struct, frozen=True, kw_only=True):
    """A delivery with its payload and its requests."""

    delivery: Delivery
    raw: bytes
    body: bytes
    history: tuple[Attempt, ...]
    """Every failed attempt and the one that led to the end state, oldest first."""


class Claim(Struct, frozen=True, kw_only=True):
    """Deliveries leased to this worker, ready to send as one batch."""

    lease: int
    """Id of the lease, for `settle`, `extend` and `release`; 0 for a claim without deliveries."""
    environment: str
    ids: tuple[int, ...]
    """Ascending age: oldest due first."""
    attempts: tuple[int, ...]
    """HTTP requests that carried each delivery before (X-Retry-Count)."""
    retries_used: tuple[int, ...]
    """Retries that each delivery used since it was queued or replayed."""
    first_attempts: tuple[int, ...]
    """Start of each delivery's retry window, ms; 0 where it has not begun."""
    sizes: tuple[int, ...]
    """Bytes of each body."""
    payload: bytes
    """The bodies in order, joined by commas."""
    send_at: int
    """Earliest wall-clock time to send it (pacing), ms."""
    lane: Lane
    """The lane at the time of the claim."""
    probe: bool = False
    """Whether this claim is the one that tests the lane."""
    endpoint: str = ""
    """The endpoint of the request for this claim."""
    retry_at: int = 0
    """For a claim without deliveries: when to claim again, ms; 0 for after the next change."""

    def only(self, positions: Sequence[int], payload: bytes) -> Claim:
        """The claim with the deliveries at these positions, whose payload this is."""
        return replace(
            self,
            ids=tuple(self.ids[at] for at in positions),
            attempts=tuple(self.attempts[at] for at in positions),
            retries_used=tuple(self.retries_used[at] for at in positions),
            first_attempts=tuple(self.first_attempts[at] for at in positions),
            sizes=tuple(self.sizes[at] for at in positions),
            payload=payload,
        )


LaneState = Literal["open", "waiting", "probing", "paused"]


class Lane(Struct, frozen=True, kw_only=True, gc=False):
    """State of the deliveries of one environment to one endpoint, shared by all workers."""

    environment: str
    state: LaneState = "open"
    until: int = 0
    """End of the wait or of the probe's lease, or the next probe of a paused lane, ms; 0 for none (resumed by hand)."""
    reason: PauseReason = PauseReason.NONE
    detail: PauseDetail = NO_DETAIL
    failures: int = 0
    """Consecutive failures; determines the backoff."""
    since: int = 0
    """Time it last left `open`, ms."""
    epoch: int = 0
    """Incremented at each change; a change requested under an older epoch is ignored."""
    last_status: int = 0
    last_at: int = 0
    """Last HTTP status and its time; 0 for never."""
    pauses: int = 0
    """Consecutive pauses, the first and one per failed probe; determines when the next probe is due."""

    @property
    def cause(self) -> str:
        """The reason as text for the user: `503`, `connection refused`, `held by anna@build-1` ..."""
        return pause_text(self.reason, self.detail)

    @property
    def is_held(self) -> bool:
        """Whether nothing is claimed until a user resumes it."""
        return self.state == "paused" and not self.until


class LaneChange(Struct, frozen=True, kw_only=True, gc=False):
    """A requested change of the lane; ignored unless `epoch` is still the lane's."""

    epoch: int
    state: Literal["open", "waiting", "paused"]
    until: int = 0
    reason: PauseReason = PauseReason.NONE
    detail: PauseDetail = NO_DETAIL
    status: int = 0


class Settlement(Struct, frozen=True, kw_only=True, gc=False):
    """Outcome of some deliveries of a claim."""

    ids: tuple[int, ...]
    state: State | None
    """An end state; `queued` to put them back; or None to record the attempt only, while the claim keeps them (a
    rejected batch that is being split)."""
    attempt: Attempt | None = None
    """The request that led to it; None for none."""
    due_at: int = 0
    """For `queued`: position in the queue, the time of the failed attempt, ms; only the lane delays a delivery."""
    uses_retry: bool = True
    """Whether the attempt uses one of the delivery's retries (a rejected key and a Retry-After use none)."""
    starts_window: bool = True
    """Whether the delivery's retry window, if it has not begun, begins with this attempt."""
    error: str = ""
    reason: str = ""
    """For `withheld`: a Reason."""
    detail: str = ""
    """For `withheld`: the reason in words."""


class DeliveryPage(Struct, frozen=True):
    """Consecutive matching deliveries, oldest first."""

    deliveries: tuple[Delivery, ...]
    more: bool
    """Whether there are, or may be, more in the requested direction."""
    reached: int = 0
    """The cursor to resume from, if the budget ran out before the page was full; otherwise 0."""


class IdPage(Struct, frozen=True):
    """Ids of matching deliveries, in the requested direction: newest first for `older`."""

    ids: tuple[int, ...]
    more: bool
    """Whether there are, or may be, more in the requested direction."""
    reached: int
    """The last id searched; the cursor to resume from."""


class Changes(Struct, frozen=True):
    """Deliveries added or changed since a cursor."""

    cursor: str
    """Opaque; for the next call."""
    deliveries: tuple[Delivery, ...]
    """In their current state, oldest first."""
    overflow: bool = False
    """Whether more deliveries changed than are listed: the caller has to reload what it shows."""


class Counts(Struct, frozen=True):
    """Maintained counts: environment -> state -> number."""

    by_environment: dict[str, dict[State, int]]
    leased: dict[str, int] = {}
    """Leased deliveries by environment; included in `queued`."""
    queued_elsewhere: dict[str, int] = {}
    """Deliveries bound for endpoints of runs with `--endpoint`, by environment; included in `queued`."""
    forgotten: dict[str, dict[State, int]] = {}
    """Deliveries of forgotten persons, by environment and state; included in `by_environment`."""


ReplayState = Literal["running", "paused", "cancelled", "done"]


class ReplayJob(Struct, frozen=True, kw_only=True):
    """A bulk replay: queues the matching deliveries up to `last_id` again, step by step, behind live traffic."""

    id: int
    filter: str
    """The filter as text, for display."""
    as_new: bool
    state: ReplayState
    created_at: int
    cursor: int
    """Last id that is done."""
    last_id: int
    """Newest delivery when the job was created; later ones are not part of it."""
    total: int
    queued: int
    """Deliveries queued so far."""
    skipped: int
    """Deliveries that match but cannot be sent again (still queued, or no body)."""
    environments: tuple[str, ...] = ()
    """Names of the environments that its filter is limited to; empty for all."""


class PruneResult(Struct, frozen=True):
    """Deliveries that a prune deletes, or would delete: state -> number."""

    by_state: dict[State, int]
    bytes: int
    forgotten: int = 0
    """Tombstones of deliveries removed earlier that it deletes, or would delete."""

    def __add__(self, other: PruneResult) -> PruneResult:
        """Both together."""
        by_state = {
            state: self.by_state.get(state, 0) + other.by_state.get(state, 0)
            for state in (*self.by_state, *(one for one in other.by_state if one not in self.by_state))
        }
        return PruneResult(by_state, self.bytes + other.bytes, self.forgotten + other.forgotten)


class TombstoneCounts(Struct, frozen=True):
    """Deliveries that were removed and stay known."""

    by_environment: dict[str, int]
    bytes: int
    """About what they take."""


class WorkerInfo(Struct, frozen=True, kw_only=True):
    """A process that delivers or ingests, as of its last heartbeat."""

    id: str
    """The owner of its leases; new for each process."""
    role: str
    """The command: `run`, `listen`, `send`, `pull`, `console` ..."""
    host: str
    pid: int
    version: str
    """Of sprig-tui."""
    environments: tuple[str, ...]
    """Names of the environments that it delivers for."""
    started_at: int
    """ms, by its own clock."""
    rate: float = 0.0
    """Deliveries per second over the last seconds."""
    seen_at: int = 0
    """Last heartbeat, ms, set by the journal."""
    leased: int = 0
    """Deliveries leased to it, set by the journal."""


class WorkerLeases(Struct, frozen=True, kw_only=True, gc=False):
    """Deliveries of one environment that are leased to one worker."""

    environment: str
    owner: str
    """The id of the worker; empty for claims without an owner."""
    deliveries: int
    until: int
    """When the last of these leases expires, or the worker counts as dead without another heartbeat: ms, by the
    journal's clock. The deliveries are due again then at the latest."""


class JournalIdentity(Struct, frozen=True, kw_only=True):
    """Identity of a journal, shared by its copies and backups."""

    uuid: str
    """32 hex digits."""
    older: bool
    """Whether the journal is older than identities: positions stored outside it by that version may belong to it."""


class Notification(Struct, frozen=True, kw_only=True, gc=False):
    """Notification that a lane changed, or (without an environment) that deliveries were added."""

    environment: str = ""
    """Of the lane that changed."""
    lane_epoch: int = 0
    """The new epoch of the lane."""
    lane_closed: bool = False
    """Whether claims made under an earlier epoch must not be sent any more."""


OPEN_QUESTION_TYPE = "OPEN"
"""The question type with free-text answers (facts/sprig.md); all others are a choice or a number."""


def answer_text(delivery: Delivery) -> str:
    """The answer, with quotes around free text; empty for none. Not sanitized for a terminal."""
    answer = delivery.answer
    return f'"{answer}"' if answer and delivery.question_type == OPEN_QUESTION_TYPE else answer
