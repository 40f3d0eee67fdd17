"""Exports: complete or absent, and never over an existing file unasked."""

from __future__ import annotations

import asyncio
import json
import stat

import pytest

from sprig_tui.errors import SprigTuiError
from sprig_tui.journal import export as module
from sprig_tui.journal.export import ExportProgress, export_deliveries
from sprig_tui.journal.query import MATCH_ALL, Query, Term

TWO = Query((Term("user", "acct_a"),))


@pytest.fixture
async def stored(journal, entry):
    entries = [entry(user_id="acct_a" if place % 5 == 0 else "acct_b") for place in range(25)]
    return [one.id for one in await journal.add(entries)]


@pytest.fixture
def small_pages(monkeypatch):
    monkeypatch.setattr(module, "EXPORT_PAGE_ROWS", 4)


async def test_export_writes_matching_deliveries_oldest_first(journal, stored, tmp_path, small_pages):
    path = tmp_path / "out.jsonl"
    told = []
    done = await export_deliveries(journal, TWO, path, on_progress=told.append)
    assert [json.loads(line)["id"] for line in path.read_text().splitlines()] == stored[::5]
    assert done == ExportProgress(5, stored[-1], stored[-1])
    assert told[-1] == done
    assert len(told) == 2
    assert done.fraction_done == 1.0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.glob(".*")) == []


async def test_export_excludes_later_deliveries(journal, stored, entry, tmp_path, small_pages):
    adding = []

    def told(_):
        adding.append(asyncio.ensure_future(journal.add([entry() for _ in range(3)])))

    path = tmp_path / "out.csv"
    done = await export_deliveries(journal, MATCH_ALL, path, on_progress=told)
    await asyncio.gather(*adding)
    assert done.rows == len(stored)
    assert len(path.read_text().splitlines()) == len(stored) + 1


async def test_export_of_an_empty_journal_has_no_rows(journal, tmp_path):
    assert (await export_deliveries(journal, MATCH_ALL, tmp_path / "out.jsonl")).rows == 0
    assert (tmp_path / "out.jsonl").read_bytes() == b""


async def test_export_overwrites_no_file_unless_asked(journal, stored, tmp_path):
    path = tmp_path / "out.csv"
    path.write_text("mine")
    with pytest.raises(SprigTuiError, match="is there already"):
        await export_deliveries(journal, MATCH_ALL, path)
    assert path.read_text() == "mine"
    await export_deliveries(journal, MATCH_ALL, path, overwrite=True)
    assert "acct_a" in path.read_text()


async def test_export_keeps_a_file_that_appears_meanwhile(journal, stored, tmp_path):
    path = tmp_path / "out.csv"
    with pytest.raises(SprigTuiError, match="is there already"):
        await export_deliveries(journal, MATCH_ALL, path, on_progress=lambda _: path.write_text("mine") and None)
    assert path.read_text() == "mine"
    assert [one.name for one in tmp_path.iterdir() if "out" in one.name] == ["out.csv"]


async def test_cancelled_export_leaves_no_file(journal, stored, tmp_path, small_pages):
    task = None

    def told(_):
        task.cancel()

    task = asyncio.create_task(export_deliveries(journal, MATCH_ALL, tmp_path / "out.csv", on_progress=told))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [one.name for one in tmp_path.iterdir() if "out" in one.name] == []


@pytest.mark.parametrize("name", ["missing/out.csv", "folder.csv"])
async def test_export_to_an_unwritable_path_names_it(journal, tmp_path, name):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(SprigTuiError) as caught:
        await export_deliveries(journal, MATCH_ALL, tmp_path / name)
    assert name in caught.value.message
    assert caught.value.hint
