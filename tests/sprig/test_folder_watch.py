"""Watched folder: the scan for complete files, the notice of changes, and files that are cut off."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sprig_tui.sprig import folder_watch
from sprig_tui.sprig.folder_watch import (
    STABLE_FOR_S,
    FolderNotifier,
    FolderScanner,
    ReadyFile,
    classify_name,
    is_file_truncated,
    signature_of,
)

KEYS = "surveyId,responseGroupUid,userId"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    return inbox


def names(found: list[ReadyFile]) -> list[str]:
    return [Path(file.path).name for file in found]


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
def test_classify_name(name: str, kind: str) -> None:
    assert classify_name(name) == kind


def test_unchanged_file_is_ready_once(folder: Path) -> None:
    scanner = FolderScanner(str(folder))
    (folder / "a.jsonl").write_text("{}")
    first = scanner.scan(100.0)
    assert (first.ready, first.next_scan_in_s) == ([], STABLE_FOR_S)
    assert names(scanner.scan(100.0 + STABLE_FOR_S).ready) == ["a.jsonl"]
    again = scanner.scan(200.0)
    assert (again.ready, again.next_scan_in_s) == ([], None)


def test_changed_file_waits_from_its_last_change(folder: Path) -> None:
    scanner = FolderScanner(str(folder))
    file = folder / "a.jsonl"
    file.write_text("{}")
    scanner.scan(0.0)
    file.write_text("{}\n{}")
    assert scanner.scan(0.9 * STABLE_FOR_S).ready == []
    assert scanner.scan(1.8 * STABLE_FOR_S).ready == []
    assert names(scanner.scan(1.9 * STABLE_FOR_S).ready) == ["a.jsonl"]


def test_new_modification_time_is_a_new_state(folder: Path) -> None:
    scanner = FolderScanner(str(folder))
    file = folder / "a.jsonl"
    file.write_text("{}")
    scanner.scan(0.0)
    assert scanner.scan(STABLE_FOR_S).ready
    os.utime(file, ns=(1, 1))
    assert scanner.scan(2 * STABLE_FOR_S).ready == []
    assert names(scanner.scan(3 * STABLE_FOR_S).ready) == ["a.jsonl"]


def test_grown_file_is_ready_again(folder: Path) -> None:
    scanner = FolderScanner(str(folder))
    file = folder / "a.jsonl"
    file.write_text("{}")
    scanner.scan(0.0)
    assert scanner.scan(STABLE_FOR_S).ready[0].signature.size == 2
    file.write_text("{}\n{}")
    scanner.scan(10.0)
    assert scanner.scan(10.0 + STABLE_FOR_S).ready[0].signature == signature_of(str(file))


def test_renamed_partial_file_is_ready_immediately(folder: Path) -> None:
    scanner = FolderScanner(str(folder))
    (folder / "a.jsonl.part").write_text("{}")
    (folder / ".b.jsonl.tmp").write_text("{}")
    assert scanner.scan(0.0).ready == []
    (folder / "a.jsonl.part").rename(folder / "a.jsonl")
    (folder / ".b.jsonl.tmp").rename(folder / "b.jsonl")
    assert sorted(names(scanner.scan(0.1).ready)) == ["a.jsonl", "b.jsonl"]


def test_partial_file_changed_before_the_rename_waits(folder: Path) -> None:
    scanner = FolderScanner(str(folder))
    part = folder / "a.jsonl.part"
    part.write_text("{}")
    scanner.scan(0.0)
    part.write_text("{}\n{}")
    part.rename(folder / "a.jsonl")
    assert scanner.scan(0.1).ready == []
    assert scanner.scan(0.1 + STABLE_FOR_S).ready


def test_empty_file_is_not_ready(folder: Path) -> None:
    scanner = FolderScanner(str(folder))
    (folder / "a.jsonl").touch()
    scanner.scan(0.0)
    result = scanner.scan(10.0)
    assert (result.ready, result.next_scan_in_s) == ([], None)
    (folder / "a.jsonl").write_text("{}")
    scanner.scan(11.0)
    assert scanner.scan(12.0).ready


def test_ready_files_are_oldest_first(folder: Path) -> None:
    scanner = FolderScanner(str(folder))
    for name, moment in (("c.json", 1), ("a.json", 3), ("b.json", 2)):
        (folder / name).write_text("{}")
        os.utime(folder / name, ns=(moment, moment))
    scanner.scan(0.0)
    assert names(scanner.scan(STABLE_FOR_S).ready) == ["c.json", "b.json", "a.json"]


def test_sub_folders_are_scanned_without_hidden_ones(folder: Path) -> None:
    scanner = FolderScanner(str(folder))
    for place in ("eu/2026", ".git"):
        (folder / place).mkdir(parents=True)
        (folder / place / "a.json").write_text("{}")
    (folder / ".hidden.json").write_text("{}")
    scanner.scan(0.0)
    result = scanner.scan(STABLE_FOR_S)
    assert [file.path for file in result.ready] == [str(folder / "eu" / "2026" / "a.json")]
    assert result.remarks == []


def test_skipped_files_are_reported_once(folder: Path) -> None:
    scanner = FolderScanner(str(folder))
    (folder / "notes.txt").write_text("x")
    (folder / "a.json.part").write_text("{}")
    outside = folder.parent / "outside.json"
    outside.write_text("{}")
    (folder / "link.json").symlink_to(outside)
    (folder / "linked").symlink_to(folder.parent)
    os.mkfifo(folder / "pipe.json")
    remarks = sorted(scanner.scan(0.0).remarks)
    assert [remark.removeprefix(str(folder)).split(" ")[0] for remark in remarks] == [
        "/link.json",
        "/linked",
        "/notes.txt",
        "/pipe.json",
    ]
    assert "is a link, and is not followed" in remarks[0]
    result = scanner.scan(10.0)
    assert (result.ready, result.remarks) == ([], [])


def test_removed_folder_is_scanned_as_new(folder: Path) -> None:
    scanner = FolderScanner(str(folder))
    (folder / "a.json").write_text("{}")
    scanner.scan(0.0)
    assert scanner.scan(STABLE_FOR_S).ready
    (folder / "a.json").unlink()
    folder.rmdir()
    assert scanner.scan(2.0) == ([], None, [], True)
    folder.write_text("a file of that name")
    assert scanner.scan(3.0).missing
    folder.unlink()
    folder.mkdir()
    (folder / "a.json").write_text("{}")
    scanner.scan(4.0)
    assert scanner.scan(5.0).ready


def test_retry_later_returns_an_unchanged_file_when_due(folder: Path) -> None:
    scanner = FolderScanner(str(folder))
    file = folder / "a.json"
    file.write_text("{}")
    scanner.scan(0.0)
    ready_file = scanner.scan(STABLE_FOR_S).ready[0]
    scanner.retry_later(ready_file, 20.0)
    assert scanner.scan(10.0).next_scan_in_s == 10.0
    assert scanner.scan(20.0).ready == [ready_file]
    file.write_text("{ }")
    scanner.scan(21.0)
    scanner.retry_later(ready_file, 21.0)
    assert scanner.scan(21.0).ready == []


def test_retry_all_returns_files_again(folder: Path) -> None:
    scanner = FolderScanner(str(folder))
    for name in ("a.json", "b.json"):
        (folder / name).write_text("{}")
    scanner.scan(0.0)
    scanner.scan(STABLE_FOR_S)
    scanner.retry_all({str(folder / "b.json"), str(folder / "gone.json")}, 5.0)
    assert names(scanner.scan(5.0).ready) == ["b.json"]


@pytest.fixture
async def notifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FolderNotifier]:
    """Notifier of the folder `inbox` that has reported its first change; later ones come from the system."""
    monkeypatch.setattr(folder_watch, "CHECK_INTERVAL_MS", 100)
    monkeypatch.setattr(folder_watch, "RETRY_INTERVAL_S", 0.01)
    monkeypatch.setattr(folder_watch, "DEBOUNCE_MS", 60)
    (tmp_path / "inbox").mkdir()
    found = FolderNotifier(str(tmp_path / "inbox"))
    running = asyncio.ensure_future(found.run())
    await wait_changed(found)
    yield found
    assert not running.done()
    running.cancel()
    await asyncio.wait((running,))


async def wait_changed(notifier: FolderNotifier) -> None:
    async with asyncio.timeout(20):
        await notifier.changed.wait()
    notifier.changed.clear()


async def test_notifier_reports_a_new_file(notifier: FolderNotifier, tmp_path: Path) -> None:
    (tmp_path / "inbox" / "a.json").write_text("{}")
    await wait_changed(notifier)


async def test_notifier_reports_a_new_sub_folder(notifier: FolderNotifier, tmp_path: Path) -> None:
    (tmp_path / "inbox" / "eu").mkdir()
    await wait_changed(notifier)


async def test_notifier_survives_a_recreated_folder(notifier: FolderNotifier, tmp_path: Path) -> None:
    (tmp_path / "inbox").rmdir()
    await wait_changed(notifier)
    (tmp_path / "inbox").mkdir()
    await wait_changed(notifier)
    (tmp_path / "inbox" / "a.json").write_text("{}")
    await wait_changed(notifier)


async def test_notifier_survives_a_name_that_is_not_utf_8(notifier: FolderNotifier, tmp_path: Path) -> None:
    (tmp_path / "inbox" / os.fsdecode(b"\xff.json")).write_text("{}")
    await wait_changed(notifier)
    notifier.changed.clear()
    (tmp_path / "inbox" / "a.json").write_text("{}")
    await wait_changed(notifier)


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ('{"a":1}\n{"b":2}\n', False),
        ('{"a":1}\n{"b":2}', False),
        ('{"a":1}\n{"b":', True),
        ('{"a":1}\n{"b":2}\n\n', False),
        ('{"a":', True),
        ('\ufeff{"a":1}\n{"b', True),
        (json.dumps([{"a": 1}], indent=1), False),
        (json.dumps({"cursor": None, "data": [{"a": 1}]}, indent=1) + "\n", False),
        ('[{"a":1},\n', True),
        ('{"cursor":null,"data":[\n{"a":1},\n', True),
        (KEYS + "\n1,2,3\n4,5,6", False),
        (KEYS + "\n1,2,3\n4,5", True),
        (KEYS + '\n1,2,3\n4,5,"6', True),
        (KEYS + "\n", False),
        ("", False),
        ("words\nmore", False),
    ],
)
def test_is_truncated(tmp_path: Path, text: str, short: bool) -> None:
    file = tmp_path / "in.jsonl"
    file.write_text(text, encoding="utf-8")
    assert is_file_truncated(str(file)) is short


EXHAUSTED = """
import asyncio, os, resource, sys
from sprig_tui.sprig import folder_watch

async def main():
    from watchfiles import awatch

    async for _ in awatch(sys.argv[1], rust_timeout=10, yield_on_timeout=True):
        break  # all that has to be imported is
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    held = []
    try:
        while True:
            held.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        pass
    ringing = asyncio.create_task(folder_watch.FolderNotifier(sys.argv[1]).run())
    while not told:
        await asyncio.sleep(0)
        if ringing.done():
            print(repr(ringing.exception()), file=sys.stderr)
            os._exit(1)
    print(told[0], flush=True)
    os._exit(0)

told = []
folder_watch._log.warning = lambda *words: told.append(words[-1])
asyncio.run(main())
"""


def test_notifier_warns_without_watches_left_and_continues(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", EXHAUSTED, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip()
