"""Private and fragile APIs of Textual and Rich, each behind a public name.

No other module of the console uses one, except for the compositor of `painting`.
tests/console/test_textual_private.py has a test for each, which fails first when a release of Textual changes it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, cast

from textual import events, message_pump
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.driver import Driver
from textual.drivers._writer_thread import MAX_QUEUED_WRITES
from textual.drivers.linux_driver import LinuxDriver
from textual.notifications import Notify
from textual.screen import Screen
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar, ScrollBarRender
from textual.timer import Timer
from textual.widgets._toast import ToastRack

from sprig_tui.console.painting import use_sparing_compositor

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.palette import Palette
    from textual._queue import Queue
    from textual._types import MessageTarget
    from textual.await_remove import AwaitRemove
    from textual.dom import DOMNode
    from textual.filter import LineFilter
    from textual.geometry import Size
    from textual.message import Message
    from textual.message_pump import MessagePump
    from textual.widget import Widget

    from sprig_tui.console.notice_place import NoticePlace

__all__ = ["MAX_QUEUED_WRITES"]

ScreenResult = TypeVar("ScreenResult")


class TerminalOutput(Protocol):
    """The part of a text file that a driver writes to."""

    def write(self, text: str) -> None: ...

    def flush(self) -> None: ...

    def fileno(self) -> int: ...


MAX_SHOWN_NOTICES = 3
MIN_ROWS_FOR_NOTICES = 15
"""Rows of a screen that shows more than one notice."""


class SureTimer(Timer):
    """Timer that fires once, however late.

    Textual's looks at the clock twice before it waits. Where the process stands still in between for longer than the
    interval, it counts the one time as missed, and never fires: a resize, which waits for a 120th of a second, was lost
    once in some ten thousand times on a busy machine, and with it every later one. With a negative interval, such as
    that of a notice which ends while a new screen takes it over, it never gives the event loop back.
    """

    def __init__(
        self, event_target: MessageTarget, interval: float, *, repeat: int | None = None, skip: bool = True, **how: Any
    ) -> None:
        super().__init__(event_target, interval, repeat=repeat, skip=skip and repeat != 0, **how)


message_pump.Timer = SureTimer  # type: ignore[attr-defined] # what `set_timer` of all apps and widgets makes


class TextualApp(App[int]):
    """App with a fatal error screen of its own: Textual's shows local variables, which may hold a key or an answer.

    The frames of its screens render only what they write, and their widgets hear of each new size.
    """

    def action_command_palette(self) -> None:
        """Show the palette, as Textual does; keys that move in a list without rows move nothing.

        On a screen of a few lines the list has none, and there Textual's own ends the app.
        """
        # imported here: the first paint needs no palette
        from textual.command import CommandPalette

        class Palette(CommandPalette):
            def _action_command_list(self, action: str) -> None:
                with suppress(KeyError, IndexError):
                    super()._action_command_list(action)

        if not CommandPalette.is_open(cast("App[object]", self)):
            self.push_screen(Palette(id="--command-palette"))

    def fatal_error_text(self, error: BaseException | None) -> str:
        """The text that the shell shows after an unexpected error ended the app."""
        raise NotImplementedError

    def notice_place(self) -> NoticePlace | None:
        """Where notices stand now; None where that is not known yet."""
        return None

    def _place_notices(self, *, new: int = 0) -> None:
        """Place the notices, and drop the oldest where they and `new` ones have no room; the history has them all."""
        place = self.notice_place()
        if place is not None:
            # on all screens: a dialog shows those of the panes below it as well
            for screen in self.screen_stack:
                for rack in screen.children:
                    if isinstance(rack, ToastRack):
                        rack.styles.dock = rack.styles.align_vertical = place.edge
                        rack.styles.margin = (place.margin, 0, 0, 0) if place.edge == "top" else (0, 0, place.margin, 0)
                        rack.styles.max_height = place.rows
        most = 1 if self.size.height < MIN_ROWS_FOR_NOTICES else MAX_SHOWN_NOTICES if place is None else place.notices
        shown = list(self._notifications)
        if dropped := shown[: max(0, len(shown) + new - most)]:
            for notice in dropped:
                self._unnotify(notice, refresh=False)
            if not new:
                super()._refresh_notifications()

    def _on_notify(self, event: Notify) -> None:
        # Textual calls its own handler after this one. A notice that is shown already is shown anew, not twice
        for notice in list(self._notifications):
            if (notice.message, notice.severity) == (event.notification.message, event.notification.severity):
                self._unnotify(notice, refresh=False)
                break
        self._place_notices(new=1)

    def _refresh_notifications(self) -> None:
        # Textual removes a toast whose notification ended before its timer did, but not the holder around it: each
        # keeps a row, until new notices are shown beyond the screen and old ones stay on it
        for screen in self.screen_stack:
            for rack in screen.children:
                if isinstance(rack, ToastRack):
                    for holder in list(rack.children):
                        if holder.is_mounted and not holder.children:
                            holder.remove()
        if self._notifications:  # a screen that is new has no layout yet
            self.call_after_refresh(self._place_notices)
        super()._refresh_notifications()

    def _register(self, parent: DOMNode, *widgets: Widget, **options: Any) -> list[Widget]:
        # Textual gives a screen its classes for this size after the first paint, and works out all styles again
        for screen in widgets:
            if isinstance(screen, Screen):
                use_sparing_compositor(screen)
                across, down = screen.HORIZONTAL_BREAKPOINTS, screen.VERTICAL_BREAKPOINTS
                for cells, breakpoints in ((self.size.width, across), (self.size.height, down)):
                    for name in screen._get_breakpoint_classes(cells, breakpoints or []):
                        screen.add_class(name, update=False)
        return super()._register(parent, *widgets, **options)

    def _prune(self, *nodes: Widget, parent: DOMNode | None = None) -> AwaitRemove:
        # Textual lays the screen in front out and paints it, though it was painted when it came in front. A dialog in
        # front may show the removed one below it
        if all(isinstance(node, Screen) for node in nodes) and self.screen_stack and not self.screen.is_modal:
            parent = None
        return super()._prune(*nodes, parent=parent)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        driver = self._driver
        if renderable is None or not isinstance(driver, PacedDriver) or driver.takes_frame():
            super()._display(screen, renderable)

    def _end_batch(self) -> None:
        super()._end_batch()
        # Textual paints what was due meanwhile with the next message of the screen, whenever that comes
        if not self._batch_count and self._screen_stack:
            for screen in (*self._background_screens, self.screen):
                screen.check_idle()

    def _watch_app_focus(self, focus: bool) -> None:
        # Textual takes the focus from its widget, and gives it back only to the screen that is in front then: after a
        # dialog that opened meanwhile the keys of the panes did nothing
        self.screen.update_node_styles()
        if focus:
            self.screen._update_auto_focus()

    def _fatal_error(self) -> None:
        error = sys.exc_info()[1] or self._exception
        self._exit_renderables.append(self.fatal_error_text(error))
        self._close_messages_no_wait()


class PatientScreen(Screen[ScreenResult]):
    """Screen whose frame can wait for more that belongs to it: one frame costs less than two."""

    def frame_waits(self) -> bool:
        """Whether what is due is painted later; asked again a sixtieth of a second after a yes."""
        return False

    def _on_timer_update(self) -> None:
        if not self.frame_waits():
            super()._on_timer_update()


for _digit in "0123456789":
    # a digit with alt; Textual takes it for the letter that a Mac types so, which comes as that letter itself
    cast("dict[str, object]", ANSI_SEQUENCES_KEYS).pop(f"\x1b{_digit}", None)


class PacedDriver(Driver):
    """Driver that may refuse a frame while its output is slow."""

    def takes_frame(self) -> bool:
        """Whether a frame can be written now; it is dropped otherwise, and the driver has the screen painted later."""
        return True

    @property
    def app(self) -> App[Any]:
        """The app that gets what is typed."""
        return self._app

    def new_parser(self) -> XTermParser:
        """A parser of what the terminal sends."""
        return XTermParser(self._debug)

    def call_app(self, method: Callable[[App[Any]], object]) -> None:
        """Call something with the app, in the app's event loop; raises RuntimeError once that has ended."""
        self._loop.call_soon_threadsafe(method, self._app)


