"""Private APIs of Textual and Rich that `textual_private` uses: an upgrade that changes one fails here first."""

import asyncio
import inspect
import io
import itertools
import time
from typing import ClassVar

import pytest
from rich.palette import Palette
from textual._compositor import Compositor
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.command import CommandPalette
from textual.dom import DOMNode
from textual.driver import Driver
from textual.drivers._writer_thread import WriterThread
from textual.drivers.linux_driver import LinuxDriver
from textual.filter import Monochrome
from textual.geometry import Size
from textual.notifications import Notification
from textual.screen import Screen
from textual.scroll_view import ScrollView
from textual.scrollbar import ScrollBar
from textual.widget import Widget
from textual.widgets import Static
from textual.widgets._toast import Toast, ToastRack

from sprig_tui.console import textual_private

AN_HOUR_S = 3600.0
"""How long a notice lasts that must not end while the test looks at it, however busy the machine is."""


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (App, "_display"),
        (App, "_end_batch"),
        (App, "_watch_app_focus"),
        (Screen, "_update_auto_focus"),
        (App, "_fatal_error"),
        (App, "_refresh_notifications"),
        (App, "_close_messages_no_wait"),
        (App, "_handle_exception"),
        (App, "_register"),
        (App, "_start_widget"),
        (Screen, "_extend_compose"),
        (Screen, "_get_breakpoint_classes"),
        (Screen, "_on_timer_update"),
        (Screen, "_refresh_layout"),
        (Compositor, "_regions_to_spans"),
        (Compositor, "_render_chops"),
        (ScrollBar, "renderer"),
        (LinuxDriver, "_sigtstp_application"),
        (LinuxDriver, "run_input_thread"),
        (CommandPalette, "_action_command_list"),
    ],
)
def test_textual_has_private_method(owner, name):
    assert callable(getattr(owner, name))


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (App, "_filters"),
        (App, "_exception"),
        (App, "_exit_renderables"),
        (Widget, "_container_size"),
        (Widget, "_size"),
        (Widget, "_vertical_scrollbar"),
        (DOMNode, "_bindings"),
        (Compositor, "_dirty_regions"),
        (Screen, "_compositor"),
        (Driver, "_app"),
        (Driver, "_debug"),
        (Driver, "_loop"),
        (Driver, "_auto_restart"),
        (LinuxDriver, "_file"),
        (LinuxDriver, "_must_signal_resume"),
        (LinuxDriver, "_writer_thread"),
        (WriterThread, "_queue"),
    ],
)
def test_textual_sets_private_attribute(owner, name):
    source = inspect.getsource(owner.__init__)
    assert f"self.{name}" in source


def test_fatal_error_text_is_what_the_shell_shows():
    class Failing(textual_private.TextualApp):
        def fatal_error_text(self, error):
            return f"ended by {error}"

    app = Failing()
    app._exception = ValueError("x")
    app._fatal_error()
    assert app._exit_renderables == ["ended by x"]


async def test_notice_that_ends_while_it_is_mounted_blocks_nothing():
    class Ready(textual_private.TextualApp):
        def fatal_error_text(self, error):
            return str(error)

    app = Ready()
    async with app.run_test(notifications=True) as pilot:
        ended = Notification("said before", timeout=-1)
        assert ended.has_expired
        # as a new screen does that found the notice not ended yet, a moment before
        await app.screen.mount(Toast(ended))
        await wait_until(pilot, lambda: not toasts(app))
        app.notify("said now", timeout=AN_HOUR_S)
        await wait_until(pilot, lambda: toasts(app))


