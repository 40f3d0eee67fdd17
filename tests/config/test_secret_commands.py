"""Commands whose output is a secret: real scripts, good and hostile ones. No message holds what they print."""

from __future__ import annotations

import os
import pty
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sprig_tui.config.secret_commands import run_secret_command
from sprig_tui.config.secret_reader import read_reference
from sprig_tui.config.secret_references import SecretReference, parse_entry, parse_reference
from sprig_tui.errors import ConfigError, SecretReadError

KEY = "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx"


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], SecretReference]:
    """Makes a command of a shell script."""

    def make(text: str) -> SecretReference:
        file = tmp_path / "secret.sh"
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o700)
        return SecretReference(command=(str(file),))

    return make


@pytest.mark.parametrize(
    "printed",
    [
        f"echo {KEY}",
        f"printf {KEY}",
        f"printf '{KEY}\\r\\n'",
        f"printf '\\357\\273\\277{KEY}\\r\\n'",
        f"echo {KEY}; echo a word >&2",
        f"cat; echo {KEY}",
    ],
    ids=["newline", "no newline", "crlf", "byte order mark", "stderr", "stdin is closed"],
)
def test_what_a_command_prints_is_the_secret(script: Callable[[str], SecretReference], printed: str) -> None:
    assert read_reference(script(printed), os.environ) == KEY


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"echo {KEY} >&2; exit 3", "ended with exit code 3, and wrote to its error output"),
        (f"echo {KEY}; exit 1", "ended with exit code 1"),
        (f"echo {KEY}; kill -9 $$", "was killed by signal 9"),
        ("true", "gives nothing"),
        ("echo; echo", "gives nothing"),
        (f"echo {KEY}; echo {KEY}", "gives 2 lines"),
        (f"printf '{KEY}\\000x'", "gives bytes that are no text"),
        (f"printf '\\377\\376{KEY}'", "gives bytes that are no text"),
        (f"while echo {KEY}; do :; done", "prints more than 65,536 bytes"),
    ],
)
def test_a_command_that_gives_no_secret_is_told_without_what_it_printed(
    script: Callable[[str], SecretReference], text: str, said: str
) -> None:
    with pytest.raises(SecretReadError) as caught:
        read_reference(script(text), os.environ)
    assert caught.value.message == f"command secret.sh {said}"
    assert caught.value.hint
    assert KEY not in f"{caught.value.message}{caught.value.hint}{caught.value.__cause__}"


def test_a_command_that_is_not_there_or_not_executable_is_told(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no program")
    no_header = tmp_path / "bare"
    no_header.write_bytes(b"\x00\x01")
    no_header.chmod(0o700)
    for file, said in ((tmp_path / "none", "is not there"), (plain, "may not be executed"), (no_header, "be started")):
        with pytest.raises(SecretReadError, match=said) as caught:
            read_reference(SecretReference(command=(str(file), KEY)), os.environ)
        assert KEY not in str(caught.value)


def test_a_command_that_hangs_is_killed_with_its_children(
    script: Callable[[str], SecretReference], tmp_path: Path
) -> None:
    held = tmp_path / "held"
    os.mkfifo(held)
    reader = os.open(held, os.O_RDONLY | os.O_NONBLOCK)
    try:
        command = script(f"sleep 600 >{held} & echo {KEY} >&2; wait")
        with pytest.raises(SecretReadError, match="was not done within 1 s, and was stopped"):
            run_secret_command(command, dict(os.environ), timeout_s=1)
        os.set_blocking(reader, True)
        assert os.read(reader, 1) == b""  # comes when the child, which holds the other end, is gone
    finally:
        os.close(reader)


def test_a_daemon_that_a_command_leaves_behind_does_not_hold_it_up(script: Callable[[str], SecretReference]) -> None:
    command = script(f"(trap '' HUP; exec sleep 5) & echo {KEY}")
    assert run_secret_command(command, dict(os.environ), timeout_s=4).decode().strip() == KEY


def test_a_command_gets_the_environment_without_our_secrets(
    script: Callable[[str], SecretReference],
) -> None:
    environ = {**os.environ, "OP_SERVICE_ACCOUNT_TOKEN": "op", "SPRIG_TUI_SEGMENT_TOKEN": KEY, "PGPASSWORD": KEY}
    command = script('echo "$OP_SERVICE_ACCOUNT_TOKEN-$SPRIG_TUI_SEGMENT_TOKEN-$PGPASSWORD"')
    assert read_reference(command, environ) == "op--"


_ASK = """\
import os, sys
from sprig_tui.config.secret_commands import run_secret_command
from sprig_tui.config.secret_references import SecretReference
answer = run_secret_command(SecretReference(command=(sys.argv[1],)), dict(os.environ), terminal=True)
print("got", answer.decode().strip(), os.tcgetpgrp(0) == os.getpgrp())
"""


def test_a_command_may_ask_at_the_terminal_and_the_keyboard_comes_back(
    script: Callable[[str], SecretReference],
) -> None:
    command = script('printf "code: " >/dev/tty; read code </dev/tty; echo "secret-$code"')
    pid, terminal = pty.fork()
    if not pid:
        os.execv(sys.executable, [sys.executable, "-c", _ASK, command.command[0]])  # noqa: S606 - no shell is wanted
    seen = b""
    try:
        while b"code: " not in seen:
            seen += os.read(terminal, 1000)
        os.write(terminal, b"123456\n")
        while b"got " not in seen or not seen.endswith(b"\n"):
            seen += os.read(terminal, 1000)
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)
    assert b"got secret-123456 True" in seen


@pytest.mark.parametrize("command", [[], [" "], ["a\0b"], ["x"] * 65, ["x" * 4097]])
def test_a_command_that_cannot_be_one_is_an_error_that_names_the_key(command: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"c\.toml: environments\.production\.write_key_command"):
        parse_reference(command, None, "c.toml: environments.production.write_key")


@pytest.mark.parametrize("entry", ["production", "/production", "sprig-tui/", "a\0/b"])
def test_an_entry_without_service_or_user_is_an_error(entry: str) -> None:
    with pytest.raises(ConfigError, match="write_key_keyring is no entry of a keyring"):
        parse_reference(None, entry, "write_key")


@given(st.text(max_size=30))
def test_an_entry_is_kept_as_it_was_written(text: str) -> None:
    try:
        entry = parse_entry(text, "write_key_keyring")
    except ConfigError:
        assert not all(part.strip() for part in text.partition("/")) or "\0" in text
    else:
        assert entry.entry == text
        assert "/" not in entry.service


def test_a_reference_shows_no_argument() -> None:
    reference = parse_reference(["/usr/bin/op", "read", KEY], "a/b", "write_key")
    assert reference is not None
    assert (reference.label, KEY in repr(reference)) == ("command op", False)
