"""The Textual app: settings, theme, keymap, and the life of journal and engine while it is open."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.actions import ActionParseResult
from textual.app import App, get_system_commands_provider
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
from textual.reactive import Reactive
from textual.theme import Theme
from textual.worker import Worker, WorkerState

from sprig_tui.console.background import BackgroundTasks
from sprig_tui.console.commands import app as app_commands
from sprig_tui.console.commands.base import Command, HasCommands, Permissions, bindings
from sprig_tui.console.environments.warnings import config_warnings
from sprig_tui.console.keyboard.app_input import QueuedInput
from sprig_tui.console.keyboard.queue import track_flow
from sprig_tui.console.main_screen import MainScreen
from sprig_tui.console.notify import NOTICE_TIMEOUT_S, notify, notify_error, notify_warning
from sprig_tui.console.palette_colours import palette_filter
from sprig_tui.console.preferences import Preferences, preferences
from sprig_tui.console.services import Services
from sprig_tui.console.session import ConsoleDependencies, Session
from sprig_tui.console.snapshot import ConsoleSnapshot
from sprig_tui.console.theme import DEFAULT_THEME, THEMES, first_sheets, later_sheets
from sprig_tui.errors import ConfigError, SprigTuiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from textual.command import Provider
    from textual.driver import Driver
    from textual.screen import Screen

    from sprig_tui.clock import Clock
    from sprig_tui.config.settings import Settings
    from sprig_tui.console.clipboard import CopyRequested


class Appearance(App[int]):
    """The app as far as it is seen; `dress` goes by the config, `keep_theme` hears of a theme that was picked."""

    CSS_PATH = first_sheets()
    theme: Reactive[str] = Reactive(DEFAULT_THEME)

    def __init__(self) -> None:
        super().__init__()
        self._configured_theme = DEFAULT_THEME
        self.preferences = Preferences(DEFAULT_THEME, {}, ())
        for theme in THEMES:
            self.register_theme(theme)
        if (filtering := palette_filter(self.console.color_system)) is not None and not self.no_color:
            self._filters.append(filtering)

    def get_driver_class(self) -> type[Driver]:
        """The terminal's, where Textual would take its own for terminals."""
        from textual.drivers.linux_driver import LinuxDriver

        from sprig_tui.console.driver import HangupDriver

        chosen = super().get_driver_class()
        return HangupDriver if chosen is LinuxDriver else chosen

    def apply_config(self, settings: Settings) -> tuple[str, ...]:
        """Take the theme and the keys of the config; returns what is wrong with them."""
        self.preferences = preferences(settings)
        theme = self._configured_theme = self.preferences.theme
        if theme != self.theme:
            self.theme = theme
        self.set_keymap(self.preferences.keymap)
        return self.preferences.faults

    def keys_of(self, command: type[Command]) -> tuple[str, ...]:
        """The command's keys in use, as Textual names them."""
        from sprig_tui.console.commands.keymap import keys_of

        return keys_of(self.preferences.keymap.get(command.id, command.key))

    def shown_key(self, command: type[Command]) -> str:
        """Its first key, as people know it."""
        return self.get_key_display(Binding(self.keys_of(command)[0], "", ""))

    def watch_theme(self, theme: str) -> None:
        """One that comes from the config is there already; another was picked in the palette."""
        if self.is_running and theme != self._configured_theme:
            self.save_theme(theme)

    def save_theme(self, theme: str) -> None:
        """Use this one the next time, too."""
        raise NotImplementedError

    def get_theme(self, theme_name: str) -> Theme | None:
        """As Textual, and our own from the very beginning: it works out the colours of the first theme only once."""
        own = next((theme for theme in THEMES if theme.name == theme_name), None)
        return own or super().get_theme(theme_name)

    def load_styles(self) -> None:
        """Read the style sheets that the first paint did without."""
        self.stylesheet.read_all(later_sheets())
        self.refresh_css(animate=False)


_log = logging.getLogger(__name__)
JOURNAL_OPEN_TIMEOUT_S = 1.0
"""Seconds that keys typed ahead of the start wait for the journal at most."""
_PANE_ACTIONS = frozenset(
    command.action()
    for command in (
        app_commands.FocusEnvironments,
        app_commands.FocusPayload,
        app_commands.FocusDeliveries,
        app_commands.Zoom,
    )
)


