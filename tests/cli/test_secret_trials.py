"""Trials of secrets against the look-alikes: the region of a token, and one that is rejected."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.workspace_lookalike import TOKEN, WorkspaceLookalike

from sprig_tui.config.secrets import PUBLIC_API_URLS

Run = Callable[..., Any]
UNKNOWN = "sgp_anInventedTokenThatIsNotKnown"


@pytest.fixture
def europe(workspace_api: WorkspaceLookalike, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A workspace in Europe; the one in the US, `workspace_api`, does not know its token."""
    workspace_api.workspace.tokens.clear()
    with WorkspaceLookalike() as eu:
        monkeypatch.setitem(PUBLIC_API_URLS, "us", workspace_api.url)
        monkeypatch.setitem(PUBLIC_API_URLS, "eu", eu.url)
        yield eu


def stored(home: Path) -> dict[str, Any]:
    file = home / "config.toml"
    return tomllib.loads(file.read_text()).get("segment", {}) if file.exists() else {}


def test_token_that_the_us_reject_is_tried_in_europe(
    cli: Run, home: Path, europe: WorkspaceLookalike, workspace_api: WorkspaceLookalike, typed: Run
) -> None:
    typed(TOKEN)
    done = cli("keys", "workspace")
    assert done.code == 0, done.err
    assert "it is a token of the workspace Acme" in done.err
    assert stored(home) == {"public_api_token": TOKEN, "region": "eu"}
    assert cli("doctor", "--json").json["checks"][-1]["name"] in ("workspace", "source")
    assert workspace_api.asked, "the US were asked first"
    assert cli("status", "--json").json["token_rejected_at"] is None, "a trial is no use of the stored token"


@pytest.mark.parametrize(
    ("argv", "secret", "asks_europe"),
    [((), UNKNOWN, True), (("--region", "us"), TOKEN, False)],
)
def test_token_that_is_rejected_is_not_stored(
    cli: Run,
    home: Path,
    europe: WorkspaceLookalike,
    typed: Run,
    argv: tuple[str, ...],
    secret: str,
    *,
    asks_europe: bool,
) -> None:
    typed(secret)
    done = cli("keys", "workspace", *argv)
    assert done.code == 2
    assert "(401)" in done.err
    assert stored(home) == {}
    assert bool(europe.asked) is asks_europe
