"""Command `run`: delivers queued deliveries until stopped."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import click

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.context import awaited_journal, open_settings, read_secrets
from sprig_tui.cli.options import DURATION_TYPE, ParamType, command
from sprig_tui.cli.run_options import (
    RunOptions,
    hold_at_start,
    hold_option,
    report_elsewhere,
    standing_terms_options,
)
from sprig_tui.config.secrets import PUBLIC_API_TOKEN, WEBHOOK_TOKEN, WRITE_KEY
from sprig_tui.errors import ConfigError, ExitCode, JournalError, JournalLostError

if TYPE_CHECKING:
    import socket

    from sprig_tui.cli.session import DeliverySession
    from sprig_tui.cli.supervisor import WorkerChannel
    from sprig_tui.config.settings import Settings
    from sprig_tui.delivery.engine import Engine
    from sprig_tui.journal.base import Journal
    from sprig_tui.journal.open import PendingJournal
    from sprig_tui.reconcile.periodic import PeriodicComparison
    from sprig_tui.server.monitoring import HealthServer


LOOPBACK_HOST = "127.0.0.1"


class HostPortType(ParamType):
    """HOST:PORT, or a port of this machine alone."""

    name = "HOST:PORT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        """Host and port, or a usage error."""
        if isinstance(value, tuple):
            return value
        host, _, port = str(value).rpartition(":")
        if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65_535):
            self.fail(f"{str(value)[:60]!r} is no address; write it as 9100 or 127.0.0.1:9100", param, ctx)
        return host.removeprefix("[").removesuffix("]") or LOOPBACK_HOST, int(port)


metrics_option = click.option(
    "--metrics",
    type=HostPortType(),
    metavar="[HOST:]PORT",
    help="Serve /healthz, /readyz and /metrics there (127.0.0.1; port 0: any that is free).",
)


def bind_metrics(address: tuple[str, int], settings: Settings) -> socket.socket:
    """The socket to serve on; raises ConfigError for an address, or for a lack of tokens, that makes it useless."""
    from sprig_tui.server.server import bind, is_bound_to_loopback

    bound = bind(*address, option="--metrics")
    if not is_bound_to_loopback(bound) and all(found.webhook_token is None for found in settings.environments.values()):
        bound.close()
        raise ConfigError(
            "metrics on an address that others reach are for whoever holds a webhook token, and there is none",
            hint="sprig-tui keys token production --generate makes one; or serve them on 127.0.0.1",
        )
    return bound


@asynccontextmanager
async def serve_metrics(
    bound: socket.socket, journal: Journal, settings: Settings, options: RunOptions
) -> AsyncIterator[HealthServer]:
    """Serve monitors on this socket."""
    from sprig_tui.server.monitoring import HEALTH_LIMITS, HealthServer
    from sprig_tui.server.server import is_bound_to_loopback, running_server

    watchpost = HealthServer(journal, options.environments(settings), allow_anonymous=is_bound_to_loopback(bound))
    async with running_server(watchpost.application, bound, HEALTH_LIMITS, traffic=watchpost.traffic) as up:
        diagnostics.info(f"monitors ask {up.url}/healthz, /readyz and /metrics")
        yield watchpost


MAX_WORKERS = 64


@command("run")
@standing_terms_options
@click.option(
    "--workers",
    type=click.IntRange(1, MAX_WORKERS),
    default=1,
    metavar="N",
    help="So many processes, to use more than one core; one that dies is started again.",
)
@metrics_option
@hold_option
@click.option(
    "--status-every", type=DURATION_TYPE, default=30.0, show_default="30s", help="A status line so often; 0: never."
)
@click.option("--print-unit", is_flag=True, help="Print a systemd unit for this command line, and do nothing else.")
@click.option("--supervised", type=int, hidden=True, help="The line to the supervisor of which this is a worker.")
@click.option("-v", "--verbose", is_flag=True, help="Also what lanes and replays do.")
def run(
    *,
    terms: RunOptions,
    workers: int,
    metrics: tuple[str, int] | None,
    hold: bool,
    status_every: float,
    print_unit: bool,
    supervised: int | None,
    verbose: bool,
) -> int:
    """Deliver what is queued until stopped.

    SIGTERM or Ctrl-C lets requests on the wire finish; a second one stops at once. Any number of them, on any number
    of machines, may share a journal; sprig-tui status lists them. A changed config is taken up while it runs: a new
    key resumes its lane.

    With --hold it begins with the queues of all environments that have a Write Key held, as by sprig-tui hold: look at
    what is queued, then let it go with sprig-tui resume. Each start with the option holds again.

    With --workers N it starts N processes of itself and passes their words on, each with its number in front. They
    are stopped with it, and stop when it is killed. Exit code: the worst of theirs.

    With --metrics monitors ask /healthz, /readyz and /metrics (Prometheus): what the journal holds, the lanes, the
    live workers, and the requests that this process, all its workers included, made. With [reconcile] every in the
    config also what Segment counted. On an address that others reach /metrics wants a webhook token, as that of listen
    does.
    """
    if print_unit:
        from sprig_tui.cli.systemd import RUN_SERVICE, unit_text

        output.write_line(unit_text(RUN_SERVICE).rstrip())
        return ExitCode.OK
    wanted = (WRITE_KEY, PUBLIC_API_TOKEN, *((WEBHOOK_TOKEN,) if metrics else ()))
    settings = read_secrets(open_settings(quiet=supervised is not None), *wanted, quiet=supervised is not None)
    if supervised is None:
        from sprig_tui.config.checks import check_file_mode

        for finding in check_file_mode(settings):
            diagnostics.warning(finding.message, finding.hint)
    with_key = [name for name, found in settings.environments.items() if found.write_key is not None]
    if not with_key:
        raise ConfigError("no environment has a write key", hint="set one with sprig-tui keys set production")
    if supervised is not None:
        from sprig_tui.cli.supervisor import WorkerChannel

        lifeline = WorkerChannel(supervised)
        return asyncio.run(_RunCommand(settings, terms, status_every, verbose=verbose).deliver(channel=lifeline))
    if workers > 1 and sys.platform == "win32":
        raise click.UsageError("--workers needs a POSIX system; start sprig-tui run several times instead")
    bound = bind_metrics(metrics, settings) if metrics else None
    try:
        command_run = _RunCommand(settings, terms, status_every, verbose=verbose, bound=bound, hold=hold)
        return asyncio.run(command_run.supervise(workers) if workers > 1 else command_run.deliver())
    finally:
        if bound is not None:
            bound.close()


FINAL_QUERY_TIMEOUT_S = 1.0
"""Seconds to wait for the journal's counts at the end."""


