"""Test bench of the console: a frozen clock and time zone, a host for one widget, and snapshots of the screen."""

from __future__ import annotations

import os

os.environ["TEXTUAL_ANIMATIONS"] = "none"
os.environ["COLORTERM"] = "truecolor"
os.environ.pop("NO_COLOR", None)

import asyncio
import contextlib
import time
import tomllib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support import parsed_styles
from support.clocks import ManualClock
from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot
from textual.widget import Widget

from sprig_tui.clock import Clock
from sprig_tui.config.paths import paths_in_folder
from sprig_tui.config.save import save_environment
from sprig_tui.config.settings import Settings, load_settings
from sprig_tui.console.app import SprigTui
from sprig_tui.console.commands.base import Permissions
from sprig_tui.console.main_screen import MIN_WIDE_CELLS
from sprig_tui.console.session import ConsoleDependencies
from sprig_tui.console.theme import THEMES, add_muted, sheets
from sprig_tui.delivery.engine import Engine
from sprig_tui.journal.base import Journal
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.segment.sink import Sink

from .screen_snapshot import PICTURE_SIZE, PICTURES, THEME, picture_of, settle, settle_cursors, text_of

SNAPSHOTS = Path(__file__).parent / "snapshots"
UPDATE = "SPRIG_TUI_UPDATE_SNAPSHOTS"
LAYOUT_TIMEOUT_S = 5.0


parsed_styles.keep()


class Host(App[None]):
    """App with only the widgets under test, and the console's styles."""

    CSS_PATH = sheets()
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (MIN_WIDE_CELLS, "-wide")]  # noqa: RUF012 - as Textual has it
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, *widgets: Widget, permissions: Permissions | None = None) -> None:
        super().__init__()
        self._hosted = widgets
        self.permissions = permissions or Permissions()
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = THEME

    def get_css_variables(self) -> dict[str, str]:
        return add_muted(super().get_css_variables())

    def compose(self) -> ComposeResult:
        yield from self._hosted


