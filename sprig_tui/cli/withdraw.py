"""`sprig-tui withdraw`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from sprig_tui.cli import asking, diagnostics, output
from sprig_tui.cli.commands import json_option, yes_option
from sprig_tui.cli.filters import DELIVERY_ID, FilterCommand, filter_arguments, read_filter
from sprig_tui.cli.opening import open_settings, opened_journal
from sprig_tui.errors import ExitCode

if TYPE_CHECKING:
    from array import array

    from sprig_tui.journal.contract import Journal
    from sprig_tui.journal.query import Query

AT_ONCE = 1_000
"""Deliveries in one transaction."""


@click.command("withdraw", cls=FilterCommand)
@filter_arguments
@click.option("--id", "ids", type=DELIVERY_ID, multiple=True, metavar="N", help="This delivery; repeatable.")
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
    if not ids and not query.terms and not everything:
        raise click.UsageError("name what to withdraw: a filter such as env:production, --id N, or --all")
    return asyncio.run(_withdraw(query, ids, dry_run=dry_run, yes=yes, as_json=as_json))


async def _withdraw(query: Query, ids: tuple[int, ...], *, dry_run: bool, yes: bool, as_json: bool) -> int:
    async with opened_journal(open_settings(quiet=True)) as journal:
        chosen, environments = await _chosen(journal, query, ids)
        if chosen is None:
            return ExitCode.USAGE
        to = ", ".join(f"{name or 'no environment'} {number:,}" for name, number in environments.items())
        diagnostics.note(f"{len(chosen):,} queued{f' ({to})' if to else ''}")
        if dry_run or not chosen:
            if as_json:
                output.write_json({"dry_run": dry_run, "matched": len(chosen), "environments": environments})
            return ExitCode.OK
        if not yes and not _confirmed(len(chosen)):
            return ExitCode.USAGE
        return await _take_back(journal, chosen, as_json=as_json)


async def _chosen(journal: Journal, query: Query, ids: tuple[int, ...]) -> tuple[array[int] | None, dict[str, int]]:
    """The ids of those that are queued now, and how many by environment; None, said, where a named one is not there."""
    from array import array

    from msgspec.structs import replace

    from sprig_tui.cli.replaying import matching
    from sprig_tui.journal.query import Term
    from sprig_tui.journal.records import State

    environments: dict[str, int] = {}
    if ids:
        rows = await journal.rows(sorted(set(ids)))
        if missing := set(ids) - {row.id for row in rows}:
            diagnostics.fault(f"there is no delivery {min(missing)}", "sprig-tui log lists them, the id in front")
            return None, {}
        found = [row for row in rows if row.state is State.QUEUED]
    else:
        # a filter that names a state keeps it, and what it matches in others is passed over
        named = any(term.field == "status" for term in query.terms)
        terms = query.terms if named else (*query.terms, Term("status", State.QUEUED.value))
        every = matching(journal, replace(query, terms=terms))
        found = [row async for row in every if row.state is State.QUEUED]
    for row in found:
        environments[row.environment] = environments.get(row.environment, 0) + 1
    return array("q", (row.id for row in found)), environments


def _confirmed(number: int) -> bool:
    if not asking.can_ask():
        diagnostics.fault("nothing was withdrawn: nobody is there to confirm it", "add --yes, or --dry-run to count")
        return False
    agreed = asking.confirm(f"withdraw {number:,}? they are not sent until a replay queues them again")
    if not agreed:
        diagnostics.note("nothing was withdrawn")
    return agreed


async def _take_back(journal: Journal, chosen: array[int], *, as_json: bool) -> int:
    withdrawn = on_the_wire = not_queued = 0
    with diagnostics.Progress() as shown:
        for start in range(0, len(chosen), AT_ONCE):
            done = await journal.withdraw(chosen[start : start + AT_ONCE].tolist())
            withdrawn += done.withdrawn
            on_the_wire += done.on_the_wire
            not_queued += done.not_queued
            shown.show(f"withdrawn {withdrawn:,} of {len(chosen):,}")
    if as_json:
        output.write_json(
            {
                "matched": len(chosen),
                "withdrawn": withdrawn,
                "on_the_wire": on_the_wire,
                "not_queued": not_queued,
            }
        )
    ended = f", {not_queued:,} ended before" if not_queued else ""
    diagnostics.note(f"{withdrawn:,} withdrawn{ended}")
    if on_the_wire:
        diagnostics.warning(
            f"{on_the_wire:,} left alone: a worker has {'it' if on_the_wire == 1 else 'them'}, and may be sending",
            "what comes back to the queue can be withdrawn then; sprig-tui status tells what a gone worker holds",
        )
    return ExitCode.REJECTED if on_the_wire else ExitCode.OK
