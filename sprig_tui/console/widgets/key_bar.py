"""Key bar: the keys of the focused widget in one line; a single widget, since one per key would slow down focus."""

from __future__ import annotations

from typing import NamedTuple

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.dom import DOMNode
from textual.screen import Screen
from textual.widget import Widget

from sprig_tui.console.theme import DISABLED, MUTED

GAP_CELLS = 2


class KeyHint(NamedTuple):
    """Key on the bar."""

    key: str
    label: str
    enabled: bool
    action: str
    node: DOMNode | None

    @property
    def cells(self) -> int:
        """Width in cells, including the gap after it."""
        return cell_len(self.key) + 1 + cell_len(self.label) + GAP_CELLS


def fit_hints(hints: list[KeyHint], width: int, last: int) -> list[KeyHint]:
    """The hints that fit; the `last` ones (help, palette) always stay."""
    kept, always = hints[: len(hints) - last], hints[len(hints) - last :]
    room = width - sum(hint.cells for hint in always) - 1
    shown: list[KeyHint] = []
    for hint in kept:
        room -= hint.cells
        if room < 0:
            break
        shown.append(hint)
    return [*shown, *always]


class KeyBar(Widget):
    """Shows the active bindings, each command once; a click does what the key does."""

    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own word
        super().__init__(id=id)
        self._shown: list[KeyHint] = []

    def on_mount(self) -> None:
        """Follow the focus."""
        self.screen.bindings_updated_signal.subscribe(self, self._update)

    def _update(self, screen: Screen[object]) -> None:
        hints = self._hints(screen)
        if hints != self._shown:
            self._shown = hints
            self.refresh()

    def on_resize(self) -> None:
        self._update(self.screen)

    def _hints(self, screen: Screen[object]) -> list[KeyHint]:
        hints: dict[str, KeyHint] = {}
        own: set[str] = set()
        for active in screen.active_bindings.values():
            binding = active.binding
            name = binding.id or binding.action
            if binding.show and name not in hints:
                key = self.app.get_key_display(binding)
                hints[name] = KeyHint(key, binding.description, active.enabled, binding.action, active.node)
                if active.node is self.app:
                    own.add(name)
        ordered = [hint for name, hint in hints.items() if name not in own]
        ordered += [hint for name, hint in hints.items() if name in own]
        return fit_hints(ordered, self.size.width, len(own))

    def render(self) -> Content:
        pieces: list[str | tuple[str, str]] = [" "]
        for hint in self._shown:
            pieces.append((hint.key, "bold $text-accent" if hint.enabled else DISABLED))
            pieces.append((f" {hint.label}", MUTED if hint.enabled else DISABLED))
            pieces.append(" " * GAP_CELLS)
        return Content.assemble(*pieces)

    async def on_click(self, event: events.Click) -> None:
        """Do what the key under the pointer does."""
        at = 1
        for hint in self._shown:
            if at <= event.x < at + hint.cells - GAP_CELLS:
                event.stop()
                await self.app.run_action(hint.action, hint.node)
                return
            at += hint.cells
