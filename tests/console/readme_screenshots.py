"""Take the pictures of the documentation from the running console on the sample payloads, and write its key table.

    python tests/console/readme_screenshots.py        # .github/*.svg, and the table in sprig_tui/docs/console.md

`tests/console/test_key_table.py` says when the table is older than the commands.
"""

from __future__ import annotations

import asyncio
import math
import os
import random
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from sprig_tui.console.app import SprigTui

os.environ["TEXTUAL_ANIMATIONS"] = "none"
os.environ["COLORTERM"] = "truecolor"
ROOT = Path(__file__).parents[2]
PICTURES = ROOT / ".github"
SIZE = (120, 40)
"""Columns and rows: Environments and Payload stand side by side from 116 columns on."""
HISTORY_HOURS = 48
KEYS_TOPIC = ROOT / "sprig_tui" / "docs" / "console.md"
START, END = "<!-- keys: made by tests/console/readme_screenshots.py -->", "<!-- keys end -->"


def with_table(topic: str) -> str:
    """The topic with the table of today between its marks."""
    from sprig_tui.console.commands.registry import key_table

    return re.sub(
        f"{re.escape(START)}.*?{re.escape(END)}",
        lambda _: f"{START}\n\n{key_table()}\n{END}",
        topic,
        flags=re.DOTALL,
    )


async def add_history(place: str) -> None:
    """Deliveries of the last two days: more by day than by night, and an hour in which Segment rejected some."""
    from support.clocks import ManualClock
    from support.records import make_entry

    from sprig_tui.journal.claim_rules import ClaimRequest
    from sprig_tui.journal.records import Attempt, Settlement, State
    from sprig_tui.journal.sqlite import SQLiteJournal

    draw = random.Random(7)
    surveys = (("5120", "Checkout effort"), ("5002", "Autumn pulse"), ("77", "Exit survey"), ("42", "Onboarding"))
    hour_ms = 3_600_000
    clock = ManualClock(time.time_ns() // 1_000_000 // hour_ms * hour_ms - HISTORY_HOURS * hour_ms)
    made = 0
    async with SQLiteJournal(place, clock=clock) as journal:
        for hour in range(HISTORY_HOURS):
            entries = []
            for _ in range(round(50 + 40 * math.sin((hour - 6) / 24 * 2 * math.pi) + draw.randrange(12))):
                made += 1
                survey, name = draw.choices(surveys, (8, 5, 3, 2))[0]
                is_anonymous = draw.random() < 0.12
                entries.append(
                    make_entry(
                        made,
                        draw.choices(("production", "development"), (3, 1))[0],
                        survey_id=survey,
                        survey_name=name,
                        user_id="" if is_anonymous else f"acct_{made}",
                        reason="anonymous" if is_anonymous else "",
                    )
                )
            await journal.add(entries)
            clock.advance(1_800)
            for environment in ("production", "development"):
                claim = await journal.claim(ClaimRequest(environment, 500, 475_000, 60_000))
                is_rejected = hour == HISTORY_HOURS - 9 and environment == "production"
                attempt = Attempt(
                    started_at=clock.now(),
                    status=400 if is_rejected else 200,
                    latency_ms=draw.uniform(30, 90),
                    events=len(claim.ids),
                    endpoint="https://api.segment.io",
                )
                state = State.FAILED if is_rejected else State.DELIVERED
                await journal.settle(claim, [Settlement(ids=claim.ids, state=state, attempt=attempt)])
            clock.advance(1_800)


async def take() -> None:
    """Run the console as `sprig-tui demo` does, and take pictures on the way."""
    from sprig_tui.segment.sink import FaultRule, Sink

    # the first request fails for a while, and one answer for good
    poison = FaultRule(do="status", status=400, contains="MAXDIFF", body='{"message":"malformed event"}')
    async with Sink(faults=("503@1", poison)) as sink, demo_console(sink.url) as (app, pilot):
        await until(pilot, lambda: app.main.snapshot.journal == "sqlite")
        await pilot.pause(0.5)
        await pilot.press("S")
        await pilot.pause(0.5)
        await pilot.press("y")
        await until(pilot, lambda: sink.stats.accepted >= 80 and not app.main.snapshot.queued)
        await pilot.pause(0.5)
        app.clear_notifications()
        await pilot.pause(0.5)
        shoot(app, "console.svg")
        await pilot.press("exclamation_mark", *["n"] * 6)
        await pilot.pause(0.5)
        shoot(app, "inspector.svg")
        await pilot.press("3", "slash", *"status:failed", "enter")
        await until(pilot, lambda: app.main.deliveries.lines.count == 1)
        await pilot.press("enter")
        await pilot.pause(0.5)
        shoot(app, "detail.svg")


async def take_insight() -> None:
    """The insight screen over a journal of two days."""
    from sprig_tui.segment.sink import Sink

    async with Sink() as sink, demo_console(sink.url, with_history=True) as (app, pilot):
        await until(pilot, lambda: app.main.snapshot.journal == "sqlite")
        await pilot.press("I")
        await until(pilot, lambda: getattr(app.screen, "statistics", None))
        for _ in range(9):
            await pilot.press("left")
            await pilot.pause(0.1)
        app.clear_notifications()
        await pilot.pause(0.5)
        shoot(app, "insight.svg")


@asynccontextmanager
async def demo_console(url: str, *, with_history: bool = False) -> AsyncIterator[tuple[SprigTui, Pilot[Any]]]:
    """The console as `sprig-tui demo` opens it, with its journal in a folder of its own."""
    from sprig_tui.cli.commands.console import demo_settings
    from sprig_tui.config.paths import paths_in_folder
    from sprig_tui.console.app import SprigTui
    from sprig_tui.console.commands.base import Permissions
    from sprig_tui.console.session import ConsoleDependencies
    from sprig_tui.delivery.engine import Engine
    from sprig_tui.journal.sqlite import SQLiteJournal

    with tempfile.TemporaryDirectory() as folder:
        paths = paths_in_folder(folder)
        settings = demo_settings(paths, url)
        if with_history:
            await add_history(settings.journal)
        dependencies = ConsoleDependencies(
            paths,
            lambda: settings,
            SQLiteJournal,
            lambda journal, using: Engine(journal, using.environments, using.delivery),
            label="" if with_history else "demo",
        )
        app = SprigTui(dependencies, settings, Permissions(config=False), files=("sample_payloads",))
        async with app.run_test(size=SIZE, notifications=True) as pilot:
            yield app, pilot


async def until(pilot: Pilot[Any], holds: Callable[[], object]) -> None:
    """Wait for the console."""
    async with asyncio.timeout(30):
        while not holds():
            await pilot.pause(0.05)


def shoot(app: SprigTui, name: str) -> None:
    """Write what the console shows as a picture."""
    svg = app.export_screenshot(title="sprig-tui")
    (PICTURES / name).write_text(re.sub(r"terminal-\d+", "terminal", svg), encoding="utf-8")


def main() -> None:
    """Write pictures and table."""
    os.chdir(ROOT)  # so that the pictures name the samples as a reader sees them
    sys.path.insert(0, str(ROOT / "tests"))
    asyncio.run(take())
    asyncio.run(take_insight())
    KEYS_TOPIC.write_text(with_table(KEYS_TOPIC.read_text(encoding="utf-8")), encoding="utf-8")
    print("written:", *sorted(file.name for file in PICTURES.glob("*.svg")), KEYS_TOPIC.name, file=sys.stderr)


if __name__ == "__main__":
    main()
