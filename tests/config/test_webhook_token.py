"""Webhook tokens: precedence, masking, storing, and unusable ones that accept no webhook."""

from __future__ import annotations

from pathlib import Path

import pytest

from sprig_tui.config.environment import WebhookToken, WriteKey
from sprig_tui.config.paths import paths_in_folder
from sprig_tui.config.save import save_environment
from sprig_tui.config.secret_lint import WEBHOOK_TOKEN_RULES, lint_secret
from sprig_tui.config.secrets import resolve_webhook_token
from sprig_tui.config.settings import Settings, load_settings
from sprig_tui.errors import ConfigError

TOKEN = "whk-5t0pAndGo-0123456789"


def settings_with(folder: Path, text: str, **environ: str) -> Settings:
    (folder / "config.toml").write_text(text)
    return load_settings(paths_in_folder(str(folder)), environ)


def test_webhook_token_precedence_variable_named_config(tmp_path: Path) -> None:
    text = '[environments.production]\nwebhook_token = "in-the-config-itself"\nwebhook_token_env = "HOOK"\n'

    def token(**environ: str) -> WebhookToken | None:
        return (
            settings_with(
                tmp_path, text.replace('webhook_token_env = "HOOK"\n', "") if not environ else text, **environ
            )
            .environments["production"]
            .webhook_token
        )

    assert token() == WebhookToken("in-the-config-itself")
    assert token(HOOK=TOKEN) == WebhookToken(TOKEN)
    found = token(HOOK=TOKEN, SPRIG_TUI_WEBHOOK_TOKEN_PRODUCTION="from-its-variable-1")
    assert found == WebhookToken("from-its-variable-1")
    assert found is not None
    assert found.read_from == "SPRIG_TUI_WEBHOOK_TOKEN_PRODUCTION"


def test_environment_without_webhook_token_requires_none() -> None:
    assert resolve_webhook_token("production", None, None, {}) == (None, [])
    assert resolve_webhook_token("production", "  ", None, {}) == (None, [])


@pytest.mark.parametrize(
    ("stored", "named", "environ"),
    [
        ("two words are none", None, {}),
        (None, "NOT_SET", {}),
        ("a-good-one-0123456789", None, {"SPRIG_TUI_WEBHOOK_TOKEN_PRODUCTION": "no\u00a0good \n x"}),
        ("t\u00f6ken-0123456789", None, {}),
    ],
)
def test_unusable_webhook_token_accepts_no_webhook(
    stored: str | None, named: str | None, environ: dict[str, str]
) -> None:
    token, notes = resolve_webhook_token("production", stored, named, environ)
    assert token is not None
    assert token.reveal() == ""
    assert notes


def test_webhook_token_never_prints(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, f'[environments.production]\nwebhook_token = "{TOKEN}"\n')
    assert TOKEN not in repr(settings)
    assert TOKEN not in f"{settings.environments['production'].webhook_token}"
    assert settings.stored_secrets == {("production", "webhook_token")}
    assert not settings.stored_keys


def test_webhook_token_differs_from_write_key_of_equal_text() -> None:
    assert WebhookToken(TOKEN) != WriteKey(TOKEN)


def test_webhook_token_is_stored_0600_and_never_in_an_error(tmp_path: Path) -> None:
    paths = paths_in_folder(str(tmp_path))
    save_environment(paths, "production", {"webhook_token": TOKEN})
    found = load_settings(paths, {}).environments["production"].webhook_token
    assert found == WebhookToken(TOKEN)
    assert paths.config_file.stat().st_mode & 0o777 == 0o600
    paths.config_file.write_text("environments = { production = { } }\n")
    with pytest.raises(ConfigError) as caught:
        save_environment(paths, "production", {"webhook_token": TOKEN})
    assert TOKEN not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    ("text", "token", "faults"),
    [
        (TOKEN + "\n", TOKEN, []),
        (f"  {TOKEN}", TOKEN, ["spaces"]),
        (f"Bearer {TOKEN}", TOKEN, ["bearer"]),
        ("", "", ["empty"]),
        ("bearer  ", "", ["spaces", "bearer", "empty"]),
        ("short", "short", ["short"]),
        ("x" * 5000, "", ["too-long"]),
        ("a b" * 10, "", ["inner-spaces"]),
        ("tab\tinside-0123456789", "", ["characters"]),
    ],
)
def test_webhook_token_lint(text: str, token: str, faults: list[str]) -> None:
    lint = lint_secret(text, WEBHOOK_TOKEN_RULES)
    assert lint.secret == token
    assert [fault.name for fault in lint.faults] == faults
