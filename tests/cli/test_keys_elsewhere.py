"""Keys that a command or the system's keyring keeps, in the commands: stored, listed, removed, and delivered with."""

from __future__ import annotations

import signal
import sys
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.fake_sprig_api import FakeSprigApi
from support.file_keyring import FileKeyring, file_keyring
from support.live_sink import LiveSink
from support.plain_http import PLAIN
from support.workspace_lookalike import PROFILE_SPACE, PROFILE_TOKEN, WorkspaceLookalike

from sprig_tui.config.paths import find_paths
from sprig_tui.config.secret_keyring import new_entry
from sprig_tui.config.secret_reader import SecretReader
from sprig_tui.config.settings import load_settings
from sprig_tui.segment import api_transport
from sprig_tui.text import mask

KEY = "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx"
OTHER = "k2bbbbbbCCCCdddd2222EEEEffff2Sky"


@pytest.fixture
def entries(tmp_path: Path) -> Iterator[FileKeyring]:
    """The system's keyring of this test."""
    with file_keyring(tmp_path) as backend:
        yield backend


class Vault:
    """A command that prints what a file has, and counts its runs."""

    def __init__(self, folder: Path) -> None:
        self.shown = folder / "shown"
        self.shown.write_text(KEY)
        self.runs = folder / "runs"
        self.runs.touch()
        self.script = folder / "vault.sh"
        self.script.write_text(f'#!/bin/sh\necho "$@" >>{self.runs}\nexec cat {self.shown}\n')
        self.script.chmod(0o700)

    @property
    def count(self) -> int:
        """How often it ran."""
        return len(self.runs.read_text().splitlines())


@pytest.fixture
def vault(tmp_path: Path, home: Path) -> Vault:
    home.mkdir()
    return Vault(tmp_path)


def _configure(home: Path, vault: Vault, sink: LiveSink) -> None:
    (home / "config.toml").write_text(
        f'[environments.production]\nwrite_key_command = ["{vault.script}", "production"]\nendpoint = "{sink.url}"\n'
        f'webhook_token_command = ["{vault.script}", "token"]\n'
        f'[environments.development]\nwrite_key_command = ["{vault.script}", "development"]\nendpoint = "{sink.url}"\n'
        f'[segment]\npublic_api_token_command = ["{vault.script}", "segment"]\n'
    )


def test_what_shows_or_looks_runs_no_command(
    cli: Callable[..., Any], home: Path, vault: Vault, sink: LiveSink, write: Any, answer: Any
) -> None:
    _configure(home, vault, sink)
    file = write(answer(1))
    listed = cli("keys", "list", "--json").json
    assert {row["name"]: (row["key"], row["source"]) for row in listed["environments"]} == {
        "production": (None, "command vault.sh"),
        "development": (None, "command vault.sh"),
    }
    assert listed["environments"][0]["webhook_token_source"] == "command vault.sh"
    assert listed["workspace"]["public_api_token_source"] == "command vault.sh"
    assert "not read" in cli("keys", "list").out
    for argv in (
        ["--help"],
        ["preview", file],
        ["log"],
        ["status"],
        ["paths"],
        ["send", "--dry-run", "-e", "production", file],
        ["send", "--no-wait", "--yes", "-e", "production", file],
        ["replay", "--no-wait", "--yes"],
    ):
        cli(*argv)
    assert vault.count == 0


def test_send_delivers_with_the_key_of_a_command_and_asks_for_no_other(
    cli: Callable[..., Any], home: Path, vault: Vault, sink: LiveSink, write: Any, answer: Any
) -> None:
    _configure(home, vault, sink)
    text = (home / "config.toml").read_text()
    (home / "config.toml").write_text(text[: text.index("[segment]")])
    done = cli("send", "--yes", "-e", "production", write(answer(1)))
    assert (done.code, sink.sink.stats.accepted) == (0, 1)
    assert vault.runs.read_text() == "production\n"
    assert KEY not in done.out + done.err


def test_send_says_why_there_is_no_key(
    cli: Callable[..., Any], home: Path, vault: Vault, sink: LiveSink, write: Any, answer: Any
) -> None:
    _configure(home, vault, sink)
    vault.shown.unlink()
    done = cli("send", "--yes", "-e", "production", write(answer(1)))
    assert done.code == 2
    assert "production: the write key cannot be read: command vault.sh ended with exit code 1" in done.err
    assert "production has no write key" in done.err
    assert sink.sink.stats.accepted == 0


