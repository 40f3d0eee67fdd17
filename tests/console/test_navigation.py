"""Help, palette, jump keys, key bar, leaving."""

from __future__ import annotations

import asyncio
import inspect

import pytest
from textual import events
from textual._compositor import Compositor
from textual.widgets._toast import Toast

from sprig_tui.console.environments.actions import EnvironmentActions
from sprig_tui.console.notify import notify
from sprig_tui.console.payload.send_requests import SendAllRequested, SendRequested
from sprig_tui.console.widgets.dialogs import Prompt
from sprig_tui.console.widgets.key_bar import KeyBar, KeyHint

KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"
SIZES = [(80, 24), (120, 40)]


def toast_columns(app) -> list[tuple[int, int]]:
    """First column and width of each notice on the screen."""
    return [(toast.region.x, toast.region.width) for toast in app.screen.query(Toast) if toast.region]


def key_bar(app) -> list[KeyHint]:
    """The keys that the bar shows."""
    return list(app.screen.query_one(KeyBar)._shown)


async def test_help_lists_the_keys_of_the_pane(console, snapshot):
    async with console.running(size=SIZES[0]) as pilot:
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await console.press("1", "question_mark")
            await snapshot(pilot, "help-environments")
            await console.press("escape")
            assert len(pilot.app.screen_stack) == 1, size


async def test_the_palette_finds_and_runs_a_command_and_what_is_typed_after_the_end_is_nobodys(console, screen_text):
    async with console.running() as pilot:
        await pilot.resize_terminal(40, 10)
        await console.press("ctrl+p", "pagedown", "pageup", "end", "escape")  # the list has no rows there
        await pilot.resize_terminal(80, 24)
        notify(pilot.app, "a notice that takes two lines " * 3)
        await console.until(lambda: toast_columns(pilot.app))
        stood = toast_columns(pilot.app)
        await console.press("question_mark")
        await console.until(lambda: len(pilot.app.screen_stack) == 2 and toast_columns(pilot.app))
        assert toast_columns(pilot.app) == stood, "the screen below shows it too, and no second one appears"
        await console.press("escape", "ctrl+p")
        await console.until(lambda: "Environments: " in screen_text(pilot.app))
        assert "Theme" not in screen_text(pilot.app), "the console's own commands come first"
        await console.press(*"theme")
        await console.until(lambda: "Choose other colours" in screen_text(pilot.app))
        await console.press("escape")
        await pilot.resize_terminal(120, 40)
        await console.press("3", "ctrl+p")
        await pilot.pause(0.3)
        await console.press(*"add an env")
        await console.until(lambda: "Environments: Add an environment" in screen_text(pilot.app))
        await console.press("down", "enter")
        await console.until(lambda: "New environment" in screen_text(pilot.app))
    assert not pilot.app.screen_stack
    for event in (events.Key("j", "j"), events.Paste("{}")):
        await pilot.app.on_event(event)


async def test_the_palette_offers_the_saved_filters(console, screen_text):
    console.write('[filters]\nbad = "status:failed"\n')
    async with console.running() as pilot:
        await console.press("1", "ctrl+p")
        await pilot.pause(0.3)
        await console.press(*"@bad")
        await console.until(lambda: "Deliveries: Filter by @bad" in screen_text(pilot.app))
        await console.press("down", "enter")
        await console.until(lambda: pilot.app.main.deliveries.filter.text == "@bad")
        assert pilot.app.main.focused_scope() == "deliveries"


async def test_a_filter_is_saved_under_a_name_from_its_line(console):
    console.write('[filters]\nbad = "status:failed"\n')
    async with console.running() as pilot:
        await console.press("3", "ctrl+s")
        assert console.notices()[-1] == "there is no filter to save: type one first"
        await console.press("slash", *"is:withheld", "ctrl+s")
        await console.until(lambda: isinstance(pilot.app.screen, Prompt))
        await console.press(*"no name", "enter")
        assert "that cannot name a filter: use lower-case letters" in console.text()
        await console.press("ctrl+u", *"bad", "enter")
        await console.until(lambda: "@bad is status:failed now" in console.text())
        await console.press("ctrl+u", *"@open", "enter")
        if isinstance(pilot.app.screen, Prompt):  # a name that came in one burst with its enter
            await console.press("enter")
        await console.until(lambda: any("saved: @open stands for this filter" in said for said in console.notices()))
        assert console.config()["filters"] == {"bad": "status:failed", "open": "is:withheld"}
        assert pilot.app.main.deliveries.saved_filters["open"] == "is:withheld"
        await console.press("enter")
        assert pilot.app.main.deliveries.filter.text == "is:withheld"
    async with console.running(read_only=True) as pilot:
        await console.press("3", "slash", *"is:failed")
        assert [hint.enabled for hint in key_bar(pilot.app) if hint.label == "save under a name"] == [False]
        await console.press("ctrl+s")
        assert "this console is read-only" in console.notices()[-1]


async def test_the_line_of_the_filter_saves_by_the_key_of_the_config(console):
    console.write('[keys]\nsave-filter = "f6"\n')
    async with console.running() as pilot:
        await console.press("3", "slash", *"is:failed")
        assert [hint.key for hint in key_bar(pilot.app) if hint.label == "save under a name"] == ["f6"]
        await console.press("f6")
        await console.until(lambda: isinstance(pilot.app.screen, Prompt))


