"""Parts of the console that are made when they are first needed: the first paint does not wait for their code."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sprig_tui.console.notify import notify, notify_warning

if TYPE_CHECKING:
    from textual.app import App

    from sprig_tui.config.settings import Settings
    from sprig_tui.console.clipboard import Clipboard
    from sprig_tui.console.environments.actions import EnvironmentActions
    from sprig_tui.console.environments.config_editor import ConfigEditor
    from sprig_tui.console.pulling import PullActions
    from sprig_tui.console.sending import SendActions
    from sprig_tui.console.session import Session


class Services:
    """`reloaded` hears of other settings."""

    def __init__(
        self, app: App[Any], session: Session, on_reload: Callable[[Settings], Coroutine[None, None, None]]
    ) -> None:
        self._app = app
        self._session = session
        self._on_reload = on_reload

    @cached_property
    def config_editor(self) -> ConfigEditor:
        """Reads and changes the config."""
        from sprig_tui.console.environments.config_editor import ConfigEditor

        return ConfigEditor(self._session, self._on_reload)

    @cached_property
    def environment_actions(self) -> EnvironmentActions:
        """What the Environments pane's wishes lead to."""
        from sprig_tui.console.environments.actions import EnvironmentActions

        return EnvironmentActions(self._app, self._session, self.config_editor)

    @cached_property
    def send_actions(self) -> SendActions:
        """What the Payload pane's wishes lead to."""
        from sprig_tui.console.sending import SendActions

        return SendActions(self._app, self._session)

    @cached_property
    def pull_actions(self) -> PullActions:
        """Reads new answers from Sprig."""
        from sprig_tui.console.pulling import PullActions

        return PullActions(self._app, self._session, self.config_editor)

    @cached_property
    def clipboard(self) -> Clipboard:
        """Copies by the route that works."""
        from sprig_tui.console.clipboard import Clipboard

        return Clipboard(self._session.dependencies.paths.state_dir, self._app.copy_to_clipboard)

    async def copy(self, text: str, what: str) -> None:
        """Put a text on the clipboard, and say which way it went."""
        outcome = await self.clipboard.copy(text)
        (notify if outcome.route else notify_warning)(self._app, outcome.message(what))
