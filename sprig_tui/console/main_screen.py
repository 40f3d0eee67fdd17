"""Main screen: three panes, the handlers of their messages, and the actions of the Environments pane."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Coroutine, Mapping, Sequence
from functools import cached_property, partial
from time import monotonic
from typing import TYPE_CHECKING, ClassVar, TypeAlias, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.reactive import Reactive, reactive
from textual.widget import Widget
from textual.widgets import Input, Static

from sprig_tui.console.commands import app as app_commands
from sprig_tui.console.commands.base import SCOPE_TITLES, Command
from sprig_tui.console.commands.environments import SetUp
from sprig_tui.console.commands.panes import PANE_COMMANDS
from sprig_tui.console.commands.payload import SendFile, SendRecord
from sprig_tui.console.environments.pane import EnvironmentPane
from sprig_tui.console.environments.warnings import environment_mismatch, token_warning
from sprig_tui.console.notify import notify, notify_error, notify_warning
from sprig_tui.console.pane_area import PaneArea
from sprig_tui.console.preferences import initial_environment
from sprig_tui.console.screen_state import ScreenState
from sprig_tui.console.snapshot import ConsoleSnapshot, SnapshotPoller
from sprig_tui.console.status_line import StatusLine, badge
from sprig_tui.console.textual_private import PatientScreen
from sprig_tui.console.widgets.key_bar import KeyBar
from sprig_tui.delivery.hold import HELD_FILTER
from sprig_tui.errors import JournalError

if TYPE_CHECKING:
    from sprig_tui.config.paths import Paths
    from sprig_tui.config.settings import Settings
    from sprig_tui.console.console_app import ConsoleApp
    from sprig_tui.console.deliveries.log import DeliveryLog
    from sprig_tui.console.environments.actions import EnvironmentActions
    from sprig_tui.console.insight.screen import InsightView
    from sprig_tui.console.payload.inspection import PlanCheck
    from sprig_tui.console.payload.inspector import PayloadInspector
    from sprig_tui.console.payload.records.record_list import RecordList
    from sprig_tui.console.payload.send_requests import CompareRequested, SendAllRequested, SendRequested
    from sprig_tui.console.sending.actions import SendActions
    from sprig_tui.console.session import Session
    from sprig_tui.console.setup.results import SetupResult
    from sprig_tui.console.setup.screen import SetupScreen
    from sprig_tui.console.widgets.columns import ChosenColumn


MIN_WIDE_CELLS = 116
"""From this width on Environments and Payload stand side by side: Payload then has what it has on 80 columns."""
MAX_FRAME_WAIT_S = 0.05
"""Longest time that a frame with the cursor waits for the payload."""
UNZOOM = Binding("escape", "unzoom", show=False, priority=True)
DEMO_REJECTION_TEXT = (
    "one of the samples is rejected on purpose: its request was split until the sample was alone,\n"
    "so the deliveries beside it took several requests; /status:failed shows it"
)

_SHARED_COMMANDS = {command.id: command for command in PANE_COMMANDS if command.on_main_screen}
_SCREEN_COMMANDS = {command.action(): command for command in PANE_COMMANDS if command.namespace == "screen"}


def _screen_binding(command: type[Command]) -> Binding:
    action = command.action() if command.namespace else f"forward('{command.id}')"
    return Binding(command.key, action, command.label, show=command.in_bar, id=command.id)


def _pane_command(action: str) -> type[Command] | None:
    """The pane's command behind an action of this screen, with its namespace and parameters."""
    return _SCREEN_COMMANDS.get(action) or _SHARED_COMMANDS.get(action.removeprefix("forward('").removesuffix("')"))


def _make_plan_check(settings: Settings, paths: Paths) -> PlanCheck:
    """The check by stored tracking plans; without a token there is none, and nothing is imported for it."""
    from sprig_tui.console.payload.inspection import no_plan

    if settings.workspace.token is None:
        return no_plan
    from sprig_tui.config.tracking_plans import PlanCache

    return PlanCache(settings, paths).lints


def _load_panes() -> None:
    for module in ("sprig_tui.console.payload.inspector", "sprig_tui.console.deliveries.log"):
        importlib.import_module(module)


Pane: TypeAlias = "EnvironmentPane | PayloadInspector | DeliveryLog"


