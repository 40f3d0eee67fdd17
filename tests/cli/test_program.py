"""The program as a whole: help, exit codes, stdout kept for data, no traceback ever."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.forked import popen

from sprig_tui.cli import program as program_module
from sprig_tui.cli.ending import DEBUG_VARIABLE
from sprig_tui.cli.program import COMMANDS

Run = Callable[..., Any]


def test_help_lists_every_command_without_importing_one(cli: Run) -> None:
    done = cli("--help")
    assert done.code == 0
    assert all(f"\n  {name}" in done.out for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(cli: Run, name: str) -> None:
    done = cli(name, "--help")
    assert done.code == 0
    assert done.out.startswith(f"Usage: sprig-tui {name}")


def test_version(cli: Run) -> None:
    assert cli("--version").out.startswith("sprig-tui 0.")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["sned"], "there is no command 'sned'; did you mean send?"),
        (["send"], "name the files to send"),
        (["preview"], "FILE... is missing"),
        (["send", "--nope", "x"], "has no option --nope"),
        (["send", "x.json", "--retry-window", "soon"], "not a duration"),
        (["send", "x.json", "--endpoint", "mars"], "neither a region"),
        (["send", "x.json", "-e", "prodution"], "no environment is called 'prodution'"),
        (["send", "there-is-none.json", "-e", "development"], "there is no file there-is-none.json"),
        (["send", "-", "-", "-e", "development"], "can be read once only"),
        (["log", "status:fialed"], "cannot be 'fialed'"),
        (["log", "foo:bar"], "there is no field foo:"),
        (["log", "--detail", "7"], "there is no delivery 7"),
        (["replay"], "name what to replay"),
        (["replay", "--id", "9"], "there is no delivery 9"),
        (["run"], "no environment has a write key"),
        (["sink", "--fault", "nonsense"], "fault rule"),
        (["keys", "set", "Not A Name"], "cannot name an environment"),
    ],
)
def test_usage_and_config_errors_are_two_with_one_line_and_a_hint(cli: Run, argv: list[str], said: str) -> None:
    done = cli(*argv)
    assert done.code == 2
    assert done.out == ""
    assert said in done.err
    assert "Traceback" not in done.err


def test_console_without_terminal_names_other_commands(process: Run) -> None:
    done = process()
    assert (done.code, done.out) == (2, "")
    assert "needs a terminal" in done.err


def test_a_broken_config_is_named_by_every_command_that_needs_it(cli: Run, home: Path) -> None:
    home.mkdir()
    (home / "config.toml").write_text("[environments.production]\nwrite_kye = 1\n")
    done = cli("keys", "list")
    assert done.code == 2
    assert "environments.production.write_kye" in done.err
    assert "did you mean write_key?" in done.err


def test_a_fault_of_ours_is_a_sentence_and_debug_shows_where(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "nowhere", "")
    done = cli("nowhere")
    assert done.code == 2
    assert "unexpected fault: ModuleNotFoundError" in done.err
    assert "Traceback" not in done.err
    monkeypatch.setenv(DEBUG_VARIABLE, "1")
    assert "Traceback" in cli("nowhere").err


def test_ctrl_c_is_130(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(program_module.importlib, "import_module", interrupt)
    assert cli("paths").code == 130


INTERRUPTED_AT_ITS_START = """
import os, signal, sys
import sprig_tui.cli.garbage as garbage
garbage.pause = lambda: os.kill(os.getpid(), signal.SIGINT)
from sprig_tui.cli import main
main()
"""


@pytest.mark.parametrize("argv", [(), ("paths",)])
def test_ctrl_c_while_it_loads_is_130(home: Path, argv: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_AT_ITS_START, *argv], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.strip() == "interrupted"


def test_colour_is_chosen_before_or_after_the_command(cli: Run, home: Path) -> None:
    assert "\x1b[" in cli("doctor", "--offline", "--color", "always").out
    assert "\x1b[" in cli("--color", "always", "doctor", "--offline").out
    assert "\x1b[" not in cli("doctor", "--offline").out


@pytest.mark.parametrize("environ", [{"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"}])
def test_a_terminal_without_unicode_breaks_nothing(
    process: Run, write: Run, answer: Run, environ: dict[str, str]
) -> None:
    file = write(answer(1, response="とても良い 👍", questionType="OPEN"))
    for arguments in (("preview", file, "-e", "development"), ("preview", file, "-e", "development", "--json")):
        done = process(*arguments, **environ)
        assert done.code == 0, done.err
    assert done.json["track"]["properties"]["response"] == "とても良い 👍"


def test_a_reader_that_leaves_early_is_no_fault(home: Path, write: Run, answer: Run) -> None:
    file = write(*(answer(number) for number in range(500)))
    preview = popen(
        ["preview", str(file), "-e", "development"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ),
    )
    assert preview.stdout is not None
    assert preview.stderr is not None
    preview.stdout.readline()
    preview.stdout.close()
    error = preview.stderr.read()
    preview.stderr.close()
    assert preview.wait(30) == 0
    assert b"Traceback" not in error
    assert b"BrokenPipe" not in error


def test_paths_follow_the_home(cli: Run, home: Path) -> None:
    found = cli("paths", "--json").json
    assert found["config"] == str(home / "config.toml")
    assert not home.exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(cli: Run, shell: str) -> None:
    done = cli("completion", shell)
    assert done.code == 0
    assert "_SPRIG_TUI_COMPLETE" in done.out
    assert "%(" not in done.out


@pytest.mark.parametrize(
    ("line", "word", "expected"),
    [
        ("sprig-tui pre", 1, "preview"),
        ("sprig-tui send -e prod", 3, "production"),
        ("sprig-tui log st", 2, "status:"),
        ("sprig-tui log status:fa", 2, "status:failed"),
        ("sprig-tui log env:dev", 2, "env:development"),
        ("sprig-tui send --endpoint e", 3, "eu"),
    ],
)
def test_completion_knows_environments_and_filter_words(process: Run, line: str, word: int, expected: str) -> None:
    done = process(_SPRIG_TUI_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(word))
    assert expected in done.out


def test_a_file_is_for_the_console(cli: Run, tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl").write_text("{}\n")
    done = cli("--read-only", str(tmp_path / "answers.jsonl"))
    assert done.code == 2
    assert "the console needs a terminal" in done.err


@pytest.mark.parametrize("files", [6, 9])
def test_too_few_file_descriptors_are_a_sentence(home: Path, write: Run, answer: Run, files: int) -> None:
    script = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({files}, {files}));"
        "from sprig_tui.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "send", str(write(answer(1))), "-e", "development", "--no-wait"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=dict(os.environ),
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert "too many files are open at once" in done.stderr
    assert "ulimit -n" in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_a_usual_limit_of_64_is_enough(home: Path, write: Run, answer: Run) -> None:
    script = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)); from sprig_tui.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "send", str(write(answer(1))), "-e", "development", "--no-wait"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=dict(os.environ),
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", ["word " * 1_000, f"id:{'1' * 30_000}", f"env:{','.join(['a'] * 1_000)}"])
def test_a_filter_of_a_thousand_words_is_a_filter_error(cli: Run, text: str) -> None:
    done = cli("log", *text.split())
    assert (done.code, done.out) == (2, "")
    assert "at most" in done.err


def test_which_environment_is_asked_in_a_sentence(cli: Run, write: Run, answer: Run) -> None:
    done = cli("send", write(answer(1)))
    assert done.err == "error: which environment? the first answer names none\n  add -e development\n"
    other = cli("send", write(answer(1, environment_id="env-9", environment="staging")))
    assert "this record names environment staging, and there is none of that name" in other.err
