"""`pull` from Sprig's fake API to the fake Segment: what arrives, what is told, and which exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.fake_sprig_api import FakeSprigApi
from support.forked import popen
from support.live_sink import LiveSink
from support.sprig_samples import response

Run = Callable[..., Any]
START = 1_772_355_600_000
HOUR = 3_600_000


@pytest.fixture
def pulling(configured: Path, sprig_api: FakeSprigApi, sprig_api_key: str) -> Path:
    """Both environments with keys of both sides; only development's is known to the fake Segment."""
    config = configured / "config.toml"
    text = config.read_text().replace(
        "[environments.development]\n", f'[environments.development]\nsprig_api_key = "{sprig_api_key}"\n'
    )
    config.write_text(f'{text}[sprig]\napi_url = "{sprig_api.url}"\n')
    return configured


def test_new_answers_arrive_with_the_names_of_their_surveys(
    cli: Run, pulling: Path, sprig_api: FakeSprigApi, sink: LiveSink
) -> None:
    sprig_api.hold(response(n) for n in range(1_200))
    done = cli("pull", "--json")
    assert done.code == 0, done.err
    assert (done.json["records"], done.json["delivered"], done.json["known"]) == (1_201, 1_200, 1)
    (pull,) = done.json["pulls"]
    assert (pull["environment"], pull["pages"], pull["surveys"], pull["finished"]) == ("development", 2, 3, True)
    assert pull["read_up_to"] == "2026-03-01T09:19:59.000Z"
    events = {event["userId"]: event["properties"] for event in sink.sink.events}
    assert len(events) == 1_200
    assert events["acct_1"]["surveyName"] == "Study 5121"
    assert events["acct_1"]["createdAt"] == "2026-02-07T09:00:00.000Z"
    assert events["acct_1"]["email"] == "acct_1@example.com"
    assert "1,201 records on 2 pages, created up to 2026-03-01 09:19 UTC; 3 surveys known" in done.err
    row = cli("log", "user:acct_1", "--json").rows[0]
    assert (row["source"], row["survey_name"]) == ("api", "Study 5121")


def test_pull_skips_responses_already_read(cli: Run, pulling: Path, sprig_api: FakeSprigApi, sink: LiveSink) -> None:
    sprig_api.hold([*(response(n) for n in range(5)), response(5, externalUserId=None)])
    assert cli("pull").code == 1
    requests = sink.sink.stats.requests
    done = cli("pull", "--json")
    assert done.code == 0, done.err
    assert (done.json["records"], done.json["known"], done.json["delivered"], done.json["withheld"]) == (6, 6, 0, 0)
    assert "nothing new" in done.err
    assert sink.sink.stats.requests == requests
    sprig_api.product.responses.append(response(6))
    assert cli("pull", "--json").json["delivered"] == 1


def test_pulling_removed_answers_again_sends_nothing(
    cli: Run, pulling: Path, sprig_api: FakeSprigApi, sink: LiveSink
) -> None:
    sprig_api.hold(response(n) for n in range(5))
    assert cli("pull", "--json").json["delivered"] == 5
    assert cli("journal", "prune", "--older-than", "0s", "--yes", "--json").json["by_state"] == {"delivered": 5}
    done = cli("pull", "--since", "3650d", "--json")
    assert done.code == 0, done.err
    assert (done.json["records"], done.json["known"], done.json["delivered"]) == (5, 5, 0)
    assert sink.sink.stats.events == 5


def test_a_webhook_and_a_pull_of_the_same_answer_meet(
    cli: Run, pulling: Path, sprig_api: FakeSprigApi, sink: LiveSink, write: Run
) -> None:
    record = response(1)
    webhook = {
        "eventType": "ANSWER_SUBMITTED",
        "createdAt": record["createdAt"],
        "surveyId": record["surveyId"],
        "responseGroupUid": record["responseGroupUid"],
        "question": record["questionText"],
        "questionType": record["questionType"],
        "response": record["response"],
        "userId": record["externalUserId"],
    }
    assert cli("send", write(webhook), "-e", "development").code == 0
    sprig_api.hold([record])
    assert cli("pull", "--json").json["known"] == 1
    assert len(sink.sink.events) == 1


