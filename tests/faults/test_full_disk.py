"""The disk fills in the middle: what was acknowledged is delivered, the rest once there is room, nothing twice."""

from __future__ import annotations

import pytest

from sprig_tui.config.environment import Environment, WriteKey
from sprig_tui.delivery.engine import Engine
from sprig_tui.delivery.wait import wait_until_settled
from sprig_tui.errors import JournalFullError
from sprig_tui.ingest import EntryBuilder
from sprig_tui.ingest.ingest import ingest_records
from sprig_tui.journal.records import State
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.mapping.records import Rules
from sprig_tui.segment.sink import Sink
from sprig_tui.sprig.reader import read_responses


class SmallDisk(SQLiteJournal):
    """A journal that SQLite itself reports full (SQLITE_FULL) at `pages` pages, until there is room."""

    pages = 100

    def _connect(self):
        connection = super()._connect()
        self.writer_connection = connection
        connection.execute(f"PRAGMA max_page_count = {self.pages}")
        return connection


async def test_a_disk_that_fills_and_is_freed(tmp_path, answers, monkeypatch):
    monkeypatch.setattr("sprig_tui.ingest.prefetch.MAX_CHUNK_ENTRIES", 100)
    source, fates = answers(3000)
    async with Sink(keep=1_000_000, faults=["400~poison"]) as sink:
        environments = {
            "production": Environment(
                name="production",
                write_key=WriteKey("F" * 32),
                endpoint=sink.url,
                requests_per_second=1000,
                sprig_environment_id="QmK7x2dTfa",
            )
        }
        intake = EntryBuilder(Rules(), environments)
        async with SmallDisk(tmp_path / "j.db") as journal, Engine(journal, environments) as engine:
            stored = 0

            def noted(fed) -> None:
                nonlocal stored
                stored = fed.records

            with pytest.raises(JournalFullError):
                await ingest_records(read_responses([source]), intake, journal, engine, on_progress=noted)
            assert 0 < stored < 3000
            journal.writer_connection.execute("PRAGMA max_page_count = 1000000")
            fed = await ingest_records(read_responses([source]), intake, journal, engine)
            assert fed.outcomes["known"] >= stored
            assert not (await wait_until_settled(journal, fed.ids, fed.environments, engine=engine)).queued
            counts = (await journal.counts()).by_environment["production"]
        assert counts[State.DELIVERED] == fates["delivered"]
        assert counts[State.FAILED] == fates["failed"]
        assert sink.stats.accepted == fates["delivered"]
        assert sink.stats.duplicates == 0
