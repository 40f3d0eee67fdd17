"""`setup` with its questions answered in-process: wrong keys, swapped keys, files without User IDs, missing rights."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support import workspace_lookalike
from support.records import make_flat_record
from support.workspace_lookalike import WorkspaceLookalike

from sprig_tui.cli import prompts

Run = Callable[..., Any]
STRAY_KEY = "Xq8TaaaaBBBBcccc1111DDDDeeee1Rkx"
NAMES_OF_ALL_STEPS = ("source", "write-key", "sprig", "first-answer", "arrival", "destinations", "going-live")


class Person:
    """Answers each question that holds a text; every other question is skipped, as by enter."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, str]] = []
        self.asked: list[str] = []

    def says(self, *answers: tuple[str, str]) -> None:
        """(part of the question, answer), in the order in which they are given."""
        self.answers = list(answers)

    def reply(self, question: str) -> str:
        self.asked.append(question)
        assert len(self.asked) < 60, f"it asks without end: {self.asked[-3:]}"
        if self.answers and self.answers[0][0] in question:
            return self.answers.pop(0)[1]
        return ""


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Person:
    one = Person()
    monkeypatch.setattr(prompts, "is_interactive", lambda: True)
    monkeypatch.setattr(prompts, "prompt_line", one.reply)
    monkeypatch.setattr(prompts, "read_hidden", one.reply)
    return one


@pytest.fixture
def workspace(home: Path, workspace_api: WorkspaceLookalike) -> WorkspaceLookalike:
    """A config with a token, and no key."""
    home.mkdir()
    config = home / "config.toml"
    environments = "".join(
        f'[environments.{name}]\nendpoint = "{workspace_api.url}"\n' for name in ("production", "development")
    )
    config.write_text(
        f'[segment]\npublic_api_token = "{workspace_lookalike.TOKEN}"\nregion = "{workspace_api.url}"\n{environments}'
    )
    config.chmod(0o600)
    return workspace_api


def stored(home: Path, environment: str = "development") -> dict[str, Any]:
    file = home / "config.toml"
    tables = tomllib.loads(file.read_text()) if file.exists() else {}
    found: dict[str, Any] = tables.get("environments", {}).get(environment, {})
    return found


def test_skipping_every_question_writes_nothing_and_ends_with_the_checklist(
    cli: Run, person: Person, home: Path
) -> None:
    done = cli("setup")
    assert done.code == 1
    assert not home.exists() or not (home / "config.toml").exists()
    assert not (home / "journal.db").exists()
    assert "development: " in done.out
    assert "nothing was" not in done.err
    told = " ".join(done.err.split())
    assert told.count("everything works by pasting") == 1
    assert "Without one you paste" not in told, "said twice"
    assert any("paste the Write Key of development (not shown)" in question for question in person.asked)


def test_without_a_terminal_it_asks_nothing(cli: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompts, "prompt_line", pytest.fail)
    monkeypatch.setattr(prompts, "read_hidden", pytest.fail)
    done = cli("setup", "-e", "development")
    assert done.code == 1
    assert "next: " in done.out
    told = cli("setup", "--json").json["environments"]
    assert [one["environment"] for one in told] == ["production", "development"]
    assert tuple(step["step"] for step in told[0]["steps"]) == NAMES_OF_ALL_STEPS


@pytest.mark.usefixtures("person")
def test_an_unknown_environment_is_no_new_one_without_a_question(cli: Run, home: Path) -> None:
    done = cli("setup", "-e", "staging")
    assert done.code == 2
    assert "nothing was stored" in done.err
    assert not (home / "config.toml").exists()


def test_swapped_keys_are_told_before_anything_is_stored(
    cli: Run, person: Person, workspace: WorkspaceLookalike, home: Path
) -> None:
    person.says(("number, name, new or paste", "Acme dev"), ("store it anyway?", "n"))
    done = cli("setup", "-e", "production")
    assert "source Acme dev: its name says 'dev'" in done.err
    assert "is it the one for production?" in done.err
    assert not person.answers
    assert "write_key" not in stored(home, "production")


def test_a_key_of_no_source_is_told_before_it_is_stored(
    cli: Run, person: Person, workspace: WorkspaceLookalike, home: Path
) -> None:
    person.says(("number, name", "paste"), ("paste the Write Key", STRAY_KEY), ("store it anyway?", ""))
    done = cli("setup", "-e", "development")
    assert "this key belongs to no source of the workspace" in " ".join(done.err.split())
    assert not person.answers
    assert "write_key" not in stored(home)
    assert STRAY_KEY not in done.err + done.out


def test_a_key_that_its_command_does_not_give_is_not_asked_for_as_if_there_were_none(
    cli: Run, person: Person, workspace: WorkspaceLookalike, home: Path
) -> None:
    config = home / "config.toml"
    place = "[environments.development]\n"
    config.write_text(config.read_text().replace(place, f'{place}write_key_command = ["false"]\n'))
    done = cli("setup", "-e", "development")
    assert "the write key cannot be read: command false" in " ".join(done.err.split())
    assert any("store another key?" in question for question in person.asked)
    assert not any("number, name, new or paste" in question for question in person.asked)
    assert "write_key" not in stored(home)


def test_a_key_at_a_visible_question_is_told_off_and_not_used(
    cli: Run, person: Person, workspace: WorkspaceLookalike, home: Path
) -> None:
    person.says(("number, name", workspace_lookalike.DEVELOPMENT_KEY), ("number, name", ""))
    done = cli("setup", "-e", "development")
    assert "now stands on the screen; it was not kept" in " ".join(done.err.split())
    assert not person.answers
    assert "write_key" not in stored(home)


