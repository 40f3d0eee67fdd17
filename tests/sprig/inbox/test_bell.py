"""The bell rings for what the system tells, and goes on when the folder is made anew."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sprig_tui.sprig import folder_watch as bell_module
from sprig_tui.sprig.folder_watch import FolderNotifier


@pytest.fixture
async def bell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FolderNotifier]:
    """Watching `inbox`, its first ring passed: from then on the system tells."""
    monkeypatch.setattr(bell_module, "CHECK_INTERVAL_MS", 100)
    monkeypatch.setattr(bell_module, "RETRY_INTERVAL_S", 0.01)
    monkeypatch.setattr(bell_module, "DEBOUNCE_MS", 60)
    (tmp_path / "inbox").mkdir()
    found = FolderNotifier(str(tmp_path / "inbox"))
    running = asyncio.ensure_future(found.run())
    await rings(found)
    yield found
    assert not running.done()
    running.cancel()
    await asyncio.wait((running,))


async def rings(bell: FolderNotifier) -> None:
    async with asyncio.timeout(20):
        await bell.changed.wait()
    bell.changed.clear()


async def test_a_file_that_appears(bell: FolderNotifier, tmp_path: Path) -> None:
    (tmp_path / "inbox" / "a.json").write_text("{}")
    await rings(bell)


async def test_a_file_in_a_folder_that_appears(bell: FolderNotifier, tmp_path: Path) -> None:
    (tmp_path / "inbox" / "eu").mkdir()
    await rings(bell)


async def test_a_folder_removed_and_made_again(bell: FolderNotifier, tmp_path: Path) -> None:
    (tmp_path / "inbox").rmdir()
    await rings(bell)
    (tmp_path / "inbox").mkdir()
    await rings(bell)
    (tmp_path / "inbox" / "a.json").write_text("{}")
    await rings(bell)


async def test_a_name_that_is_no_utf_8(bell: FolderNotifier, tmp_path: Path) -> None:
    (tmp_path / "inbox" / os.fsdecode(b"\xff.json")).write_text("{}")
    await rings(bell)
    bell.changed.clear()
    (tmp_path / "inbox" / "a.json").write_text("{}")
    await rings(bell)
