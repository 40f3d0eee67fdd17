"""Trouble while the console is open: it says so, keeps what it shows, recovers."""

from __future__ import annotations

import logging

from sprig_tui.console.environments.trial_event import EVENT

KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"


async def test_a_lost_journal_is_told_and_comes_back(console, sink, screen_text):
    console.keys(development=KEY, endpoint=sink.url)
    async with console.running() as pilot:
        await console.press("1", "j", "t", "escape")
        await console.until(lambda: "last answer 200" in screen_text(pilot.app))
        file = console.paths.journal_file
        away = file.with_name("away.db")
        file.rename(away)
        pilot.app.core.check_file()
        await console.until(lambda: "was moved or deleted" in screen_text(pilot.app).replace("│\n│", ""))
        await console.until(lambda: pilot.app.core.journal is None)
        assert "journal: lost" in screen_text(pilot.app)
        assert EVENT[:12] in screen_text(pilot.app)
        away.rename(file)
        await console.until(lambda: pilot.app.core.engine is not None)
        await console.until(lambda: "journal: sqlite" in screen_text(pilot.app))


async def test_a_new_journal_in_place_of_a_lost_one(console):
    async with console.running() as pilot:
        console.paths.journal_file.unlink()
        pilot.app.core.check_file()
        await console.until(lambda: pilot.app.core.journal is None)
        assert not console.paths.journal_file.exists()
        await console.press("J")
        await console.until(lambda: pilot.app.core.journal is not None)
        assert console.paths.journal_file.exists()


async def test_a_journal_that_cannot_be_opened_is_told_and_tried_again(console, screen_text):
    console.paths.journal_file.write_bytes(b"this is no journal" * 100)
    async with console.running(ready=False) as pilot:
        await console.until(lambda: "damaged or no SQLite" in screen_text(pilot.app))
        console.paths.journal_file.unlink()
        await console.until(lambda: pilot.app.core.journal is not None)
        await console.until(lambda: "journal: sqlite" in screen_text(pilot.app))


async def test_a_fault_of_ours_in_a_flow_keeps_the_screen(console):
    async with console.running() as pilot:

        async def broken() -> None:
            raise ZeroDivisionError

        pilot.app.do(broken())
        await console.until(lambda: any("ZeroDivisionError" in said for said in console.notices()))
        assert pilot.app.is_running


async def test_the_log_has_no_key(console):
    console.keys(production=KEY)
    async with console.running():
        logging.getLogger("sprig_tui.delivery").warning("using %s", KEY)
    assert "[redacted]" in console.paths.log_file.read_text()
    assert KEY not in console.paths.log_file.read_text()
