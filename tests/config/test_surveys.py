"""Survey catalogue: files, merging, and precedence of the config."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from sprig_tui.config.paths import Paths, paths_in_folder
from sprig_tui.config.settings import load_settings
from sprig_tui.config.surveys import (
    EnvironmentSurveys,
    load_survey_catalogue,
    merge_surveys,
    read_surveys_file,
    surveys_file,
    write_surveys_file,
)
from sprig_tui.errors import ConfigError
from sprig_tui.mapping.records import Survey

CHECKOUT = Survey(name="Checkout effort", created_at="2026-02-01T09:00:00.000Z")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return paths_in_folder(str(tmp_path))


def test_survey_catalogue_round_trip_has_mode_0600(paths: Paths) -> None:
    file = surveys_file(paths, "production")
    written = EnvironmentSurveys(source="https://api.sprig.com", fetched_at=5, surveys={"5120": CHECKOUT})
    write_surveys_file(file, written)
    assert read_surveys_file(file) == written
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert [one.name for one in file.parent.iterdir()] == ["production.json"]


def test_settings_contain_the_surveys_of_all_environments(paths: Paths) -> None:
    write_surveys_file(surveys_file(paths, "production"), EnvironmentSurveys(surveys={"5120": CHECKOUT}))
    write_surveys_file(surveys_file(paths, "staging-eu"), EnvironmentSurveys(surveys={"7": Survey(name="Onboarding")}))
    settings = load_settings(paths, {})
    assert settings.rules.surveys == {"5120": CHECKOUT, "7": Survey(name="Onboarding")}
    assert settings.surveys == {}
    assert settings.warnings == ()


def test_config_takes_precedence_over_the_catalogue_by_field(paths: Paths) -> None:
    write_surveys_file(surveys_file(paths, "production"), EnvironmentSurveys(surveys={"5120": CHECKOUT}))
    paths.config_file.write_text('[surveys.5120]\nname = "Ours"\n[surveys.9]\nname = "Only ours"\n')
    surveys = load_settings(paths, {}).rules.surveys
    assert surveys["5120"] == Survey(name="Ours", created_at=CHECKOUT.created_at)
    assert surveys["9"] == Survey(name="Only ours")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"surveys": {"5": 7}}', b"\xff\xfe", b'{"version": 99}'])
def test_unusable_survey_catalogue_is_a_warning(paths: Paths, content: bytes) -> None:
    write_surveys_file(surveys_file(paths, "production"), EnvironmentSurveys(surveys={"5120": CHECKOUT}))
    bad = surveys_file(paths, "development")
    bad.write_bytes(content)
    settings = load_settings(paths, {})
    assert settings.rules.surveys == {"5120": CHECKOUT}
    assert len(settings.warnings) == 1
    assert str(bad) in settings.warnings[0].message
    with pytest.raises(ConfigError):
        read_surveys_file(bad)


def test_survey_catalogue_without_state_folder_is_empty(paths: Paths) -> None:
    assert load_survey_catalogue(paths) == ({}, (), "")


def test_merging_surveys_changes_neither_input(paths: Paths) -> None:
    own, learnt = {"1": Survey(name="a")}, {"1": Survey(name="b", created_at="c"), "2": Survey()}
    assert merge_surveys(own, learnt) == {"1": Survey(name="a", created_at="c"), "2": Survey()}
    assert own == {"1": Survey(name="a")}
    assert learnt["1"].name == "b"