def command_source() -> type[Provider]:
    """The palette's commands, loaded when it is first opened."""
    from sprig_tui.console.commands.registry import CommandPaletteProvider

    return CommandPaletteProvider


class SprigTui(QueuedInput, Appearance):
    """The console. `core` holds journal and engine, `parts` what works on the config and sends."""

    TITLE = "sprig-tui"
    COMMANDS = {command_source, get_system_commands_provider}  # noqa: RUF012 - as Textual declares it
    BINDINGS: ClassVar[list[BindingType]] = bindings(app_commands.COMMANDS)
    NOTIFICATION_TIMEOUT = 5

    def __init__(
        self,
        dependencies: ConsoleDependencies,
        settings: Settings,
        permissions: Permissions,
        *,
        clock: Clock | None = None,
        files: tuple[str, ...] = (),
        on_start: Callable[[], None] = lambda: None,
    ) -> None:
        """`files` are opened in the Payload pane; `started` is called when all panes are there."""
        super().__init__()
        self._on_start = on_start
        self.files = files
        self.permissions = permissions
        self.session = Session(dependencies, settings, permissions, clock=clock, on_change=self._on_session_change)
        self.services = Services(self, self.session, self._use_settings)
        self.warnings: tuple[str, ...] = ()
        self.main = MainScreen(self.session)
        self._background = BackgroundTasks(
            self.session,
            reload_config=self._read_config,
            on_snapshot=self._show_snapshot,
            on_notice=lambda text: notify(self, text),
            on_warning=lambda text: notify_warning(self, text),
        )
        self._leaving = False
        self._warned_of_edits = False
        self._last_notice = ("", 0.0)
        self._journal_tried = asyncio.Event()
        self._apply(settings)

    # -- life ---------------------------------------------------------------------------------------------------------

    def get_default_screen(self) -> Screen[object]:
        """The three panes."""
        return self.main  # type: ignore[return-value] # no result is ever taken from it

    def on_mount(self) -> None:
        """Paint first; journal and engine come after."""
        self.call_after_refresh(self.run_worker, track_flow(self, self._start()), exit_on_error=False)
        self.app_resume_signal.subscribe(self, lambda _: self.keyboard.drop(until_now=True))
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError, ValueError, RuntimeError):
            loop.add_signal_handler(signal.SIGTERM, self.leave)
            loop.add_signal_handler(signal.SIGHUP, self.hang_up)

    async def _start(self) -> None:
        await self.main.mount_panes()
        self._on_start()
        self._background.start()
        # what is typed ahead may need the journal; where that takes long, the keys that need it say so
        with suppress(TimeoutError):
            await asyncio.wait_for(self._journal_tried.wait(), JOURNAL_OPEN_TIMEOUT_S)

    async def on_unmount(self) -> None:
        """However it ends: a console that was left properly did this before."""
        self.keyboard.close()
        await self._background.stop()
        self.services.config_editor.close()

    def _on_session_change(self) -> None:
        self._journal_tried.set()
        self._background.wake()
        self.main.use_journal()

    # -- what moves ---------------------------------------------------------------------------------------------------

    def _show_snapshot(self, snapshot: ConsoleSnapshot) -> None:
        with self.batch_update():
            self.main.snapshot = snapshot

    def on_app_focus(self) -> None:
        """The person looks again."""
        self._background.has_focus = True
        self._background.wake()

    def on_app_blur(self) -> None:
        """The person looks elsewhere."""
        self._background.has_focus = False

    async def _read_config(self) -> str:
        try:
            return await self.services.config_editor.reload_if_changed()
        finally:
            self.main.show_warnings()

    async def _use_settings(self, settings: Settings) -> None:
        """Go on with other settings."""
        self._apply(settings)
        await self.session.reload(settings)
        self._background.wake()
        self.main.use_settings(settings)
        self._background.poll_now()

    def _apply(self, settings: Settings) -> None:
        self.warnings = (*config_warnings(settings), *self.apply_config(settings))

    def save_theme(self, theme: str) -> None:
        """In the config, where it may be changed."""
        if self.permissions.read_only or not self.permissions.config:
            why = "this console is read-only" if self.permissions.read_only else "this is the demo"
            notify(self, f"theme {theme}, for now: {why}")
        else:
            self.run_flow(self._save_theme(theme), opens=False)

    async def _save_theme(self, theme: str) -> None:
        await self.services.config_editor.save_theme(theme)
        notify(
            self, f"theme {theme}, also for the next time: it stands in {self.session.dependencies.paths.config_file}"
        )

    # -- doing --------------------------------------------------------------------------------------------------------

    def run_flow(self, work: Coroutine[None, None, object], *, opens: bool = True) -> None:
        """Run a flow; what cannot be done is said. Keys wait for its dialogs, unless it `opens` none."""
        said = self._report_errors(work)
        self.run_worker(track_flow(self, said) if opens else said, exit_on_error=False, group="flow")

    async def _report_errors(self, work: Coroutine[None, None, object]) -> None:
        try:
            await work
        except ConfigError as error:
            notify_error(self, error)
        except SprigTuiError as error:
            _log.warning("%s", error.message)
            notify_error(self, error)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A fault of ours in a flow: say so, keep the screen."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            self._background.start_log()
            _log.error("unexpected fault in %s", event.worker.name, exc_info=event.worker.error)
            name = type(event.worker.error).__name__
            notify_warning(
                self,
                f"unexpected fault: {name}; what was journaled is safe; see {self.session.dependencies.paths.log_file}",
            )

    async def run_action(
        self,
        action: str | ActionParseResult,
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """As Textual, but a refused command says why."""
        if await super().run_action(action, default_namespace, namespaces):
            return True
        if isinstance(default_namespace, (HasCommands, MainScreen)) and isinstance(action, str):
            reason = default_namespace.refusal(action)
            if reason:
                notify_warning(self, reason)
                return True
        return False

    def on_copy_requested(self, event: CopyRequested) -> None:
        """Copy what a pane or the detail screen asks for."""
        event.stop()
        self.run_flow(self.services.copy(event.text, event.what), opens=False)

    # -- commands -----------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Panes can be gone to, and zoomed, only where they are."""
        if action in _PANE_ACTIONS and self.screen is not self.main:
            return False
        return super().check_action(action, parameters)

    def action_focus_environments(self) -> None:
        """See `FocusEnvironments`."""
        self.main.focus_pane("environments")

    def action_focus_payload(self) -> None:
        """See `FocusPayload`."""
        self.main.focus_pane("payload")

    def action_focus_deliveries(self) -> None:
        """See `FocusDeliveries`."""
        self.main.focus_pane("deliveries")

    def action_zoom(self) -> None:
        """See `Zoom`."""
        self.main.zoomed = "" if self.main.zoomed else self.main.focused_scope()

    def action_show_workers(self) -> None:
        """See `ShowWorkers`."""
        from sprig_tui.console.screens.workers import WorkersScreen

        self.push_screen(WorkersScreen(self.session))

    def action_begin_journal(self) -> None:
        """See `BeginJournal`."""
        if not self.session.start_new_journal():
            notify(self, "the journal is there; nothing to do")

    def action_help(self) -> None:
        """See `Help`."""
        from sprig_tui.console.screens.help import help_for

        here = self.screen if isinstance(self.screen, HasCommands) else self.main.panes.get(self.main.focused_scope())
        self.push_screen(help_for(here, self.preferences.keymap, self.get_key_display))

    async def action_quit(self) -> None:
        """Textual's own ctrl+q."""
        self.action_leave()

    def action_help_quit(self) -> None:
        """Textual's own ctrl+c: which key leaves what is in front."""
        from sprig_tui.console.keyboard.advice import close_hint

        if self.screen is self.main:
            notify(self, f"{self.shown_key(app_commands.Quit)} or ctrl+q quits")
        else:
            notify(self, f"{close_hint(self)} goes back; ctrl+q quits")

    def action_suspend(self) -> None:
        """See `Suspend`."""
        from sprig_tui.console.driver import can_be_resumed

        if can_be_resumed():
            self.action_suspend_process()
        else:
            notify_warning(self, "the console cannot be suspended: no shell would bring it back; ctrl+q quits")

    def on_key(self, event: events.Key) -> None:
        """A key that nothing here takes says so."""
        from sprig_tui.console.keyboard.advice import is_unbound, unbound_key

        if event.key == "ctrl+c" and self.screen.is_modal:
            # Textual asks the app's own keys only where nothing is in front of the panes
            self.action_help_quit()
        elif is_unbound(self.screen, event.key):
            # it was meant for something else, and so were those that came with it: a y or enter of them is no answer
            self.keyboard.drop()
        elif (said := unbound_key(self, event.key)) and not self._was_said_lately(said):
            notify_warning(self, said)

    def on_paste(self, event: events.Paste) -> None:
        """A paste that nothing here takes says where it belongs."""
        from sprig_tui.console.keyboard.advice import close_hint, paste_advice

        if self.screen is self.main:
            notify_warning(self, paste_advice(event.text))
        else:
            notify_warning(self, f"a paste has no place here: {close_hint(self)} goes back")

    def _was_said_lately(self, text: str) -> bool:
        """A key that is held down says it once."""
        before, self._last_notice = self._last_notice, (text, monotonic())
        if before[0] == text and monotonic() - before[1] < NOTICE_TIMEOUT_S["warning"]:
            self.keyboard.drop_typed_ahead()
            return True
        return False

    def action_leave(self) -> None:
        """See `Quit`."""
        edited = self.main.payload.edited if "payload" in self.main.panes else 0
        if edited and not self._leaving and not self._warned_of_edits:
            self._warned_of_edits = True
            records = "1 record was" if edited == 1 else f"{edited:,} records were"
            notify_warning(self, f"{records} edited and not sent; q again leaves, and the edit is gone")
            return
        self.leave()

    def leave(self) -> None:
        """Leave in good order, without a question; asked twice, at once."""
        if self._leaving:
            self.exit(0)
            return
        self._leaving = True
        self.run_worker(self._leave(), exit_on_error=False)

    def hang_up(self) -> None:
        """The terminal is gone: leave in good order; to hear of it from the kernel, too, is not to be asked twice."""
        if not self._leaving:
            self.leave()

    async def _leave(self) -> None:
        closing = asyncio.ensure_future(self._background.stop())
        done, _ = await asyncio.wait((closing,), timeout=0.3)
        if not done:
            notify(self, "finishing what is on the wire; q again breaks it off, nothing is lost")
            await closing
        self.exit(0, message=self.session.queued_at_close_text())

    # -- screenshots ---------------------------------------------------------------------------------------------------

    def deliver_screenshot(
        self,
        filename: str | None = None,
        path: str | None = None,
        time_format: str | None = None,  # noqa: ARG002 - Textual's own word
    ) -> str | None:
        """As Textual, but into a folder that is there, and said where; Textual wants one called Downloads."""
        from sprig_tui.console.screenshot import save_screenshot

        state_dir = self.session.dependencies.paths.state_dir
        saved, fault = save_screenshot(self.export_screenshot(), filename, path, state_dir=state_dir)
        if saved is None:
            notify_warning(self, f"the screenshot was not saved: {fault}")
        else:
            notify(self, f"the screenshot is in {saved}")
        return None

    # -- keys stay secret ---------------------------------------------------------------------------------------------

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        """As Textual, but never with a key on show."""
        self.main.environments.hide_key()
        return super().export_screenshot(title=title, simplify=simplify)

    def _fatal_error(self) -> None:
        """A fault of ours ends the app: a sentence for the person, the traceback for the log.

        Textual's own shows local variables, and they may hold a key or an answer.
        """
        import sys

        error = sys.exc_info()[1] or self._exception
        self._background.start_log()
        _log.critical("unexpected fault, the console ended", exc_info=error)
        name = type(error).__name__
        self._exit_renderables.append(
            f"sprig-tui: unexpected fault: {name}; what was journaled is safe, and the next start goes on with it\n"
            f"  what happened is in {self.session.dependencies.paths.log_file}"
        )
        self._close_messages_no_wait()
