"""Commands of the reconcile screen."""

from __future__ import annotations

from sprig_tui.console.commands.base import Command


class CloseReconcile(Command):
    """Stop asking; with nothing asked, back to the panes."""

    id = "close-reconcile"
    key = "escape,q"
    label = "back"
    title = "Back to the panes"
    scope = "reconcile"
    in_palette = False


class AskAgain(Command):
    """Ask Segment again. It costs a few requests to its Public API, and none of it waits for the answer."""

    id = "ask-again"
    key = "r"
    label = "ask"
    title = "Ask Segment for its counts again"
    scope = "reconcile"


class NextRange(Command):
    """Compare another range of time: the last 4 hours, 24 hours, 14 days or 30 days."""

    id = "next-range"
    key = "t"
    label = "range"
    title = "Compare another range of time"
    scope = "reconcile"


class PreviousRange(Command):
    """Compare the range of time before this one."""

    id = "previous-range"
    key = "T"
    label = "range back"
    title = "Compare the range of time before this one"
    scope = "reconcile"
    in_bar = False


class NextShort(Command):
    """Go to the next short time of the environment; after the last one, to the first."""

    id = "next-short"
    key = "n"
    label = "short"
    title = "Go to the next short time"
    scope = "reconcile"


class ShowShort(Command):
    """Show the deliveries of the chosen time in the log."""

    id = "show-short"
    key = "enter"
    label = "show"
    title = "Show the deliveries of this time"
    scope = "reconcile"


class ReplayShort(Command):
    """Send what was delivered in the short times of the environment again, under the same ids; counted and asked first.

    Segment drops what it has, within about 24 hours of its first arrival. Past that it would count it twice, and the
    question says so.
    """

    id = "replay-short"
    key = "R"
    label = "send again"
    title = "Send the short ones again"
    scope = "reconcile"
    needs = "sending"


COMMANDS = (CloseReconcile, ShowShort, ReplayShort, NextShort, AskAgain, NextRange, PreviousRange)
"""The one that leaves the screen is the first."""
