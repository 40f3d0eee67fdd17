"""What the journal takes and gives."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from msgspec import Struct

from sprig_tui.journal.pause_reasons import NO_DETAIL, PauseDetail, PauseReason, pause_text


class State(StrEnum):
    """A delivery's state; `queued` covers waiting, leased and waiting for a retry."""

    __hash__ = str.__hash__  # Enum's own is a function in Python, and deliveries are counted by this

    QUEUED = "queued"
    DELIVERED = "delivered"
    FAILED = "failed"
    WITHHELD = "withheld"


class NewDelivery(Struct, frozen=True, gc=False, array_like=True):
    """One delivery to add. Times are milliseconds since 1970 UTC, 0 where unknown.

    The intake makes it by position: its keywords would cost as much as encoding the call.
    """

    environment: str
    """Name; empty where it is unknown (then it is withheld)."""
    message_id: str
    digest: bytes = b""
    reason: str = ""
    """Empty to queue it, else a `Reason`: it is withheld."""
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
    """URL of a run with `--endpoint` that alone may deliver it; empty where it goes to the environment's own."""


AddOutcome = Literal["new", "known", "revision", "duplicate"]


class AddResult(Struct, frozen=True, gc=False):
    """What became of an entry: `known` changed nothing, `revision` and `duplicate` were stored as withheld."""

    id: int
    """The delivery that now stands for the entry (for `known` the one that was there)."""
    outcome: AddOutcome
    state: State
    reason: str = ""
    for_other_endpoint: bool = False
    """Of a known one: whether another endpoint is meant to get it than this entry's."""


class WithdrawResult(Struct, frozen=True, gc=False):
    """What became of deliveries that were to be taken back."""

    withdrawn: int
    """Withheld now; the others are as they were."""
    leased: int
    """Leased to a worker, which may be sending them."""
    not_queued: int
    """Ended before, or not there."""


class Delivery(Struct, frozen=True, kw_only=True, gc=False):
    """A delivery as lists show it; the payload is fetched with `get`."""

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
    """Not before, for a queued one that waits; 0 for as soon as its turn comes."""
    attempts: int
    """HTTP requests that carried it so far, all replays included."""
    status: int
    """Last HTTP status; 0 where none came."""
    error: str
    """Last error, such as `invalid_request` or `connection reset`; empty after success."""
    latency_ms: float
    settled_at: int
    """When it last got an answer or an end state."""
    source: str
    line: int
    leased: bool
    size: int
    """Bytes of the mapped body."""
    edited: bool
    origin_id: int
    """The delivery this one is a revision, duplicate or new sending of; 0 for none."""
    endpoint: str = ""
    """URL that its last request was made to; empty where none was, or a version before noted none."""
    bound_for: str = ""
    """URL of a run with `--endpoint` that alone delivers it; empty where it goes to the environment's own endpoint."""


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
    """URL that it was made to, without a path of ours; empty where a version before noted none."""


class DeliveryDetail(Struct, frozen=True, kw_only=True):
    """All that is known of one delivery."""

    delivery: Delivery
    raw: bytes
    body: bytes
    history: tuple[Attempt, ...]
    """Oldest first: every failed attempt and the one that ended it."""


class Claim(Struct, frozen=True, kw_only=True):
    """Deliveries leased to this worker, ready to send as one batch."""

    lease: int
    """Names this claim in `settle`, `extend` and `release`; 0 when nothing was claimed."""
    environment: str
    ids: tuple[int, ...]
    """Ascending age: oldest due first."""
    attempts: tuple[int, ...]
    """HTTP requests that carried each delivery before, whatever became of them (X-Retry-Count)."""
    retries_used: tuple[int, ...]
    """Those since it was queued or replayed that used up one of its retries."""
    first_attempts: tuple[int, ...]
    """When each delivery's retry window began, ms; 0 where it has not."""
    sizes: tuple[int, ...]
    """Bytes of each body."""
    payload: bytes
    """The bodies in order, joined by commas."""
    send_at: int
    """Not before this wall time (pacing), ms."""
    lane: Lane
    """The lane as it was when claimed; `probe` says this claim is the one that tests it."""
    probe: bool = False
    endpoint: str = ""
    """As it was asked for."""
    retry_at: int = 0
    """When nothing was claimed: the time at which asking again makes sense, ms; 0 for 'when something changes'."""


LaneState = Literal["open", "waiting", "probing", "paused"]


class Lane(Struct, frozen=True, kw_only=True, gc=False):
    """The shared state of one environment's way to Segment; it holds for every worker."""

    environment: str
    state: LaneState = "open"
    until: int = 0
    """End of the wait or of the probe's lease, or when a paused lane is probed, ms; 0 for when somebody acts."""
    reason: PauseReason = PauseReason.NONE
    detail: PauseDetail = NO_DETAIL
    failures: int = 0
    """Failures in a row; sets the backoff."""
    since: int = 0
    """When it last left `open`, ms."""
    epoch: int = 0
    """Grows at each change; a change asked for with an older epoch is ignored."""
    last_status: int = 0
    last_at: int = 0
    """Last HTTP answer and when it came; 0 for never."""
    pauses: int = 0
    """Pauses that ended with a failed probe, and the one that began it, in a row; sets when the next probe is due."""

    @property
    def cause(self) -> str:
        """The reason in words, for people: `503`, `connection refused`, `by hand` ..."""
        return pause_text(self.reason, self.detail)


