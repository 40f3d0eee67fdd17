"""What every store goes by when deliveries are queued again: which may be, and the jobs that do many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from sprig_tui.journal.dedup import StoredIdentity
from sprig_tui.journal.query import Query, named_environments
from sprig_tui.journal.records import NewDelivery, ReplayJob, State
from sprig_tui.reasons import Reason

RESENDABLE_REASONS = frozenset({Reason.POSSIBLE_DUPLICATE, Reason.NEWER_REVISION, Reason.WITHDRAWN})
"""Withheld for these, a delivery is complete and may be sent when a person says so; the others lack something."""

MAX_SCAN_ROWS = 50_000
"""Deliveries that one step looks through at most: it holds the lock meanwhile, and others want to write."""
JOB_COLUMNS = "id, filter, as_new, state, created_at, cursor, last_id, total, queued, skipped, query, elsewhere"


def is_resendable(state: State, reason: str, size: int) -> bool:
    """Whether a delivery that stands so can be queued again."""
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
        environments=named_environments(msgspec.json.decode(row[10], type=Query)),
    )


RESEND_COLUMNS = (
    "d.state, d.reason, d.size, e.name, d.message_id, d.survey_id, d.survey_name, d.user_id, d.question_type,"
    " d.question_id, d.answer, d.answered_at, d.updated_at, d.digest, d.source, d.line, d.edited, e.endpoint"
)
"""What a new sending takes over, of `deliveries d JOIN environments e`."""


def needs_copy(endpoint: str, target: str) -> bool:
    """Whether a delivery bound for `endpoint` that is sent again to `target` stays, and a copy under its id is sent.

    One that goes to the environment's own endpoint does: what becomes of it elsewhere must not change what is known of
    it there. One of a run with `--endpoint` goes to the new endpoint itself.
    """
    return not endpoint and bool(target)


def has_other_delivery(delivery_id: int, stored: StoredIdentity | None, target: str) -> bool:
    """Whether another delivery stands for the same answer where a delivery of a run with `--endpoint` would go now.

    It would be sent there a second time. `standing` is what stands for its identity, `target` where it would go: empty
    for the environment's own endpoint, which only the delivery that stands for the identity goes to.
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