async def test_jump_keys_zoom_and_tab(console, monkeypatch):
    async with console.running() as pilot:
        app, left = pilot.app, []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(app.leaving, "leave", lambda: left.append(app))
            flow = app.keyboard.track_flow(asyncio.sleep(0))
            for key in ("2", "ctrl+q", "3"):
                await app.on_event(events.Key(key, None))
            app.keyboard.drop()  # as where a command was refused
            await flow
            await console.until(lambda: left)
        assert app.main.focused_scope() == "environments"
        whole, paint = [], Compositor.render_full_update
        monkeypatch.setattr(Compositor, "render_full_update", lambda one, **how: whole.append(one) or paint(one, **how))
        for key, scope in (("2", "payload"), ("3", "deliveries"), ("1", "environments")):
            await console.press(key)
            assert pilot.app.main.focused_scope() == scope
        assert not whole  # only the two panes and the key bar are painted
        await console.press("asterisk")
        assert console.notices()[-1] == (
            "* does nothing in Environments; in Records it is mark all: 2, then f lists them"
        )
        await console.press("tab")
        assert pilot.app.main.focused_scope() == "payload"


async def test_click_on_key_bar_runs_the_command(console, screen_text):
    async with console.running(size=(120, 40)) as pilot:
        bar = screen_text(pilot.app).splitlines()[-1]
        await pilot.click("KeyBar", offset=(bar.index("help"), 0))
        await pilot.pause()
        assert "Help: Environments" in screen_text(pilot.app)


async def test_leaving_closes_journal_and_engine(console, sink):
    console.keys(development=KEY, endpoint=sink.url)
    async with console.running() as pilot:
        app = pilot.app
        await console.press("q")
        await console.until(lambda: not app.is_running or app._exit)
    assert app.return_code == 0
    assert app.session.journal is None
    assert app.session.engine is None


async def test_equal_snapshot_is_not_assigned(console):
    async with console.running() as pilot:
        before = pilot.app.main.snapshot
        pilot.app._background.wake()
        await asyncio.sleep(0.05)
        await pilot.pause()
        assert pilot.app.main.snapshot is before


async def test_key_t_runs_its_flow_from_one_action_whichever_pane_has_focus(console, monkeypatch):
    callers = []

    def flow(self, name):
        callers.append((inspect.stack()[1].function, name))
        return asyncio.sleep(0)

    monkeypatch.setattr(EnvironmentActions, "send_test_event", flow)
    console.keys(production=KEY)
    async with console.running():
        for pane in "123":
            await console.press(pane, "t")
    assert callers == [("action_test_event", "production")] * 3


def test_main_screen_handles_every_pane_message():
    from sprig_tui.console.app import SprigTui
    from sprig_tui.console.clipboard import CopyRequested
    from sprig_tui.console.deliveries.filter_bar import FilterInput
    from sprig_tui.console.deliveries.log import DeliveryLog
    from sprig_tui.console.main_screen import MainScreen
    from sprig_tui.console.payload.inspector import PayloadInspector
    from sprig_tui.console.screens.explain import ExplainRequested

    # The panes are loaded late, so their messages are caught by the names of the handlers alone.
    for message in (
        SendRequested,
        SendAllRequested,
        PayloadInspector.RecordShown,
        DeliveryLog.DeliverySelected,
        DeliveryLog.Queued,
        DeliveryLog.RepairRequested,
    ):
        assert hasattr(MainScreen, message.handler_name), message.handler_name
    for message in (CopyRequested, ExplainRequested, FilterInput.SaveRequested):
        assert hasattr(SprigTui, message.handler_name), message.handler_name


async def test_zoom_fills_the_screen_and_escape_or_z_unzooms(console):
    async with console.running(size=SIZES[0]) as pilot:
        for size in SIZES:
            await pilot.resize_terminal(*size)
            for key in "123":
                await _zooms(console, pilot, key, size)


async def _zooms(console, pilot, key: str, size: tuple[int, int]) -> None:
    panes = {"1": "Environments", "2": "Payload", "3": "Deliveries"}
    own = panes[key]
    await console.press(key, "z")
    text = console.text()
    lines = text.splitlines()
    assert f"╭─ {own}" in lines[1], size
    assert len(lines[1].rstrip()) == size[0]
    assert lines[-2].startswith("╰")
    assert "sprig-tui" in lines[0] or "Production" in lines[0]
    assert "? help" in lines[-1]
    assert [pane for pane in panes.values() if f"╭─ {pane}" in text] == [own], size
    for back in ("z", "escape"):
        await console.press(back)
        assert all(f"╭─ {pane}" in console.text() for pane in panes.values()), (key, back, size)
        assert pilot.app.main.focused_scope() == own.lower()
        await console.press("z")
    await console.press("1" if key != "1" else "2")
    assert all(f"╭─ {pane}" in console.text() for pane in panes.values()), (key, size)


async def test_escape_leaves_the_filter_before_the_zoom(console):
    async with console.running() as pilot:
        await console.press("3", "z", "slash", *"user:x", "enter", "slash", "escape")
        assert pilot.app.main.zoomed == "deliveries"
        assert pilot.app.main.deliveries.filter.text == "user:x"
        await console.press("escape")
        assert not pilot.app.main.zoomed
        assert pilot.app.main.deliveries.filter.text == "user:x"
        await console.press("escape")
        assert not pilot.app.main.deliveries.filter.text


async def test_dropped_file_opens_whichever_pane_has_focus(console, tmp_path):
    async with console.running() as pilot:
        for pane in "123":
            file = tmp_path / f"my answers {pane}.jsonl"
            file.write_text(
                '{"responseGroupId":"g","question":"How easy?","questionType":"LIKERT","response":4,"userId":"a"}\n'
            )
            await console.press(pane)
            pilot.app.post_message(events.Paste("some other text"))
            pilot.app.post_message(events.Paste(f"'{file}'"))
            await console.until(lambda name=file.name: f"{name}  1 of 1" in console.text())
            assert pilot.app.main.focused_scope() == "payload", pane
