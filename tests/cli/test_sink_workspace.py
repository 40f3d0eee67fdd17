"""`sink --workspace`: what it tells can be typed as it stands, and its Public API counts what is sent to it."""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.forked import popen
from support.plain_http import PLAIN
from support.records import make_flat_record

from sprig_tui.cli.commands.sink import _tell_workspace
from sprig_tui.segment.sink.workspace import DescribedWorkspace, Workspace

Run = Callable[..., Any]
Start = Callable[..., list[str]]


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    """Start the sink on a port of the system's choice; returns what it tells, up to the line that is waited for."""
    started = []

    def begin(*argv: str, until: str = "sprig-tui keys set") -> list[str]:
        program = popen(
            ["sink", "--port", "0", *argv],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(program)
        assert program.stderr is not None
        told: list[str] = []
        for line in program.stderr:
            told.append(line.rstrip())
            if until in line:
                return told
        raise AssertionError("\n".join(told))

    yield begin
    for program in started:
        program.terminate()
        program.communicate()


def test_commands_that_it_tells_lead_to_counts(start: Start, process: Run, cli: Run, tmp_path: Path) -> None:
    told = start("--workspace", "--workspace-delay", "0", "--workspace-fault", "lost=3")
    url = told[0].split()[2].rstrip(";")
    token = next(line for line in told if line.startswith("  token ")).split()[1]
    assert any("source Acme production: Write Key" in line and "Amplitude and Customer.io" in line for line in told)
    stored = next(line for line in told if "keys workspace" in line)
    assert stored == f"  echo {token} | sprig-tui keys workspace --region {url}"
    assert process("keys", "workspace", "--region", url, stdin=token.encode()).code == 0
    assert cli(*shlex.split(told[-1])[1:]).code == 0
    answers = tmp_path / "answers.jsonl"
    records = [make_flat_record(number, environment="production") for number in range(10)]
    answers.write_text("".join(json.dumps(one) + "\n" for one in records))
    assert cli("send", answers, "-e", "production", "--yes").code == 0
    now = datetime.now(UTC)
    query = {
        "granularity": "DAY",
        "startTime": (now - timedelta(days=1)).isoformat(),
        "endTime": (now + timedelta(days=1)).isoformat(),
        "groupBy.0": "source",
    }
    headers = {"Authorization": f"Bearer {token}"}
    (row,) = httpx.get(f"{url}/events/volume", params=query, headers=headers, trust_env=False, verify=PLAIN).json()[
        "data"
    ]["result"]
    assert (row["source"]["name"], row["total"]) == ("Acme production", 7)


def test_secrets_of_a_workspace_file_are_masked(start: Start, tmp_path: Path) -> None:
    key, token = "w1aaaaaaBBBBcccc1111DDDDeeee1Web", "sgp_aTokenThatThePersonKnows0123456789"
    file = tmp_path / "workspace.json"
    file.write_text(
        json.dumps({"token": token, "sources": [{"name": "Web\x1b[31m", "writeKey": key}], "faults": ["late=60"]})
    )
    told = "\n".join(start("--workspace-file", str(file)))
    assert key not in told
    assert token not in told
    assert "\x1b" not in told
    assert "fault late=60" in told
    assert "echo TOKEN | sprig-tui keys workspace" in told


@pytest.mark.parametrize(("host", "warned"), [("10.0.0.5", True), ("127.0.0.1", False), ("[::1]", False)])
def test_workspace_that_others_reach_is_warned_of(
    home: Path, capsys: pytest.CaptureFixture[str], host: str, warned: bool
) -> None:
    _tell_workspace(f"http://{host}:8080", DescribedWorkspace(Workspace.example()))
    told = capsys.readouterr().err
    assert ("others can read the Write Keys" in " ".join(told.split())) is warned
    assert "token of a member, who sees no Write Keys" in told


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--workspace-fault", "vanish"], "workspace fault 'vanish': expected one of lost, late"),
        (["--workspace-fault", "lost=1@source:Nobody"], "there are: Acme development, Acme production"),
        (["--workspace", "--count"], "a workspace needs the events"),
        (["--workspace", "--keys", "keys.json"], "--keys and a workspace exclude each other"),
        (["--workspace-file", "gone.json"], "workspace gone.json: No such file"),
    ],
)
def test_mistakes_end_with_a_sentence(cli: Run, tmp_path: Path, argv: list[str], message: str) -> None:
    (tmp_path / "keys.json").write_text("{}")
    done = cli("sink", "--port", "0", *argv)
    assert done.code == 2
    assert message in " ".join(done.err.split())
