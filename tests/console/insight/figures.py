"""Statistics for tests: two days by the hour, with hostile names and every kind of group."""

from __future__ import annotations

from itertools import pairwise

from sprig_tui.journal.records import State
from sprig_tui.journal.statistics import OTHER, Bucket, Statistics, StatisticsRequest, SurveyCounts, bucket_edges

NOW = 1_790_000_000_000
"""The clock of the console's tests: 21 Sep 2026, 14:13 UTC."""
HOSTILE = "[/red]日本語\x1b[2J\u202eevil"


def statistics(request: StatisticsRequest, *, at: int = NOW, more: int = 0) -> Statistics:
    """The answer to a request; `more` deliveries arrived in the newest bucket."""
    edges = bucket_edges(request.unit, request.buckets, at)
    buckets = []
    for number, (since, until) in enumerate(pairwise(edges)):
        size = 0 if number % 11 == 5 else 120 + 97 * (number * number % 13)
        arrived = {
            State.DELIVERED: size,
            State.QUEUED: 40 if number > request.buckets - 3 else 0,
            State.WITHHELD: size // 9,
            State.FAILED: size // 400,
        }
        if number == request.buckets - 1:
            arrived[State.DELIVERED] += more
        times = {"median_ms": 31 + number % 7, "p95_ms": 80 + 60 * (number % 4)} if size else {}
        buckets.append(Bucket(since=since, until=until, arrived=arrived, answered=size, **times))
    names = {"1": "Checkout effort", "2": HOSTILE, "3": "", "": ""}
    surveys = [
        SurveyCounts(
            id=key,
            name=name,
            states={State.DELIVERED: 4_000 // (at + 1), State.WITHHELD: 30 * at, State.FAILED: at},
            anonymous=30 * at,
        )
        for at, (key, name) in enumerate(names.items())
    ]
    other = SurveyCounts(id=OTHER, name="", states={State.DELIVERED: 7}, anonymous=0, is_other=True)
    return Statistics(
        request=request,
        buckets=tuple(buckets),
        surveys=(*surveys, other),
        environments={"production": {State.DELIVERED: 8_300, State.FAILED: 6}, "development": {State.DELIVERED: 40}},
        reasons={"anonymous": 170, "invalid": 9, "of-a-later-version": 1},
        failures={400: 40, 0: 3, 503: 2},
        endpoints={
            "https://api.segment.io": {State.DELIVERED: 8_300, State.FAILED: 6},
            f"http://127.0.0.1:8080/{HOSTILE}": {State.DELIVERED: 40},
        },
    )
