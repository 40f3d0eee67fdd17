"""Contents are remembered over restarts, whatever became of the file that holds them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from sprig_tui.errors import InputError
from sprig_tui.sprig.inbox import memory
from sprig_tui.sprig.inbox.memory import SentFiles


@pytest.fixture
def answers(tmp_path: Path) -> str:
    file = tmp_path / "answers.jsonl"
    file.write_text("{}")
    return str(file)


def opened(tmp_path: Path, *scope: str) -> SentFiles:
    found = SentFiles(tmp_path / "state" / "sent-files", scope or ("journal.db", "development"))
    found.load()
    return found


def test_a_restart_knows_what_was_read(tmp_path: Path, answers: str) -> None:
    before = opened(tmp_path)
    digest = before.digest_of(answers)
    assert not before.knows(digest)
    before.remember(digest, "answers\n.jsonl")
    before.remember(digest, "answers\n.jsonl")
    assert before.knows(digest)
    file = tmp_path / "state" / "sent-files"
    assert len(file.read_text().splitlines()) == 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert opened(tmp_path).knows(digest)


def test_other_content_journal_or_declaration_is_news(tmp_path: Path, answers: str) -> None:
    digests = {opened(tmp_path).digest_of(answers), opened(tmp_path, "journal.db", "production").digest_of(answers)}
    digests.add(opened(tmp_path, "other.db", "development").digest_of(answers))
    Path(answers).write_text("{ }")
    digests.add(opened(tmp_path).digest_of(answers))
    assert len(digests) == 4


def test_a_torn_line_takes_none_with_it(tmp_path: Path, answers: str) -> None:
    before = opened(tmp_path)
    first = before.digest_of(answers)
    before.remember(first, "a")
    with (tmp_path / "state" / "sent-files").open("ab") as stream:
        stream.write(b"0123456789abc")
    Path(answers).write_text("{ }")
    second = before.digest_of(answers)
    opened(tmp_path).remember(second, "b")
    after = opened(tmp_path)
    assert after.knows(first)
    assert after.knows(second)


def test_rubbish_is_passed_over(tmp_path: Path, answers: str) -> None:
    place = tmp_path / "state" / "sent-files"
    place.parent.mkdir()
    place.write_bytes(b"\xff\x00" * 500 + b"\n\n" + b"0" * 31 + b"\n")
    found = opened(tmp_path)
    digest = found.digest_of(answers)
    found.remember(digest, "a")
    assert opened(tmp_path).knows(digest)


def test_two_at_once_keep_each_others_lines(tmp_path: Path, answers: str) -> None:
    one, two = opened(tmp_path), opened(tmp_path)
    first = one.digest_of(answers)
    one.remember(first, "a")
    Path(answers).write_text("{ }")
    second = two.digest_of(answers)
    two.remember(second, "b")
    after = opened(tmp_path)
    assert after.knows(first)
    assert after.knows(second)


def test_it_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "KEPT", 10)
    before = opened(tmp_path)
    digests = [f"{number:032x}".encode() for number in range(25)]
    for digest in digests:
        before.remember(digest, "a")
    after = opened(tmp_path)
    assert [after.knows(digest) for digest in digests] == [False] * 15 + [True] * 10
    assert len((tmp_path / "state" / "sent-files").read_bytes().splitlines()) == 10
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["sent-files"]


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "state" / "sent-files").mkdir(parents=True)
    with pytest.raises(InputError, match=r"cannot read .*sent-files"):
        opened(tmp_path)


def test_what_cannot_be_written_is_known_until_the_end_of_the_run(tmp_path: Path, answers: str) -> None:
    found = opened(tmp_path)
    (tmp_path / "state").write_text("in the way")
    digest = found.digest_of(answers)
    with pytest.raises(OSError, match="File exists"):
        found.remember(digest, "a")
    assert found.knows(digest)
