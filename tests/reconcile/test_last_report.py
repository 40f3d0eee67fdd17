"""Last report: kept whole and private; anything else in its place is none."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from sprig_tui.config.paths import paths_in_folder
from sprig_tui.reconcile import last_report
from sprig_tui.reconcile.model import Bucket, EnvironmentReport, Obstacle, Report, Verdict


def make_report(at: int, *names: str, verdict: Verdict = Verdict.AGREES) -> Report:
    bucket = Bucket(start=at - 10, end=at, distinct=3, sends=4, received=None, obstacle=Obstacle.PERMISSION)
    return Report(
        asked_at=at,
        since=at - 10,
        until=at,
        event="SDK - Submitted - Survey Response",
        environments=tuple(EnvironmentReport(environment=name, buckets=(bucket,), verdict=verdict) for name in names),
    )


def test_report_comes_back_as_it_was_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    paths = paths_in_folder(str(tmp_path / "home"))
    assert last_report.load(paths) is None
    report = make_report(100, "production", "development")
    last_report.save(paths, report)
    assert last_report.load(paths) == report
    file = paths.state_dir / last_report.LAST_REPORT_FILE
    if os.name == "posix":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [found.name for found in file.parent.iterdir()] == [file.name]


def test_comparison_of_one_environment_leaves_the_others(tmp_path: Path) -> None:
    paths = paths_in_folder(str(tmp_path / "home"))
    last_report.save(paths, make_report(100, "production", "development"))
    last_report.save(paths, make_report(200, "development", verdict=Verdict.SHORT))
    last_report.save(paths, make_report(300, "development"))
    newest = last_report.load(paths)
    assert newest is not None
    assert newest.asked_at == 300
    assert {name: one.asked_at for name, one in last_report.load_by_environment(paths).items()} == {
        "production": 100,
        "development": 300,
    }


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"\xff\xfe", b'{"version":1}', b'{"version":2,"config":"","reports":[]}', b"[" * 100_000],
)
def test_damaged_file_is_none_and_is_replaced(tmp_path: Path, content: bytes) -> None:
    paths = paths_in_folder(str(tmp_path / "home"))
    paths.state_dir.mkdir(parents=True)
    (paths.state_dir / last_report.LAST_REPORT_FILE).write_bytes(content)
    assert last_report.load(paths) is None
    last_report.save(paths, make_report(100, "production"))
    assert last_report.load(paths) == make_report(100, "production")


def test_report_of_another_config_is_none(tmp_path: Path) -> None:
    paths, others = paths_in_folder(str(tmp_path / "a")), paths_in_folder(str(tmp_path / "b"))
    last_report.save(paths, make_report(100, "production"))
    others.state_dir.mkdir(parents=True)
    name = last_report.LAST_REPORT_FILE
    (others.state_dir / name).write_bytes((paths.state_dir / name).read_bytes())
    assert last_report.load(others) is None
