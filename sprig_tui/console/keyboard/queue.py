"""Keyboard queue: handles one event at a time, each after everything that the previous one started.

A terminal may deliver many keys at once: typed ahead, delayed on a slow line, or sent by a macro. Each event of
keyboard, paste and mouse button is handled only when the previous one is done: in every widget that it passed, in the
widgets whose command it ran, and in the flow of dialogs that it started, up to the next question of that flow.

A widget whose `supersedes_loading(key)` is true gets that key while a worker still loads what the key before it asked
for: it asks for something else.

`track_flow(app, work)` starts a flow. From that call on keys wait until the flow pushes a screen, which then gets them,
and again after that screen was answered, until the flow ends or calls `stop_tracking_flow()`.

Keys typed together with a command that was refused or failed were meant for the screen that it would have opened:
`drop_typed_ahead` drops them, so that they never run as commands.

Keys that arrive faster than a hand types are a burst: type-ahead, a macro, or a text pasted without brackets. A command
that must be deliberate, such as one that sends, checks `is_single_key`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary, WeakSet

from textual import events
from textual.dom import DOMNode
from textual.message import Message
from textual.screen import ModalScreen, SystemModalScreen
from textual.worker import Worker, WorkerError

from sprig_tui.console.keyboard.bursts import MAX_BURST_GAP_S, Burst, BurstTracker
from sprig_tui.console.textual_private import handle_exception, pass_through_queue

if TYPE_CHECKING:
    from textual.app import App
    from textual.screen import Screen

Result = TypeVar("Result")

NOTICE_AFTER_S = 0.2
"""Seconds from the first dropped key until the number of dropped keys is reported."""
SLOW_AFTER_S = 1.0
"""Seconds after which escape releases waiting keys, and ctrl+q quits at once."""
LOADING_GROUP_PREFIX = "loading-"
"""Prefix of the groups of workers that load what a key asked for: the next keys are meant for their result."""
LOADING_TIMEOUT_S = 1.0
"""Longest wait of keys for such a worker: a folder, a record or a search may take long."""
SETTLE_PASSES = 2
"""Passes through a widget's queue at most: what it posts to itself while handling a key comes after the key."""


class FlowState:
    """Flow that may open screens; keys wait for it unless one of its screens is in front."""

    def __init__(self) -> None:
        self.screens = 0
        """Number of its open screens."""
        self.opened = False
        """Whether it has opened a screen."""
        self.over = False
        self.queueing = False
        """Whether it waits for an answer to the dialog of another flow."""

    @property
    def holds_keys(self) -> bool:
        """Whether keys wait for it."""
        return not (self.over or self.queueing or self.screens)


_CURRENT_FLOW: ContextVar[FlowState | None] = ContextVar("opening", default=None)


