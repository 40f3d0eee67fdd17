"""What doctor, keys list and commands that go on for long make of Sprig's API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.fake_sprig_api import FakeSprigApi

from sprig_tui.cli.context import open_settings
from sprig_tui.cli.reload import reload_on_change
from sprig_tui.cli.run_options import RunOptions
from sprig_tui.config.paths import find_paths
from sprig_tui.config.settings import Settings
from sprig_tui.config.surveys import EnvironmentSurveys, surveys_file, write_surveys_file
from sprig_tui.mapping.records import Survey

Run = Callable[..., Any]


@pytest.fixture
def with_key(configured: Path, sprig_api: FakeSprigApi, sprig_api_key: str) -> Path:
    config = configured / "config.toml"
    text = config.read_text().replace(
        "[environments.development]\n", f'[environments.development]\nsprig_api_key = "{sprig_api_key}"\n'
    )
    config.write_text(f'{text}[sprig]\napi_url = "{sprig_api.url}"\n')
    return configured


def sprig_check(cli: Run) -> dict[str, str]:
    (found,) = [check for check in cli("doctor", "--json").json["checks"] if check["name"] == "sprig"]
    return found


def test_doctor_tries_the_key(cli: Run, with_key: Path, sprig_api: FakeSprigApi, sprig_api_key: str) -> None:
    found = sprig_check(cli)
    assert found["level"] == "ok"
    assert sprig_api_key not in found["message"]
    sprig_api.trouble(status=503)
    assert sprig_check(cli)["level"] == "warning"
    sprig_api.products.clear()
    found = sprig_check(cli)
    assert (found["level"], found["hint"]) == ("fault", "sprig-tui keys sprig development")
    assert cli("doctor").code == 1


def test_doctor_offline_makes_no_request(cli: Run, with_key: Path, sprig_api: FakeSprigApi) -> None:
    cli("doctor", "--offline")
    assert sprig_api.requests == []


def test_the_list_of_keys_shows_its_ends(cli: Run, with_key: Path, sprig_api_key: str) -> None:
    done = cli("keys", "list", "--json")
    rows = {row["name"]: row["sprig_api_key"] for row in done.json["environments"]}
    assert rows == {"production": None, "development": "spk_…0001"}
    people = cli("keys", "list").out
    assert "sprig api spk_…0001" in people
    assert sprig_api_key not in people + done.out


async def test_a_catalogue_that_a_pull_renewed_is_taken_up(
    with_key: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sprig_tui.cli.reload.RELOAD_INTERVAL_S", 0.01)
    heard: asyncio.Queue[Settings] = asyncio.Queue()
    keeping = asyncio.ensure_future(reload_on_change(None, open_settings(quiet=True), RunOptions(), heard.put_nowait))
    try:
        file = surveys_file(find_paths(), "development")
        for name in ("Checkout effort", "Renamed"):
            write_surveys_file(file, EnvironmentSurveys(surveys={"5120": Survey(name=name)}))
            async with asyncio.timeout(10):
                assert (await heard.get()).rules.surveys["5120"].name == name
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
    assert heard.empty()
    assert "the config changed" not in capsys.readouterr().err