class _RunCommand:
    """One run of the command."""

    def __init__(
        self,
        settings: Settings,
        options: RunOptions,
        status_every: float,
        *,
        verbose: bool,
        bound: socket.socket | None = None,
        hold: bool = False,
    ) -> None:
        self._settings = settings
        self._options = options
        self._status_every = status_every
        self._level = logging.INFO if verbose else logging.WARNING
        self._bound = bound
        self._hold = hold
        """Whether to hold the queues first; a worker of a supervisor does not: it may be started again later."""

    async def deliver(self, *, channel: WorkerChannel | None = None) -> int:
        """Deliver in this process, until stopped or until the supervisor is gone; returns the exit code."""
        from sprig_tui.cli.session import service_session
        from sprig_tui.delivery.context import ResultListener, ignore_result

        async with service_session(self._settings, self._options, log_level=self._level) as session:
            journal, health_server = session.journal, None
            on_result: ResultListener = ignore_result
            if channel is not None:
                await session.stack.enter_async_context(channel)
                watching = asyncio.create_task(_watch_supervisor(channel, session.signals.request))
                session.stack.callback(watching.cancel)
                on_result = channel.send
            elif self._bound is not None:
                serving = serve_metrics(self._bound, journal, self._settings, self._options)
                health_server = await session.stack.enter_async_context(serving)
                on_result = health_server.metrics.record
            if not await session.wait_until_open():
                diagnostics.info("stopped; the journal could not be opened until now")
                return ExitCode.OK
            if self._hold:
                await hold_at_start(journal, self._settings)
            engine = await session.start_engine("run", adopt=True, on_result=on_result)
            served = ", ".join(sorted(engine.served_environments()))
            diagnostics.info(f"delivering for {served}; press Ctrl-C to stop")
            report_elsewhere(engine.override_urls())
            comparison = self._comparison(journal, health_server)
            await session.run(self._run_until_stopped(session, engine, health_server, comparison))
            if health_server:
                health_server.set_stopping()
            diagnostics.info(await status_text(engine, journal))
            await session.drain()
            lost = await lost_journal_code(journal)
            diagnostics.info("stopped" if lost else f"stopped; {await queued_text(journal)} queued")
        return session.service_exit_code or lost

    async def supervise(self, number: int) -> int:
        """Run worker processes until stopped; returns the worst of their exit codes."""
        from sprig_tui.cli.progress import engine_log
        from sprig_tui.cli.reload import reload_on_change
        from sprig_tui.cli.shutdown import STOP_DEADLINE_S, ShutdownSignals
        from sprig_tui.cli.supervisor import Supervisor

        async with AsyncExitStack() as stack:
            stack.enter_context(engine_log(self._level))
            interrupts = stack.enter_context(ShutdownSignals(reload_on_hangup=True, deadline_s=STOP_DEADLINE_S))
            async with awaited_journal(self._settings) as awaited:
                # report permanent problems once before workers start; they wait for temporary ones
                if self._hold:
                    await awaited.opened()
                    await hold_at_start(awaited.journal, self._settings)
            supervisor, health_server = Supervisor(number), None
            if self._bound is not None:
                awaited = await stack.enter_async_context(awaited_journal(self._settings))
                serving = serve_metrics(self._bound, awaited.journal, self._settings, self._options)
                health_server = await stack.enter_async_context(serving)
                supervisor = Supervisor(number, health_server.metrics)
                comparison = self._comparison(awaited.journal, health_server)
                on_reload, on_config_problem = self._reload_listeners(health_server, comparison)
                reloading = reload_on_change(
                    None,
                    self._settings,
                    self._options,
                    on_reload,
                    reload_requested=interrupts.hangup_event(),
                    on_config_problem=on_config_problem,
                )
                stack.callback(asyncio.create_task(reloading).cancel)
                stack.callback(asyncio.create_task(_compare_when_open(awaited, comparison)).cancel)
            stack.callback(asyncio.create_task(_watch_hangups(interrupts.hangup_event(), supervisor.reload)).cancel)
            diagnostics.info(f"starting {number} workers; press Ctrl-C to stop")
            await supervisor.run(interrupts.requested)
            if health_server:
                health_server.set_stopping()
            diagnostics.info("stopping: requests on the wire finish first; again to stop at once")
            code = await supervisor.stop(interrupts.forced)
            diagnostics.info(f"all {number} workers stopped")
        return code

    async def _run_until_stopped(
        self,
        session: DeliverySession,
        engine: Engine,
        health_server: HealthServer | None,
        comparison: PeriodicComparison | None,
    ) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(session.reload_on_change(*self._reload_listeners(health_server, comparison)))
            if comparison is not None:
                group.create_task(comparison.run())
            if self._status_every:
                group.create_task(_report_status(engine, session.journal, self._status_every))

    def _comparison(self, journal: Journal, health_server: HealthServer | None) -> PeriodicComparison | None:
        """The comparison with Segment's counts, where somebody can ask for its metrics."""
        from sprig_tui.cli.background_comparison import background_comparison

        if health_server is None:
            return None
        return background_comparison(self._settings, journal, health_server.metrics.registry)

    def _reload_listeners(
        self, health_server: HealthServer | None, comparison: PeriodicComparison | None
    ) -> tuple[Callable[[Settings], None], Callable[[str], None]]:
        """The functions that learn of a new config, and of one that cannot be used."""
        if health_server is None:
            return lambda _: None, lambda _: None

        def on_reload(settings: Settings) -> None:
            health_server.reconfigure(self._options.environments(settings))
            if comparison is not None:
                comparison.reconfigure(settings)

        return on_reload, health_server.set_config_problem


