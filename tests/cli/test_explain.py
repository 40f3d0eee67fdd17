"""`explain`: one delivery, line by line, with an exit code that a script can act on."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.explained_workspace import EVENT, PROFILE_TOKEN, SPACE, TOKEN, ExplainedWorkspace
from support.live_sink import LiveSink

from sprig_tui.cli import output
from sprig_tui.cli.text_wrap import text_width

Run = Callable[..., Any]


@pytest.fixture
def workspace() -> Iterator[ExplainedWorkspace]:
    with ExplainedWorkspace() as found:
        yield found


@pytest.fixture
def delivered(cli: Run, configured: Path, workspace: ExplainedWorkspace, write: Run, answer: Run) -> Path:
    """Two delivered answers and one without a user; and the tokens of the workspace."""
    config = configured / "config.toml"
    config.write_text(
        f'{config.read_text()}[segment]\npublic_api_token = "{TOKEN}"\nregion = "{workspace.url}"\n'
        f'profile_space = "{SPACE}"\nprofile_token = "{PROFILE_TOKEN}"\n'
    )
    assert cli("send", write(answer(1), answer(2), answer(9, userId=None)), "-e", "production", "--yes").code == 1
    return configured


def test_each_line_ends_in_its_answer_with_evidence_source_and_time(
    process: Run, delivered: Path, sink: LiveSink, workspace: ExplainedWorkspace
) -> None:
    done = process("explain", "1")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].startswith("1  production  Checkout effort  acct_1")
    assert "✓ Segment's Tracking API took it: yes" in lines
    assert any(line.startswith(f"    200 from {sink.url} (journal, ") for line in lines)
    assert "✓ the key that is set now belongs to a source of the workspace: yes" in lines
    assert "? the source Acme production kept what came in that hour: cannot be known" in lines
    answers = [line[0] for line in lines if line[:2] in {"✓ ", "? "}]
    assert lines[-1] == f"nothing says no; {answers.count('?')} of {len(answers)} cannot be known"
    assert TOKEN not in done.out + done.err
    assert PROFILE_TOKEN not in done.out + done.err


def test_a_message_id_or_its_beginning_names_a_delivery(cli: Run, delivered: Path) -> None:
    first, second = (row["message_id"] for row in cli("log", "status:delivered", "--json").rows)
    common = next(size for size in range(1, 99) if first[:size] != second[:size])
    for word, number in ((first, 1), (second, 2), (first[:common], 1)):
        rows = cli("explain", word, "--json").rows
        assert {row["delivery"] for row in rows} == {number}
    done = cli("explain", first[: common - 1])
    assert (done.code, done.out) == (2, "")
    assert "several deliveries begin with" in done.err
    assert "name one by its number: 1, 2" in done.err


def test_json_has_one_object_a_line(cli: Run, delivered: Path, workspace: ExplainedWorkspace) -> None:
    workspace.source["enabled"] = False
    done = cli("explain", "1", "--json")
    assert done.code == 1
    row = next(row for row in done.rows if row["answer"] == "no")
    assert (row["check"], row["subject"], row["source"]) == (
        "source-enabled",
        "Acme production",
        "Segment's Public API",
    )
    assert row["question"] == "the source Acme production is enabled"
    assert row["at"].endswith("Z")
    assert row["obstacle"] is None


def test_a_withheld_delivery_says_no_first(cli: Run, delivered: Path) -> None:
    done = cli("explain", "3")
    assert done.code == 1
    assert "✗ Segment's Tracking API took it: no" in done.out
    assert "withheld, anonymous" in done.out
    assert done.out.splitlines()[-1].startswith("answered no: Segment's Tracking API took it; ")


def test_the_payload_leaves_only_on_request(cli: Run, delivered: Path, workspace: ExplainedWorkspace) -> None:
    workspace.filters = [{"id": "f1", "title": "t", "if": "all", "actions": [{"type": "DROP"}], "enabled": True}]
    workspace.drops = {"all"}
    done = cli("explain", "1")
    assert done.code == 0
    assert "not asked, because Segment would have to get the payload" in done.out
    assert workspace.previewed == []
    done = cli("explain", "1", "--send-payload")
    assert done.code == 1
    assert "this payload is sent to Segment's Public API" in done.err
    assert "✗ the filters of Amplitude let it pass: no" in done.out
    [sent] = workspace.previewed
    assert sent["payload"]["userId"] == "acct_1"


def test_without_a_token_the_first_lines_stand(cli: Run, configured: Path, write: Run, answer: Run) -> None:
    assert cli("send", write(answer(1)), "-e", "production", "--yes").code == 0
    done = cli("explain", "1")
    assert done.code == 0
    assert "✓ Segment's Tracking API took it: yes" in done.out
    assert done.out.count("needs a token of Segment's Public API: sprig-tui keys workspace") == 1
    assert "needs a Unify space" in done.out


def test_an_unreachable_workspace_is_three_unless_something_says_no(
    cli: Run, delivered: Path, workspace: ExplainedWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.down()
    monkeypatch.setattr("sprig_tui.segment.api_transport._MIN_BACKOFF_S", 0.0)
    done = cli("explain", "1")
    assert done.code == 3
    assert "✓ Segment's Tracking API took it: yes" in done.out
    assert "no answer from 127.0.0.1" in done.out
    assert cli("explain", "3").code == 1


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ((), "name a delivery"),
        (("--send-payload",), "name a delivery"),
        (("77",), "there is no delivery 77"),
        (("sprig-0000",), "there is no delivery sprig-0000"),
        (("",), "there is no delivery"),
        (("--refresh-plan", "--send-payload"), "--send-payload needs the ID of a delivery"),
    ],
)
def test_what_names_no_delivery_is_a_usage_error(cli: Run, configured: Path, argv: tuple[str, ...], said: str) -> None:
    done = cli("explain", *argv)
    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_hostile_names_of_the_workspace_do_not_reach_the_terminal(
    cli: Run, delivered: Path, workspace: ExplainedWorkspace
) -> None:
    workspace.destinations[0]["name"] = "Ampli\x1b[31m\ntude\u202e"
    workspace.source["name"] = "Acme production\x1b]0;owned\x07"
    out = cli("explain", "1").out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "Ampli␛[31m tude⟨U+202E⟩ is enabled: yes" in out


def test_the_plan_is_refreshed_for_every_environment(cli: Run, delivered: Path, workspace: ExplainedWorkspace) -> None:
    done = cli("explain", "--refresh-plan")
    assert done.code == 0, done.err
    assert f"production: the tracking plan of Acme production has {EVENT!r}" in done.out
    assert "development: its key belongs to no source of the workspace" in done.out
    file = delivered / "state" / "tracking_plans.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert json.loads(file.read_text())["plans"]["production"]["plan"]["plan_id"] == "tp1"
    workspace.failures["rules"] = 401
    done = cli("explain", "--refresh-plan", "--json")
    assert done.code == 1
    assert done.rows[0]["error"]
    workspace.plan_id = None
    done = cli("explain", "--refresh-plan")
    assert "production: Acme production has no tracking plan" in done.out


def test_refreshing_without_a_token_is_a_config_error(cli: Run, configured: Path) -> None:
    done = cli("explain", "--refresh-plan")
    assert done.code == 2
    assert "sprig-tui keys workspace" in done.err


@pytest.mark.parametrize("width", [40, 80])
def test_lines_fit_the_width_of_a_terminal(
    cli: Run, delivered: Path, workspace: ExplainedWorkspace, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    workspace.destinations[0]["name"] = "日本語" * 20
    workspace.subscriptions[0]["trigger"] = 'type = "identify" and ' * 30 + "x = 1"
    monkeypatch.setattr(output, "terminal_columns", lambda: width)
    done = cli("explain", "1")
    assert done.code == 1
    assert [line for line in done.out.splitlines() if text_width(line) > width] == []
    assert done.out.endswith("\n")


# -- the tracking plan before sending ---------------------------------------------------------------------------------

BREAKS = {"properties": {"properties": {"required": ["email", "plan"], "properties": {"response": {"type": "string"}}}}}


@pytest.fixture
def planned(cli: Run, delivered: Path, workspace: ExplainedWorkspace) -> Path:
    """A stored plan that every answer breaks; the workspace is gone since."""
    workspace.rules[0]["jsonSchema"] = BREAKS
    assert cli("explain", "--refresh-plan").code == 0
    workspace.down()
    return delivered


def test_preview_marks_fields_that_break_the_stored_plan(cli: Run, planned: Path, write: Run, answer: Run) -> None:
    file = write(answer(5))
    done = cli("preview", file, "-e", "production")
    assert done.code == 0
    rows = {line.split()[1]: line for line in done.out.splitlines() if line.startswith("✗")}
    assert rows["properties.response"].endswith("tracking plan: not a string")
    assert "tracking plan: missing; the plan requires it" in rows["properties.email"]
    assert "tracking plan: missing; the plan requires it" in rows["properties.plan"]
    assert "3 fields break it, the source would drop the call" in done.out
    row = cli("preview", file, "-e", "production", "--json").json
    assert row["tracking_plan"]["blocked"]
    assert [found["path"] for found in row["tracking_plan"]["violations"]] == [
        "properties.email",
        "properties.plan",
        "properties.response",
    ]
    assert "tracking_plan" not in cli("preview", file, "-e", "development", "--json").json


def test_a_dry_run_counts_the_fields_that_break_the_stored_plan(
    cli: Run, planned: Path, write: Run, answer: Run
) -> None:
    file = write(answer(5), answer(6, response="good"), answer(7, userId=None))
    done = cli("send", file, "-e", "production", "--dry-run", "--json")
    assert "2 of 2 break it, and the source would drop 2" in done.err
    assert "properties.response: not a string  (1)" in done.err
    assert done.json["tracking_plan"]["violations"] == {
        "properties.email: missing; the plan requires it": 2,
        "properties.plan: missing; the plan requires it": 2,
        "properties.response: not a string": 1,
    }
    assert done.json["tracking_plan"]["would_be_dropped"] == 2


def test_sending_is_not_checked_by_the_plan_and_without_a_token_nothing_is(
    cli: Run, planned: Path, write: Run, answer: Run
) -> None:
    done = cli("send", write(answer(5)), "-e", "production", "--yes", "--json")
    assert (done.code, "tracking" in done.out + done.err) == (0, False)
    config = planned / "config.toml"
    config.write_text(config.read_text().replace("public_api_token", "profile_space = 'x'\n#"))
    config.write_text(config.read_text().replace(f'\nprofile_space = "{SPACE}"', ""))
    done = cli("preview", write(answer(5)), "-e", "production", "--json")
    assert "tracking_plan" not in done.json
    assert "tracking plan" not in cli("send", write(answer(5)), "-e", "production", "--dry-run").err


def test_a_damaged_plan_is_a_warning_and_the_preview_goes_on(cli: Run, planned: Path, write: Run, answer: Run) -> None:
    (planned / "state" / "tracking_plans.json").write_text("{")
    done = cli("preview", write(answer(5)), "-e", "production")
    assert done.code == 0
    assert "calls are not checked by the tracking plan" in done.err
    assert "--refresh-plan" in done.err
