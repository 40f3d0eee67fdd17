"""`sprig-tui demo`."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.commands import command
from sprig_tui.errors import ExitCode

if TYPE_CHECKING:
    from sprig_tui.config.environment import Environment
    from sprig_tui.journal.contract import Journal
    from sprig_tui.segment.sink import Sink

DECLARED = "production"
FAULTS = ("503@1",)
"""The look-alike refuses the first request, so that a retry is seen."""


@command("demo")
@click.option("--plain", is_flag=True, help="Without the console, also at a terminal.")
def demo(plain: bool) -> int:
    """Try it all: sample answers through the real engine to an embedded Segment look-alike.

    No key, no network, nothing of yours is touched: the journal is a temporary one. At a terminal it opens the
    console; else, or with --plain, it writes the log of what happened.
    """
    at_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if at_terminal and not plain and importlib.util.find_spec("sprig_tui.console.demo") is not None:
        result: int = importlib.import_module("sprig_tui.console.demo").run()
        return result
    with tempfile.TemporaryDirectory(prefix="sprig-tui-demo-") as folder:
        return asyncio.run(_demo(Path(folder)))


def demo_environments(url: str) -> dict[str, Environment]:
    """Production and development, both to the look-alike; made-up keys."""
    from sprig_tui.config.environment import Environment, WriteKey

    return {
        name: Environment(
            name=name,
            write_key=WriteKey(f"demo{name:a<24}demo"[:32], "demo"),
            endpoint=url,
            protected=name == "production",
        )
        for name in ("production", "development")
    }


async def _demo(folder: Path) -> int:
    from sprig_tui.cli.interrupts import Interrupts, Stopped
    from sprig_tui.config.journal import open_journal
    from sprig_tui.segment.sink import Sink

    with Interrupts() as interrupts:
        async with Sink(faults=FAULTS) as sink, open_journal(folder / "journal.db") as journal:
            try:
                return await interrupts.guard(_deliver(sink, journal))
            except Stopped:
                diagnostics.note("stopped")
                return ExitCode.INTERRUPTED


async def _deliver(sink: Sink, journal: Journal) -> int:
    from collections import Counter

    from sprig_tui.cli.log_lines import log_line
    from sprig_tui.cli.tally import by_state, tally_of, tally_text
    from sprig_tui.config.samples import samples_folder
    from sprig_tui.delivery.engine import Engine
    from sprig_tui.delivery.feeding import feed
    from sprig_tui.delivery.waiting import until_settled
    from sprig_tui.intake import Intake
    from sprig_tui.journal.query import Query
    from sprig_tui.journal.records import State
    from sprig_tui.mapping.records import Rules
    from sprig_tui.sprig.reading import read_responses

    folder = samples_folder()
    environments = demo_environments(sink.url)
    intake = Intake(Rules(), environments, DECLARED)
    diagnostics.note(f"reading {folder}; sending to a look-alike of Segment at {sink.url}")
    async with Engine(journal, environments) as engine:
        fed = await feed(read_responses([folder]), intake, journal, engine)
        waited = await until_settled(journal, fed.ids, list(fed.environments), engine=engine)
    cursor, more = 0, True
    while more:
        page = await journal.page(Query(), cursor=cursor, limit=1_000, direction="newer")
        output.write_lines(log_line(delivery) for delivery in page.deliveries)
        more = page.more and bool(page.deliveries)
        cursor = page.deliveries[-1].id if page.deliveries else cursor
    output.flush()
    tally = Counter({key: number for key, number in fed.states.items() if key[0] is not State.QUEUED})
    tally.update(await tally_of(journal, fed.ids))
    stats = sink.stats
    diagnostics.note(f"{fed.records:,} records: {tally_text(tally)}")
    diagnostics.note(
        f"the look-alike saw {stats.requests:,} requests, refused {stats.faults.total():,} of them, "
        f"and took {stats.accepted:,} events, none twice"
        if not stats.duplicates
        else f"the look-alike took {stats.accepted:,} events and dropped {stats.duplicates:,} repeats"
    )
    diagnostics.note("next: sprig-tui keys set development, then sprig-tui preview FILE -e development")
    numbers = by_state(tally)
    well = not waited.queued and numbers[State.DELIVERED] == stats.accepted
    return ExitCode.OK if well else ExitCode.REJECTED
