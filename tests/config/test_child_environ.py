"""Child processes get no secrets, whatever their variables are called."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from sprig_tui.config.paths import Paths, find_paths, paths_in_folder
from sprig_tui.config.secrets import child_environ
from sprig_tui.config.settings import load_settings
from sprig_tui.console.payload.external_editor import remove_stale_edit_folders, run_editor
from sprig_tui.errors import ConfigError

KEY = "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx"
SECRETS = {
    "SPRIG_TUI_WRITE_KEY_PRODUCTION": KEY,
    "SPRIG_TUI_WEBHOOK_TOKEN_STAGING_EU": "a-token-of-a-webhook-0001",
    "SPRIG_TUI_SPRIG_API_KEY_DEVELOPMENT": "spk_of_development_0001",
    "SPRIG_TUI_SEGMENT_TOKEN": "sgp_of_the_workspace_0001",
    "SPRIG_TUI_JOURNAL_URL": "postgresql://me:password@127.0.0.1/journal",
    "PGPASSWORD": "password",
    "OUR_OWN_NAME": KEY,
    "OUR_WORKSPACE": "sgp_of_the_workspace_0002",
    "SPRIG_TUI_PROFILE_TOKEN": "profile_token_of_a_space_0001",
    "SPRIG_TUI_HMAC_KEY": "hmac-key-of-the-rules-0001",
    "OUR_HASHES": "hmac-key-of-the-rules-0002",
    "OUR_SPACE": "profile_token_of_a_space_0002",
}


def configured(folder: Path) -> Paths:
    folder.mkdir(exist_ok=True)
    (folder / "config.toml").write_text(
        '[environments.production]\nwrite_key_env = "OUR_OWN_NAME"\n[segment]\npublic_api_token_env = "OUR_WORKSPACE"\n'
        'profile_token_env = "OUR_SPACE"\n[mapping]\nhmac = ["properties.email"]\nhmac_key_env = "OUR_HASHES"\n'
    )
    return paths_in_folder(str(folder))


def test_child_environment_leaves_out_secrets_only(tmp_path: Path) -> None:
    given = {**SECRETS, "PATH": "/bin", "SPRIG_TUI_HOME": "/somewhere", "EDITOR": "vi"}
    load_settings(configured(tmp_path), given)
    assert child_environ(given) == {"PATH": "/bin", "SPRIG_TUI_HOME": "/somewhere", "EDITOR": "vi"}


async def test_external_editor_gets_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    load_settings(configured(tmp_path))
    script = "import json, os, sys; open(sys.argv[1], 'w').write(json.dumps(dict(os.environ)))"
    written = await run_editor(b"{}", [sys.executable, "-c", script], tmp_path / "state")
    assert written is not None
    seen = json.loads(written)
    assert not SECRETS.keys() & seen.keys()
    assert seen["PATH"] == os.environ["PATH"]


def test_missing_home_folder_is_a_config_error() -> None:
    """A user whom the system does not know, as in a container with a number of its own."""
    if os.geteuid():
        pytest.skip("only root may become another user")
    find_paths({})  # what it imports may not be readable to that user
    out, end = os.pipe()
    child = os.fork()
    if not child:
        said = "it found a home, or failed otherwise"
        try:
            os.setuid(54_321)
            for name in ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "SPRIG_TUI_HOME"):
                os.environ.pop(name, None)
            find_paths()
        except ConfigError as error:
            said = f"{error.message}\n{error.hint}"
        finally:
            os.write(end, said.encode())
            os._exit(0)
    os.close(end)
    os.waitpid(child, 0)
    said = os.read(out, 4096).decode()
    os.close(out)
    assert "HOME is not set" in said
    assert "SPRIG_TUI_HOME" in said


async def test_folders_of_a_killed_console_are_removed(tmp_path: Path) -> None:
    left = tmp_path / "edit-left"
    left.mkdir()
    (left / "payload.json").write_text("{}")
    os.utime(left, (0, 0))
    young = tmp_path / "edit-young"
    young.mkdir()
    mark, go = tmp_path / "mark", tmp_path / "go"
    os.mkfifo(go)
    script = f"import sys; open({str(mark)!r}, 'w').write(sys.argv[1]); open({str(go)!r}).read()"
    editing = asyncio.ensure_future(run_editor(b"{}", [sys.executable, "-c", script], tmp_path))
    writer = await asyncio.to_thread(go.open, "w")
    assert not left.exists()
    assert young.exists()
    used = Path(mark.read_text()).parent
    os.utime(used, (0, 0))
    remove_stale_edit_folders(tmp_path)
    assert used.exists()
    writer.close()
    assert await editing is None
    assert not used.exists()
