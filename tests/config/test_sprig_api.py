"""Keys and address of Sprig's REST API in the config."""

from __future__ import annotations

from pathlib import Path

import pytest

from sprig_tui.config.environment import SprigApiKey
from sprig_tui.config.paths import paths_in_folder
from sprig_tui.config.save import save_environment
from sprig_tui.config.secret_lint import SPRIG_API_KEY_RULES, lint_secret
from sprig_tui.config.settings import DEFAULT_SPRIG_API_URL, Settings, load_settings
from sprig_tui.errors import ConfigError

KEY = "spk_4hT9aaaaBBBBcccc1111DDDD"


def settings_with(folder: Path, text: str, **environ: str) -> Settings:
    (folder / "config.toml").write_text(text)
    return load_settings(paths_in_folder(str(folder)), environ)


def test_sprig_api_key_precedence_variable_named_config(tmp_path: Path) -> None:
    stored = f'[environments.production]\nsprig_api_key = "{KEY}"\n'
    assert settings_with(tmp_path, stored).environments["production"].sprig_api_key == SprigApiKey(KEY)
    named = stored + 'sprig_api_key_env = "SPRIG_KEY"\n'
    found = settings_with(tmp_path, named, SPRIG_KEY="named-0123456789-abc").environments["production"].sprig_api_key
    assert found == SprigApiKey("named-0123456789-abc")
    found = settings_with(
        tmp_path, named, SPRIG_KEY="named-0123456789-abc", SPRIG_TUI_SPRIG_API_KEY_PRODUCTION="own-0123456789-abc"
    ).environments["production"]
    assert found.sprig_api_key == SprigApiKey("own-0123456789-abc")
    assert found.write_key is None
    assert found.webhook_token is None


def test_sprig_api_key_prints_masked(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, f'[environments.production]\nsprig_api_key = "{KEY}"\n')
    assert KEY not in repr(settings)
    assert KEY not in str(settings.environments["production"])
    assert "SprigApiKey(spk_…DDDD)" in repr(settings.environments["production"])
    assert ("production", "sprig_api_key") in settings.stored_secrets


def test_storing_a_sprig_api_key_changes_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('# mine\n[environments.production]\nendpoint = "eu"  # here\n')
    save_environment(paths_in_folder(str(tmp_path)), "production", {"sprig_api_key": KEY})
    text = (tmp_path / "config.toml").read_text()
    assert text.startswith('# mine\n[environments.production]\nendpoint = "eu"  # here\n')
    assert KEY in text


def test_uneditable_config_error_does_not_contain_the_key(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('environments = { production = { endpoint = "eu" } }\n')
    with pytest.raises(ConfigError) as raised:
        save_environment(paths_in_folder(str(tmp_path)), "production", {"sprig_api_key": KEY})
    assert KEY not in raised.value.message + raised.value.hint


@pytest.mark.parametrize(
    ("text", "key", "faults"),
    [
        (KEY, KEY, []),
        (KEY + "\n", KEY, []),
        (f"  {KEY} ", KEY, ["spaces"]),
        (f'"{KEY}"', KEY, ["quotes"]),
        (f"Bearer {KEY}", KEY, ["scheme"]),
        (f"Authorization: API-Key {KEY}", KEY, ["scheme"]),
        ("", "", ["empty"]),
        ("Bearer", "", ["scheme", "empty"]),
        ("https://api.sprig.com", "", ["url"]),
        ('{"key": 1}', "", ["json"]),
        (f"{KEY}\n{KEY}", "", ["lines"]),
        (f"{KEY} {KEY}", "", ["inner-spaces"]),
        ("schlüssel-0123456789", "", ["characters"]),
        ("a\x00bcdefghijklmnopqrst", "", ["characters"]),
        ("x" * 5_000, "", ["too-long"]),
        ("x" * 50_000, "", ["too-long"]),
        ("short", "short", ["short"]),
    ],
)
def test_sprig_api_key_lint(text: str, key: str, faults: list[str]) -> None:
    lint = lint_secret(text, SPRIG_API_KEY_RULES)
    assert lint.secret == key
    assert [fault.name for fault in lint.faults] == faults


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://127.0.0.1:8123", "http://127.0.0.1:8123"),
        ("http://localhost:8123/v1/responses", "http://localhost:8123"),
        ("https://sprig.example/proxy/", "https://sprig.example/proxy"),
    ],
)
def test_sprig_api_url_from_config(tmp_path: Path, given: str, url: str) -> None:
    assert settings_with(tmp_path, "").sprig_api_url == DEFAULT_SPRIG_API_URL
    assert settings_with(tmp_path, f'[sprig]\napi_url = "{given}"\n').sprig_api_url == url


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("http://sprig.example", "would send the api key readable"),
        ("us", "no https:// address"),
        ("https://user:pass@sprig.example", "user or password"),
        ("https://sprig.example/?a=1", "query"),
    ],
)
def test_insecure_sprig_api_url_is_rejected(tmp_path: Path, given: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        settings_with(tmp_path, f'[sprig]\napi_url = "{given}"\n')
    assert said in raised.value.message
    assert "sprig.api_url" in raised.value.message


def test_unknown_key_in_sprig_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        settings_with(tmp_path, '[sprig]\napi_uri = "https://a.example"\n')
    assert raised.value.hint == "did you mean api_url?"
