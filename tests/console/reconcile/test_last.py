"""The last comparison in the Environments pane and on the reconcile screen, whichever process made it."""

from __future__ import annotations

import pytest

from sprig_tui.reconcile.last_report import LAST_REPORT_FILE, save
from sprig_tui.reconcile.model import Obstacle, Verdict

from .reports import HOUR_MS, NOW, day, environment, report

CONFIG = """\
[environments.production]
write_key = "Zq8TinventedKeyOfThirtyTwoChE1Rk"
[environments.development]
write_key = "Bb7UanotherMadeUpKeyOfThirty2c9Q"
[environments.keyless]
endpoint = "eu"
"""


@pytest.fixture
def written(console):
    console.write(CONFIG)
    console.paths.state_dir.mkdir(exist_ok=True)
    (console.paths.state_dir / "console.json").write_text('{"version": 1, "environment": "production"}')
    return console


def pane(console) -> str:
    """The text of the Environments pane, each word once separated."""
    rows = [row.split("│")[1] for row in console.text().splitlines() if row.startswith("│")]
    return " ".join(" ".join(rows).split())


async def test_pane_says_when_and_what_segment_counted(written, clock):
    async with written.running(clock=clock, engine=False, size=(120, 60)) as pilot:
        await written.until(lambda: pane(written).count("Segment's counts: not compared") == 2)
        production, development = environment(buckets=day(short_at=0)), environment("development", buckets=day())
        save(written.paths, report(production, development, asked_at=NOW - HOUR_MS))
        await written.until(lambda: "✓ Segment counted 3,601 of 3,601 at 13:13" in pane(written))
        assert "! 3 short at 11:00" in pane(written)
        refused = environment("development", verdict=Verdict.CANNOT_ASK, obstacle=Obstacle.PERMISSION, buckets=())
        save(written.paths, report(refused))
        await written.until(lambda: "? not compared: the token may not read this" in pane(written))
        assert "at 13:13" in pane(written), "an older one of another environment stays, with its time"
        await pilot.resize_terminal(80, 24)
        save(written.paths, report(environment()))
        await written.until(lambda: "! 3 short at 11:00" in written.text())
        (written.paths.state_dir / LAST_REPORT_FILE).write_bytes(b"\x00{")
        await written.until(lambda: "3 short" not in written.text())


async def test_screen_shows_the_last_comparison_at_once_and_asks_only_when_it_is_old(written, clock):
    asked = []

    others = [environment(name, buckets=day(short_at=0)) for name in ("development", "keyless")]

    async def compare(*_):
        asked.append(1)
        return report(environment(), *others, asked_at=clock.now())

    written.compare_counts = compare
    written.write(f'{CONFIG}[segment]\npublic_api_token = "sgp_madeUp"\n')
    save(written.paths, report(environment(), *others, asked_at=NOW - 60_000, requests=77))
    async with written.running(clock=clock, engine=False):
        await written.press("1", "down", "c")
        await written.until(lambda: "asked at 14:12 with 77 requests" in written.text())
        assert asked == []
        assert "● Development" in written.text()
        await written.press("t", "T")
        assert "● Development" in written.text(), "an environment stays selected while there is nothing to show of it"
        asked.clear()
        await written.press("escape")
        clock.advance(600)
        await written.press("c")
        await written.until(lambda: asked)
        await written.until(lambda: "asked at 14:23 with 12 requests" in written.text())
