"""README.md: its settings and examples are those of the config."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from sprig_tui.config.paths import paths_in_folder
from sprig_tui.config.schema import (
    DeliveryTable,
    EnvironmentTable,
    JournalTable,
    MappingTable,
    ReconcileTable,
    SurveyTable,
)
from sprig_tui.config.settings import make_settings
from sprig_tui.config.toml_file import ConfigFile

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
TABLES = {
    "[environments.NAME]": EnvironmentTable,
    "[mapping]": MappingTable,
    "[surveys.ID]": SurveyTable,
    "[delivery]": DeliveryTable,
    "[reconcile]": ReconcileTable,
    "[journal]": JournalTable,
}

ELSEWHERE = {
    "url",
    *(key + place for key in ("webhook_token", "sprig_api_key") for place in ("", "_env", "_command", "_keyring")),
}
"""Settings that belong to a shared journal, to receiving and to pulling: told where those are."""


def _rows() -> dict[str, set[str]]:
    """Settings by table, as README's table lists them."""
    found: dict[str, set[str]] = {}
    table = ""
    for line in README.partition("| table | setting |")[2].partition("\n\n")[0].splitlines()[2:]:
        row = line.strip("|").split("|")
        table = row[0].strip().strip("`") or table
        if table in TABLES:
            found.setdefault(table, set()).update(re.findall(r"`([a-z_]+)`", row[1]))
    return found


@pytest.mark.parametrize("table", TABLES)
def test_readme_lists_every_setting_of_a_table_and_no_other(table: str) -> None:
    known = {field.name for field in msgspec.structs.fields(TABLES[table])}
    assert _rows()[table] <= known
    assert known - ELSEWHERE <= _rows()[table]


def test_readme_example_is_a_valid_config(tmp_path: Path) -> None:
    text = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)[0]
    paths = paths_in_folder(str(tmp_path))
    document = ConfigFile(paths.config_file, text.encode(), tomllib.loads(text), 0o600)
    settings = make_settings(document, paths, {"SEGMENT_KEY_PRODUCTION": "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx"})
    assert not settings.warnings
    assert settings.environments["production"].sprig_environment_id == "QmK7x2dTfa"


def test_readme_script_is_valid_python() -> None:
    compile(re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0], "README.md", "exec")
