"""`listen` as a process, with real webhooks; and `keys token`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.certificates import self_signed
from support.forked import popen
from support.plain_http import PLAIN

TOKEN = "production-token-0123456789"
Run = Callable[..., Any]


@pytest.fixture
def guarded(configured: Path) -> Path:
    """Production with a token, too."""
    config = configured / "config.toml"
    text = config.read_text().replace(
        "[environments.development]",
        f'webhook_token = "{TOKEN}"\nsprig_environment_id = "QmK7x2dTfa"\n[environments.development]',
    )
    config.write_text(text)
    return configured


def webhook(number: int = 1) -> dict[str, Any]:
    return {
        "environmentId": "QmK7x2dTfa",
        "eventType": "ANSWER_SUBMITTED",
        "createdAt": "2026-03-04T16:21:09.114Z",
        "surveyId": 5120,
        "surveyName": "Checkout effort",
        "responseGroupUid": f"0f4c1c7e-5f0b-4f0e-9a35-{number:012d}",
        "question": "How easy was checkout?",
        "questionType": "LIKERT",
        "response": 4,
        "userId": f"acct_{number}",
    }


def post(url: str, body: dict[str, Any], token: str = TOKEN, path: str = "/webhooks/production") -> httpx.Response:
    with httpx.Client(trust_env=False, verify=PLAIN) as client:
        return client.post(url + path, json=body, headers={"authorization": f"Bearer {token}"})


def test_from_webhook_to_segment_seen_by_a_log_elsewhere(guarded, sink, start):
    listener = start("listen", "--port", "0", "--status-every", "0")
    url = listener.url()
    following = popen(["log", "--follow", "--json", "-n", "1"], stdout=subprocess.PIPE, text=True)
    try:
        assert following.stdout is not None
        assert post(url, webhook(1)).json() == {"queued": 1, "known": 0, "withheld": 0}
        sink.wait_until(lambda stats: stats.accepted == 1)
        while (row := json.loads(following.stdout.readline()))["state"] != "delivered":
            pass
        assert (row["user_id"], row["source"]) == ("acct_1", "webhook")
        assert post(url, webhook(2), path="/webhooks").status_code == 200
        while (row := json.loads(following.stdout.readline()))["state"] != "delivered":
            pass
        assert row["user_id"] == "acct_2"
    finally:
        following.kill()
        following.communicate()
    assert httpx.get(url + "/readyz", trust_env=False, verify=PLAIN).json()["lanes"]["production"]["last_status"] == 200
    assert listener.stop() == 0
    assert listener.until("stopped; webhooks 2  rejected 0  delivered 2")
    assert TOKEN not in "".join(listener.said)


def test_without_an_engine_it_only_receives(guarded, sink, start, cli):
    listener = start("listen", "--port", "0", "--no-engine")
    assert post(listener.url(), webhook()).status_code == 200
    assert listener.stop(signal.SIGINT) == 0
    [row] = cli("log", "--json").rows
    assert row["state"] == "queued"
    assert sink.sink.stats.requests == 0


def test_a_changed_token_is_taken_up(guarded, start):
    listener = start("listen", "--port", "0")
    url = listener.url()
    assert post(url, webhook()).status_code == 200
    config = guarded / "config.toml"
    config.write_text(config.read_text().replace(TOKEN, "another-token-0123456789"))
    listener.until("the config changed")
    assert post(url, webhook(2)).status_code == 401
    assert post(url, webhook(2), "another-token-0123456789").status_code == 200
    config.write_text("[environments.production\n")
    listener.until("going on with the config as it was")
    assert post(url, webhook(3), "another-token-0123456789").status_code == 200


def test_hangup_reads_the_config_again_and_confirms_what_it_lacks(guarded, start):
    listener = start("listen", "--port", "0")
    url = listener.url()
    listener.process.send_signal(signal.SIGHUP)
    listener.until("the config was read again: nothing changed")
    config = guarded / "config.toml"
    config.write_text(config.read_text().partition("[environments.development]")[0])
    listener.until("breaks off, or its end was deleted: it lacks environments.development")
    assert post(url, webhook()).status_code == 200
    listener.process.send_signal(signal.SIGHUP)
    listener.until("is taken up; it no longer has environments.development")
    assert post(url, webhook(2)).status_code == 200
    assert listener.stop() == 0


def test_hangup_of_the_terminal_stops_it(guarded, terminal):
    listener = terminal("listen", "--port", "0")
    listener.says("listening on")
    assert listener.hangs_up() == 0


def test_listen_stops_while_segment_hangs(guarded, sink, start):
    sink.set_faults("hang")
    listener = start("listen", "--port", "0")
    assert post(listener.url(), webhook()).status_code == 200
    sink.wait_until(lambda stats: stats.requests == 1)
    assert listener.stop() == 0, "long before the 15 s after which a request is given up"


def test_listen_exits_2_for_errors_before_it_listens(guarded, cli, start, tmp_path):
    assert "cannot use" in cli("listen", "--certfile", tmp_path / "none.pem").err
    assert "--keyfile needs --certfile" in cli("listen", "--keyfile", "x").err
    port = start("listen", "--port", "0").url().rpartition(":")[2]
    done = cli("listen", "--port", port)
    assert (done.code, done.out) == (2, "")
    assert "cannot listen on" in done.err


def test_strangers_are_not_listened_to_without_any_token(configured, cli):
    done = cli("listen", "--host", "0.0.0.0", "--port", "0")  # noqa: S104 - that it is no loopback is the point
    assert done.code == 2
    assert "no environment has a webhook token" in done.err
    assert "keys token production --generate" in done.err


def test_the_unit_is_for_this_command_line(home, cli, tmp_path, monkeypatch):
    argv = ["listen", "--port", "9000", "--certfile", "my certs/c.pem", "--capture=kept", "--print-unit"]
    monkeypatch.setattr(sys, "argv", ["sprig-tui", *argv])
    done = cli(*argv)
    assert done.code == 0
    assert (
        f'sprig-tui listen --port 9000 --certfile "{tmp_path}/my certs/c.pem" --capture={tmp_path}/kept\n' in done.out
    )
    assert f"\nReadWritePaths={tmp_path}/kept\n" in done.out
    assert "--print-unit" not in done.out
    assert not home.exists()


# -- keys token ------------------------------------------------------------------------------------------------------


def stored(home: Path, environment: str = "production") -> str | None:
    table: dict[str, Any] = tomllib.loads((home / "config.toml").read_text()).get("environments", {})
    found: str | None = table.get(environment, {}).get("webhook_token")
    return found


def test_a_generated_token_is_shown_once(home, cli):
    done = cli("keys", "token", "production", "--generate")
    assert done.code == 0
    assert stored(home) == done.out.strip()
    assert len(done.out.strip()) >= 40
    assert done.out.strip() not in done.err
    assert (home / "config.toml").stat().st_mode & 0o777 == 0o600
    shown = cli("keys", "list", "--json")
    assert done.out.strip() not in shown.out
    assert shown.json["environments"][0]["webhook_token"].startswith(done.out[:4])


def test_a_token_comes_from_standard_input(home, process):
    done = process("keys", "token", "staging", stdin=f"Bearer {TOKEN}\n".encode())
    assert (done.code, done.out) == (0, "")
    assert stored(home, "staging") == TOKEN
    assert TOKEN not in done.err
    replaced = process("keys", "token", "staging", stdin=b"another-token-0123456789")
    assert replaced.code == 2
    assert "add --yes" in replaced.err
    assert process("keys", "token", "staging", "--yes", stdin=b"another-token-0123456789").code == 0
    assert stored(home, "staging") == "another-token-0123456789"
    assert process("keys", "token", "staging", "--remove", "--yes").code == 0
    assert stored(home, "staging") is None


@pytest.mark.parametrize(
    ("stdin", "said"), [(b"", "is empty"), (b"two words", "spaces"), (b"x" * 70_000, "no token"), (b"\0\0", "UTF-8")]
)
def test_keys_token_refuses_an_invalid_webhook_token(home, process, stdin, said):
    done = process("keys", "token", "production", stdin=stdin)
    assert done.code == 2
    assert said in done.err
    assert not (home / "config.toml").exists()


def test_a_token_on_the_command_line_is_refused(cli):
    done = cli("keys", "token", "production", TOKEN)
    assert done.code == 2
    assert TOKEN not in done.err
    assert os.environ.get("SPRIG_TUI_WEBHOOK_TOKEN_PRODUCTION") is None


def test_listen_warns_of_weak_tokens_and_readable_keys(configured, start, tmp_path):
    config = configured / "config.toml"
    config.write_text(
        config.read_text().replace("[environments.development]", 'webhook_token = "x"\n[environments.development]')
    )
    certfile, keyfile = self_signed(tmp_path)
    keyfile.chmod(0o644)
    files = ("--certfile", str(certfile), "--keyfile", str(keyfile))
    listener = start("listen", "--host", "0.0.0.0", "--port", "0", *files)  # noqa: S104
    assert listener.until("others on this machine can read the private key")
    assert listener.until("the webhook token of production is short enough to be guessed")
    assert listener.url().startswith("https://0.0.0.0:")
    assert listener.stop() == 0


def test_slow_clients_do_not_hold_up_a_stop(guarded, sink, start):
    listener = start("listen", "--port", "0", "--status-every", "0")
    port = int(listener.url().rpartition(":")[2])
    head = f"POST /webhooks HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nauthorization: Bearer {TOKEN}\r\n"
    parts = ("", "POST /web", head + "content-length: 100\r\nexpect: 100-continue\r\n\r\n")
    clients = [socket.create_connection(("127.0.0.1", port)) for _ in parts]
    for client, part in zip(clients, parts, strict=True):
        client.sendall(part.encode())
    assert clients[-1].recv(100).startswith(b"HTTP/1.1 100 "), "its body is awaited"
    listener.process.send_signal(signal.SIGTERM)
    assert listener.process.wait(8) == 0, "Docker kills after ten seconds"
    assert clients[-1].recv(100).startswith(b"HTTP/1.1 503 ")
    for client in clients:
        client.close()


def test_the_address_may_stand_in_brackets(configured, start):
    listener = start("listen", "--host", "[::1]", "--port", "0")
    assert listener.url().startswith("http://[::1]:")
    assert listener.stop() == 0


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("my certs", '"{}/my certs"'),
        ("100%", "{}/100%%"),
        ("$HOME", "{}/$$HOME"),
        ("a\nExecStartPre=evil", '"{}/a\\nExecStartPre=evil"'),
        ("a\x1bb", '"{}/a\\x1bb"'),
        ('a"b\\', '"{}/a\\"b\\\\"'),
        ("a;b", '"{}/a;b"'),
    ],
)
def test_the_unit_holds_any_name(home, cli, tmp_path, monkeypatch, name, quoted):
    argv = ["listen", "--certfile", name, "--print-unit"]
    monkeypatch.setattr(sys, "argv", ["sprig-tui", *argv])
    done = cli(*argv)
    assert f"listen --certfile {quoted.format(tmp_path)}\n" in done.out
    assert len([line for line in done.out.splitlines() if line.startswith("Exec")]) == 2


def test_a_folder_that_no_unit_can_name_is_refused(home, cli, monkeypatch):
    argv = ["listen", "--capture", "a\nb", "--print-unit"]
    monkeypatch.setattr(sys, "argv", ["sprig-tui", *argv])
    done = cli(*argv)
    assert (done.code, done.out) == (2, "")
    assert "cannot stand in a unit" in done.err


def test_addresses_of_ipv6_may_stand_in_brackets(configured, start):
    assert start("listen", "--host", "[::1]", "--port", "0").url().startswith("http://[::1]:")


def test_config_readable_by_others_is_reported(guarded, start):
    (guarded / "config.toml").chmod(0o644)
    assert start("listen", "--port", "0").until("holds keys and others may read it (mode 0644)")
