"""Textual app of the console: settings, theme, keymap, and the session with journal and engine."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.actions import ActionParseResult
from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.reactive import Reactive
from textual.theme import Theme
from textual.worker import Worker, WorkerState

from sprig_tui.clock import SystemClock
from sprig_tui.console.alerts import TerminalAlerts
from sprig_tui.console.background import BackgroundTasks
from sprig_tui.console.commands import app as app_commands
from sprig_tui.console.commands.base import Command, HasCommands, Permissions, bindings
from sprig_tui.console.environments.config_editor import ConfigEditor
from sprig_tui.console.flows import Flows
from sprig_tui.console.glyphs import ascii_key
from sprig_tui.console.keyboard.app_input import QueuedInput
from sprig_tui.console.keyboard.queue import track_flow
from sprig_tui.console.lifecycle import ConsoleExit, ConsoleStart
from sprig_tui.console.main_screen import MainScreen
from sprig_tui.console.notify import NoticeHistory, notify, notify_warning
from sprig_tui.console.palette_colours import palette_filter
from sprig_tui.console.preferences_in_use import PreferencesInUse
from sprig_tui.console.session import ConsoleDependencies, Session
from sprig_tui.console.snapshot import ConsoleSnapshot
from sprig_tui.console.status_line import Badge, badge
from sprig_tui.console.textual_private import TextualApp, add_line_filter, add_to_screen, write_to_terminal
from sprig_tui.console.theme import DEFAULT_THEME, THEMES, add_muted, default_theme, first_sheets, load_later_sheets

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.command import Provider
    from textual.driver import Driver
    from textual.screen import Screen

    from sprig_tui.clock import Clock
    from sprig_tui.config.secret_storage import DroppedEntry
    from sprig_tui.config.settings import Settings
    from sprig_tui.console.clipboard import CopyRequested
    from sprig_tui.console.deliveries.filter_bar import FilterInput
    from sprig_tui.console.notice_place import NoticePlace
    from sprig_tui.console.screens.command_line import CommandLine
    from sprig_tui.console.screens.explain import ExplainRequested
    from sprig_tui.console.widgets.column_chooser import ColumnsChosen
    from sprig_tui.sprig.held_input import InputSource


def command_source() -> type[Provider]:
    """The palette's commands, loaded when it is first opened."""
    from sprig_tui.console.commands.registry import CommandPaletteProvider

    return CommandPaletteProvider


