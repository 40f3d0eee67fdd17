"""Command `suppressed`, and what commands do with users whom Segment suppresses."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.workspace_lookalike import DEVELOPMENT_KEY, PRODUCTION_KEY, TOKEN, WorkspaceLookalike, answers

Run = Callable[..., Any]


@pytest.fixture
def workspace(home: Path, workspace_api: WorkspaceLookalike) -> WorkspaceLookalike:
    """A config with two environments of the workspace, and its token."""
    home.mkdir()
    config = home / "config.toml"
    config.write_text(
        f'[environments.production]\nwrite_key = "{PRODUCTION_KEY}"\nendpoint = "{workspace_api.url}"\n'
        f'[environments.development]\nwrite_key = "{DEVELOPMENT_KEY}"\nendpoint = "{workspace_api.url}"\n'
        f'[segment]\npublic_api_token = "{TOKEN}"\nregion = "{workspace_api.url}"\n'
    )
    config.chmod(0o600)
    workspace_api.workspace.suppressed[:] = ["user-2"]
    return workspace_api


@pytest.fixture
def answers_file(write: Callable[..., Path], answer: Callable[..., dict[str, Any]]) -> Path:
    """Answers of three users."""
    return write(*(answer(n, userId=f"user-{n}") for n in (1, 2, 3)))


def test_list_is_read_shown_and_aged(cli: Run, home: Path, workspace: WorkspaceLookalike) -> None:
    before = cli("suppressed")
    assert before.code == 0
    assert before.out == "the list of suppressed users was not read yet: nobody is withheld as suppressed\n"
    assert "sprig-tui suppressed --refresh" in before.err
    assert workspace.asked == []
    assert cli("suppressed", "--json").json == {"users": None, "read_at": None, "missing": []}
    done = cli("suppressed", "--refresh")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("1 suppressed user, read from Segment ")
    assert stat.S_IMODE((home / "state" / "suppressed.json").stat().st_mode) == 0o600
    assert cli("suppressed", "--json").json["users"] == 1
    assert "suppressed   1 suppressed user, read from Segment" in cli("doctor", "--offline").out


def test_list_that_cannot_be_read_keeps_the_last_one(cli: Run, workspace: WorkspaceLookalike) -> None:
    cli("suppressed", "--refresh")
    workspace.problems = [answers(401), answers(401), answers(403)]
    done = cli("suppressed", "--refresh")
    assert done.code == 2
    assert "refuses the token for GET /suppressions (401)" in done.err
    assert TOKEN not in done.err
    workspace.problems = [answers(200, b'{"data"')]
    assert cli("suppressed", "--refresh").code == 2
    workspace.problems = [answers(503)] * 3
    assert cli("suppressed").out.startswith("1 suppressed user,")


def test_missing_permission_is_named(cli: Run, workspace: WorkspaceLookalike) -> None:
    workspace.problems = [None, answers(401)]
    done = cli("suppressed", "--refresh")
    assert done.out.startswith("1 suppressed user, read from Segment ")
    assert done.out.endswith(", but /regulations was refused: some may be missing\n")
    assert "some may be missing" in cli("doctor", "--offline").out


def test_without_a_token_there_is_no_list(cli: Run, configured: Path) -> None:
    done = cli("suppressed")
    assert done.code == 2
    assert "no token of Segment's Public API is configured" in done.err
    assert "suppressed" not in cli("doctor", "--offline").out
    assert not (configured / "state" / "suppressed.json").exists()


@pytest.mark.parametrize("text", ['"10s"', '"soon"', "-5"])
def test_interval_is_checked(cli: Run, home: Path, workspace: WorkspaceLookalike, text: str) -> None:
    config = home / "config.toml"
    config.write_text(f"{config.read_text()}suppressed_every = {text}\n")
    done = cli("suppressed")
    assert done.code == 2
    assert "segment.suppressed_every" in done.err


def test_preview_and_dry_run_say_it(cli: Run, workspace: WorkspaceLookalike, answers_file: Path) -> None:
    assert cli("preview", "-e", "development", answers_file).code == 0
    cli("suppressed", "--refresh")
    shown = cli("preview", "-e", "development", answers_file)
    assert shown.code == 1
    assert shown.out.count("would be withheld, suppressed: Segment suppresses this user (list of ") == 1
    assert "1 of 3 would be withheld" in shown.err
    rows = cli("preview", "-e", "development", "--json", answers_file).rows
    assert [row["withheld"] for row in rows] == [None, "suppressed", None]
    dry = cli("send", "-e", "development", "--dry-run", "--json", answers_file)
    assert dry.code == 1
    assert dry.json["reasons"] == {"suppressed": 1}
    assert "answers.jsonl:2  Segment suppresses this user" in dry.err


def test_send_and_replay_withhold_until_the_user_is_suppressed_no_more(
    cli: Run, process: Run, workspace: WorkspaceLookalike, answers_file: Path
) -> None:
    assert cli("suppressed", "--refresh").code == 0
    sent = process("send", "-e", "development", "--json", answers_file)
    assert sent.code == 1
    assert (sent.json["delivered"], sent.json["reasons"]) == (2, {"suppressed": 1})
    assert sorted(event["userId"] for event in workspace.sink.events) == ["user-1", "user-3"]
    again = cli("replay", "reason:suppressed", "--yes", "--json")
    assert again.code == 1
    assert again.json["reasons"] == {"suppressed": 1}
    assert len(workspace.sink.events) == 2
    assert "suppressed" in cli("log", "reason:suppressed").out
    workspace.workspace.suppressed.clear()
    assert cli("suppressed", "--refresh").out.startswith("0 suppressed users, read from Segment ")
    assert cli("replay", "reason:suppressed", "--yes").code == 0
    assert sorted(event["userId"] for event in workspace.sink.events) == ["user-1", "user-2", "user-3"]


def test_running_engine_says_once_that_it_cannot_be_read(start: Run, workspace: WorkspaceLookalike) -> None:
    workspace.problems = [answers(401)] * 3
    running = start("run")
    said = running.until("the list of suppressed users cannot be read")
    assert "GET /suppressions (401)" in said
    assert "nobody is withheld as suppressed until then" in said
    assert TOKEN not in said
    assert running.stop() == 0
