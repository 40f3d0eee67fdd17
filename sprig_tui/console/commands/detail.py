"""Commands of the detail screen of a delivery."""

from __future__ import annotations

from sprig_tui.console.commands.base import Command


class CloseDetail(Command):
    """Back to the deliveries."""

    id = "close-detail"
    key = "escape,q"
    label = "back"
    title = "Back to the deliveries"
    scope = "detail"
    in_palette = False


class ReplayThis(Command):
    """Queue this delivery again under the same message id; asks first where it was delivered."""

    id = "replay-this"
    key = "r"
    label = "replay"
    title = "Replay this delivery"
    scope = "detail"
    needs = "sending"
    acts_unasked = True


class RepairThis(Command):
    """Go to the record of this delivery in Payload, mapped again: F edits a field, e the record, and s sends it.

    For a delivery that failed or is withheld. What you send is a delivery of its own, linked to this one.
    """

    id = "repair-this"
    key = "m"
    label = "repair"
    title = "Repair this delivery in Payload"
    scope = "detail"


class SendThisAsNew(Command):
    """Send this delivery again under a new message id, as another event to Segment; always asks first."""

    id = "send-this-as-new"
    key = "w"
    label = "as new"
    title = "Send this delivery as new"
    scope = "detail"
    needs = "sending"


class ForgetThis(Command):
    """Forget the person of this delivery: what stands under their User ID is removed; counted and asked first."""

    id = "forget-this"
    key = "D"
    label = "forget person"
    title = "Forget the person of this delivery"
    scope = "detail"
    needs = "sending"
    in_bar = False


class ExplainThis(Command):
    """Why this delivery is, or is not, where it should be: line by line, from here to each destination in Segment."""

    id = "explain-this"
    key = "E"
    label = "explain"
    title = "Explain where this delivery is"
    scope = "detail"


class GoToOrigin(Command):
    """Show the delivery that this one is a revision, a possible duplicate or a new sending of."""

    id = "go-to-origin"
    key = "o"
    label = "origin"
    title = "Go to the delivery it came from"
    scope = "detail"


class GoToDerived(Command):
    """Show what was made of this delivery: a revision, a possible duplicate, a new sending; of several the next line.

    Enter on such a line shows the delivery that it names.
    """

    id = "go-to-made"
    key = "O"
    label = "made of it"
    title = "Go to what was made of it"
    scope = "detail"


class CopyDetail(Command):
    """Copy the value under the cursor, or the whole track call."""

    id = "copy-detail"
    key = "y"
    label = "copy"
    title = "Copy what the cursor is on"
    scope = "detail"


class OlderDelivery(Command):
    """Show the delivery before this one in the log."""

    id = "older-delivery"
    key = "left_square_bracket"
    label = "older"
    title = "The delivery before"
    scope = "detail"


class NewerDelivery(Command):
    """Show the delivery after this one in the log."""

    id = "newer-delivery"
    key = "right_square_bracket"
    label = "newer"
    title = "The delivery after"
    scope = "detail"


COMMANDS = (
    CloseDetail,
    RepairThis,
    ReplayThis,
    SendThisAsNew,
    ForgetThis,
    ExplainThis,
    GoToOrigin,
    GoToDerived,
    CopyDetail,
    OlderDelivery,
    NewerDelivery,
)
