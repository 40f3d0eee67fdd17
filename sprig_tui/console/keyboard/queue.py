"""Keyboard queue: one key at a time, and none before what an earlier one opened has the focus.

A terminal may bring many keys at once: typed ahead, held up on a slow line, or sent by a macro. Each event of keyboard,
paste and mouse button is looked at only when the one before it has been handled to its end: by every widget that it
passes, by the widgets whose command it ran, and by the flow of dialogs that it began, up to where that asks something.

A flow is begun by `opening(app, work)`. From that call on, keys wait until the flow pushes a screen (and then go to
that screen), and again when that screen was answered, until the flow ends or says `stop_tracking_flow()`.

Keys that were typed together with a command that came to nothing (`came_to_nothing`) were meant for what it would have
opened: they are dropped, never run as commands.

Keys that come faster than a hand types are a burst: type-ahead, a macro, or a text pasted without brackets. What a
person has to mean, such as a command that sends, asks whether its key `is_single_key`.
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
from sprig_tui.console.textual_private import handle_exception

if TYPE_CHECKING:
    from textual.app import App
    from textual.screen import Screen

Result = TypeVar("Result")

NOTICE_AFTER_S = 0.2
"""Seconds from the first dropped key until their number is told."""
SLOW_AFTER_S = 1.0
"""Seconds of waiting from which on escape frees the keys, and ctrl+q quits at once."""
LOADING_GROUP_PREFIX = "loading-"
"""Workers whose group begins with this load what a key asked for: the keys after it are about what they bring."""
LOADING_TIMEOUT_S = 1.0
"""Seconds that keys wait for such a worker at most: a folder, a record or a search may take long."""
SETTLE_PASSES = 2
"""Times that a widget's queue is waited for: what it posts to itself while it handles a key stands behind the key."""


class FlowState:
    """A flow that may still open something; keys wait for it unless a screen of it is in front."""

    def __init__(self) -> None:
        self.screens = 0
        """Screens of it that are open."""
        self.opened = False
        """Whether it ever opened one."""
        self.over = False
        self.queueing = False
        """Whether it waits for the dialog of another flow to be answered."""

    @property
    def holds_keys(self) -> bool:
        """Whether keys wait for it."""
        return not (self.over or self.queueing or self.screens)


_CURRENT_FLOW: ContextVar[FlowState | None] = ContextVar("opening", default=None)