class LaneChange(Struct, frozen=True, kw_only=True, gc=False):
    """A wish to change the lane, made under the epoch that the claim saw."""

    epoch: int
    state: Literal["open", "waiting", "paused"]
    until: int = 0
    reason: PauseReason = PauseReason.NONE
    detail: PauseDetail = NO_DETAIL
    status: int = 0


class Settlement(Struct, frozen=True, kw_only=True, gc=False):
    """What became of some deliveries of a claim."""

    ids: tuple[int, ...]
    state: State | None
    """An end state, `queued` to go back, or None: the attempt is noted and the claim keeps them (a refused batch that
    is being split)."""
    attempt: Attempt | None = None
    """The request that led to it; None where none was made."""
    due_at: int = 0
    """For `queued`: its place in the line, the time of the failed attempt, ms; the lane alone makes it wait."""
    uses_retry: bool = True
    """Whether the attempt uses up one of the delivery's retries (a refused key or a Retry-After uses none up)."""
    starts_window: bool = True
    """Whether the delivery's retry window begins with this attempt, where it has not begun."""
    error: str = ""


class DeliveryPage(Struct, frozen=True):
    """A stretch of the log, always oldest first."""

    deliveries: tuple[Delivery, ...]
    more: bool
    """Whether there are, or may be, more in the direction asked for."""
    reached: int = 0
    """Where the time allowed ran out before the page was full: pass it as the cursor to look on; else 0."""


class IdPage(Struct, frozen=True):
    """Ids of deliveries that match, in the direction asked for: newest first where that is older."""

    ids: tuple[int, ...]
    more: bool
    """Whether there are, or may be, more in that direction."""
    reached: int
    """The id up to which the search came (itself included): pass it as the cursor to look on."""


class Changes(Struct, frozen=True):
    """What happened since a cursor."""

    cursor: str
    """Opaque; pass it back to the next call."""
    deliveries: tuple[Delivery, ...]
    """Rows added or changed, oldest first, each in its newest state."""
    overflow: bool = False
    """More changed than is told here: read again what is shown."""


class Counts(Struct, frozen=True):
    """Kept counts: environment -> state -> number."""

    by_environment: dict[str, dict[State, int]]
    leased: dict[str, int] = {}
    """In flight, by environment; part of `queued`."""
    queued_elsewhere: dict[str, int] = {}
    """Bound for the endpoint of a run with `--endpoint`, by environment; part of `queued`."""


ReplayState = Literal["running", "paused", "cancelled", "done"]


class ReplayJob(Struct, frozen=True, kw_only=True):
    """A bulk replay: the deliveries up to `last_id` that match, re-queued step by step behind live traffic."""

    id: int
    filter: str
    """The filter as text, for people."""
    as_new: bool
    state: ReplayState
    created_at: int
    cursor: int
    """Ids up to this one are done."""
    last_id: int
    """Newest delivery when the job was made: later ones are not part of it."""
    total: int
    queued: int
    """Re-queued so far."""
    skipped: int
    """Matched but could not be sent again (still queued, or nothing to send)."""
    environments: tuple[str, ...] = ()
    """Names of those it can touch, where its filter says; empty for all."""


class PruneResult(Struct, frozen=True):
    """What a prune removes, or would: state -> number."""

    by_state: dict[State, int]
    bytes: int


class WorkerInfo(Struct, frozen=True, kw_only=True):
    """A process that delivers, or takes answers in, as it last reported itself."""

    id: str
    """The owner of its leases; fresh at each start of a process."""
    role: str
    """The command it is: `run`, `listen`, `send`, `pull`, `console` ..."""
    host: str
    pid: int
    version: str
    """Of sprig-tui."""
    environments: tuple[str, ...]
    """Names of those it delivers for."""
    started_at: int
    """ms, by its own clock."""
    rate: float = 0.0
    """Deliveries per second over the last seconds."""
    seen_at: int = 0
    """When it last reported, ms, by the journal's clock; what a report says here does not count."""
    leased: int = 0
    """Deliveries it holds leases on now; told by the journal, what a report says here does not count."""


class WorkerLeases(Struct, frozen=True, kw_only=True, gc=False):
    """Deliveries of one environment that are leased to one worker."""

    environment: str
    owner: str
    """The id of the worker; empty where none was named."""
    deliveries: int
    until: int
    """When the last of these leases runs out, or its worker counts as gone unless it is heard of again: ms, by the
    journal's clock. They are due again at the latest then."""


class JournalIdentity(Struct, frozen=True, kw_only=True):
    """Which journal this is: a copy and a backup have the identity of what they were made of, a new one its own."""

    uuid: str
    """32 hex digits."""
    older: bool
    """Made before journals had identities: what was kept beside it then may be its own."""


class Notification(Struct, frozen=True, kw_only=True, gc=False):
    """What a journal calls out: that a lane changed, or (without an environment) that something was added."""

    environment: str = ""
    """Of the lane that changed."""
    lane_epoch: int = 0
    """The lane's epoch from then on."""
    lane_closed: bool = False
    """Whether claims made under an earlier epoch must not be sent any more."""


OPEN_QUESTION_TYPE = "OPEN"
"""The question type whose answers are a person's own words (facts/sprig.md); all others are a choice or a number."""


def answer_text(delivery: Delivery) -> str:
    """The answer, a person's own words in quotes; empty where there is none. Not yet fit for a terminal."""
    answer = delivery.answer
    return f'"{answer}"' if answer and delivery.question_type == OPEN_QUESTION_TYPE else answer
