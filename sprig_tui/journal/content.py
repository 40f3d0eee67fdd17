"""Content of a delivery: texts for what the journal has no longer, or never had, of a record and its call."""

from __future__ import annotations

from sprig_tui.journal.records import DeliveryDetail

RECORD_NOT_KEPT = "the journal has no record of it (journal.store_raw)"
"""Why it cannot be mapped again, edited, or looked at as it came in."""


def record_absence(detail: DeliveryDetail) -> str:
    """Why there is no record as it came in; empty where there is one."""
    return "" if detail.raw else RECORD_NOT_KEPT
