"""Suppressed users of a workspace: Segment's list, and the requests (regulations) that change it. Pure.

| route              | shape                                                                                       |
|--------------------|---------------------------------------------------------------------------------------------|
| `GET /suppressions`| `data.suppressed[]`: `{subjectType, subjectIds[]}`                                          |
| `GET /regulations` | `data.regulations[]`: `{id, subjectType, subjects[], status, createdAt, regulationType}`    |
| `POST /regulations`| `{regulationType, subjectType, subjectIds[]}`, answered with `data.regulateId`              |

Facts: Segment's SDK (DeletionAndSuppressionApi), and its page on user deletion and suppression.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
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
_SUPPRESSING_KINDS = frozenset({"SUPPRESS_ONLY", "SUPPRESS_WITH_DELETE", "SUPPRESS_WITH_DELETE_INTERNAL"})
_LIFTING_KIND = "UNSUPPRESS"
_WITHOUT_EFFECT = frozenset({"INVALID", "NOT_SUPPORTED"})
_IN_FORCE = frozenset({"FINISHED", "PARTIAL_SUCCESS"})


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


class _Regulated(Struct, rename="camel"):
    regulate_id: str


class _RegulatedResponse(Struct):
    data: _Regulated


MAX_SUBJECTS = 5_000
"""Subjects of one regulation."""


def regulation_body(kind: str, user_ids: Sequence[str]) -> bytes:
    """The body of POST /regulations."""
    return msgspec.json.encode({"regulationType": kind, "subjectType": USER_ID, "subjectIds": list(user_ids)})


def parse_regulation_id(body: bytes) -> str:
    """The id in the answer of POST /regulations; raises SegmentApiError."""
    return decode(body, _RegulatedResponse).data.regulate_id


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


def suppressed_users(suppressions: Iterable[Suppression], regulations: Iterable[Regulation]) -> frozenset[str]:
    """Ids of the users that the workspace suppresses, or is about to.

    A user on the list of suppressions is suppressed: it is Segment's present state, and an UNSUPPRESS takes the user
    off it. For everybody else the latest regulation by `createdAt` decides: SUPPRESS_ONLY, SUPPRESS_WITH_DELETE and
    SUPPRESS_WITH_DELETE_INTERNAL suppress, UNSUPPRESS lifts. At the same time, or without one, suppressing wins.

    Known from Segment's documentation: a user who is suppressed is blocked at the API; it may take a day, at worst 30,
    until a request is in force; its app's list leaves out SUPPRESS_WITH_DELETE; a regulation is FAILED as a whole if
    one destination could not delete. So a suppression counts from the moment it is asked for and also when it FAILED,
    unless it is INVALID or NOT_SUPPORTED; an UNSUPPRESS counts once it is FINISHED.

    Not documented: whether `/suppressions` has the users of SUPPRESS_WITH_DELETE. If it has not, those of more than 90
    days ago are unknown, since `/regulations` goes no further back. Requests for a single source are not read. Users
    who were only deleted (DELETE_ONLY, DELETE_INTERNAL) are not suppressed: Segment takes new events of them.
    """
    listed = {user for entry in suppressions if _names_users(entry.subject_type) for user in entry.subject_ids}
    latest: dict[str, tuple[int, bool]] = {}
    for regulation in regulations:
        suppresses = _effect(regulation)
        if suppresses is None or not _names_users(regulation.subject_type):
            continue
        decision = regulation.created, suppresses
        for user in regulation.subject_ids:
            latest[user] = max(latest.get(user, decision), decision)
    return frozenset(listed | {user for user, (_, suppresses) in latest.items() if suppresses})


def _effect(regulation: Regulation) -> bool | None:
    """True if it suppresses, False if it lifts, None if it does neither."""
    if regulation.kind in _SUPPRESSING_KINDS:
        return None if regulation.status in _WITHOUT_EFFECT else True
    if regulation.kind == _LIFTING_KIND and regulation.created and regulation.status in _IN_FORCE:
        return False
    return None


def _names_users(subject_type: str) -> bool:
    return subject_type in (USER_ID, "")
