"""`journal verify`, `backup`, `salvage` and `info` from the command line: what they say, and their exit codes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from support.live_sink import LiveSink
from support.pages import damage, pages_of

from sprig_tui.journal.open import open_journal
from sprig_tui.journal.retention import Cutoffs

Run = Callable[..., Any]


def spoil(path: Path) -> None:
    """Flip a bit of each stored call, and break a page of the file."""
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        first, bodies = connection.execute("SELECT first, bodies FROM packs").fetchone()
        bad = bytearray(bodies)
        bad[len(bad) // 2] ^= 4
        connection.execute("UPDATE packs SET bodies = ? WHERE first = ?", (bytes(bad), first))


def test_a_whole_journal(configured: Path, cli: Run, write: Run, answer: Run) -> None:
    assert cli("send", write(answer(1), answer(2)), "-e", "development", "--no-wait").code == 0
    told = cli("journal", "verify")
    assert (told.code, "is whole: 2 deliveries" in told.err) == (0, True)
    info = cli("journal", "info", "--json").json
    assert (len(info["identity"]), info["problems"]) == (32, [])
    backup = configured / "backup.db"
    assert cli("journal", "backup", str(backup)).code == 0
    assert cli("journal", "backup", str(backup)).code == 2, "nothing is overwritten"
    told = cli("journal", "salvage", str(backup), str(configured / "new.db"), "--json")
    assert (told.code, told.json["deliveries"], told.json["lost"]) == (0, 2, [])


def test_a_damaged_one(configured: Path, cli: Run, write: Run, answer: Run) -> None:
    assert cli("send", write(answer(1), answer(2)), "-e", "development", "--no-wait").code == 0
    path = configured / "journal.db"
    spoil(path)
    told = cli("journal", "verify", "--json")
    assert (told.code, told.json["whole"], len(told.json["problems"])) == (1, False, 1)
    assert "journal salvage" in told.err
    told = cli("journal", "salvage", str(path), str(configured / "new.db"))
    assert (told.code, "lost: payloads of deliveries 1 to 2" in told.err) == (1, True)
    cli("run", "--help")
    os.replace(configured / "new.db", path)  # noqa: PTH105 - over it, as the advice says
    told = cli("journal", "info")
    assert (told.code, "2 deliveries failed because their stored payload is damaged" in told.err) == (1, True)


@pytest.mark.parametrize("name", ["due", "counts", "environments", "recent_ids"])
def test_a_command_that_delivers_makes_anew_what_can_be(
    configured: Path, cli: Run, write: Run, answer: Run, sink: LiveSink, name: str
) -> None:
    assert cli("send", write(answer(1), answer(2)), "-e", "development", "--no-wait").code == 0
    path = configured / "journal.db"
    damage(path, *pages_of(path, name))
    told = cli("send", write(answer(2), answer(3)), "-e", "development")
    assert (told.code, "1 of them known from before" in told.err) == (0, True)
    assert f"{name}. Stop every process that uses it, then run: sprig-tui journal salvage {path} NEW" in told.err
    ids = [event["messageId"] for event in sink.sink.events]
    assert (len(ids), len(set(ids))) == (3, 3)
    told = cli("journal", "salvage", str(path), str(configured / "new.db"), "--json")
    assert (told.code, told.json["deliveries"], told.json["lost"]) == (0, 3, [])


def test_journal_command_without_a_journal(configured: Path, cli: Run) -> None:
    for argv in (["verify"], ["backup", "x.db"], ["salvage", "none.db", "x.db"]):
        assert cli("journal", *argv).code == 2
    assert not (configured / "journal.db").exists()


def test_a_server_has_tools_of_its_own(configured: Path, cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRIG_TUI_JOURNAL_URL", "postgresql://nobody@127.0.0.1:1/x")
    told = cli("journal", "backup", "x.db")
    assert (told.code, "pg_dump" in told.err) == (2, True)


def test_damaged_payload_on_a_server_is_reported_and_not_sent(
    configured: Path,
    cli: Run,
    write: Run,
    answer: Run,
    sink: LiveSink,
    monkeypatch: pytest.MonkeyPatch,
    emptied_postgres_journal_url: str,
) -> None:
    monkeypatch.setenv("SPRIG_TUI_JOURNAL_URL", emptied_postgres_journal_url)
    assert cli("send", write(answer(1), answer(2)), "-e", "development", "--no-wait").code == 0
    assert cli("journal", "verify").code == 0

    async def rot() -> None:
        connection = await asyncpg.connect(emptied_postgres_journal_url)
        await connection.execute("UPDATE sprig_tui.packs SET bodies = set_byte(bodies, 40, get_byte(bodies, 40) # 4)")
        await connection.close()

    asyncio.run(rot())
    told = cli("journal", "verify")
    assert (told.code, "the stored call of deliveries 1 to 2 is damaged" in told.err) == (1, True)
    assert "restore the database from a backup" in told.err
    cli("send", write(answer(3)), "-e", "development")
    assert len(sink.sink.events) == 1
    rows = cli("log", "--status", "failed", "--json").rows
    assert {(one["state"], one["error"][:7]) for one in rows} == {("failed", "damaged")}
    assert len(rows) == 2


def test_retention_in_info_and_compact(configured: Path, cli: Run, write: Run, answer: Run) -> None:
    config = configured / "config.toml"
    config.write_text(config.read_text() + '\n[journal]\nkeep = "90d"\nkeep_content = "2w"\n')
    assert cli("journal", "compact").code == 2, "there is none"
    assert cli("send", write(answer(1), answer(2)), "-e", "development", "--no-wait").code == 0
    assert "kept: delivered 90 d, failed 90 d, withheld 90 d, content 14 d" in cli("journal", "info").out
    found = cli("journal", "info", "--json").json
    day = 86_400
    kept = {"delivered": 90 * day, "failed": 90 * day, "withheld": 90 * day, "content": 14 * day}
    assert found["retention"] == {
        "kept_seconds": kept,
        "removed": {},
        "content_dropped": 0,
        "last_pass": None,
        "longest_step_ms": 0,
    }
    assert found["shrinks"]
    path = configured / "journal.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("VACUUM")
    assert "sprig-tui journal compact" in cli("journal", "info").out
    assert cli("journal", "compact", "--json").json["bytes"] > 0
    assert cli("journal", "info", "--json").json["shrinks"]


def test_what_has_no_content_any_more_says_so(configured: Path, cli: Run, write: Run, answer: Run) -> None:
    assert cli("send", write(answer(1), answer(2)), "-e", "development").code == 0
    asyncio.run(_drop_content(str(configured / "journal.db")))
    assert cli("log").out.count("  removed  ") == 2
    assert [row["content_dropped"] for row in cli("log", "--json").rows] == [True, True]
    assert "its content was removed (journal.keep_content)" in cli("log", "--detail", "1").out
    told = cli("replay", "--all", "--dry-run", "--json")
    assert told.json["content_dropped"] == 2
    assert "2 have no content any more (journal.keep_content), and cannot be sent again" in told.err


async def _drop_content(place: str) -> None:
    async with open_journal(place) as journal:
        assert await journal.retention.take_turn("here") is not None
        cutoffs = Cutoffs(content=journal.clock.now() + 1000)
        for first in (await journal.retention.due_packs(cutoffs, 0)).ids:
            await journal.retention.clean_pack("here", cutoffs, first)
        await journal.retention.end_turn("here", None)
