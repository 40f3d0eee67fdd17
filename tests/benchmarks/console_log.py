"""Benchmark of the console's log on a million deliveries, in a real terminal (a pty of 120x40).

    python tests/benchmarks/console_log.py [DELIVERIES]
    python tests/benchmarks/console_log.py --pages [DELIVERIES]

    python tests/benchmarks/console_log.py --traffic [DELIVERIES]

`--traffic` only adds deliveries while keys are pressed in the log, the insight screen and the list of records.
`--pages` only pages, in the log and in a bare ScrollView in turn, and prints the ratio of their work. Each is an app of
its own in a terminal of 120x40. The bare one has 40 rows of 118 cells in one style and a scrollbar, writes all 40 for
each page, and does nothing else: what Textual takes for a key, a scroll and a frame. The console writes the 16 rows of
its log in the styles of their columns, titles, and the payload of the delivery under the cursor, which it reads from
the journal; its engine runs and the journal is polled, as always. What the engine counts once in a journal that it has
not seen before is counted before the first page.
Own work is all CPU time of the program's thread from a key to the next one, pressed when the screen is quiet: one frame
for the key, another when rows that were out of sight are read, and one for the payload of the selected delivery.
Latency is wall time from a key to its frame.
Absolute figures are the machine's; the ratios and the limits of the issue stand beside them.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import pty
import shutil
import statistics
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from full_journal import entry, full_journal

PAGES = 200
PAGES_IN_TURN = 10
"""Pages of one program before the other one has its turn."""
FLOOD_PER_SECOND = 5_000
FLOOD_SECONDS = 10
ONLY_WORK = "BENCH_ONLY_WORK"
"""Variable of a console whose latency is not measured: that takes CPU time of its own."""
PAGE_QUIET_S = 0.1
KEYS = {"k": "line up", "pageup": "page up", "pagedown": "page down"}
FILTERS = (
    "status:failed",
    "env:production",
    "Pricing",
    "user:acct_99*",
    "nothere",
    "status:failed OR reason:anonymous",
    "nothere OR latency:>1s",
)


# -- the console, in a process of its own ------------------------------------------------------------------------------


def child(path: str, results: str) -> None:  # noqa: C901 - an app in a function, so that only the child imports it
    """Run the whole console, note what each key cost, write that to `results` at the end."""
    begun = time.perf_counter()
    from textual import events

    from sprig_tui.config.paths import paths_in_folder
    from sprig_tui.config.settings import load_settings
    from sprig_tui.console.app import SprigTui
    from sprig_tui.console.commands.base import Permissions
    from sprig_tui.console.deliveries.log_lines import LogLines
    from sprig_tui.console.session import ConsoleDependencies
    from sprig_tui.console.widgets.line_list import LineList
    from sprig_tui.delivery.engine import Engine
    from sprig_tui.journal.filter import parse_filter
    from sprig_tui.journal.sqlite import SQLiteJournal

    imported = time.perf_counter()
    notes: dict[str, list[float]] = {}
    flooded = Path(results + ".flood")
    seen: list[events.Key] = []
    measures_latency = not os.environ.get(ONLY_WORK)
    home = Path(results + ".home")
    home.mkdir()
    (home / "config.toml").write_text(f'[journal]\npath = "{path}"\n')
    paths = paths_in_folder(str(home))

    def phase(key: str) -> str:
        return flooded.read_text() if flooded.exists() else key

    def settled() -> None:
        """As `run_console` does."""
        gc.collect()
        gc.freeze()
        gc.enable()

    class Bench(SprigTui):
        pressed: tuple[float, str, tuple[object, ...]] | None = None
        worked: tuple[float, str] | None = None
        waited = 0.0

        async def on_mount(self) -> None:
            write = self._driver.write

            def written(data: str) -> None:
                write(data)
                self.written()

            if measures_latency:
                self._driver.write = written
            self.opened = time.perf_counter()
            self.when_shown(self.begin)

        @property
        def pane(self):
            return self.main.deliveries

        def begin(self) -> None:
            self.note("open", time.perf_counter() - self.opened)
            self.main.focus_pane("deliveries")
            self.set_timer(0.5, Path(results + ".ready").touch)  # what the focus changes is painted by then

        def when_shown(self, done) -> None:
            search = self.pane.updater.search if "deliveries" in self.main.panes else None
            there = search is not None and search.started
            if there and (search.matches.complete if not len(search.matches) else self.pane.lines.selected_row):
                self.call_after_refresh(done)
            else:
                self.set_timer(0.002, lambda: self.when_shown(done))

        def note(self, name: str, value: float) -> None:
            notes.setdefault(name, []).append(value)

        async def on_event(self, event: events.Event) -> None:
            if isinstance(event, events.Key) and event.key in ("ctrl+t", "ctrl+q"):
                if event.key == "ctrl+q":
                    self.note("rss MB", rss())
                    await self.action_quit()
                else:
                    self.next_filter()
                return
            if isinstance(event, events.Key) and event not in seen:  # it bubbles up to here again
                seen[:] = [event]
                self.note_work(phase(event.key))
                if measures_latency:
                    self.pressed = (event.time, phase(event.key), self.standing())
                    self.waited = run_queue()
            await super().on_event(event)

        def note_work(self, name: str) -> None:
            """What the thread did since the key before: that key's frames, and what reading its rows led to."""
            now = time.thread_time()
            if self.worked is not None and self.worked[1] == name:
                self.note(f"{name} work", now - self.worked[0])
            self.worked = (now, name)

        def standing(self) -> tuple[object, ...]:
            """What a key changes, and traffic does not."""
            focused = self.focused
            if isinstance(focused, LineList) and not isinstance(focused, LogLines):
                return type(focused).__name__, focused.cursor
            lines = self.pane.lines if "deliveries" in self.main.panes else None
            if lines is None:
                return ()
            return lines.selected if not lines.following else 0, lines.following

        def written(self) -> None:
            """A frame went to the terminal."""
            if self.pressed is not None and self.standing() != self.pressed[2]:
                latency = time.monotonic() - self.pressed[0]
                self.note(f"{self.pressed[1]} latency", latency)
                self.note(f"{self.pressed[1]} own latency", latency - (run_queue() - self.waited))
                self.pressed = None

        def next_filter(self) -> None:
            text = FILTERS[len([name for name in notes if name.startswith("first ")])]
            begun, since = time.perf_counter(), self.pane.updater.search

            def first() -> None:
                self.note(f"first {text}", time.perf_counter() - begun)
                complete()

            def complete() -> None:
                if self.pane.updater.search.matches.complete:
                    self.note(f"all {text}", time.perf_counter() - begun)
                    self.note(f"matches {text}", len(self.pane.updater.search.matches))
                else:
                    self.set_timer(0.02, complete)

            self.pane.filter = parse_filter(text, now_ms=0)
            self.first_look(first, since)

        def first_look(self, done, since: object) -> None:
            """The first rows, or word that it is still searching."""
            search = self.pane.updater.search
            if search is not None and search is not since and (self.pane.lines.selected_row or not len(search.matches)):
                self.call_after_refresh(done)
            else:
                self.set_timer(0.002, lambda: self.first_look(done, since))

    notes["import"] = [imported - begun]
    gc.disable()
    sources = ConsoleDependencies(
        paths,
        lambda: load_settings(paths),
        SQLiteJournal,
        lambda journal, using: Engine(journal, using.environments, using.delivery),
    )
    files = (os.environ["BENCH_FILE"],) if os.environ.get("BENCH_FILE") else ()
    Bench(sources, sources.load(), Permissions(), files=files, on_start=settled, guides_first_start=False).run()
    Path(results).write_text(json.dumps(notes))