class Keyboard:
    """The events that wait, and what they wait for."""

    def __init__(
        self,
        app: App[Any],
        on_event: Callable[[events.Event], Awaitable[None]],
        on_notice: Callable[[str], None],
    ) -> None:
        """`handle` gives an event to what has the focus, `say` shows a person a sentence."""
        self._app = app
        self._on_event = on_event
        self._on_notice = on_notice
        self._waiting: deque[tuple[events.Event, object, Burst | None]] = deque()
        """With the screen that was in front: a click is for what was seen when it was made."""
        self.bursts = BurstTracker(app)
        self._work: asyncio.Task[None] | None = None
        self._state_changed = asyncio.Event()
        self._touched: dict[DOMNode, None] = {}
        self._flows: set[FlowState] = set()
        self._waited_for: WeakSet[Worker[object]] = WeakSet()
        self._owners: dict[Screen[Any], FlowState] = {}
        self._pushed_at: WeakKeyDictionary[Screen[Any], float] = WeakKeyDictionary()
        self._held_since = 0.0
        self._newest = 0.0
        """When the newest event was made."""
        self._dropping_until = 0.0
        self._dropped = 0
        self._reported_slow = False

    # -- events --------------------------------------------------------------------------------------------------------

    async def enqueue(self, event: events.Event) -> None:
        """Handle an event now, or once all before it are handled."""
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
        """The console ends: nothing more is handled."""
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
                event, screen, burst = self._waiting.popleft()
                if self._is_dropped(event) or (isinstance(event, events.MouseEvent) and self._app.screen is not screen):
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
        """A command runs on this widget: what it posts is waited for."""
        self._touched[node] = None

    def _touch_target(self, event: events.Event) -> None:
        target = self._focused_node()
        if isinstance(event, events.MouseEvent):
            with suppress(Exception):  # there is nothing under the pointer
                target = self._app.mouse_captured or self._app.get_widget_at(event.x, event.y)[0]
        if target is not None:
            self.touch(target)

    def _focused_node(self) -> DOMNode | None:
        if not self._app.is_running or not self._app.screen_stack:
            return None
        return self._app.focused or self._app.screen

    async def _wait_until_settled(self) -> None:
        """Return when all that was begun is handled, and what has the focus may have the next event."""
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
            elif loading := self._loading_workers():
                self._waited_for.update(loading)
                await asyncio.wait(
                    [asyncio.ensure_future(_wait_for_worker(worker)) for worker in loading], timeout=LOADING_TIMEOUT_S
                )
            else:
                return

    def _loading_workers(self) -> list[Worker[object]]:
        """Workers that load; those of Textual's palette search."""
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
        """Until the node, and what it bubbled to all the way up, have handled what stood in their queues."""
        for pump in node.ancestors_with_self:
            for _ in range(SETTLE_PASSES):
                done = asyncio.get_running_loop().create_future()
                if not pump.call_later(_set_done, done):
                    break
                while not done.done() and pump.is_attached and self._app.is_running:
                    await asyncio.wait((done,), timeout=1.0)

    @property
    def _passes_by_since(self) -> float:
        """When the screen in front was put there, where it is one that ends by itself; else 0."""
        screen = self._app.screen if self._focused_node() is not None else None
        return self._pushed_at.get(screen, 0.0) if screen is not None and getattr(screen, "PASSES_BY", False) else 0.0

    @property
    def _is_held(self) -> bool:
        return any(one.holds_keys for one in self._flows)

    def _update_state(self) -> None:
        if not self._is_held:
            self._held_since = 0.0
            self._reported_slow = False
        elif not self._held_since:
            self._held_since = _now()
        self._state_changed.set()

    # -- flows ---------------------------------------------------------------------------------------------------------

    def track_flow(self, work: Coroutine[Any, Any, Result]) -> Coroutine[Any, Any, Result]:
        """See `track_flow`."""
        one = FlowState()
        self._flows.add(one)
        self._update_state()

        async def watched() -> Result:
            _CURRENT_FLOW.set(one)
            try:
                return await work
            finally:
                self._end_flow(one)

        return watched()

    def _end_flow(self, flow: FlowState) -> None:
        flow.over = True
        self._flows.discard(flow)
        self._update_state()

    def on_screen_pushed(self, screen: Screen[Any]) -> None:
        """A screen goes in front."""
        self._pushed_at[screen] = _now()
        self.bursts.on_screen_opened(screen)
        one = _CURRENT_FLOW.get()
        if one is not None and not one.over:
            one.screens += 1
            one.opened = True
            self._owners[screen] = one
        self._update_state()

    def on_screen_popped(self, screen: Screen[Any]) -> None:
        """A screen was answered, or left."""
        one = self._owners.pop(screen, None)
        if one is not None:
            one.screens -= 1
        self._update_state()

    async def wait_for_turn(self) -> None:
        """Until no dialog of another flow is open: a dialog does not open on a dialog."""
        one = _CURRENT_FLOW.get()
        while self._focused_node() is not None and self._is_of_other_flow(self._app.screen, one):
            if one is not None:
                one.queueing = True
            self._update_state()
            await asyncio.sleep(0.05)
        if one is not None:
            one.queueing = False

    def _is_of_other_flow(self, screen: Screen[Any], flow: FlowState | None) -> bool:
        return isinstance(screen, ModalScreen) and (flow is None or self._owners.get(screen) is not flow)

    # -- keys that go nowhere ------------------------------------------------------------------------------------------

    def drop_typed_ahead(self) -> None:
        """A command was refused, or failed before it opened anything: what was typed with it is not for others."""
        one = _CURRENT_FLOW.get()
        if one is not None and (one.opened or one.over):
            return
        if one is None and self._work is None and not self._touched:
            return  # nobody typed anything
        self.drop()

    def drop(self, *, until_now: bool = False) -> None:
        """Forget what waits, and what still belongs to it; with `until_now` all that was typed before."""
        self._dropped += sum(isinstance(event, events.Key) for event, *_ in self._waiting)
        # a paste is no command, and says itself where it belongs
        self._waiting = deque(one for one in self._waiting if isinstance(one[0], events.Paste))
        self._dropping_until = _now() if until_now else self._newest + MAX_BURST_GAP_S
        self._app.set_timer(NOTICE_AFTER_S, self._report_dropped)

    def refuse(self) -> None:
        """Forget the key that is being handled, and those that came with it."""
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
        for one in list(self._flows):
            if one.holds_keys:
                self._end_flow(one)
        self._waiting.clear()
        return event.key == "escape"

    def _report_if_slow(self) -> None:
        if self._is_slow and not self._reported_slow:
            self._reported_slow = True
            self._on_notice("still at work on the last command: keys wait for it; escape frees them")


def track_flow(app: App[Any], work: Coroutine[Any, Any, Result]) -> Coroutine[Any, Any, Result]:
    """The same work, for a worker; from now on keys wait for what it opens."""
    keyboard: Keyboard | None = getattr(app, "keyboard", None)
    return work if keyboard is None else keyboard.track_flow(work)


def stop_tracking_flow(app: App[Any]) -> None:
    """Said by a flow before it works on for long without asking: keys need not wait for it any more."""
    keyboard: Keyboard | None = getattr(app, "keyboard", None)
    one = _CURRENT_FLOW.get()
    if keyboard is not None and one is not None:
        keyboard._end_flow(one)  # noqa: SLF001 - of this module


async def is_single_key(app: App[Any], *, max_keys: int = 1) -> bool:
    """Whether the key that is being handled came by hand, not as one of more than `together`; else they are dropped."""
    keyboard: Keyboard | None = getattr(app, "keyboard", None)
    if keyboard is None or await keyboard.bursts.is_single_key(max_keys=max_keys):
        return True
    keyboard.refuse()
    return False


async def _wait_for_worker(worker: Worker[object]) -> None:
    with suppress(WorkerError):  # failed or cancelled: that is told elsewhere
        await worker.wait()


def _set_done(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)


def _now() -> float:
    """On the clock of events."""
    return Message().time
