"""The real program in a real terminal: keys as a terminal writes them, and the screen as a person sees it.

    def test_a_name_is_asked_for(terminal, home, segment):
        home.key("development", endpoint=segment.url)          # a Write Key, in the config
        one = terminal("answers.jsonl", size=NARROW)           # sprig-tui answers.jsonl, at 80x24
        one.shows("Environments", "no deliveries yet")         # waits; where it never shows, the failure has the screen
        one.press("2", "S")                                    # one key, one write
        one.shows("Send all 3 records")
        one.write(f"y{ESCAPE}")                                # many keys in one write, as type-ahead has them
        one.shows("3 delivered", gone="Send all")              # on the screen, and no longer on it
        one.until(lambda: len(segment.events) == 3)            # reads the terminal too: a full one stops the program
        one.press("q")
        assert one.leave() == 0                                # its exit code; everything it wrote is read
        one.assert_as_it_was()                                 # the terminal is whole

Never wait for a time: press, then `shows` what the keys lead to. To see that a key did *nothing*, follow it by one that
does something visible. `one.paste(text)` pastes with brackets, `one.click_on(text)` and `one.click(column, row)` are
the mouse, `one.resize(NARROW)`, `one.reshape(NARROW)` (of a terminal that keeps nothing: what shows was painted anew),
`one.shows_in_both(text)`, `one.hang_up()`, `one.process.send_signal(number)`; `one.text`, `one.rows`, `one.build` (with
colours), `one.cell(column, row)` and `one.until(condition)` look. The keys have names in `.terminal`: ENTER, TAB,
SHIFT_TAB, UP, `ctrl("p")`.

`home` is the folder of this test (HOME and SPRIG_TUI_HOME): `home.write(config)`, `home.config()`, `home.deliveries()`,
`home.file(name, text)`; the program is started in it. `segment` is the fake Segment on a real socket.

A start is a fork of a process that has shown the console once: 0.2 s of CPU until the panes are there, so keep few
starts and let one test walk a way of several steps. `terminal(..., prepare="...")` runs Python in the program first (to
break something on purpose). `terminal(..., anew=True)` starts the installed program like a person does, ten times as
dear; `shell()` is bash with job control in the terminal.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import pytest
from support.workspace_lookalike import WorkspaceLookalike

from sprig_tui.config.paths import paths_in_folder
from sprig_tui.config.save import save_environment
from sprig_tui.journal.query import MATCH_ALL
from sprig_tui.journal.records import Delivery
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.segment.sink import Sink

from .processes import Launcher, start_anew
from .terminal import FULL, PATIENCE_S, Size, Terminal

KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"
SAMPLES = Path(__file__).parents[2] / "sample_payloads"


class Home:
    """A person's folder, fresh."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.paths = paths_in_folder(str(folder / "sprig"))
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "LC_ALL", "TMPDIR")}
        self.environ = {
            "LANG": "C.UTF-8",
            **kept,
            "HOME": str(folder),
            "SPRIG_TUI_HOME": str(folder / "sprig"),
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "TEXTUAL_ANIMATIONS": "none",
            "TZ": "UTC",
        }
        """What the program gets; change it before the start."""
        self.set_up_mark = self.paths.state_dir / "set-up"
        """Keeps the set-up screen from coming by itself; without it the home is a newcomer's."""
        self.set_up_mark.parent.mkdir(parents=True, mode=0o700)
        self.set_up_mark.write_bytes(b"off\n")

    def write(self, config: str) -> None:
        """The whole config."""
        self.paths.config_file.parent.mkdir(exist_ok=True)
        self.paths.config_file.write_text(config, encoding="utf-8")

    def key(self, environment: str = "development", *, key: str = KEY, **settings: Any) -> None:
        """A Write Key in the config, and other settings of its environment."""
        save_environment(self.paths, environment, {"write_key": key, **settings})

    def config(self) -> dict[str, Any]:
        """What stands in the config."""
        file = self.paths.config_file
        return tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}

    def file(self, name: str, text: str) -> Path:
        """A file in the folder."""
        file = self.folder / name
        file.write_text(text, encoding="utf-8")
        return file

    def sample(self, name: str, *, environment: str = "") -> Path:
        """A copy of one of the sample payloads; with `environment`, all of a file of flat records are for that one."""
        if not environment:
            return Path(shutil.copy(SAMPLES / name, self.folder / name))
        records = [json.loads(line) for line in (SAMPLES / name).read_text(encoding="utf-8").splitlines()]
        return self.file(name, "".join(f"{json.dumps({**one, 'environment': environment})}\n" for one in records))

    def deliveries(self) -> list[Delivery]:
        """What stands in the journal, oldest first."""
        if not self.paths.journal_file.exists():
            return []

        async def look() -> list[Delivery]:
            async with SQLiteJournal(self.paths.journal_file) as journal:
                return sorted((await journal.page(MATCH_ALL, limit=1_000)).deliveries, key=lambda one: one.id)

        return asyncio.run(look())