def run_queue() -> float:
    """Seconds that this thread was ready to run, and other processes had the cores."""
    return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9


def rss() -> float:
    """MB in memory now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def yardstick(results: str) -> None:
    """Page through a bare ScrollView of the same size: what Textual itself takes for a frame."""
    from rich.segment import Segment
    from rich.style import Style
    from textual import events
    from textual.app import App
    from textual.geometry import Size
    from textual.scroll_view import ScrollView
    from textual.strip import Strip

    notes: list[float] = []
    style = Style(color="white")

    class Bare(ScrollView, can_focus=True):
        BINDINGS = [("pagedown", "down")]  # noqa: RUF012 - as Textual declares it

        def on_mount(self) -> None:
            self.virtual_size = Size(0, 1_000_000)
            self.set_timer(0.5, Path(results + ".ready").touch)

        def action_down(self) -> None:
            self.scroll_to(y=self.scroll_offset.y + self.size.height, animate=False)

        def render_line(self, y: int) -> Strip:
            return Strip([Segment(f"{y + self.scroll_offset.y:<118}", style)], 118)

    class Bench(App[None]):
        worked: float | None = None

        def compose(self):
            yield Bare()

        def on_key(self, event: events.Key) -> None:
            if event.key == "ctrl+q":
                self.exit()
            now = time.thread_time()
            if event.key == "pagedown" and self.worked is not None:
                notes.append(now - self.worked)
            self.worked = now if event.key == "pagedown" else None

    Bench().run()
    Path(results).write_text(json.dumps({"pagedown work": notes}))


# -- the person, and the traffic ---------------------------------------------------------------------------------------


class Terminal:
    """A pty with the console in it."""

    def __init__(self, journal: Path, folder: Path, *, only_work: bool = False) -> None:
        self.results = folder / f"results-{journal.stem}.json"
        mode = [str(journal), str(self.results)] if journal.suffix else ["", str(self.results)]
        master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (40, 120))
        self.master = master
        self.seen = time.monotonic()
        environ = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "TEXTUAL_ANIMATIONS": "none"}
        environ |= {ONLY_WORK: "1"} if only_work else {}
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--child", *mode],
            stdin=slave, stdout=slave, stderr=slave, env=environ, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        threading.Thread(target=self._drain, daemon=True).start()

    def _drain(self) -> None:
        with contextlib.suppress(OSError):
            while os.read(self.master, 65_536):
                self.seen = time.monotonic()

    def keys(self, keys: str, times: int = 1, *, every: float = 0.0) -> None:
        """Press keys; each waits until the screen was quiet for a moment, or (`every`) for so many seconds."""
        for _ in range(times):
            os.write(self.master, keys.encode())
            if every:
                time.sleep(every)
            else:
                self.quiet()

    def pages(self, number: int) -> None:
        """Page down; each page waits for its frame, and until nothing more was painted for a moment."""
        for _ in range(number):
            before, until = self.seen, time.monotonic() + 5
            os.write(self.master, b"\x1b[6~")
            while self.seen == before and time.monotonic() < until:
                time.sleep(0.01)
            self.quiet(PAGE_QUIET_S)

    def wait_until_open(self) -> None:
        """Wait until the first rows are shown, and nothing more is painted."""
        until = time.monotonic() + 60
        while not Path(f"{self.results}.ready").exists():
            if time.monotonic() > until or self.process.poll() is not None:
                raise TimeoutError("it does not open")
            time.sleep(0.05)
        self.quiet(0.3)

    def quiet(self, seconds: float = 0.05) -> None:
        """Wait until nothing is painted."""
        time.sleep(seconds)
        while time.monotonic() - self.seen < seconds:
            time.sleep(0.01)

    def end(self) -> dict[str, list[float]]:
        """Quit; what was noted."""
        os.write(self.master, b"\x11")
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        os.close(self.master)
        return json.loads(self.results.read_text())

    def cpu(self) -> float:
        """CPU seconds so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def flood(path: str) -> None:
    """Add 5,000 deliveries a second from a process of its own."""
    from sprig_tui.journal.sqlite import SQLiteJournal

    async def run() -> None:
        async with SQLiteJournal(path) as journal:
            base = int(time.time()) * 1_000_000
            begun, added = time.monotonic(), 0
            while time.monotonic() - begun < FLOOD_SECONDS:
                await journal.add([entry(base + added + number) for number in range(250)])
                added += 250
                await asyncio.sleep(max(0.0, added / FLOOD_PER_SECOND - (time.monotonic() - begun)))
            print(f"   traffic: {added / (time.monotonic() - begun):,.0f} deliveries/s")

    asyncio.run(run())