def test_the_config_knows_surveys_better(cli: Run, pulling: Path, sprig_api: FakeSprigApi, sink: LiveSink) -> None:
    with (pulling / "config.toml").open("a") as config:
        config.write('[surveys.5121]\nname = "Ours"\n')
    sprig_api.hold([response(1)])
    assert cli("pull").code == 0
    (event,) = sink.sink.events
    assert event["properties"]["surveyName"] == "Ours"
    assert event["properties"]["createdAt"] == "2026-02-07T09:00:00.000Z"


def test_the_catalogue_serves_send_and_preview_too(
    cli: Run, pulling: Path, sprig_api: FakeSprigApi, write: Run, answer: Run
) -> None:
    sprig_api.hold([response(1)])
    assert cli("pull").code == 0
    file = write(answer(9, surveyId=5121, surveyName=None))
    shown = cli("preview", file, "-e", "development").out
    assert "Study 5121" in shown
    assert "catalogue" in shown


def test_a_dry_run_leaves_no_trace(cli: Run, pulling: Path, sprig_api: FakeSprigApi, sink: LiveSink) -> None:
    sprig_api.hold([*(response(n) for n in range(5)), response(5, externalUserId="")])
    before = sorted(str(file) for file in pulling.rglob("*"))
    done = cli("pull", "--dry-run", "--json")
    assert done.code == 1
    assert (done.json["queued"], done.json["reasons"]) == (5, {"anonymous": 1})
    assert done.json["environments"] == {"development": 5}
    assert sorted(str(file) for file in pulling.rglob("*")) == before
    assert sink.sink.stats.requests == 0
    assert "nothing was stored or sent" in done.err


def test_pull_no_wait_only_stores(cli: Run, pulling: Path, sprig_api: FakeSprigApi, sink: LiveSink) -> None:
    sprig_api.hold([response(1)])
    done = cli("pull", "--no-wait", "--json")
    assert (done.code, done.json["queued"]) == (0, 1)
    assert sink.sink.stats.requests == 0


def test_a_new_version_is_found_by_since_and_withheld(
    cli: Run, pulling: Path, sprig_api: FakeSprigApi, sink: LiveSink
) -> None:
    sprig_api.hold([response(10)])
    assert cli("pull").code == 0
    sprig_api.hold([response(10, response=2, updatedAt="2026-03-02T09:00:00.000Z")])
    assert cli("pull", "--since", "2026-03-01", "--json").json["reasons"] == {"newer-revision": 1}
    assert len(sink.sink.events) == 1