class TerminalDriver(PacedDriver, LinuxDriver):
    """Driver whose output can be replaced, and which stops its whole job when it is suspended."""

    def set_output(self, output: TerminalOutput) -> None:
        """Write to this from now on."""
        self._file = cast("Any", output)

    def write(self, data: str) -> None:
        """Queue text for the terminal; none, such as a bell, while another program has it."""
        if self._writer_thread is None or self._writer_thread.is_alive():
            super().write(data)

    def queued_writes(self) -> int:
        """Writes that wait for the terminal; at MAX_QUEUED_WRITES the next one blocks the whole event loop."""
        return self._writer_thread._queue.qsize() if self._writer_thread else 0

    def _sigtstp_application(self, *_: object) -> None:
        """Stop as Textual does, but the whole job: a parent such as `uv run` would otherwise keep the shell waiting."""
        if self._auto_restart:
            self.suspend_application_mode()
            self._must_signal_resume = True
        os.killpg(os.getpgrp(), signal.SIGSTOP)


def end_sequence(parser: XTermParser) -> Iterable[Message]:
    """What a parser holds back since more might belong to it, now: nothing does."""
    if parser._timeout_time is not None:
        parser._timeout_time = 0.0
    return parser.tick()


def add_line_filter(app: App[Any], line_filter: LineFilter) -> None:
    """Apply a filter to every line that the app paints."""
    app._filters.append(line_filter)


