"""The main screen: three panes, and the handlers that tie them together."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.reactive import reactive
from textual.screen import Screen

from sprig_tui.console import console_commands
from sprig_tui.console.catalogue import PANE_COMMANDS
from sprig_tui.console.commands import Command, Commanded
from sprig_tui.console.deliveries.log import DeliveryLog
from sprig_tui.console.environments.doubts import foreign_payload
from sprig_tui.console.environments.pane import EnvironmentPane
from sprig_tui.console.key_bar import KeyBar
from sprig_tui.console.notices import tell_fault
from sprig_tui.console.payload.inspector import PayloadInspector
from sprig_tui.console.status_line import StatusLine
from sprig_tui.console.vitals import Vitals
from sprig_tui.errors import JournalError

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.console.app import SprigTui
    from sprig_tui.console.core import Core

_EVERYWHERE = {command.id: command for command in PANE_COMMANDS if command.everywhere}


class MainScreen(Screen[None]):
    """Environments, Payload, Deliveries; widgets send messages up, only this screen ties them together."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - as Textual declares it
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(command.key, f"forward('{command.id}')", command.label, show=command.in_bar, id=command.id)
        for command in _EVERYWHERE.values()
    ]
    AUTO_FOCUS = ""

    vitals: reactive[Vitals] = reactive(Vitals(), repaint=False)

    def __init__(self, core: Core) -> None:
        super().__init__()
        self._core = core
        self._foreign = ""
        """The warning about the payload in sight."""
        self.status = StatusLine(core.sources.label)
        self.environments = EnvironmentPane(id="environments")
        self.payload = PayloadInspector(state_dir=core.sources.paths.state_dir, clock=core.clock, id="payload")
        self.deliveries = DeliveryLog(clock=core.clock, id="deliveries")
        self.panes: dict[str, Commanded] = {
            "environments": self.environments,
            "payload": self.payload,
            "deliveries": self.deliveries,
        }

    @property
    def console(self) -> SprigTui:
        """The app, as what it is."""
        from sprig_tui.console.app import SprigTui

        assert isinstance(self.app, SprigTui)  # noqa: S101 - no other app shows this screen
        return self.app

    def compose(self) -> ComposeResult:
        """Status line, panes, key bar."""
        yield self.status
        with Container(id="panes"):
            with Container(id="upper"):
                yield self.environments
                yield self.payload
            yield self.deliveries
        yield KeyBar()

    def on_mount(self) -> None:
        """Frames for the panes; begin where there is something to do."""
        for pane in (self.environments, self.payload, self.deliveries):
            pane.add_class("pane")
        self.use(self._core.settings)
        first = "deliveries"
        if not any(one.write_key for one in self._core.settings.environments.values()):
            first = "environments"
        if self.console.files:
            first = "payload"
            self.payload.show_file(self.console.files)
        self.focus_pane(first)

    def use(self, settings: Settings) -> None:
        """Go on with these settings."""
        self.payload.environments = settings.environments
        self.payload.rules = settings.rules
        self.deliveries.protected = frozenset(name for name, one in settings.environments.items() if one.protected)
        self.deliveries.environment_names = tuple(settings.environments)
        self.show_doubts()

    def use_journal(self) -> None:
        """The journal was opened, or closed."""
        self.deliveries.journal = self._core.journal

    def on_descendant_focus(self) -> None:
        """On narrow screens the pane with the focus gets most of the room."""
        scope = self.focused_scope()
        for other in self.panes:
            self.set_class(other == scope, f"-at-{other}")

    # -- what moves ---------------------------------------------------------------------------------------------------

    def watch_vitals(self, vitals: Vitals) -> None:
        """Hand the picture on; each widget repaints only what differs."""
        self.status.vitals = vitals
        self.environments.environments = vitals.environments
        self.show_doubts()

    def show_doubts(self) -> None:
        """Warnings: trouble now, the config, the payload in view."""
        trouble = (self.vitals.trouble,) if self.vitals.trouble else ()
        foreign = (self._foreign,) if self._foreign else ()
        self.environments.doubts = (*trouble, *foreign, *self.console.doubts)

    # -- commands -----------------------------------------------------------------------------------------------------

    def offered_commands(self) -> Sequence[type[Command]]:
        """Of the focused pane, then of the others, then of the console."""
        near = self.focused_scope()
        ordered = sorted(PANE_COMMANDS, key=lambda command: command.scope != near)
        return [*ordered, *console_commands.COMMANDS]

    def focused_scope(self) -> str:
        """The pane with the focus; empty where none has it."""
        if self.focused is None:
            return ""
        for scope, pane in self.panes.items():
            if pane in self.focused.ancestors_with_self:
                return scope
        return ""

    async def run_command(self, command: type[Command]) -> None:
        """Do a command from the palette, wherever the focus is."""
        await self.app.run_action(command.action(), self.panes.get(command.scope, self.app))

    async def action_forward(self, name: str) -> None:
        """A pane's key, pressed in another pane."""
        await self.run_command(_EVERYWHERE[name])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """As the pane that the key belongs to."""
        if action == "forward" and (command := _EVERYWHERE.get(str(parameters[0]))) is not None:
            return self.panes[command.scope].check_action(command.action(), ())
        return super().check_action(action, parameters)

    def refusal(self, action: str) -> str:
        """Why a pane's key does nothing now."""
        command = _EVERYWHERE.get(action.removeprefix("forward('").removesuffix("')"))
        pane = self.panes[command.scope] if command else None
        return pane.refusal(command.action()) if command and pane else ""

    def focus_pane(self, scope: str) -> None:
        """Go there."""
        pane = self.panes[scope]
        if self.maximized is not None:
            self.minimize()
        pane.focus()  # type: ignore[attr-defined] # every pane is a widget

    # -- Environments -------------------------------------------------------------------------------------------------

    def _do(self, work: Coroutine[None, None, object]) -> None:
        self.console.do(work)

    @on(EnvironmentPane.EnvironmentSelected)
    def _selected(self, event: EnvironmentPane.EnvironmentSelected) -> None:
        self.status.selected = event.name
        self.payload.environment = event.name
        self._judge_payload()

    @on(EnvironmentPane.KeyAddRequested)
    def _add_key(self, event: EnvironmentPane.KeyAddRequested) -> None:
        self._do(self.console.flows.add_key(event.name))

    @on(EnvironmentPane.KeyRemoveRequested)
    def _remove_key(self, event: EnvironmentPane.KeyRemoveRequested) -> None:
        self._do(self.console.flows.remove_key(event.name))

    @on(EnvironmentPane.RevealRequested)
    def _reveal(self, event: EnvironmentPane.RevealRequested) -> None:
        key = self._core.settings.environment(event.name).write_key
        if key is not None:
            self.environments.focus()
            self.environments.reveal(key.reveal())

    @on(EnvironmentPane.TestEventRequested)
    def _test_event(self, event: EnvironmentPane.TestEventRequested) -> None:
        self._do(self.console.flows.test_event(event.name))

    @on(EnvironmentPane.PauseRequested)
    def _pause(self, event: EnvironmentPane.PauseRequested) -> None:
        self._do(self.console.flows.set_lane(event.name, paused=True))

    @on(EnvironmentPane.ResumeRequested)
    def _resume(self, event: EnvironmentPane.ResumeRequested) -> None:
        self._do(self.console.flows.set_lane(event.name, paused=False))

    @on(EnvironmentPane.EditRequested)
    def _edit(self, event: EnvironmentPane.EditRequested) -> None:
        self._do(self.console.flows.edit(event.name))

    @on(EnvironmentPane.NewRequested)
    def _new(self) -> None:
        self._do(self._new_environment())

    async def _new_environment(self) -> None:
        if name := await self.console.flows.new():
            self.environments.selected = name

    @on(EnvironmentPane.RemoveRequested)
    def _remove(self, event: EnvironmentPane.RemoveRequested) -> None:
        self._do(self.console.flows.remove(event.name))

    # -- Payload and Deliveries ---------------------------------------------------------------------------------------

    @on(DeliveryLog.DeliverySelected)
    def _show_delivery(self, event: DeliveryLog.DeliverySelected) -> None:
        self.run_worker(self._fetch_delivery(event.delivery.id), exclusive=True, group="select", exit_on_error=False)

    async def _fetch_delivery(self, delivery_id: int) -> None:
        if (journal := self._core.journal) is None:
            return
        try:
            detail = await journal.get(delivery_id)
        except JournalError as error:
            tell_fault(self.app, error)
            return
        if detail is not None:
            self.payload.show_delivery(detail)

    @on(PayloadInspector.RecordShown)
    def _judge_payload(self) -> None:
        shown = self.payload.inspection
        record = shown.record if shown else None
        selected = self.environments.selected
        self._foreign = (
            foreign_payload(self._core.settings.environments, selected, record.environment, record.environment_id)
            if record is not None
            else ""
        )
        self.show_doubts()

    @on(PayloadInspector.SendRequested)
    def _send(self, event: PayloadInspector.SendRequested) -> None:
        self._do(self._sent(self.console.sending.send(event.records, self.environments.selected, edited=event.edited)))

    @on(PayloadInspector.SendAllRequested)
    def _send_all(self, event: PayloadInspector.SendAllRequested) -> None:
        sending = self.console.sending
        self._do(self._sent(sending.send_files(event.sources, event.name, self.environments.selected)))

    async def _sent(self, work: Coroutine[None, None, None]) -> None:
        await work
        self.deliveries.stir()

    @on(DeliveryLog.Queued)
    def _queued(self) -> None:
        if self._core.engine is not None:
            self._core.engine.wake()
