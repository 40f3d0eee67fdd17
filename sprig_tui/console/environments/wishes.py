"""What each wish of the Environments pane leads to; the flows themselves are loaded with the first wish."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, TypeAlias

from sprig_tui.console.environments.pane import EnvironmentPane

if TYPE_CHECKING:
    from sprig_tui.console.environments.actions import EnvironmentActions

Flow: TypeAlias = "Callable[[EnvironmentActions, str], Coroutine[None, None, None]]"

MESSAGE_FLOWS: dict[type[EnvironmentPane.EnvironmentMessage], Flow] = {
    EnvironmentPane.KeyAddRequested: lambda flows, name: flows.add_key(name),
    EnvironmentPane.KeyRemoveRequested: lambda flows, name: flows.remove_key(name),
    EnvironmentPane.TestEventRequested: lambda flows, name: flows.test_event(name),
    EnvironmentPane.PauseRequested: lambda flows, name: flows.set_lane(name, paused=True),
    EnvironmentPane.ResumeRequested: lambda flows, name: flows.set_lane(name, paused=False),
    EnvironmentPane.EditRequested: lambda flows, name: flows.edit(name),
    EnvironmentPane.RemoveRequested: lambda flows, name: flows.remove(name),
}
"""By message; called with the flows and the name of the environment."""
