"""Files that are moved, replaced or overwritten while they are open: nothing more is acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from sprig_tui.console.payload.indexed_file import DiskFile
from sprig_tui.errors import InputError, JournalError, JournalLostError
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.query import Query
from sprig_tui.journal.sqlite import SQLiteJournal, file_check
from sprig_tui.sprig.folder_watch import is_file_truncated
from sprig_tui.sprig.reader import read_responses


@pytest.fixture(autouse=True)
def _look_always(monkeypatch):
    monkeypatch.setattr(file_check, "CONTENT_CHECK_INTERVAL_S", 0.0)


@pytest.fixture
async def path(tmp_path, entry) -> Path:
    """A journal's file with ten deliveries in it."""
    async with SQLiteJournal(tmp_path / "j.db") as journal:
        await journal.add([entry() for _ in range(10)])
    return tmp_path / "j.db"


async def stands_still(journal: SQLiteJournal, entry, said: str) -> None:
    """It takes and gives nothing."""
    with pytest.raises(JournalLostError, match=said):
        await journal.add([entry()])
    with pytest.raises(JournalLostError, match=said):
        await journal.claim(ClaimRequest("production", events=10, payload_bytes=10**6, lease_ms=60_000))
    with pytest.raises(JournalLostError, match=said):
        await journal.check_writable()
    with pytest.raises(JournalLostError, match=said):
        await journal.count(Query())


async def test_moved_file_is_noticed_and_works_once_it_is_back(path, entry):
    async with SQLiteJournal(path) as journal:
        await journal.add([entry()])
        path.rename(path.with_name("elsewhere"))
        await stands_still(journal, entry, r"j\.db was moved or deleted .* Put it back")
        path.with_name("elsewhere").rename(path)
        await journal.add([entry()])
        assert await journal.count(Query()) == 12
    async with SQLiteJournal(path) as journal:
        assert await journal.count(Query()) == 12


async def test_backup_moved_over_the_file_opens_intact(path, entry):
    backup = path.with_name("backup")
    shutil.copyfile(path, backup)
    journal, second = SQLiteJournal(path), SQLiteJournal(path)
    await journal.open()
    await second.open()
    await journal.add([entry() for _ in range(300)])
    kept = await journal.count(Query())
    os.link(path, path.with_name("old"))
    backup.replace(path)
    await stands_still(journal, entry, "took the place of")
    await stands_still(second, entry, "took the place of")
    # its log must not be read into the backup, neither now nor when the last of them ends
    async with SQLiteJournal(path) as restored:
        assert await restored.count(Query()) == 10
    await journal.close()
    await second.close()
    async with SQLiteJournal(path) as restored:
        await restored.add([entry()])
        assert await restored.count(Query()) == 11
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    # and what the old one held is not lost: file and log together are what they were
    path.with_name("j.db-wal.replaced").rename(path.with_name("old-wal"))
    async with SQLiteJournal(path.with_name("old")) as old:
        assert await old.count(Query()) == kept


async def test_old_file_put_back_over_another_works_again(path, entry):
    async with SQLiteJournal(path) as journal:
        await journal.add([entry()])
        path.rename(path.with_name("elsewhere"))
        async with SQLiteJournal(path.with_name("other")):
            pass
        path.with_name("other").replace(path)
        await stands_still(journal, entry, "took the place of")
        path.with_name("elsewhere").replace(path)
        await journal.add([entry()])
    async with SQLiteJournal(path) as journal:
        assert await journal.count(Query()) == 12


async def test_deleted_wal_is_noticed(path, entry):
    journal = SQLiteJournal(path)
    await journal.open()
    await journal.add([entry()])
    path.with_name("j.db-wal").unlink()
    await stands_still(journal, entry, "j.db-wal was removed or replaced")
    await journal.close()


