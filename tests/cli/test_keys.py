"""`keys` and `doctor`: keys in, never out; and what is off is told with the next step."""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.live_sink import LiveSink

KEY = "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx"
Run = Callable[..., Any]


def test_a_key_comes_from_standard_input_and_is_never_shown(process: Run, cli: Run, home: Path) -> None:
    done = process("keys", "set", "production", stdin=f" '{KEY}'\n".encode())
    assert done.code == 0, done.err
    assert KEY not in done.out + done.err
    config = home / "config.toml"
    assert tomllib.loads(config.read_text())["environments"]["production"]["write_key"] == KEY
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    listed = cli("keys", "list")
    assert "Zq8T…1Rkx" in listed.out
    assert KEY not in listed.out + listed.err
    assert cli("keys", "list", "--json").json["environments"][0]["key"] == "Zq8T…1Rkx"


def test_a_key_on_the_command_line_is_refused_and_not_repeated(cli: Run, home: Path) -> None:
    done = cli("keys", "set", "production", KEY)
    assert done.code == 2
    assert KEY not in done.err
    assert "shell's history" in done.err
    assert not home.exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "standard input is empty: the write key of production is expected there"),
        (b"https://app.segment.com/x", "this is an address"),
        (b"abc", "3 characters"),
        (b"\xff\xfe\x00a", "not UTF-8"),
        (KEY.encode() + b"\xff", "other than A to Z"),
        (b"a" * 100_000, "no write key"),
    ],
)
def test_keys_set_refuses_an_invalid_write_key(process: Run, home: Path, text: bytes, said: str) -> None:
    done = process("keys", "set", "production", stdin=text)
    assert done.code == 2
    assert said in done.err
    assert not (home / "config.toml").exists()


def test_an_odd_key_can_be_forced(process: Run, home: Path) -> None:
    assert process("keys", "set", "production", stdin=b"short1234567").code == 2
    assert process("keys", "set", "production", "--force", stdin=b"short1234567").code == 0


def test_shared_key_of_two_environments_is_reported(process: Run, cli: Run, home: Path) -> None:
    assert process("keys", "set", "production", stdin=KEY.encode()).code == 0
    again = process("keys", "set", "staging-eu", "--endpoint", "eu", stdin=KEY.encode())
    assert again.code == 2
    assert "this is the write key of production" in again.err
    assert process("keys", "set", "staging-eu", "--endpoint", "eu", "--force", stdin=KEY.encode()).code == 0
    assert "the same key in production and staging-eu" in cli("keys", "list").err
    assert "the same key in production and staging-eu" in cli("doctor", "--offline").out
    assert cli("keys", "check").code == 1


def test_removing_needs_a_yes_and_keeps_the_rest(process: Run, cli: Run, home: Path) -> None:
    assert process("keys", "set", "production", "--endpoint", "eu", stdin=KEY.encode()).code == 0
    assert cli("keys", "remove", "production").code == 2
    assert cli("keys", "remove", "production", "--yes").code == 0
    assert tomllib.loads((home / "config.toml").read_text()) == {"environments": {"production": {"endpoint": "eu"}}}
    assert "nothing to remove" in cli("keys", "remove", "production", "--yes").err
    assert cli("keys", "remove", "production", "--whole", "--yes").code == 0
    assert (home / "config.toml").read_text() == ""