def add_to_screen(screen: Screen[Any], widget: Widget) -> None:
    """Compose a screen with one more widget, after its own ones."""
    extend = screen._extend_compose

    def extended(widgets: list[Widget]) -> None:
        extend(widgets)
        widgets.append(widget)

    screen._extend_compose = extended  # type: ignore[method-assign]


class WholeCellBar(ScrollBarRender):
    """Scrollbar whose thumb ends with a cell: parts of a cell are glyphs of their own."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "]
    HORIZONTAL_BARS: ClassVar[list[str]] = [" "]


def use_ascii(app: App[Any], line_filter: LineFilter, *, wanted: bool) -> None:
    """Apply the filter that paints ASCII to every line, or no longer; scrollbars then end with a cell."""
    if (line_filter in app._filters) == wanted:
        return
    if wanted:
        app._filters.append(line_filter)
    else:
        app._filters.remove(line_filter)
    ScrollBar.renderer = WholeCellBar if wanted else ScrollBarRender
    if app.is_running:
        app.refresh_css(animate=False)


def write_to_terminal(app: App[Any], sequence: str) -> None:
    """Write a sequence that no widget draws, such as a bell."""
    if app._driver is not None:
        app._driver.write(sequence)
        app._driver.flush()


def bound_actions(node: DOMNode, key: str) -> list[str]:
    """The actions that a key has in a widget itself, with the keymap of the user."""
    return [binding.action for binding in node._bindings.key_to_bindings.get(key, ())]


def has_active_binding(screen: Screen[Any], key: str) -> bool:
    """Whether the key is among the screen's active bindings, without a look at those of all other keys."""
    return any(
        screen.app._check_action_state(binding.action, namespace) is not False
        for namespace, bindings in screen._modal_binding_chain
        for binding in bindings.key_to_bindings.get(key, ())
    )


class _QueuePass:
    """Callback at the end of a queue; its result is whether messages came behind it meanwhile."""

    _param_count = 0
    """What Textual would find out from the signature, which takes longer than all the rest."""

    def __init__(self, pump: MessagePump) -> None:
        self._pump = pump
        self.done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def __call__(self) -> None:
        if not self.done.done():
            pump = self._pump
            waits = pump._pending_message is not None or pump.message_queue_size > 0
            self.done.set_result(waits or bool(pump._next_callbacks))


def pass_through_queue(pump: MessagePump) -> asyncio.Future[bool] | None:
    """A future that is done when the messages that a pump has now are handled; None where it has or takes none.

    Its result is whether others came meanwhile.
    """
    queue: Queue[Any] = pump._message_queue
    # it waits for a message: nothing is being handled, and nothing is queued
    if queue.empty() and any(not waiter.done() for waiter in queue.ready_event._waiters):
        return None
    callback = _QueuePass(pump)
    return callback.done if pump.post_message(events.Callback(callback=callback)) else None


def handle_exception(app: App[Any], error: Exception) -> None:
    """End the app as an error in one of Textual's own message handlers does."""
    app._handle_exception(error)


def own_vertical_scrollbar(view: ScrollView, make: Callable[[], ScrollBar]) -> ScrollBar:
    """The vertical scrollbar of a view; `make` is called for the first one, in place of Textual's class."""
    if view._vertical_scrollbar is None:
        view._vertical_scrollbar = bar = make()
        bar.display = False
        view.app._start_widget(view, bar)
    return view._vertical_scrollbar


def set_virtual_size(view: ScrollView, size: Size) -> None:
    """Set the scrollable size without a new layout of the screen."""
    view.set_reactive(ScrollView.virtual_size, size)


def palette_colour(palette: Palette, index: int) -> tuple[int, int, int]:
    """Red, green and blue of one colour of a palette."""
    red, green, blue = palette._colors[index]
    return red, green, blue
