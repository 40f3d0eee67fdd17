"""Commands of the insight screen."""

from __future__ import annotations

from sprig_tui.console.commands.base import Command


class CloseInsight(Command):
    """Back to the panes. The grouping, hours or days and the environment are kept for the next time."""

    id = "close-insight"
    key = "escape,q"
    label = "back"
    title = "Back to the panes"
    scope = "insight"
    in_palette = False


class FilterByBar(Command):
    """Close the screen, and show the deliveries of the chosen bar in the log."""

    id = "filter-by-bar"
    key = "enter"
    label = "filter"
    title = "Filter the log by this bar"
    scope = "insight"


class NextGrouping(Command):
    """Group the deliveries in the next way; tab does the same, and a click on its name."""

    id = "next-grouping"
    key = "right_square_bracket"
    label = "next"
    title = "Group the deliveries in the next way"
    scope = "insight"


class PreviousGrouping(Command):
    """Group the deliveries in the way before this one; shift+tab does the same."""

    id = "previous-grouping"
    key = "left_square_bracket"
    label = "previous"
    title = "Group the deliveries in the way before this one"
    scope = "insight"
    in_bar = False


class HoursOrDays(Command):
    """Count by the day, over the last 30 days; again, by the hour, over the last 48 hours."""

    id = "hours-or-days"
    key = "d"
    label = "hours/days"
    title = "Count by the hour or by the day"
    scope = "insight"


class NextInsightEnvironment(Command):
    """Count the deliveries of the next environment alone; after the last one, of all environments."""

    id = "next-insight-environment"
    key = "e"
    label = "environment"
    title = "Count the next environment alone"
    scope = "insight"


COMMANDS = (CloseInsight, FilterByBar, NextGrouping, PreviousGrouping, HoursOrDays, NextInsightEnvironment)
"""The one that leaves the screen is the first."""
