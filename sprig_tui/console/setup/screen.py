"""Set-up screen: the checklist of one environment, its evidence, and what to do next. Result: what to show, or None."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, ClassVar, cast

from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static
from textual.worker import Worker

from sprig_tui.console.clipboard import CopyRequested
from sprig_tui.console.commands.base import HasCommands, bindings
from sprig_tui.console.commands.environments import SetUp
from sprig_tui.console.commands.setup import COMMANDS, CopySetupCommand, DoStep, OtherWays
from sprig_tui.console.notify import notify, notify_warning
from sprig_tui.console.reconcile.screen import words_content
from sprig_tui.console.screens.progress import with_progress
from sprig_tui.console.session import Session
from sprig_tui.console.setup.actions import SetupActions
from sprig_tui.console.setup.first_start import turn_off
from sprig_tui.console.setup.observation import Observation
from sprig_tui.console.setup.results import SetupResult
from sprig_tui.console.setup.step_list import StepList
from sprig_tui.console.setup.words import StepKeys, progress_title, step_sentences
from sprig_tui.console.widgets.key_bar import KeyBar
from sprig_tui.console.widgets.line_list import LineList
from sprig_tui.console.widgets.panel import Caption
from sprig_tui.errors import SprigTuiError
from sprig_tui.setup.guides import command_line
from sprig_tui.setup.model import ActionKind, Checklist, FindingCode, Step, StepKind, StepState
from sprig_tui.text import one_line, printable

if TYPE_CHECKING:
    from collections.abc import Callable

    from sprig_tui.console.commands.base import Command
    from sprig_tui.console.console_app import ConsoleApp
    from sprig_tui.console.deliveries.replay import ReplayActions

POLL_S = 1.0
"""Seconds between two looks at the journal's counts and the config; everything else is read when they differ."""
ASK_S = 15.0
"""Seconds between two questions to Segment while it has not counted what it took."""


