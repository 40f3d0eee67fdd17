"""`keys sprig`: a key of Sprig's API is tried before it is stored, and never shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.fake_sprig_api import FakeSprigApi

Run = Callable[..., Any]


@pytest.fixture
def pulling(configured: Path, sprig_api: FakeSprigApi, sprig_api_key: str) -> Path:
    """Both environments with keys of both sides; only development's is known to the fake Segment."""
    config = configured / "config.toml"
    text = config.read_text().replace(
        "[environments.development]\n", f'[environments.development]\nsprig_api_key = "{sprig_api_key}"\n'
    )
    config.write_text(f'{text}[sprig]\napi_url = "{sprig_api.url}"\n')
    return configured


def keys_sprig(process: Run, text: str, *argv: str) -> Any:
    return process("keys", "sprig", *argv, stdin=text.encode())


def test_a_key_is_tried_and_stored(process: Run, pulling: Path, sprig_api: FakeSprigApi, sprig_api_key: str) -> None:
    sprig_api.products["spk_of_production_0001"] = type(sprig_api.product)()
    done = keys_sprig(process, "Bearer spk_of_production_0001\n", "production")
    assert done.code == 0, done.err
    assert "accepts it" in done.err
    assert "spk_of_production_0001" not in done.out + done.err
    assert 'sprig_api_key = "spk_of_production_0001"' in (pulling / "config.toml").read_text()
    assert len(sprig_api.asked("/v1/surveys")) == 1
    assert keys_sprig(process, "", "production", "--remove", "--yes").code == 0
    assert "spk_of_production_0001" not in (pulling / "config.toml").read_text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("spk_that_nobody_knows_1", "rejects this key (403)"),
        ("", "standard input is empty"),
        ("two words here", "there are spaces inside"),
        ("spk_lookalike_production_0001", "this is the key of Sprig's API of development"),
        ("Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx", "this is the write key of "),
    ],
)
def test_a_key_that_cannot_be_right_is_not_stored(process: Run, pulling: Path, text: str, said: str) -> None:
    before = (pulling / "config.toml").read_text()
    done = keys_sprig(process, text, "production")
    assert done.code == 2
    assert said in done.err
    assert (pulling / "config.toml").read_text() == before


def test_a_key_on_the_command_line_is_refused(cli: Run, pulling: Path) -> None:
    done = cli("keys", "sprig", "production", "spk_on_the_command_line")
    assert done.code == 2
    assert "spk_on_the_command_line" not in done.err
