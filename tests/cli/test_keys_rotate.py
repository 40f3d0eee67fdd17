"""`keys rotate`: a new key is made or pasted, the config switches to it, and the old one stays until a person acts."""

from __future__ import annotations

import io
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keyring
import pytest
from support import workspace_lookalike
from support.file_keyring import FileKeyring
from support.workspace_lookalike import WorkspaceLookalike

from sprig_tui.cli.commands.keys.rotation import make_new_key
from sprig_tui.cli.context import open_settings
from sprig_tui.cli.shutdown import ShutdownSignals
from sprig_tui.segment.public_api_models import Source
from sprig_tui.segment.sink.messages import SinkReply
from sprig_tui.setup import key_rotation
from sprig_tui.setup.key_switch import Rotation
from sprig_tui.text import mask

Run = Callable[..., Any]
OLD = workspace_lookalike.PRODUCTION_KEY
PASTED = "Xq8TaaaaBBBBcccc1111DDDDeeee1Rkx"
PLACE = "Connections > Sources > Acme production > Settings > API Keys"


@pytest.fixture
def workspace(home: Path, workspace_api: WorkspaceLookalike) -> WorkspaceLookalike:
    """A config with a token, and production's key."""
    home.mkdir()
    config = home / "config.toml"
    config.write_text(
        f'[segment]\npublic_api_token = "{workspace_lookalike.TOKEN}"\nregion = "{workspace_api.url}"\n'
        f'[environments.production]\nwrite_key = "{OLD}"\nendpoint = "{workspace_api.url}"\n'
    )
    config.chmod(0o600)
    return workspace_api


@pytest.fixture
def pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input is a pipe with a key."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(PASTED.encode())))


def key_now(home: Path) -> str:
    key: str = tomllib.loads((home / "config.toml").read_text())["environments"]["production"]["write_key"]
    return key


def test_a_new_key_is_made_and_used_and_the_old_one_left(cli: Run, workspace: WorkspaceLookalike, home: Path) -> None:
    done = cli("keys", "rotate", "production", "--yes", "--json")
    assert done.code == 0, done.err
    keys = workspace.sources[0]["writeKeys"]
    assert keys == [OLD, key_now(home)]
    assert len(set(keys)) == 2
    assert f"then remove Zq8T…1Rkx in Segment: {PLACE}" in done.err
    assert "reconcile -e production --since " in done.err
    assert done.json["remove_old_key_at"] == PLACE
    assert done.json["source"]["name"] == "Acme production"
    assert not any(key in done.out + done.err for key in keys)


def test_without_a_terminal_it_wants_yes(cli: Run, workspace: WorkspaceLookalike, home: Path) -> None:
    done = cli("keys", "rotate", "production")
    assert done.code == 2
    assert "nothing was made or changed: there is no terminal to confirm it at" in done.err
    assert "- Segment makes one more Write Key for that source" in done.err
    assert "- what is queued goes out with the new key" in done.err
    assert workspace.sources[0]["writeKeys"] == [OLD] == [key_now(home)]


def test_a_test_event_is_seen_counted(cli: Run, workspace: WorkspaceLookalike, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_rotation, "VOLUME_LAG_MS", -60_000)
    done = cli("keys", "rotate", "production", "--yes", "--send-test-event", "--json")
    assert done.code == 0, done.err
    assert "the source Acme production counted 'sprig-tui test event' once since" in done.err
    assert done.json["counted"][0]["events"] == 1
    assert len(workspace.sink.events) == 1


def test_a_test_event_that_is_not_counted_is_told(
    cli: Run, workspace: WorkspaceLookalike, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_rotation, "VOLUME_LAG_MS", -60_000)
    workspace.set_faults("lost")
    done = cli("keys", "rotate", "production", "--yes", "--send-test-event", "--look", "1")
    assert done.code == 1
    assert "Segment has counted no" in done.err
    assert f"then remove Zq8T…1Rkx in Segment: {PLACE}" in done.err


@pytest.mark.parametrize(
    ("rule", "code", "said"),
    [
        ("no-new-key", 2, "an alpha"),
        ("read-only", 2, "Workspace Owner or Source Admin may"),
    ],
)
def test_where_no_key_can_be_made_nothing_changes(
    cli: Run, workspace: WorkspaceLookalike, home: Path, rule: str, code: int, said: str
) -> None:
    workspace.set_faults(rule)
    done = cli("keys", "rotate", "production", "--yes")
    assert done.code == code
    assert said in done.err
    assert "and paste that key: sprig-tui keys rotate production --paste" in done.err
    assert key_now(home) == OLD