async def _compare_when_open(awaited: PendingJournal, comparison: PeriodicComparison | None) -> None:
    if comparison is not None:
        await awaited.opened()
        await comparison.run()


async def _watch_hangups(hangup: asyncio.Event, on_hangup: Callable[[], None]) -> None:
    while True:
        await hangup.wait()
        hangup.clear()
        on_hangup()


async def _watch_supervisor(channel: WorkerChannel, on_closed: Callable[[], None]) -> None:
    await channel.wait_closed()
    on_closed()


async def _report_status(engine: Engine, journal: Journal, interval_s: float) -> None:
    while True:
        await asyncio.sleep(interval_s)
        diagnostics.info(await status_text(engine, journal))


async def status_text(engine: Engine, journal: Journal) -> str:
    """One line: deliveries of this engine, the queue, and lane problems."""
    from sprig_tui.cli.progress import lane_problems

    snapshot = engine.snapshot()
    lanes = snapshot.environments.values()
    parts = [
        f"delivered {sum(lane.delivered for lane in lanes):,}",
        f"failed {sum(lane.failed for lane in lanes):,}",
        f"queued {await queued_text(journal)}",
        f"{snapshot.rate:,.0f}/s",
        *lane_problems(snapshot),
    ]
    return "  ".join(parts)


async def lost_journal_code(journal: Journal) -> ExitCode:
    """The exit code at the end; a journal lost during the run is reported again."""
    try:
        async with asyncio.timeout(FINAL_QUERY_TIMEOUT_S):
            await journal.identity()
    except JournalLostError as error:
        diagnostics.failure(error.message, error.hint)
        return error.exit_code
    except (JournalError, TimeoutError):
        return ExitCode.OK
    return ExitCode.OK


async def queued_text(journal: Journal) -> str:
    """Number of queued deliveries, or why it is unknown."""
    from sprig_tui.journal.records import State

    try:
        async with asyncio.timeout(FINAL_QUERY_TIMEOUT_S):
            counts = (await journal.counts()).by_environment
    except JournalError as error:
        return f"unknown ({error.message})"
    except TimeoutError:
        return f"unknown (the journal did not answer within {FINAL_QUERY_TIMEOUT_S:g} s)"
    return f"{sum(states.get(State.QUEUED, 0) for states in counts.values()):,}"
