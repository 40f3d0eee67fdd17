"""Textual app of the console: settings, theme, keymap, and the session with journal and engine."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from functools import partial
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
from sprig_tui.console.environments.warnings import config_warnings
from sprig_tui.console.glyphs import AsciiGlyphs, ascii_key, terminal_encoding
from sprig_tui.console.keyboard.app_input import QueuedInput
from sprig_tui.console.keyboard.queue import track_flow
from sprig_tui.console.main_screen import MainScreen
from sprig_tui.console.notify import NoticeHistory, notify, notify_error, notify_warning
from sprig_tui.console.palette_colours import palette_filter
from sprig_tui.console.preferences import Preferences, preferences
from sprig_tui.console.session import ConsoleDependencies, Session
from sprig_tui.console.snapshot import ConsoleSnapshot
from sprig_tui.console.status_line import Badge, badge
from sprig_tui.console.textual_private import TextualApp, add_line_filter, add_to_screen, use_ascii, write_to_terminal
from sprig_tui.console.theme import DEFAULT_THEME, THEMES, add_muted, default_theme, first_sheets, later_sheets
from sprig_tui.errors import ConfigError, SprigTuiError

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
    from sprig_tui.console.screens.explain import ExplainRequested
    from sprig_tui.console.widgets.column_chooser import ColumnsChosen
    from sprig_tui.console.widgets.columns import ChosenColumn
    from sprig_tui.sprig.held_input import InputSource


_log = logging.getLogger(__name__)
MIN_ROWS_BESIDE_NOTICES = 30
"""Rows of a screen that has room for notices above the command line; where there are fewer, their history has them."""
JOURNAL_OPEN_TIMEOUT_S = 1.0
"""Longest time that keys typed before the start wait for the journal."""
_PANE_ACTIONS = frozenset(
    command.action()
    for command in (
        app_commands.FocusEnvironments,
        app_commands.FocusPayload,
        app_commands.FocusDeliveries,
        app_commands.Zoom,
        app_commands.GrowPane,
        app_commands.ShrinkPane,
        app_commands.ResetPanes,
    )
)


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
        self._configured_theme = DEFAULT_THEME
        self.preferences = Preferences(DEFAULT_THEME, {}, ())
        self._chosen_columns: dict[str, tuple[ChosenColumn, ...]] = {}
        for theme in THEMES:
            self.register_theme(theme)
        colours = None if self.no_color else self.console.color_system
        self._usual_theme = default_theme(colours)
        if (palette := palette_filter(colours)) is not None:
            add_line_filter(self, palette)
        self._ascii = AsciiGlyphs(terminal_encoding())
        self._on_start = on_start
        self.files = files
        self._guides_first_start = guides_first_start and not files
        self.session = Session(dependencies, settings, permissions, clock=clock, on_change=self._on_session_change)
        self.config_editor = ConfigEditor(self.session, self._use_settings, self._report_dropped_entry)
        self.warnings: tuple[str, ...] = ()
        self.main = MainScreen(self.session)
        self._badge = badge(dependencies.label, permissions)
        self._background = BackgroundTasks(
            self.session,
            reload_config=self._read_config,
            on_snapshot=self._show_snapshot,
            on_notice=lambda text: notify(self, text),
            on_warning=lambda text: notify_warning(self, text),
        )
        self._command_history: list[str] = []
        self._leaving = False
        self._asks_about_edits = False
        self._journal_tried = asyncio.Event()
        self._apply(settings)

    # -- start and end ------------------------------------------------------------------------------------------------

    def get_driver_class(self) -> type[Driver]:
        """The console's own driver, where Textual would choose its driver for terminals."""
        if self.permissions.browser:
            from sprig_tui.console.browser_driver import BrowserDriver

            return BrowserDriver
        from textual.drivers.linux_driver import LinuxDriver

        from sprig_tui.console.driver import HangupDriver

        chosen = super().get_driver_class()
        return HangupDriver if chosen is LinuxDriver else chosen

    def get_default_screen(self) -> Screen[object]:
        """The three panes."""
        return self.main  # type: ignore[return-value] # no result is ever taken from it

    def on_mount(self) -> None:
        """Paint first; journal and engine come after."""
        self.call_after_refresh(self.run_worker, track_flow(self, self._start()), exit_on_error=False)
        self.app_resume_signal.subscribe(self, lambda _: self._on_resumed())
        loop = asyncio.get_running_loop()
        with suppress(NotImplementedError, ValueError, RuntimeError):
            loop.add_signal_handler(signal.SIGTERM, self.leave)
            loop.add_signal_handler(signal.SIGHUP, self.hang_up)

    def _on_resumed(self) -> None:
        """Drop keys that were meant for the shell, and paint the whole screen: the terminal has kept nothing of it."""
        self.keyboard.drop(until_now=True)
        self.refresh(layout=True)

    async def _start(self) -> None:
        await asyncio.to_thread(self.config_editor.follow)
        await self.main.mount_panes()
        self._on_start()
        self._remove_stale_edits()
        self._background.start()
        # keys typed ahead may need the journal; if it takes longer to open, their commands report that
        with suppress(TimeoutError):
            await asyncio.wait_for(self._journal_tried.wait(), JOURNAL_OPEN_TIMEOUT_S)
        if self._guides_first_start and self._journal_tried.is_set():
            await self._guide_first_start()
        elif self._guides_first_start:
            # keys do not wait any longer; the set-up comes when the journal does
            self.run_worker(self._guide_first_start(), exit_on_error=False)

    def _remove_stale_edits(self) -> None:
        """Remove what consoles left that were killed during an edit."""
        from sprig_tui.console.payload.external_editor import remove_stale_edit_folders

        self.run_worker(
            partial(remove_stale_edit_folders, self.session.dependencies.paths.state_dir),
            thread=True,
            exit_on_error=False,
            group="stale-edits",
        )

    async def _guide_first_start(self) -> None:
        """Open the set-up screen, unless something else came in front meanwhile."""
        from sprig_tui.console.setup.first_start import is_wanted

        await self._journal_tried.wait()
        if await is_wanted(self.session) and self.shows_panes:
            self.main.action_set_up()

    async def on_unmount(self) -> None:
        """Stop the background tasks, unless `leave` did."""
        self.keyboard.close()
        await self._background.stop()
        self.config_editor.close()

    def _on_session_change(self) -> None:
        self._journal_tried.set()
        self._background.wake()
        self.main.use_journal()

    def push_screen(self, screen: Any, *arguments: Any, **options: Any) -> Any:
        """Push a screen as Textual does; it shows what kind of console this is."""
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
        self._apply(settings)
        await self.session.reload(settings)
        self._background.wake()
        self.main.use_settings(settings)
        self._background.poll_now()

    def _report_dropped_entry(self, dropped: DroppedEntry) -> None:
        if dropped.problem is not None:
            notify_warning(self, f"{dropped.message}; {dropped.problem.hint}")
        elif dropped.message:
            notify(self, dropped.message)

    def _apply(self, settings: Settings) -> None:
        """Use the theme and the keys of the config, and keep its warnings."""
        self.preferences = preferences(settings, usual_theme=self._usual_theme)
        use_ascii(self, self._ascii, wanted=self.preferences.glyphs == "ascii")
        self.alerts.method = self.preferences.alerts
        self._configured_theme = self.preferences.theme
        if self._configured_theme != self.theme:
            self.theme = self._configured_theme
        self.set_keymap(self.preferences.keymap)
        self.warnings = (*config_warnings(settings, self.session.clock.now()), *self.preferences.faults)

    # -- theme and keys -----------------------------------------------------------------------------------------------

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:  # noqa: ARG002 - as Textual calls it
        """Those of Textual that no command of the console does; the palette has them last."""
        yield SystemCommand("Theme", "Choose other colours. The config keeps the choice.", self.action_change_theme)
        picture = partial(self.set_timer, 0.1, self.deliver_screenshot)
        yield SystemCommand("Screenshot", "Save a picture (SVG) of what the console shows now.", picture)

    def load_styles(self) -> None:
        """Load the style sheets that the first paint does not need."""
        self.stylesheet.read_all(later_sheets())
        self.refresh_css(animate=False)

    def get_css_variables(self) -> dict[str, str]:
        """The variables of the theme, with those of muted texts."""
        return add_muted(super().get_css_variables())

    def get_theme(self, theme_name: str) -> Theme | None:
        """A theme by name; ours already before they are registered, when Textual computes the first colours."""
        own = next((theme for theme in THEMES if theme.name == theme_name), None)
        return own or super().get_theme(theme_name)

    def watch_theme(self, theme: str) -> None:
        """Save a theme that was picked in the palette."""
        if self.is_running and theme != self._configured_theme:
            self.save_theme(theme)

    def save_theme(self, theme: str) -> None:
        """Save the theme in the config, where the config may be changed."""
        self._save_preference("theme", theme, f"theme {theme}")

    def on_columns_chosen(self, event: ColumnsChosen) -> None:
        """Show the columns of a list that were chosen, and save them."""
        event.stop()
        self._chosen_columns[event.key] = event.columns
        self.main.use_columns(self.columns)
        texts = [column.text for column in event.columns]
        self._save_preference(event.key, texts or None, "columns" if texts else "the columns that fit the width")

    def _save_preference(self, key: str, value: str | list[str] | None, said: str) -> None:
        """Save a key of `[console]`, where the config may be changed; else say that it is not stored."""
        if self.permissions.read_only or not self.permissions.config:
            why = "this console is read-only" if self.permissions.read_only else "this is the demo"
            notify(self, f"{said}, for now: {why}")
        else:
            self.run_flow(self._write_preference(key, value, said), opens=False)

    async def _write_preference(self, key: str, value: str | list[str] | None, said: str) -> None:
        await self.config_editor.save_preference(key, value, called=said)
        self._chosen_columns.pop(key, None)
        notify(self, f"{said}, saved for the next start in {self.session.dependencies.paths.config_file}")

    @property
    def columns(self) -> Mapping[str, tuple[ChosenColumn, ...]]:
        """Columns of the lists by their keys in `[console]`: those chosen here, which may not be stored, first."""
        return {**self.preferences.columns, **self._chosen_columns}

    def keys_of(self, command: type[Command]) -> tuple[str, ...]:
        """The command's keys in use, as Textual names them."""
        from sprig_tui.console.commands.keymap import keys_of

        return keys_of(self.preferences.keymap.get(command.id, command.key))

    def shown_key(self, command: type[Command]) -> str:
        """The command's first key, as shown to the user."""
        return self.get_key_display(Binding(self.keys_of(command)[0], "", ""))

    def get_key_display(self, binding: Binding) -> str:
        """A key as shown to the user."""
        display = super().get_key_display(binding)
        return ascii_key(display) if self.preferences.glyphs == "ascii" else display

    # -- flows and actions --------------------------------------------------------------------------------------------

    def run_flow(self, work: Coroutine[None, None, object], *, opens: bool = True) -> None:
        """Run a flow in a worker, and report its errors. Keys wait for its dialogs, unless it `opens` none."""
        guarded = self._report_errors(work)
        self.run_worker(track_flow(self, guarded) if opens else guarded, exit_on_error=False, group="flow")

    async def _report_errors(self, work: Coroutine[None, None, object]) -> None:
        try:
            await work
        except ConfigError as error:
            notify_error(self, error)
        except SprigTuiError as error:
            _log.warning("%s", error.message)
            notify_error(self, error)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """Report an unexpected error in a flow, and keep the screen."""
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
        """Run an action as Textual does; a refused command shows the reason."""
        if await super().run_action(action, default_namespace, namespaces):
            return True
        if isinstance(default_namespace, (HasCommands, MainScreen)) and isinstance(action, str):
            reason = default_namespace.refusal(action)
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
        self.run_flow(ask_and_save(self, self.config_editor, saved, event.text, now_ms))

    def on_copy_requested(self, event: CopyRequested) -> None:
        """Copy what a pane or the detail screen asks for."""
        event.stop()
        self.run_flow(self._copy(event.text, event.what, is_secret=event.is_secret), opens=False)

    async def _copy(self, text: str, what: str, *, is_secret: bool) -> None:
        from sprig_tui.console.clipboard import Clipboard

        clipboard = Clipboard(
            self.session.dependencies.paths.state_dir, self.copy_to_clipboard, elsewhere=self.permissions.browser
        )
        result = await clipboard.copy(text, is_secret=is_secret)
        (notify if result.route else notify_warning)(self, result.message(what))

    # -- commands -----------------------------------------------------------------------------------------------------

    @property
    def shows_panes(self) -> bool:
        """Whether the main screen is in front."""
        return self.screen is self.main

    def place_notices(self) -> None:
        """Keep notices off the newest deliveries."""
        if self.main.is_mounted:
            self.main.place_notices()

    def focused_scope(self) -> str:
        """The scope of the focused pane; empty where none has the focus."""
        return self.main.focused_scope()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Hide the commands about panes while another screen is in front."""
        if action in _PANE_ACTIONS and not self.shows_panes:
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
        self.run_flow(self._run_typed_command())

    async def _run_typed_command(self) -> None:
        from sprig_tui.console.commands.registry import RecordScreen, palette_entries
        from sprig_tui.console.screens.command_line import CommandLineScreen, record_number

        place: object = self.screen
        entries = palette_entries(place, self)
        counts_records = isinstance(place, RecordScreen)
        dialog = CommandLineScreen(entries, self._command_history, counts_records=counts_records)
        if self.size.height < MIN_ROWS_BESIDE_NOTICES:
            self.clear_notifications()
        if (typed := await self.push_screen_wait(dialog)) is None:
            return
        if isinstance(place, RecordScreen) and (number := record_number(typed)) is not None:
            if problem := place.go_to_record(number):
                notify_warning(self, problem)
            return
        await next(entry for entry in entries if entry.name == typed).run()

    def action_begin_journal(self) -> None:
        if not self.session.start_new_journal():
            notify(self, "the journal is there; nothing to do")

    def action_help(self) -> None:
        from sprig_tui.console.screens.help import help_for

        self.push_screen(help_for(self._place(), self.preferences.keymap, self.get_key_display))

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
        from sprig_tui.console.keyboard.advice import close_hint

        if self.screen is self.main:
            notify(self, f"{self.shown_key(app_commands.Quit)} or ctrl+q quits")
        else:
            notify(self, f"{close_hint(self)} goes back; ctrl+q quits")

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

    def paste_refusal(self, text: str) -> str:
        """Also refuses a secret in a field that shows it, and remembers it."""
        from sprig_tui.config.secret_shapes import certain_secret
        from sprig_tui.console.keyboard.advice import secret_in_field_advice

        if (kind := certain_secret(text)) is not None:
            return secret_in_field_advice(self, kind)
        return super().paste_refusal(text)

    def refuse_oversized_paste(self, size: int) -> None:
        """Report a paste that was too long to be kept."""
        notify_warning(self, f"the paste was left out: it has {size:,} characters; save it as a file, and open that")

    def action_leave(self) -> None:
        edited = self.main.payload.edited if "payload" in self.main.panes else 0
        if edited and not self._leaving and not self._asks_about_edits:
            self.run_flow(self._ask_about_edits(edited))
            return
        self.leave()

    async def _ask_about_edits(self, edited: int) -> None:
        """Leave if the user agrees that edits which were not sent are lost; ctrl+q meanwhile leaves at once."""
        from sprig_tui.console.widgets.dialogs import ask_confirmation

        records = "1 record" if edited == 1 else f"{edited:,} records"
        text = "It was edited and not sent, and the edit is kept nowhere else." if edited == 1 else ""
        text = text or "They were edited and not sent, and the edits are kept nowhere else."
        self._asks_about_edits = True
        try:
            if await ask_confirmation(self, f"Leave without sending {records}?", text, yes="Leave"):
                self.leave()
        finally:
            self._asks_about_edits = False

    def leave(self) -> None:
        """Leave after the requests in flight, without a question; called twice, leave at once."""
        if self._leaving:
            self.exit(0)
            return
        self.main.save_state()
        self._leaving = True
        self.run_worker(self._leave(), exit_on_error=False)

    def hang_up(self) -> None:
        """Leave: the terminal is gone. SIGHUP may report the same, which must not count as a second call of `leave`."""
        if not self._leaving:
            self.leave()

    async def _leave(self) -> None:
        closing = asyncio.ensure_future(self._background.stop())
        done, _ = await asyncio.wait((closing,), timeout=0.3)
        if not done:
            notify(self, "finishing the requests in flight; q again aborts them, nothing is lost")
            await closing
        self.exit(0, message=self.session.queued_at_close_text())

    # -- screenshots ---------------------------------------------------------------------------------------------------

    def deliver_screenshot(
        self,
        filename: str | None = None,
        path: str | None = None,
        time_format: str | None = None,  # noqa: ARG002 - Textual's own word
    ) -> str | None:
        """Save a screenshot in a folder that exists, and name the file; Textual requires a Downloads folder."""
        from sprig_tui.console.screenshot import save_screenshot

        if self.permissions.browser:
            notify_warning(self, "a console in a browser writes no file: the browser can save its page")
            return None
        state_dir = self.session.dependencies.paths.state_dir
        saved, fault = save_screenshot(self.export_screenshot(), filename, path, state_dir=state_dir)
        if saved is None:
            notify_warning(self, f"the screenshot was not saved: {fault}")
        else:
            notify(self, f"the screenshot is in {saved}")
        return None

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        """Draw the screen as Textual does, but with revealed keys masked."""
        self.main.environments.hide_key()
        return super().export_screenshot(title=title, simplify=simplify)

    def fatal_error_text(self, error: BaseException | None) -> str:
        """Log the traceback, and return a sentence for the shell."""
        self._background.start_log()
        _log.critical("unexpected fault, the console ended", exc_info=error)
        return (
            f"sprig-tui: unexpected fault: {type(error).__name__}; what was journaled is safe, and the next start"
            f" resumes with it\n  details are in {self.session.dependencies.paths.log_file}"
        )
