"""The status line's text at every width."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from sprig_tui.console.commands.base import Permissions
from sprig_tui.console.environments.status import EnvironmentStatus, EnvironmentView
from sprig_tui.console.snapshot import ConsoleSnapshot
from sprig_tui.console.status_line import badge, sparkline, status_parts

BUSY = ConsoleSnapshot(
    environments=(
        EnvironmentView(
            name="production", rate=212, history=(0, 0, 20, 90, 212), status=EnvironmentStatus("▲", "delivering")
        ),
        EnvironmentView(name="development", rate=7),
    ),
    queued=1_204,
    failed=3,
    withheld=41,
    repaired_withheld=1,
    journal="sqlite",
)


def text(snapshot: ConsoleSnapshot, width: int, selected: str = "production", label: str = "") -> str:
    return "".join(part.text for part in status_parts(snapshot, selected, label, width))


def test_wide_status_line_shows_everything():
    line = text(BUSY, 160, label="demo")
    for part in (
        "sprig-tui demo",
        "● Production",
        "212/s",
        "○ Development 7/s",
        "queued 1,204",
        "failed 3",
        "withheld 41 (1 repaired)",
    ):
        assert part in line
    assert line.endswith("journal: sqlite ")


def test_badge_stays_in_a_narrow_status_line():
    for width in (40, 60, 80):
        assert text(BUSY, width, label="demo").startswith(" demo  ● Production")
    assert badge("", Permissions(read_only=True)) == "read-only"
    assert badge("demo", Permissions(engine=False)) == "demo no engine"
    assert badge("", Permissions()) == ""


@pytest.mark.parametrize("width", [60, 80, 120])
def test_old_config_is_named_at_every_width(width):
    line = "".join(part.text for part in status_parts(BUSY, "production", "", width, config_is_held=True))
    assert "old config in use" in line
    assert "failed 3" in line
    assert "old config" not in text(BUSY, width)


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 120, 200])
def test_status_line_fits_the_width_and_keeps_numbers_longest(width):
    line = text(BUSY, width)
    if width >= 80:
        assert cell_len(line) <= width
        assert "failed 3" in line


def test_trouble_comes_first_in_status_line_and_is_printable():
    snapshot = ConsoleSnapshot(journal="lost", trouble="the journal \x1b]0;x\x07 was moved " * 9)
    line = text(snapshot, 100)
    assert "✗ the journal" in line
    assert "\x1b" not in line
    assert line.endswith("journal: lost ")
    assert cell_len(line) <= 100


@pytest.mark.parametrize(
    ("history", "bars"),
    [((), ""), ((0, 0), ""), ((5,), "       █"), ((0, 1, 100), "      ▁█"), (tuple(range(1, 9)), "▁▂▃▄▅▆▇█")],
)
def test_sparkline(history, bars):
    assert sparkline(history) == bars


@pytest.mark.parametrize(
    ("standing", "word"),
    [
        (EnvironmentStatus("·", "unreachable since 18:29: connection refused", brief="unreachable"), "unreachable"),
        (EnvironmentStatus("·", "no key: press a to add one", brief="no key"), "no key"),
        (EnvironmentStatus("·", "1,204 queued"), "1,204 queued"),
    ],
)
def test_status_line_shows_brief_status(standing, word):
    snapshot = ConsoleSnapshot(environments=(EnvironmentView(name="production", status=standing),))
    assert f"● Production   {word}   queued" in text(snapshot, 120)