class Keyboard:
    """Queue of waiting events, and the flows that they wait for."""

    def __init__(
        self,
        app: App[Any],
        on_event: Callable[[events.Event], Awaitable[None]],
        on_notice: Callable[[str], None],
    ) -> None:
        """`on_event` passes an event to the focused widget, `on_notice` shows a text to the user."""
        self._app = app
        self._on_event = on_event
        self._on_notice = on_notice
        self._waiting: deque[tuple[events.Event, object, Burst | None]] = deque()
        """Events with the screen that was in front: a click counts only for the screen that was visible."""
        self.bursts = BurstTracker(app)
        self._work: asyncio.Task[None] | None = None
        self._state_changed = asyncio.Event()
        self._arrived = asyncio.Event()
        self._touched: dict[DOMNode, None] = {}
        self._flows: set[FlowState] = set()
        self._waited_for: WeakSet[Worker[object]] = WeakSet()
        self._owners: dict[Screen[Any], FlowState] = {}
        self._pushed_at: WeakKeyDictionary[Screen[Any], float] = WeakKeyDictionary()
        self._held_since = 0.0
        self._newest = 0.0
        """Time of the newest event."""
        self._dropping_until = 0.0
        self._dropped = 0
        self._reported_slow = False

    # -- events --------------------------------------------------------------------------------------------------------

    async def enqueue(self, event: events.Event) -> None:
        """Handle an event now, or after all earlier ones."""
        burst = self.bursts.count_key(event)
        if self._is_dropped(event) or self._frees_keys(event):
            return
        self._newest = event.time
        if (since := self._passes_by_since) and event.time > since:
            self.bursts.current = burst
            await self._on_event(event)
            return
        if self._work is not None or self._is_held:
            self._waiting.append((event, self._app.screen, burst))
            self._arrived.set()
            self._report_if_slow()
            self._start()
        elif isinstance(event, events.MouseMove):
            await self._on_event(event)
        else:
            self._touch_target(event)
            self.bursts.current = burst
            await self._on_event(event)
            self._start()

    def close(self) -> None:
        """Stop handling events: the console ends."""
        self._waiting.clear()
        if self._work is not None:
            self._work.cancel()

    def _start(self) -> None:
        if self._work is None:
            self._work = asyncio.create_task(self._run(), name="keyboard")

    async def _run(self) -> None:
        try:
            while True:
                await self._wait_until_settled()
                if not self._waiting:
                    return
                if self._passes_by_since:
                    self._state_changed.clear()
                    await self._state_changed.wait()
                    continue
                if not self._app.screen_stack:
                    return  # the app ends
                event, screen, burst = self._waiting.popleft()
                if not _is_quit(event) and self._is_dropped(event):
                    continue
                if isinstance(event, events.MouseEvent) and self._app.screen is not screen:
                    continue
                self._touch_target(event)
                self.bursts.current = burst
                await self._on_event(event)
        except Exception as error:  # noqa: BLE001 - the app ends as for a handler of Textual
            handle_exception(self._app, error)
        finally:
            self._work = None

    # -- waiting -------------------------------------------------------------------------------------------------------

    def touch(self, node: DOMNode) -> None:
        """Wait for the messages of a widget that a command runs on."""
        self._touched[node] = None

    def _touch_target(self, event: events.Event) -> None:
        target = self._focused_node()
        if isinstance(event, events.MouseEvent):
            with suppress(Exception):  # no widget is under the pointer
                target = self._app.mouse_captured or self._app.get_widget_at(event.x, event.y)[0]
        if target is not None:
            self.touch(target)

    def _focused_node(self) -> DOMNode | None:
        if not self._app.is_running or not self._app.screen_stack:
            return None
        return self._app.focused or self._app.screen

    async def _wait_until_settled(self) -> None:
        """Wait until everything that was started is handled, and the focused widget may get the next event."""
        while True:
            front = self._focused_node()
            touched, self._touched = self._touched, {}
            if front is not None:
                touched[front] = None
            for node in touched:
                await self._wait_for_queues(node)
            if self._touched or self._focused_node() is not front:
                continue
            if self._is_held:
                self._state_changed.clear()
                await self._state_changed.wait()
            elif (loading := self._loading_workers()) and not self._is_superseding:
                await self._wait_for_loading(loading)
            else:
                return

    async def _wait_for_loading(self, loading: list[Worker[object]]) -> None:
        """Wait until they have loaded, or a key came that asks for something else in their place."""
        until = asyncio.get_running_loop().time() + LOADING_TIMEOUT_S
        work = {asyncio.ensure_future(_wait_for_worker(worker)) for worker in loading}
        while work:
            if self._is_superseding:
                return
            self._arrived.clear()
            arrival = asyncio.ensure_future(self._arrived.wait())
            left = until - asyncio.get_running_loop().time()
            done, _ = await asyncio.wait({*work, arrival}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            arrival.cancel()
            work = work - done if done else set()
        self._waited_for.update(loading)

    @property
    def _is_superseding(self) -> bool:
        """Whether the next key asks for something in place of what is still loading."""
        event = self._waiting[0][0] if self._waiting else None
        supersedes = getattr(self._focused_node(), "supersedes_loading", None)
        return isinstance(event, events.Key) and supersedes is not None and supersedes(event.key)

    def _loading_workers(self) -> list[Worker[object]]:
        """Running workers that load something, including the search of Textual's palette."""
        screen = self._focused_node() and self._app.screen
        palette = screen if isinstance(screen, SystemModalScreen) else None
        return [
            worker
            for worker in self._app.workers
            if not worker.is_finished
            and worker not in self._waited_for
            and (worker.group.startswith(LOADING_GROUP_PREFIX) or (palette is not None and worker.node is palette))
        ]

    async def _wait_for_queues(self, node: DOMNode) -> None:
        """Wait until the node and its ancestors have handled the messages in their queues."""
        for pump in node.ancestors_with_self:
            for _ in range(SETTLE_PASSES):
                done = pass_through_queue(pump)
                if done is None:
                    break
                while not done.done() and pump.is_attached and self._app.is_running:
                    await asyncio.wait((done,), timeout=1.0)
                if done.done() and not done.result():
                    break

    @property
    def _passes_by_since(self) -> float:
        """Time when the screen in front was pushed, if it closes on its own (`PASSES_BY`); else 0."""
        screen = self._app.screen if self._focused_node() is not None else None
        return self._pushed_at.get(screen, 0.0) if screen is not None and getattr(screen, "PASSES_BY", False) else 0.0

    @property
    def _is_held(self) -> bool:
        return any(flow.holds_keys for flow in self._flows)

    def _update_state(self) -> None:
        if not self._is_held:
            self._held_since = 0.0
            self._reported_slow = False
        elif not self._held_since:
            self._held_since = _now()
        self._state_changed.set()

    # -- flows ---------------------------------------------------------------------------------------------------------

    def track_flow(self, work: Coroutine[Any, Any, Result]) -> Coroutine[Any, Any, Result]:
        """Track a flow; see the function of that name."""
        flow = FlowState()
        self._flows.add(flow)
        self._update_state()

        async def watched() -> Result:
            _CURRENT_FLOW.set(flow)
            try:
                return await work
            finally:
                self._end_flow(flow)

        return watched()

    def _end_flow(self, flow: FlowState) -> None:
        flow.over = True
        self._flows.discard(flow)
        self._update_state()

    def on_screen_pushed(self, screen: Screen[Any]) -> None:
        """Note the flow and the time of a screen that is pushed."""
        self._pushed_at[screen] = _now()
        self.bursts.on_screen_opened(screen)
        flow = _CURRENT_FLOW.get()
        if flow is not None and not flow.over:
            flow.screens += 1
            flow.opened = True
            self._owners[screen] = flow
        self._update_state()

    def on_screen_popped(self, screen: Screen[Any]) -> None:
        """Return the keys to the flow of a screen that was closed."""
        flow = self._owners.pop(screen, None)
        if flow is not None:
            flow.screens -= 1
        self._update_state()

    async def wait_for_turn(self) -> None:
        """Wait until no dialog of another flow is open, since dialogs are not stacked."""
        flow = _CURRENT_FLOW.get()
        while self._focused_node() is not None and self._is_of_other_flow(self._app.screen, flow):
            if flow is not None:
                flow.queueing = True
            self._update_state()
            await asyncio.sleep(0.05)
        if flow is not None:
            flow.queueing = False

    def _is_of_other_flow(self, screen: Screen[Any], flow: FlowState | None) -> bool:
        return isinstance(screen, ModalScreen) and (flow is None or self._owners.get(screen) is not flow)

    # -- dropped keys -------------------------------------------------------------------------------------------------

    def drop_typed_ahead(self) -> None:
        """Drop keys typed with a command that was refused, or failed before it opened a screen."""
        flow = _CURRENT_FLOW.get()
        if flow is not None and (flow.opened or flow.over):
            return
        if flow is None and self._work is None and not self._touched:
            return  # no key caused this
        self.drop()

    def drop(self, *, until_now: bool = False) -> None:
        """Drop waiting keys and the rest of their burst; with `until_now` all keys typed before now."""
        before = sum(isinstance(event, events.Key) for event, *_ in self._waiting)
        # a paste is no command, and explains itself where it belongs; ctrl+q leaves whatever is open
        self._waiting = deque(
            entry
            for entry in self._waiting
            if isinstance(entry[0], events.Paste) or (_is_quit(entry[0]) and not until_now)
        )
        self._dropped += before - sum(isinstance(event, events.Key) for event, *_ in self._waiting)
        self._dropping_until = _now() if until_now else self._newest + MAX_BURST_GAP_S
        self._app.set_timer(NOTICE_AFTER_S, self._report_dropped)

    def refuse(self) -> None:
        """Drop the key being handled and the rest of its burst."""
        self._dropped += 1
        self.drop()

    def _is_dropped(self, event: events.Event) -> bool:
        if event.time >= self._dropping_until or not isinstance(event, events.Key):
            return False
        self._dropping_until = max(self._dropping_until, event.time + MAX_BURST_GAP_S)
        self._dropped += 1
        return True

    def _report_dropped(self) -> None:
        if self._dropped:
            keys = "1 key" if self._dropped == 1 else f"{self._dropped} keys"
            self._dropped = 0
            opened = self._focused_node() is not None and isinstance(self._app.screen, ModalScreen)
            why = "what is open has no use for them" if opened else "nothing opened for them"
            self._on_notice(f"{keys} typed ahead: dropped, since {why}")

    # -- flows that take long ------------------------------------------------------------------------------------------

    @property
    def _is_slow(self) -> bool:
        return bool(self._held_since) and _now() - self._held_since > SLOW_AFTER_S

    def _frees_keys(self, event: events.Event) -> bool:
        if not self._is_slow or not isinstance(event, events.Key) or event.key not in ("escape", "ctrl+q"):
            return False
        for flow in list(self._flows):
            if flow.holds_keys:
                self._end_flow(flow)
        self._waiting.clear()
        if event.key != "escape":
            return False
        self._on_notice("keys wait no longer for the last command, which goes on")
        return True

    def _report_if_slow(self) -> None:
        if self._is_slow and not self._reported_slow:
            self._reported_slow = True
            self._on_notice("still at work on the last command: keys wait for it; escape frees them")


def track_flow(app: App[Any], work: Coroutine[Any, Any, Result]) -> Coroutine[Any, Any, Result]:
    """The same coroutine, for a worker; from now on keys wait for the screens that it opens."""
    keyboard: Keyboard | None = getattr(app, "keyboard", None)
    return work if keyboard is None else keyboard.track_flow(work)


def stop_tracking_flow(app: App[Any]) -> None:
    """Release waiting keys; called by a flow before a long part without questions."""
    keyboard: Keyboard | None = getattr(app, "keyboard", None)
    flow = _CURRENT_FLOW.get()
    if keyboard is not None and flow is not None:
        keyboard._end_flow(flow)  # noqa: SLF001 - of this module


async def is_single_key(app: App[Any], *, max_keys: int = 1) -> bool:
    """Whether the key being handled belongs to a burst of at most `max_keys`; a longer burst is dropped."""
    keyboard: Keyboard | None = getattr(app, "keyboard", None)
    if keyboard is None or await keyboard.bursts.is_single_key(max_keys=max_keys):
        return True
    keyboard.refuse()
    return False


async def _wait_for_worker(worker: Worker[object]) -> None:
    with suppress(WorkerError):  # failures are reported by the app
        await worker.wait()


def _is_quit(event: events.Event) -> bool:
    return isinstance(event, events.Key) and event.key == "ctrl+q"


def _now() -> float:
    """The time on the clock of events."""
    return Message().time
