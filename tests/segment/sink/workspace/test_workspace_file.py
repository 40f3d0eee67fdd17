"""Workspace file: what it describes is served, and mistakes are named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sprig_tui.errors import ConfigError
from sprig_tui.segment.sink.workspace import FaultKind, Role, read_workspace

SURVEY = "SDK - Submitted - Survey Response"


def write(tmp_path: Path, content: Any) -> Path:
    file = tmp_path / "workspace.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


def test_file_describes_a_whole_workspace(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        {
            "name": "Borealis",
            "token": "sgp_aTokenOfTheFile",
            "sources": [
                {
                    "name": "Web",
                    "writeKey": "w1aaaaaaBBBBcccc1111DDDDeeee1Web",
                    "labels": {"environment": "prod"},
                    "destinations": [
                        {"name": "Amplitude", "filters": ['event = "Order"'], "mappings": ['type = "track"']},
                        {"name": "Braze", "enabled": False},
                    ],
                    "trackingPlan": {"events": {SURVEY: {"type": "object"}}, "allowUnplanned": False, "block": True},
                },
                {"name": "App", "enabled": False},
            ],
            "suppressed": ["acct_1", "acct_1"],
            "faults": ["lost=3@source:Web"],
        },
    )
    workspace, faults, given = read_workspace(file)
    web, app = workspace.sources
    assert workspace.record["name"] == "Borealis"
    assert workspace.tokens["sgp_aTokenOfTheFile"] is Role.OWNER
    assert web["writeKeys"] == ["w1aaaaaaBBBBcccc1111DDDDeeee1Web"]
    assert app["writeKeys"] == ["inventedWriteKey0000000000000002"]
    assert dict(workspace.write_keys) == {web["writeKeys"][0]: "Web", app["writeKeys"][0]: "App"}
    assert list(workspace.disabled_keys) == app["writeKeys"]
    assert [one["name"] for one in workspace.destinations_of(web["id"])] == ["Amplitude", "Braze"]
    assert [one["if"] for one in workspace.filters] == ['event = "Order"']
    assert [one["trigger"] for one in workspace.subscriptions] == ['type = "track"']
    assert workspace.source_settings[web["id"]]["track"]["allowUnplannedEvents"] is False
    assert workspace.suppressed == ["acct_1"]
    assert [(one.do, one.last, one.source) for one in faults] == [(FaultKind.LOST, 3, "Web")]
    assert given == {"w1aaaaaaBBBBcccc1111DDDDeeee1Web", "sgp_aTokenOfTheFile"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "truncated"),
        ("[]", "Expected `object`"),
        ({}, "missing required field `sources`"),
        ({"sources": [{"nam": "Web"}]}, r"unknown field `nam` - at `\$.sources"),
        ({"sources": [{"name": "Web", "writeKey": "short"}]}, "at least 8 letters"),
        ({"sources": [{"name": "Web"}, {"name": "Web"}]}, "same name"),
        ({"sources": [{"name": "A", "writeKey": "k" * 32}, {"name": "B", "writeKey": "k" * 32}]}, "same writeKey"),
        ({"sources": [], "faults": ["vanish"]}, "workspace fault 'vanish'"),
        ('{"sources":' * 100_000, "workspace"),
    ],
)
def test_mistake_in_a_file_is_named(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_workspace(write(tmp_path, content))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.json: No such file"):
        read_workspace(tmp_path / "gone.json")
