"""Origins: deliveries that others were made of. With those it changes whether an origin is repaired."""

from __future__ import annotations

from collections.abc import Collection

from sprig_tui.journal.base import Journal
from sprig_tui.journal.records import Delivery


async def origins_of(journal: Journal, changed: Collection[Delivery]) -> tuple[Delivery, ...]:
    """The origins of changed deliveries that are not among these, oldest first."""
    known = {delivery.id for delivery in changed}
    origins = {delivery.origin_id for delivery in changed if delivery.origin_id} - known
    return await journal.get_many(sorted(origins)) if origins else ()
