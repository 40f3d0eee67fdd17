"""`send` and `preview` against the fake Segment: what arrives, what is told, and which exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.forked import popen
from support.live_sink import LiveSink

Run = Callable[..., Any]


def test_send_of_delivered_answers_exits_0_with_one_json_object(
    cli: Run, configured: Path, sink: LiveSink, write: Run, answer: Run
) -> None:
    file = write(*(answer(number) for number in range(30)))
    done = cli("send", file, "-e", "development", "--json")
    assert done.code == 0, done.err
    assert done.json == {
        "records": 30,
        "new": 30,
        "known": 0,
        "delivered": 30,
        "failed": 0,
        "withheld": 0,
        "queued": 0,
        "reasons": {},
        "queued_before": {"delivered": 0, "failed": 0, "withheld": 0, "queued": 0},
        "doubtful_user_ids": 0,
        "interrupted": False,
        "standstills": [],
    }
    assert {event["userId"] for event in sink.sink.events} == {f"acct_{number}" for number in range(30)}
    assert "30 records: 30 delivered" in done.err


def test_the_same_file_again_sends_nothing(cli: Run, configured: Path, sink: LiveSink, write: Run, answer: Run) -> None:
    file = write(answer(1), answer(2))
    assert cli("send", file, "-e", "development").code == 0
    requests = sink.sink.stats.requests
    done = cli("send", file, "-e", "development", "--json")
    assert (done.code, done.json["known"], done.json["delivered"]) == (0, 2, 0)
    assert sink.sink.stats.requests == requests


def test_withheld_ones_are_named_with_file_and_line(cli: Run, configured: Path, write: Run, answer: Run) -> None:
    file = write(answer(1), *(answer(number, userId=None) for number in range(2, 10)), '{"broken')
    done = cli("send", file, "-e", "development", "--json")
    assert done.code == 1
    assert done.json["reasons"] == {"anonymous": 8, "invalid": 1}
    assert f"{file}:2" in done.err
    assert "and more: sprig-tui log status:withheld" in done.err
    assert "1 delivered, 9 withheld (anonymous 8, invalid 1)" in done.err


def test_send_names_answers_that_segment_refuses(
    cli: Run, configured: Path, sink: LiveSink, write: Run, answer: Run
) -> None:
    sink.set_faults("400~acct_2")
    done = cli("send", write(*(answer(n) for n in range(5))), "-e", "development", "--json")
    assert done.code == 1
    assert (done.json["delivered"], done.json["failed"]) == (4, 1)
    assert "answers.jsonl:3" in done.err


def test_an_endpoint_that_is_not_there_is_three_and_all_stays_queued(
    cli: Run, configured: Path, sink: LiveSink, write: Run, answer: Run
) -> None:
    file = write(answer(1))
    sink.down()
    done = cli("send", file, "-e", "development", "--give-up-after", "0.2s", "--json")
    assert done.code == 3
    assert done.json["queued"] == 1
    assert done.json["standstills"][0]["why"] == "unreachable"
    assert "connection refused" in done.err
    sink.up()
    assert cli("send", file, "-e", "development").code == 0


def test_rejected_key_pauses_the_lane_and_is_reported(
    cli: Run, configured: Path, sink: LiveSink, write: Run, answer: Run
) -> None:
    sink.set_faults("401")
    done = cli("send", write(answer(1)), "-e", "development", "--json")
    assert done.code == 1
    assert done.json["queued"] == 1
    assert "paused" in done.err
    assert "k2bbbbbbCCCC" not in done.err


def test_terms_of_the_run_go_before_the_config(
    cli: Run, configured: Path, sink: LiveSink, write: Run, answer: Run
) -> None:
    config = configured / "config.toml"
    config.write_text(config.read_text().replace(sink.url, "http://127.0.0.1:9"))
    sink.set_faults("500@1-3")
    file = write(answer(1))
    terms = ["--endpoint", sink.url, "--max-retries", 1, "--retry-window", "0", "--timeout", 5]
    done = cli("send", file, "-e", "development", *terms, "--requests-per-second", 1000, "--json")
    assert done.code == 1
    assert done.json["failed"] == 1
    assert sink.sink.stats.requests == 2


def test_send_leaves_the_queue_of_other_environments(
    cli: Run, configured: Path, sink: LiveSink, write: Run, answer: Run
) -> None:
    assert cli("send", write(answer(1)), "-e", "production", "--no-wait").code == 0
    assert cli("send", write(answer(2)), "-e", "development").code == 0
    assert [event["userId"] for event in sink.sink.events] == ["acct_2"]


def test_records_that_name_their_environment_find_it(
    cli: Run, configured: Path, sink: LiveSink, write: Run, answer: Run
) -> None:
    done = cli("send", write(answer(1, environment="development"), answer(2, environment="development")))
    assert done.code == 0, done.err
    assert len(sink.sink.events) == 2


def test_send_without_an_environment_stores_nothing(cli: Run, configured: Path, write: Run, answer: Run) -> None:
    done = cli("send", write("{not json", answer(1), answer(2)))
    assert done.code == 2
    assert "-e development" in done.err
    assert not (configured / "journal.db").exists()


def test_send_without_a_write_key_stores_nothing(cli: Run, home: Path, write: Run, answer: Run) -> None:
    done = cli("send", write(answer(1)), "-e", "development")
    assert done.code == 2
    assert "sprig-tui keys set development" in done.err
    assert not (home / "journal.db").exists()
    assert cli("send", write(answer(1)), "-e", "development", "--no-wait").code == 0


def test_dry_run_touches_nothing(cli: Run, home: Path, write: Run, answer: Run) -> None:
    done = cli("send", write(answer(1), answer(2, userId=None)), "-e", "production", "--dry-run", "--json")
    assert done.code == 1
    assert (done.json["queued"], done.json["withheld"], done.json["environments"]) == (1, 1, {"production": 1})
    assert not home.exists()


def test_a_protected_environment_needs_to_be_named(
    cli: Run, configured: Path, sink: LiveSink, write: Run, answer: Run
) -> None:
    named = write(answer(1, environment="production"), answer(2, environment="production"))
    done = cli("send", named)
    assert done.code == 2
    assert "name it with -e production, or add --yes" in done.err
    assert not (configured / "journal.db").exists()
    assert cli("send", named, "--yes").code == 0
    assert cli("send", write(answer(3), answer(4)), "-e", "production").code == 0
    one = write(answer(5, environment="production"), name="one.jsonl")
    assert cli("send", one).code == 2, "one answer is asked about too"
    assert len(sink.sink.events) == 4
    assert cli("send", one, "-e", "production").code == 0
    assert len(sink.sink.events) == 5


def test_standard_input(process: Run, configured: Path, sink: LiveSink) -> None:
    done = process("send", "-", "-e", "development", "--json", "--force", stdin=b'{"broken')
    assert (done.code, done.json["withheld"]) == (1, 1)
    done = process("send", "-", "-e", "development", "--json", stdin=b"")
    assert (done.code, done.json["records"]) == (0, 0)


def test_a_key_from_a_variable_never_reaches_the_journal_or_the_output(
    cli: Run, configured: Path, sink: LiveSink, write: Run, answer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "s3cr3ts3cr3ts3cr3ts3cr3ts3cr3t32"
    monkeypatch.setenv("SPRIG_TUI_WRITE_KEY_DEVELOPMENT", secret)
    done = cli("send", write(answer(1)), "-e", "development")
    assert done.code == 0
    assert secret not in done.out + done.err
    assert all(secret.encode() not in file.read_bytes() for file in configured.iterdir() if file.is_file())
    assert list(sink.sink.stats.keys) == ["s3cr…3t32"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_in_good_order_and_nothing_is_lost(
    cli: Run, configured: Path, sink: LiveSink, write: Run, answer: Run, number: signal.Signals
) -> None:
    sink.set_faults("503@2-")
    file = write(*(answer(n) for n in range(50)))
    assert cli("send", write(answer(99), name="first.jsonl"), "-e", "development").code == 0
    sending = popen(
        ["send", str(file), "-e", "development", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ),
    )
    sink.wait_until(lambda stats: stats.requests >= 3)
    sending.send_signal(number)
    out, err = sending.communicate(timeout=60)
    assert sending.returncode == 130
    assert b'"interrupted":true' in out
    assert b"nothing is lost" in err
    assert b"Traceback" not in err
    sink.set_faults()
    assert cli("send", file, "-e", "development").code == 0
    assert len(sink.sink.events) == 51


def test_a_second_signal_stops_at_once(configured: Path, sink: LiveSink, write: Run, answer: Run) -> None:
    sink.set_faults("hang")
    sending = popen(
        ["send", str(write(answer(1))), "-e", "development"],
        stderr=subprocess.PIPE,
        env=dict(os.environ),
    )
    sink.wait_until(lambda stats: stats.requests >= 1)
    assert sending.stderr is not None
    sending.send_signal(signal.SIGINT)
    while b"again to stop at once" not in sending.stderr.readline():
        assert sending.poll() is None
    sending.send_signal(signal.SIGINT)
    _, err = sending.communicate(timeout=60)
    assert sending.returncode == 130
    assert b"1 queued" in err


def test_preview_names_the_target_environment(cli: Run, home: Path, write: Run, answer: Run) -> None:
    done = cli("preview", write(answer(1)), "-e", "production")
    assert done.code == 0
    assert "✓ userId" in done.out
    assert "would be sent to production (https://api.segment.io)" in done.out
    assert not home.exists()
    assert cli("preview", write(answer(1, userId="")), "-e", "production").code == 1


def test_preview_json_is_one_object_per_record(cli: Run, home: Path, write: Run, answer: Run) -> None:
    done = cli("preview", write(answer(1), "{bad"), "-e", "production", "--json")
    assert done.code == 1
    first, second = done.rows
    assert first["track"]["messageId"].startswith("sprig-")
    assert [field["path"] for field in first["fields"]][:3] == ["userId", "event", "type"]
    assert (second["withheld"], second["track"]) == ("invalid", None)


def test_preview_as_json_is_the_call_itself(cli: Run, home: Path, write: Run, answer: Run) -> None:
    assert cli("preview", write(answer(1)), "-e", "production", "--as", "json").json["userId"] == "acct_1"


def test_curl_really_sends_it_and_the_key_is_the_shells(
    cli: Run, home: Path, sink: LiveSink, write: Run, answer: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir()
    (home / "config.toml").write_text(f'[environments.development]\nendpoint = "{sink.url}"\n')
    nasty = 'it\'s $HOME `id` "x" \\ \x1b[31m\nй 👍'
    done = cli("preview", write(answer(1, response=nasty)), "-e", "development", "--as", "curl")
    command = done.out.partition("\n")[2]
    assert command.isprintable() or "\x1b" not in command
    monkeypatch.setenv("SEGMENT_WRITE_KEY", "k" * 30 + "ab")
    ran = subprocess.run(["sh", "-c", command], capture_output=True, check=False)
    if ran.returncode == 127:
        pytest.skip("curl is not installed")
    assert ran.returncode == 0, ran.stderr
    assert sink.sink.events[0]["properties"]["response"] == nasty


def test_hostile_text_never_reaches_the_terminal_raw(cli: Run, home: Path, write: Run, answer: Run) -> None:
    hostile = "\x1b]0;owned\x07\x9b31m\u202eevil\r\nnext"
    file = write(answer(1, response=hostile, surveyName=hostile, userId=hostile, question=hostile))
    for arguments in (["--as", "fields"], ["--as", "json"], ["--as", "curl"], ["--json"]):
        done = cli("preview", file, "-e", "production", *arguments)
        shown = done.out + done.err
        assert not any(character in shown for character in "\x1b\x07\x9b\u202e\r")
    done = cli("send", file, "-e", "production", "--no-wait")
    done_log = cli("log")
    assert not any(character in done.err + done_log.out for character in "\x1b\x07\x9b\u202e\r")
    assert len(done_log.out.splitlines()) == 1


def test_the_numbers_of_a_file_with_repeats_add_up(
    cli: Run, configured: Path, sink: LiveSink, write: Run, answer: Run
) -> None:
    first = cli("send", write(answer(1), answer(2), answer(1)), "-e", "development")
    assert "3 records, 1 of them a repeat: 2 delivered\n" in first.err
    again = cli("send", write(answer(1), answer(2), answer(1), answer(3)), "-e", "development")
    assert "4 records, 3 of them known from before: 1 delivered\n" in again.err


def test_placeholder_user_ids_are_counted(configured, cli, write, answer):
    file = write(*(answer(number, userId=user) for number, user in enumerate(["null", "acct_1", "#REF!", None])))
    dry = cli("send", file, "-e", "development", "--dry-run", "--json")
    assert dry.json["doubtful_user_ids"] == 2
    done = cli("send", file, "-e", "development", "--json")
    assert done.json["doubtful_user_ids"] == 2
    assert "2 of 4 have a User ID that stands for nobody, such as null or N/A" in done.err


def test_a_file_that_is_none_of_answers(configured, cli, process, tmp_path):
    file = tmp_path / "README.md"
    file.write_text("# Words\n\nMore of them.\n" * 30)
    for words in (
        ("send", file, "-e", "development"),
        ("send", "--dry-run", tmp_path / "README.md"),
        ("preview", file),
    ):
        done = cli(*words)
        assert done.code == 2
        assert "README.md is not a file of answers: none of its first 20 records is one of Sprig's" in done.err
    piped = process("send", "-", "-e", "development", stdin=file.read_bytes())
    assert (piped.code, "stdin is not a file of answers" in piped.err) == (2, True)
    assert cli("log", "--json").rows == []
    assert cli("send", file, "-e", "development", "--force").code == 1
    assert {row["reason"] for row in cli("log", "--json").rows} == {"invalid"}


def test_the_help_of_preview_shows_a_record_that_preview_takes(configured, cli, write):
    text = cli("preview", "--help").out
    file = write(json.dumps(json.loads(text[text.index("{") : text.rindex("}") + 1])))
    assert cli("preview", file, "-e", "development").code == 0