class SprigTui(QueuedInput, TextualApp):
    """Console app. `session` holds journal and engine, `config_editor` reads and writes the config."""

    TITLE = "sprig-tui"
    COMMANDS = {command_source}  # noqa: RUF012 - as Textual declares it
    BINDINGS: ClassVar[list[BindingType]] = bindings(app_commands.COMMANDS)
    CSS_PATH = first_sheets()
    NOTIFICATION_TIMEOUT = 5

    theme: Reactive[str] = Reactive(DEFAULT_THEME)

    def __init__(
        self,
        dependencies: ConsoleDependencies,
        settings: Settings,
        permissions: Permissions,
        *,
        clock: Clock | None = None,
        files: tuple[InputSource, ...] = (),
        on_start: Callable[[], None] = lambda: None,
        guides_first_start: bool = True,
    ) -> None:
        """`files` are opened in the Payload pane; `on_start` is called when all panes are mounted.

        With `guides_first_start` the set-up screen comes by itself where nothing is set up and no file is opened.
        """
        self.permissions = permissions  # the base class asks for the driver
        super().__init__()
        self.notices = NoticeHistory(clock or SystemClock())
        self.alerts = TerminalAlerts(partial(write_to_terminal, self), os.environ)
        for theme in THEMES:
            self.register_theme(theme)
        colours = None if self.no_color else self.console.color_system
        if (palette := palette_filter(colours)) is not None:
            add_line_filter(self, palette)
        self.files = files
        self.session = Session(dependencies, settings, permissions, clock=clock, on_change=self._on_session_change)
        self.config_editor = ConfigEditor(self.session, self._use_settings, self._report_dropped_entry)
        self.main = MainScreen(self.session)
        self._badge = badge(dependencies.label, permissions)
        self._background = BackgroundTasks(
            self.session,
            reload_config=self._read_config,
            on_snapshot=self._show_snapshot,
            on_notice=lambda text: notify(self, text),
            on_warning=lambda text: notify_warning(self, text, by_key=False),
        )
        self.flows = Flows(self, self.session, self._background)
        usual_theme = default_theme(colours)
        self.preferences = PreferencesInUse(
            self, self.session, self.config_editor, self.alerts, self.flows, usual_theme=usual_theme
        )
        is_guided = guides_first_start and not files
        self._starting = ConsoleStart(self, self.main, self._background, on_start=on_start, is_guided=is_guided)
        self.leaving = ConsoleExit(self, self.main, self._background, self.flows)
        self.preferences.apply(settings)

    # -- start and end ------------------------------------------------------------------------------------------------

    def get_driver_class(self) -> type[Driver]:
        """The console's own driver, where Textual would choose its driver for terminals."""
        from sprig_tui.console.driver import console_driver

        return console_driver(super().get_driver_class(), browser=self.permissions.browser)

    def get_default_screen(self) -> Screen[object]:
        """The three panes."""
        return self.main  # type: ignore[return-value] # no result is ever taken from it

    def on_mount(self) -> None:
        """Paint first; journal and engine come after."""
        self.call_after_refresh(self.run_worker, track_flow(self, self._starting.run()), exit_on_error=False)
        self.app_resume_signal.subscribe(self, lambda _: self._on_resumed())
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError, ValueError, RuntimeError):
            loop.add_signal_handler(signal.SIGTERM, self.leaving.leave)
            loop.add_signal_handler(signal.SIGHUP, self.leaving.hang_up)

    def _on_resumed(self) -> None:
        """Drop keys that were meant for the shell, and paint the whole screen: the terminal has kept nothing of it."""
        self.keyboard.drop(until_now=True)
        self.refresh(layout=True)

    async def on_unmount(self) -> None:
        """Stop the background tasks, unless `leave` did."""
        self.keyboard.close()
        await self._background.stop()
        self.config_editor.close()

    def _on_session_change(self) -> None:
        self._starting.on_session_change()
        self._background.wake()
        self.main.use_journal()

    def push_screen(self, screen: Any, *arguments: Any, **options: Any) -> Any:
        """Push a screen as Textual does; it shows what kind of console this is."""
        if screen is not self.main:
            self.load_styles()
        if self._badge:
            add_to_screen(screen, Badge(self._badge))
        return super().push_screen(screen, *arguments, **options)

    # -- snapshots and settings ---------------------------------------------------------------------------------------

    def _show_snapshot(self, snapshot: ConsoleSnapshot) -> None:
        with self.batch_update():
            self.main.snapshot = snapshot
        if snapshot.journal != "opening":
            self.alerts.look_at(snapshot.environments)

    def on_app_focus(self) -> None:
        """Poll at full speed again."""
        self._background.has_focus = True
        self._background.wake()

    def on_app_blur(self) -> None:
        """Poll less often while the terminal has no focus."""
        self._background.has_focus = False

    async def _read_config(self) -> str:
        try:
            return await self.config_editor.reload_if_changed()
        finally:
            self.main.show_warnings()

    async def _use_settings(self, settings: Settings) -> None:
        """Apply the settings that the config has now."""
        self.preferences.apply(settings)
        await self.session.reload(settings)
        self._background.wake()
        self.main.use_settings(settings)
        self._background.poll_now()

    def _report_dropped_entry(self, dropped: DroppedEntry) -> None:
        if dropped.problem is not None:
            notify_warning(self, f"{dropped.message}; {dropped.problem.hint}")
        elif dropped.message:
            notify(self, dropped.message)

    # -- theme and keys -----------------------------------------------------------------------------------------------

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:  # noqa: ARG002 - as Textual calls it
        """Those of Textual that no command of the console does; the palette has them last."""
        yield SystemCommand("Theme", "Choose other colours. The config keeps the choice.", self.action_change_theme)
        picture = partial(self.set_timer, 0.1, self.deliver_screenshot)
        yield SystemCommand("Screenshot", "Save a picture (SVG) of what the console shows now.", picture)

    def load_styles(self) -> None:
        """Load the style sheets that the first paint does not need, before any widget that they are about is there."""
        load_later_sheets(self.stylesheet)

    def get_css_variables(self) -> dict[str, str]:
        """The variables of the theme, with those of muted texts."""
        return add_muted(super().get_css_variables())

    def get_theme(self, theme_name: str) -> Theme | None:
        """A theme by name; ours already before they are registered, when Textual computes the first colours."""
        own = next((theme for theme in THEMES if theme.name == theme_name), None)
        return own or super().get_theme(theme_name)

    def watch_theme(self, theme: str) -> None:
        """Save a theme that was picked in the palette."""
        if self.is_running:
            self.preferences.save_theme(theme)

    def on_columns_chosen(self, event: ColumnsChosen) -> None:
        """Show the columns of a list that were chosen, and save them."""
        event.stop()
        self.preferences.choose_columns(event.key, event.columns)
        self.main.use_columns(self.preferences.columns)

    def shown_key(self, command: type[Command]) -> str:
        """The command's first key, as shown to the user."""
        return self.get_key_display(Binding(self.preferences.keys_of(command)[0], "", ""))

    def get_key_display(self, binding: Binding) -> str:
        """A key as shown to the user."""
        display = super().get_key_display(binding)
        return ascii_key(display) if self.preferences.is_ascii else display

    # -- flows and actions --------------------------------------------------------------------------------------------

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Report an unexpected error in a flow, and keep the screen."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self.flows.report_fault(event.worker.error, event.worker.name)

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Run an action as Textual does; a refused command shows the reason."""
        if await super().run_action(action, default_namespace, namespaces):
            return True
        if isinstance(default_namespace, (HasCommands, MainScreen)) and isinstance(action, str):
            reason = default_namespace.refusal(action) or (self.main.refusal(action) if self.shows_panes else "")
            if reason:
                notify_warning(self, reason)
                return True
        return False

    def on_explain_requested(self, event: ExplainRequested) -> None:
        """Explain the delivery of a pane or of the detail screen."""
        from sprig_tui.console.screens.explain import ExplainScreen

        event.stop()
        self.push_screen(ExplainScreen(self.session, event.detail))

    def on_filter_input_save_requested(self, event: FilterInput.SaveRequested) -> None:
        """Save a filter of the log or of the list of records."""
        from sprig_tui.console.deliveries.save_filter import ask_and_save

        event.stop()
        saved, now_ms = self.session.settings.filters, self.session.clock.now()
        self.flows.run(ask_and_save(self, self.config_editor, saved, event.text, now_ms))

    def on_copy_requested(self, event: CopyRequested) -> None:
        """Copy what a pane or the detail screen asks for."""
        from sprig_tui.console.clipboard import Clipboard, copy_and_report

        event.stop()
        paths, permissions = self.session.dependencies.paths, self.permissions
        clipboard = Clipboard(paths.state_dir, self.copy_to_clipboard, elsewhere=permissions.browser)
        self.flows.run(copy_and_report(self, clipboard, event), opens=False)

    # -- commands -----------------------------------------------------------------------------------------------------

    @property
    def shows_panes(self) -> bool:
        """Whether the main screen is in front."""
        return self.screen is self.main

    def notice_place(self) -> NoticePlace | None:
        """Where notices hide nothing that is being read."""
        from sprig_tui.console.notice_place import notice_place

        if not self.is_running or not self.screen.is_mounted:
            return None
        return notice_place(self.screen, self.main.log_lines if self.shows_panes else None)

    def focused_scope(self) -> str:
        """The scope of the focused pane; empty where none has the focus."""
        return self.main.focused_scope()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide the commands about panes while another screen is in front."""
        if action in app_commands.PANE_ACTIONS and not self.shows_panes:
            return False
        return super().check_action(action, parameters)

    def action_focus_environments(self) -> None:
        self.main.focus_pane("environments")

    def action_focus_payload(self) -> None:
        self.main.focus_pane("payload")

    def action_focus_deliveries(self) -> None:
        self.main.focus_pane("deliveries")

    def action_zoom(self) -> None:
        self.main.zoomed = "" if self.main.zoomed else self.main.focused_scope()

    def action_grow_pane(self) -> None:
        self.main.resize_pane(larger=True)

    def action_shrink_pane(self) -> None:
        self.main.resize_pane(larger=False)

    def action_reset_panes(self) -> None:
        self.main.area.reset()

    def action_show_workers(self) -> None:
        from sprig_tui.console.screens.workers import WorkersScreen

        self.push_screen(WorkersScreen(self.session))

    def action_show_notices(self) -> None:
        from sprig_tui.console.screens.notices import NoticesScreen

        self.push_screen(NoticesScreen(self.notices))

    def action_command_line(self) -> None:
        self.flows.run(self._command_line.ask_and_run())

    @cached_property
    def _command_line(self) -> CommandLine:
        from sprig_tui.console.screens.command_line import CommandLine

        return CommandLine(self)

    def action_begin_journal(self) -> None:
        if not self.session.start_new_journal():
            notify(self, "the journal is there; nothing to do")

    def action_help(self) -> None:
        from sprig_tui.console.screens.help import help_for

        self.push_screen(help_for(self._place(), self.preferences.configured.keymap, self.get_key_display))

    def action_topics(self) -> None:
        from sprig_tui.console.screens.topics import TopicsScreen, topic_of

        if not isinstance(self.screen, TopicsScreen):
            here = self._place()
            self.push_screen(TopicsScreen(topic_of(here.COMMAND_CLASSES[0].scope) if here else ""))

    def _place(self) -> HasCommands | None:
        """The screen or pane that has the focus."""
        return self.screen if isinstance(self.screen, HasCommands) else self.main.focused_place()

    async def action_quit(self) -> None:
        """Leave, for Textual's ctrl+q."""
        self.action_leave()

    def action_help_quit(self) -> None:
        """Name the key that leaves the screen in front, for Textual's ctrl+c."""
        from sprig_tui.console.keyboard.advice import leave_advice

        notify(self, leave_advice(self))

    def action_suspend(self) -> None:
        from sprig_tui.console.driver import can_be_resumed

        if refusal := self.permissions.refusal(app_commands.Suspend):
            notify_warning(self, refusal)
        elif can_be_resumed():
            self.action_suspend_process()
        else:
            notify_warning(self, "the console cannot be suspended: no shell would bring it back; ctrl+q quits")

    def on_key(self, event: events.Key) -> None:
        """Explain a key that has no binding here."""
        from sprig_tui.console.keyboard.advice import is_unbound, unbound_key

        if event.key == "ctrl+c" and self.screen.is_modal:
            # with a modal screen in front Textual does not ask the app's bindings
            self.action_help_quit()
        elif is_unbound(self.screen, event.key):
            # the keys typed with it were not meant for this dialog either: a y or enter must not answer it
            self.keyboard.drop()
        elif text := unbound_key(self, event.key):
            notify_warning(self, text)

    def on_paste(self, event: events.Paste) -> None:
        """Say that a screen in front of the panes has no place for a pasted text."""
        from sprig_tui.console.keyboard.advice import close_hint

        event.stop()
        notify_warning(self, f"a paste has no place here: {close_hint(self)} goes back")

    def action_leave(self) -> None:
        self.leaving.ask()

    def hang_up(self) -> None:
        """Leave: the terminal is gone."""
        self.leaving.hang_up()

    # -- screenshots ---------------------------------------------------------------------------------------------------

    def deliver_screenshot(
        self,
        filename: str | None = None,
        path: str | None = None,
        time_format: str | None = None,  # noqa: ARG002 - Textual's own word
    ) -> str | None:
        """Save a screenshot in a folder that exists, and name the file; Textual requires a Downloads folder."""
        from sprig_tui.console.screenshot import save_and_report

        state_dir = self.session.dependencies.paths.state_dir
        save_and_report(self, filename, path, state_dir=state_dir, elsewhere=self.permissions.browser)
        return None

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        """Draw the screen as Textual does, but with revealed keys masked."""
        self.main.environments.hide_key()
        return super().export_screenshot(title=title, simplify=simplify)

    def fatal_error_text(self, error: BaseException | None) -> str:
        """Log the traceback, and return a sentence for the shell."""
        return self.flows.fatal_text(error)
