"""OAuth on the command line: what `send`, `keys`, `doctor` and `sink` say of it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.live_sink import LiveSink
from support.rsa_keys import private_pem, public_pem, rsa_key, write_private_key

from sprig_tui.clock import SystemClock
from sprig_tui.config.paths import find_paths
from sprig_tui.config.settings import load_settings
from sprig_tui.segment.oauth.token_response import AccessToken
from sprig_tui.segment.oauth.token_source import TokenSource
from sprig_tui.text import mask

KEY = "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx"
Run = Callable[..., Any]


@pytest.fixture
def sink() -> Iterator[LiveSink]:
    live = LiveSink(oauth_key=rsa_key().public_key())
    yield live
    live.close()


@pytest.fixture
def configured(home: Path, sink: LiveSink) -> Path:
    """A config whose development environment needs OAuth at the fake Segment."""
    home.mkdir()
    (home / "config.toml").write_text(
        f'[environments.development]\nwrite_key = "{KEY}"\nendpoint = "{sink.url}"\n'
        'oauth = { client_id = "2Xapp", key_id = "2Xkey", private_key_file = "private.pem" }\n'
    )
    (home / "config.toml").chmod(0o600)
    return home


def test_send_delivers_to_a_source_that_requires_oauth(
    cli: Run, configured: Path, sink: LiveSink, write: Run, answer: Run
) -> None:
    write_private_key(configured)
    done = cli("send", write(answer(1), answer(2)), "-e", "development")
    assert done.code == 0, done.err
    assert sink.sink.stats.accepted == 2
    assert sink.sink.token_server is not None
    assert [one.status for one in sink.sink.token_server.requests] == [200]


def test_send_without_a_usable_key_keeps_all_queued_and_says_why(
    cli: Run, configured: Path, sink: LiveSink, write: Run, answer: Run
) -> None:
    write_private_key(configured, key=rsa_key(2))
    done = cli("send", write(answer(1)), "-e", "development")
    assert done.code == 1
    assert f"{sink.url}/token refuses the OAuth client 2Xapp (401)" in " ".join(done.err.split())
    assert "correct oauth in [environments.development], its key file" in done.err
    paused = [one for one in cli("doctor", "--offline", "--json").json["checks"] if one["name"] == "lanes"]
    assert [one["hint"].partition(" resumes")[0] for one in paused] == [
        "a change of oauth, its key file or the endpoint"
    ]
    row = cli("status", "--json").json["environments"]["development"]
    assert (row["queued"], row["reason"]) == (1, "oauth_client_refused")
    tried = [one for one in cli("doctor", "--json").json["checks"] if one["name"] == "oauth"]
    assert tried[-1]["level"] == "fault"
    assert f"{sink.url}/token rejects the OAuth client 2Xapp (401)" in tried[-1]["message"]


def test_curl_has_a_bearer_token_of_the_shell_and_the_key_in_the_body(
    cli: Run, configured: Path, sink: LiveSink, write: Run, answer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_private_key(configured)
    done = cli("preview", write(answer(1, response="it's")), "-e", "development", "--as", "curl")
    assert f"\n# $SEGMENT_ACCESS_TOKEN: a token of the OAuth app 2Xapp, from {sink.url}/token\ncurl " in done.out
    assert KEY not in done.out
    credentials = load_settings(find_paths()).environments["development"].oauth_credentials
    assert credentials is not None
    token = asyncio.run(TokenSource(credentials, clock=SystemClock()).get())
    assert isinstance(token, AccessToken)
    monkeypatch.setenv("SEGMENT_WRITE_KEY", KEY)
    monkeypatch.setenv("SEGMENT_ACCESS_TOKEN", token.text)
    ran = subprocess.run(["sh", "-c", done.out], capture_output=True, check=False)
    if ran.returncode == 127:
        pytest.skip("curl is not installed")
    assert (sink.sink.stats.accepted, list(sink.sink.stats.keys)) == (1, [mask(KEY)]), ran.stdout
    assert sink.sink.events[0]["properties"]["response"] == "it's"


def test_keys_and_doctor_tell_that_an_environment_uses_oauth(cli: Run, configured: Path, sink: LiveSink) -> None:
    write_private_key(configured)
    assert "oauth 2Xapp" in cli("keys", "list").out
    listed = {one["name"]: one["oauth"] for one in cli("keys", "list", "--json").json["environments"]}
    assert listed["production"] is None
    assert listed["development"] == {
        "client_id": "2Xapp",
        "key_id": "2Xkey",
        "private_key_file": str(configured / "private.pem"),
        "scope": "tracking_api:write",
        "token_url": f"{sink.url}/token",
    }
    tried = [one for one in cli("doctor", "--json").json["checks"] if one["name"] == "oauth"]
    assert (tried[-1]["level"], tried[-1]["message"]) == ("ok", f"development: {sink.url}/token gives a token")
    line = f"OAuth app 2Xapp, key 2Xkey, token from {sink.url}/token"
    checked = cli("keys", "check", "development", "--send-test-event")
    assert (checked.code, sink.sink.stats.accepted) == (0, 1), checked.err
    assert line in checked.out
    assert f"development: {line}; its private key can sign" in cli("doctor", "--offline").out


def test_keys_check_and_doctor_name_a_key_file_that_is_missing(cli: Run, configured: Path) -> None:
    problem = f"the private key {configured}/private.pem is not there"
    checked = cli("keys", "check", "development", "--send-test-event")
    assert checked.code == 1
    assert f"nothing was sent: no OAuth token: {problem}" in " ".join(checked.err.split())
    assert problem in checked.out
    found = [one for one in cli("doctor", "--offline", "--json").json["checks"] if problem in one["message"]]
    assert [(one["name"], one["level"], one["message"]) for one in found] == [
        ("oauth", "fault", f"development: {problem}")
    ]


def test_client_is_tried_stored_changed_and_removed(cli: Run, configured: Path, sink: LiveSink) -> None:
    config = configured / "config.toml"
    first = config.read_text().partition("oauth")[0]
    config.write_text(first)
    key, other = write_private_key(configured), configured / "other.pem"
    other.write_bytes(private_pem(rsa_key(2)))
    other.chmod(0o600)
    argv = ("keys", "oauth", "development", "--client-id", "2Xapp", "--key-id", "2Xkey", "--private-key")
    assert "--client-id and --key-id and --private-key" in cli("keys", "oauth", "development").err
    for file, said in ((configured / "none.pem", "is not there"), (other, "rejects the OAuth client 2Xapp (401)")):
        done = cli(*argv, file)
        assert (done.code, said in " ".join(done.err.split())) == (2, True), done.err
    assert config.read_text() == first
    done = cli(*argv, key)
    assert done.code == 0, done.err
    assert f"{sink.url}/token gives a token" in done.err
    assert cli("keys", "oauth", "development", "--key-id", "2Xnext").code == 0
    table = tomllib.loads(config.read_text())["environments"]["development"]
    assert table["oauth"] == {"client_id": "2Xapp", "key_id": "2Xnext", "private_key_file": str(key)}
    assert table["write_key"] == KEY
    assert "add --yes" in cli("keys", "oauth", "development", "--remove").err
    assert cli("keys", "oauth", "development", "--remove", "--yes").code == 0
    assert tomllib.loads(config.read_text()) == tomllib.loads(first)


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot read"), (b"x", "holds no public key in PEM form")],
)
def test_sink_rejects_a_file_without_a_public_key(cli: Run, tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "public.pem"
    if content is not None:
        file.write_bytes(content)
    done = cli("sink", "--port", 0, "--oauth", file)
    assert done.code == 2
    assert said in done.err
    assert "openssl rsa" in done.err


def test_sink_takes_token_faults_only_with_oauth(cli: Run, tmp_path: Path) -> None:
    assert "--token-fault needs --oauth" in cli("sink", "--port", 0, "--token-fault", "503").err
    assert "--token-life needs --oauth" in cli("sink", "--port", 0, "--token-life", "3").err
    (tmp_path / "public.pem").write_bytes(public_pem())
    assert "fault rule" in cli("sink", "--port", 0, "--oauth", tmp_path / "public.pem", "--token-fault", "7x").err


def test_config_of_oauth_is_no_place_for_a_secret(cli: Run, configured: Path) -> None:
    key = write_private_key(configured).read_text()
    shown = json.dumps([cli(*words)[1:] for words in (("keys", "list"), ("doctor", "--offline"), ("log",))])
    assert key.splitlines()[1] not in shown
