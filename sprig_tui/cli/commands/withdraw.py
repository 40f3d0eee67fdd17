"""Command `withdraw`: takes queued deliveries back."""

from __future__ import annotations

import asyncio
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
    sprig-tui replay queues them again. What a worker is sending at the moment is left alone, and counted.

    Exit code 0 when none of them is queued any more, 1 when some were left alone.
    """
    query = read_filter(words, **options)
    if ids and query.terms:
        raise click.UsageError("name deliveries by --id or by a filter, not both")
    if not ids and not is_selective(query) and not everything:
        raise click.UsageError("name what to withdraw: a filter such as env:production, --id N, or --all")
    return asyncio.run(_withdraw(query, ids, dry_run=dry_run, yes=yes, as_json=as_json))


async def _withdraw(query: Query, ids: tuple[int, ...], *, dry_run: bool, yes: bool, as_json: bool) -> int:
    from sprig_tui.delivery.withdraw import filter_queued, find_queued

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
            rows = await journal.get_many(sorted(set(ids)))
            if missing := set(ids) - {row.id for row in rows}:
                diagnostics.failure(f"there is no delivery {min(missing)}", "sprig-tui log lists them, the id in front")
                return ExitCode.USAGE
            found = filter_queued(rows)
        else:
            found = await find_queued(journal, query)
        total = len(found.ids)
        to = ", ".join(f"{name or 'no environment'} {number:,}" for name, number in found.environments.items())
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
    from sprig_tui.delivery import withdraw as withdrawal

    with diagnostics.ProgressLine() as shown:
        done = await withdrawal.withdraw_deliveries(
            journal, selection, lambda number: shown.update(f"withdrawn {number:,} of {len(selection):,}")
        )
    if as_json:
        output.write_json(
            {
                "matched": len(selection),
                "withdrawn": done.withdrawn,
                "on_the_wire": done.leased,
                "not_queued": done.not_queued,
            }
        )
    ended = f", {done.not_queued:,} ended before" if done.not_queued else ""
    diagnostics.info(f"{done.withdrawn:,} withdrawn{ended}")
    if done.leased:
        them = "it" if done.leased == 1 else "them"
        diagnostics.warning(
            f"{done.leased:,} left alone: a worker has {them}, and may be sending",
            "what comes back to the queue can be withdrawn then; sprig-tui status tells what a gone worker holds",
        )
    return ExitCode.REJECTED if done.leased else ExitCode.OK
