"""Creation times: of records, and for people."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

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
