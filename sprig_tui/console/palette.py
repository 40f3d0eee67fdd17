"""Every command by its name, in Textual's palette: those of the focused pane first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol, runtime_checkable

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from sprig_tui.console.commands import SCOPE_TITLES, Command


@runtime_checkable
class CommandProviderScreen(Protocol):
    """A screen whose commands the palette shows."""

    def offered_commands(self) -> Sequence[type[Command]]:
        """Those that can be used now, the nearest first."""
        ...

    async def run_command(self, command: type[Command]) -> None:
        """Do it, or say why not."""
        ...


class CommandPaletteProvider(Provider):
    """Gives the palette the commands of the screen under it."""

    def _offered(self) -> list[tuple[str, type[Command], Callable[[], Awaitable[None]]]]:
        screen: object = self.screen
        if not isinstance(screen, CommandProviderScreen):
            return []
        return [
            (f"{SCOPE_TITLES[command.scope]}: {command.title}", command, partial(screen.run_command, command))
            for command in screen.offered_commands()
            if command.in_palette
        ]

    async def discover(self) -> Hits:
        """Everything, before anything is typed."""
        for title, command, run in self._offered():
            yield DiscoveryHit(Content(title), run, text=title, help=command.summary())

    async def search(self, query: str) -> Hits:
        """What matches."""
        matcher = self.matcher(query)
        for title, command, run in self._offered():
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, matcher.highlight(title), run, text=title, help=command.summary())
