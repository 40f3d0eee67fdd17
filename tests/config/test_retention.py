"""How long the journal keeps something: units, limits, and warnings."""

from __future__ import annotations

from pathlib import Path

import pytest

from sprig_tui.config.paths import Paths, paths_in_folder
from sprig_tui.config.settings import Settings, load_settings
from sprig_tui.errors import ConfigError
from sprig_tui.journal.retention import RetentionPolicy

DAY = 24 * 3_600_000


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return paths_in_folder(str(tmp_path))


def load(paths: Paths, lines: str) -> Settings:
    paths.config_file.write_text(f"[journal]\n{lines}\n", encoding="utf-8")
    return load_settings(paths, {})


def test_everything_is_kept_by_default(paths: Paths) -> None:
    assert load(paths, 'keep = ""').retention == RetentionPolicy() == load_settings(paths, {}).retention
    assert not RetentionPolicy().is_active


def test_keep_counts_for_every_state_that_has_no_setting_of_its_own(paths: Paths) -> None:
    found = load(paths, 'keep = "90d"\nkeep_failed = "26w"\nkeep_content = "1d 12h"')
    assert found.retention == RetentionPolicy(90 * DAY, 182 * DAY, 90 * DAY, 3 * DAY // 2)
    assert found.warnings == ()
    assert load(paths, 'keep_withheld = "2d"').retention == RetentionPolicy(withheld_ms=2 * DAY)


@pytest.mark.parametrize("key", ["keep", "keep_failed", "keep_withheld", "keep_content"])
@pytest.mark.parametrize("value", ["90", '"90"', '"0d"', '"30m"', '"-3d"', '"ninety days"', '"20000d"', "true"])
def test_a_wrong_value_is_an_error_with_the_key_and_an_example(paths: Paths, key: str, value: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(paths, f"{key} = {value}")
    assert f"journal.{key}" in raised.value.message
    assert f'{key} = "90d"' in raised.value.hint


def test_less_than_the_deduplication_window_is_warned_of(paths: Paths) -> None:
    (warning,) = load(paths, 'keep = "12h"').warnings
    assert warning.message.startswith("journal: keep is 12 h, shorter than the 24 hours for which Segment drops")
    assert load(paths, 'keep = "24h"').warnings == ()
