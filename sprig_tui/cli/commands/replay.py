"""Command `replay`: queues deliveries again, and delivers them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from sprig_tui.cli import diagnostics, output, prompts
from sprig_tui.cli.context import journal_exists, journal_session, open_settings, read_secrets
from sprig_tui.cli.filter_options import (
    DELIVERY_ID_TYPE,
    FilterCommand,
    check_environments,
    filter_arguments,
    is_selective,
    read_filter,
)
from sprig_tui.cli.options import json_option, yes_option
from sprig_tui.cli.run_options import RunOptions, run_options
from sprig_tui.config.secrets import PUBLIC_API_TOKEN, WRITE_KEY
from sprig_tui.errors import ExitCode, InputError

if TYPE_CHECKING:
    from sprig_tui.cli.commands.replay_run import ReplaySelection
    from sprig_tui.config.settings import Settings
    from sprig_tui.journal.query import Query


@click.command("replay", cls=FilterCommand)
@filter_arguments
@click.option("--id", "ids", type=DELIVERY_ID_TYPE, multiple=True, metavar="N", help="This delivery; repeatable.")
@click.option("--as-new", is_flag=True, help="Under a new message id: it may count twice downstream.")
@click.option("--all", "everything", is_flag=True, help="Replay without a filter: everything that ended.")
@run_options
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--no-wait", is_flag=True, help="Queue only; sprig-tui run delivers.")
@yes_option
@json_option
def replay(  # noqa: PLR0913, PLR0917 - click passes each option by name
    words: tuple[str, ...],
    ids: tuple[int, ...],
    as_new: bool,
    everything: bool,
    terms: RunOptions,
    dry_run: bool,
    no_wait: bool,
    yes: bool,
    as_json: bool,
    **options: str | None,
) -> int:
    """Queue deliveries again, by filter or id, and deliver them.

    FILTER is as in `log`. Under the same message id a repeat is safe: Segment drops what it had within about 24 hours,
    so what was delivered in that time changes nothing. Withheld deliveries stay withheld where there is nothing to
    send. A bulk replay keeps behind live traffic; interrupted, it resumes with the next run.
    """
    query = read_filter(words, **options)
    if ids and query.terms:
        raise click.UsageError("name deliveries by --id or by a filter, not both")
    if not ids and not is_selective(query) and not everything:
        raise click.UsageError("name what to replay: a filter such as status:failed, --id N, or --all")
    settings = open_settings()
    if not dry_run and not no_wait:
        settings = read_secrets(settings, WRITE_KEY, PUBLIC_API_TOKEN)
    work = _replay(
        settings, query, ids, terms, as_new=as_new, dry_run=dry_run, no_wait=no_wait, yes=yes, as_json=as_json
    )
    return asyncio.run(work)


async def _replay(
    settings: Settings,
    query: Query,
    ids: tuple[int, ...],
    options: RunOptions,
    *,
    as_new: bool,
    dry_run: bool,
    yes: bool,
    **how: Any,
) -> int:
    from sprig_tui.cli.commands.replay_run import run_replay, select_deliveries

    if not journal_exists(settings):
        await check_environments(query, settings, None)
        if ids:
            raise InputError(f"there is no delivery {min(ids)}: there is no journal yet")
        diagnostics.info("0 match: there is no journal yet")
        if how["as_json"]:
            output.write_json({"dry_run": dry_run, "matched": 0})
        return ExitCode.OK
    async with journal_session(settings) as journal:
        await check_environments(query, settings, journal)
        chosen = await select_deliveries(journal, query, ids, options.environments(settings))
        if chosen is None:
            return ExitCode.USAGE
        _report_selection(chosen, as_new=as_new)
        if dry_run or not chosen.total:
            if how["as_json"]:
                output.write_json({"dry_run": dry_run, "matched": chosen.total, **chosen.as_json()})
            return ExitCode.OK
        if not yes and not confirm_replay(settings, chosen, as_new=as_new):
            return ExitCode.USAGE
        return await run_replay(journal, settings, options, query, chosen, as_new=as_new, **how)


def _report_selection(selection: ReplaySelection, *, as_new: bool) -> None:
    from sprig_tui.cli.log_format import clock_time
    from sprig_tui.cli.report import counts_text, unsendable_text
    from sprig_tui.journal.content import dropped_text
    from sprig_tui.journal.resend import repaired_text

    to = ", ".join(f"{name or 'without an environment'} {number:,}" for name, number in selection.environments.items())
    diagnostics.info(f"{selection.total:,} match: {counts_text(selection.tally)}{f' ({to})' if to else ''}")
    if lasting := unsendable_text(selection.tally):
        diagnostics.info(lasting)
    if dropped := dropped_text(selection.dropped):
        diagnostics.info(dropped)
    if repaired := repaired_text(selection.repaired):
        diagnostics.warning(repaired)
    for (went, goes), number in selection.redirected.items():
        diagnostics.info(f"{number:,} went to {went}; a replay goes to {goes}")
    if selection.ignored_until and not as_new:
        diagnostics.info(
            f"Segment ignores repeats of what it got in the last 24 hours: {selection.recent:,} of them, "
            f"the last until about {clock_time(selection.ignored_until)[:16]}"
        )


def confirm_replay(settings: Settings, selection: ReplaySelection, *, as_new: bool) -> bool:
    """Ask at the terminal, for each protected environment by its name; False, with a reason, where there is none."""
    if not prompts.is_interactive():
        diagnostics.failure(
            "nothing was replayed: there is no terminal to confirm it at", "add --yes, or --dry-run to count"
        )
        return False
    if as_new:
        diagnostics.warning("as new: each may count twice downstream")
    protected = [
        name
        for name in selection.environments
        if name in settings.environments and settings.environments[name].protected
    ]
    agreed = (
        all(
            prompts.confirm_name(f"{name} is protected: {selection.environments[name]:,} go there", name)
            for name in protected
        )
        if protected
        else prompts.confirm(f"replay {selection.total:,}?")
    )
    if not agreed:
        diagnostics.info("nothing was replayed")
    return agreed
