"""Repair of a failed or withheld delivery: which keys lead to it, and why there is none."""

from __future__ import annotations

from sprig_tui.journal.records import Delivery, State
from sprig_tui.journal.resend import repair_way
from sprig_tui.reasons import Reason

_FIRST_STEPS = {
    Reason.ANONYMOUS: "F sets userId, e edits it",
    Reason.ENVIRONMENT_UNKNOWN: "1 picks an environment",
}
_EDIT_STEPS = "F edits one field, e all"
FORM_HINT = "F edits the field under the cursor, e the whole record; s sends the result"


def repair_text(delivery: Delivery) -> str:
    """The keys that repair a delivery; empty where nothing does."""
    way = repair_way(delivery)
    if way == "replay":
        return "r sends it again as it is, m shows its record to edit it"
    return f"m shows its record: {_edit_steps(delivery)}, s sends it" if way else ""


def _edit_steps(delivery: Delivery) -> str:
    return next((steps for reason, steps in _FIRST_STEPS.items() if reason == delivery.reason), _EDIT_STEPS)


def repair_refusal(delivery: Delivery) -> str:
    """Why a delivery cannot be repaired; empty where it can."""
    if repair_way(delivery):
        return ""
    if delivery.content_dropped:
        return "repair: its record was removed from the journal"
    if delivery.state in (State.DELIVERED, State.QUEUED):
        return f"repair: this delivery is {delivery.state}, so there is nothing to repair"
    return f"repair: what is withheld as {delivery.reason} stays so"
