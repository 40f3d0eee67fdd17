"""Take the pictures of the documentation from the running console on the sample payloads, and write its key table.

    python tests/console/readme_screenshots.py        # .github/*.svg, and the table in sprig_tui/docs/console.md

`tests/console/test_key_table.py` says when the table is older than the commands.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ["TEXTUAL_ANIMATIONS"] = "none"
os.environ["COLORTERM"] = "truecolor"
ROOT = Path(__file__).parents[2]
PICTURES = ROOT / ".github"
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


async def take() -> None:
    """Run the console as `sprig-tui demo` does, and take pictures on the way."""
    from sprig_tui.cli.commands.console import demo_settings
    from sprig_tui.config.paths import paths_in_folder
    from sprig_tui.console.app import SprigTui
    from sprig_tui.console.commands.base import Permissions
    from sprig_tui.console.session import ConsoleDependencies
    from sprig_tui.delivery.engine import Engine
    from sprig_tui.journal.sqlite import SQLiteJournal
    from sprig_tui.segment.sink import Sink

    with tempfile.TemporaryDirectory() as folder:
        async with Sink(faults=("503@1",)) as sink:
            paths = paths_in_folder(folder)
            settings = demo_settings(paths, sink.url)
            sources = ConsoleDependencies(
                paths,
                lambda: settings,
                SQLiteJournal,
                lambda journal, using: Engine(journal, using.environments, using.delivery),
            )
            app = SprigTui(sources, settings, Permissions(config=False), files=("sample_payloads",))
            async with app.run_test(size=(120, 40), notifications=True) as pilot:

                async def until(holds: Callable[[], object]) -> None:
                    async with asyncio.timeout(30):
                        while not holds():
                            await pilot.pause(0.05)

                def shoot(name: str) -> None:
                    svg = app.export_screenshot(title="sprig-tui")
                    (PICTURES / name).write_text(re.sub(r"terminal-\d+", "terminal", svg), encoding="utf-8")

                await until(lambda: app.main.snapshot.journal == "sqlite")
                await pilot.pause(0.5)
                await pilot.press("S")
                await pilot.pause(0.5)
                await pilot.press("y")
                await until(lambda: sink.stats.accepted >= 80)
                await pilot.pause(0.5)
                app.clear_notifications()
                await pilot.pause(0.5)
                shoot("console.svg")
                await pilot.press("exclamation_mark", *["n"] * 6)
                await pilot.pause(0.5)
                shoot("inspector.svg")
                await pilot.press("3", "slash", *"status:failed", "enter")
                await pilot.pause(0.5)
                await pilot.press("enter")
                await pilot.pause(0.5)
                shoot("detail.svg")


def main() -> None:
    """Write pictures and table."""
    os.chdir(ROOT)  # so that the pictures name the samples as a reader sees them
    asyncio.run(take())
    KEYS_TOPIC.write_text(with_table(KEYS_TOPIC.read_text(encoding="utf-8")), encoding="utf-8")
    print("written:", *sorted(file.name for file in PICTURES.glob("*.svg")), KEYS_TOPIC.name, file=sys.stderr)


if __name__ == "__main__":
    main()
