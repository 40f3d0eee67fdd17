"""Credentials: files of the service manager that stand for variables, and those that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from sprig_tui.config.credentials import MAX_CREDENTIAL_BYTES, read_credential
from sprig_tui.config.environment import WebhookToken
from sprig_tui.config.paths import paths_in_folder
from sprig_tui.config.settings import Settings, load_settings
from sprig_tui.errors import SecretReadError

KEY, OTHER_KEY = "k" * 32, "o" * 32
TOKEN = "whk-5t0pAndGo-0123456789"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "credentials").mkdir()
    return tmp_path / "credentials"


def settings_with(folder: Path, text: str = "", **environ: str) -> Settings:
    (folder.parent / "config.toml").write_text(text)
    (folder.parent / "config.toml").chmod(0o600)
    return load_settings(paths_in_folder(str(folder.parent)), {"CREDENTIALS_DIRECTORY": str(folder), **environ})


def test_a_credential_stands_for_the_variable_of_its_name(folder: Path) -> None:
    (folder / "SPRIG_TUI_WRITE_KEY_PRODUCTION").write_text(f"{KEY}\n")
    (folder / "SPRIG_TUI_WEBHOOK_TOKEN_PRODUCTION").write_text(TOKEN)
    (folder / "SPRIG_TUI_SEGMENT_TOKEN").write_text("sgp_" + "a" * 64)
    settings = settings_with(folder, f'[environments.production]\nwrite_key = "{OTHER_KEY}"\n')
    production = settings.environments["production"]
    assert production.write_key is not None
    assert production.write_key.reveal() == KEY
    assert production.write_key.read_from == "credential SPRIG_TUI_WRITE_KEY_PRODUCTION"
    assert production.webhook_token == WebhookToken(TOKEN)
    assert settings.workspace.token is not None
    assert not settings.warnings
    assert settings.environments["development"].write_key is None


def test_a_variable_takes_precedence_over_a_credential(folder: Path) -> None:
    (folder / "SPRIG_TUI_WRITE_KEY_PRODUCTION").write_text(KEY)
    key = settings_with(folder, SPRIG_TUI_WRITE_KEY_PRODUCTION=OTHER_KEY).environments["production"].write_key
    assert key is not None
    assert key.reveal() == OTHER_KEY


def test_a_credential_stands_for_the_variable_that_the_config_names(folder: Path) -> None:
    (folder / "HMAC").write_text("d" * 64)
    settings = settings_with(folder, '[mapping]\nhmac = ["properties.email"]\nhmac_key_env = "HMAC"\n')
    assert settings.hmac_key is not None
    assert settings.hmac_key.reveal() == "d" * 64
    assert not settings.warnings


def test_the_address_of_the_journal_may_be_one(folder: Path) -> None:
    (folder / "SPRIG_TUI_JOURNAL_URL").write_text("postgresql://worker:secret@db.example/sprig\n")
    assert settings_with(folder).journal == "postgresql://worker:secret@db.example/sprig"


def test_one_that_cannot_be_used_is_a_warning_and_no_other_secret_counts(folder: Path) -> None:
    (folder / "SPRIG_TUI_WRITE_KEY_PRODUCTION").mkdir()
    (folder / "SPRIG_TUI_WEBHOOK_TOKEN_PRODUCTION").write_bytes(b"\xff\xfe" + TOKEN.encode())
    text = f'[environments.production]\nwrite_key = "{KEY}"\nwebhook_token = "{TOKEN}"\n'
    settings = settings_with(folder, text)
    production = settings.environments["production"]
    assert production.write_key is None
    assert production.webhook_token == WebhookToken("")  # admits nobody
    assert [warning.text for warning in settings.warnings] == [
        "the write key cannot be used: credential SPRIG_TUI_WRITE_KEY_PRODUCTION cannot be read: Is a directory",
        "the webhook token cannot be used: credential SPRIG_TUI_WEBHOOK_TOKEN_PRODUCTION has bytes that are no text",
    ]


@pytest.mark.parametrize("name", ["", ".", "..", "../config.toml", "/etc/hostname", "a\0b", "n" * 5_000, "nothing"])
def test_names_that_are_no_credential(folder: Path, name: str) -> None:
    (folder.parent / "config.toml").write_text("secret")
    assert read_credential(name, {"CREDENTIALS_DIRECTORY": str(folder)}) is None


def test_without_a_folder_or_with_a_blank_file_there_is_none(folder: Path) -> None:
    (folder / "BLANK").write_text(" \n")
    assert read_credential("BLANK", {"CREDENTIALS_DIRECTORY": str(folder)}) is None
    assert read_credential("BLANK", {}) is None
    assert read_credential("BLANK", {"CREDENTIALS_DIRECTORY": str(folder / "BLANK")}) is None


def test_a_huge_file_is_not_read_into_a_message(folder: Path) -> None:
    (folder / "HUGE").write_bytes(b"x" * (MAX_CREDENTIAL_BYTES + 1))
    with pytest.raises(SecretReadError, match=r"^credential HUGE has more than 65,536 bytes$"):
        read_credential("HUGE", {"CREDENTIALS_DIRECTORY": str(folder)})
