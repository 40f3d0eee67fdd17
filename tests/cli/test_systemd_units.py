"""Systemd units: they parse, restrict the process, and name the secrets that the service manager hands over."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sprig_tui.cli.program import run

MAX_EXPOSURE = 3.0
"""On the scale of systemd-analyze, from 0 to 10."""
COMMANDS = [
    ["listen"],
    ["listen", "--port", "443"],
    ["run", "--workers", "2", "--metrics", "9100"],
]


def _unit(argv: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    argv = [*argv, "--print-unit"]
    monkeypatch.setattr(sys, "argv", ["sprig-tui", *argv])
    assert run(argv) == 0
    return capsys.readouterr().out


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("argv", COMMANDS, ids=" ".join)
def test_systemd_accepts_the_unit_and_rates_it_as_protected(
    argv: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sprig-tui.service"
    file.write_text(_unit(argv, monkeypatch, capsys), encoding="utf-8")
    rated = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", file],
        capture_output=True,
        text=True,
        check=False,
    )
    if "offline" in rated.stderr:
        pytest.skip("systemd-analyze is too old for --offline")
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", rated.stdout)
    assert exposure is not None, rated.stderr
    assert float(exposure[1]) < MAX_EXPOSURE
    # such as a setting that it does not know
    assert "Unknown" not in rated.stderr
    assert "ignoring" not in rated.stderr


@pytest.mark.parametrize("argv", COMMANDS, ids=" ".join)
def test_secrets_come_as_credentials(
    argv: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    named = re.findall(r"^LoadCredential=(\w+)$", _unit(argv, monkeypatch, capsys), re.MULTILINE)
    token = ["SPRIG_TUI_WEBHOOK_TOKEN_PRODUCTION"] if argv[0] == "listen" else []
    assert named == ["SPRIG_TUI_WRITE_KEY_PRODUCTION", *token, "SPRIG_TUI_JOURNAL_URL"]


@pytest.mark.parametrize(("port", "needs"), [("80", True), ("1023", True), ("1024", False), ("0", False)])
def test_only_a_low_port_gets_its_capability(
    port: str, needs: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = _unit(["listen", "--port", port], monkeypatch, capsys).splitlines()
    assert ("AmbientCapabilities=CAP_NET_BIND_SERVICE" in lines) is needs
    # a service with users of its own has no capability outside
    assert ("PrivateUsers=yes" in lines) is not needs
