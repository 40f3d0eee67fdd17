"""Extras: what needs one that is not installed says what it is for and how to install it."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from sprig_tui.cli.program import run
from sprig_tui.extras import EXTRAS, KEYRING, OAUTH, POSTGRES, SERVE, Extra, install_hint

ROOT = Path(__file__).parents[1]
DATABASE = "postgresql://worker@127.0.0.1:1/sprig"
MODULES = {
    POSTGRES: ("asyncpg",),
    KEYRING: ("keyring",),
    OAUTH: ("jwt", "cryptography"),
    SERVE: ("textual_serve", "websockets"),
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home in which nothing optional is installed."""
    ours = {name: module for name, module in sys.modules.items() if name.startswith("sprig_tui.journal.postgres")}
    for name in ours:
        del sys.modules[name]
    for modules in MODULES.values():
        for name in modules:
            monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setenv("SPRIG_TUI_HOME", str(tmp_path))
    monkeypatch.delenv("SPRIG_TUI_JOURNAL_URL", raising=False)
    yield tmp_path
    sys.modules.update(ours)


def _assert_names(extra: Extra, said: str) -> None:
    words = " ".join(said.split())
    assert f"{extra.purpose} needs the package" in words
    assert all(package in words for package in extra.package.split())
    assert f"install it: pip install 'sprig-tui[{extra.name}]'" in words
    assert "bug" not in words


@pytest.mark.parametrize(
    "argv",
    [
        ["journal", "migrate", DATABASE],
        ["journal", "copy", "journal.db", DATABASE],
        ["journal", "info"],
        ["status"],
        ["doctor", "--offline"],
        ["send", str(ROOT / "sample_payloads" / "flat.jsonl"), "-e", "development", "--yes"],
    ],
    ids=lambda argv: " ".join(argv[:2]),
)
def test_journal_on_postgresql(
    argv: list[str], home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / "journal.db").touch()
    (home / "config.toml").write_text(
        f'[environments.development]\nwrite_key = "{"k" * 32}"\n[journal]\nurl = "{DATABASE}"\n', encoding="utf-8"
    )
    (home / "config.toml").chmod(0o600)
    monkeypatch.chdir(home)
    assert run(argv) in (1, 2)
    captured = capsys.readouterr()
    _assert_names(POSTGRES, captured.out + captured.err)


def test_keyring(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["keys", "token", "production", "--generate", "--keyring"]) == 2
    _assert_names(KEYRING, capsys.readouterr().err)


def test_oauth_of_the_fake_segment(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "public.pem").touch()
    assert run(["sink", "--port", "0", "--oauth", str(home / "public.pem")]) == 2
    _assert_names(OAUTH, capsys.readouterr().err)


def test_console_in_a_browser(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["serve"]) == 2
    _assert_names(SERVE, capsys.readouterr().err)


def test_hint_is_the_command_of_what_installed_the_program(tmp_path: Path) -> None:
    assert install_hint(POSTGRES, tmp_path) == "install it: pip install 'sprig-tui[postgres]'"
    (tmp_path / "uv-receipt.toml").touch()
    assert install_hint(POSTGRES, tmp_path) == "install it: uv tool install 'sprig-tui[postgres]'"
    (tmp_path / "uv-receipt.toml").unlink()
    (tmp_path / "pipx_metadata.json").touch()
    assert install_hint(OAUTH, tmp_path) == "install it: pipx inject sprig-tui 'pyjwt[crypto]'"
    assert install_hint(SERVE, tmp_path) == "install it: pipx inject sprig-tui 'textual-serve' 'websockets'"


def test_the_topic_on_operating_lists_each_extra_with_its_package() -> None:
    topic = (ROOT / "sprig_tui" / "docs" / "operating.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z]+)` \| `([^`]+)` \|", topic.partition("## A systemd service")[0], re.MULTILINE)
    assert rows == [(extra.name, extra.package) for extra in EXTRAS]


def test_every_extra_of_the_package_is_listed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = project["optional-dependencies"]
    assert set(optional) - {"test", "release"} == {extra.name for extra in EXTRAS}
    for extra in EXTRAS:
        assert [needed.partition(">=")[0] for needed in optional[extra.name]] == extra.package.split()
