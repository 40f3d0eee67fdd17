"""Environments pane: one block per environment, and warnings."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, cast

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.timer import Timer

from sprig_tui.console.commands.base import HasCommands, bindings
from sprig_tui.console.commands.environments import COMMANDS, AddKey, RemoveKey, RevealKey, RotateKey, TestEvent
from sprig_tui.console.environments.lines import PaneLine, pane_lines
from sprig_tui.console.environments.status import EnvironmentView
from sprig_tui.console.widgets.line import Line
from sprig_tui.console.widgets.line_list import LineList

if TYPE_CHECKING:
    from sprig_tui.console.console_app import ConsoleApp
    from sprig_tui.console.environments.actions import EnvironmentActions
    from sprig_tui.console.session import Session

_NEED_KEY = frozenset(command.action() for command in (RevealKey, RemoveKey, RotateKey, TestEvent))
REVEAL_S = 5.0
"""Seconds that an unmasked key stays on the screen."""


class EnvironmentPane(HasCommands, LineList):
    """Shows `environments`. Commands act on `selected`, and payloads without an environment are sent to it."""

    HELP = (
        "Each environment is one source in Segment, with its own Write Key. Segment answers 200 to a wrong key as well,"
        " so nothing here ever says that a key is right: send a test event and look for it in the source's debugger."
    )
    COMMAND_CLASSES = COMMANDS
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(COMMANDS),
        Binding("escape", "hide_key", show=False),
    ]
    BORDER_TITLE = "Environments"

    environments: reactive[tuple[EnvironmentView, ...]] = reactive((), repaint=False)
    """Immutable; assign a new tuple when something changed."""
    warnings: reactive[tuple[str, ...]] = reactive((), repaint=False)
    """Warnings about the config, the journal and the payload in view."""
    selected: reactive[str] = reactive("", repaint=False)

    class EnvironmentSelected(Message):
        """Another environment was selected."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, session: Session) -> None:
        super().__init__(id="environments", classes="pane")
        self._session = session
        self._lines: list[PaneLine] = []
        self._laid_out = False
        self._laying_out = False
        self._height = 0
        """Height that the lines are for."""
        self._revealed = ""
        self._hide_timer: Timer | None = None

    # -- what is shown -------------------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        """Lay out before the first paint, which comes before the first resize event."""
        if not self._laid_out:
            self._lay_out_lines()
        return super().render_line(y)

    def line(self, index: int) -> Line | None:
        return self._lines[index].parts if index < len(self._lines) else ()

    def watch_environments(self) -> None:
        """Select the first environment where the selected one is gone."""
        names = [view.name for view in self.environments]
        if names and self.selected not in names:
            self.selected = names[0]
        self._lay_out_lines()

    def watch_warnings(self) -> None:
        self._lay_out_lines()

    def watch_selected(self, before: str, now: str) -> None:
        """Hide a shown key, and post the selection."""
        self.hide_key()
        self._lay_out_lines()
        self._cursor_to_selected()
        if before != now and now:
            self.post_message(self.EnvironmentSelected(now))

    def on_resize(self) -> None:
        """Lay out for the new size and keep the selected environment in view."""
        self._lay_out_lines()
        self._cursor_to_selected()
        self.call_after_refresh(self._show_cursor)

    def _show_cursor(self) -> None:
        if self._height != self.scrollable_content_region.height:
            # the panes may be fitted between the event and the layout that it is of
            self._lay_out_lines()
        if self.cursor >= 0:
            self.scroll_to_line(self.cursor)

    def _reveal(self, key: str) -> None:
        self._revealed = key
        if self._hide_timer is not None:
            self._hide_timer.stop()
        self._hide_timer = self.set_timer(REVEAL_S, self.hide_key)
        self._lay_out_lines()

    def hide_key(self) -> None:
        """Show the key masked again."""
        if self._hide_timer is not None:
            self._hide_timer.stop()
            self._hide_timer = None
        if self._revealed:
            self._revealed = ""
            self._lay_out_lines()

    def on_mount(self) -> None:
        self.watch(self.app, "app_focus", self._watch_window, init=False)

    def on_blur(self) -> None:
        """Hide the key when the focus goes elsewhere."""
        self.hide_key()

    def _watch_window(self, has_focus: bool) -> None:
        """Hide the key when another window gets the focus; the pane keeps its own meanwhile."""
        if not has_focus:
            self.hide_key()

    @property
    def current(self) -> EnvironmentView | None:
        """The selected environment; None where there is none."""
        return next((view for view in self.environments if view.name == self.selected), None)

    def _lay_out_lines(self) -> None:
        size = self.scrollable_content_region
        if size.width < 1:
            return
        self._laid_out = True
        self._height = size.height
        before = self._lines
        self._lines = pane_lines(
            self.environments,
            self.selected,
            self.warnings,
            width=size.width,
            height=size.height,
            revealed=self._revealed,
        )
        self._laying_out = True
        self.resize(len(self._lines))
        self._laying_out = False
        hidden = len(self.warnings) if len(self._lines) > size.height else 0
        self.border_title = f"{self.BORDER_TITLE}{f' ── {_count(hidden)}' if hidden else ''}"
        if len(before) == len(self._lines):
            self.invalidate([n for n, (old, new) in enumerate(zip(before, self._lines, strict=True)) if old != new])
        else:
            self.invalidate()
            self._cursor_to_selected()

    # -- cursor, by environment ----------------------------------------------------------------------------------------

    def _cursor_to_selected(self) -> None:
        for index, line in enumerate(self._lines):
            if line.head and line.environment == self.selected:
                self.cursor = index
                return

    def action_cursor(self, lines: int) -> None:
        """Select the next or previous environment; past the last one, scroll to the warnings."""
        names = [view.name for view in self.environments]
        if self.selected not in names:
            return
        wanted = names.index(self.selected) + lines
        if wanted >= len(names):
            self.scroll_end(animate=False)
        elif wanted >= 0:
            self.selected = names[wanted]

    def action_page(self, pages: float) -> None:
        """Scroll without changing the selection."""
        self.scroll_to(y=self.scroll_offset.y + round(pages * self.scrollable_content_region.height), animate=False)

    def action_first(self) -> None:
        if self.environments:
            self.selected = self.environments[0].name

    def action_last(self) -> None:
        if self.environments:
            self.selected = self.environments[-1].name

    def watch_cursor(self, before: int, now: int) -> None:
        """A click can put the cursor on any line: select that environment and go to its first line."""
        super().watch_cursor(before, now)
        if self._laying_out:
            return
        if 0 <= now < len(self._lines) and (name := self._lines[now].environment):
            self.selected = name
            if not self._lines[now].head:
                self._cursor_to_selected()

    def action_choose(self) -> None:
        """Ask for the key of an environment that has none: enter does what is needed next."""
        if (view := self.current) is not None and not view.key and not self.refusal(AddKey.action()):
            self.call_later(self.app.run_action, AddKey.action(), self)

    def action_hide_key(self) -> None:
        """Mask a revealed key."""
        self.hide_key()

    # -- commands ------------------------------------------------------------------------------------------------------

    def refusal(self, action: str) -> str:
        """As `HasCommands`; some commands need a key."""
        refused = super().refusal(action)
        if refused or (view := self.current) is None:
            return refused
        if action in _NEED_KEY and not view.key:
            return f"{view.name} has no write key: press a to add one"
        if action == RemoveKey.action() and view.is_key_in_variable:
            return f"the key of {view.name} comes from {view.key_source}: unset it there"
        return ""

    @property
    def _console_app(self) -> ConsoleApp:
        return cast("ConsoleApp", self.app)

    @cached_property
    def _actions(self) -> EnvironmentActions:
        from sprig_tui.console.environments.actions import EnvironmentActions

        return EnvironmentActions(self.app, self._session, self._console_app.config_editor)

    def action_add_key(self) -> None:
        self._console_app.flows.run(self._actions.add_key(self.selected))

    def action_rotate_key(self) -> None:
        self._console_app.flows.run(self._actions.rotate_key(self.selected))

    def action_remove_key(self) -> None:
        self._console_app.flows.run(self._actions.remove_key(self.selected))

    def action_test_event(self) -> None:
        self._console_app.flows.run(self._actions.send_test_event(self.selected))

    def action_pause_or_resume(self) -> None:
        if (view := self.current) is not None:
            resumes = view.paused_or_waiting
            self._console_app.flows.run(self._actions.resume(view.name) if resumes else self._actions.hold(view.name))

    def action_hold(self) -> None:
        self._console_app.flows.run(self._actions.hold(self.selected))

    def action_edit_environment(self) -> None:
        self._console_app.flows.run(self._actions.edit(self.selected))

    def action_remove_environment(self) -> None:
        self._console_app.flows.run(self._actions.remove(self.selected))

    def action_new_environment(self) -> None:
        self._console_app.flows.run(self._add_environment())

    async def _add_environment(self) -> None:
        if name := await self._actions.new():
            self.selected = name

    def action_reveal_key(self) -> None:
        """Show the whole key for REVEAL_S, or mask it again."""
        key = self._session.settings.environment(self.selected).write_key
        if self._revealed:
            self.hide_key()
        elif key is not None:
            self.focus()
            self._reveal(key.reveal())


def _count(warnings: int) -> str:
    return "1 warning" if warnings == 1 else f"{warnings} warnings"