async def test_holders_of_removed_toasts_take_no_room():
    class Ready(textual_private.TextualApp):
        def fatal_error_text(self, error):
            return str(error)

    app = Ready()
    async with app.run_test(notifications=True) as pilot:
        for number in range(5):
            app.notify(f"notice {number}", timeout=AN_HOUR_S)
        app.notify("notice 3", timeout=AN_HOUR_S)
        # the newest ones, and one that is shown already is shown once
        said = ["notice 2", "notice 4", "notice 3"]
        await wait_until(pilot, lambda: [toast._notification.message for toast in toasts(app)] == said)
        # as when the notifications end before the timers of their toasts do
        for notification in list(app._notifications):
            app._unnotify(notification, refresh=False)
        app.notify("the next", timeout=AN_HOUR_S)
        await wait_until(pilot, lambda: [toast._notification.message for toast in toasts(app)] == ["the next"])
        app.notify("one more", timeout=AN_HOUR_S)
        (rack,) = [one for one in app.screen.children if isinstance(one, ToastRack)]
        await wait_until(pilot, lambda: len(rack.children) == 2)


async def test_a_new_screen_has_the_classes_of_its_size_before_its_first_layout():
    class Sized(Screen):
        HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - as Textual declares it
        VERTICAL_BREAKPOINTS = [(0, "-short"), (20, "-tall")]  # noqa: RUF012 - as Textual declares it
        seen: ClassVar[list[set[str]]] = []

        def _refresh_layout(self, *arguments, **options):
            self.seen.append({name for name in self.classes if name.startswith("-")})
            super()._refresh_layout(*arguments, **options)

    class Ready(textual_private.TextualApp):
        def fatal_error_text(self, error):
            return str(error)

        def get_default_screen(self):
            return Sized()

    app = Ready()
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until(pilot, lambda: Sized.seen)
        assert Sized.seen[0] == {"-narrow", "-tall"}
        await pilot.resize_terminal(120, 10)
        await wait_until(pilot, lambda: Sized.seen[-1] == {"-wide", "-short"})
        Sized.seen.clear()
        await app.push_screen(Sized())
        await wait_until(pilot, lambda: Sized.seen)
        assert Sized.seen[0] == {"-wide", "-short"}


async def test_a_widget_hears_of_a_size_that_somebody_asked_for_before_the_layout():
    heard = []

    class Sized(Widget):
        def on_resize(self, event):
            heard.append(event.size.height)

    class One(Screen):
        def compose(self):
            yield Sized()

    class Ready(textual_private.TextualApp):
        CSS = "Sized { height: 5; }"

        def get_default_screen(self):
            return One()

    app = Ready()
    async with app.run_test(size=(80, 24)) as pilot:
        await wait_until(pilot, lambda: heard)
        assert heard == [5]
        widget = app.screen.query_one(Sized)
        app.screen._compositor.reflow_visible(app.screen, app.screen.size)
        widget.styles.height = 9
        app.screen._clear_arrangement_cache()
        # as for the place of a widget that is scrolled out of sight
        assert app.screen._compositor.full_map[widget].region.height == 9
        await wait_until(pilot, lambda: len(heard) > 1)
        assert heard == [5, 9]


async def test_a_resize_is_heard_where_the_process_stands_still_as_its_timer_starts(monkeypatch):
    now, stood = time.monotonic, itertools.count()

    def clock():
        """The time, an hour later with each look of a timer that fires once."""
        once = asyncio.current_task().get_name().startswith("set_timer")
        return now() + (AN_HOUR_S * next(stood) if once else 0.0)

    app = Listener()
    async with app.run_test(size=(120, 40)) as pilot:
        monkeypatch.setattr("textual._time.get_time", clock)
        for width in (200, 80):
            await pilot.resize_terminal(width, 60)
            await wait_until(pilot, lambda width=width: app.screen.size == app.screen.outer_size == (width, 60))


async def test_what_changes_within_a_batch_is_painted_at_its_end(monkeypatch):
    class Ready(textual_private.TextualApp):
        def compose(self):
            yield Static("before")

    app, painted = Ready(), asyncio.Event()
    async with app.run_test() as pilot:
        screen = app.screen
        await wait_until(pilot, lambda: not (screen._layout_required or screen._repaint_required))
        paint = screen._compositor_refresh
        monkeypatch.setattr(screen, "_compositor_refresh", lambda: (painted.set(), paint()))
        with app.batch_update():
            screen.query_one(Static).update("after", layout=False)
            await wait_until(pilot, lambda: screen._dirty_widgets)
            assert not painted.is_set()
        # not by the pilot, which wakes the screen
        await asyncio.wait_for(painted.wait(), 20)