def measure(journal: Path, folder: Path, *, full: bool) -> dict[str, list[float]]:
    """Use the console on this journal."""
    terminal = Terminal(journal, folder)
    time.sleep(3)
    terminal.quiet(0.3)
    before, at = terminal.cpu(), time.monotonic()
    time.sleep(5)
    idle = (terminal.cpu() - before) / (time.monotonic() - at)
    if full:
        terminal.keys("k", 150)
        terminal.keys("\x1b[5~", 100)
        terminal.keys("g")
        terminal.keys("\x1b[6~", 100)
        terminal.keys("G")
        for _ in FILTERS:
            os.write(terminal.master, b"\x14")
            time.sleep(6)
        os.write(terminal.master, b"\x1b")
        time.sleep(1)
        terminal.keys("G")
        marker = Path(f"{terminal.results}.flood")
        marker.write_text("flood")
        before, at = terminal.cpu(), time.monotonic()
        traffic = subprocess.Popen([sys.executable, __file__, "--flood", str(journal)])
        time.sleep(1)
        while traffic.poll() is None:
            terminal.keys("k", every=0.1)
            terminal.keys("j", every=0.1)
            terminal.keys("f", every=0.1)
        print(f"   console during traffic: {(terminal.cpu() - before) / (time.monotonic() - at):.0%} of a core")
        marker.unlink()
        terminal.quiet(0.3)
    notes = terminal.end()
    notes["idle"] = [idle]
    return notes


