"""The commands of the Environments pane."""

from __future__ import annotations

from sprig_tui.console.commands.base import Command


class EnvironmentCommand(Command):
    """Base of the pane's commands."""

    scope = "environments"


class ScreenCommand(EnvironmentCommand):
    """Base of those that act on other panes too: the main screen runs them."""

    namespace = "screen"


class PullAnswers(ScreenCommand):
    """Read new answers of the selected environment from Sprig's REST API, and send them.

    Asks first; a protected environment asks for its name. The first pull reads everything, later ones what is new and
    an hour before it; nothing is sent twice. Escape stops it, and the next pull resumes there. Without a key of Sprig's
    API it asks for one.
    """

    id = "pull-answers"
    key = "u"
    label = "pull"
    title = "Pull new answers from Sprig"
    needs = "sending"
    on_main_screen = True
    in_bar = False


class AddKey(EnvironmentCommand):
    """Add the Write Key of the selected environment, or replace it.

    The key is typed or pasted into a masked field. Stray spaces, quotes and the like are taken off and named; what is
    no key is refused. It is saved to the config at once. With a token of Segment's Public API the workspace's sources
    are offered by name first.
    """

    id = "add-key"
    key = "a"
    label = "add key"
    title = "Add or replace the write key"
    needs = "config"
    on_main_screen = True


class TestEvent(EnvironmentCommand):
    """Send a test event to the selected environment, to see it arrive in Segment.

    It is a track call of its own, named `sprig-tui test event`. Segment answers 200 to a wrong key too, so afterwards
    the console says what to look for in the source's debugger. Asks first where the environment is protected.
    """

    id = "test-event"
    key = "t"
    label = "test"
    title = "Send a test event"
    needs = "sending"
    acts_unasked = True
    on_main_screen = True


class Reconcile(ScreenCommand):
    """Compare what was delivered with what Segment counted, for each environment and by the hour.

    Segment's 200 says taken, not arrived. It asks Segment's Public API, with the token of `sprig-tui keys workspace`;
    it opens at the selected environment.
    """

    id = "reconcile"
    key = "c"
    label = "counts"
    title = "Reconcile with Segment's counts"
    on_main_screen = True


class SetUp(ScreenCommand):
    """What the selected environment still needs until its first answer is counted by Segment, step by step.

    A first start opens it by itself. Each step says what was found and what to do next, and enter does it.
    """

    id = "set-up"
    key = "i"
    label = "set-up"
    title = "Set-up: what is done, and what is next"
    on_main_screen = True


class PauseOrResume(EnvironmentCommand):
    """Hold the queue of the selected environment, or resume it.

    Nothing is sent by any process on this journal while it is held; answers are still taken in. It asks why, and who,
    when and why are shown to everybody. To resume a queue counts it and asks first; a protected environment asks for
    its name. On a lane that waits or is paused over a rejected key, it retries at once.
    """

    id = "pause-or-resume"
    key = "p"
    label = "hold"
    title = "Hold the queue, or resume it"
    needs = "sending"
    acts_unasked = True


class Hold(EnvironmentCommand):
    """Hold the queue of the selected environment also where it waits or is paused; on a held one, change the reason."""

    id = "hold"
    key = "P"
    label = "hold"
    title = "Hold the queue, whatever its state"
    needs = "sending"
    in_bar = False


class ShowQueue(ScreenCommand):
    """Show what is held or queued for the selected environment in the log, to mark it, withdraw it or read it."""

    id = "show-queue"
    key = "w"
    label = "queue"
    title = "Show what is held or queued"


class RevealKey(EnvironmentCommand):
    """Show the whole Write Key of the selected environment for five seconds; again, or escape, hides it."""

    id = "reveal-key"
    key = "v"
    label = "reveal"
    title = "Show the write key for five seconds"
    needs = "machine"


class EditEnvironment(EnvironmentCommand):
    """Change region or address, requests per second, protection, and the Sprig environment id.

    Saved to the config at once; deliveries continue with the new settings.
    """

    id = "edit-environment"
    key = "e"
    label = "edit"
    title = "Edit the environment"
    needs = "config"


class NewEnvironment(EnvironmentCommand):
    """Add an environment beside Production and Development, such as `staging-eu`.

    Its name becomes part of every message id, so it cannot be changed later.
    """

    id = "new-environment"
    key = "n"
    label = "new"
    title = "Add an environment"
    needs = "config"


class RotateKey(EnvironmentCommand):
    """Switch the selected environment to a new Write Key of the same source, without a gap.

    With a token of Segment's Public API the new key is made there; or you make it in Segment and paste it. What happens
    is shown first, and a protected environment asks for its name. What is queued goes out with the new key. The old key
    works until you remove it in Segment.
    """

    id = "rotate-key"
    key = "r"
    label = "rotate key"
    title = "Rotate the write key"
    needs = "config"
    in_bar = False


class RemoveKey(EnvironmentCommand):
    """Take the Write Key of the selected environment out of the config.

    Asks first; a protected environment asks for its name. What is queued stays queued until there is a key again.
    """

    id = "remove-key"
    key = "x"
    label = "remove key"
    title = "Remove the write key"
    needs = "config"
    in_bar = False


class RemoveEnvironment(EnvironmentCommand):
    """Take the selected environment out of the config, key and all.

    Asks first. Production and Development always exist: they go back to how they came. Deliveries stay in the journal.
    """

    id = "remove-environment"
    key = "X"
    label = "remove"
    title = "Remove the environment"
    needs = "config"
    in_bar = False


COMMANDS = (
    AddKey,
    TestEvent,
    Reconcile,
    SetUp,
    PullAnswers,
    PauseOrResume,
    Hold,
    ShowQueue,
    RevealKey,
    EditEnvironment,
    NewEnvironment,
    RotateKey,
    RemoveKey,
    RemoveEnvironment,
)