def toasts(app):
    return [one for one in app.screen.walk_children() if isinstance(one, Toast)]


async def wait_until(pilot, holds):
    async with asyncio.timeout(20):
        while not holds():
            await pilot.pause()


class Listener(App):
    BINDINGS = [("x", "beep", "Beep"), ("y", "hidden", "Hidden")]  # noqa: RUF012 - as Textual declares it

    def check_action(self, action, _parameters):
        return action != "hidden"


async def test_queue_pass_ends_with_the_messages_before_it_and_tells_of_those_behind():
    async with Listener().run_test() as pilot:
        pump, order = pilot.app.screen, []

        def noted(text):
            order.append(text)

        await wait_until(pilot, lambda: textual_private.pass_through_queue(pump) is None)  # nothing to wait for
        pump.call_later(noted, "before")
        followed = textual_private.pass_through_queue(pump)
        pump.call_later(noted, "behind")
        assert await followed
        assert order[0] == "before"
        await wait_until(pilot, lambda: order == ["before", "behind"])
        # what is called after the present message counts too
        pump.call_later(pump.call_next, noted, "next")
        assert await textual_private.pass_through_queue(pump)
        last = textual_private.pass_through_queue(pump)
        assert last is None or not await last
        assert order[-1] == "next"


async def test_active_binding_is_found_by_its_key():
    async with Listener().run_test() as pilot:
        screen = pilot.app.screen
        assert "x" in screen.active_bindings
        for key in ("x", "y", "z", *screen.active_bindings):
            assert textual_private.has_active_binding(screen, key) == (key in screen.active_bindings)


def test_line_filter_is_applied_by_the_app():
    app, line_filter = App(), Monochrome()
    textual_private.add_line_filter(app, line_filter)
    assert line_filter in app.get_line_filters()


def test_what_is_written_while_another_program_has_the_terminal_does_not_wait_for_it():
    written = io.StringIO()
    driver = object.__new__(textual_private.TerminalDriver)
    driver._writer_thread = WriterThread(written)
    driver._writer_thread.start()
    driver.write("before")
    driver.close()
    # the thread has ended: at MAX_QUEUED_WRITES the next one would wait for ever
    driver.write("\a")
    assert (written.getvalue(), driver.queued_writes()) == ("before", 0)


def test_driver_parser_yields_key_events():
    (key,) = [event for event in XTermParser(False).feed("a") if event is not None]
    assert key.key == "a"


def test_palette_colour_is_read_by_index():
    assert textual_private.palette_colour(Palette([(1, 2, 3), (4, 5, 6)]), 1) == (4, 5, 6)


async def test_vertical_scrollbar_is_ours_and_virtual_size_needs_no_layout():
    class OwnBar(ScrollBar):
        pass

    class View(ScrollView):
        @property
        def vertical_scrollbar(self):
            return textual_private.own_vertical_scrollbar(self, lambda: OwnBar(name="vertical"))

    class OneView(App):
        def compose(self):
            yield View()

    app = OneView()
    async with app.run_test(size=(20, 5)) as pilot:
        view = app.query_one(View)
        view.virtual_size = Size(20, 100)
        assert isinstance(view.vertical_scrollbar, OwnBar)
        await wait_until(pilot, lambda: view.vertical_scrollbar.is_running and view.show_vertical_scrollbar)
        await pilot.pause()
        layouts = []
        app.screen._refresh_layout, refresh = (
            lambda *a, **k: layouts.append(a) or refresh(*a, **k),
            app.screen._refresh_layout,
        )
        textual_private.set_virtual_size(view, Size(20, 101))
        await pilot.pause()
        assert (view.virtual_size.height, layouts) == (101, [])
