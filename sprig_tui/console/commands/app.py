"""Commands of the whole console."""

from __future__ import annotations

from sprig_tui.console.commands.base import Command


class FocusEnvironments(Command):
    """Go to the Environments pane."""

    id = "focus-environments"
    key = "1"
    label = "environments"
    title = "Go to Environments"
    scope = "console"
    in_bar = False


class FocusPayload(Command):
    """Go to the Payload pane."""

    id = "focus-payload"
    key = "2"
    label = "payload"
    title = "Go to Payload"
    scope = "console"
    in_bar = False


class FocusDeliveries(Command):
    """Go to the Deliveries pane."""

    id = "focus-deliveries"
    key = "3"
    label = "deliveries"
    title = "Go to Deliveries"
    scope = "console"
    in_bar = False


class Zoom(Command):
    """Give the focused pane the whole screen; again, or escape, puts it back."""

    id = "zoom"
    key = "z"
    label = "zoom"
    title = "Zoom the pane"
    scope = "console"
    in_bar = False


class GrowPane(Command):
    """Make the focused pane larger; the mouse drags the borders. The sizes are kept for the next start."""

    id = "grow-pane"
    key = "plus"
    label = "larger"
    title = "Make the pane larger"
    scope = "console"
    in_bar = False


class ShrinkPane(Command):
    """Make the focused pane smaller."""

    id = "shrink-pane"
    key = "minus"
    label = "smaller"
    title = "Make the pane smaller"
    scope = "console"
    in_bar = False


class ResetPanes(Command):
    """Give all panes their usual sizes; a double click on a border does the same for the panes beside it."""

    id = "reset-panes"
    key = "0"
    label = "usual sizes"
    title = "Give the panes their usual sizes"
    scope = "console"
    in_bar = False


class ShowWorkers(Command):
    """The live workers on every machine that shares the journal: since when, how fast, and what they hold."""

    id = "show-workers"
    key = "L"
    label = "workers"
    title = "Show the live workers"
    scope = "console"
    in_bar = False


class ShowNotices(Command):
    """The notices of this console so far, the newest first: to read again what went from the corner."""

    id = "show-notices"
    key = "at"
    label = "notices"
    title = "Read the notices again"
    scope = "console"
    in_bar = False


class BeginJournal(Command):
    """Begin a new journal where the old one was moved or deleted while the console was open."""

    id = "begin-journal"
    key = "J"
    label = "new journal"
    title = "Begin a new journal after the old one was lost"
    scope = "console"
    acts_unasked = True
    in_bar = False


class Topics(Command):
    """The topics of the documentation, with a search over all of them; the topic about where you are comes first."""

    id = "topics"
    key = "f3"
    label = "topics"
    title = "Read the help topics"
    scope = "console"
    in_bar = False


class Help(Command):
    """The keys of where you are, and what they do; t there opens the topic."""

    id = "help"
    key = "question_mark,f1"
    label = "help"
    title = "Help for the focused pane"
    scope = "console"


class Palette(Command):
    """Find any command by its name."""

    id = "palette"
    key = "ctrl+p"
    label = "palette"
    title = "Find a command"
    scope = "console"
    in_palette = False
    priority = True

    @classmethod
    def action(cls) -> str:
        """Textual's own."""
        return "command_palette"


class CommandLine(Command):
    """Type a command by its name, such as replay-filter, a record's number in the open file, or a saved @filter.

    Tab completes, up and down bring earlier ones back; the beginning of a name is enough where only one begins so.
    """

    id = "command-line"
    key = "colon"
    label = "command"
    title = "Type a command or the number of a record"
    scope = "console"
    in_bar = False
    in_palette = False


class Suspend(Command):
    """Go back to the shell that the console was started from; `fg` there comes back. Nothing is sent meanwhile."""

    id = "suspend"
    key = "ctrl+z"
    label = "suspend"
    title = "Suspend, back to the shell"
    scope = "console"
    needs = "machine"
    in_bar = False
    priority = True


class Quit(Command):
    """Leave (ctrl+q works while typing too). Requests in flight get a moment to finish, unless asked twice.

    What is queued stays queued: the next console, or `sprig-tui run`, goes on with it.
    """

    id = "leave"
    key = "q"
    label = "quit"
    title = "Quit"
    scope = "console"
    in_bar = False


COMMANDS = (
    FocusEnvironments,
    FocusPayload,
    FocusDeliveries,
    Zoom,
    GrowPane,
    ShrinkPane,
    ResetPanes,
    ShowWorkers,
    ShowNotices,
    BeginJournal,
    Topics,
    Help,
    Palette,
    CommandLine,
    Suspend,
    Quit,
)
PANE_ACTIONS = frozenset(
    command.action()
    for command in (FocusEnvironments, FocusPayload, FocusDeliveries, Zoom, GrowPane, ShrinkPane, ResetPanes)
)
"""Actions about the panes, which are hidden behind other screens."""
