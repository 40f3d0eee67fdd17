"""`setup` without a terminal: the checklist of a real workspace in several states, and its exit code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.workspace_lookalike import DEVELOPMENT_KEY, PRODUCTION_KEY, TOKEN, WorkspaceLookalike, answers

Run = Callable[..., Any]


@pytest.fixture
def configure(home: Path, workspace_api: WorkspaceLookalike) -> Callable[[str], None]:
    """Write a config with a token, and these lines for production."""

    def write(lines: str) -> None:
        home.mkdir(exist_ok=True)
        config = home / "config.toml"
        segment = f'[segment]\npublic_api_token = "{TOKEN}"\nregion = "{workspace_api.url}"\n'
        config.write_text(f'{segment}[environments.production]\nendpoint = "{workspace_api.url}"\n{lines}\n')
        config.chmod(0o600)

    return write


def states(outcome: Any) -> dict[str, str]:
    return {step["step"]: step["state"] for step in outcome.json["environments"][0]["steps"]}


def test_a_swapped_key_is_doubtful_and_exit_code_1(cli: Run, configure: Callable[[str], None]) -> None:
    configure(f'write_key = "{DEVELOPMENT_KEY}"')
    told = cli("setup", "-e", "production")
    assert told.code == 1
    assert "! 1 Source in Segment  doubtful" in told.out
    assert "its name says 'dev'" in told.out
    assert DEVELOPMENT_KEY not in told.out + told.err
    assert states(cli("setup", "-e", "production", "--json"))["source"] == "doubtful"


def test_a_key_that_its_command_does_not_give_is_a_warning_beside_the_checklist(
    cli: Run, configure: Callable[[str], None]
) -> None:
    configure('write_key_command = ["false"]\nwebhook_token_command = ["false"]')
    told = cli("setup", "-e", "production")
    assert told.code == 1
    assert "there is no Write Key" not in told.out
    assert "· the write key cannot be read: command false ended with exit code 1" in told.out
    assert told.err.count("the write key cannot be read: command false") == 1
    assert "· no webhook is accepted: the webhook token cannot be read: command false" in told.out
    assert "7 Going live" in told.out


def test_a_token_without_permission_is_to_be_replaced(
    cli: Run, configure: Callable[[str], None], workspace_api: WorkspaceLookalike
) -> None:
    configure(f'write_key = "{PRODUCTION_KEY}"')
    workspace_api.problems = [answers(403)]
    told = cli("setup", "-e", "production")
    source = told.out.partition("2 Write Key")[0]
    assert "the token may not read this" in source
    assert "next: store another token, one that may do this: sprig-tui keys workspace" in source


def test_a_workspace_out_of_reach_is_exit_code_1_while_something_is_to_do(
    cli: Run, configure: Callable[[str], None], workspace_api: WorkspaceLookalike
) -> None:
    configure(f'write_key = "{PRODUCTION_KEY}"')
    workspace_api.down()
    told = cli("setup", "-e", "production", "--json")
    assert told.code == 1
    assert states(told)["source"] == "unknown"


def test_exit_code_0_once_all_is_done_or_accepted_and_3_while_segment_is_out_of_reach(
    cli: Run,
    configure: Callable[[str], None],
    home: Path,
    tmp_path: Path,
    workspace_api: WorkspaceLookalike,
    write: Callable[..., Path],
    answer: Callable[..., dict[str, Any]],
) -> None:
    configure(f'write_key = "{PRODUCTION_KEY}"')
    assert cli("send", write(answer(1)), "-e", "production", "--yes").code == 0
    told = cli("setup", "-e", "production")
    assert told.code == 1
    assert "production: 1 of 7 steps is left" in told.out
    assert "--accept service,backup,alerts,retention" in told.out
    done = cli("setup", "-e", "production", "--accept", "service,alerts", "--accept", "retention")
    assert (done.code, states(cli("setup", "-e", "production", "--json"))["going-live"]) == (1, "to-do")
    assert 'setup_accepted = ["service", "alerts", "retention"]' in (home / "config.toml").read_text()
    assert cli("journal", "backup", str(tmp_path / "copy.db")).code == 0
    told = cli("setup", "-e", "production")
    assert (told.code, told.out.partition("\n")[0]) == (0, "production: everything is done")
    assert "accepted in the config: nothing has read /metrics" in told.out
    workspace_api.down()
    told = cli("setup", "-e", "production")
    assert told.code == 3
    assert "nothing is to do that can be known from here, 3 steps cannot be known now" in told.out
    assert cli("setup", "-e", "production", "--reopen", "alerts").code == 1


def test_an_unknown_item_is_a_usage_error_and_nothing_is_stored(
    cli: Run, configure: Callable[[str], None], home: Path
) -> None:
    configure("")
    done = cli("setup", "--accept", "alert")
    assert done.code == 2
    assert "did you mean alerts?" in done.err
    assert "setup_accepted" not in (home / "config.toml").read_text()


def test_a_config_that_cannot_be_read_is_exit_code_2(cli: Run, home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("[environments.production\n")
    assert cli("setup").code == 2
