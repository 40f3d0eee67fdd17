"""Replay of what was delivered in a time that is short, under the same ids: `reconcile --replay-short`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sprig_tui.cli import diagnostics, output, prompts
from sprig_tui.cli.commands.reconcile_text import time_range
from sprig_tui.cli.run_options import RunOptions
from sprig_tui.clock import SystemClock
from sprig_tui.errors import ExitCode
from sprig_tui.formatting import format_duration
from sprig_tui.reconcile.model import Shortfall, Verdict, shortfalls
from sprig_tui.segment.limits import SAFE_REPEAT_MS

if TYPE_CHECKING:
    from sprig_tui.cli.commands.replay_run import ReplaySelection
    from sprig_tui.config.settings import Settings
    from sprig_tui.journal.base import Journal
    from sprig_tui.reconcile.model import Report

MAX_LISTED = 10
"""Deliveries listed before the question."""


class _ShortTime(NamedTuple):
    environment: str
    shortfall: Shortfall
    ids: tuple[int, ...]


async def replay_shortfalls(
    journal: Journal, settings: Settings, report: Report, *, yes: bool, as_json: bool
) -> int | None:
    """Ask, queue and deliver; returns the exit code, or None if nothing was replayed and that of the report holds."""
    from sprig_tui.cli.commands.replay_run import run_replay, select_listed
    from sprig_tui.journal.content import dropped_text
    from sprig_tui.journal.query import Query

    found = await _short_times(journal, settings, report)
    options = RunOptions()
    ids = sorted({number for short in found for number in short.ids})
    for short in found:
        diagnostics.info(_short_text(short))
    if not ids:
        diagnostics.info("nothing was replayed" if found else "no shortage was found: nothing was replayed")
        return None
    diagnostics.info("Segment counts and does not list: all go again, and it drops those that it has")
    selection = await select_listed(journal, ids, options.environments(settings))
    if dropped := dropped_text(selection.dropped):
        diagnostics.info(dropped)
    if not as_json:
        await _list_deliveries(journal, selection)
    oldest = min(short.shortfall.start for short in found if short.ids)
    if not _agree(settings, selection, SystemClock().now() - oldest, yes=yes):
        return None if prompts.is_interactive() else ExitCode.USAGE
    code = await run_replay(
        journal, settings, options, Query(), selection, as_new=False, no_wait=False, as_json=as_json
    )
    diagnostics.info(
        "Segment's counts are complete after about seven minutes: sprig-tui reconcile then says whether they arrived"
    )
    return code


async def _short_times(journal: Journal, settings: Settings, report: Report) -> list[_ShortTime]:
    found = []
    for environment in report.environments:
        if environment.verdict is not Verdict.SHORT:
            continue
        endpoint = settings.environments[environment.environment].base_url
        for short in shortfalls(environment.buckets):
            ids = await journal.accepted_ids(environment.environment, short.start, short.end, endpoint=endpoint)
            found.append(_ShortTime(environment.environment, short, ids))
    return found


def _short_text(short: _ShortTime) -> str:
    when = time_range(short.shortfall.start, short.shortfall.end)
    if not short.ids:
        # the journal was pruned since, or a replay has sent them again
        left = "of what was delivered then, none is left to replay"
    else:
        left = f"{len(short.ids):,} were delivered then and not again later"
    return f"{short.environment}: short by {short.shortfall.short:,} in {when}; {left}"


async def _list_deliveries(journal: Journal, selection: ReplaySelection) -> None:
    from sprig_tui.cli.log_format import write_deliveries

    listed = []
    for number in selection.ids[:MAX_LISTED]:
        detail = await journal.get(number)
        if detail is not None:
            listed.append(detail.delivery)
    output.write_line()
    write_deliveries(listed, "lines")
    if selection.total > len(listed):
        output.write_line(f"and {selection.total - len(listed):,} more")
    output.flush()


def _agree(settings: Settings, selection: ReplaySelection, age_ms: int, *, yes: bool) -> bool:
    """Whether to replay; what Segment may have forgotten takes --yes."""
    if age_ms > SAFE_REPEAT_MS:
        diagnostics.warning(
            f"some were delivered {format_duration(age_ms // 1000)} ago: Segment remembers ids for about a day, so it"
            " may count and forward those that it has a second time",
            "" if yes else "add --yes if that is better than the gap; nothing was replayed",
        )
        return yes
    if yes:
        return True
    if not prompts.is_interactive():
        diagnostics.failure("nothing was replayed: there is no terminal to confirm it at", "add --yes")
        return False
    from sprig_tui.cli.commands.replay import confirm_replay

    return confirm_replay(settings, selection, as_new=False)
