"""The command of pulling; it stands among those of the Environments pane."""

from __future__ import annotations

from sprig_tui.console.commands import Command


class PullAnswers(Command):
    """Read new answers of the selected environment from Sprig's REST API, and send them.

    Asks first; a protected environment asks for its name. The first pull reads everything, later ones what is new and
    an hour before it; nothing is sent twice. Escape stops it, and the next pull goes on there. Without a key of Sprig's
    API it asks for one.
    """

    id = "pull-answers"
    key = "u"
    label = "pull"
    title = "Pull new answers from Sprig"
    scope = "environments"
    needs = "sending"
    on_main_screen = True
    in_bar = False