def test_variable_takes_precedence_over_config_and_is_reported(
    process: Run, cli: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPRIG_TUI_WRITE_KEY_PRODUCTION", "k2bbbbbbCCCCdddd2222EEEEffff2Sky")
    done = process("keys", "set", "production", stdin=KEY.encode())
    assert "takes precedence over the config" in done.err
    assert "still has a key, from SPRIG_TUI_WRITE_KEY_PRODUCTION" in cli("keys", "remove", "production", "--yes").err


def test_test_event_names_event_and_user(cli: Run, configured: Path, sink: LiveSink) -> None:
    done = cli("keys", "check", "development", "--send-test-event", "--json")
    assert done.code == 0, done.err
    assert "does not prove the key" in done.err
    assert sink.sink.events[0]["event"] == "sprig-tui test event"
    assert done.json["environments"][0]["test_event"]["status"] == 200
    refused = cli("keys", "check", "production", "--send-test-event")
    assert refused.code == 2
    assert "protected" in refused.err
    sink.set_faults("400")
    assert cli("keys", "check", "development", "--send-test-event").code == 1
    sink.down()
    assert cli("keys", "check", "development", "--send-test-event").code == 3
    sink.up()


def levels(done: Any) -> set[tuple[str, str]]:
    return {(check["name"], check["level"]) for check in done.json["checks"]}


def test_doctor_finds_fault_with_a_hash_key_that_is_not_set(cli: Run, home: Path) -> None:
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text('[mapping]\nhmac = ["properties.email"]\nhmac_key_env = "NOT_SET"\n')
    done = cli("doctor", "--offline", "--json")
    assert done.code == 1
    assert ("keys", "fault") in levels(done)
    assert "nothing can be mapped" in done.out


def test_doctor_is_content_with_a_good_set_up(
    cli: Run, configured: Path, sink: LiveSink, write: Run, answer: Run
) -> None:
    assert cli("send", write(answer(1)), "-e", "development").code == 0
    done = cli("doctor", "--json")
    assert done.code == 0, done.out
    assert {level for _, level in levels(done)} == {"ok"}
    assert sink.sink.stats.events == 1
    assert "a key cannot be verified" in done.out


def test_doctor_names_an_endpoint_that_is_down(cli: Run, configured: Path, sink: LiveSink) -> None:
    sink.down()
    done = cli("doctor", "--json")
    assert done.code == 3
    assert ("endpoint", "fault") in levels(done)
    assert "connection refused" in done.out
    assert cli("doctor", "--offline").code == 0
    sink.up()


def test_doctor_names_a_broken_config(cli: Run, home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("[deliery]\nx = 1\n[mapping]\nevnt = 'x'\n")
    done = cli("doctor", "--json")
    assert done.code == 2
    assert ("config", "fault") in levels(done)
    (home / "config.toml").write_text("[deliery]\nx = 1\n")
    done = cli("doctor", "--offline")
    assert "did you mean delivery?" in done.out


def test_doctor_names_modes_ids_and_lost_variables(cli: Run, configured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = configured / "config.toml"
    text = config.read_text().replace("\nendpoint", '\nsprig_environment_id = "QmK7x2dTfa"\nendpoint')
    config.write_text(text)
    config.chmod(0o644)
    monkeypatch.setenv("SPRIG_TUI_WRITE_KEY_DEVELOPMNT", KEY)
    done = cli("doctor", "--offline")
    assert done.code == 1
    assert "others may read it (mode 0644)" in done.out
    assert "have the same sprig_environment_id" in done.out
    assert "SPRIG_TUI_WRITE_KEY_DEVELOPMNT is set, but no environment is called so" in done.out
    assert KEY not in done.out


def test_doctor_names_a_damaged_journal(cli: Run, configured: Path, write: Run, answer: Run) -> None:
    assert cli("send", write(*(answer(n) for n in range(200))), "-e", "development").code == 0
    journal = configured / "journal.db"
    data = bytearray(journal.read_bytes())
    data[4096:] = b"\x55" * (len(data) - 4096)
    journal.write_bytes(data)
    done = cli("doctor", "--offline", "--json")
    assert done.code == 1
    assert ("journal", "fault") in levels(done)
    journal.write_bytes(b"this is no journal")
    assert cli("doctor", "--offline").code == 1
    assert cli("log").code == 2


def test_doctor_names_a_paused_lane(cli: Run, configured: Path, sink: LiveSink, write: Run, answer: Run) -> None:
    sink.set_faults("401")
    assert cli("send", write(answer(1)), "-e", "development").code == 1
    done = cli("doctor", "--offline")
    assert "development is paused" in done.out


def test_the_token_of_serve_is_stored_checked_and_removed(
    process: Run, cli: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = cli("keys", "serve", "--generate")
    token = made.out.strip()
    assert tomllib.loads((home / "config.toml").read_text())["serve"] == {"token": token}
    assert token not in made.err
    assert f"{token[:4]}…{token[-4:]}" in cli("keys", "list").out
    assert cli("keys", "list", "--json").json["serve_token_source"] == "config"
    assert "its token can be read (config)" in cli("doctor", "--offline").out
    typed = process("keys", "serve", stdin=b"a token with spaces 1234\n")
    assert typed.code == 2
    assert tomllib.loads((home / "config.toml").read_text())["serve"] == {"token": token}
    assert token not in cli("keys", "serve", token).err
    removed = cli("keys", "serve", "--remove", "--yes")
    assert "it is read-only from its next start" in removed.err
    assert "token" not in tomllib.loads((home / "config.toml").read_text()).get("serve", {})
    assert "its token" not in cli("doctor", "--offline").out
    cli("keys", "serve", "--generate")
    monkeypatch.setenv("SPRIG_TUI_SERVE_TOKEN", "t" * 32)
    removed = cli("keys", "serve", "--remove", "--yes")
    assert "from its next start it takes the one from SPRIG_TUI_SERVE_TOKEN" in removed.err
    monkeypatch.delenv("SPRIG_TUI_SERVE_TOKEN")
    for command, level in (("echo abcdefghijklmnopqrstuvwxyz", "ok"), ("false", "fault")):
        words = ", ".join(f'"{word}"' for word in command.split())
        (home / "config.toml").write_text(f"[serve]\ntoken_command = [{words}]\n")
        checks = cli("doctor", "--offline", "--json").json["checks"]
        assert [check["level"] for check in checks if check["name"] == "serve"] == [level]