def test_a_key_whose_answer_was_lost_is_found(cli: Run, workspace: WorkspaceLookalike, home: Path) -> None:
    workspace.set_faults("no-answer")
    done = cli("keys", "rotate", "production", "--yes")
    assert done.code == 0, done.err
    assert "its answer did not come, and the key was found afterwards" in done.err
    assert workspace.sources[0]["writeKeys"] == [OLD, key_now(home)]


def test_a_new_key_that_cannot_be_stored_is_told(
    cli: Run, workspace: WorkspaceLookalike, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = home / "config.toml"
    make = key_rotation.make_key

    async def changes_meanwhile(*arguments: Any) -> key_rotation.NewKey:
        config.write_text(config.read_text() + "\n# changed by someone else\n")
        return await make(*arguments)

    monkeypatch.setattr(key_rotation, "make_key", changes_meanwhile)
    done = cli("keys", "rotate", "production", "--yes")
    assert done.code == 2
    assert "production keeps its key: the new one, " in done.err
    assert f"the new key stands in Segment: {PLACE}" in done.err
    assert key_now(home) == OLD
    again = cli("keys", "rotate", "production")
    assert f"that source also has the key {mask(workspace.sources[0]['writeKeys'][1])}\n" in again.err


def test_a_key_of_no_source_is_not_rotated_there(cli: Run, workspace: WorkspaceLookalike, home: Path) -> None:
    workspace.set_faults("unknown")
    done = cli("keys", "rotate", "production", "--yes")
    assert done.code == 2
    assert "it belongs to no source of the workspace" in done.err
    assert "keys rotate production --paste" in done.err


def test_a_key_from_a_variable_is_not_rotated(
    cli: Run, workspace: WorkspaceLookalike, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPRIG_TUI_WRITE_KEY_PRODUCTION", OLD)
    done = cli("keys", "rotate", "production", "--yes")
    assert done.code == 2
    assert "comes from SPRIG_TUI_WRITE_KEY_PRODUCTION, which sprig-tui cannot write" in done.err
    assert "Generate New Key" in done.err
    assert workspace.sources[0]["writeKeys"] == [OLD]


def test_without_a_key_there_is_nothing_to_rotate(cli: Run, workspace: WorkspaceLookalike) -> None:
    done = cli("keys", "rotate", "development", "--yes")
    assert done.code == 2
    assert "keys set development" in done.err


@pytest.mark.usefixtures("pasted")
def test_a_pasted_key_of_the_same_source_is_used(cli: Run, workspace: WorkspaceLookalike, home: Path) -> None:
    workspace.sources[0]["writeKeys"].append(PASTED)
    done = cli("keys", "rotate", "production", "--paste", "--yes")
    assert done.code == 0, done.err
    assert "the new key: it belongs to the source Acme production" in done.err
    assert key_now(home) == PASTED
    assert PASTED not in done.err


@pytest.mark.usefixtures("pasted")
@pytest.mark.parametrize(
    ("owner", "said"),
    [(None, "belongs to no source of the workspace"), (1, "the present key belongs to another source")],
)
def test_a_pasted_key_of_another_source_is_not_used(
    cli: Run, workspace: WorkspaceLookalike, home: Path, owner: int | None, said: str
) -> None:
    if owner is not None:
        workspace.sources[owner]["writeKeys"].append(PASTED)
    done = cli("keys", "rotate", "production", "--paste", "--yes")
    assert done.code == 2
    assert said in done.err
    assert key_now(home) == OLD


@pytest.mark.usefixtures("pasted")
def test_without_a_token_the_key_is_pasted(cli: Run, configured: Path, workspace_api: WorkspaceLookalike) -> None:
    done = cli("keys", "rotate", "production", "--yes")
    assert done.code == 0, done.err
    assert key_now(configured) == PASTED
    assert workspace_api.asked == []
    assert "Connections > Sources > the source > Settings > API Keys" in done.err


def test_the_present_key_is_no_new_one(cli: Run, configured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f" {key_now(configured)}\n".encode())))
    done = cli("keys", "rotate", "production", "--yes")
    assert done.code == 2
    assert "this is the present key of production" in done.err


