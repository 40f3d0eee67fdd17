"""What a pull is asked for, and the window of Sprig's API that it comes to."""

from __future__ import annotations

from msgspec import Struct

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
