"""Command `stats`: deliveries of a period by hour, day, survey, environment, reason, failure and endpoint."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, get_args

import click

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.context import existing_journal_session, open_settings
from sprig_tui.cli.options import ENVIRONMENT_TYPE, command, json_option
from sprig_tui.cli.statistics_text import Grouping
from sprig_tui.errors import ExitCode, FilterError, InputError, JournalError

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.journal.base import Journal
    from sprig_tui.journal.statistics import StatisticsRequest, Unit

MAX_COUNTED_BLOCKS = 8
"""Blocks of changed deliveries that are counted for one look without being kept, in some 50 ms."""


@command("stats")
@click.option(
    "-e", "--environment", "--env", "environments", type=ENVIRONMENT_TYPE, multiple=True, metavar="ENV",
    help="This environment alone; may be repeated.",
)  # fmt: skip
@click.option("--by", type=click.Choice(get_args(Grouping)), default="hour", show_default=True, help="What to list.")
@click.option("--since", metavar="TIME", help="Arrived since: 2h, 7d, 2026-11-23, monday.  [default: 24h; by day 30d]")
@click.option("--until", metavar="TIME", help="Arrived before.")
@click.option("--recount", is_flag=True, help="Count all deliveries again first: what is kept may be damaged.")
@json_option
def stats(
    environments: tuple[str, ...], by: Grouping, since: str | None, until: str | None, recount: bool, as_json: bool
) -> int:
    """Deliveries over time, and by survey, environment, reason, failure and endpoint.

    Counts what the journal holds now, by the time of arrival, in whole hours or days of local time. Below each list
    stands the filter that shows all of it in the log.

    The counts are kept in the journal: a million deliveries are counted as fast as a thousand. With --json: one object
    with all of it, each number beside the filter that finds its deliveries.
    """
    return asyncio.run(_stats(environments, by, since, until, recount=recount, as_json=as_json))


async def _stats(
    environments: tuple[str, ...],
    by: Grouping,
    since: str | None,
    until: str | None,
    *,
    recount: bool,
    as_json: bool,
) -> int:
    from sprig_tui.cli.filter_options import check_environments
    from sprig_tui.clock import SystemClock
    from sprig_tui.journal.query import Query, Term

    settings = open_settings(quiet=True)
    async with existing_journal_session(settings) as journal:
        now = journal.clock.now() if journal is not None else SystemClock().now()
        request = _request(environments, by, since, until, now)
        await check_environments(Query(tuple(Term("env", name) for name in environments)), settings, journal)
        if journal is None:
            diagnostics.info("there is no journal yet: the first send makes it")
            if as_json:
                _write_nothing(request, now)
            return ExitCode.OK
        return await _write(journal, settings, request, by, recount=recount, as_json=as_json)


def _request(
    environments: tuple[str, ...], by: Grouping, since: str | None, until: str | None, now: int
) -> StatisticsRequest:
    """The request for a period; raises FilterError for a time that cannot be read, InputError for a wrong period."""
    from sprig_tui.journal.statistics import DEFAULT_BUCKETS, MAX_BUCKETS, UNIT_MS, StatisticsRequest, buckets_between

    end = _moment("until", until, now) if until else now
    unit: Unit = "day" if by == "day" else "hour"
    if since is None:
        number = DEFAULT_BUCKETS[unit]
        return StatisticsRequest(environments=environments, unit=unit, buckets=number, until=max(end - 1, 0))
    begin = _moment("since", since, now)
    if begin >= end:
        raise InputError("the period ends before it begins", hint="--since is the earlier time, --until the later one")
    if by not in ("hour", "day") and end - begin > MAX_BUCKETS * UNIT_MS["hour"]:
        unit = "day"
    if end - begin > MAX_BUCKETS * UNIT_MS[unit]:
        hint = "use --by day, or a later --since" if unit == "hour" else "use a later --since"
        raise InputError(f"a period has {MAX_BUCKETS:,} {unit}s at most", hint=hint)
    number = buckets_between(unit, begin, end)
    return StatisticsRequest(environments=environments, unit=unit, buckets=number, until=end - 1)


def _moment(option: str, text: str, now: int) -> int:
    from sprig_tui.journal.moments import parse_moment

    try:
        return parse_moment(text, now)
    except FilterError as error:
        raise InputError(f"--{option}: {error.message}", hint=error.hint) from error


async def _write(
    journal: Journal, settings: Settings, request: StatisticsRequest, by: Grouping, *, recount: bool, as_json: bool
) -> int:
    from sprig_tui.cli.context import run_within_read_timeout
    from sprig_tui.cli.statistics_text import statistics_json, statistics_lines

    if recount:
        await journal.recount()
    await _keep_counts(journal, must=recount)
    found = await run_within_read_timeout(journal.statistics(request), settings)
    if as_json:
        output.write_json(statistics_json(found, journal.clock.now()))
    else:
        output.write_lines(statistics_lines(found, by, output.terminal_columns()))
    return ExitCode.OK


async def _keep_counts(journal: Journal, *, must: bool) -> None:
    """Count what has changed since it was counted, if that is much: a look needs no permission to write otherwise.

    Where it cannot be stored, it is counted for this look alone.
    """
    try:
        if not must and await journal.keep_counts(0) <= MAX_COUNTED_BLOCKS:
            return
        diagnostics.info("counting the deliveries of the journal, once ...")
        while await journal.keep_counts():
            pass
    except JournalError:
        if must:
            raise


def _write_nothing(request: StatisticsRequest, now: int) -> None:
    from sprig_tui.cli.statistics_text import statistics_json
    from sprig_tui.journal.block_counts import Summary

    output.write_json(statistics_json(Summary(request, now, {}, {}).result(), now))
