"""Command `withdraw`: takes queued deliveries back."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from sprig_tui.cli import diagnostics, output, prompts
from sprig_tui.cli.context import journal_exists, journal_session, open_settings
from sprig_tui.cli.filter_options import (
    DELIVERY_ID_TYPE,
    FilterCommand,
    check_environments,
    filter_arguments,
    is_selective,
    read_filter,
)
from sprig_tui.cli.options import json_option, yes_option
from sprig_tui.errors import ExitCode, InputError

if TYPE_CHECKING:
    from array import array

    from sprig_tui.delivery.withdraw import WithdrawJob
    from sprig_tui.journal.base import Journal
    from sprig_tui.journal.query import Query


@click.command("withdraw", cls=FilterCommand)
@filter_arguments
@click.option("--id", "ids", type=DELIVERY_ID_TYPE, multiple=True, metavar="N", help="This delivery; repeatable.")
@click.option("--all", "everything", is_flag=True, help="Without a filter: everything that is queued.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@yes_option
@json_option
def withdraw(
    words: tuple[str, ...],
    ids: tuple[int, ...],
    everything: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    **options: str | None,
) -> int:
    """Take queued deliveries back, by filter or id, before they are sent.

    FILTER is as in `log`; of what it matches only queued ones are meant. They become withheld: withdrawn, and
    sprig-tui replay reason:withdrawn queues them again. What a worker is sending at the moment is left alone, and
    counted.

    It goes step by step, and Ctrl-C stops it between two steps: what was withdrawn by then stays withdrawn, and the
    same command goes on with the rest. To look at a queue before it is sent, see sprig-tui hold.

    Exit code 0 when none of them is queued any more, 1 when some were left alone, 130 when it was interrupted.
    """
    query = read_filter(words, **options)
    if ids and query.terms:
        raise click.UsageError("name deliveries by --id or by a filter, not both")
    if not ids and not is_selective(query) and not everything:
        raise click.UsageError("name what to withdraw: a filter such as env:production, --id N, or --all")
    return asyncio.run(_withdraw(query, ids, dry_run=dry_run, yes=yes, as_json=as_json))


async def _withdraw(query: Query, ids: tuple[int, ...], *, dry_run: bool, yes: bool, as_json: bool) -> int:
    from sprig_tui.delivery.withdraw import find_queued, find_queued_among

    settings = open_settings(quiet=True)
    if not journal_exists(settings):
        await check_environments(query, settings, None)
        if ids:
            raise InputError(f"there is no delivery {min(ids)}: there is no journal yet")
        diagnostics.info("0 queued: there is no journal yet")
        if as_json:
            output.write_json({"dry_run": dry_run, "matched": 0, "environments": {}})
        return ExitCode.OK
    async with journal_session(settings) as journal:
        await check_environments(query, settings, journal)
        if ids:
            chosen = sorted(set(ids))
            if missing := set(chosen) - {row.id for row in await journal.get_many(chosen)}:
                diagnostics.failure(f"there is no delivery {min(missing)}", "sprig-tui log lists them, the id in front")
                return ExitCode.USAGE
            found = await find_queued_among(journal, chosen)
        else:
            with diagnostics.ProgressLine() as counted:
                found = await find_queued(
                    journal, query, lambda number: counted.update(f"counting what is queued: {number:,}")
                )
        total = len(found.ids)
        to = ", ".join(f"{name or 'without an environment'} {number:,}" for name, number in found.environments.items())
        diagnostics.info(f"{total:,} queued{f' ({to})' if to else ''}")
        if dry_run or not total:
            if as_json:
                output.write_json({"dry_run": dry_run, "matched": total, "environments": found.environments})
            return ExitCode.OK
        if not yes and not _confirm(total):
            return ExitCode.USAGE
        return await _withdraw_selection(journal, found.ids, as_json=as_json)


def _confirm(number: int) -> bool:
    if not prompts.is_interactive():
        diagnostics.failure(
            "nothing was withdrawn: there is no terminal to confirm it at", "add --yes, or --dry-run to count"
        )
        return False
    agreed = prompts.confirm(f"withdraw {number:,}? they are not sent until a replay queues them again")
    if not agreed:
        diagnostics.info("nothing was withdrawn")
    return agreed


async def _withdraw_selection(journal: Journal, selection: array[int], *, as_json: bool) -> int:
    from sprig_tui.cli.shutdown import STOP_DEADLINE_S, ShutdownRequested, ShutdownSignals
    from sprig_tui.delivery.withdraw import WithdrawJob

    job = WithdrawJob(journal, selection)
    started_at = time.monotonic()

    def show_progress(job: WithdrawJob) -> None:
        rate = job.position / max(time.monotonic() - started_at, 1e-3)
        left = diagnostics.time_left(job.position, job.total, rate)
        shown.update(f"withdrawn {job.done.withdrawn:,} of {job.total:,}  {rate:,.0f}/s  {left}")

    with ShutdownSignals(deadline_s=STOP_DEADLINE_S, last_code=ExitCode.INTERRUPTED) as signals:
        with diagnostics.ProgressLine() as shown, suppress(ShutdownRequested):
            await signals.guard(job.run(show_progress))
        _report(job, as_json=as_json)
    if job.was_cut_short:
        return ExitCode.INTERRUPTED
    return ExitCode.REJECTED if job.done.leased else ExitCode.OK


def _report(job: WithdrawJob, *, as_json: bool) -> None:
    from sprig_tui.delivery.withdraw import UNDO_FILTER

    done = job.done
    if as_json:
        output.write_json(
            {
                "matched": job.total,
                "withdrawn": done.withdrawn,
                "on_the_wire": done.leased,
                "not_queued": done.not_queued,
                "interrupted": job.was_cut_short,
            }
        )
    ended = f", {done.not_queued:,} ended before" if done.not_queued else ""
    undo = f"; sprig-tui replay {UNDO_FILTER} queues them again" if done.withdrawn else ""
    diagnostics.info(f"{done.withdrawn:,} withdrawn{ended}{undo}")
    if done.leased:
        them = "it" if done.leased == 1 else "them"
        diagnostics.warning(
            f"{done.leased:,} left alone: a worker has {them}, and may be sending",
            "what comes back to the queue can be withdrawn then; sprig-tui status tells what a gone worker holds",
        )
    if job.was_cut_short:
        diagnostics.info(f"interrupted: {job.total - job.position:,} stay queued; the same command withdraws them")
