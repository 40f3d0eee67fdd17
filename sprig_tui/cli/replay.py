"""`sprig-tui replay`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from sprig_tui.cli import asking, diagnostics, output
from sprig_tui.cli.commands import json_option, yes_option
from sprig_tui.cli.filters import (
    DELIVERY_ID,
    FilterCommand,
    check_environments,
    filter_arguments,
    names_some,
    read_filter,
)
from sprig_tui.cli.opening import journal_exists, open_settings, opened_journal
from sprig_tui.cli.terms import Terms, terms_options
from sprig_tui.errors import ExitCode, InputError

if TYPE_CHECKING:
    from sprig_tui.cli.replaying import Chosen
    from sprig_tui.config.settings import Settings
    from sprig_tui.journal.query import Query


@click.command("replay", cls=FilterCommand)
@filter_arguments
@click.option("--id", "ids", type=DELIVERY_ID, multiple=True, metavar="N", help="This delivery; repeatable.")
@click.option("--as-new", is_flag=True, help="Under a new message id: it may count twice downstream.")
@click.option("--all", "everything", is_flag=True, help="Replay without a filter: everything that ended.")
@terms_options
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--no-wait", is_flag=True, help="Queue only; sprig-tui run delivers.")
@yes_option
@json_option
def replay(  # noqa: PLR0913, PLR0917 - click passes each option by name
    words: tuple[str, ...],
    ids: tuple[int, ...],
    as_new: bool,
    everything: bool,
    terms: Terms,
    dry_run: bool,
    no_wait: bool,
    yes: bool,
    as_json: bool,
    **options: str | None,
) -> int:
    """Queue deliveries again, by filter or id, and deliver them.

    FILTER is as in `log`. Under the same message id a repeat is safe: Segment drops what it had within about 24 hours,
    so what was delivered in that time changes nothing. Withheld deliveries stay withheld where there is nothing to
    send. A bulk replay keeps behind live traffic; interrupted, it goes on with the next run.
    """
    query = read_filter(words, **options)
    if ids and query.terms:
        raise click.UsageError("name deliveries by --id or by a filter, not both")
    if not ids and not names_some(query) and not everything:
        raise click.UsageError("name what to replay: a filter such as status:failed, --id N, or --all")
    settings = open_settings()
    work = _replay(
        settings, query, ids, terms, as_new=as_new, dry_run=dry_run, no_wait=no_wait, yes=yes, as_json=as_json
    )
    return asyncio.run(work)


async def _replay(
    settings: Settings,
    query: Query,
    ids: tuple[int, ...],
    terms: Terms,
    *,
    as_new: bool,
    dry_run: bool,
    yes: bool,
    **how: Any,
) -> int:
    from sprig_tui.cli.replaying import choose, deliver

    if not journal_exists(settings):
        await check_environments(query, settings, None)
        if ids:
            raise InputError(f"there is no delivery {min(ids)}: there is no journal yet")
        diagnostics.note("0 match: there is no journal yet")
        if how["as_json"]:
            output.write_json({"dry_run": dry_run, "matched": 0})
        return ExitCode.OK
    async with opened_journal(settings) as journal:
        await check_environments(query, settings, journal)
        chosen = await choose(journal, query, ids, terms.environments(settings))
        if chosen is None:
            return ExitCode.USAGE
        _say(chosen, as_new=as_new)
        if dry_run or not chosen.total:
            if how["as_json"]:
                output.write_json({"dry_run": dry_run, "matched": chosen.total, **chosen.as_json()})
            return ExitCode.OK
        if not yes and not _confirmed(settings, chosen, as_new=as_new):
            return ExitCode.USAGE
        return await deliver(journal, settings, terms, query, chosen, as_new=as_new, **how)


def _say(chosen: Chosen, *, as_new: bool) -> None:
    from sprig_tui.cli.log_lines import clock_time
    from sprig_tui.cli.tally import tally_text, unsendable_text

    to = ", ".join(f"{name or 'no environment'} {number:,}" for name, number in chosen.environments.items())
    diagnostics.note(f"{chosen.total:,} match: {tally_text(chosen.tally)}{f' ({to})' if to else ''}")
    if lasting := unsendable_text(chosen.tally):
        diagnostics.note(lasting)
    for (went, goes), number in chosen.redirected.items():
        diagnostics.note(f"{number:,} went to {went}; a replay goes to {goes}")
    if chosen.ignored_until and not as_new:
        diagnostics.note(
            f"Segment ignores repeats of what it got in the last 24 hours: {chosen.recent:,} of them, "
            f"the last until about {clock_time(chosen.ignored_until)[:16]}"
        )


def _confirmed(settings: Settings, chosen: Chosen, *, as_new: bool) -> bool:
    if not asking.can_ask():
        diagnostics.fault("nothing was replayed: nobody is there to confirm it", "add --yes, or --dry-run to count")
        return False
    if as_new:
        diagnostics.warning("as new: each may count twice downstream")
    protected = [
        name for name in chosen.environments if name in settings.environments and settings.environments[name].protected
    ]
    agreed = (
        all(
            asking.confirm_name(f"{name} is protected: {chosen.environments[name]:,} go there", name)
            for name in protected
        )
        if protected
        else asking.confirm(f"replay {chosen.total:,}?")
    )
    if not agreed:
        diagnostics.note("nothing was replayed")
    return agreed
