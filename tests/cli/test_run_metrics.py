"""`run --metrics`, and `run --print-unit`."""

from __future__ import annotations

import sys

import httpx
import pytest
from support.plain_http import PLAIN

TOKEN = "production-token-0123456789"


def ask(url: str, **headers: str) -> httpx.Response:
    return httpx.get(url, headers=headers, trust_env=False, verify=PLAIN)


def test_run_metrics_cover_the_process_and_the_journal(configured, sink, start, cli, write, answer):
    running = start("run", "--metrics", "0", "--status-every", "0")
    url = running.until("monitors ask").split("monitors ask ")[1].split("/healthz")[0]
    assert url.startswith("http://127.0.0.1:")
    assert ask(url + "/healthz").json() == {"alive": True}
    assert ask(url + "/readyz").json()["journal"] == "writable"
    cli("send", write(answer(1), answer(2)), "-e", "development", "--no-wait")
    sink.wait_until(lambda stats: stats.accepted == 2)
    while 'state="delivered"} 2.0' not in (text := ask(url + "/metrics").text):
        pass
    assert 'sprig_tui_attempts_total{environment="development",outcome="delivered",status="200"} 1.0' in text
    assert 'sprig_tui_workers{role="run"} 1.0' in text
    assert "webhook" not in text
    assert ask(url + "/webhooks").status_code == 404
    assert running.stop() == 0


def test_an_address_that_others_reach_asks_for_a_token(configured, start, cli):
    done = cli("run", "--metrics", "0.0.0.0:0")
    assert done.code == 2
    assert "keys token production --generate" in done.err
    config = configured / "config.toml"
    config.write_text(
        config.read_text().replace(
            "[environments.development]", f'webhook_token = "{TOKEN}"\n[environments.development]'
        )
    )
    running = start("run", "--metrics", "0.0.0.0:0", "--status-every", "0")
    port = running.until("monitors ask").split("/healthz")[0].rpartition(":")[2]
    url = f"http://127.0.0.1:{port}"
    assert ask(url + "/readyz").json() == {"ready": True, "stopping": False}
    assert ask(url + "/metrics").status_code == 401
    assert ask(url + "/metrics", authorization=f"Bearer {TOKEN}").status_code == 200
    config.write_text(config.read_text().replace(TOKEN, "another-token-0123456789"))
    running.until("the config changed")
    assert ask(url + "/metrics", authorization=f"Bearer {TOKEN}").status_code == 401
    assert ask(url + "/metrics", authorization="Bearer another-token-0123456789").status_code == 200


@pytest.mark.parametrize("address", ["", "metrics", "127.0.0.1:", "127.0.0.1:65536", ":-1", "127.0.0.1:9_1"])
def test_run_metrics_address_that_is_invalid(configured, cli, address):
    done = cli("run", "--metrics", address)
    assert done.code == 2
    assert "is no address" in done.err


def test_an_address_that_is_taken(configured, start, cli):
    running = start("run", "--metrics", "127.0.0.1:0", "--status-every", "0")
    port = running.until("monitors ask").split("/healthz")[0].rpartition(":")[2]
    done = cli("run", "--metrics", port)
    assert done.code == 2
    assert f"cannot listen on 127.0.0.1:{port}" in done.err
    assert "choose another --metrics" in done.err


def test_the_unit_is_for_this_command_line(home, cli, monkeypatch):
    argv = ["run", "--workers", "4", "--metrics", "9100", "--print-unit"]
    monkeypatch.setattr(sys, "argv", ["sprig-tui", *argv])
    done = cli(*argv)
    assert done.code == 0
    assert "sprig-tui run --workers 4 --metrics 9100\n" in done.out
    assert "/etc/systemd/system/sprig-tui-run.service" in done.out
    assert "keys set production" in done.out
    assert "\nKillMode=mixed\n" in done.out
    assert not home.exists()