class Segment:
    """The fake Segment, in a thread of its own: tests here wait for terminals, not for an event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._sink = Sink()

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._sink.start)
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._sink.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    @property
    def url(self) -> str:
        """Its address, for `endpoint`."""
        return self._sink.url

    @property
    def events(self) -> tuple[dict[str, Any], ...]:
        """What arrived, oldest first."""

        async def look() -> tuple[dict[str, Any], ...]:
            return self._sink.events

        return self._do(look)

    def set_faults(self, *faults: str) -> None:
        """What goes wrong from now on, such as `503@1-3`."""

        async def change() -> None:
            self._sink.set_faults(faults)

        self._do(change)

    def _do(self, work: Callable[[], Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work(), self._loop).result(PATIENCE_S + 5)


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    """One for all tests of this process."""
    one = Launcher()
    yield one
    one.close()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """See `Home`."""
    return Home(tmp_path / "person")


@pytest.fixture
def segment() -> Iterator[Segment]:
    """See `Segment`."""
    with Segment() as listening:
        yield listening


@pytest.fixture
def workspace() -> Iterator[WorkspaceLookalike]:
    """The fake Segment with its Public API; it counts at once, but three answers of Acme dev never."""
    with WorkspaceLookalike(faults=("lost=3@source:Acme dev",)) as listening:
        yield listening


@pytest.fixture
def terminal(home: Home, launcher: Launcher) -> Iterator[Callable[..., Terminal]]:
    """`terminal("demo", size=NARROW)` is `sprig-tui demo` in a terminal of 80x24; see this module's docstring."""
    opened: list[Terminal] = []

    def start(*arguments: str | Path, size: Size = FULL, anew: bool = False, **how: Any) -> Terminal:
        one = Terminal(size)
        said = [str(argument) for argument in arguments]
        if anew:
            program = str(Path(sys.executable).with_name("sprig-tui"))
            one.run(start_anew([program, *said], home.environ, home.folder, one.slave))
        else:
            one.run(launcher.start(said, home.environ, home.folder, one.slave, **how))
        opened.append(one)
        return one

    yield start
    for one in opened:
        print(one.framed())  # pytest shows it where the test failed
        one.close()


@pytest.fixture
def shell(home: Home) -> Iterator[Callable[..., Terminal]]:
    """`shell()` is bash in a terminal, with job control, `sprig-tui` in its PATH, and `$ ` as its prompt."""
    opened: list[Terminal] = []

    def start(size: Size = FULL, command: Sequence[str] = ("bash", "--norc", "--noprofile", "-i")) -> Terminal:
        one = Terminal(size)
        programs = f"{Path(sys.executable).parent}{os.pathsep}{home.environ['PATH']}"
        environ = {**home.environ, "PATH": programs, "PS1": "$ ", "HISTFILE": ""}
        one.run(start_anew(command, environ, home.folder, one.slave))
        opened.append(one)
        one.shows("$")
        return one

    yield start
    for one in opened:
        print(one.framed())  # pytest shows it where the test failed
        one.close()
