"""Choosing a Write Key by its source: the list, and a question where the source says another environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sprig_tui.console.dialogs import Confirm

if TYPE_CHECKING:
    from textual.app import App

    from sprig_tui.console.core import Session

PASTE: Final = "paste"
"""In place of a key: ask for one. No key is so short."""


async def pick_key(app: App[Any], session: Session, environment: str) -> str | None:
    """The key of the source that the person chose, PASTE to ask for one, None to leave it.

    Nothing is offered, and a key is to be pasted, where the workspace cannot be asked: without a token.
    """
    list_sources = session.dependencies.list_sources
    if list_sources is None or session.settings.workspace.token is None:
        return PASTE
    # loaded here, since most consoles do without
    from sprig_tui.console.environments.source_form import SourceForm

    settings = session.settings
    while True:
        choice = await app.push_screen_wait(
            SourceForm(environment, settings.environments, lambda: list_sources(settings))
        )
        if choice is None or choice == PASTE:
            return choice
        key = choice.source.write_keys[0]
        doubts = [f"- {doubt}" for doubt in choice.mismatches]
        doubts += [
            f"- {name} has the same key"
            for name, other in settings.environments.items()
            if name != environment and other.write_key is not None and other.write_key.reveal() == key
        ]
        if not doubts:
            return key
        question = f"Take {choice.source.name} for {environment}?"
        if await app.push_screen_wait(Confirm(question, "\n".join(doubts), yes="Take it")):
            return key
