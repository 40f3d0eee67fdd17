"""Comparison of a revision, a possible duplicate or a new sending with the delivery that it was made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sprig_tui.console.notify import notify, notify_error
from sprig_tui.console.payload.call_diff import CompareScreen, Comparison, call_diff
from sprig_tui.console.payload.send_requests import NOTHING_TO_COMPARE
from sprig_tui.errors import JournalError

if TYPE_CHECKING:
    from textual.app import App

    from sprig_tui.console.payload.send_requests import CompareRequested
    from sprig_tui.journal.base import Journal


async def show_comparison(app: App[object], journal: Journal | None, request: CompareRequested) -> None:
    """Show what differs from the origin, first, and the comparisons that need no journal."""
    delivery, comparisons = request.detail.delivery, list(request.comparisons)
    if journal is not None:
        try:
            origin = await journal.get(delivery.origin_id)
        except JournalError as error:
            notify_error(app, error)
            return
        if origin is not None and origin.body and request.detail.body:
            title = f"Delivery {delivery.id}: - delivery {delivery.origin_id}, + this one, made of it"
            comparisons.insert(0, Comparison(title, call_diff(origin.body, request.detail.body)))
    if comparisons:
        app.push_screen(CompareScreen(*comparisons))
    else:
        notify(app, NOTHING_TO_COMPARE)
