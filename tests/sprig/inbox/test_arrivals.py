"""Files are handed out when they are complete, once per state; what is none of ours is named once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sprig_tui.sprig.folder_watch import STABLE_FOR_S, FolderScanner, ReadyFile, classify_name, signature_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    return inbox


def names(found: list[ReadyFile]) -> list[str]:
    return [Path(one.path).name for one in found]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("answers.jsonl", "answers"),
        ("Export.CSV.GZ", "answers"),
        ("page.json", "answers"),
        ("answers.jsonl.part", "partial"),
        ("answers.json.crdownload", "partial"),
        ("answers.json.TMP", "partial"),
        ("answers.json~", "partial"),
        (".answers.jsonl.Xy3z", "hidden"),
        ("notes.txt", "other"),
        ("archive.zip", "other"),
        ("gz", "other"),
    ],
)
def test_kinds_of_names(name: str, kind: str) -> None:
    assert classify_name(name) == kind


def test_a_file_is_complete_when_it_stood_still_and_is_handed_out_once(folder: Path) -> None:
    arrivals = FolderScanner(str(folder))
    (folder / "a.jsonl").write_text("{}")
    first = arrivals.scan(100.0)
    assert (first.ready, first.next_scan_in_s) == ([], STABLE_FOR_S)
    assert names(arrivals.scan(100.0 + STABLE_FOR_S).ready) == ["a.jsonl"]
    again = arrivals.scan(200.0)
    assert (again.ready, again.next_scan_in_s) == ([], None)


def test_a_file_that_is_still_written_waits_from_its_last_change(folder: Path) -> None:
    arrivals = FolderScanner(str(folder))
    file = folder / "a.jsonl"
    file.write_text("{}")
    arrivals.scan(0.0)
    file.write_text("{}\n{}")
    assert arrivals.scan(0.9 * STABLE_FOR_S).ready == []
    assert arrivals.scan(1.8 * STABLE_FOR_S).ready == []
    assert names(arrivals.scan(1.9 * STABLE_FOR_S).ready) == ["a.jsonl"]


def test_the_same_size_with_another_time_is_another_state(folder: Path) -> None:
    arrivals = FolderScanner(str(folder))
    file = folder / "a.jsonl"
    file.write_text("{}")
    arrivals.scan(0.0)
    assert arrivals.scan(STABLE_FOR_S).ready
    os.utime(file, ns=(1, 1))
    assert arrivals.scan(2 * STABLE_FOR_S).ready == []
    assert names(arrivals.scan(3 * STABLE_FOR_S).ready) == ["a.jsonl"]


def test_a_file_that_grows_is_handed_out_again(folder: Path) -> None:
    arrivals = FolderScanner(str(folder))
    file = folder / "a.jsonl"
    file.write_text("{}")
    arrivals.scan(0.0)
    assert arrivals.scan(STABLE_FOR_S).ready[0].signature.size == 2
    file.write_text("{}\n{}")
    arrivals.scan(10.0)
    assert arrivals.scan(10.0 + STABLE_FOR_S).ready[0].signature == signature_of(str(file))


def test_renamed_into_place_is_complete_at_once(folder: Path) -> None:
    arrivals = FolderScanner(str(folder))
    (folder / "a.jsonl.part").write_text("{}")
    (folder / ".b.jsonl.tmp").write_text("{}")
    assert arrivals.scan(0.0).ready == []
    (folder / "a.jsonl.part").rename(folder / "a.jsonl")
    (folder / ".b.jsonl.tmp").rename(folder / "b.jsonl")
    assert sorted(names(arrivals.scan(0.1).ready)) == ["a.jsonl", "b.jsonl"]


def test_written_to_since_it_was_seen_as_partial_is_not(folder: Path) -> None:
    arrivals = FolderScanner(str(folder))
    part = folder / "a.jsonl.part"
    part.write_text("{}")
    arrivals.scan(0.0)
    part.write_text("{}\n{}")
    part.rename(folder / "a.jsonl")
    assert arrivals.scan(0.1).ready == []
    assert arrivals.scan(0.1 + STABLE_FOR_S).ready


def test_an_empty_file_is_not_complete_yet(folder: Path) -> None:
    arrivals = FolderScanner(str(folder))
    (folder / "a.jsonl").touch()
    arrivals.scan(0.0)
    look = arrivals.scan(10.0)
    assert (look.ready, look.next_scan_in_s) == ([], None)
    (folder / "a.jsonl").write_text("{}")
    arrivals.scan(11.0)
    assert arrivals.scan(12.0).ready


def test_oldest_first(folder: Path) -> None:
    arrivals = FolderScanner(str(folder))
    for name, moment in (("c.json", 1), ("a.json", 3), ("b.json", 2)):
        (folder / name).write_text("{}")
        os.utime(folder / name, ns=(moment, moment))
    arrivals.scan(0.0)
    assert names(arrivals.scan(STABLE_FOR_S).ready) == ["c.json", "b.json", "a.json"]


def test_sub_folders_are_read_hidden_ones_are_not(folder: Path) -> None:
    arrivals = FolderScanner(str(folder))
    for place in ("eu/2026", ".git"):
        (folder / place).mkdir(parents=True)
        (folder / place / "a.json").write_text("{}")
    (folder / ".hidden.json").write_text("{}")
    arrivals.scan(0.0)
    look = arrivals.scan(STABLE_FOR_S)
    assert [one.path for one in look.ready] == [str(folder / "eu" / "2026" / "a.json")]
    assert look.remarks == []


def test_ignored_file_is_named_once_and_partial_names_never(folder: Path) -> None:
    arrivals = FolderScanner(str(folder))
    (folder / "notes.txt").write_text("x")
    (folder / "a.json.part").write_text("{}")
    outside = folder.parent / "outside.json"
    outside.write_text("{}")
    (folder / "link.json").symlink_to(outside)
    (folder / "linked").symlink_to(folder.parent)
    os.mkfifo(folder / "pipe.json")
    said = sorted(arrivals.scan(0.0).remarks)
    assert [remark.removeprefix(str(folder)).split(" ")[0] for remark in said] == [
        "/link.json",
        "/linked",
        "/notes.txt",
        "/pipe.json",
    ]
    assert "is a link, and is not followed" in said[0]
    look = arrivals.scan(10.0)
    assert (look.ready, look.remarks) == ([], [])


def test_a_folder_that_is_gone_comes_back_as_new(folder: Path) -> None:
    arrivals = FolderScanner(str(folder))
    (folder / "a.json").write_text("{}")
    arrivals.scan(0.0)
    assert arrivals.scan(STABLE_FOR_S).ready
    (folder / "a.json").unlink()
    folder.rmdir()
    assert arrivals.scan(2.0) == ([], None, [], True)
    folder.write_text("a file of that name")
    assert arrivals.scan(3.0).missing
    folder.unlink()
    folder.mkdir()
    (folder / "a.json").write_text("{}")
    arrivals.scan(4.0)
    assert arrivals.scan(5.0).ready


def test_put_back_comes_again_when_it_is_due_unless_it_changed(folder: Path) -> None:
    arrivals = FolderScanner(str(folder))
    file = folder / "a.json"
    file.write_text("{}")
    arrivals.scan(0.0)
    arrival = arrivals.scan(STABLE_FOR_S).ready[0]
    arrivals.retry_later(arrival, 20.0)
    assert arrivals.scan(10.0).next_scan_in_s == 10.0
    assert arrivals.scan(20.0).ready == [arrival]
    file.write_text("{ }")
    arrivals.scan(21.0)
    arrivals.retry_later(arrival, 21.0)
    assert arrivals.scan(21.0).ready == []


def test_put_all_back(folder: Path) -> None:
    arrivals = FolderScanner(str(folder))
    for name in ("a.json", "b.json"):
        (folder / name).write_text("{}")
    arrivals.scan(0.0)
    arrivals.scan(STABLE_FOR_S)
    arrivals.retry_all({str(folder / "b.json"), str(folder / "gone.json")}, 5.0)
    assert names(arrivals.scan(5.0).ready) == ["b.json"]
