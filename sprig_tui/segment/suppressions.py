"""Suppressed users of a workspace: Segment's list, and the requests (regulations) that change it. Pure.

| route              | shape                                                                                       |
|--------------------|---------------------------------------------------------------------------------------------|
| `GET /suppressions`| `data.suppressed[]`: `{subjectType, subjectIds[]}`                                          |
| `GET /regulations` | `data.regulations[]`: `{id, subjectType, subjects[], status, createdAt, regulationType}`    |

Facts: Segment's SDK (DeletionAndSuppressionApi), and its page on user deletion and suppression.
"""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from sprig_tui.segment.public_api_json import (
    ListPage,
    Number,
    Pagination,
    decode,
    next_cursor,
    required,
    to_ms_or_zero,
)

USER_ID = "USER_ID"
"""Kind of a subject that is a user; others, such as OBJECT_ID, are no users."""


class Suppression(Struct, frozen=True, kw_only=True):
    """Entry of the list of suppressed subjects."""

    subject_type: str
    subject_ids: tuple[str, ...]


class Regulation(Struct, frozen=True, kw_only=True):
    """Request to suppress or delete people, of the last 90 days."""

    id: str
    kind: str
    """SUPPRESS_ONLY, SUPPRESS_WITH_DELETE, SUPPRESS_WITH_DELETE_INTERNAL, UNSUPPRESS, DELETE_ONLY, DELETE_INTERNAL."""
    status: str = ""
    """INITIALIZED, RUNNING, FINISHED, FAILED, INVALID, NOT_SUPPORTED or PARTIAL_SUCCESS."""
    subject_type: str = ""
    subject_ids: tuple[str, ...] = ()
    created: int = 0
    """Milliseconds since 1970 UTC; 0 if the answer does not say."""
    finished: int = 0


class _Suppression(Struct, rename="camel"):
    subject_type: str | None = None
    subject_ids: list[str | int] | None = None


class _Suppressions(Struct):
    suppressed: list[_Suppression] | UnsetType | None = UNSET
    pagination: Pagination | None = None


class _SuppressionsResponse(Struct):
    data: _Suppressions


class _Regulation(Struct, rename="camel"):
    id: str
    regulation_type: str | None = None
    status: str | None = None
    subject_type: str | None = None
    subjects: list[str | int] | None = None
    created_at: Number = None
    finished_at: Number = None


class _Regulations(Struct):
    regulations: list[_Regulation] | UnsetType | None = UNSET
    pagination: Pagination | None = None


class _RegulationsResponse(Struct):
    data: _Regulations


def parse_suppressions(body: bytes) -> ListPage[Suppression]:
    """A page of GET /suppressions; raises SegmentApiError."""
    data = decode(body, _SuppressionsResponse).data
    entries = tuple(
        Suppression(subject_type=entry.subject_type or "", subject_ids=tuple(map(str, entry.subject_ids or ())))
        for entry in required(data.suppressed, "suppressed")
    )
    return ListPage(entries, next_cursor(data.pagination))


def parse_regulations(body: bytes) -> ListPage[Regulation]:
    """A page of GET /regulations; raises SegmentApiError."""
    data = decode(body, _RegulationsResponse).data
    regulations = tuple(
        Regulation(
            id=found.id,
            kind=(found.regulation_type or "").upper(),
            status=(found.status or "").upper(),
            subject_type=found.subject_type or "",
            subject_ids=tuple(map(str, found.subjects or ())),
            created=to_ms_or_zero(found.created_at),
            finished=to_ms_or_zero(found.finished_at),
        )
        for found in required(data.regulations, "regulations")
    )
    return ListPage(regulations, next_cursor(data.pagination))
