"""What a person meets on the first day: odd locales, narrow terminals, spreadsheets, a key refused by mistake."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.forked import popen
from support.live_sink import LiveSink
from support.plain_http import PLAIN
from support.records import make_delivery

from sprig_tui.cli.commands import log
from sprig_tui.cli.log_format import DeliveryLineFormatter
from sprig_tui.cli.shutdown import SIGNAL_DEBOUNCE_S, ShutdownSignals
from sprig_tui.journal.open import open_journal
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import NewDelivery

Run = Callable[..., Any]

DELIVERY = make_delivery(
    id=1_000_412, question_type="MULTIPLESELECT", answer='["Reports","Alerts"]', added_at=1_795_455_508_900
)


def test_letters_in_a_filter_survive_an_ascii_locale(
    process: Run, cli: Run, configured: Path, write: Run, answer: Run
) -> None:
    assert cli("send", write(answer(1, surveyName="Größe 速い"), answer(2)), "-e", "development").code == 0
    ascii_only = {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    for words in (("速い",), ("survey:Größe",), ("--survey", "Größe")):
        done = process("log", "--json", *words, **ascii_only)
        assert (done.code, [json.loads(line)["user_id"] for line in done.out.splitlines()]) == (0, ["acct_1"])


def test_log_and_replay_take_e_as_send_does(cli: Run, configured: Path, write: Run, answer: Run) -> None:
    assert cli("send", write(answer(1)), "-e", "development").code == 0
    assert len(cli("log", "-e", "development", "--json").rows) == 1
    assert cli("log", "-e", "production", "--json").out == ""
    assert cli("replay", "-e", "development", "--dry-run", "--json").json["matched"] == 1


@pytest.mark.parametrize("columns", [40, 60, 80, 100, 119, 120, 121, 160, 200])
def test_a_delivery_is_one_line_of_the_terminal(columns: int) -> None:
    line = DeliveryLineFormatter(columns).line(DELIVERY)
    assert len(line) <= columns
    assert "delivered  200  " + ("38 ms" if columns >= 80 else "") in line


def test_a_record_that_names_nothing_is_known_by_its_place(cli: Run, configured: Path, write: Run, answer: Run) -> None:
    file = write(answer(1), "{broken")
    assert cli("send", file, "-e", "development").code == 1
    assert f"invalid: {file}:2: " in cli("log", "status:withheld").out


def test_csv_is_for_spreadsheets(cli: Run, configured: Path, write: Run, answer: Run) -> None:
    assert cli("send", write(answer(1, response="=1+1"), answer(2, response='a,\n"b"')), "-e", "development").code == 0
    done = cli("log", "-n", "0", "--csv")
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert [row["user_id"] for row in rows] == ["acct_1", "acct_2"]
    assert rows[0]["answer"] == "'=1+1"
    assert cli("log", "--csv", "--json").code == 2
    assert cli("log", "--csv", "status:failed").out.startswith("id,environment,")


def test_preview_json_is_machine_readable(cli: Run, home: Path, write: Run, answer: Run) -> None:
    file = write("{broken", answer(1), answer(2, userId=None))
    as_json = cli("preview", file, "-e", "development", "--as", "json")
    calls, rest = [], as_json.out
    while rest.strip():
        call, end = json.JSONDecoder().raw_decode(rest)
        calls.append(call)
        rest = rest[end:].lstrip()
    assert len(calls) == 2
    assert f"would be withheld: {file}:1: " in as_json.err
    assert f"would be withheld: {file}:3: " in as_json.err
    curl = cli("preview", file, "-e", "development", "--as", "curl").out
    checked = subprocess.run(["sh", "-n"], input=curl.encode(), capture_output=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, b"")
    assert all(line.startswith(("#", "curl ", "  ")) for line in curl.splitlines() if line)


def test_a_key_refused_by_mistake_is_resumed_by_hand(
    cli: Run, configured: Path, sink: LiveSink, write: Run, answer: Run
) -> None:
    sink.set_faults("401@1")
    file = write(answer(1))
    refused = cli("send", file, "-e", "development")
    assert refused.code == 1
    assert "sprig-tui resume development" in refused.err
    assert cli("journal", "resume", "development").code == 0
    assert "is not held or paused" in cli("journal", "resume", "development").err
    assert "did you mean development" in cli("journal", "resume", "developmnt").err
    sink.set_faults()
    assert cli("send", file, "-e", "development").code == 0


async def test_signals_that_come_together_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with ShutdownSignals() as interrupts:
        loop = asyncio.get_running_loop()
        interrupts._on_signal()
        interrupts._on_signal()
        assert interrupts.requested.is_set()
        assert not interrupts.forced.is_set()
        later = loop.time() + SIGNAL_DEBOUNCE_S + 1
        monkeypatch.setattr(loop, "time", lambda: later)
        interrupts._on_signal()
        monkeypatch.undo()
        assert interrupts.forced.is_set()


def test_misspelt_config_table_is_reported_at_the_start(cli: Run, home: Path, write: Run, answer: Run) -> None:
    home.mkdir()
    (home / "config.toml").write_text('[maping]\nhash = ["properties.email"]\n[other_tool]\nx = 1\n')
    err = cli("send", write(answer(1)), "-e", "development", "--dry-run").err
    assert "maping is unknown" in err
    assert "did you mean mapping?" in err
    assert "other_tool" not in err


def test_empty_input_is_reported(cli: Run, configured: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.json"
    empty.touch()
    for more in ((), ("--dry-run",)):
        done = cli("send", empty, "-e", "development", *more)
        assert done.code == 0
        assert "the input holds no records" in done.err


def test_hints_can_be_typed_as_they_stand(process: Run, home: Path) -> None:
    said = process("keys", "set", "development", stdin=b"Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx\n").err
    assert "sprig-tui keys check development --send-test-event" in said


def test_counting_sink_counts_duplicates_on_request(home: Path) -> None:

    with popen(
        ["sink", "--port", "0", "--count"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as sink:
        assert sink.stderr is not None
        url = sink.stderr.readline().decode().split()[2].rstrip(";")
        event = {"messageId": "sprig-1", "userId": "acct_1", "event": "answered", "type": "track"}
        body = json.dumps({"batch": [event, event]}).encode()
        import httpx

        httpx.post(
            f"{url}/v1/batch",
            content=body,
            auth=("Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx", ""),
            trust_env=False,
            verify=PLAIN,
        )
        sink.terminate()
        assert b"1 request: 1 event taken, 1 duplicate, 0 rejected" in sink.stderr.read()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("sprig-tui log status:fa", ["failed"]),
        ("sprig-tui log env:dev", ["development"]),
        ('sprig-tui log survey:"Checkout effort" st', ["status:"]),
        ("sprig-tui send -e ", ["production", "development"]),
    ],
)
def test_bash_completes_words_with_colons(cli: Run, home: Path, line: str, words: list[str]) -> None:
    import sys

    script = cli("completion", "bash").out.replace("complete -o", "true complete -o")
    program = home.parent / "sprig-tui"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m sprig_tui "$@"\n')
    program.chmod(0o755)
    asked = 'COMP_LINE="$1"; COMP_POINT=${#1}; _sprig_tui_completion "$2" 2>/dev/null; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(
        ["bash", "-c", f"{script}\n{asked}", "bash", line, str(program)],
        capture_output=True,
        check=True,
        env=os.environ,
    )
    assert done.stdout.decode().split() == words


def test_help_of_groups_is_not_cut(cli: Run) -> None:
    for group in ("keys", "journal"):
        assert "..." not in cli(group, "--help").out.partition("Commands:")[2]
    assert "\\b" not in cli("completion", "--help").out


async def test_a_follower_misses_nothing_that_is_added_however_fast(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "MAX_CHANGED_ROWS", 20)
    entries = [
        NewDelivery(environment="development", message_id=f"sprig-{number}", body=b"{}", user_id=f"acct_{number}")
        for number in range(100)
    ]
    async with open_journal(tmp_path / "journal.db") as journal:
        await journal.add(entries[:10])
        follower = await log.LogFollower.start(journal, Query(), "json")
        await journal.add(entries[10:])
        assert await follower.poll()
        assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == list(range(11, 101))
        assert not await follower.poll()
        assert capsys.readouterr().out == ""