def test_a_protected_environment_asks_for_its_name(terminal: Run, workspace: WorkspaceLookalike, home: Path) -> None:
    at = terminal("keys", "rotate", "production")
    at.says("type its name to continue")
    at.types("prod\n")
    assert at.ends() == 2
    assert "nothing was made or changed" in at.seen
    assert workspace.sources[0]["writeKeys"] == [OLD]


def test_a_key_on_the_command_line_is_not_repeated(cli: Run, workspace: WorkspaceLookalike) -> None:
    done = cli("keys", "rotate", "production", PASTED)
    assert done.code == 2
    assert PASTED not in done.err


async def test_an_interruption_waits_for_the_key_and_a_second_one_says_what_is_not_known(
    workspace: WorkspaceLookalike, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = open_settings(quiet=True)
    environment = settings.environment("production")
    rotation = Rotation(settings, environment, environment.write_key, parse_source_of(workspace))
    with ShutdownSignals() as signals:
        signals.request()
        assert await make_new_key(rotation, signals)
        assert rotation.new_key == workspace.sources[0]["writeKeys"][-1] != OLD
        assert "its answer is waited for" in capsys.readouterr().err
        signals.forced.set()
        workspace.problems = [SinkReply(ending="hang")]
        assert not await make_new_key(rotation, signals)
    assert "production keeps its key, and whether Segment made a new one is not known" in capsys.readouterr().err
    assert key_now(home) == OLD


def parse_source_of(workspace: WorkspaceLookalike) -> Source:
    """Production's source."""
    return Source(id=workspace.sources[0]["id"], name=workspace.sources[0]["name"])


def test_choosing_the_source_again_keeps_the_key_that_was_switched_to(
    cli: Run, workspace: WorkspaceLookalike, home: Path
) -> None:
    assert cli("keys", "rotate", "production", "--yes").code == 0
    switched = key_now(home)
    done = cli("keys", "set", "production", "--source", "Acme production")
    assert done.code == 0
    assert "the present one of its 2 keys" in done.err
    assert key_now(home) == switched


def test_a_key_of_a_command_is_not_rotated_and_the_command_does_not_run(
    cli: Run, workspace: WorkspaceLookalike, home: Path
) -> None:
    config = home / "config.toml"
    config.write_text(config.read_text().replace(f'write_key = "{OLD}"', 'write_key_command = ["touch", "ran"]'))
    done = cli("keys", "rotate", "production", "--yes")
    assert done.code == 2
    assert "the key of production comes from command touch, which sprig-tui cannot write" in done.err
    assert not (home.parent / "ran").exists()


@pytest.fixture
def entries(tmp_path: Path) -> Iterator[FileKeyring]:
    """The system's keyring of this test."""
    before = keyring.get_keyring()
    backend = FileKeyring(tmp_path / "keyring.json")
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


def test_a_key_in_the_keyring_is_replaced_there(
    cli: Run, workspace: WorkspaceLookalike, home: Path, entries: FileKeyring
) -> None:
    assert cli("keys", "set", "production", "--source", "Acme production", "--keyring").code == 0
    done = cli("keys", "rotate", "production", "--yes")
    assert done.code == 0, done.err
    service, user = tomllib.loads((home / "config.toml").read_text())["environments"]["production"][
        "write_key_keyring"
    ].split("/", 1)
    assert workspace.sources[0]["writeKeys"] == [OLD, entries.get_password(service, user)]
    assert "in the keyring sprig-tui/production/write_key/" in done.err
    assert "until then it sends with the old key" in done.err


def test_a_keyring_entry_of_another_program_is_not_replaced(
    cli: Run, workspace: WorkspaceLookalike, home: Path, entries: FileKeyring
) -> None:
    config = home / "config.toml"
    config.write_text(config.read_text().replace(f'write_key = "{OLD}"', 'write_key_keyring = "team/segment"'))
    entries.set_password("team", "segment", OLD)
    done = cli("keys", "rotate", "production", "--yes")
    assert done.code == 2
    assert "comes from keyring team/segment, which sprig-tui cannot write" in done.err
    assert entries.get_password("team", "segment") == OLD
