"""The screen of live workers: opened by its key, kept up to date, honest about a journal it cannot read."""

from __future__ import annotations

import os

from msgspec.structs import replace
from textual.widgets import Static

from sprig_tui.clock import SystemClock
from sprig_tui.console.screens.workers import WorkersScreen, workers_text
from sprig_tui.journal.records import WorkerInfo
from sprig_tui.journal.sqlite import SQLiteJournal

SIZES = [(80, 24), (120, 40)]
KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"
OTHER = WorkerInfo(
    id="f" * 32,
    role="run",
    host="[/red]mill-\x1b[31m2",
    pid=4211,
    version="0.1.0",
    environments=("production",),
    started_at=1_790_000_000_000,
    rate=212.4,
)


async def test_workers_screen_lists_workers_as_they_start_and_end(console, sink):
    console.keys(development=KEY, endpoint=sink.url)
    async with console.running(size=SIZES[0]) as pilot:
        await console.press("L")
        await console.until(lambda: f" {os.getpid()} " in console.text())
        assert "1 worker, 0/s" in console.text()
        async with SQLiteJournal(console.paths.journal_file) as journal:
            await journal.heartbeat(replace(OTHER, started_at=SystemClock().now()))
            for size in SIZES:
                await pilot.resize_terminal(*size)
                await console.until(lambda: "2 workers on 2 hosts, 212/s" in console.text())
                assert "[/red]mill-␛[31m2" in console.text(), f"no markup, and nothing a terminal obeys, at {size}"
            await journal.unregister_worker(OTHER.id)
            await console.until(lambda: "1 worker, 0/s" in console.text())
        await console.press("escape")
        assert len(pilot.app.screen_stack) == 1


async def no_worker_is_listed(console, pilot) -> None:
    await console.press("L")
    for size in SIZES:
        await pilot.resize_terminal(*size)
        await console.until(lambda: "no worker is alive" in console.text())
        # to the end of the sentence, however wide the box
        await console.until(lambda: "sprig-tui run │" in " ".join(console.text().split()))
    await console.press("escape")


async def test_read_only_console_is_not_a_worker(console):
    async with console.running(size=SIZES[0], read_only=True) as pilot:
        await no_worker_is_listed(console, pilot)


async def test_workers_screen_keeps_list_when_journal_is_lost(console, sink):
    console.keys(development=KEY, endpoint=sink.url)
    async with console.running() as pilot:
        await console.press("L")
        await console.until(lambda: "1 worker" in console.text())
        console.paths.journal_file.unlink()
        await console.until(lambda: "what is shown is from before" in console.text())
        said = "the journal was moved or deleted: put it back, or press J"
        await console.until(lambda: said in " ".join(console.text().replace("│", " ").split()))
        assert "1 worker" in console.text()
        await console.press("q")
        assert not isinstance(pilot.app.screen, WorkersScreen)


async def test_workers_screen_shows_journal_error_before_first_read(console):
    console.paths.journal_file.write_bytes(b"this is no journal" * 100)
    async with console.running(ready=False, size=(80, 24)):
        await console.press("L")
        await console.until(lambda: "damaged" in console.text())
        await console.until(lambda: "looking" not in console.text())


async def test_console_without_an_engine_is_not_a_worker_and_many_workers_are_scrolled_to(console):
    async with console.running(engine=False, size=SIZES[0]) as pilot:
        await no_worker_is_listed(console, pilot)
        await pilot.resize_terminal(*SIZES[0])
        async with SQLiteJournal(console.paths.journal_file) as journal:
            for number in range(60):
                now = SystemClock().now()
                await journal.heartbeat(
                    replace(OTHER, id=f"{number:032}", host=f"mill-{number}", started_at=now + number)
                )
            await console.press("L")
            await console.until(lambda: "60 workers on 60 hosts" in console.text())
            assert "mill-59" not in console.text()
            await console.press("end")
            await console.until(lambda: "mill-59" in console.text())
        assert pilot.app.screen.query_one(".workers-table", Static).size.height > 24


def test_workers_screen_without_workers_shows_next_step():
    assert "sprig-tui run" in workers_text([], 0).plain