def test_a_source_is_not_made_without_a_yes(cli: Run, person: Person, workspace: WorkspaceLookalike) -> None:
    person.says(("number, name", "new"), ("make this source?", ""))
    before = list(workspace.sources)
    done = cli("setup", "-e", "development")
    assert "nothing was made" in done.err
    assert "none connected, so that no answer is copied there" in " ".join(done.err.split())
    assert workspace.sources == before
    assert not workspace.bodies


def test_a_missing_permission_is_told_and_the_sources_are_offered_again(
    cli: Run, person: Person, workspace: WorkspaceLookalike, home: Path
) -> None:
    workspace.set_faults("read-only")
    person.says(("number, name", "new"), ("make this source?", "y"), ("number, name", "Acme dev"))
    done = cli("setup", "-e", "development")
    assert "no source was made" in done.err
    assert "Workspace Owner" in done.err
    assert not person.answers
    assert stored(home)["write_key"] == workspace_lookalike.DEVELOPMENT_KEY


def test_a_taken_slug_is_told_and_another_one_is_used(
    cli: Run, person: Person, workspace: WorkspaceLookalike, home: Path
) -> None:
    workspace.set_faults("slug-taken=sprig-development")
    person.says(
        ("number, name", "new"), ("make this source?", "y"), ("another slug", "sprig-dev-2"), ("make this source?", "y")
    )
    done = cli("setup", "-e", "development")
    assert "does not take the slug sprig-development" in " ".join(done.err.split())
    assert not person.answers, person.asked
    assert workspace.sources[-1]["slug"] == "sprig-dev-2"
    assert stored(home)["write_key"] == workspace.sources[-1]["writeKeys"][0]


def test_a_part_that_is_missing_of_a_new_source_can_be_tried_again(
    cli: Run, person: Person, workspace: WorkspaceLookalike, home: Path
) -> None:
    workspace.set_faults("no-rename")
    person.says(("number, name", "new"), ("make this source?", "y"), ("try once more what is missing?", "n"))
    done = cli("setup", "-e", "development")
    assert "the source has no name yet" in done.err
    assert not person.answers
    assert stored(home)["write_key"] == workspace.sources[-1]["writeKeys"][0]


def test_names_from_segment_cannot_control_the_terminal(
    cli: Run, person: Person, workspace: WorkspaceLookalike
) -> None:
    workspace.sources[1]["name"] = "Acme \x1b[2J dev\u202e"
    done = cli("setup", "-e", "development")
    assert "\x1b" not in done.err + done.out
    assert "\u202e" not in done.err + done.out


def test_a_file_without_user_ids_is_told_with_its_share_and_nothing_of_it_is_offered(
    cli: Run, person: Person, workspace: WorkspaceLookalike, home: Path, tmp_path: Path
) -> None:
    file = tmp_path / "anonymous.jsonl"
    file.write_text("".join(f"{json.dumps(make_flat_record(n, userId=None))}\n" for n in range(4)))
    person.says(
        ("number, name", "Acme dev"),
        ("number, or enter to skip:", "3"),
        ("path of the file", "missing.jsonl"),
        ("path of the file", file.name),
    )
    done = cli("setup", "-e", "development")
    said = " ".join(done.err.split())
    assert "missing.jsonl" in said
    assert "4 of 4 answers (100%) without a User ID, which cannot be sent" in said
    assert "setUserId of Sprig's SDK" in said
    assert "it is withheld, no User ID" in said
    assert "the answer that was shown" not in said
    assert not person.answers
    assert not workspace.sink.events


def test_a_protected_environment_asks_for_its_name_before_a_test_event(
    cli: Run, person: Person, workspace: WorkspaceLookalike, home: Path
) -> None:
    person.says(
        ("number, name", "Acme production"), ("number, or enter to skip:", ""), ("path of", ""), ("number, or", "1")
    )
    done = cli("setup", "-e", "production")
    assert any("type its name to continue" in question for question in person.asked)
    assert "nothing was sent" in done.err
    assert not workspace.sink.events


def test_what_is_done_is_said_and_not_asked_again(
    cli: Run, person: Person, workspace: WorkspaceLookalike, home: Path
) -> None:
    person.says(("number, name", "Acme dev"))
    cli("setup", "-e", "development")
    before = (home / "config.toml").read_bytes()
    person.asked.clear()
    done = cli("setup", "-e", "development")
    assert "Acme dev (HTTP API, environment: dev)" in done.err
    assert not any(part in question for question in person.asked for part in ("token", "number, name", "address"))
    assert (home / "config.toml").read_bytes() == before


def test_another_environment_is_offered_the_region_of_the_workspace(
    cli: Run, person: Person, workspace: WorkspaceLookalike, home: Path
) -> None:
    config = home / "config.toml"
    config.write_text(config.read_text().partition("[environments.development]")[0])
    done = cli("setup", "-e", "development")
    assert any(f"or enter for {workspace.url}:" in question for question in person.asked)
    assert stored(home)["endpoint"] == workspace.url
    assert "stored: development sends to" in done.err


def test_what_is_not_wanted_before_going_live_is_accepted_at_a_question(
    cli: Run, person: Person, workspace: WorkspaceLookalike, home: Path
) -> None:
    person.says(("number, name", "Acme dev"), ("count backup as done", "y"))
    done = cli("setup", "-e", "development")
    assert not person.answers, person.asked
    assert stored(home)["setup_accepted"] == ["backup"]
    assert "accepted in the config: the journal was never backed up" in done.out
    assert 'keep = "90d"' in done.err
