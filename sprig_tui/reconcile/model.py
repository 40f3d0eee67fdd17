"""Records of a reconciliation: verdicts, buckets, destinations and the report. Times are ms since 1970 UTC.

What Segment did not say is None, never 0. A verdict of `cannot-ask` names its obstacle.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from sprig_tui.segment.metrics import Granularity, Step


class Verdict(StrEnum):
    """Result of a comparison, of a bucket, a destination or an environment."""

    AGREES = "agrees"
    SHORT = "short"
    MORE = "more"
    TOO_YOUNG = "too-young"
    CANNOT_ASK = "cannot-ask"


_VERDICT_TEXTS = {
    Verdict.AGREES: "agrees",
    Verdict.SHORT: "short",
    Verdict.MORE: "more than we sent: others use the event's name too",
    Verdict.TOO_YOUNG: "too young to say",
    Verdict.CANNOT_ASK: "not compared",
}


def verdict_text(verdict: Verdict) -> str:
    """The verdict in words, without its numbers."""
    return _VERDICT_TEXTS[verdict]


class Obstacle(StrEnum):
    """Reason why something could not be asked, or why an answer says nothing."""

    NONE = ""
    TOO_OLD = "too-old"
    PERMISSION = "permission"
    PLAN = "plan"
    NOT_IN_WORKSPACE = "not-in-workspace"
    NO_KEY = "no-key"
    NO_TOKEN = "no-token"  # noqa: S105 - a reason
    KEYS_HIDDEN = "keys-hidden"
    UNREACHABLE = "unreachable"
    RATE_LIMITED = "rate-limited"
    ANSWER_UNCLEAR = "answer-unclear"
    CLOCK = "clock"
    DISABLED = "disabled"
    NOT_COUNTED = "not-counted"
    NOT_ASKED = "not-asked"


_OBSTACLE_TEXTS = {
    Obstacle.NONE: "",
    Obstacle.TOO_OLD: "Segment keeps counts for 30 days only, those by minute for 48 hours",
    Obstacle.PERMISSION: "the token may not read this: Segment answered 401 or 403",
    Obstacle.PLAN: "the workspace's plan does not offer this",
    Obstacle.NOT_IN_WORKSPACE: "its Write Key belongs to no source of this workspace",
    Obstacle.NO_KEY: "it has no Write Key",
    Obstacle.NO_TOKEN: "there is no Public API token: sprig-tui keys workspace",
    Obstacle.KEYS_HIDDEN: "the token may not see Write Keys, so its source is not known",
    Obstacle.UNREACHABLE: "Segment's Public API could not be reached",
    Obstacle.RATE_LIMITED: "Segment's Public API asked to wait longer than this comparison may take",
    Obstacle.ANSWER_UNCLEAR: "Segment's answer could not be understood",
    Obstacle.CLOCK: "this machine's clock and Segment's differ by more than two minutes; set it by NTP",
    Obstacle.DISABLED: "it is disabled, so Segment sends nothing there",
    Obstacle.NOT_COUNTED: "Segment counted nothing for it, as it does for warehouses and in device mode",
    Obstacle.NOT_ASKED: "it was not asked",
}


def obstacle_text(obstacle: Obstacle) -> str:
    """The obstacle as the end of a sentence `not compared: ...`; empty for none."""
    return _OBSTACLE_TEXTS[obstacle]


class Bucket(Struct, frozen=True, kw_only=True):
    """One interval of time: what we delivered in it, what Segment counted in it, and the verdict."""

    start: int
    """Included."""
    end: int
    """Excluded."""
    distinct: int = 0
    """Message ids whose first acceptance by Segment lies in it, by our clock."""
    sends: int = 0
    """Accepted sends in it, repeats included."""
    repeats: int = 0
    """Sends in it of message ids that were accepted before; Segment may count them or not."""
    received: int | None = None
    failed_on_ingest: int | None = None
    filtered_at_source: int | None = None
    verdict: Verdict = Verdict.CANNOT_ASK
    short: int = 0
    """At least so many message ids are missing, in the whole span."""
    more: int = 0
    """So many more than we sent."""
    obstacle: Obstacle = Obstacle.NONE
    span_start: int = 0
    span_end: int = 0
    """For `short`: the time that lacks them. It is longer than the bucket where a difference of the clocks leaves open
    which of several buckets is short; these then carry the same span, and its `short` counts once. 0 otherwise."""


class Shortfall(Struct, frozen=True):
    """A time in which at least `short` message ids are missing, wherever in it."""

    start: int
    end: int
    short: int


def shortfalls(buckets: tuple[Bucket, ...]) -> tuple[Shortfall, ...]:
    """The short times of these buckets, each once, in order; adding up `short` of buckets would count a span twice."""
    found = {
        bucket.span_start: Shortfall(bucket.span_start, bucket.span_end, bucket.short)
        for bucket in buckets
        if bucket.verdict is Verdict.SHORT
    }
    return tuple(found[start] for start in sorted(found))


class DiscardCount(Struct, frozen=True, kw_only=True):
    """Events that Segment discarded at a step, with the reason by Segment's name."""

    step: Step
    reason: str
    count: int


class Destination(Struct, frozen=True, kw_only=True):
    """A connected destination: what became of the events that the source received. None where it was not said."""

    id: str
    name: str
    kind: str = ""
    enabled: bool | None = None
    verdict: Verdict = Verdict.CANNOT_ASK
    delivered: int | None = None
    filtered: int | None = None
    failed: int | None = None
    retried: int = 0
    """Of those delivered: after at least one retry."""
    discards: tuple[DiscardCount, ...] = ()
    buckets: tuple[Bucket, ...] = ()
    """`received` of each is what the destination got of that time."""
    obstacle: Obstacle = Obstacle.NONE


class EnvironmentReport(Struct, frozen=True, kw_only=True):
    """The comparison of one environment with its source."""

    environment: str
    source_id: str = ""
    source_name: str = ""
    source_enabled: bool | None = None
    granularity: Granularity = Granularity.HOUR
    buckets: tuple[Bucket, ...] = ()
    discards: tuple[DiscardCount, ...] = ()
    """Of the steps on ingest and at the source."""
    destinations: tuple[Destination, ...] = ()
    verdict: Verdict = Verdict.CANNOT_ASK
    short: int = 0
    """Missing message ids over all buckets."""
    obstacle: Obstacle = Obstacle.NONE
    detail: str = ""
    """What Segment said, where the obstacle needs it."""


class StraySource(Struct, frozen=True, kw_only=True):
    """A source of the workspace that got our event's name."""

    source_id: str
    source_name: str
    environment: str
    """Whose Write Key belongs to it; empty for none of ours."""
    total: int


class Report(Struct, frozen=True, kw_only=True):
    """A whole comparison. `complete` is False if it was cancelled or Segment gave only a part."""

    asked_at: int
    since: int
    until: int
    event: str
    environments: tuple[EnvironmentReport, ...] = ()
    strays: tuple[StraySource, ...] = ()
    requests: int = 0
    complete: bool = True
