"""`sprig-tui run`."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import click

from sprig_tui.cli import diagnostics
from sprig_tui.cli.commands import DURATION, command
from sprig_tui.cli.opening import open_settings, opened_journal
from sprig_tui.cli.reloading import keep_current
from sprig_tui.cli.terms import Terms, terms_options
from sprig_tui.errors import ConfigError, ExitCode, JournalError

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.delivery.engine import Engine
    from sprig_tui.journal.contract import Journal


@command("run")
@terms_options
@click.option(
    "--status-every", type=DURATION, default=30.0, show_default="30s", help="A status line so often; 0: never."
)
@click.option("-v", "--verbose", is_flag=True, help="Also what lanes and replays do.")
def run(terms: Terms, status_every: float, verbose: bool) -> int:
    """Deliver what is queued until stopped.

    SIGTERM or Ctrl-C lets requests on the wire finish; a second one stops at once. Any number of them may share a
    journal. A changed config is taken up while it runs: a new key resumes its lane.
    """
    settings = open_settings()
    with_key = [name for name, found in settings.environments.items() if found.write_key is not None]
    if not with_key:
        raise ConfigError("no environment has a write key", hint="set one with sprig-tui keys set production")
    return asyncio.run(_run(settings, terms, status_every, verbose=verbose))


async def _run(settings: Settings, terms: Terms, status_every: float, *, verbose: bool) -> int:
    from sprig_tui.cli.interrupts import Interrupts, Stopped
    from sprig_tui.cli.sending import DRAIN
    from sprig_tui.cli.watching import engine_log
    from sprig_tui.delivery.engine import Engine

    with engine_log(logging.INFO if verbose else logging.WARNING), Interrupts() as interrupts:
        async with (
            opened_journal(settings) as journal,
            Engine(journal, terms.environments(settings), terms.delivery(settings), role="run") as engine,
        ):
            diagnostics.note(f"delivering for {', '.join(sorted(engine.served()))}; Ctrl-C stops in good order")
            try:
                await interrupts.guard(_until_stopped(engine, journal, settings, terms, status_every))
            except Stopped:
                diagnostics.note(await status_text(engine, journal))
                await interrupts.drain(engine.drain(DRAIN))
            diagnostics.note(f"stopped; {await queued_text(journal)} queued")
    # Being stopped is how it ends: that is no failure.
    return ExitCode.INTERRUPTED if interrupts.insisted.is_set() else ExitCode.OK


async def _until_stopped(
    engine: Engine, journal: Journal, settings: Settings, terms: Terms, status_every: float
) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(keep_current(engine, settings, terms))
        if status_every:
            group.create_task(_tell(engine, journal, status_every))


async def _tell(engine: Engine, journal: Journal, every: float) -> None:
    while True:
        await asyncio.sleep(every)
        diagnostics.note(await status_text(engine, journal))


async def status_text(engine: Engine, journal: Journal) -> str:
    """One line: what this engine did, what is queued, and what stands still."""
    from sprig_tui.cli.watching import standings

    snapshot = engine.snapshot()
    lanes = snapshot.environments.values()
    parts = [
        f"delivered {sum(lane.delivered for lane in lanes):,}",
        f"failed {sum(lane.failed for lane in lanes):,}",
        f"queued {await queued_text(journal)}",
        f"{snapshot.rate:,.0f}/s",
        *standings(snapshot),
    ]
    return "  ".join(parts)


async def queued_text(journal: Journal) -> str:
    """How many are queued, or why that is not known."""
    from sprig_tui.journal.records import State

    try:
        counts = (await journal.counts()).by_environment
    except JournalError as error:
        return f"unknown ({error.message})"
    return f"{sum(states.get(State.QUEUED, 0) for states in counts.values()):,}"