def test_keys_check_and_doctor_read_the_keys_and_say_from_where(
    cli: Callable[..., Any], home: Path, vault: Vault
) -> None:
    (home / "config.toml").write_text(
        f'[environments.production]\nwrite_key_command = ["{vault.script}"]\n'
        '[environments.development]\nwrite_key_command = ["/nowhere/op"]\n'
    )
    checked = {row["name"]: row for row in cli("keys", "check", "--json").json["environments"]}
    assert (checked["production"]["key"], checked["production"]["source"]) == ("Zq8T…1Rkx", "command vault.sh")
    assert "command op is not there" in checked["development"]["faults"][0]
    said = cli("doctor", "--offline")
    assert "production: the write key was read from the command vault.sh" in said.out
    assert "development: the write key cannot be read: command op is not there" in said.out
    assert "has no write key" not in said.out
    assert KEY not in said.out + said.err


@pytest.mark.parametrize(
    ("argv", "table", "key", "secret"),
    [
        (["set", "production"], "production", "write_key", KEY),
        (["token", "production"], "production", "webhook_token", "a-token-of-a-webhook-00000001"),
        (["sprig", "production", "--force"], "production", "sprig_api_key", "spk_of_production_00000001"),
        (["workspace", "--region", "http://127.0.0.1:9", "--force"], "", "public_api_token", "sgp_" + "a" * 60),
    ],
)
def test_keyring_stores_there_lists_it_and_removes_it(
    *,
    cli: Callable[..., Any],
    home: Path,
    entries: FileKeyring,
    typed: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
    table: str,
    key: str,
    secret: str,
) -> None:
    monkeypatch.setattr(api_transport, "MAX_TRIES", 1)  # nothing answers here, and is waited for
    home.mkdir()
    (home / "config.toml").write_text('[sprig]\napi_url = "http://127.0.0.1:9"\n')
    typed(f"{secret}\n")
    stored = cli("keys", *argv, "--keyring")
    assert stored.code == 0, stored.err
    ((entry, kept),) = entries.entries.items()
    assert kept == secret
    assert entry.startswith("sprig-tui/")
    text = (home / "config.toml").read_text()
    assert f'{key}_keyring = "{entry}"' in text
    assert secret not in text + stored.out + stored.err
    assert f"stored in the keyring {entry}" in stored.err
    assert f"keyring {entry}" in cli("keys", "list").out
    remove = (
        ["remove", "production", "--yes"] if key == "write_key" else [*argv[:2], "--remove", "--yes"] if table else []
    )
    removed = cli("keys", *(remove or ["workspace", "--remove"]))
    assert removed.code == 0, removed.err
    assert entries.entries == {}
    assert key not in (home / "config.toml").read_text()


@pytest.mark.parametrize(
    ("argv", "table", "key", "secret"),
    [
        (["set", "production"], "environments.production", "write_key", KEY),
        (["token", "production", "--yes"], "environments.production", "webhook_token", "a-token-of-a-webhook-00000001"),
        (["sprig", "production", "--force"], "environments.production", "sprig_api_key", "spk_of_production_00000001"),
        (["workspace", "--force"], "segment", "public_api_token", "sgp_" + "a" * 60),
        (["profile", "--space", "spa_1", "--force"], "segment", "profile_token", "prf_" + "a" * 60),
    ],
)
def test_command_is_run_once_and_named_in_place_of_what_was_stored(
    *,
    cli: Callable[..., Any],
    home: Path,
    entries: FileKeyring,
    vault: Vault,
    monkeypatch: pytest.MonkeyPatch,
    argv: list[str],
    table: str,
    key: str,
    secret: str,
) -> None:
    monkeypatch.setattr(api_transport, "MAX_TRIES", 1)  # nothing answers here, and is waited for
    config = home / "config.toml"
    before = new_entry(config, "production", key)
    entries.set_password(before.service, before.user, OTHER)
    region = "" if table == "segment" else "[segment]\n"
    config.write_text(f'[sprig]\napi_url = "http://127.0.0.1:9"\n{region}[{table}]\n{key}_keyring = "{before.entry}"\n')
    if table == "segment":
        config.write_text(config.read_text() + 'region = "http://127.0.0.1:9"\n')
    vault.shown.write_text(secret)
    done = cli("keys", *argv, "--command", f"{vault.script} 'op://team/the key'")
    assert done.code == 0, done.err
    assert vault.runs.read_text() == "op://team/the key\n"
    assert "comes from the command vault.sh from now on" in done.err
    assert secret not in done.out + done.err + config.read_text()
    assert "op://team" not in done.out + done.err
    found = tomllib.loads(config.read_text())
    for name in table.split("."):
        found = found[name]
    assert found[f"{key}_command"] == [str(vault.script), "op://team/the key"]
    assert not found.keys() & {key, f"{key}_keyring"}
    assert entries.entries == {}
    assert "command vault.sh" in cli("keys", "list").out


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--command", "op 'read"], "a quotation mark is not closed"),
        (["--command", ""], "names no program"),
        (["--command", "op read", "--keyring"], "--command and --keyring exclude each other"),
        (["--command", "op read", "--source", "x"], "--command and --source exclude each other"),
        (["--command", "/nowhere/op sgp_secret"], "command op is not there"),
    ],
)
def test_command_that_gives_no_key_changes_nothing(
    cli: Callable[..., Any], home: Path, argv: list[str], said: str
) -> None:
    home.mkdir()
    done = cli("keys", "set", "production", *argv)
    assert done.code == 2
    assert said in done.err
    assert "sgp_secret" not in done.err
    assert not (home / "config.toml").exists()


