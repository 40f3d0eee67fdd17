"""Commands of the Deliveries pane."""

from __future__ import annotations

from sprig_tui.console.commands.base import Command
from sprig_tui.console.commands.detail import COMMANDS as DETAIL_COMMANDS

__all__ = ("COMMANDS", "DETAIL_COMMANDS")


class Filter(Command):
    """Filter the deliveries.

    The rows follow while you type. Words: status:failed is:retrying reason:anonymous env:production to:eu
    survey:"Checkout effort" user:acct_1 id:41 attempts:>2 latency:>500ms since:yesterday until:2026-11-23
    arrived:monday..friday, sent:2h, and free text; -word for 'not this', OR and parentheses, @name for a filter of
    [filters] in the config; sprig-tui help filters has them all. Enter keeps the filter, escape leaves it as it was;
    tab completes, up and down bring earlier filters back.
    """

    id = "filter"
    key = "slash"
    label = "filter"
    title = "Filter the deliveries"
    scope = "deliveries"


class SaveFilter(Command):
    """Save the filter under a name, in [filters] of the config: @name then stands for it, also in commands.

    The same key saves what you type in the line of the filter.
    """

    id = "save-filter"
    key = "ctrl+s"
    label = "save filter"
    title = "Save the filter under a name"
    scope = "deliveries"
    needs = "config"
    in_bar = False


class Clear(Command):
    """Take the marks away; with no marks, the filter."""

    id = "clear-filter"
    key = "escape"
    label = "clear"
    title = "Clear marks, then the filter"
    scope = "deliveries"
    in_bar = False


class ShowDetail(Command):
    """Show everything about the delivery: each attempt with Segment's response, the exact call, and what came in."""

    id = "delivery-detail"
    key = "enter"
    label = "detail"
    title = "Show the delivery in full"
    scope = "deliveries"


class Replay(Command):
    """Queue the marked deliveries, or the selected one, again under the same message id.

    Harmless where it arrived already: Segment drops an id that it has seen within about 24 hours. More than one, or one
    that was delivered, asks first; a protected environment asks for its name.
    """

    id = "replay"
    key = "r"
    label = "replay"
    title = "Replay the selected or marked deliveries"
    scope = "deliveries"
    needs = "sending"
    acts_unasked = True


class ReplayMatching(Command):
    """Queue everything that the filter matches again, counted and asked first.

    It runs as a job behind live traffic, with its progress under the log: P pauses and resumes it, x cancels it.
    """

    id = "replay-filter"
    key = "R"
    label = "replay filter"
    title = "Replay everything the filter matches"
    scope = "deliveries"
    needs = "sending"


class SendAsNew(Command):
    """Send the marked deliveries, or the selected one, again under new message ids.

    Segment takes each as another event, so it may count twice downstream. Always asks first.
    """

    id = "send-as-new"
    key = "w"
    label = "as new"
    title = "Send the selected or marked deliveries as new"
    scope = "deliveries"
    needs = "sending"
    in_bar = False


class SendMatchingAsNew(Command):
    """Send everything that the filter matches again under new message ids; always asks first."""

    id = "send-filter-as-new"
    key = "W"
    label = "filter as new"
    title = "Send everything the filter matches as new"
    scope = "deliveries"
    needs = "sending"
    in_bar = False


class Withdraw(Command):
    """Take the marked deliveries, or the selected one, back before they are sent; counted and asked first.

    Only what is queued and on no wire: it becomes withheld as withdrawn, and a replay of reason:withdrawn queues it
    again. It goes step by step while the log stays in use; x stops it, and the rest stays queued.
    """

    id = "withdraw"
    key = "b"
    label = "withdraw"
    title = "Withdraw the selected or marked deliveries"
    scope = "deliveries"
    needs = "sending"


class WithdrawMatching(Command):
    """Take everything that the filter matches and that is queued back before it is sent; counted and asked first."""

    id = "withdraw-filter"
    key = "B"
    label = "withdraw filter"
    title = "Withdraw what the filter matches"
    scope = "deliveries"
    needs = "sending"
    in_bar = False


