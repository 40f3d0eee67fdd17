"""Sent files, remembered over restarts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sprig_tui.errors import InputError, JournalError
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.sprig import sent_files
from sprig_tui.sprig.sent_files import POSITION_KIND, SentFiles


@pytest.fixture
def answers(tmp_path: Path) -> str:
    file = tmp_path / "answers.jsonl"
    file.write_text("{}")
    return str(file)


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SQLiteJournal]:
    async with SQLiteJournal(tmp_path / "journal.db") as opened:
        yield opened


def other_content(file: str) -> None:
    Path(file).write_text("{ }")


async def opened(journal: SQLiteJournal, *scope: str, older: Path | None = None) -> SentFiles:
    found = SentFiles(journal, scope or ("journal.db", "development"))
    await found.load(older)
    return found


async def test_sent_files_survive_a_restart(journal: SQLiteJournal, answers: str) -> None:
    before = await opened(journal)
    digest = before.digest_of(answers)
    assert not before.knows(digest)
    await before.remember(digest, "answers\n.jsonl")
    await before.remember(digest, "answers\n.jsonl")
    assert before.knows(digest)
    assert len(await journal.positions(POSITION_KIND)) == 1
    assert (await opened(journal)).knows(digest)


async def test_sent_files_are_per_journal(tmp_path: Path, journal: SQLiteJournal, answers: str) -> None:
    before = await opened(journal)
    await before.remember(before.digest_of(answers), "a")
    async with SQLiteJournal(tmp_path / "other.db") as other:
        assert not (await opened(other)).knows(before.digest_of(answers))


async def test_digest_depends_on_content_and_scope(journal: SQLiteJournal, answers: str) -> None:
    digests = {
        (await opened(journal)).digest_of(answers),
        (await opened(journal, "journal.db", "production")).digest_of(answers),
    }
    other_content(answers)
    digests.add((await opened(journal)).digest_of(answers))
    assert len(digests) == 3


async def test_concurrent_processes_keep_each_others_digests(journal: SQLiteJournal, answers: str) -> None:
    one, two = await opened(journal), await opened(journal)
    first = one.digest_of(answers)
    await one.remember(first, "a")
    other_content(answers)
    second = two.digest_of(answers)
    await two.remember(second, "b")
    after = await opened(journal)
    assert after.knows(first)
    assert after.knows(second)


async def test_number_of_sent_files_is_limited(journal: SQLiteJournal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sent_files, "MIN_REMEMBERED", 10)
    digests = [f"{number:032x}" for number in range(25, 0, -1)]
    for number, digest in enumerate(digests):
        await journal.save_positions(POSITION_KIND, {digest: f"2026-11-28T{number:02}".encode()})
    after = await opened(journal)
    assert [after.knows(digest) for digest in digests] == [False] * 15 + [True] * 10
    assert len(await journal.positions(POSITION_KIND)) == 10


async def test_sent_files_of_an_older_version_are_read(journal: SQLiteJournal, tmp_path: Path) -> None:
    file = tmp_path / "sent-files"
    known = "0123456789abcdef" * 2
    file.write_bytes(
        b"\xff\x00" * 500 + b"\n\n" + b"0" * 31 + b"\n" + known.encode() + b' 2026-11-28 "a"\n0123456789abc'
    )
    found = await opened(journal, older=file)
    assert found.knows(known)
    assert not found.knows("0" * 31)
    assert not (await opened(journal)).knows(known)


async def test_unreadable_sent_files_file_raises(journal: SQLiteJournal, tmp_path: Path) -> None:
    (tmp_path / "sent-files").mkdir()
    with pytest.raises(InputError, match=r"cannot read .*sent-files"):
        await opened(journal, older=tmp_path / "sent-files")


async def test_unwritable_journal_keeps_digests_for_the_run(answers: str) -> None:
    closed = SQLiteJournal("journal.db")
    found = SentFiles(closed, ())
    with pytest.raises(JournalError):
        await found.remember(found.digest_of(answers), "a")
    assert found.knows(found.digest_of(answers))
