"""Replay rules and replay jobs, shared by both stores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from sprig_tui.journal.dedup import INCOMPLETE_REASONS, StoredIdentity
from sprig_tui.journal.query import Group, Node, Term, named_environments
from sprig_tui.journal.records import Delivery, NewDelivery, ReplayJob, State
from sprig_tui.journal.stored_query import decode_query
from sprig_tui.reasons import Reason

RESENDABLE_REASONS = frozenset({Reason.POSSIBLE_DUPLICATE, Reason.NEWER_REVISION, Reason.WITHDRAWN, Reason.SUPPRESSED})
"""Reasons of complete deliveries, which a user may replay; deliveries withheld for other reasons are incomplete.

While a user is suppressed, the engine withholds the replay again.
"""

RESENDABLE_TERMS: tuple[Node, ...] = (
    Group(
        (
            (Term("status", State.DELIVERED), Term("status", State.FAILED)),
            (Term("status", State.WITHHELD), *(Term("reason", reason) for reason in sorted(RESENDABLE_REASONS))),
        )
    ),
    Term("size", ">=1"),
    Term("is", "without-content", negated=True),
)
"""What `is_resendable` and has its content, as conditions of a query."""

MAX_SCAN_ROWS = 50_000
"""Maximum number of deliveries that one step scans: it holds the write lock meanwhile."""
JOB_COLUMNS = "id, filter, as_new, state, created_at, cursor, last_id, total, queued, skipped, query, elsewhere"


RepairWay = Literal["replay", "edit", ""]
"""How a user makes good a delivery that failed or is withheld: as it is, by an edit of its record, or not at all."""


def repair_way(delivery: Delivery) -> RepairWay:
    """The way to repair a delivery; empty for one that needs no repair, or that nothing repairs."""
    if delivery.content_dropped:
        return ""
    if delivery.state is State.FAILED:
        return "replay"
    if delivery.state is not State.WITHHELD:
        return ""
    if delivery.reason in RESENDABLE_REASONS:
        return "replay"
    return "edit" if delivery.reason in INCOMPLETE_REASONS else ""


def repaired_text(number: int) -> str:
    """What a replay of deliveries means whose place another one took; empty for none."""
    if not number:
        return ""
    are = "is" if number == 1 else "are"
    why = "another delivery was sent instead, and Segment counts both; -is:repaired skips them"
    return f"{number:,} {are} repaired: {why}"


def is_resendable(state: State, reason: str, size: int) -> bool:
    """Whether a delivery in this state can be queued again."""
    if size == 0 or state is State.QUEUED:
        return False
    return state is not State.WITHHELD or reason in RESENDABLE_REASONS


def job_from_row(row: Sequence[Any]) -> ReplayJob:
    """A row of JOB_COLUMNS as a record."""
    return ReplayJob(
        id=row[0],
        filter=row[1],
        as_new=bool(row[2]),
        state=row[3],
        created_at=row[4],
        cursor=row[5],
        last_id=row[6],
        total=row[7],
        queued=row[8],
        skipped=row[9],
        environments=named_environments(decode_query(row[10])),
    )


RESEND_COLUMNS = (
    "d.state, d.reason, d.size, e.name, d.message_id, d.survey_id, d.survey_name, d.user_id, d.question_type,"
    " d.question_id, d.answer, d.answered_at, d.updated_at, d.digest, d.source, d.line, d.edited, e.endpoint"
)
"""Columns that a new sending takes over, from `deliveries d JOIN environments e`."""


def needs_copy(endpoint: str, target: str) -> bool:
    """Whether a replay to `target` sends a copy with the same message id and leaves the delivery unchanged.

    It does for a delivery to the environment's own endpoint (empty): the outcome at another endpoint must not replace
    its own. A delivery of a run with `--endpoint` is rebound to the new endpoint instead.
    """
    return not endpoint and bool(target)


def has_other_delivery(delivery_id: int, stored: StoredIdentity | None, target: str) -> bool:
    """Whether another delivery of the same answer exists for `target`, so that a replay would send it there twice.

    `stored` is the delivery that holds the identity. Only that one goes to the environment's own endpoint (an empty
    `target`).
    """
    return stored is not None and stored.id != delivery_id and (not target or stored.endpoint == target)


def resend_entry(row: Sequence[Any], message_id: str, raw: bytes, body: bytes, endpoint: str) -> NewDelivery:
    """A row of RESEND_COLUMNS and its payload as another delivery for `endpoint`, under an id as long as its own."""
    return NewDelivery(
        endpoint=endpoint,
        environment=row[3],
        message_id=message_id,
        survey_id=row[5],
        survey_name=row[6],
        user_id=row[7],
        question_type=row[8],
        question_id=row[9],
        answer=row[10],
        answered_at=row[11],
        updated_at=row[12],
        digest=row[13],
        source=row[14],
        line=row[15],
        edited=bool(row[16]),
        raw=raw,
        body=body.replace(row[4].encode(), message_id.encode(), 1),
    )
