"""Commands of the set-up screen."""

from __future__ import annotations

from sprig_tui.console.commands.base import Command


class CloseSetup(Command):
    """Back to the panes. What Segment is being asked is left; the set-up comes back by its key."""

    id = "close-setup"
    key = "escape,q"
    label = "back"
    title = "Back to the panes"
    scope = "setup"
    in_palette = False


class DoStep(Command):
    """Do what the chosen step needs next: a question opens, or it says what to run and to click."""

    id = "do-step"
    key = "enter"
    label = "do it"
    title = "Do what this step needs next"
    scope = "setup"


class OtherWays(Command):
    """List everything that can be done for the chosen step, such as to paste a key instead of choosing a source."""

    id = "other-ways"
    key = "o"
    label = "other ways"
    title = "Everything that can be done for this step"
    scope = "setup"


class NextSetupEnvironment(Command):
    """Show the checklist of the next environment."""

    id = "next-setup-environment"
    key = "right_square_bracket"
    label = "environment"
    title = "Checklist of the next environment"
    scope = "setup"


class PreviousSetupEnvironment(Command):
    """Show the checklist of the environment before this one."""

    id = "previous-setup-environment"
    key = "left_square_bracket"
    label = "environment back"
    title = "Checklist of the environment before this one"
    scope = "setup"
    in_bar = False


class CheckSetup(Command):
    """Check everything again, and ask Segment where there is a token of its Public API."""

    id = "check-setup"
    key = "r"
    label = "check"
    title = "Check the set-up again"
    scope = "setup"


class CopySetupCommand(Command):
    """Copy the command line that does the same in a shell."""

    id = "copy-setup-command"
    key = "y"
    label = "copy"
    title = "Copy the command line of this step"
    scope = "setup"


class NotAtStart(Command):
    """Do not open the set-up automatically any more. Its key still opens it."""

    id = "not-at-start"
    key = "n"
    label = "not at start"
    title = "Do not open the set-up at the start"
    scope = "setup"
    in_bar = False


COMMANDS = (
    CloseSetup,
    DoStep,
    OtherWays,
    NextSetupEnvironment,
    PreviousSetupEnvironment,
    CheckSetup,
    CopySetupCommand,
    NotAtStart,
)
"""The one that leaves the screen is the first."""
