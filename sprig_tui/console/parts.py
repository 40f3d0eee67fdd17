"""Parts of the console that are made when they are first needed: the first paint does not wait for their code."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sprig_tui.console.notices import tell, warn

if TYPE_CHECKING:
    from textual.app import App

    from sprig_tui.config.settings import Settings
    from sprig_tui.console.clipboard import Clipboard
    from sprig_tui.console.core import Core
    from sprig_tui.console.environments.config_desk import ConfigDesk
    from sprig_tui.console.environments.flows import EnvironmentFlows
    from sprig_tui.console.pulling.flows import PullFlows
    from sprig_tui.console.sending.flows import SendFlows


class Parts:
    """`reloaded` hears of other settings."""

    def __init__(self, app: App[Any], core: Core, reloaded: Callable[[Settings], Coroutine[None, None, None]]) -> None:
        self._app = app
        self._core = core
        self._reloaded = reloaded

    @cached_property
    def desk(self) -> ConfigDesk:
        """Reads and changes the config."""
        from sprig_tui.console.environments.config_desk import ConfigDesk

        return ConfigDesk(self._core, self._reloaded)

    @cached_property
    def flows(self) -> EnvironmentFlows:
        """What the Environments pane's wishes lead to."""
        from sprig_tui.console.environments.flows import EnvironmentFlows

        return EnvironmentFlows(self._app, self._core, self.desk)

    @cached_property
    def sending(self) -> SendFlows:
        """What the Payload pane's wishes lead to."""
        from sprig_tui.console.sending.flows import SendFlows

        return SendFlows(self._app, self._core)

    @cached_property
    def pulling(self) -> PullFlows:
        """Reads new answers from Sprig."""
        from sprig_tui.console.pulling.flows import PullFlows

        return PullFlows(self._app, self._core, self.desk)

    @cached_property
    def copier(self) -> Clipboard:
        """Copies by the route that works."""
        from sprig_tui.console.clipboard import Clipboard

        return Clipboard(self._core.sources.paths.state_dir, self._app.copy_to_clipboard)

    async def copy(self, text: str, what: str) -> None:
        """Put a text on the clipboard, and say which way it went."""
        outcome = await self.copier.copy(text)
        (tell if outcome.route else warn)(self._app, outcome.message(what))