@pytest.mark.parametrize("what", ["older", "another", "nothing", "noise"])
async def test_file_overwritten_in_place_is_noticed(path, entry, what):
    other = path.with_name("other.db")
    async with SQLiteJournal(other) as journal:
        await journal.add([entry() for _ in range(2000)])
    content = {
        "older": path.read_bytes(),
        "another": other.read_bytes(),
        "nothing": b"",
        "noise": os.urandom(40_000),
    }[what]
    async with SQLiteJournal(path) as journal:
        await journal.add([entry() for _ in range(10)])
    journal = SQLiteJournal(path)
    await journal.open()
    await journal.add([entry()])
    path.write_bytes(content)
    if what == "noise":
        # once may be a checkpoint under way, and each connection that closes may write one
        for _ in range(5):
            with contextlib.suppress(JournalError):
                await journal.count(Query())
    await stands_still(journal, entry, "was overwritten")
    if what == "noise":
        os.utime(path)
        await stands_still(journal, entry, "was overwritten")
    with contextlib.suppress(Exception):
        await journal.close()


async def test_writes_of_other_processes_are_no_replacement(path, entry):
    """Checkpoints of others change the file, again and again."""
    before = path.stat().st_mtime_ns
    async with SQLiteJournal(path) as one, SQLiteJournal(path) as other:
        for _ in range(12):
            await asyncio.gather(*(each.add([entry(raw=os.urandom(600_000))]) for each in (one, other)))
    assert path.stat().st_mtime_ns != before
    async with SQLiteJournal(path) as journal:
        assert await journal.count(Query()) == 34


async def test_commit_to_a_deleted_file_is_not_acknowledged(path, entry, monkeypatch):
    """Between the look before a commit and the commit itself."""
    async with SQLiteJournal(path) as journal:
        await journal.add([entry()])

        def moved(connection: sqlite3.Connection) -> None:
            path.rename(path.with_name("elsewhere"))

        with pytest.raises(JournalLostError):
            await journal._writer.run(moved)
        path.with_name("elsewhere").rename(path)


async def test_checkpoint_that_a_busy_disk_halts_is_no_replacement(path, entry, monkeypatch):
    async with SQLiteJournal(path) as journal:
        await journal.add([entry()])
        with path.open("r+b", buffering=0) as file:

            def write_pages(number: int) -> None:
                file.seek(28)
                file.write(number.to_bytes(4, "big"))

            pages = int.from_bytes(os.pread(file.fileno(), 4, 28), "big")
            # a checkpoint writes the number of pages first, and makes room for the last ones at its end
            write_pages(pages + 9)
            for _ in range(3):
                await journal.add([entry()])
            monkeypatch.setattr(file_check, "MAX_CHECKPOINT_WAIT_S", 0.0)
            await stands_still(journal, entry, r"j\.db was overwritten")
            write_pages(pages)
            await journal.add([entry()])
        assert await journal.count(Query()) == 15


OPEN_AND_CLOSE = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT * FROM sequence'); c.close()"


async def test_look_at_the_header_leaves_the_file_locked(path, entry):
    async with SQLiteJournal(path) as journal:
        await journal.add([entry()])
        assert not file_check._is_half_checkpointed(str(path), f"{path}-wal")
        # a process that finds the file without a lock deletes the log as it closes it
        await asyncio.to_thread(subprocess.run, [sys.executable, "-c", OPEN_AND_CLOSE, str(path)], check=True)
        await journal.add([entry()])


async def test_files_of_an_open_journal_are_not_opened_as_answers(path, entry):
    other_name = path.with_name("answers.jsonl")
    async with SQLiteJournal(path) as journal:
        await journal.add([entry()])
        other_name.hardlink_to(path)
        for name in (path, f"{path}-wal", f"{path}-shm", other_name):
            with pytest.raises(InputError, match="it is the journal, which is in use") as raised:
                read_responses([str(name)])
            assert "sprig-tui log" in str(raised.value.hint)
            with pytest.raises(InputError, match="it is the journal, which is in use"):
                DiskFile(str(name))
            with pytest.raises(OSError, match="it is the journal, which is in use"):
                is_file_truncated(str(name))
        await asyncio.to_thread(subprocess.run, [sys.executable, "-c", OPEN_AND_CLOSE, str(path)], check=True)
        await journal.add([entry()])
