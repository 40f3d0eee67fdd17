"""Places that may not be written: the demo needs no folder for temporary files, and a journal can be looked at.

Where we may make mounts of our own, in a namespace that ends with the test.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.programs import Programs, Told

from sprig_tui.journal.sqlite import SQLiteJournal

READ_ONLY_ROOT = """
set -e
mount --bind "$WRITABLE" "$WRITABLE"
mount --rbind /dev/shm /dev/shm
for place in / /tmp /var/tmp /dev/shm; do mount -o remount,bind,ro "$place" 2>/dev/null || true; done
cd /
exec "$@"
"""
READ_ONLY_FOLDER = """
set -e
mount --bind "$WRITABLE" "$WRITABLE"
mount -o remount,bind,ro "$WRITABLE"
exec "$@"
"""


@pytest.fixture
def inside(tmp_path):
    """Run a command of ours within other mounts."""
    if (
        not shutil.which("unshare")
        or subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no mounts of our own here")

    async def run(script: str, writable: Path, *argv: str) -> Told:
        environ = {**os.environ, "SPRIG_TUI_HOME": str(tmp_path / "home"), "WRITABLE": str(writable), "NO_COLOR": "1"}
        environ.pop("TMPDIR", None)
        process = await asyncio.create_subprocess_exec(
            *("unshare", "-m", "sh", "-c", script, "sh", sys.executable, "-m", "sprig_tui", *argv),
            env=environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return Told(process.returncode, out.decode(), err.decode())

    return run


async def test_the_demo_needs_no_folder_for_temporary_files(tmp_path, inside):
    (tmp_path / "home").mkdir()
    told = await inside(READ_ONLY_ROOT, tmp_path, "demo", "--plain")
    assert told.code == 0, told.err
    assert "sprig-tui-demo-" not in " ".join(os.listdir(tmp_path / "home"))  # noqa: PTH208 - removed again
    told = await inside(READ_ONLY_ROOT, tmp_path, "doctor", "--offline")
    assert "no folder for temporary files" in told.out


async def test_a_journal_in_a_folder_that_may_not_be_written_is_looked_at(tmp_path, inside, entry_of):
    Programs(tmp_path / "home").configure(str(tmp_path / "j" / "journal.db"), "http://127.0.0.1:1")
    (tmp_path / "j").mkdir()
    async with SQLiteJournal(tmp_path / "j" / "journal.db") as journal:
        await journal.add([entry_of(1), entry_of(2)])
    for argv in (["log"], ["status"], ["journal", "info"], ["log", "--detail", "1"]):
        told = await inside(READ_ONLY_FOLDER, tmp_path / "j", *argv)
        assert told.code == 0, (argv, told)
    told = await inside(READ_ONLY_FOLDER, tmp_path / "j", "log", "-n", "0")
    assert len(told.out.splitlines()) == 2
    told = await inside(READ_ONLY_FOLDER, tmp_path / "j", "replay", "status:withheld", "--yes")
    assert "may not be written" in told.err or told.code == 0


async def test_commands_that_look_do_not_wait_for_a_lock(tmp_path, entry_of):
    import contextlib
    import sqlite3

    async with Programs(tmp_path / "home") as programs:
        programs.configure(str(tmp_path / "journal.db"), "http://127.0.0.1:1")
        async with SQLiteJournal(tmp_path / "journal.db") as journal:
            await journal.add([entry_of(1)])
        with contextlib.closing(sqlite3.connect(tmp_path / "journal.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for argv in (["log"], ["status"], ["journal", "info"]):
                told = await programs.command(*argv)
                assert told.code == 0, (argv, told)