TRAFFIC_SCREENS = (("log", "3", "kjf"), ("insight", "I", "jkj]"), ("records", "\x1b2f", "jjjk"))
"""Screens, the keys that open them, and those that are pressed in them."""
RECORDS = 10_000


def print_traffic(journal: Path, folder: Path) -> None:
    """Press keys in each screen while deliveries are added."""
    record = '{"surveyId": 1, "surveyName": "NPS", "userId": "acct_%d", "response": 9, "questionType": "NPS"}\n'
    file = folder / "records.jsonl"
    file.write_text("".join(record % number for number in range(RECORDS)))
    os.environ["BENCH_FILE"] = str(file)
    terminal = Terminal(journal, folder)
    terminal.wait_until_open()
    marker = Path(f"{terminal.results}.flood")
    for name, opening, keys in TRAFFIC_SCREENS:
        for key in opening:
            terminal.keys(key)
            time.sleep(0.5)
        traffic = subprocess.Popen([sys.executable, __file__, "--flood", str(journal)])
        time.sleep(1)
        marker.write_text(name)
        before, at = terminal.cpu(), time.monotonic()
        while traffic.poll() is None:
            for key in keys:
                terminal.keys(key, every=0.1)
        print(f"   {name}: the console takes {(terminal.cpu() - before) / (time.monotonic() - at):.0%} of a core")
        marker.unlink()
        terminal.quiet(0.3)
    notes = terminal.end()
    for name, _, _ in TRAFFIC_SCREENS:
        taken = notes.get(f"{name} latency", [])
        if taken:
            print(
                f"   {name}: {statistics.median(taken) * 1000:.0f} ms median, {percentile(taken, 0.99):.0f} ms p99"
                f" ({len(taken)} keys), limit 100; without waiting for a core"
                f" {percentile(notes[f'{name} own latency'], 0.99):.0f} ms p99"
            )
    print(f"   memory {notes['rss MB'][0]:.0f} MB")


async def count_blocks(journal: Path) -> None:
    """Count what the engine counts once in a journal."""
    from sprig_tui.journal.sqlite import SQLiteJournal

    async with SQLiteJournal(str(journal)) as opened:
        while await opened.keep_counts(spared=0):
            pass