class Forget(Command):
    """Forget the persons of the marked deliveries, or of the selected one: what stands under their User ID is removed.

    Counts what holds them first, and always asks. Later answers of theirs are withheld as forgotten; what is removed
    cannot be brought back. sprig-tui forget does the same by User ID, e-mail address or visitor id.
    """

    id = "forget"
    key = "D"
    label = "forget person"
    title = "Forget the person of the selected or marked deliveries"
    scope = "deliveries"
    needs = "sending"
    in_bar = False


class PauseReplay(Command):
    """Pause the replay of a filter, or resume it; what it queued already stays queued."""

    id = "pause-replay"
    key = "P"
    label = "pause replay"
    title = "Pause or resume the bulk replay"
    scope = "deliveries"
    needs = "sending"
    acts_unasked = True
    in_bar = False


class Cancel(Command):
    """Cancel the export or the withdrawal that runs, else the bulk replay; what they did by then stays done."""

    id = "cancel-job"
    key = "x"
    label = "cancel job"
    title = "Cancel the export, the withdrawal or the bulk replay"
    scope = "deliveries"
    acts_unasked = True
    in_bar = False


class Mark(Command):
    """Mark the delivery, or take its mark away, and go on to the next."""

    id = "mark"
    key = "space"
    label = "mark"
    title = "Mark or unmark the delivery"
    scope = "deliveries"


class NextFailed(Command):
    """Go to the next failed delivery that the filter shows, towards the newest."""

    id = "next-failed"
    key = "n"
    label = "failed"
    title = "Next failed delivery"
    scope = "deliveries"


class PreviousFailed(Command):
    """Go to the failed delivery before, towards the oldest."""

    id = "previous-failed"
    key = "N"
    label = "failed before"
    title = "Previous failed delivery"
    scope = "deliveries"
    in_bar = False


class Follow(Command):
    """Go to the newest delivery and stay with it as more arrive; again, stay where you are."""

    id = "follow"
    key = "f"
    label = "follow"
    title = "Follow the newest delivery"
    scope = "deliveries"


class Insight(Command):
    """What the journal holds as bars and plots: over time, by survey, environment, reason, failure and endpoint.

    It shows how fast deliveries go, and which surveys have anonymous answers. Enter on a bar filters the
    log by it.
    """

    id = "insight"
    key = "I"
    label = "insight"
    title = "Insight: the journal as bars and plots"
    scope = "deliveries"
    namespace = "screen"
    on_main_screen = True
    in_bar = False


class Export(Command):
    """Write everything that the filter matches to a file: .jsonl for programs, .csv for spreadsheets.

    The file appears when it is complete; an existing one is replaced only after asking.
    """

    id = "export"
    key = "e"
    label = "export"
    title = "Export what the filter matches"
    scope = "deliveries"
    needs = "machine"


class CopyDelivery(Command):
    """Copy the selected delivery as one line of JSON."""

    id = "copy-delivery"
    key = "y"
    label = "copy"
    title = "Copy the delivery as JSON"
    scope = "deliveries"
    in_bar = False


class ChooseColumns(Command):
    """Choose the columns of the log, their order and their widths. A click on the titles of the columns does it too."""

    id = "choose-columns"
    key = "vertical_line"
    label = "columns"
    title = "Choose the columns of the log"
    scope = "deliveries"
    in_bar = False


class ExplainDelivery(Command):
    """Why the selected delivery is, or is not, where it should be, from here to each destination in Segment."""

    id = "explain-delivery"
    key = "E"
    label = "explain"
    title = "Explain where the selected delivery is"
    scope = "deliveries"
    in_bar = False


COMMANDS = (
    Filter,
    ShowDetail,
    Replay,
    ReplayMatching,
    Mark,
    NextFailed,
    Follow,
    Insight,
    Export,
    PreviousFailed,
    SendAsNew,
    SendMatchingAsNew,
    Withdraw,
    WithdrawMatching,
    Forget,
    PauseReplay,
    Cancel,
    ExplainDelivery,
    CopyDelivery,
    ChooseColumns,
    SaveFilter,
    Clear,
)
