"""`sprig-tui run`."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import click

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.commands import DURATION, command
from sprig_tui.cli.monitoring import bind_metrics, metrics_option, monitored
from sprig_tui.cli.opening import awaited_journal, open_settings
from sprig_tui.cli.reloading import keep_current, nobody
from sprig_tui.cli.terms import Terms, say_elsewhere, standing_terms_options
from sprig_tui.errors import ConfigError, ExitCode, JournalError, JournalLostError

if TYPE_CHECKING:
    import socket

    from sprig_tui.cli.lifeline import Lifeline
    from sprig_tui.config.settings import Settings
    from sprig_tui.delivery.engine import Engine
    from sprig_tui.journal.contract import Journal
    from sprig_tui.segment.client import SendResult
    from sprig_tui.serving.watchpost import HealthServer

MOST_WORKERS = 64


@command("run")
@standing_terms_options
@click.option(
    "--workers",
    type=click.IntRange(1, MOST_WORKERS),
    default=1,
    metavar="N",
    help="So many processes, to use more than one core; one that dies is started again.",
)
@metrics_option
@click.option(
    "--status-every", type=DURATION, default=30.0, show_default="30s", help="A status line so often; 0: never."
)
@click.option("--print-unit", is_flag=True, help="Print a systemd unit for this command line, and do nothing else.")
@click.option("--supervised", type=int, hidden=True, help="The line to the supervisor of which this is a worker.")
@click.option("-v", "--verbose", is_flag=True, help="Also what lanes and replays do.")
def run(
    *,
    terms: Terms,
    workers: int,
    metrics: tuple[str, int] | None,
    status_every: float,
    print_unit: bool,
    supervised: int | None,
    verbose: bool,
) -> int:
    """Deliver what is queued until stopped.

    SIGTERM or Ctrl-C lets requests on the wire finish; a second one stops at once. Any number of them, on any number
    of machines, may share a journal; sprig-tui status lists them. A changed config is taken up while it runs: a new
    key resumes its lane.

    With --workers N it starts N processes of itself and passes their words on, each with its number in front. They
    are stopped with it, and stop by themselves should it be killed. Exit code: the worst of theirs.

    With --metrics monitors ask /healthz, /readyz and /metrics (Prometheus): what the journal holds, the lanes, the
    live workers, and the requests that this process, all its workers included, made. On an address that others reach
    /metrics wants a webhook token, as that of listen does.
    """
    if print_unit:
        from sprig_tui.cli.unit import DELIVERS, unit_text

        output.write_line(unit_text(DELIVERS).rstrip())
        return ExitCode.OK
    settings = open_settings(quiet=supervised is not None)
    if supervised is None:
        from sprig_tui.config.findings import check_file_mode

        for finding in check_file_mode(settings):
            diagnostics.warning(finding.message, finding.hint)
    with_key = [name for name, found in settings.environments.items() if found.write_key is not None]
    if not with_key:
        raise ConfigError("no environment has a write key", hint="set one with sprig-tui keys set production")
    if supervised is not None:
        from sprig_tui.cli.lifeline import Lifeline

        lifeline = Lifeline(supervised)
        return asyncio.run(_Run(settings, terms, status_every, verbose=verbose).deliver(lifeline=lifeline))
    if workers > 1 and sys.platform == "win32":
        raise click.UsageError("--workers needs a POSIX system; start sprig-tui run several times instead")
    bound = bind_metrics(metrics, settings) if metrics else None
    try:
        command_run = _Run(settings, terms, status_every, verbose=verbose, bound=bound)
        return asyncio.run(command_run.supervise(workers) if workers > 1 else command_run.deliver())
    finally:
        if bound is not None:
            bound.close()


LAST_WORD_S = 1.0
"""How long the journal is waited for, to say what stands in it."""


class _Run:
    """One run of the command."""

    def __init__(
        self,
        settings: Settings,
        terms: Terms,
        status_every: float,
        *,
        verbose: bool,
        bound: socket.socket | None = None,
    ) -> None:
        self._settings = settings
        self._terms = terms
        self._status_every = status_every
        self._level = logging.INFO if verbose else logging.WARNING
        self._bound = bound

    async def deliver(self, *, lifeline: Lifeline | None = None) -> int:
        """Deliver in this process, until stopped or until the supervisor is gone; returns the exit code."""
        from sprig_tui.cli.interrupts import ENDS_WITHIN, Interrupts, Stopped
        from sprig_tui.cli.sending import STOP_DRAIN
        from sprig_tui.cli.watching import engine_log
        from sprig_tui.delivery.engine import Engine

        async with AsyncExitStack() as stack:
            stack.enter_context(engine_log(self._level))
            interrupts = stack.enter_context(Interrupts(reads_again=True, ends_within=ENDS_WITHIN))
            awaited = await stack.enter_async_context(awaited_journal(self._settings))
            journal = awaited.journal
            hear: Callable[[str, SendResult], None] = _unheard
            watchpost = None
            if lifeline is not None:
                await stack.enter_async_context(lifeline)
                stack.callback(asyncio.create_task(_until_cut(lifeline, interrupts.ask)).cancel)
                hear = lifeline.hear
            elif self._bound is not None:
                watchpost = await stack.enter_async_context(
                    monitored(self._bound, journal, self._settings, self._terms)
                )
                hear = watchpost.metrics.record
            try:
                await interrupts.guard(awaited.opened())
            except Stopped:
                diagnostics.note("stopped; the journal could not be opened until now")
                return ExitCode.OK
            environments, delivery = self._terms.environments(self._settings), self._terms.delivery(self._settings)
            engine = await stack.enter_async_context(
                Engine(journal, environments, delivery, role="run", adopt=True, on_result=hear)
            )
            diagnostics.note(
                f"delivering for {', '.join(sorted(engine.served_environments()))}; Ctrl-C stops in good order"
            )
            say_elsewhere(engine.override_urls())
            try:
                await interrupts.guard(self._until_stopped(engine, journal, watchpost, interrupts.hangups()))
            except Stopped:
                if watchpost:
                    watchpost.set_stopping()
                diagnostics.note(await status_text(engine, journal))
                await interrupts.drain(engine.drain(STOP_DRAIN))
            lost = await lost_code(journal)
            diagnostics.note("stopped" if lost else f"stopped; {await queued_text(journal)} queued")
        # Being stopped is how it ends: that is no failure.
        return ExitCode.INTERRUPTED if interrupts.insisted.is_set() else lost

    async def supervise(self, number: int) -> int:
        """Let so many processes deliver until stopped; returns the worst of their exit codes."""
        from sprig_tui.cli.interrupts import ENDS_WITHIN, Interrupts
        from sprig_tui.cli.supervisor import Supervisor
        from sprig_tui.cli.watching import engine_log

        async with AsyncExitStack() as stack:
            stack.enter_context(engine_log(self._level))
            interrupts = stack.enter_context(Interrupts(reads_again=True, ends_within=ENDS_WITHIN))
            async with awaited_journal(self._settings):
                pass  # what is wrong with it is said once, before anything starts; the workers wait for what passes
            supervisor, watchpost = Supervisor(number), None
            if self._bound is not None:
                awaited = await stack.enter_async_context(awaited_journal(self._settings))
                watchpost = await stack.enter_async_context(
                    monitored(self._bound, awaited.journal, self._settings, self._terms)
                )
                supervisor = Supervisor(number, watchpost.metrics)
                keeping = self._keep_current(None, watchpost, interrupts.hangups())
                stack.callback(asyncio.create_task(keeping).cancel)
            stack.callback(asyncio.create_task(_pass_on(interrupts.hangups(), supervisor.hang_up)).cancel)
            diagnostics.note(f"starting {number} workers; Ctrl-C stops them in good order")
            await supervisor.run(interrupts.asked)
            if watchpost:
                watchpost.set_stopping()
            diagnostics.note("stopping: requests on the wire finish first; again to stop at once")
            code = await supervisor.stop(interrupts.insisted)
            diagnostics.note(f"all {number} workers stopped")
        return code

    async def _until_stopped(
        self, engine: Engine, journal: Journal, watchpost: HealthServer | None, hangups: asyncio.Event
    ) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_current(engine, watchpost, hangups))
            if self._status_every:
                group.create_task(_tell(engine, journal, self._status_every))

    async def _keep_current(
        self, engine: Engine | None, watchpost: HealthServer | None, hangups: asyncio.Event
    ) -> None:
        def taken_up(settings: Settings) -> None:
            if watchpost is not None:
                watchpost.reconfigure(self._terms.environments(settings))

        held = watchpost.set_config_problem if watchpost is not None else nobody
        await keep_current(engine, self._settings, self._terms, taken_up, asked=hangups, held=held)


def _unheard(_environment: str, _answer: SendResult) -> None:
    """Nobody counts the answers."""


async def _pass_on(hangups: asyncio.Event, then: Callable[[], None]) -> None:
    while True:
        await hangups.wait()
        hangups.clear()
        then()


async def _until_cut(lifeline: Lifeline, then: Callable[[], None]) -> None:
    await lifeline.cut()
    then()


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


async def lost_code(journal: Journal) -> ExitCode:
    """The exit code of whoever stops now: a journal that was lost on the way is said once more."""
    try:
        async with asyncio.timeout(LAST_WORD_S):
            await journal.identity()
    except JournalLostError as error:
        diagnostics.fault(error.message, error.hint)
        return error.exit_code
    except (JournalError, TimeoutError):
        return ExitCode.OK
    return ExitCode.OK


async def queued_text(journal: Journal) -> str:
    """How many are queued, or why that is not known."""
    from sprig_tui.journal.records import State

    try:
        async with asyncio.timeout(LAST_WORD_S):
            counts = (await journal.counts()).by_environment
    except JournalError as error:
        return f"unknown ({error.message})"
    except TimeoutError:
        return f"unknown (the journal did not answer within {LAST_WORD_S:g} s)"
    return f"{sum(states.get(State.QUEUED, 0) for states in counts.values()):,}"