def test_deleted_ones_are_withheld(cli: Run, pulling: Path, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold([response(1, deletedAt="2026-03-02T09:00:00.000Z")])
    assert cli("pull", "--json").json["records"] == 0
    assert cli("pull", "--with-deleted", "--json").json["reasons"] == {"deleted-in-sprig": 1}


def test_a_page_that_is_none_is_withheld_and_exit_one(
    cli: Run, pulling: Path, sprig_api: FakeSprigApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sprig_tui.delivery.retry.INITIAL_RETRY_BACKOFF_MS", 1)
    sprig_api.hold([response(1)])
    sprig_api.trouble(body=b"<html>", times=3, where=lambda asked: asked.path == "/v1/responses")
    done = cli("pull", "--json")
    assert done.code == 1
    assert done.json["reasons"] == {"invalid": 1}
    assert "HTML" in done.json["pulls"][0]["error"]
    assert cli("log", "reason:invalid", "--json").rows[0]["source"] == "api"
    assert cli("pull").code == 0


def test_a_refused_key_is_two_and_never_shown(cli: Run, pulling: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPRIG_TUI_SPRIG_API_KEY_DEVELOPMENT", "spk_wrong_but_long_enough")
    done = cli("pull")
    assert done.code == 2
    assert "development: key refused" in done.err
    assert "spk_wrong_but_long_enough" not in done.err


def test_pull_of_an_unreachable_api_exits_3(cli: Run, pulling: Path) -> None:
    done = cli("pull", "--api-url", "http://127.0.0.1:9", "--give-up-after", "0.2s")
    assert done.code == 3
    assert "gives no answer: connection refused" in done.err
    assert "resumes where this one stopped" in done.err


def test_trouble_of_one_environment_does_not_keep_the_other_waiting(
    cli: Run, pulling: Path, sprig_api: FakeSprigApi, sink: LiveSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPRIG_TUI_SPRIG_API_KEY_PRODUCTION", "spk_of_nobody_00000001")
    sprig_api.hold([response(1)])
    done = cli("pull", "--yes", "--json")
    assert done.code == 2
    assert [pull["finished"] for pull in done.json["pulls"]] == [False, True]
    assert len(sink.sink.events) == 1


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("-e", "production"), "production has no key of Sprig's API"),
        (("-e", "staging"), "no environment is called 'staging'"),
        (("--since", "yesterdayish"), "cannot read 'yesterdayish' as a time"),
        (("--since", "2026-03-02", "--until", "2026-03-01"), "--since is not before --until"),
        (("--every", "1s"), "--every is 10s at least"),
        (("--every", "5m", "--dry-run"), "goes neither with"),
        (("--survey", "abc"), "abc"),
        (("--api-url", "http://sprig.example"), "would send the api key readable"),
    ],
)
def test_pull_with_contradictory_options_exits_2(cli: Run, pulling: Path, argv: tuple[str, ...], said: str) -> None:
    done = cli("pull", *argv)
    assert done.code == 2
    assert said in done.err


def test_a_protected_environment_is_named_in_scripts(
    cli: Run, pulling: Path, sprig_api: FakeSprigApi, monkeypatch: pytest.MonkeyPatch, sprig_api_key: str
) -> None:
    monkeypatch.setenv("SPRIG_TUI_SPRIG_API_KEY_PRODUCTION", sprig_api_key)
    done = cli("pull")
    assert done.code == 2
    assert "production is protected" in done.err
    assert sprig_api.requests == []
    sprig_api.hold([response(1)])
    assert cli("pull", "-e", "production").code == 0


def test_windows_of_the_command_line_are_epoch_milliseconds(cli: Run, pulling: Path, sprig_api: FakeSprigApi) -> None:
    sprig_api.hold(response(n, START + n * HOUR) for n in range(20))
    argv = ("--since", "2026-03-01T10:00+00:00", "--until", "2026-03-01T12:00+00:00", "--survey", "5121")
    assert cli("pull", *argv, "--without-snapshots", "--json").json["records"] == 1
    query = sprig_api.asked()[0].query
    assert query == {"limit": "1000", "sid": "5121", "start": str(START + HOUR), "end": str(START + 3 * HOUR)}


def test_every_so_often_until_stopped(pulling: Path, sprig_api: FakeSprigApi, sink: LiveSink) -> None:
    sprig_api.hold([response(1)])
    process = popen(
        ["pull", "--every", "10s", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert (first["records"], first["known"]) == (1, 0)
        sink.wait_until(lambda found: found.accepted == 1)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, err.decode()
    assert "stopped; the next pull resumes where this one was" in err.decode()


def test_ctrl_c_in_the_middle_keeps_the_position(
    pulling: Path, sprig_api: FakeSprigApi, sink: LiveSink, cli: Run
) -> None:
    sprig_api.hold(response(n) for n in range(2_500))
    sprig_api.trouble(how="hang", where=lambda asked: "cursor" in asked.query)
    process = popen(["pull"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        sink.wait_until(lambda found: found.accepted == 1_000)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert "resumes where it stopped" in err.decode()
    done = cli("pull", "--json")
    assert done.json["pulls"][0]["resumed"]
    assert len({event["messageId"] for event in sink.sink.events}) == 2_500