@pytest.fixture(autouse=True)
def utc(monkeypatch) -> None:
    """Local time is UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def journal(tmp_path, clock) -> AsyncIterator[SQLiteJournal]:
    """Real, empty and open."""
    async with SQLiteJournal(tmp_path / "journal.db", clock=clock) as opened:
        yield opened


@pytest.fixture
def host() -> Callable[..., Host]:
    """`app = host(widget, permissions=...)`, then `async with app.run_test(size=(120, 40)) as pilot:`."""
    return Host


@pytest.fixture
def heard() -> Callable[[list[Message], type[Message]], list[Message]]:
    """Of the messages gathered with `run_test(message_hook=seen.append)`, those of one class, each once."""

    def pick(seen: list[Message], kind: type[Message]) -> list[Message]:
        found: list[Message] = []
        for message in seen:
            if isinstance(message, kind) and not any(message is one for one in found):
                found.append(message)
        return found

    return pick


@pytest.fixture
def screen_text() -> Callable[[App], str]:
    """The screen as plain text, one line per row, without trailing spaces."""
    return text_of


@pytest.fixture
def snapshot() -> Callable[..., Awaitable[None]]:
    """`await snapshot(pilot, "deliveries")` compares with tests/console/snapshots/NAME-WIDTHxHEIGHT.txt.

    With `sizes`, the terminal is resized to each of them: what a size shows depends on nothing that was before, and a
    mount costs ten times a new layout. A scene of `PICTURES` is compared with NAME.html too, at one size.
    SPRIG_TUI_UPDATE_SNAPSHOTS=1 writes what is seen instead; look at the difference before keeping it.
    """

    async def compare(pilot: Pilot, name: str, *, sizes: Sequence[tuple[int, int]] = ()) -> None:
        for width, height in sizes:
            if pilot.app.size != (width, height):
                await _resize(pilot, width, height)
            await compare(pilot, name)
        if sizes:
            return
        await settle_cursors(pilot)
        size = pilot.app.size
        file = SNAPSHOTS / f"{name}-{size.width}x{size.height}.txt"
        await _painted(pilot, file)
        _compare(file, text_of(pilot.app))
        if name in PICTURES and size == PICTURE_SIZE:
            _compare(SNAPSHOTS / f"{name}.html", picture_of(pilot.app))

    return compare


async def _resize(pilot: Pilot, width: int, height: int) -> None:
    """Resize the terminal, until all that is shown is laid out for that size: Textual tells its screens later."""
    await pilot.resize_terminal(width, height)
    async with asyncio.timeout(20):
        while any(
            screen._compositor.size != (width, height) for screen in (pilot.app.screen, *pilot.app._background_screens)
        ):
            await pilot.pause()
    await settle(pilot)


async def _painted(pilot: Pilot, file: Path) -> None:
    """Wait until the screen is that of the file: a busy machine places the panes some time after a resize."""
    wanted = _snapshot_text(file)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAYOUT_TIMEOUT_S):
            while wanted and text_of(pilot.app) != wanted:
                await asyncio.sleep(0.02)
                await pilot.pause()


def _snapshot_text(file: Path) -> str:
    """The snapshot to compare with; empty where it is made anew."""
    return "" if os.environ.get(UPDATE) or not file.exists() else file.read_text(encoding="utf-8")


def _compare(file: Path, seen: str) -> None:
    if os.environ.get(UPDATE):
        file.parent.mkdir(exist_ok=True)
        file.write_text(seen, encoding="utf-8")
        return
    assert file.exists(), f"no snapshot {file.name}; {UPDATE}=1 makes it"
    assert seen == file.read_text(encoding="utf-8"), f"{file.name} differs; {UPDATE}=1 takes the new one"


class Bench:
    """The real console in a folder of its own: real config, journal and engine; tests press keys and look."""

    def __init__(self, folder: Path) -> None:
        self.paths = paths_in_folder(str(folder))
        folder.mkdir()
        self.journal_class = SQLiteJournal
        self.load_settings = load_settings
        self.list_sources = None
        """Asks a workspace for its sources, where the test has one."""
        self.compare_counts = None
        """Compares with Segment's counts, where the test has them."""
        self.explain = None
        """Explains deliveries, where the test does."""
        self.setup = None
        """What the set-up screen asks, where the test opens it."""
        self._pilot: Pilot[int] | None = None
        self._seen: list[str] = []

    # -- making --------------------------------------------------------------------------------------------------------

    def write(self, text: str) -> None:
        """The whole config."""
        self.paths.config_file.write_text(text, encoding="utf-8")

    def keys(self, *, endpoint: str = "", **keys: str) -> None:
        """Write Keys by environment."""
        for name, key in keys.items():
            save_environment(self.paths, name, {"write_key": key, **({"endpoint": endpoint} if endpoint else {})})

    def config(self) -> dict:
        """The content of the config."""
        file = self.paths.config_file
        return tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}

    @asynccontextmanager
    async def running(
        self,
        *,
        size: tuple[int, int] = (120, 40),
        ready: bool = True,
        files: tuple[str, ...] = (),
        clock: Clock | None = None,
        guided: bool = False,
        **permissions: bool,
    ) -> AsyncIterator[Pilot[int]]:
        """The console, open; with `ready` its journal too; with `guided` a first start opens the set-up screen."""
        dependencies = ConsoleDependencies(
            self.paths,
            lambda: self.load_settings(self.paths),
            self.journal_class,
            _engine,
            list_sources=self.list_sources,
            compare_counts=self.compare_counts,
            explain=self.explain,
            setup=(lambda: self.setup) if self.setup is not None else None,
        )
        app = SprigTui(
            dependencies,
            dependencies.load(),
            Permissions(**permissions),
            files=files,
            clock=clock,
            guides_first_start=guided,
        )
        async with app.run_test(size=size, notifications=True) as pilot:
            before, self._pilot = self._pilot, pilot
            await self.until(lambda: not ready or app.main.snapshot.journal == "sqlite")
            await pilot.pause()
            yield pilot
            self._seen = self.notices()
        self._pilot = before

    # -- doing and looking ---------------------------------------------------------------------------------------------

    async def press(self, *keys: str, pilot: Pilot[int] | None = None) -> None:
        """Press, and let the screen settle."""
        pilot = pilot or self._pilot
        assert pilot is not None
        # not `pilot.press`, which waits for the widgets once more
        await pilot.app._press_keys(keys)
        await settle(pilot)

    async def until(self, holds: Callable[[], object]) -> None:
        """Wait until something holds, for as long as it takes (20 s at most), and let the screen settle."""
        assert self._pilot is not None
        if holds():
            return
        async with asyncio.timeout(20):
            while not holds():  # noqa: ASYNC110 - what a test waits for may lie outside of the console
                await asyncio.sleep(0.01)
        if self._pilot.app.is_running:
            await settle(self._pilot)

    def notices(self) -> list[str]:
        """Every notice, oldest first; one that is repeated at once is there once."""
        assert self._pilot is not None
        return [notice.text for notice in self._pilot.app.notices.notices]

    def text(self) -> str:
        """The screen."""
        assert self._pilot is not None
        return text_of(self._pilot.app)


def _engine(journal: Journal, settings: Settings) -> Engine:
    return Engine(journal, settings.environments, settings.delivery)


@pytest.fixture
def console(tmp_path, monkeypatch) -> Bench:
    """`async with console.running() as pilot: await console.press("a")`; nothing is configured yet."""
    for name in list(os.environ):
        if name.startswith("SPRIG_TUI_") and name != UPDATE:
            monkeypatch.delenv(name)
    # for what asks Segment, and finds the folders by itself
    monkeypatch.setenv("SPRIG_TUI_HOME", str(tmp_path / "home"))
    return Bench(tmp_path / "home")


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    """A fake Segment server."""
    async with Sink() as listening:
        yield listening
