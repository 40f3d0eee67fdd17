"""Pull request: its time window in Sprig's API, and its progress."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from msgspec import Struct

from sprig_tui.segment.timestamps import parse_instant, parse_usual_ms
from sprig_tui.sprig.records import Record, StudyResponse

DEFAULT_OVERLAP_MS = 3_600_000
"""Overlap of an incremental pull with the previous one, since answers may become visible late and several may share a
millisecond. Repeated answers are known by their message ids."""


def newest_created_ms(records: Iterable[Record]) -> int:
    """The latest creation time of the records, epoch milliseconds; 0 if none has one."""
    return max(map(created_ms, records), default=0)


def created_ms(record: Record) -> int:
    """Creation time of an answer, epoch milliseconds; 0 if it has none."""
    if not isinstance(record, StudyResponse) or not record.answered_at:
        return 0
    ms = parse_usual_ms(record.answered_at)
    if ms is None:
        instant = parse_instant(record.answered_at)
        ms = instant.ms if instant else 0
    return max(ms, 0)


def format_utc(ms: int) -> str:
    """Such as `2026-03-04 16:21 UTC`; empty for 0 and for times outside the calendar."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC") if ms else ""
    except (ValueError, OverflowError, OSError):
        return ""


class TimeWindow(Struct, frozen=True, kw_only=True, gc=False):
    """The records that one pull reads, as parameters of `GET /v1/responses`."""

    since: int | None = None
    """Creation time in epoch milliseconds, included; None for the beginning."""
    until: int | None = None
    """As `since`; None for no end."""
    survey: int | None = None
    snapshots: bool = True
    deleted: bool = False

    def parameters(self, limit: int, cursor: str) -> dict[str, str]:
        """The query of one page."""
        query = {"limit": str(limit)}
        optional = {"start": self.since, "end": self.until, "sid": self.survey}
        query.update({name: str(value) for name, value in optional.items() if value is not None})
        if self.snapshots:
            query["with_snapshots"] = "true"
        if self.deleted:
            query["with_deleted_responses"] = "true"
        if cursor:
            query["cursor"] = cursor
        return query


class PullRequest(Struct, frozen=True, kw_only=True):
    """One pull as a person asked for it."""

    since: int | None = None
    """Epoch milliseconds; None for everything new since the last pull."""
    until: int | None = None
    survey: int | None = None
    snapshots: bool = True
    """Whether to read the person's state at the time of the survey: attributes, email, triggering event."""
    deleted: bool = False
    """Whether to read answers that were deleted in Sprig; they are withheld."""
    overlap_ms: int = DEFAULT_OVERLAP_MS
    restart: bool = False
    """Whether to ignore the resume point of an interrupted pull."""
    words: str = ""
    """`since` and `until` as typed, so that an interrupted pull with relative times (`2d`) is found again."""

    @property
    def name(self) -> str:
        """Key of the request's resume point, equal for equal requests."""
        return " ".join(
            (self.words or f"{self.since}/{self.until}", f"{self.survey}", f"{self.snapshots:d}{self.deleted:d}")
        )


class PullProgress(Struct, frozen=True, kw_only=True):
    """Immutable progress of a pull; times are epoch milliseconds."""

    environment: str
    window: TimeWindow = TimeWindow()
    resumed: bool = False
    """Whether it resumes an interrupted pull; the counts then include that one's."""
    surveys: int = 0
    """Surveys known for the environment."""
    pages: int = 0
    records: int = 0
    reached: int = 0
    """Latest creation time on the last page that had one; 0 before."""
    newest: int = 0
    """Latest creation time so far; 0 without any."""
    mark: int = 0
    """High-water mark: before the pull, and at the end after it. 0 before the first pull."""
    waiting: str = ""
    """Reason of the present wait, in words; empty while none."""
    warnings: tuple[str, ...] = ()
    finished: bool = False
