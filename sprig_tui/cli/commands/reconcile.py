"""Command `reconcile`: compares what was delivered with what Segment counted."""

from __future__ import annotations

import asyncio
import shlex
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.context import existing_journal_session, open_settings, read_secrets
from sprig_tui.cli.options import DURATION_TYPE, ENVIRONMENT_TYPE, FILTER_TYPE, command, json_option, yes_option
from sprig_tui.config.secrets import PUBLIC_API_TOKEN, WRITE_KEY
from sprig_tui.errors import ConfigError, ExitCode, FilterError, SprigTuiError

if TYPE_CHECKING:
    from sprig_tui.cli.commands.reconcile_filter import ComparisonFilter
    from sprig_tui.config.settings import Settings
    from sprig_tui.journal.base import Journal
    from sprig_tui.reconcile.model import Report
    from sprig_tui.reconcile.queries import Progress

MIN_INTERVAL_S = 1.0
DEFAULT_SINCE = "24h"
_OPEN_END = 1 << 60
"""Later than any comparison, ms since 1970: what is not limited ends now."""
DEFAULT_HOLD_BACK_S = 300.0
"""Seconds that Segment's counts get to be complete; the same as `reconcile.run.HOLD_BACK_MS`."""


@command("reconcile")
@click.argument("words", nargs=-1, type=FILTER_TYPE, metavar="[FILTER]...")
@click.option(
    "-e", "--environment", "--env", "environment", type=ENVIRONMENT_TYPE, metavar="ENV", help="This one only; else all."
)
@click.option("--since", default=DEFAULT_SINCE, show_default=True, help="Delivered since: 2h, 7d, 2026-11-23, today.")
@click.option("--until", help="Delivered before.")
@click.option(
    "--by",
    type=click.Choice(["minute", "hour", "day"]),
    help="Width of the times that are compared; else minutes up to 4 h, hours above.",
)
@click.option(
    "--hold-back",
    type=DURATION_TYPE,
    default=DEFAULT_HOLD_BACK_S,
    show_default="5m",
    help="What is younger is not judged: counts lag. 0s only where they do not, as with sink --workspace.",
)
@click.option("--watch", type=DURATION_TYPE, metavar="DURATION", help="Compare again so often, until Ctrl-C.")
@click.option("--replay-short", is_flag=True, help="Ask to replay what was delivered in the time that is short.")
@yes_option
@json_option
def reconcile(  # noqa: PLR0913, PLR0917 - click passes each option by name
    words: tuple[str, ...],
    environment: str | None,
    since: str,
    until: str | None,
    by: str | None,
    hold_back: float,
    watch: float | None,
    replay_short: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Compare what was delivered with what Segment counted, by the time of delivery.

    Segment's 200 says taken, not arrived. With a token of its Public API (sprig-tui keys workspace) its own counts are
    asked for: of the source that each environment's key belongs to, and of the destinations behind it, with Segment's
    reasons for what it dropped. "Short" means that Segment counted fewer answers than were delivered to it; repeats
    under the same id may or may not be counted, and others may send the same event. Segment keeps counts for 30 days.

    FILTER names environments and times of sending, as in `log`: env:production sent:yesterday.

    --replay-short queues what was delivered in the short time again, under the same ids, and delivers it.

    Exit code 0 when it agrees, is too young or there is nothing to compare, 1 when something is short, 2 when the
    config, the key or the token is at fault, 3 when Segment cannot be reached. With --json one object, with --watch
    one a comparison.
    """
    if watch is not None and replay_short:
        raise click.UsageError("--watch only looks: it does not go with --replay-short")
    if yes and not replay_short:
        raise click.UsageError("--yes goes with --replay-short")
    if environment is not None and any("env:" in word for word in words):
        raise click.UsageError("name environments by -e or by env:, not both")
    scope = Scope(environment, since, until, by, hold_back, words)
    if watch is not None:
        return asyncio.run(_watch_until_stopped(scope, max(watch, MIN_INTERVAL_S), as_json=as_json))
    return asyncio.run(_reconcile_once(scope, replay_short=replay_short, yes=yes, as_json=as_json))


class Scope:
    """What to compare, as it was asked for: ages count from each comparison anew."""

    def __init__(
        self,
        environment: str | None,
        since: str,
        until: str | None,
        by: str | None,
        hold_back_s: float,
        words: tuple[str, ...] = (),
    ) -> None:
        self._environment = environment
        self._words = words
        self._since = since
        self._until = until
        self._by = by
        self._hold_back_s = hold_back_s
        self.clock_problem = ""
        """Why the last comparison set counts of one time against deliveries of another; empty where it did not."""
        self.bounds(0)

    def bounds(self, now: int) -> tuple[int, int]:
        """Since and until, ms since 1970. Raises FilterError."""
        given = self._filter(now)
        since = _parse_moment("--since", self._since, now)
        until = _parse_moment("--until", self._until, now) if self._until is not None else _OPEN_END
        if given.since is not None:
            since = given.since if self._since == DEFAULT_SINCE else max(since, given.since)
        return since, until if given.until is None else min(until, given.until)

    def _filter(self, now: int) -> ComparisonFilter:
        from sprig_tui.cli.commands.reconcile_filter import ComparisonFilter, comparison_filter

        return comparison_filter(self._words, now) if self._words else ComparisonFilter()

    @property
    def replay_command(self) -> str:
        """The command that replays what is short in this scope, as a shell takes it."""
        words = ["sprig-tui", "reconcile", "--replay-short", *self._words]
        given = (
            ("-e", self._environment),
            ("--since", self._since if self._since != DEFAULT_SINCE else None),
            ("--until", self._until),
            ("--by", self._by),
            ("--hold-back", f"{self._hold_back_s:g}s" if self._hold_back_s != DEFAULT_HOLD_BACK_S else None),
        )
        for option, value in given:
            words += [option, value] if value else []
        return shlex.join(words)

    async def compare(self, settings: Settings, journal: Journal | None) -> Report:
        """One comparison, which is kept for other commands. Raises ConfigError and JournalError."""
        from sprig_tui.cli.workspace import public_api
        from sprig_tui.clock import SystemClock
        from sprig_tui.config.paths import find_paths
        from sprig_tui.reconcile import last_report, run
        from sprig_tui.segment.metrics import Granularity

        clock = SystemClock()
        since, until = self.bounds(clock.now())
        if since >= until:
            raise click.UsageError("--since is not before --until")
        if since >= clock.now():
            raise click.UsageError("--since lies ahead")
        with diagnostics.ProgressLine() as line:

            def show(progress: Progress) -> None:
                if diagnostics.is_terminal():
                    line.update(f"asking Segment: {progress.done:,} of {progress.planned:,}, {progress.what}")

            async with public_api(settings.workspace) as api:
                report = await run.reconcile(
                    settings,
                    journal,
                    api,
                    environments=[self._environment] if self._environment else self._filter(clock.now()).environments,
                    since=since,
                    until=until,
                    clock=clock,
                    on_progress=show,
                    granularity=Granularity(self._by.upper()) if self._by else None,
                    hold_back_ms=round(self._hold_back_s * 1000),
                )
                self.clock_problem = clock_problem(api.clock_ahead_s)
        if self.clock_problem:
            hint = "set it by NTP, and compare again; what was delivered with the wrong clock may look short then"
            diagnostics.warning(self.clock_problem, hint)
        try:
            last_report.save(find_paths(), report)
        except ConfigError as error:
            diagnostics.warning(f"the result is not kept for the console: {error.message}", error.hint)
        return report


def clock_problem(ahead_s: float | None) -> str:
    """That this clock differs from Segment's by more than a comparison allows for; empty where it does not."""
    from sprig_tui.formatting import format_duration
    from sprig_tui.reconcile.run import clocks_differ

    if ahead_s is None or not clocks_differ(ahead_s):
        return ""
    side = "ahead of" if ahead_s > 0 else "behind"
    return f"this machine's clock is {format_duration(abs(ahead_s))} {side} Segment's: their counts cannot be compared"


def _parse_moment(option: str, text: str, now: int) -> int:
    from sprig_tui.journal.moments import parse_moment

    try:
        return parse_moment(text, now)
    except FilterError as error:
        raise click.UsageError(f"{option}: {error.message}; {error.hint}") from error


_SECRETS = (WRITE_KEY, PUBLIC_API_TOKEN)
"""What a comparison needs."""


async def _reconcile_once(scope: Scope, *, replay_short: bool, yes: bool, as_json: bool) -> int:
    settings = await asyncio.to_thread(read_secrets, open_settings(), *_SECRETS)
    async with existing_journal_session(settings) as journal:
        report = await scope.compare(settings, journal)
        _write(report, as_json=as_json, replay_command="" if replay_short else scope.replay_command)
        output.flush()
        if replay_short and scope.clock_problem:
            diagnostics.failure(f"nothing was replayed: {scope.clock_problem}", "sprig-tui replay takes a time itself")
            return ExitCode.USAGE
        if replay_short and journal is not None:
            from sprig_tui.cli.commands.reconcile_replay import replay_shortfalls

            replayed = await replay_shortfalls(journal, settings, report, yes=yes, as_json=as_json)
            if replayed is not None:
                return replayed
    return exit_code(report)


async def _watch_until_stopped(scope: Scope, interval_s: float, *, as_json: bool) -> int:
    from sprig_tui.cli.shutdown import STOP_DEADLINE_S, ShutdownRequested, ShutdownSignals

    signals = ShutdownSignals(deadline_s=STOP_DEADLINE_S, last_code=ExitCode.INTERRUPTED)
    with signals, suppress(ShutdownRequested):
        await signals.guard(_watch(scope, interval_s, signals.requested, as_json=as_json))
    diagnostics.info("interrupted")
    return ExitCode.INTERRUPTED


async def _watch(scope: Scope, interval_s: float, stop: asyncio.Event, *, as_json: bool) -> None:
    """Compare until stopped. The config is read anew each time; only the first failure of it ends the watch.

    `stop` is set before the cancellation, which can end in another error on its way through the comparison.
    """
    looks = 0
    while not stop.is_set():
        try:
            settings = await asyncio.to_thread(read_secrets, open_settings(quiet=looks > 0), *_SECRETS, quiet=looks > 0)
            async with existing_journal_session(settings) as journal:
                report = await scope.compare(settings, journal)
        except SprigTuiError as error:
            if not looks and error.exit_code is ExitCode.USAGE:
                raise
            if stop.is_set():
                return
            diagnostics.warning(f"no comparison this time: {error.message}", error.hint)
        else:
            if not as_json and not output.clear() and looks:
                output.write_line()
            _write(report, as_json=as_json, replay_command=scope.replay_command)
            output.flush()
        looks += 1
        await asyncio.sleep(interval_s)


def _write(report: Report, *, as_json: bool, replay_command: str) -> None:
    from sprig_tui.cli.commands.reconcile_text import report_json, report_lines

    if as_json:
        output.write_json(report_json(report))
    else:
        output.write_lines(report_lines(report, replay_command=replay_command))


def exit_code(report: Report) -> ExitCode:
    """The exit code of a comparison."""
    from sprig_tui.reconcile.model import Obstacle, Verdict

    found = report.environments
    if any(one.verdict is Verdict.SHORT for one in found):
        return ExitCode.REJECTED
    if any(one.obstacle in (Obstacle.UNREACHABLE, Obstacle.RATE_LIMITED) for one in found):
        return ExitCode.UNREACHABLE
    # an environment that has no key and sends nothing is no fault beside one that has
    idle = (Obstacle.NO_KEY, Obstacle.NOT_IN_WORKSPACE)
    at_fault = [
        one
        for one in found
        if one.verdict is Verdict.CANNOT_ASK
        and one.obstacle is not Obstacle.TOO_OLD
        and (one.obstacle not in idle or any(bucket.sends for bucket in one.buckets))
    ]
    nothing_asked = all(one.verdict is Verdict.CANNOT_ASK and one.obstacle is not Obstacle.TOO_OLD for one in found)
    return ExitCode.USAGE if at_fault or nothing_asked else ExitCode.OK
