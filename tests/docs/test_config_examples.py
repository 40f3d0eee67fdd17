"""README and topics: their settings and examples are those of the config."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec
import pytest
from support.pages_of_documentation import PAGES, blocks
from support.rsa_keys import private_pem

from sprig_tui.config.paths import paths_in_folder
from sprig_tui.config.schema import (
    DeliveryTable,
    EnvironmentTable,
    JournalTable,
    MappingTable,
    ReconcileTable,
    SegmentTable,
    SprigTable,
    SurveyTable,
)
from sprig_tui.config.settings import make_settings
from sprig_tui.config.toml_file import ConfigFile

TABLES = {
    "[environments.NAME]": EnvironmentTable,
    "[mapping]": MappingTable,
    "[surveys.ID]": SurveyTable,
    "[delivery]": DeliveryTable,
    "[reconcile]": ReconcileTable,
    "[journal]": JournalTable,
    "[segment]": SegmentTable,
    "[sprig]": SprigTable,
}

CONFIGS = [(page, number, text) for page in PAGES for number, text in enumerate(blocks(page, "toml"))]
ENVIRON = {
    "SPRIG_HMAC_KEY": "d" * 64,
    "SEGMENT_KEY_PRODUCTION": "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx",
    "SEGMENT_PUBLIC_API_TOKEN": "sgp_" + "a" * 64,
    "SEGMENT_PROFILE_TOKEN": "b" * 40,
}


def _rows() -> dict[str, set[str]]:
    """Settings by table, as the tables of the topics list them."""
    found: dict[str, set[str]] = {}
    for text in PAGES.values():
        for part in text.split("| table | setting |")[1:]:
            table = ""
            for line in part.partition("\n\n")[0].splitlines()[2:]:
                row = line.strip("|").split("|")
                table = row[0].strip().strip("`") or table
                if table in TABLES:
                    found.setdefault(table, set()).update(re.findall(r"`([a-z_]+)`", row[1]))
    return found


@pytest.mark.parametrize("table", TABLES)
def test_topics_list_every_setting_of_a_table_and_no_other(table: str) -> None:
    assert _rows()[table] == {field.name for field in msgspec.structs.fields(TABLES[table])}


@pytest.mark.parametrize(("page", "number", "text"), CONFIGS, ids=[f"{page}-{number}" for page, number, _ in CONFIGS])
def test_example_is_a_valid_config(page: str, number: int, text: str, tmp_path: Path) -> None:
    if "private.pem" in text:
        (tmp_path / "private.pem").write_bytes(private_pem())
        (tmp_path / "private.pem").chmod(0o600)
    paths = paths_in_folder(str(tmp_path))
    settings = make_settings(ConfigFile(paths.config_file, text.encode(), tomllib.loads(text), 0o600), paths, ENVIRON)
    assert not settings.warnings


def test_mapping_example_is_read_as_it_says(tmp_path: Path) -> None:
    text = blocks("mapping", "toml")[0]
    paths = paths_in_folder(str(tmp_path))
    settings = make_settings(ConfigFile(paths.config_file, text.encode(), tomllib.loads(text), 0o600), paths, ENVIRON)
    assert settings.environments["production"].sprig_environment_id == "QmK7x2dTfa"
