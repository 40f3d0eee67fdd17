"""Main screen: three panes, the handlers of their messages, and the commands that concern several of them."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Coroutine, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, TypeAlias, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.reactive import Reactive, reactive
from textual.widget import Widget
from textual.widgets import Input, Static
from textual.worker import Worker

from sprig_tui.console.commands import app as app_commands
from sprig_tui.console.commands import panes as pane_commands
from sprig_tui.console.commands.base import SCOPE_TITLES, Command
from sprig_tui.console.commands.payload import SendRecord
from sprig_tui.console.environments.pane import EnvironmentPane
from sprig_tui.console.environments.warnings import DEMO_REJECTION_TEXT, WarningList
from sprig_tui.console.notify import notify, notify_warning
from sprig_tui.console.pane_area import PaneArea
from sprig_tui.console.screen_state import ScreenState
from sprig_tui.console.snapshot import ConsoleSnapshot, SnapshotPoller
from sprig_tui.console.status_line import StatusLine, badge
from sprig_tui.console.textual_private import PatientScreen
from sprig_tui.console.widgets.key_bar import KeyBar
from sprig_tui.delivery.hold import HELD_FILTER

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.console.chosen_delivery import ChosenDelivery
    from sprig_tui.console.console_app import ConsoleApp
    from sprig_tui.console.deliveries.log import DeliveryLog
    from sprig_tui.console.late_panes import LatePanes
    from sprig_tui.console.opened_screens import OpenedScreens
    from sprig_tui.console.payload.inspector import PayloadInspector
    from sprig_tui.console.payload.records.record_list import RecordList
    from sprig_tui.console.payload.send_requests import CompareRequested, SendAllRequested, SendRequested
    from sprig_tui.console.sending.actions import SendActions
    from sprig_tui.console.session import Session
    from sprig_tui.console.widgets.columns import ChosenColumn

MIN_WIDE_CELLS = 116
"""From this width on Environments and Payload stand side by side: Payload then has what it has on 80 columns."""
UNZOOM = Binding("escape", "unzoom", show=False, priority=True)

Pane: TypeAlias = "EnvironmentPane | PayloadInspector | DeliveryLog"


class MainScreen(PatientScreen[None]):
    """Environments, Payload and Deliveries; panes post messages, and only this screen connects them."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (MIN_WIDE_CELLS, "-wide")]  # noqa: RUF012 - as Textual declares it
    VERTICAL_BREAKPOINTS = [(0, "-short"), (15, "-tall")]  # noqa: RUF012 - as Textual declares it
    BINDINGS: ClassVar[list[BindingType]] = [*map(pane_commands.screen_binding, pane_commands.SHARED.values()), UNZOOM]
    AUTO_FOCUS = ""

    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """Textual repaints the whole screen where the focus moves; the styles of what has it repaint their widgets."""
    snapshot: reactive[ConsoleSnapshot] = reactive(ConsoleSnapshot(), repaint=False)
    zoomed: reactive[str] = reactive("", repaint=False)
    """The scope of the pane that has the whole screen; empty for none."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        # nobody asks for the states of its workers, and each page of the log has one
        self.disable_messages(Worker.StateChanged)
        self.session = session
        self._remembered = ScreenState(self, session)
        self._explained_rejection = False
        self._warnings = WarningList(session)
        self.status = StatusLine(badge(session.dependencies.label, session.permissions))
        self.area = PaneArea()
        self.environments = EnvironmentPane(session)
        self.payload: PayloadInspector
        self.deliveries: DeliveryLog
        self._late: LatePanes
        self._chosen: ChosenDelivery
        self._opened: OpenedScreens
        self.panes: dict[str, Pane] = {"environments": self.environments}
        """By scope; Payload and Deliveries are added by `mount_panes`."""

    @property
    def console(self) -> ConsoleApp:
        """The app."""
        return cast("ConsoleApp", self.app)

    def compose(self) -> ComposeResult:
        """Status line, panes, key bar."""
        yield self.status
        with self.area:
            with Container(id="upper"):
                yield self.environments
                yield self._placeholder("payload")
            yield self._placeholder("deliveries")
        yield KeyBar()

    def _placeholder(self, scope: str) -> Static:
        """Empty frame in the place of a pane that is mounted later."""
        frame = Static(id=f"{scope}-room", classes="pane")
        frame.border_title = SCOPE_TITLES[scope]
        return frame

    def on_mount(self) -> None:
        """Show the environments of the config."""
        self._remembered.read()
        self.environments.selected = self._remembered.first_environment()
        self.snapshot = SnapshotPoller(self.session).build()
        if self._remembered.first_pane() == "environments":
            self.environments.focus()

    async def mount_panes(self) -> None:
        """Mount the Payload and Deliveries panes; their code is loaded after the first paint."""
        await asyncio.to_thread(importlib.import_module, "sprig_tui.console.late_panes")
        from sprig_tui.console.chosen_delivery import ChosenDelivery
        from sprig_tui.console.late_panes import LatePanes
        from sprig_tui.console.opened_screens import OpenedScreens

        self._late = LatePanes(self.session)
        self.payload, self.deliveries = self._late.payload, self._late.deliveries
        self._chosen = ChosenDelivery(self, self.session, self.deliveries, self.payload)
        self._opened = OpenedScreens(self)
        self.payload.flows.is_stale = self._chosen.is_stale
        with self.app.batch_update():
            self.console.load_styles()
            await self.query_one("#payload-room").remove()
            await self.query_one("#upper").mount(self.payload)
            await self.query_one("#deliveries-room").remove()
            await self.query_one("#panes").mount(self.deliveries)
        self.panes |= {"payload": self.payload, "deliveries": self.deliveries}
        self.payload.environment = self.environments.selected
        self.use_settings(self.session.settings)
        self._remembered.restore()
        if self.console.files:
            self.payload.show_file(self.console.files)
        if self.focused is None:
            self.focus_pane(self._remembered.first_pane())
        self.refresh_bindings()
        self._remembered.start()

    def frame_waits(self) -> bool:
        """Let rows of the log wait for the payload of the one that was chosen, if it comes at once."""
        return "deliveries" in self.panes and self._chosen.frame_waits()

    def save_state(self) -> None:
        """Keep what is shown for the next start."""
        self._remembered.save()

    def use_settings(self, settings: Settings) -> None:
        """Apply changed settings to the panes."""
        if "deliveries" in self.panes:
            self._late.use_settings(settings)
            self.use_columns(self.console.preferences.columns)
        self.show_warnings()

    def use_columns(self, columns: Mapping[str, tuple[ChosenColumn, ...]]) -> None:
        """Show the columns of the user in both lists."""
        self._late.use_columns(columns)

    def use_journal(self) -> None:
        """Give the Deliveries pane the journal that is open now, or None."""
        self.deliveries.journal = self.session.journal

    def on_descendant_focus(self) -> None:
        """Give the focused pane most of the room on a small screen."""
        self._fit_panes()
        if "deliveries" in self.panes:
            self._chosen.stop_following_if_read()

    def on_resize(self) -> None:
        # Textual sets the classes of the new size after this handler, and below a dialog no second event follows
        self.call_next(self._on_new_size)

    def _on_new_size(self) -> None:
        self._fit_panes()
        self._show_trouble()

    def _fit_panes(self) -> None:
        if (self.has_class("-narrow") or self.has_class("-short")) and (scope := self.focused_scope()):
            self.update_classes({f"-at-{other}": other == scope for other in self.panes})
        self.area.fit()

    # -- snapshots and warnings ---------------------------------------------------------------------------------------

    def watch_snapshot(self, snapshot: ConsoleSnapshot) -> None:
        """Pass the snapshot to the widgets, which repaint only what differs."""
        self.status.snapshot = snapshot
        if snapshot.failed and not self._explained_rejection and not self.session.permissions.config:
            self._explained_rejection = True
            notify(self.app, DEMO_REJECTION_TEXT)
        self.environments.environments = snapshot.environments
        if "deliveries" in self.panes:
            self.deliveries.held_environments = frozenset(view.name for view in snapshot.environments if view.hold)
        self.show_warnings()

    def show_warnings(self) -> None:
        """Show the warnings about the session, the config and the payload."""
        editor = self.console.config_editor
        self.environments.warnings = self._warnings.collect(
            self.snapshot.trouble, (editor.fault, editor.missing), self.console.preferences.warnings
        )
        self.status.config_is_held = bool(editor.fault)
        self._show_trouble()

    def _show_trouble(self) -> None:
        """Show the session's trouble in the log where the screen has no other room for it."""
        if "deliveries" in self.panes:
            # on a narrow screen the Environments pane is folded, and the status line too short for the next step
            self.deliveries.trouble = self.snapshot.trouble if self.has_class("-narrow") else ""

    # -- commands -----------------------------------------------------------------------------------------------------

    def offered_commands(self) -> Sequence[type[Command]]:
        """Commands of the focused pane, then of the others, then of the console."""
        near = self.focused_scope()
        listed = "payload" in self.panes and self.payload.listing.shown
        offered = [command for command in pane_commands.PANE_COMMANDS if listed or command.scope != "records"]
        ordered = sorted(offered, key=lambda command: command.scope != near)
        return [*ordered, *app_commands.COMMANDS]

    def saved_filters(self) -> Mapping[str, str]:
        """The saved filters by name, for the palette."""
        return self.deliveries.saved_filters if "deliveries" in self.panes else {}

    async def use_saved_filter(self, name: str) -> None:
        """Filter the deliveries by a saved filter."""
        self.filter_deliveries(f"@{name}")

    def resize_pane(self, *, larger: bool) -> None:
        """Make the focused pane larger or smaller."""
        if (pane := self.focused_place()) is not None:
            self.area.resize(pane, larger=larger)

    def go_to_record(self, number: int) -> str:
        """Show a record of the open file; returns why there is none."""
        if "payload" not in self.panes:
            return pane_commands.STILL_LOADING
        if reason := self.payload.refusal("go_to_record"):
            return reason
        self.focus_pane("payload")
        self.payload.go_to_record(number)
        return ""

    def focused_scope(self) -> str:
        """The scope of the focused pane; empty where none has the focus."""
        if self.focused is None:
            return ""
        for scope, pane in self.panes.items():
            if pane in self.focused.ancestors_with_self:
                return scope
        return ""

    async def run_command(self, command: type[Command]) -> None:
        """Run a command from the palette, whichever pane has the focus."""
        await self.app.run_action(command.action(), self._place_of(command.scope) or self.app)

    def _place_of(self, scope: str) -> Pane | RecordList | None:
        """The pane or the list that has the commands of a scope."""
        if scope == "records":
            return self.payload.records if "payload" in self.panes and self.payload.records.is_attached else None
        return self.panes.get(scope)

    def focused_place(self) -> Pane | RecordList | None:
        """The pane or the list that has the focus."""
        scope = self.focused_scope()
        if scope == "payload" and self.payload.listing.has_focus:
            return self.payload.records
        return self.panes.get(scope)

    async def action_forward(self, name: str) -> None:
        """Run a pane's command whose key was pressed in another pane."""
        command = pane_commands.SHARED[name]
        if command is SendRecord and self.focused_scope() != command.scope:
            # a record that may not be visible is not sent
            self.focus_pane(command.scope)
            key = self.console.shown_key(command)
            notify_warning(self.app, f"this is the record that {key} sends: press it again")
            return
        await self.run_command(command)

    @property
    def log_lines(self) -> Widget | None:
        """The rows of the log, where they are on the screen."""
        if "deliveries" not in self.panes or not self.deliveries.lines.region:
            return None
        return self.deliveries.lines

    def watch_zoomed(self) -> None:
        """Set a class `-zoom-SCOPE` for the style sheets."""
        self.update_classes({f"-zoom-{scope}": scope == self.zoomed for scope in SCOPE_TITLES})
        if self.is_mounted:
            self.area.fit()

    def action_unzoom(self) -> None:
        self.zoomed = ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Ask the pane that the key belongs to; escape unzooms only where no text is typed."""
        if action == "unzoom":
            return bool(self.zoomed) and not isinstance(self.focused, Input) and not self._is_escape_of_payload()
        forwarded = pane_commands.SHARED.get(str(parameters[0])) if action == "forward" else None
        command = forwarded or pane_commands.command_of(f"screen.{action}")
        if command is not None:
            pane = pane_commands.runner(command, self.panes)
            return pane.check_action(command.action(), ()) if pane else None
        return super().check_action(action, parameters)

    def _is_escape_of_payload(self) -> bool:
        return self.focused_scope() == "payload" and self.payload.listing.goes_back

    def refusal(self, action: str) -> str:
        """Why a pane's command cannot be used now; empty when it can."""
        command = pane_commands.command_of(action)
        if command is None:
            return ""
        pane = pane_commands.runner(command, self.panes)
        return pane.refusal(command.action()) if pane else pane_commands.STILL_LOADING

    def unasked_command(self, action: str) -> type[Command] | None:
        """The command of a pane that this screen runs, where it can be used now and acts without a question."""
        command = pane_commands.RUN_BY_SCREEN.get(action)
        pane = self.panes.get(command.scope) if command else None
        return pane.unasked_command(action) if pane else None

    def focus_pane(self, scope: str) -> None:
        """Focus a pane."""
        pane = self.panes.get(scope)
        if pane is None:
            return
        if self.zoomed != scope:
            self.zoomed = ""
        # set_focus acts at once, Widget.focus after queued messages: keys typed ahead are for the new pane
        self.set_focus(pane if isinstance(pane, EnvironmentPane) else pane.focused_lines)

    # -- Environments -------------------------------------------------------------------------------------------------

    @cached_property
    def _send_actions(self) -> SendActions:
        from sprig_tui.console.sending.actions import SendActions

        return SendActions(self.app, self.session)

    @on(EnvironmentPane.EnvironmentSelected)
    def _on_environment_selected(self, event: EnvironmentPane.EnvironmentSelected) -> None:
        self.status.selected = event.name
        if "payload" in self.panes:
            self.payload.environment = event.name
            self._look_at_payload()

    def action_show_queue(self) -> None:
        """Show what is held, or what is queued where nothing is."""
        if (view := self.environments.current) is not None:
            self.filter_deliveries(f"{HELD_FILTER if view.hold else 'status:queued'} env:{view.name}")

    def action_pull_answers(self) -> None:
        from sprig_tui.console.pulling import PullActions

        actions = PullActions(self.app, self.session, self.console.config_editor)
        self.console.flows.run(self._after_send(actions.pull(self.environments.selected)))

    def action_reconcile(self) -> None:
        self._opened.reconcile()

    def action_insight(self) -> None:
        self._opened.insight()

    def action_set_up(self) -> None:
        self._opened.set_up()

    def filter_deliveries(self, text: str | None) -> None:
        """Show the deliveries that a filter text matches."""
        if text:
            self.focus_pane("deliveries")
            self.deliveries.use_filter(text)

    def on_paste(self, event: events.Paste) -> None:
        """Open pasted records, or a file dropped on the terminal, whichever pane has the focus; explain what else."""
        event.stop()
        if "payload" not in self.panes:
            notify_warning(self.app, pane_commands.STILL_LOADING)
            return
        pasted = self.payload.open_pasted(event.text)
        if pasted.opens:
            self.focus_pane("payload")
        else:
            from sprig_tui.console.keyboard.advice import paste_advice

            notify_warning(self.app, paste_advice(self.console, pasted))

    # -- Payload and Deliveries ---------------------------------------------------------------------------------------

    def on_delivery_log_delivery_selected(self, event: DeliveryLog.DeliverySelected) -> None:
        """Show the selected delivery; only a key or a click replaces a record of a file."""
        event.stop()
        self._chosen.show(event, has_files=bool(self.console.files))

    def on_delivery_log_repair_requested(self) -> None:
        """Show the record of the delivery under the cursor, mapped again, with the cursor on what it lacks."""
        self.focus_pane("payload")
        self.payload.repair()

    def on_payload_inspector_compare_requested(self, event: CompareRequested) -> None:
        """Fetch the delivery that the shown one was made of, and compare."""
        from sprig_tui.console.payload.origin_comparison import show_comparison

        self.console.flows.run(show_comparison(self.app, self.session.journal, event))

    def on_payload_inspector_record_shown(self, event: PayloadInspector.RecordShown) -> None:
        """Warn of a payload of another environment, and show what can be sent."""
        event.stop()
        self._look_at_payload()

    def _look_at_payload(self) -> None:
        self._late.hint_at_file()
        shown = self.payload.inspection
        if self._warnings.look_at(shown.record if shown else None, self.environments.selected):
            self.show_warnings()

    def on_payload_inspector_laid_out(self) -> None:
        """Give the list of records its size beside the record."""
        self.area.fit()

    def on_payload_inspector_send_requested(self, event: SendRequested) -> None:
        """Send some records."""
        self.console.flows.run(self._send(event))

    async def _send(self, event: SendRequested) -> None:
        if await self._send_actions.send_requested(event, self.environments.selected):
            self.payload.editing.forget_sent(event)
        self.deliveries.wake()

    def on_payload_inspector_send_all_requested(self, event: SendAllRequested) -> None:
        """Send the records of some files."""
        work = self._send_actions.send_all_requested(event, self.environments.selected)
        self.console.flows.run(self._after_send(work))

    async def _after_send(self, work: Coroutine[None, None, None]) -> None:
        await work
        self.deliveries.wake()

    def on_delivery_log_queued(self) -> None:
        """Wake the engine: deliveries were queued again."""
        if self.session.engine is not None:
            self.session.engine.wake()
