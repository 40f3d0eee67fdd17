"""Command `demo`: sends the sample answers to a fake Segment."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.options import command
from sprig_tui.errors import ConfigError, ExitCode, InputError
from sprig_tui.text import printable

if TYPE_CHECKING:
    from sprig_tui.journal.base import Journal
    from sprig_tui.segment.sink import Sink

DEMO_ENVIRONMENT = "production"
DEMO_FAULTS = ("503@1",)
"""The fake Segment rejects the first request, so that a retry is seen."""


@command("demo")
@click.option("--plain", is_flag=True, help="Without the console, also at a terminal.")
@click.option("--samples", metavar="FOLDER", help="Copy the sample answers into FOLDER, and end.")
def demo(plain: bool, samples: str | None) -> int:
    """Try it all: sample answers through the real engine to an embedded fake Segment.

    No key, no network, nothing of yours is touched: the journal is a temporary one. At a terminal it opens the
    console; else, or with --plain, it writes the log of what happened. The topics use the samples in a folder
    sample_payloads; --samples sample_payloads makes it where there is no checkout.
    """
    from sprig_tui.cli.commands.console import can_open, open_demo
    from sprig_tui.config.paths import samples_folder

    if samples is not None:
        return _copy_samples(samples_folder(), Path(samples).expanduser())
    with _temporary_folder() as folder:
        if can_open() and not plain:
            return open_demo(Path(folder), samples_folder())
        return asyncio.run(_run_demo(Path(folder)))


def _copy_samples(samples: Path, folder: Path) -> int:
    """Copy the samples that the folder lacks; files of the same name that hold something else stay as they are."""
    copied, differing = 0, []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for file in sorted(samples.iterdir()):
            target, content = folder / file.name, file.read_bytes()
            if not target.exists():
                target.write_bytes(content)
                copied += 1
            elif target.read_bytes() != content:
                differing.append(file.name)
    except OSError as error:
        raise InputError(
            f"the samples cannot be copied into {printable(str(folder))}: {error.strerror}", hint="name another folder"
        ) from error
    if differing:
        diagnostics.failure(f"{folder} has other files named {', '.join(differing)}: they stay", "name another folder")
        return ExitCode.USAGE
    diagnostics.success(
        f"{copied} {'sample is' if copied == 1 else 'samples are'} copied into {folder}"
        if copied
        else f"{folder} has the samples already"
    )
    return ExitCode.OK


def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder for the demo's journal: beside the real one where the system has none for temporary files.

    Raises ConfigError where that cannot be written either.
    """
    from sprig_tui.config.paths import find_paths
    from sprig_tui.files import make_folder

    prefix = "sprig-tui-demo-"
    try:
        return tempfile.TemporaryDirectory(prefix=prefix)
    except OSError:
        beside = find_paths().journal_file.parent
    make_folder(beside)
    try:
        return tempfile.TemporaryDirectory(prefix=prefix, dir=beside)
    except OSError as error:
        raise ConfigError(
            f"no folder for temporary files can be written, nor {beside}: {error.strerror}",
            hint="name one that can be in TMPDIR",
        ) from error


async def _run_demo(folder: Path) -> int:
    from sprig_tui.cli.shutdown import ShutdownRequested, ShutdownSignals
    from sprig_tui.journal.open import open_journal
    from sprig_tui.segment.sink import Sink

    with ShutdownSignals() as interrupts:
        async with Sink(faults=DEMO_FAULTS) as sink, open_journal(folder / "journal.db") as journal:
            try:
                return await interrupts.guard(_deliver(folder, sink, journal))
            except ShutdownRequested:
                diagnostics.info("stopped")
                return ExitCode.INTERRUPTED


async def _deliver(folder: Path, sink: Sink, journal: Journal) -> int:
    from sprig_tui.cli.commands.console import demo_settings
    from sprig_tui.cli.log_format import DeliveryLineFormatter
    from sprig_tui.cli.report import load_account, sum_by_state
    from sprig_tui.config.paths import paths_in_folder, samples_folder
    from sprig_tui.delivery.engine import Engine
    from sprig_tui.delivery.wait import wait_until_settled
    from sprig_tui.ingest import EntryBuilder
    from sprig_tui.ingest.ingest import ingest_records
    from sprig_tui.journal.query import Query
    from sprig_tui.journal.records import State
    from sprig_tui.mapping.records import Rules
    from sprig_tui.sprig.reader import read_responses

    samples = samples_folder()
    environments = demo_settings(paths_in_folder(str(folder)), sink.url).environments
    intake = EntryBuilder(Rules(), environments, DEMO_ENVIRONMENT)
    diagnostics.info(f"reading {samples}; sending to a fake Segment at {sink.url}")
    async with Engine(journal, environments, role="demo") as engine:
        fed = await ingest_records(read_responses([samples]), intake, journal, engine)
        waited = await wait_until_settled(journal, fed.ids, list(fed.environments), engine=engine)
    account = await load_account(journal, fed)
    numbers = sum_by_state(account.tally)
    if refused := numbers[State.FAILED]:
        subject = "one of the samples is" if refused == 1 else f"{refused:,} of the samples are"
        diagnostics.info(
            f"{subject} refused, on purpose: a request that holds a refused event is split until that one stands alone,"
            " and so each delivery beside it took several requests"
        )
    lines = DeliveryLineFormatter(output.terminal_columns())
    cursor, more = 0, True
    while more:
        page = await journal.page(Query(), cursor=cursor, limit=1_000, direction="newer")
        output.write_lines(lines.line(delivery) for delivery in page.deliveries)
        more = page.more and bool(page.deliveries)
        cursor = page.deliveries[-1].id if page.deliveries else cursor
    output.flush()
    stats = sink.stats
    diagnostics.info(account.text())
    diagnostics.info(
        f"the fake Segment saw {stats.requests:,} requests, refused {stats.faults.total():,} of them on purpose, "
        f"and took {stats.accepted:,} events, none twice"
        if not stats.duplicates
        else f"the fake Segment took {stats.accepted:,} events and dropped {stats.duplicates:,} repeats"
    )
    diagnostics.info("next: sprig-tui keys set development, then sprig-tui preview FILE -e development")
    well = not waited.queued and numbers[State.DELIVERED] == stats.accepted
    return ExitCode.OK if well else ExitCode.REJECTED
