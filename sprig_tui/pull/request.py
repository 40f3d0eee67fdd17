"""What a pull is asked for, and the window of Sprig's API that it comes to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from msgspec import Struct

from sprig_tui.segment.timestamps import parse_instant, parse_usual_ms
from sprig_tui.sprig.records import Record, StudyResponse


def newest_created_ms(records: Iterable[Record]) -> int:
    """The latest creation time among them, epoch milliseconds; 0 where none says."""
    return max(map(created_ms, records), default=0)


def created_ms(record: Record) -> int:
    """When an answer was created, epoch milliseconds; 0 where it does not say."""
    if not isinstance(record, StudyResponse) or not record.answered_at:
        return 0
    ms = parse_usual_ms(record.answered_at)
    if ms is None:
        instant = parse_instant(record.answered_at)
        ms = instant.ms if instant else 0
    return max(ms, 0)


def format_utc(ms: int) -> str:
    """Such as `2026-03-04 16:21 UTC`; empty for 0 and for what no calendar has."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC") if ms else ""
    except (ValueError, OverflowError, OSError):
        return ""


DEFAULT_OVERLAP_MS = 3_600_000
"""How far an incremental pull goes back behind what was read: answers may become visible late, and several share a
millisecond. Repeats are known by their identity."""


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
    """What a person asked for."""

    since: int | None = None
    """Epoch milliseconds; None for what is new since the last pull."""
    until: int | None = None
    survey: int | None = None
    snapshots: bool = True
    """With the state of the person at the time of the survey: attributes, email, triggering event."""
    deleted: bool = False
    """With answers that were deleted in Sprig; they are withheld."""
    overlap_ms: int = DEFAULT_OVERLAP_MS
    restart: bool = False
    """Do not go on with a pull that was interrupted."""
    words: str = ""
    """`since` and `until` as they were given: the same words ask for the same, also when they are relative (`2d`)."""

    @property
    def name(self) -> str:
        """The same for two requests that mean the same; where an interrupted one is found again."""
        return " ".join(
            (self.words or f"{self.since}/{self.until}", f"{self.survey}", f"{self.snapshots:d}{self.deleted:d}")
        )


class PullProgress(Struct, frozen=True, kw_only=True):
    """One moment of a pull; each change makes a new one, so that it may be kept. Times are epoch milliseconds."""

    environment: str
    window: TimeWindow = TimeWindow()
    resumed: bool = False
    """It goes on with one that was interrupted; the numbers then include what that one read."""
    surveys: int = 0
    """Known for the environment."""
    pages: int = 0
    records: int = 0
    reached: int = 0
    """Latest creation time on the last page that had one; 0 before."""
    newest: int = 0
    """Latest creation time so far; 0 for none."""
    mark: int = 0
    """Everything created up to here was read before; at the end, by now. 0 for never."""
    waiting: str = ""
    """What is being waited for, in words; empty while it moves."""
    warnings: tuple[str, ...] = ()
    finished: bool = False
