"""Keys under a name nobody has yet, keys that are another's already, and keys broken over two lines."""

from __future__ import annotations

import io
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

KEY = "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx"
OTHER = "k2bbbbbbCCCCdddd2222EEEEffff2Sky"
TOKEN = "a-webhook-token-of-production-0001"
Run = Callable[..., Any]

VERBS = (("keys", "set"), ("keys", "token"))


@pytest.fixture
def piped(cli: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command line in this process with something on its standard input."""

    def call(*argv: str, stdin: bytes = b"", **environ: str) -> Any:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8"))
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        done = cli(*argv)
        for name in environ:
            monkeypatch.delenv(name)
        return done

    return call


def stored(home: Path) -> dict[str, Any]:
    file = home / "config.toml"
    found: dict[str, Any] = tomllib.loads(file.read_text()).get("environments", {}) if file.exists() else {}
    return found


@pytest.mark.parametrize("verb", [*VERBS, ("keys", "sprig")], ids=" ".join)
@pytest.mark.parametrize("name", ["prod", "dev", "prodution", "Production"])
def test_a_name_near_a_known_one_makes_nothing_in_a_script(
    piped: Run, home: Path, verb: tuple[str, ...], name: str
) -> None:
    done = piped(*verb, name, stdin=KEY.encode())
    assert (done.code, done.out) == (2, "")
    assert f"there is no environment '{name}'; did you mean " in done.err
    assert ("add --new" in done.err) == name.islower(), "which is only said of what can be a name"
    assert ("name it as production is spelt" in done.err) == (name == "Production")
    assert stored(home) == {}


@pytest.mark.parametrize(
    "what", [("keys", "set"), ("keys", "sprig"), ("keys", "token"), ("keys", "workspace")], ids=" ".join
)
def test_empty_standard_input_names_the_expected_secret(piped: Run, home: Path, what: tuple[str, ...]) -> None:
    done = piped(*what, *(() if what[1] == "workspace" else ("production",)), stdin=b" \n")
    assert done.code == 2
    expected = {"set": "write key of production", "sprig": "key of Sprig's API", "token": "webhook token of production"}
    assert "standard input is empty: the " in done.err
    assert expected.get(what[1], "token of Segment's Public API") in done.err


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_new_option_confirms_a_similar_name(piped: Run, home: Path, verb: tuple[str, ...]) -> None:
    done = piped(*verb, "prod", "--new", stdin=KEY.encode())
    assert done.code == 0, done.err
    assert list(stored(home)) == ["prod"]
    assert "prod is a new environment" in done.err
    assert "prod is not protected" in done.err
    again = piped(*verb, "prod", "--yes" if verb[1] == "token" else "--new", stdin=KEY.encode())
    assert again.code == 0, again.err
    assert "new environment" not in again.err


def test_distinct_new_environment_name_is_accepted(piped: Run, home: Path) -> None:
    done = piped("keys", "set", "staging-eu", stdin=KEY.encode())
    assert done.code == 0
    assert "staging-eu is a new environment" in done.err
    assert "staging-eu is not protected" in done.err
    protected = piped("keys", "set", "staging-us", "--protected", stdin=OTHER.encode())
    assert "not protected" not in protected.err


@pytest.mark.parametrize(
    ("answers", "made"), [(("y",), "production"), (("n", "y"), "prod"), (("", ""), None), (("n", "n"), None)]
)
def test_at_a_terminal_it_is_asked_before_the_key(
    terminal: Run, home: Path, answers: tuple[str, ...], made: str | None
) -> None:
    at = terminal("keys", "set", "prod")
    for question, answer in zip(("did you mean production? [y/N] ", "called prod? [y/N] "), answers, strict=False):
        at.says(question)
        at.types(f"{answer}\n")
    if made is not None:
        at.says(f"write key of {made} (not shown): ")
        at.types(f"{KEY}\n")
    assert at.ends() == (2 if made is None else 0)
    assert list(stored(home)) == ([] if made is None else [made])


def test_a_key_that_is_anothers_is_called_so_before_it_is_stored(piped: Run, configured: Path) -> None:
    before = (configured / "config.toml").read_bytes()
    for name, other, key in (("development", "production", KEY), ("production", "development", OTHER)):
        done = piped("keys", "set", name, stdin=key.encode())
        assert done.code == 2
        assert f"this is the write key of {other}" in done.err
        assert "--force" in done.err
        assert (configured / "config.toml").read_bytes() == before
    assert piped("keys", "set", "development", "--force", stdin=KEY.encode()).code == 0
    assert stored(configured)["development"]["write_key"] == KEY


def test_reused_write_key_is_confirmed_at_a_terminal(terminal: Run, configured: Path) -> None:
    before = (configured / "config.toml").read_bytes()
    at = terminal("keys", "set", "development")
    at.says("(not shown): ")
    at.types(f"{KEY}\n")
    at.says("store it anyway? [y/N] ")
    assert "this is the write key of production" in at.seen
    assert (configured / "config.toml").read_bytes() == before
    at.types("\n")
    assert at.ends() == 2
    assert (configured / "config.toml").read_bytes() == before


def test_secret_of_another_kind_is_refused(piped: Run, configured: Path) -> None:
    assert piped("keys", "token", "production", stdin=TOKEN.encode()).code == 0
    as_key = piped("keys", "set", "development", stdin=TOKEN.encode())
    assert "this is the webhook token of production, not a write key" in as_key.err
    as_token = piped("keys", "token", "development", stdin=KEY.encode())
    assert as_token.code == 2
    assert "this is the write key of production, not a webhook token" in as_token.err
    assert "webhook_token" not in stored(configured)["development"]
    as_own = piped("keys", "workspace", stdin=KEY.encode())
    assert "this is the write key of production, not a token of Segment's Public API" in as_own.err


def test_a_key_that_a_variable_holds_is_known_too(piped: Run, home: Path) -> None:
    done = piped("keys", "set", "development", stdin=KEY.encode(), SPRIG_TUI_WRITE_KEY_PRODUCTION=KEY)
    assert done.code == 2
    assert "this is the write key of production" in done.err


@pytest.mark.parametrize("broken", [f"{KEY[:20]}\n{KEY[20:]}\n", f'write_key = "{KEY[:9]}\r\n  {KEY[9:]}"\r\n'])
def test_a_key_broken_over_two_lines_is_put_together(piped: Run, home: Path, broken: str) -> None:
    done = piped("keys", "set", "development", stdin=broken.encode())
    assert done.code == 0, done.err
    assert "a line break inside the key was taken out" in done.err
    assert stored(home)["development"]["write_key"] == KEY


def test_pasted_parts_that_make_no_write_key_are_refused(piped: Run, home: Path) -> None:
    done = piped("keys", "set", "development", stdin=f"{KEY}\n{OTHER}\n".encode())
    assert done.code == 2
    assert "there are 2 lines, 64 characters together; a write key has 32 on one line" in done.err
    assert stored(home) == {}
    token = piped("keys", "token", "development", stdin=b"half-of-a-token\nand-the-other-half\n")
    assert "there are several lines; a token has one" in token.err
    assert stored(home) == {}


def test_a_variable_may_hold_one_too(piped: Run, home: Path) -> None:
    done = piped("keys", "list", "--json", SPRIG_TUI_WRITE_KEY_DEVELOPMENT=f"{KEY[:20]}\n{KEY[20:]}")
    assert done.json["environments"][1]["key"] == f"{KEY[:4]}…{KEY[-4:]}"
    file = home / "config.toml"
    home.mkdir()
    file.write_text(f'[environments.development]\nwrite_key = """{KEY[:20]}\n{KEY[20:]}"""\n')
    assert piped("keys", "list", "--json").json["environments"][1]["key"] == f"{KEY[:4]}…{KEY[-4:]}"


@pytest.mark.parametrize("paste", [f"{KEY[:20]}\n{KEY[20:]}\n", f"{KEY[:20]}\r{KEY[20:]}\r"])
def test_pasted_at_the_prompt_no_line_is_lost(terminal: Run, home: Path, paste: str) -> None:
    at = terminal("keys", "set", "development")
    at.says("(not shown): ")
    at.types(paste)
    assert at.ends() == 0
    assert KEY[20:] not in at.seen
    assert stored(home)["development"]["write_key"] == KEY


def test_a_paste_without_a_last_line_break_waits_for_enter(terminal: Run, home: Path) -> None:
    at = terminal("keys", "set", "development")
    at.says("(not shown): ")
    at.types(f"{KEY[:20]}\n{KEY[20:]}x\x7f")
    at.types("\n")
    assert at.ends() == 0
    assert stored(home)["development"]["write_key"] == KEY


@pytest.mark.parametrize(("keys", "code"), [("\x04", 2), ("\n", 2), (f"junk\x15{KEY}\n", 0)])
def test_editing_and_giving_up_work_unseen(terminal: Run, home: Path, keys: str, code: int) -> None:
    at = terminal("keys", "set", "development")
    at.says("(not shown): ")
    at.types(keys)
    assert at.ends() == code
    assert KEY not in at.seen
    assert bool(stored(home)) is (code == 0)


@pytest.mark.parametrize("text", ["abc", "aaa", "x1", "1234567"])
def test_too_few_characters_are_called_so_and_nothing_else(piped: Run, home: Path, text: str) -> None:
    done = piped("keys", "set", "development", stdin=text.encode())
    assert done.code == 2
    assert f"{len(text)} characters are too few for a write key, which has 32" in done.err
    assert "placeholder" not in done.err
