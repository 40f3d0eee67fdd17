"""The version: one place in the code, the same in the program, in the topic on changes, and in names that will go."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import sprig_tui
from sprig_tui.cli.program import run
from sprig_tui.docs.topics import read_topic

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_package_takes_its_version_from_the_code() -> None:
    assert "version" not in PROJECT["project"]
    assert PROJECT["tool"]["hatch"]["version"] == {"path": "sprig_tui/__init__.py"}


def test_the_program_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"sprig-tui {sprig_tui.__version__}\n"


def test_the_topic_on_changes_begins_with_it_and_goes_back_in_time() -> None:
    versions = re.findall(r"^## (\d+\.\d+\.\d+)$", read_topic("changes"), re.MULTILINE)
    assert versions[0] == sprig_tui.__version__
    assert versions == sorted(versions, key=lambda text: [int(part) for part in text.split(".")], reverse=True)


def test_names_of_version_0_1_go_with_version_0_3() -> None:
    assert [int(part) for part in sprig_tui.__version__.split(".")] < [0, 3]
    for former, present in sprig_tui._FORMER_NAMES.items():
        assert f"`{former}`" in read_topic("changes")
        assert f"`{present}`" in read_topic("changes")