def page_in_turn(journal: Path, folder: Path) -> tuple[list[float], list[float]]:
    """CPU seconds of each page of the log, and of each of a bare ScrollView, paged in turn."""
    asyncio.run(count_blocks(journal))
    log, bare = (Terminal(path, folder, only_work=True) for path in (journal, folder / "bare"))
    log.wait_until_open()
    bare.wait_until_open()
    log.keys("g")
    for _ in range(PAGES // PAGES_IN_TURN):
        for terminal in (log, bare):
            # the other key ends the work that is counted: what is between two turns is no page
            terminal.pages(PAGES_IN_TURN)
            terminal.keys("k")
    return log.end()["pagedown work"], bare.end()["pagedown work"]


def print_pages(journal: Path, folder: Path) -> None:
    """Page, and print the ratio."""
    log, bare = page_in_turn(journal, folder)
    median, frame = statistics.median(log), statistics.median(bare)
    print(
        f"   a page of the log takes {median * 1000:.1f} ms of CPU, {percentile(log, 0.99):.1f} ms p99"
        f" ({percentile(log, 0.99) / 1000 / median:.1f} times the median; limit 3), a page of a bare ScrollView"
        f" {frame * 1000:.1f} ms: {median / frame:.2f} times that (limit 1.6)"
    )
    if os.environ.get("BENCH_TAILS"):
        print("   slowest", [round(one * 1000, 1) for one in sorted(log)[-12:]])


def percentile(values: list[float], share: float) -> float:
    """In milliseconds."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] * 1000


def main(count: int) -> None:
    """Measure with none and with many, print both."""
    source = full_journal(count)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        many = folder / "many.db"
        shutil.copy(source, many)
        none = measure(folder / "none.db", folder, full=False)
        print(f"with {count:,} deliveries (with none in brackets)")
        full = measure(many, folder, full=True)
        print_pages(many, folder)
    print(f"   open to rows   {full['open'][0] * 1000:7.0f} ms  ({none['open'][0] * 1000:.0f} ms)")
    print(f"   idle           {full['idle'][0]:7.1%}     ({none['idle'][0]:.1%}) of a core")
    print(f"   memory         {full['rss MB'][0]:7.0f} MB  ({none['rss MB'][0]:.0f} MB)  limit 150 MB")
    for key, name in KEYS.items():
        work = full[f"{key} work"]
        print(
            f"   {name:<12} own work {statistics.median(work) * 1000:6.1f} ms median,"
            f" {percentile(work, 0.99):6.1f} ms p99  ({len(work)} keys), latency"
            f" {statistics.median(full[f'{key} latency']) * 1000:.0f} ms; limits 16 and 50 ms a frame"
        )
    for text in FILTERS:
        print(
            f"   {text:<33} first page {full[f'first {text}'][0] * 1000:6.0f} ms (limit 150),"
            f" all {int(full[f'matches {text}'][0]):>9,} after {full[f'all {text}'][0]:.2f} s"
        )
    latency = full["flood latency"]
    if os.environ.get("BENCH_TAILS"):
        for key in (*KEYS, "flood"):
            print(key, [round(one * 1000) for one in sorted(full[f"{key} work"])[-12:]])
    print(
        f"   keys at {FLOOD_PER_SECOND:,}/s: {statistics.median(latency) * 1000:.0f} ms median,"
        f" {percentile(latency, 0.99):.0f} ms p99, {max(latency) * 1000:.0f} ms max  ({len(latency)} keys), limit 100;"
        f" without waiting for a core {percentile(full['flood own latency'], 0.99):.0f} ms p99"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(sys.argv[2], sys.argv[3]) if sys.argv[2] else yardstick(sys.argv[3])
    elif sys.argv[1:2] == ["--flood"]:
        flood(sys.argv[2])
    elif sys.argv[1:2] in (["--pages"], ["--traffic"]):
        with tempfile.TemporaryDirectory() as made:
            copied = Path(made) / "many.db"
            shutil.copy(full_journal(int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000), copied)
            (print_pages if sys.argv[1] == "--pages" else print_traffic)(copied, Path(made))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
