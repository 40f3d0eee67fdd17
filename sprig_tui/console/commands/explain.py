"""Commands of the screen that explains a delivery."""

from __future__ import annotations

from sprig_tui.console.commands.base import Command


class CloseExplanation(Command):
    """Back, also while Segment is being asked: nothing more is asked then."""

    id = "close-explanation"
    key = "escape,q"
    label = "back"
    title = "Back to where you were"
    scope = "explain"
    in_palette = False


class CheckFilters(Command):
    """Send the payload to Segment's Public API, which runs the filters of each destination on it; always asks first.

    Nothing is delivered by it. Without this the payload stays here, and the filters are not known.
    """

    id = "check-filters"
    key = "f"
    label = "check filters"
    title = "Run the destinations' filters on this payload"
    scope = "explain"
    needs = "sending"


class ExplainAgain(Command):
    """Ask again, line by line."""

    id = "explain-again"
    key = "r"
    label = "ask again"
    title = "Explain it again"
    scope = "explain"


class CopyExplanation(Command):
    """Copy all lines as text, to send them to somebody."""

    id = "copy-explanation"
    key = "y"
    label = "copy"
    title = "Copy the explanation"
    scope = "explain"


COMMANDS = (CloseExplanation, CheckFilters, ExplainAgain, CopyExplanation)
"""The one that leaves the screen is the first."""
