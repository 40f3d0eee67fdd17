"""Trouble while the console is open: it says so, keeps what it shows, recovers."""

from __future__ import annotations

import logging

import pytest

from sprig_tui.config.paths import paths_in_folder
from sprig_tui.console.app import SprigTui
from sprig_tui.console.deliveries.delivery_actions import NO_JOURNAL
from sprig_tui.errors import JournalFullError
from sprig_tui.ingest.test_event import EVENT_NAME
from sprig_tui.journal.sqlite import SQLiteJournal

KEY = "Zq8TinventedKeyOfThirtyTwoChE1Rk"


async def test_lost_journal_is_reported_and_reopened(console, sink, screen_text, tmp_path):
    console.keys(development=KEY, endpoint=sink.url)
    # however long its path is, and this one is longer than a line
    console.paths = paths_in_folder(str(console.paths.journal_file.parent.rename(tmp_path / ("long" * 40))))
    async with console.running() as pilot:
        await console.press("1", "j", "t", "escape")
        await console.until(lambda: "last answer 200" in screen_text(pilot.app))
        file = console.paths.journal_file
        away = file.with_name("away.db")
        await console.press("3", "enter")  # the detail screen stays open
        file.rename(away)
        pilot.app.session.check_file()
        await console.until(lambda: pilot.app.session.journal is None)
        await console.until(lambda: "cannot read the journal" in screen_text(pilot.app))
        await console.press("r", "x")
        away.rename(file)
        await console.until(lambda: "cannot read the journal" not in screen_text(pilot.app))
        await console.press("escape")
        file.rename(away)
        pilot.app.session.check_file()
        await console.until(lambda: pilot.app.session.journal is None)
        await console.until(lambda: "journal: lost" in screen_text(pilot.app))
        assert "the journal was moved or deleted: put it back, or press J" in screen_text(pilot.app)
        for number, key in enumerate(("R", "W", "B", "r", "w", "b", "D", "e"), 1):
            await console.press("3", key)
            notice = pilot.app.notices.notices[-1]
            assert (notice.text, notice.times) == (NO_JOURNAL, number), key
        assert [notice.message for notice in pilot.app._notifications].count(NO_JOURNAL) == 1
        assert EVENT_NAME[:12] in screen_text(pilot.app)
        away.rename(file)
        await console.until(lambda: pilot.app.session.engine is not None)
        await console.until(lambda: "journal: sqlite" in screen_text(pilot.app))


async def test_begin_journal_key_replaces_a_lost_journal(console):
    async with console.running() as pilot:
        console.paths.journal_file.unlink()
        pilot.app.session.check_file()
        await console.until(lambda: pilot.app.session.journal is None)
        assert not console.paths.journal_file.exists()
        await console.press("J")
        await console.until(lambda: pilot.app.session.journal is not None)
        assert console.paths.journal_file.exists()


async def test_journal_that_fails_to_open_is_reported_and_retried(console, screen_text):
    console.paths.journal_file.write_bytes(b"this is no journal" * 100)
    async with console.running(ready=False) as pilot:
        await console.until(lambda: "damaged" in screen_text(pilot.app))
        console.paths.journal_file.unlink()
        await console.until(lambda: pilot.app.session.journal is not None)
        await console.until(lambda: "journal: sqlite" in screen_text(pilot.app))


async def test_unexpected_error_in_a_flow_keeps_the_screen_and_the_log_file_contains_no_key(console):
    console.keys(production=KEY)
    async with console.running() as pilot:

        async def broken() -> None:
            raise ZeroDivisionError

        pilot.app.flows.run(broken())
        await console.until(lambda: any("ZeroDivisionError" in said for said in console.notices()))
        assert pilot.app.is_running
        logging.getLogger("sprig_tui.delivery").warning("using %s", KEY)
    assert "[redacted]" in console.paths.log_file.read_text()
    assert KEY not in console.paths.log_file.read_text()


class Failing(SQLiteJournal):
    """The real journal, but for a disk that is full when the test says so."""

    full = False

    def _fail(self) -> None:
        if self.full:
            raise JournalFullError(f"no room left for the journal {self.path}", hint="free disk space")

    async def counts(self):
        self._fail()
        return await super().counts()

    async def claim(self, request):
        self._fail()
        return await super().claim(request)

    async def add(self, entries, *, deadline=None):
        self._fail()
        return await super().add(entries, deadline=deadline)


async def test_full_disk_is_reported_and_the_console_recovers(console, sink, screen_text, monkeypatch):
    console.keys(development=KEY, endpoint=sink.url)
    console.journal_class = Failing
    async with console.running() as pilot:
        await console.press("1", "j", "t")
        await console.until(lambda: "Segment answered 200" in screen_text(pilot.app))
        await console.press("escape")
        await console.until(lambda: "last answer 200" in screen_text(pilot.app))
        monkeypatch.setattr(Failing, "full", True)
        pilot.app._background.wake()
        await console.until(lambda: "✗ no room left" in screen_text(pilot.app))
        shown = screen_text(pilot.app)
        assert "last answer 200" in shown
        await console.press("t")
        await console.until(lambda: any("no room left" in said for said in console.notices()))
        monkeypatch.setattr(Failing, "full", False)
        await console.until(lambda: "✗" not in screen_text(pilot.app).splitlines()[0])
        await console.press("t")
        await console.until(lambda: "Segment answered 200" in screen_text(pilot.app))
        await console.press("escape")

        # an engine that cannot claim is shown with its environment
        monkeypatch.setattr(Failing, "full", True)
        pilot.app.session.engine.wake()
        await console.until(lambda: pilot.app.session.engine.snapshot().environments["development"].local_error)
        pilot.app._background.wake()
        await console.until(lambda: "cannot claim" in screen_text(pilot.app))
        monkeypatch.setattr(Failing, "full", False)
        await console.until(lambda: "cannot claim" not in screen_text(pilot.app))


def _broken(secret: str) -> None:
    raise ZeroDivisionError(len(secret))


async def test_unexpected_error_ends_with_a_sentence_without_locals(console, monkeypatch):
    console.keys(production=KEY)
    printed: list[str] = []
    monkeypatch.setattr(SprigTui, "_print_error_renderables", lambda app: printed.extend(app._exit_renderables))

    async def fall() -> None:
        async with console.running() as pilot:
            pilot.app.call_next(_broken, KEY)
            await console.until(lambda: not pilot.app.is_running or pilot.app._exception)

    with pytest.raises(ZeroDivisionError):
        await fall()
    (said,) = printed
    assert "unexpected fault: ZeroDivisionError" in said
    assert str(console.paths.log_file) in said
    log = console.paths.log_file.read_text()
    assert "ZeroDivisionError" in log
    assert KEY not in log
