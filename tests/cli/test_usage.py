"""Mistakes on the command line: each is named with its next step, and no proposal sends, deletes or consents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import click
import pytest

from sprig_tui.cli.program import COMMANDS, program
from sprig_tui.cli.usage import HARMLESS_FLAGS, find_secrets, nearest_option
from sprig_tui.reasons import reason_label
from sprig_tui.segment.outcome import error_sentence

KEY = "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx"
Run = Callable[..., Any]

DANGEROUS = {
    "--all",
    "--as-new",
    "--force",
    "--generate",
    "--new",
    "--not-protected",
    "--remove",
    "--restart",
    "--send-test-event",
    "--whole",
    "--yes",
}
"""Flags that send, delete, replace or consent."""


def _commands(found: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, found
    if isinstance(found, click.Group):
        ctx = click.Context(found)
        for name in found.list_commands(ctx):
            inner = found.get_command(ctx, name)
            assert inner is not None
            yield from _commands(inner, (*path, name))


ALL = dict(_commands(program))


def _options(command: click.Command) -> dict[str, click.Option]:
    params = command.get_params(click.Context(command))
    options = (param for param in params if isinstance(param, click.Option))
    return {name: one for one in options for name in (*one.opts, *one.secondary_opts) if name.startswith("--")}


def _one_edit(name: str) -> set[str]:
    """Everything that one slip of a finger makes of an option; of other letters two stand for all."""
    word = name[2:]
    cuts = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    left_out = {a + b[1:] for a, b in cuts if b}
    swapped = {a + b[1] + b[0] + b[2:] for a, b in cuts if len(b) > 1}
    other = {a + letter + b[1:] for a, b in cuts if b for letter in "ex_"}
    added = {a + letter + b for a, b in cuts for letter in "es-"}
    return {f"--{made}" for made in (left_out | swapped | other | added) if made}


def test_harmless_and_dangerous_options_are_disjoint() -> None:
    known = {name for command in ALL.values() for name in _options(command)}
    assert not HARMLESS_FLAGS & DANGEROUS
    assert known >= HARMLESS_FLAGS
    assert known > {"--yes", "--force", "--all", "--as-new"}


def test_misspelt_option_never_suggests_a_dangerous_one() -> None:
    proposed = set()
    for command in ALL.values():
        options = _options(command)
        for name in options:
            for typed in _one_edit(name) - options.keys():
                near = nearest_option(typed, command.params)
                if near:
                    proposed.add(near)
                    assert near not in DANGEROUS, (command.name, typed)
                    assert near in HARMLESS_FLAGS or not options[near].is_flag, (command.name, typed)
    assert {"--environment", "--json", "--dry-run", "--endpoint"} <= proposed


@pytest.mark.parametrize("typed", ["--yse", "--ye", "--forec", "--al", "--as-nwe", "--als", "--as"])
def test_a_misspelt_consent_is_an_error_without_a_proposal(cli: Run, typed: str) -> None:
    for command in ("send x.json", "replay status:failed", "keys set production", "journal prune --older-than 1d"):
        done = cli(*command.split(), typed)
        assert (done.code, done.out) == (2, "")
        assert f"has no option {typed}" in done.err
        assert "did you mean" not in done.err


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_every_command_answers_an_unknown_option_in_two_lines(cli: Run, path: tuple[str, ...]) -> None:
    done = cli(*path, "--no-such-thing")
    assert (done.code, done.out) == (2, "")
    assert "has no option --no-such-thing" in done.err
    assert len(done.err.splitlines()) == 2


@pytest.mark.parametrize("path", [path for path, one in ALL.items() if path and isinstance(one, click.Group)])
def test_a_bare_group_lists_its_commands_line_by_line(cli: Run, path: tuple[str, ...]) -> None:
    done = cli(*path)
    assert (done.code, done.out) == (2, "")
    assert "⏎" not in done.err
    assert done.err.startswith(f"Usage: sprig-tui {' '.join(path)}")
    lines = [line.split()[0] for line in done.err.splitlines() if line.startswith("  ")]
    for name in ALL:
        assert name[:-1] != path or name[-1] in lines


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_bare_commands_and_unknown_arguments_show_no_control_pictures(cli: Run, path: tuple[str, ...]) -> None:
    """Only where click itself refuses: nothing runs."""
    required = any(param.required for param in ALL[path].params)
    words = () if required and not isinstance(ALL[path], click.Group) else ("--nope",)
    done = cli(*path, *words)
    assert done.code == 2
    assert not set(done.err) & set("⏎⇥␛␀")


@pytest.mark.parametrize(
    ("line", "said", "hint"),
    [
        ("completion", "name one of bash, zsh or fish", "completion --help"),
        ("completion fsh", "'fsh' is not one of 'bash', 'zsh', 'fish'", ""),
        ("nosuch.json", "there is no file nosuch.json", "check the path"),
        ("folder/nosuch", "there is no file folder/nosuch", "check the path"),
        ("status:failed", "there is no command 'status:failed'", "sprig-tui log status:failed"),
        ("hepl", "there is no command 'hepl'; did you mean help?", "sprig-tui --help"),
        ("keys lst", "sprig-tui keys has no command 'lst'; did you mean list?", "keys --help"),
        ("journal inf", "did you mean info?", ""),
        ("send --environmnt development f", "did you mean --environment?", "send --help"),
        ("log --detial 3", "did you mean --detail?", ""),
        ("status --foo", "sprig-tui status has no option --foo\n", ""),
        ("--json log", "sprig-tui has no option --json", "behind its name"),
        ("keys set --env production", "has no option --env", "keys set production"),
        ("send -yes f", "-yes has one dash", ""),
        ("send -env development f", "-env has one dash", ""),
        ("sink --port abc", "--port: 'abc' is not a whole number from 0 to 65,535", ""),
        ("sink --port 99999", "--port: '99999' is not a whole number from 0 to 65,535", ""),
        ("doctor --timeout nan", "--timeout: 'nan' is not a number above 0, 120 at most", ""),
        ("log --detail 0", "--detail: '0' is not a whole number of 1 or more", ""),
        ("send -e", "-e needs a value (ENV) behind it", "send --help"),
        ("send f --json=3", "--json takes no value", ""),
        ("doctor foo", "sprig-tui doctor takes no such argument: 'foo'", "doctor --help"),
        ("journal prune", "--older-than is needed", "prune --help"),
    ],
)
def test_a_mistake_is_named_with_its_next_step(cli: Run, line: str, said: str, hint: str) -> None:
    done = cli(*line.split())
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert hint in done.err
    assert len(done.err.splitlines()) == 2


@pytest.mark.parametrize("command", ["send", "preview"])
@pytest.mark.parametrize("option", ["-e", "--env", "--environment"])
def test_an_environment_has_three_spellings(cli: Run, command: str, option: str) -> None:
    done = cli(command, "nosuch.json", option, "development")
    assert "there is no file nosuch.json" in done.err


@pytest.mark.parametrize("path", [("log",), ("replay",), ("pull",)])
def test_filters_and_pulls_take_them_too(cli: Run, path: tuple[str, ...]) -> None:
    assert {"-e", "--env", "--environment"} <= {
        name for one in ALL[path].params if isinstance(one, click.Option) for name in one.opts
    }
    assert "no environment is called 'nowhere'" in cli("pull", "--env", "nowhere").err


@pytest.mark.parametrize("line", ["{}", "keys set {}", "keys check {}", "send {}", "preview -e {} x", "keys {}"])
def test_a_key_typed_as_a_word_is_not_repeated(cli: Run, line: str) -> None:
    done = cli(*line.format(KEY).split())
    assert done.code == 2
    assert KEY not in done.out + done.err
    assert "looks like a key" in done.err


def test_ordinary_words_are_no_keys() -> None:
    words = ["sprig-tui-test-0123456789abcdef0123456789abcdef", "a" * 32, "0" * 32, "user:acct_1", "sgp_", ""]
    assert find_secrets(words) == []
    assert find_secrets([KEY, f"--write-key={KEY}", "sgp_abcdefgh1234"]) == [KEY, KEY, "sgp_abcdefgh1234"]


def test_commands_are_proposed_by_likeness_alone(cli: Run) -> None:
    assert "did you mean send?" in cli("sned").err
    assert all(f"{name}" in cli("zzzz").err for name in COMMANDS)


def test_replay_reports_unsendable_and_new_deliveries(cli: Run, configured: object, write: Run, answer: Run) -> None:
    answers = [answer(number, userId=None) for number in range(3)]
    assert cli("send", write(*answers, answer(9)), "-e", "development", "--no-wait").code == 1
    counted = cli("replay", "status:withheld", "--dry-run")
    assert "3 are withheld (no User ID) and can be sent only after a repair" in counted.err
    done = cli("replay", "status:withheld", "--yes")
    assert (
        "0 queued again, 3 left as they are (withheld for good, queued already, without content, or sent as another)"
        in done.err
    )
    assert "can be sent only after a repair" not in cli("replay", "user:acct_9", "--dry-run").err


def test_segment_error_codes_become_sentences() -> None:
    assert error_sentence("invalid_json") == "Segment could not read the request as JSON (invalid_json)"
    assert error_sentence("http 418") == "http 418"
    assert [reason_label(reason) for reason in ("anonymous", "invalid", "of-tomorrow")] == [
        "no User ID",
        "invalid",
        "of-tomorrow",
    ]


@pytest.mark.parametrize("verb", ["listen", "run"])
def test_give_up_after_is_hidden_but_accepted_by_endless_commands(cli, configured, verb):
    assert "--give-up-after" not in cli(verb, "--help").out
    assert cli(verb, "--give-up-after", "5s", "--print-unit").code == 0
    assert "--give-up-after" in cli("send", "--help").out