def test_profile_token_is_tried_stored_and_removed(
    cli: Callable[..., Any], home: Path, typed: Callable[[str], None], workspace_api: WorkspaceLookalike
) -> None:
    home.mkdir()
    config = home / "config.toml"
    config.write_text(f'[segment]\nregion = "{workspace_api.url}"\n')
    typed(PROFILE_TOKEN)
    assert "the token belongs to a Unify space" in cli("keys", "profile").err
    typed("prf_anInventedTokenThatIsNotKnown")
    rejected = cli("keys", "profile", "--space", PROFILE_SPACE)
    assert (rejected.code, "profile_token" in config.read_text()) == (2, False), rejected.err
    typed(PROFILE_TOKEN)
    stored = cli("keys", "profile", "--space", PROFILE_SPACE)
    assert stored.code == 0, stored.err
    assert f"takes it for the space {PROFILE_SPACE}" in stored.err
    assert tomllib.loads(config.read_text())["segment"]["profile_token"] == PROFILE_TOKEN
    checks = {one["name"]: one["level"] for one in cli("doctor", "--json").json["checks"]}
    assert checks["profile"] == "ok"
    assert cli("keys", "profile", "--remove").code == 0
    assert tomllib.loads(config.read_text()) == {"segment": {"region": workspace_api.url}}
    assert "there is no token of Segment's Profile API in the config" in cli("keys", "profile", "--remove").err


def test_a_key_moves_between_config_and_keyring(
    cli: Callable[..., Any], home: Path, entries: FileKeyring, typed: Callable[[str], None]
) -> None:
    home.mkdir()
    config = home / "config.toml"
    config.write_text(f'[environments.production]\nwrite_key = "{KEY}"\n')
    typed(OTHER)
    assert cli("keys", "set", "production", "--keyring").code == 0
    assert KEY not in config.read_text()
    assert list(entries.entries.values()) == [OTHER]
    typed(KEY)
    assert cli("keys", "set", "production").code == 0
    assert f'write_key = "{KEY}"' in config.read_text()
    assert "keyring" not in config.read_text()
    assert entries.entries == {}


def test_anothers_entry_stays_and_a_command_takes_precedence(
    cli: Callable[..., Any], home: Path, entries: FileKeyring, typed: Callable[[str], None], vault: Vault
) -> None:
    entries.set_password("team", "segment", KEY)
    config = home / "config.toml"
    config.write_text('[environments.production]\nwrite_key_keyring = "team/segment"\n')
    removed = cli("keys", "remove", "production", "--yes")
    assert "the keyring team/segment stays" in removed.err
    assert list(entries.entries) == ["team/segment"]
    config.write_text(f'[environments.production]\nwrite_key_command = ["{vault.script}"]\n')
    typed(OTHER)
    stored = cli("keys", "set", "production")
    assert "production: command vault.sh of the config takes precedence over it" in stored.err
    assert cli("keys", "remove", "production", "--yes").code == 0
    assert "write_key" not in config.read_text()


