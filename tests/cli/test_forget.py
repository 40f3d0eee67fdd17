"""Command `forget`: what it counts, asks and removes, its list and audit, and the request to Segment."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.workspace_lookalike import PRODUCTION_KEY, TOKEN, WorkspaceLookalike, answers

from sprig_tui.console.clipboard import FILE_NAME
from sprig_tui.console.payload.external_editor import FOLDER_PREFIX
from sprig_tui.errors import JournalError
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.webhooks.capture_folders import capture_folders, remember_capture_folder

Run = Callable[..., Any]


@pytest.fixture
def delivered(
    home: Path,
    cli: Run,
    workspace_api: WorkspaceLookalike,
    write: Callable[..., Path],
    answer: Callable[..., dict[str, Any]],
) -> Path:
    """A journal with delivered answers of three users; the file that they came from."""
    home.mkdir()
    config = home / "config.toml"
    config.write_text(
        f'[environments.production]\nwrite_key = "{PRODUCTION_KEY}"\nendpoint = "{workspace_api.url}"\n'
        f'[segment]\npublic_api_token = "{TOKEN}"\nregion = "{workspace_api.url}"\n'
    )
    config.chmod(0o600)
    file = write(*(answer(n, userId=f"user-{n}", email=f"user-{n}@example.com") for n in (1, 2, 3)))
    assert cli("send", file, "-e", "production", "--yes").code == 0
    return file


def traces(folder: Path, *texts: str) -> list[str]:
    """Files below the folder that hold one of the texts."""
    found = [file for file in folder.rglob("*") if file.is_file()]
    return [file.name for file in found if any(text.encode() in file.read_bytes() for text in texts)]


def test_person_is_counted_asked_for_and_removed(cli: Run, home: Path, delivered: Path, tmp_path: Path) -> None:
    captures = tmp_path / "captures"
    captures.mkdir()
    remember_capture_folder(home / "state", captures)
    for number in (2, 3):
        head = "POST /webhooks HTTP/1.1\r\nHost: x\r\n\r\n"
        (captures / f"{number}.http").write_text(f'{head}{{"userId": "user-{number}"}}')
    counted = cli("forget", "--user", "user-2", "--email", "USER-2@example.com", "--dry-run", "--json")
    assert counted.code == 0
    assert counted.json == {
        "dry_run": True,
        "found": {
            "environments": {"production": {"delivered": 1}},
            "leftovers": 0,
            "captures": 1,
            "memories": 0,
            "linked": 0,
            "mentions": 0,
            "damaged": 0,
            "scanned": 3,
        },
    }
    asked = cli("forget", "--user", "user-2")
    assert (asked.code, "add --yes" in asked.err) == (2, True)
    assert traces(home, "user-2") != []
    done = cli("forget", "--user", "user-2", "--email", "USER-2@example.com", "--yes", "--json")
    assert done.code == 0
    assert done.json["receipt"]["counts"] == {"identifiers": 2, "delivered": 1, "files": 1}
    assert "exported, backups" in done.err
    assert traces(home, "user-2") == []
    assert [file.name for file in captures.iterdir()] == ["3.http"]
    assert stat.S_IMODE((home / "journal.db-forget.key").stat().st_mode) == 0o600
    again = cli("send", delivered, "-e", "production", "--yes", "--json")
    assert (again.json["known"], again.json["new"]) == (3, 0)
    assert "delivered 3, of which 1 forgotten" in cli("journal", "info").out
    assert cli("status", "--json").json["environments"]["production"]["forgotten"] == {"delivered": 1}
    assert "(forgotten)" in cli("log").out
    assert "its content was removed" in cli("explain", 2).out


def test_new_answers_are_withheld_until_it_is_undone(
    cli: Run, delivered: Path, write: Callable[..., Path], answer: Callable[..., dict[str, Any]]
) -> None:
    names = delivered.with_name("names.txt")
    names.write_text("# nobody\n", encoding="utf-8")
    assert "line 1 of the file does not say" in cli("forget", "--file", names, "--yes").err
    names.write_text("user: user-2\n\nemail: user-3@example.com\n", encoding="utf-8")
    assert cli("forget", "--file", names, "--yes").code == 0
    later = write(answer(12, userId="user-2"), answer(13, userId="user-9", email="user-3@example.com"))
    tried = cli("send", later, "-e", "production", "--dry-run", "--json")
    assert (tried.code, tried.json["withheld"]) == (1, 2)
    assert "forgotten 2" in tried.err
    sent = cli("send", later, "-e", "production", "--yes")
    assert (sent.code, "2 withheld (forgotten 2)" in sent.err) == (1, True)
    assert {row["kind"] for row in cli("forget", "--list", "--json").json["forgotten"]} == {"email", "user"}
    assert len(cli("forget", "--list").out.splitlines()) == 2
    assert cli("forget", "--undo", "nobody").code == 1
    undone = cli("forget", "--undo", "user-2")
    assert (undone.code, "1 identifier of the same request stays forgotten" in undone.err) == (0, True)
    sent = cli("send", later, "-e", "production", "--yes", "--json")
    assert (sent.json["delivered"], sent.json["known"]) == (1, 1)
    audit = cli("forget", "--audit", "--json").json["receipts"]
    assert [(one["action"], one["counts"].get("delivered", 0)) for one in audit] == [("forget", 2), ("undo", 0)]
    assert "user-" not in cli("forget", "--audit").out
    assert cli("forget", "--undo-all").code == 2
    assert cli("forget", "--undo-all", "--yes", "--json").json == {"undone": 1}


def test_segment_is_asked_on_request_only(cli: Run, delivered: Path, workspace_api: WorkspaceLookalike) -> None:
    assert cli("forget", "--user", "user-1", "--yes").code == 0
    assert workspace_api.workspace.regulations == []
    done = cli("forget", "--user", "user-2", "--at-segment", "suppress-with-delete", "--yes", "--json")
    assert done.code == 0
    (regulation,) = workspace_api.workspace.regulations
    assert (regulation["regulationType"], regulation["subjects"]) == ("SUPPRESS_WITH_DELETE", ["user-2"])
    assert done.json["receipt"]["regulation"] == regulation["id"]
    assert "SUPPRESS_WITH_DELETE of 1 user is FINISHED" in done.err
    workspace_api.problems = [answers(403)]
    refused = cli("forget", "--user", "user-3", "--at-segment", "delete-only", "--yes")
    assert (refused.code, "Segment was not asked" in refused.err) == (1, True)
    assert traces(delivered.parent / "home", "user-3") == []


def test_answers_with_another_identifier_of_theirs_are_told_and_found_with_linked(
    cli: Run, home: Path, delivered: Path, write: Callable[..., Path], answer: Callable[..., dict[str, Any]]
) -> None:
    other = write(answer(9, userId="", email="user-1@example.com"), answer(8, userId="user-2@example.com", email=""))
    cli("send", other, "-e", "production", "--yes")
    config = home / "config.toml"
    config.write_text(config.read_text() + '[filters]\nhers = "user:user-1"\nothers = "user:user-10"\n')
    counted = cli("forget", "--user", "user-1", "--dry-run")
    assert "saved filter 1 of the config mentions them" in counted.err
    assert "saved filter 2" not in counted.err
    assert "their answers also carry 1 address, which you did not name" in counted.err
    assert "user-1@" not in counted.err
    config.write_text(config.read_text().partition("[filters]")[0])
    assert cli("forget", "--user", "user-2@example.com", "--dry-run", "--json").json["found"]["environments"] == {
        "production": {"delivered": 2}
    }
    assert cli("forget", "--linked", "--resume").code == 2
    edited = home / "state" / f"{FOLDER_PREFIX}1"
    edited.mkdir(parents=True)
    (edited / "payload.json").write_text('{"userId": "user-1"}')
    (home / "state" / FILE_NAME).write_text("user-1 answered")
    (home / "state" / "sprig-tui 1.svg").write_text("<text>user-1&#160;answered</text>")
    (home / "state" / "sprig-tui 2.svg").write_text("<text>user-10&#160;answered</text>")
    done = cli("forget", "--user", "user-1", "--linked", "--yes", "--json")
    assert done.json["receipt"]["counts"] == {"identifiers": 2, "delivered": 1, "withheld": 1, "files": 3}
    (home / "state" / "sprig-tui 2.svg").unlink()
    assert traces(home, "user-1") == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name whom to forget"),
        (("--user", " "), "--user: this is no user id"),
        (("--email", "not an address"), "no e-mail address"),
        (("--email", "a@b.c", "--at-segment", "delete-only"), "needs --user"),
        (("--list", "--audit"), "name whom to forget"),
        (("--resume", "--dry-run"), "--dry-run counts"),
    ],
)
def test_usage(cli: Run, words: tuple[str, ...], said: str) -> None:
    wrong = cli("forget", *words)
    assert (wrong.code, said in wrong.err) == (2, True)


def test_without_a_journal_nobody_is_stored(cli: Run) -> None:
    nothing = cli("forget", "--user", "user-1", "--yes")
    assert (nothing.code, "there is no journal yet" in nothing.err) == (0, True)
    assert capture_folders(Path("nowhere")) == ()


def test_interrupted_run_is_told_and_ended(
    cli: Run, home: Path, delivered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its receipt stays open, with the counts of what it removed so far."""
    with monkeypatch.context() as broken:
        broken.setattr(SQLiteJournal, "erase_quotes", fails)
        assert cli("forget", "--user", "user-1", "--yes").code == 2
    assert "NOT FINISHED" in cli("forget", "--audit").out
    doctor = cli("doctor", "--offline").out
    assert "a forget was interrupted (receipt 1)" in doctor
    ended = cli("forget", "--resume", "--json")
    assert (ended.code, ended.json["receipt"]["counts"]) == (0, {"identifiers": 1, "delivered": 1})
    nothing = cli("forget", "--resume", "--json")
    assert (nothing.code, nothing.json["receipt"], nothing.json.keys()) == (0, None, ended.json.keys())
    assert "there is nothing to resume" in nothing.err
    assert traces(home, "user-1") == []


async def fails(_: SQLiteJournal) -> int:
    raise JournalError("the disk went away")


def test_without_the_key_nothing_is_stored_and_doctor_says_so(cli: Run, home: Path, delivered: Path) -> None:
    assert cli("forget", "--user", "user-1", "--yes").code == 0
    (home / "journal.db-forget.key").unlink()
    sent = cli("send", delivered, "-e", "production", "--yes")
    assert (sent.code, "the key that recognises them is missing" in sent.err) == (2, True)
    assert "--undo-all takes everybody" in cli("doctor", "--offline").out
    assert cli("forget", "--undo-all", "--yes").code == 0
    assert cli("send", delivered, "-e", "production", "--yes").code == 0
