"""Reports for the reconcile screen, built by hand."""

from __future__ import annotations

from sprig_tui.reconcile.model import (
    Bucket,
    Destination,
    DiscardCount,
    EnvironmentReport,
    Obstacle,
    Report,
    StraySource,
    Verdict,
)
from sprig_tui.segment.metrics import Granularity, Step

NOW = 1_790_000_000_000
"""2026-09-21 14:13:20 UTC, where the tests' clock begins."""
HOUR_MS = 3_600_000
THIS_HOUR = NOW // HOUR_MS * HOUR_MS
HOSTILE = "[/red]Web\x1b[2J \u202eprod"


def bucket(hours_ago: int, distinct: int = 100, received: int | None = None, **fields) -> Bucket:
    """An hour; `short` in the fields makes it short."""
    start = THIS_HOUR - hours_ago * HOUR_MS
    received = distinct if received is None else received
    if short := fields.get("short", 0):
        fields = {"verdict": Verdict.SHORT, "span_start": start, "span_end": start + HOUR_MS, **fields}
        received = distinct - short
    given = {"verdict": Verdict.AGREES, "received": received, "failed_on_ingest": 0, "filtered_at_source": 0, **fields}
    return Bucket(start=start, end=start + HOUR_MS, distinct=distinct, **{"sends": distinct, **given})


def day(*, short_at: int = 3, short: int = 3) -> tuple[Bucket, ...]:
    """24 hours, the last one too young; `short_at` hours ago some are missing (0: never)."""
    counts = [40, 12, 3, 0, 0, 2, 9, 55, 130, 210, 260, 240, 180, 220, 300, 290, 310, 280, 190, 160, 120, 500, 90, 30]
    buckets = [bucket(23 - at, number) for at, number in enumerate(counts)]
    if short_at:
        buckets[23 - short_at] = bucket(short_at, counts[23 - short_at], short=short)
    buckets[-1] = bucket(0, 30, 11, verdict=Verdict.TOO_YOUNG)
    return tuple(buckets)


AMPLITUDE = Destination(
    id="dest1",
    name="Amplitude",
    kind="Amplitude (Actions)",
    enabled=True,
    verdict=Verdict.AGREES,
    delivered=3_610,
    filtered=12,
    failed=5,
    retried=41,
    discards=(
        DiscardCount(step=Step.FILTERED_AT_DESTINATION, reason="FILTERED_BY_RULES", count=12),
        DiscardCount(step=Step.FAILED_DELIVERY, reason="MESSAGE_REJECTED", count=5),
    ),
)
BRAZE = Destination(id="dest2", name="Braze", enabled=False, obstacle=Obstacle.PERMISSION)


def environment(name: str = "production", **fields) -> EnvironmentReport:
    """One that is short by 3 and has two destinations, unless the fields say otherwise."""
    buckets = fields.pop("buckets", day())
    short = sum(one.short for one in buckets)
    return EnvironmentReport(
        **{
            "environment": name,
            "source_id": "src1",
            "source_name": "Sprig web",
            "source_enabled": True,
            "granularity": Granularity.HOUR,
            "buckets": buckets,
            "verdict": Verdict.SHORT if short else Verdict.AGREES,
            "short": short,
            "discards": (DiscardCount(step=Step.FILTERED_AT_SOURCE, reason="schema_violation", count=2),),
            "destinations": (AMPLITUDE, BRAZE),
            **fields,
        }
    )


def report(*environments: EnvironmentReport, asked_at: int = NOW - 60_000, hours: int = 24, **fields) -> Report:
    """A comparison of the last day, with a stray source."""
    return Report(
        **{
            "asked_at": asked_at,
            "since": asked_at - hours * HOUR_MS,
            "until": asked_at,
            "event": "SDK - Submitted",
            "environments": environments or (environment(), environment("development", buckets=day(short_at=0))),
            "strays": (StraySource(source_id="src9", source_name="Legacy iOS", environment="", total=41),),
            "requests": 12,
            **fields,
        }
    )