class MainScreen(PatientScreen[None]):
    """Environments, Payload and Deliveries; panes post messages, and only this screen connects them."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (MIN_WIDE_CELLS, "-wide")]  # noqa: RUF012 - as Textual declares it
    VERTICAL_BREAKPOINTS = [(0, "-short"), (15, "-tall")]  # noqa: RUF012 - as Textual declares it
    BINDINGS: ClassVar[list[BindingType]] = [
        *map(_screen_binding, _SHARED_COMMANDS.values()),
        UNZOOM,
    ]
    AUTO_FOCUS = ""

    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """Textual repaints the whole screen where the focus moves; the styles of what has it repaint their widgets."""
    snapshot: reactive[ConsoleSnapshot] = reactive(ConsoleSnapshot(), repaint=False)
    zoomed: reactive[str] = reactive("", repaint=False)
    """The scope of the pane that has the whole screen; empty for none."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self._remembered = ScreenState(self, session)
        self._explained_rejection = False
        self._frame_waits_since = 0.0
        """When the frame that is due was first held back; 0 for none."""
        self._late_choice = 0
        """The choice in the log whose payload took too long for one frame with it."""
        self._payload_warning = ""
        """Warning about the payload shown."""
        self.status = StatusLine(badge(session.dependencies.label, session.permissions))
        self.area = PaneArea()
        self.environments = EnvironmentPane(id="environments", classes="pane")
        self.payload: PayloadInspector
        self.deliveries: DeliveryLog
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
        last = self._remembered.state.environment
        self.environments.selected = initial_environment(last, self.session.settings.environments)
        self.snapshot = SnapshotPoller(self.session).build()
        if self._first_pane() == "environments":
            self.environments.focus()

    def _first_pane(self) -> str:
        """The pane to focus: Payload with a file, Environments without a key, else the last one, or Deliveries."""
        if self.console.files:
            return "payload"
        keys = any(environment.write_key for environment in self.session.settings.environments.values())
        if not keys:
            return "environments"
        last = self._remembered.state.pane
        return last if last in ("environments", "payload") else "deliveries"

    async def mount_panes(self) -> None:
        """Mount the Payload and Deliveries panes; their code is loaded after the first paint."""
        await asyncio.to_thread(_load_panes)
        from sprig_tui.console.deliveries.log import DeliveryLog
        from sprig_tui.console.payload.inspector import PayloadInspector
        from sprig_tui.webhooks.capture_folders import capture_folders

        core = self.session
        self.payload = PayloadInspector(state_dir=core.dependencies.paths.state_dir, clock=core.clock, id="payload")
        self.deliveries = DeliveryLog(clock=core.clock, id="deliveries")
        self.deliveries.forgets.state_dir = core.dependencies.paths.state_dir
        self.deliveries.forgets.capture_folders = lambda: capture_folders(core.dependencies.paths.state_dir)
        self.payload.flows.is_stale = self._is_payload_stale
        self.payload.add_class("pane")
        self.deliveries.add_class("pane")
        with self.app.batch_update():
            self.console.load_styles()
            await self.query_one("#payload-room").remove()
            await self.query_one("#upper").mount(self.payload)
            await self.query_one("#deliveries-room").remove()
            await self.query_one("#panes").mount(self.deliveries)
        self.panes |= {"payload": self.payload, "deliveries": self.deliveries}
        self.payload.environment = self.environments.selected
        self.use_settings(core.settings)
        self._remembered.restore()
        if self.console.files:
            self.payload.show_file(self.console.files)
        if self.focused is None:
            self.focus_pane(self._first_pane())
        self.refresh_bindings()
        self._remembered.start()

    def frame_waits(self) -> bool:
        """Let rows of the log wait for the payload of the one that was chosen, if it comes at once."""
        lines = self.deliveries.lines if "deliveries" in self.panes else None
        if lines is None or not lines.has_unshown_choice or lines.choices == self._late_choice:
            self._frame_waits_since = 0.0
            return False
        now = monotonic()
        self._frame_waits_since = self._frame_waits_since or now
        if now - self._frame_waits_since < MAX_FRAME_WAIT_S:
            return True
        self._late_choice = lines.choices
        return False

    def save_state(self) -> None:
        """Keep what is shown for the next start."""
        self._remembered.save()

    def use_settings(self, settings: Settings) -> None:
        """Apply changed settings to the panes."""
        # before the panes map again
        self.payload.check_plan = _make_plan_check(settings, self.session.dependencies.paths)
        self.payload.environments = settings.environments
        self.payload.rules = settings.rules
        self.deliveries.replays.protected = frozenset(
            name for name, one in settings.environments.items() if one.protected
        )
        self.deliveries.replays.endpoints = {name: one.base_url for name, one in settings.environments.items()}
        self.deliveries.environment_names = tuple(settings.environments)
        self.deliveries.saved_filters = self.payload.records.saved_filters = settings.filters
        self.use_columns(self.console.preferences.columns)
        self.show_warnings()

    def use_columns(self, columns: Mapping[str, tuple[ChosenColumn, ...]]) -> None:
        """Show the columns of the user in both lists."""
        self.deliveries.choose_columns(columns.get("columns", ()))
        self.payload.records.lines.choose_columns(columns.get("record_columns", ()))

    def use_journal(self) -> None:
        """Give the Deliveries pane the journal that is open now, or None."""
        self.deliveries.journal = self.session.journal

    def on_descendant_focus(self) -> None:
        """Give the focused pane most of the room on a small screen."""
        self._fit_panes()
        if "deliveries" in self.panes:
            self._stop_following_if_read()

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
        trouble = (self.snapshot.trouble,) if self.snapshot.trouble else ()
        foreign = (self._payload_warning,) if self._payload_warning else ()
        editor = self.console.config_editor
        token = token_warning(self.session.dependencies.paths.state_dir, self.session.settings.workspace)
        others = filter(None, (editor.fault, editor.missing, token))
        self.environments.warnings = (*trouble, *others, *foreign, *self.console.preferences.warnings)
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
        offered = [command for command in PANE_COMMANDS if listed or command.scope != "records"]
        ordered = sorted(offered, key=lambda command: command.scope != near)
        return [*ordered, *app_commands.COMMANDS]

    def saved_filters(self) -> Mapping[str, str]:
        """The saved filters by name, for the palette."""
        return self.deliveries.saved_filters if "deliveries" in self.panes else {}

    async def use_saved_filter(self, name: str) -> None:
        """Filter the deliveries by a saved filter."""
        self.focus_pane("deliveries")
        self.deliveries.use_filter(f"@{name}")

    def resize_pane(self, *, larger: bool) -> None:
        """Make the focused pane larger or smaller."""
        if (pane := self.focused_place()) is not None:
            self.area.resize(pane, larger=larger)

    def go_to_record(self, number: int) -> str:
        """Show a record of the open file; returns why there is none."""
        if "payload" not in self.panes:
            return "the panes are still loading: try again in a moment"
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
        command = _SHARED_COMMANDS[name]
        if command is SendRecord and self.focused_scope() != command.scope:
            # a record that may not be visible is not sent
            self.focus_pane(command.scope)
            key = self.console.shown_key(command)
            notify_warning(self.app, f"this is the record that {key} sends: press it again")
            return
        await self.run_command(command)

    def place_notices(self) -> None:
        """Show notices where they do not cover the newest deliveries: those of a log with few rows are at the top."""
        alone = self.zoomed or (self.has_class("-short") and self.focused_scope())
        is_low = False
        if alone == "deliveries" and "deliveries" in self.panes:
            lines = self.deliveries.lines
            is_low = 2 * lines.count < lines.size.height
        self.set_class(is_low, "-notices-low")

    def watch_zoomed(self) -> None:
        """Set a class `-zoom-SCOPE` for the style sheets."""
        self.update_classes({f"-zoom-{scope}": scope == self.zoomed for scope in SCOPE_TITLES})
        if self.is_mounted:
            self.area.fit()

    def action_unzoom(self) -> None:
        """Show all panes again."""
        self.zoomed = ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Ask the pane that the key belongs to; escape unzooms only where no text is typed."""
        if action == "unzoom":
            return bool(self.zoomed) and not isinstance(self.focused, Input) and not self._is_escape_of_payload()
        command = _SHARED_COMMANDS.get(str(parameters[0])) if action == "forward" else _pane_command(f"screen.{action}")
        if command is not None:
            pane = self.panes.get(command.scope)
            return pane.check_action(command.action(), ()) if pane else None
        return super().check_action(action, parameters)

    def _is_escape_of_payload(self) -> bool:
        return self.focused_scope() == "payload" and self.payload.listing.goes_back

    def refusal(self, action: str) -> str:
        """Why a pane's command cannot be used now; empty when it can."""
        command = _pane_command(action)
        pane = self.panes.get(command.scope) if command else None
        return pane.refusal(command.action()) if command and pane else ""

    def unasked_command(self, action: str) -> type[Command] | None:
        """The command of a pane that this screen runs, where it can be used now and acts without a question."""
        command = _SCREEN_COMMANDS.get(action)
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
    def _environment_actions(self) -> EnvironmentActions:
        from sprig_tui.console.environments.actions import EnvironmentActions

        return EnvironmentActions(self.app, self.session, self.console.config_editor)

    def _send_actions(self) -> SendActions:
        from sprig_tui.console.sending.actions import SendActions

        return SendActions(self.app, self.session)

    @on(EnvironmentPane.EnvironmentSelected)
    def _on_environment_selected(self, event: EnvironmentPane.EnvironmentSelected) -> None:
        self.status.selected = event.name
        if "payload" in self.panes:
            self.payload.environment = event.name
            self._look_at_payload()

    def action_add_key(self) -> None:
        self.console.flows.run(self._environment_actions.add_key(self.environments.selected))

    def action_remove_key(self) -> None:
        self.console.flows.run(self._environment_actions.remove_key(self.environments.selected))

    def action_test_event(self) -> None:
        self.console.flows.run(self._environment_actions.send_test_event(self.environments.selected))

    def action_pause_or_resume(self) -> None:
        if (view := self.environments.current) is not None:
            actions = self._environment_actions
            self.console.flows.run(actions.resume(view.name) if view.paused_or_waiting else actions.hold(view.name))

    def action_hold(self) -> None:
        self.console.flows.run(self._environment_actions.hold(self.environments.selected))

    def action_show_queue(self) -> None:
        """Show what is held, or what is queued where nothing is."""
        if (view := self.environments.current) is not None:
            self._filter_deliveries(f"{HELD_FILTER if view.hold else 'status:queued'} env:{view.name}")

    def action_edit_environment(self) -> None:
        self.console.flows.run(self._environment_actions.edit(self.environments.selected))

    def action_remove_environment(self) -> None:
        self.console.flows.run(self._environment_actions.remove(self.environments.selected))

    def action_new_environment(self) -> None:
        self.console.flows.run(self._new_environment())

    def action_pull_answers(self) -> None:
        from sprig_tui.console.pulling import PullActions

        actions = PullActions(self.app, self.session, self.console.config_editor)
        self.console.flows.run(self._after_send(actions.pull(self.environments.selected)))

    def action_reconcile(self) -> None:
        from sprig_tui.console.reconcile.screen import ReconcileScreen
        from sprig_tui.reconcile.last_report import load

        last = load(self.session.dependencies.paths)
        screen = ReconcileScreen(self.session, self.deliveries.replays, self.environments.selected, last)
        self.app.push_screen(screen, self._filter_deliveries)

    def action_insight(self) -> None:
        from sprig_tui.console.insight.screen import InsightScreen

        self.app.push_screen(InsightScreen(self.session, self._insight_view), self._filter_deliveries)

    @cached_property
    def _insight_view(self) -> InsightView:
        from sprig_tui.console.insight.screen import InsightView

        return InsightView()

    def action_set_up(self) -> None:
        from sprig_tui.console.setup.screen import SetupScreen

        screen = SetupScreen(
            self.session,
            self.deliveries.replays,
            self.environments.selected,
            has_record=lambda: self.payload.inspection is not None,
        )
        self.app.push_screen(screen, partial(self._after_setup, screen))

    def _after_setup(self, screen: SetupScreen, result: SetupResult | None) -> None:
        """Go on with the environment that was set up, and show what its last action led to."""
        if screen.environment in self.session.settings.environments:
            self.environments.selected = screen.environment
        if result is None:
            notify(self.app, f"{self.console.shown_key(SetUp)} opens the set-up again")
            return
        self._filter_deliveries(result.deliveries_filter)
        if result.files:
            self.payload.show_file(result.files)
        if result.shows_payload:
            self.focus_pane("payload")
            keys = [self.console.shown_key(command) for command in (SendRecord, SendFile, SetUp)]
            notify(self.app, "{} sends this record, {} all of the file; {} goes back to the set-up".format(*keys))

    def _filter_deliveries(self, text: str | None) -> None:
        """Show the deliveries that a filter text matches."""
        if text:
            self.focus_pane("deliveries")
            self.deliveries.use_filter(text)

    def action_reveal_key(self) -> None:
        """Show the whole key, or mask it again."""
        key = self.session.settings.environment(self.environments.selected).write_key
        if self.environments.reveals_key:
            self.environments.hide_key()
        elif key is not None:
            self.environments.focus()
            self.environments.reveal(key.reveal())

    async def _new_environment(self) -> None:
        if name := await self._environment_actions.new():
            self.environments.selected = name

    def on_paste(self, event: events.Paste) -> None:
        """Open pasted records, or a file dropped on the terminal, whichever pane has the focus; explain what else."""
        event.stop()
        if "payload" not in self.panes:
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
        shown = self.payload.detail
        same = shown is not None and shown.delivery.message_id == event.delivery.message_id
        # a delivery whose person was forgotten has another message id, and its content must not stay on the screen
        if same and shown is not None and shown.delivery.id == event.delivery.id and not event.by_person:
            self.payload.update_delivery(event.delivery)
        elif event.by_person or shown is not None or not (self.payload.inspection or self.console.files):
            # keys wait for a delivery chosen by a key, not for one that the log follows
            group = "loading-delivery" if event.by_person else "delivery"
            self.run_worker(self._fetch_delivery(event.delivery.id), exclusive=True, group=group, exit_on_error=False)

    def on_delivery_log_repair_requested(self) -> None:
        """Show the record of the delivery under the cursor, mapped again, with the cursor on what it lacks."""
        self.focus_pane("payload")
        self.payload.repair()

    def on_payload_inspector_compare_requested(self, event: CompareRequested) -> None:
        """Fetch the delivery that the shown one was made of, and compare."""
        from sprig_tui.console.payload.origin_comparison import show_comparison

        self.console.flows.run(show_comparison(self.app, self.session.journal, event))

    async def _fetch_delivery(self, delivery_id: int) -> None:
        if (journal := self.session.journal) is None:
            return
        try:
            detail = await journal.get(delivery_id)
        except JournalError as error:
            self.deliveries.mark_shown(delivery_id)
            notify_error(self.app, error)
            return
        if detail is not None and delivery_id == self.deliveries.lines.selected:
            self.payload.show_delivery(detail)
        self.deliveries.mark_shown(delivery_id)
        self._stop_following_if_read()

    def _stop_following_if_read(self) -> None:
        """Stop following while the Payload pane has the focus: its record must not change meanwhile."""
        if self.focused_scope() == "payload" and self.payload.detail is not None:
            self.deliveries.stop_following()

    def _is_payload_stale(self) -> bool:
        """Whether the log has selected a delivery that the Payload pane does not show yet."""
        shown = self.payload.detail
        selected = self.deliveries.lines.selected
        return self.deliveries.is_selected_stale or bool(shown and selected and shown.delivery.id != selected)

    def on_payload_inspector_record_shown(self, event: PayloadInspector.RecordShown) -> None:
        """Warn of a payload of another environment, and show what can be sent."""
        event.stop()
        self._look_at_payload()

    def _look_at_payload(self) -> None:
        browser = self.payload.navigator.browser
        if browser is not None and not self.payload.refusal("send_file"):
            total = f"{browser.file.count:,}" if browser.file.complete else f"of {browser.file.name}"
            self.deliveries.file_hint = f"S sends all {total}"
        shown = self.payload.inspection
        record = shown.record if shown else None
        selected = self.environments.selected
        before = self._payload_warning
        self._payload_warning = (
            environment_mismatch(
                self.session.settings.environments, selected, record.environment, record.environment_id
            )
            if record is not None
            else ""
        )
        if self._payload_warning != before:
            self.show_warnings()

    def on_payload_inspector_laid_out(self) -> None:
        """Give the list of records its size beside the record."""
        self.area.fit()

    def on_payload_inspector_send_requested(self, event: SendRequested) -> None:
        """Send some records."""
        self.console.flows.run(self._send(event))

    async def _send(self, event: SendRequested) -> None:
        edited = [place is not None for place in event.edits]
        actions, environment = self._send_actions(), self.environments.selected
        if event.origin is None:
            is_sent = await actions.send(event.records, environment, edited=edited, asks=event.marked)
        else:
            (record,), (is_edited,) = event.records, edited
            is_sent = await actions.send_changed(record, environment, edited=is_edited, origin=event.origin)
        if is_sent:
            self.payload.editing.forget_sent(event)
        self.deliveries.wake()

    def on_payload_inspector_send_all_requested(self, event: SendAllRequested) -> None:
        """Send the records of some files."""
        counted = event.total if event.complete or event.so_far else 0
        work = self._send_actions().send_files(
            event.sources,
            f"{event.name} so far" if event.so_far else event.name,
            self.environments.selected,
            counted=counted,
            edited=event.edited,
            listed=event.listed,
            limit=event.total if event.so_far else None,
        )
        self.console.flows.run(self._after_send(work))

    async def _after_send(self, work: Coroutine[None, None, None]) -> None:
        await work
        self.deliveries.wake()

    def on_delivery_log_queued(self) -> None:
        """Wake the engine: deliveries were queued again."""
        if self.session.engine is not None:
            self.session.engine.wake()