class SetupScreen(HasCommands, Screen[SetupResult]):
    """Shows the checklist and follows the journal while it is open."""

    HELP = (
        "What is done and what is missing until the first answer is counted by Segment, step by step, for one"
        " environment. ✓ is done, · is to do, ! is doubtful, ? cannot be known, and each says why. Enter does what the"
        " step needs next. Nothing is saved, made or sent without a question."
    )
    COMMAND_CLASSES = COMMANDS
    BINDINGS: ClassVar[list[BindingType]] = bindings(COMMANDS)
    AUTO_FOCUS = "StepList"

    def __init__(
        self, session: Session, replays: ReplayActions, environment: str, *, has_record: Callable[[], bool]
    ) -> None:
        """`environment` is shown at first; `has_record` tells whether the Payload pane shows a record."""
        super().__init__()
        self._session = session
        self._replays = replays
        self._has_record = has_record
        self._observation = Observation(session, environment)
        self._checklist: Checklist | None = None
        self._followed: StepKind | None = None
        """The step that the cursor was put on as the next one."""
        self._acted_on: StepKind | None = None
        """The step of the action that just ended, if it was not done before."""
        self._asking: Worker[None] | None = None
        self._answered = asyncio.Event()
        """Set once Segment was asked about this environment, whatever it said."""
        self._asked_at = -ASK_S
        """Monotonic time of the last question to Segment."""
        self._progress = ""
        self._trouble = ""
        """Why Segment was not asked to the end."""
        self._unread = ""
        """Why config or journal could not be read."""
        self._config_fault = ""
        """Why the config on disk is not in use."""
        self._look = asyncio.Event()
        self.steps = StepList()
        self._notice = Caption(classes="setup-notice")
        self._words = Static("", classes="setup-words", markup=False)
        self._scroll = VerticalScroll(self._words, classes="setup-scroll", can_focus=False)
        self._frame = Vertical(self._notice, self.steps, self._scroll, classes="pane setup-frame")

    def compose(self) -> ComposeResult:
        yield self._frame
        yield KeyBar()

    def on_mount(self) -> None:
        """Look at what is here at once, and ask Segment beside that."""
        self._actions = SetupActions(
            self.app,
            self._session,
            self._console_app.config_editor,
            open_counts=self._open_counts,
            has_record=self._has_record,
        )
        # a scroll bar that comes or goes changes the room for the words
        self.watch(self._scroll, "show_vertical_scrollbar", self._show_words, init=False)
        self._show_texts()
        self.run_worker(self._follow(), group="setup-follow", exclusive=True, exit_on_error=False)
        self._ask()

    @property
    def _console_app(self) -> ConsoleApp:
        return cast("ConsoleApp", self.app)

    @property
    def environment(self) -> str:
        """The environment whose checklist is shown."""
        return self._observation.environment

    # -- what is shown -------------------------------------------------------------------------------------------------

    def _show(self) -> None:
        """Show the checklist; the cursor follows the next step until the user moves it."""
        follows = self._checklist is None or self.steps.selected_kind is self._followed or self._has_done_step()
        self._checklist = self._observation.checklist
        self.steps.show(self._checklist)
        if self._checklist is not None and follows:
            self.steps.choose(next_kind(self._checklist))
            self._followed = self.steps.selected_kind
        self._show_texts()
        if self._waits_for_counts and not self.is_asking:
            self._ask()

    def _has_done_step(self) -> bool:
        """Whether the chosen step is done by the action that just ended; what is done later moves no cursor."""
        kind, self._acted_on = self._acted_on, None
        found = self._observation.checklist
        step = next((one for one in found.steps if one.kind is kind), None) if found is not None else None
        return step is not None and step.state is StepState.DONE and self.steps.selected_kind is kind

    def _show_texts(self) -> None:
        titles = ["Set-up", one_line(self.environment, limit=40)]
        if self._checklist is not None:
            titles.append(progress_title(self._checklist))
        self._frame.border_title = Content(" ── ".join(titles))
        self._notice.show(Content(self._notice_text()))
        self._show_words()
        self.refresh_bindings()

    def _notice_text(self) -> str:
        if self._session.journal is None:
            reason = self._session.trouble or "it opens in a moment"
            return f"the journal is not open: {printable(reason, limit=300)}"
        if self.is_asking and self._progress:
            return f"asking Segment … {printable(self._progress, limit=200)}"
        return printable(self._unread or self._config_fault or self._trouble, limit=600)

    def _show_words(self) -> None:
        width = max(20, self._scroll.container_size.width - self._scroll.scrollbar_size_vertical)
        step = self.steps.selected
        if step is None:
            self._words.update("")
        else:
            keys = StepKeys(*(self._key(command) for command in (DoStep, OtherWays, CopySetupCommand)))
            self._words.update(words_content(step_sentences(step, self.environment, keys), width))

    def _key(self, command: type[Command]) -> str:
        return self._console_app.shown_key(command)

    def on_resize(self, event: events.Resize) -> None:
        del event
        self.call_after_refresh(self._show_words)

    @on(LineList.Highlighted)
    def _on_step_highlighted(self, event: LineList.Highlighted) -> None:
        event.stop()
        self._scroll.scroll_home(animate=False)
        self._show_words()

    @on(StepList.Paged)
    def _on_paged(self, event: StepList.Paged) -> None:
        event.stop()
        rows = round(event.pages * max(1, self._scroll.size.height - 1))
        self._scroll.scroll_relative(y=rows, animate=False)

    # -- following -----------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Read what is here whenever the journal's counts or the config differ."""
        while True:
            self._look.clear()
            before = self._unread, self._config_fault
            self._config_fault = self._console_app.config_editor.fault
            try:
                changed = await self._observation.refresh()
                self._unread = ""
            except SprigTuiError as error:
                changed, self._unread = False, f"{error.message}; {error.hint}".rstrip("; ")
            if changed:
                self._show()
            self._acted_on = None
            if not changed and before != (self._unread, self._config_fault):
                self._show_texts()
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._look.wait()

    # -- asking --------------------------------------------------------------------------------------------------------

    @property
    def is_asking(self) -> bool:
        """Whether Segment is being asked."""
        return self._asking is not None and not self._asking.is_finished

    def _ask(self) -> None:
        """Ask Segment, where there is a token; one question at a time."""
        self._trouble = ""
        if self._observation.can_ask:
            self._asking = self.run_worker(
                self._ask_segment(), group="setup-asking", exclusive=True, exit_on_error=False
            )

    async def _ask_segment(self) -> None:
        """Ask once; at a slow pace as long as Segment has not counted what it took."""
        while True:
            await asyncio.sleep(self._pause_s() if self._waits_for_counts else 0)
            self._asked_at = monotonic()
            self._progress = "its sources, destinations and counts"
            self._show_texts()
            try:
                await self._observation.ask(self._show_progress)
            except SprigTuiError as error:
                self._trouble = f"{error.message}; {error.hint}".rstrip("; ")
            self._progress = ""
            self._show()
            self._answered.set()
            # what came meanwhile is newer than what was read before Segment answered
            self._observation.forget()
            self._look.set()
            if not self._waits_for_counts:
                return

    @property
    def _waits_for_counts(self) -> bool:
        """Whether Segment took something that it has not counted yet, and it can be asked."""
        findings = (finding for step in (self._checklist.steps if self._checklist else ()) for finding in step.findings)
        late = any(one.code is FindingCode.COUNTED and one.state is StepState.TODO for one in findings)
        return late and self._observation.can_ask

    def _pause_s(self) -> float:
        """Seconds until Segment may be asked for counts again."""
        return max(0.0, self._asked_at + ASK_S - monotonic())

    def _show_progress(self, text: str) -> None:
        if text != self._progress:
            self._progress = text
            self._notice.show(Content(self._notice_text()))

    # -- commands ------------------------------------------------------------------------------------------------------

    def action_close_setup(self) -> None:
        self.dismiss(None)

    def on_paste(self, event: events.Paste) -> None:
        """A key or token pasted beside its field; it is never repeated."""
        event.stop()
        key = self._key(DoStep)
        notify_warning(self.app, f"a paste goes into a field: {key} opens that of the step, with what it asks for")

    def _look_again(self) -> None:
        """Read and ask everything now."""
        self._observation.forget()
        self._look.set()
        self._asked_at = -ASK_S
        self._ask()

    def action_check_setup(self) -> None:
        if self.is_asking and self._progress:
            notify(self.app, "Segment is being asked")
            return
        self._look_again()

    @on(LineList.Selected)
    def _on_step_selected(self, event: LineList.Selected) -> None:
        event.stop()
        self.action_do_step()

    def action_do_step(self) -> None:
        """Do the next action of the chosen step."""
        step = self.steps.selected
        if step is not None and step.actions:
            self._console_app.flows.run(self._do_first(step.kind))
        elif step is not None:
            notify(self.app, "nothing to do for this step")

    async def _do_first(self, kind: StepKind) -> None:
        """Do the first action of a step, once Segment has answered where that decides what it is."""
        is_decided = kind not in (StepKind.SOURCE, StepKind.WRITE_KEY) or not self._is_first_question
        if not is_decided and not await with_progress(
            self.app, "Reading the workspace", "asking Segment", self._answered.wait
        ):
            return
        step = self._step(kind)
        if step is not None and step.actions:
            await self._do(step.actions[0], step)

    @property
    def _is_first_question(self) -> bool:
        """Whether Segment is being asked, and has not said anything yet."""
        facts = self._observation.facts
        return self.is_asking and (facts is None or facts.workspace is None)

    def _step(self, kind: StepKind) -> Step | None:
        steps = self._checklist.steps if self._checklist else ()
        return next((step for step in steps if step.kind is kind), None)

    def action_other_ways(self) -> None:
        """Choose among the actions of the step."""
        step = self.steps.selected
        if step is None or not (actions := step.actions):
            notify(self.app, "nothing to do for this step")
            return
        self._console_app.flows.run(self._choose(step, actions))

    async def _choose(self, step: Step, actions: tuple[ActionKind, ...]) -> None:
        chosen = await self._actions.choose(actions, self.environment)
        if chosen is not None:
            await self._do(chosen, step)

    async def _open_counts(self, environment: str) -> str | None:
        from sprig_tui.console.reconcile.screen import ReconcileScreen
        from sprig_tui.reconcile.last_report import load

        last = load(self._session.dependencies.paths)
        return await self.app.push_screen_wait(ReconcileScreen(self._session, self._replays, environment, last))

    async def _do(self, action: ActionKind, step: Step) -> None:
        result = await self._actions.run(action, step, self._observation)
        if result is not None:
            self.dismiss(result)
            return
        self._acted_on = step.kind if step.state is not StepState.DONE else None
        self._look_again()

    def action_next_setup_environment(self) -> None:
        self._change_environment(1)

    def action_previous_setup_environment(self) -> None:
        self._change_environment(-1)

    def _change_environment(self, steps: int) -> None:
        names = list(self._session.settings.environments)
        at = names.index(self.environment) if self.environment in names else 0
        self.use_environment(names[(at + steps) % len(names)])

    def use_environment(self, name: str) -> None:
        """Show the checklist of another environment."""
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None
        self._progress = ""
        self._answered.set()
        self._answered = asyncio.Event()
        self._observation = Observation(self._session, name)
        self._checklist = None
        self.steps.show(None)
        self._show_texts()
        self._look.set()
        self._ask()

    def action_not_at_start(self) -> None:
        self._console_app.flows.run(self._turn_off(), opens=False)

    async def _turn_off(self) -> None:
        if self._session.permissions.read_only or not self._session.permissions.config:
            notify_warning(self.app, "this console does not open the set-up by itself")
        elif await turn_off(self._session):
            notify(self.app, f"the set-up does not open by itself any more; {self._key(SetUp)} opens it")
        else:
            notify_warning(self.app, "that could not be saved; the log file says why")

    def action_copy_setup_command(self) -> None:
        step = self.steps.selected
        commands = [command_line(action, self.environment, step.delivery) for action in step.actions] if step else []
        if command := next(filter(None, commands), ""):
            self.post_message(CopyRequested(command, "the command"))
        else:
            notify(self.app, "this step has no command to copy")


def next_kind(checklist: Checklist) -> StepKind | None:
    """The kind of the next step; None where nothing is to do."""
    return checklist.next_step.kind if checklist.next_step else None