def test_an_entry_that_is_named_twice_stays_until_the_second_is_removed(
    cli: Callable[..., Any],
    home: Path,
    entries: FileKeyring,
    typed: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    home.mkdir()
    monkeypatch.setenv("SPRIG_TUI_WRITE_KEY_PRODUCTION", KEY)
    typed(OTHER)
    stored = cli("keys", "set", "production", "--keyring")
    ((entry, _),) = entries.entries.items()
    assert f"stored in the keyring {entry}" in stored.err
    assert "SPRIG_TUI_WRITE_KEY_PRODUCTION is set, and takes precedence" in stored.err
    config = home / "config.toml"
    config.write_text(f'{config.read_text()}[environments.staging]\nwrite_key_keyring = "{entry}"\n')
    assert "stays: the config still names it" in cli("keys", "remove", "production", "--yes").err
    assert list(entries.entries) == [entry]
    assert cli("keys", "remove", "staging", "--whole", "--yes").code == 0
    assert entries.entries == {}


def test_environments_that_share_an_entry_each_keep_their_own_key(
    cli: Callable[..., Any], home: Path, entries: FileKeyring, typed: Callable[[str], None]
) -> None:
    home.mkdir()
    config = home / "config.toml"
    typed(KEY)
    assert cli("keys", "set", "production", "--keyring").code == 0
    ((first, _),) = entries.entries.items()
    # as an environment that was copied by hand
    config.write_text(f'{config.read_text()}[environments.staging]\nwrite_key_keyring = "{first}"\n')
    typed(OTHER)
    stored = cli("keys", "set", "production", "--keyring")
    assert f"the keyring {first} stays: the config still names it" in stored.err
    assert entries.entries == {first: KEY, f"{first}-2": OTHER}
    tables = tomllib.loads(config.read_text())["environments"]
    assert {name: table["write_key_keyring"] for name, table in tables.items()} == {
        "production": f"{first}-2",
        "staging": first,
    }
    assert cli("keys", "remove", "production", "--whole", "--yes").code == 0
    assert entries.entries == {first: KEY}


def test_entries_of_another_config_and_of_other_programs_stay(
    cli: Callable[..., Any], home: Path, entries: FileKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir()
    made = new_entry(home.parent / "another" / "config.toml", "production", "write_key")
    for user in (made.user, "production"):
        entries.set_password("sprig-tui", user, KEY)
        (home / "config.toml").write_text(f'[environments.production]\nwrite_key_keyring = "sprig-tui/{user}"\n')
        removed = cli("keys", "remove", "production", "--yes")
        assert f"sprig-tui/{user} stays: sprig-tui did not make that entry for this config" in removed.err
    assert len(entries.entries) == 2


def test_whole_environment_goes_with_its_oauth_table_and_entries(
    cli: Callable[..., Any], home: Path, entries: FileKeyring, typed: Callable[[str], None]
) -> None:
    home.mkdir()
    config = home / "config.toml"
    oauth = 'client_id = "a"\nkey_id = "b"\nprivate_key_file = "private.pem"\n'
    config.write_text(f"[environments.staging.oauth]\n{oauth}[environments.production.oauth]\n{oauth}")
    for name, secret in (("set", KEY), ("token", "a-token-of-a-webhook-00000001")):
        typed(secret)
        assert cli("keys", name, "staging", "--keyring").code == 0
    assert len(entries.entries) == 2
    removed = cli("keys", "remove", "staging", "--whole", "--yes")
    assert removed.code == 0, removed.err
    assert entries.entries == {}
    assert tomllib.loads(config.read_text())["environments"].keys() == {"production"}


def test_a_locked_keyring_stores_nothing(
    cli: Callable[..., Any], home: Path, entries: FileKeyring, typed: Callable[[str], None], tmp_path: Path
) -> None:
    home.mkdir()
    (tmp_path / "locked").touch()
    typed(KEY)
    done = cli("keys", "set", "production", "--keyring")
    assert done.code == 2
    assert "the keyring is locked" in done.err
    assert not (home / "config.toml").exists()


def test_without_the_library_the_pip_command_is_named(
    cli: Callable[..., Any], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir()
    (home / "config.toml").write_text('[environments.production]\nwrite_key_keyring = "a/b"\n')
    monkeypatch.setitem(sys.modules, "keyring", None)  # what an installation without the extra is like
    said = cli("keys", "check", "production")
    assert "a secret in the system's keyring needs the package keyring, which is not installed" in said.out
    assert "install it: pip install 'sprig-tui[keyring]'" in said.out


def test_a_running_process_takes_a_new_key_at_sighup_and_keeps_it_where_the_command_fails(
    home: Path,
    vault: Vault,
    sink: LiveSink,
    start: Callable[..., Any],
    cli: Callable[..., Any],
    write: Any,
    answer: Any,
) -> None:
    (home / "config.toml").write_text(
        f'[environments.production]\nwrite_key_command = ["{vault.script}", "production"]\nendpoint = "{sink.url}"\n'
    )
    run = start("run")
    run.until("delivering")
    vault.shown.unlink()
    run.process.send_signal(signal.SIGHUP)
    run.until("going on with the config as it was: production: the write key cannot be read again: command vault.sh")
    vault.shown.write_text(OTHER)
    run.process.send_signal(signal.SIGHUP)
    run.until("production: a secret of it was read again, and is another one now")
    cli("send", "--no-wait", "--yes", "-e", "production", write(answer(1)))
    sink.wait_until(lambda stats: stats.accepted == 1)
    assert run.stop() == 0
    assert vault.count == 3
    assert list(sink.sink.stats.keys) == [mask(OTHER)]
    assert not [line for line in run.said if KEY in line or OTHER in line]


def test_listen_takes_its_token_from_a_command_and_admits_nobody_where_that_fails(
    home: Path, vault: Vault, sink: LiveSink, start: Callable[..., Any]
) -> None:
    vault.shown.write_text("production-token-0123456789")
    (home / "config.toml").write_text(
        f'[environments.production]\nwrite_key = "{KEY}"\nendpoint = "{sink.url}"\n'
        f'webhook_token_command = ["{vault.script}"]\n'
        f'[environments.development]\nwrite_key = "{OTHER}"\nendpoint = "{sink.url}"\n'
        'webhook_token_command = ["/nowhere/op"]\n'
    )
    listener = start("listen", "--port", "0")
    assert "command op is not there" in listener.until("development: the webhook token cannot be read")
    url = listener.url()

    def post(environment: str, token: str | None) -> int:
        body = {
            "environmentId": "QmK7x2dTfa",
            "eventType": "ANSWER_SUBMITTED",
            "createdAt": "2026-03-04T16:21:09.114Z",
            "surveyId": 5120,
            "surveyName": "Checkout effort",
            "responseGroupUid": "0f4c1c7e-5f0b-4f0e-9a35-000000000001",
            "question": "How easy was checkout?",
            "questionType": "LIKERT",
            "response": 4,
            "userId": "acct_1",
        }
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        with httpx.Client(trust_env=False, verify=PLAIN) as client:
            return client.post(f"{url}/webhooks/{environment}", json=body, headers=headers).status_code

    assert [post("production", token) for token in ("production-token-0123456789", "another", None)] == [200, 401, 401]
    assert [post("development", token) for token in ("x", "production-token-0123456789", None)] == [401, 401, 401]
    sink.wait_until(lambda stats: stats.accepted == 1)
    assert vault.count == 1


@pytest.mark.parametrize("service", ["segment", "sprig"])
def test_a_key_that_a_service_rejects_is_read_again_a_minute_later(
    *,
    cli: Callable[..., Any],
    home: Path,
    vault: Vault,
    sink: LiveSink,
    sprig_api: FakeSprigApi,
    write: Any,
    answer: Any,
    monkeypatch: pytest.MonkeyPatch,
    service: str,
) -> None:
    now = [0.0]
    # this test's clock in place of the system's
    reader = SecretReader(monotonic=lambda: now[0])
    for module in ("config.secret_reader", "delivery.batch", "pull.pull"):
        monkeypatch.setattr(f"sprig_tui.{module}.process_secrets", reader)
    key = "write_key" if service == "segment" else "sprig_api_key"
    (home / "config.toml").write_text(
        f'[environments.production]\n{key}_command = ["{vault.script}"]\nendpoint = "{sink.url}"\n'
        f'[sprig]\napi_url = "{sprig_api.url}"\n'
    )
    if service == "segment":
        sink.set_faults("401")
        done = cli("send", "--yes", "-e", "production", write(answer(1)))
    else:
        vault.shown.write_text("spk_that_sprig_does_not_know")
        done = cli("pull", "-e", "production", "--no-wait")
    assert done.code != 0, done.err
    vault.shown.write_text(OTHER)
    seconds_and_runs = []
    for seconds in (0.0, 59.0, 60.0, 61.0, 600.0):
        now[0] = seconds
        reader.reread(load_settings(find_paths()))
        seconds_and_runs.append((seconds, vault.count))
    assert seconds_and_runs == [(0.0, 1), (59.0, 1), (60.0, 2), (61.0, 2), (600.0, 2)]
