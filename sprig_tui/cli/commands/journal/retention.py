"""Retention in `journal info`, and command `journal compact`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.context import journal_exists, journal_session, open_settings
from sprig_tui.cli.options import CliCommand, json_option
from sprig_tui.errors import ConfigError, ExitCode, InputError, JournalLockedError
from sprig_tui.formatting import iso_time, size_text
from sprig_tui.journal.url import is_server_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sprig_tui.journal.retention import RetentionPolicy, RetentionState
    from sprig_tui.journal.sqlite.compact import FileSpace


def retention_json(policy: RetentionPolicy, state: RetentionState) -> dict[str, Any]:
    """What the config keeps how long, in seconds (null for always), and what was removed so far."""
    kept = {
        "delivered": policy.delivered_ms,
        "failed": policy.failed_ms,
        "withheld": policy.withheld_ms,
        "content": policy.content_ms,
    }
    return {
        "kept_seconds": {name: ms / 1000 if ms else None for name, ms in kept.items()},
        "removed": state.removed,
        "content_dropped": state.content_dropped,
        "last_pass": iso_time(state.finished_at),
        "longest_step_ms": round(state.longest_step_ms, 1),
    }


def retention_lines(policy: RetentionPolicy, state: RetentionState) -> Iterator[str]:
    """The same as lines."""
    from sprig_tui.formatting import local_time

    kept = f"kept: {policy.text()}" if policy.is_active else "kept: everything, for ever"
    when = f"; last looked at {local_time(state.finished_at):%Y-%m-%d %H:%M}" if state.finished_at else ""
    yield kept + when
    done = [f"{number:,} {name}" for name, number in state.removed.items() if number]
    if state.content_dropped:
        done.append(f"the content of {state.content_dropped:,}")
    if done:
        yield f"removed by that so far: {', '.join(done)}"


def space_lines(space: FileSpace) -> Iterator[str]:
    """What is known of the room in a file, where there is something to say."""
    if not space.shrinks:
        yield f"the file never shrinks ({size_text(space.free_bytes)} unused): sprig-tui journal compact changes that"


@click.command("compact", cls=CliCommand, short_help="Rewrite a file without its unused room.")
@json_option
def compact(as_json: bool) -> int:
    """Rewrite the journal's file without its unused room, and let it give room back by itself from then on.

    Nothing of what was removed is in the new file, not even what SQLite left between rows. Files of older versions need
    this once; others shrink while deliveries are removed. Nothing may write meanwhile: stop listen, run and the console
    first. It takes about a second for each 100 MB, and needs as much room again on
    the disk. A journal on PostgreSQL is compacted by its server: VACUUM FULL sprig_tui.packs, while nothing uses it.
    """
    settings = open_settings(quiet=True)
    if is_server_url(settings.journal):
        raise ConfigError(
            "a journal on PostgreSQL is compacted by its server",
            hint="autovacuum lets new deliveries use the room; VACUUM FULL sprig_tui.packs gives it back to the system",
        )
    if not journal_exists(settings):
        raise InputError(f"there is no journal {settings.journal_name}", hint="the first send makes one")
    from sprig_tui.journal.sqlite.compact import compact_file, file_space

    async def live_workers() -> list[str]:
        async with journal_session(settings) as opened:
            return [f"{worker.role} ({worker.pid})" for worker in await opened.workers()]

    if workers := asyncio.run(live_workers()):
        used = f"{', '.join(workers)} {'uses' if len(workers) == 1 else 'use'} the journal"
        raise JournalLockedError(used, hint="stop what uses it, then compact it again")
    before = file_space(settings.journal)
    compact_file(settings.journal)
    after = file_space(settings.journal)
    if as_json:
        output.write_json({"journal": settings.journal, "bytes_before": before.bytes, "bytes": after.bytes})
    diagnostics.success(f"{settings.journal}: {size_text(before.bytes)} before, {size_text(after.bytes)} now")
    return ExitCode.OK
