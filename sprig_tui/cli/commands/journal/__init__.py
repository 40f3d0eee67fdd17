"""Command `journal`: its contents, retention and maintenance."""

from __future__ import annotations

import asyncio

import click

from sprig_tui.cli import diagnostics, output, prompts
from sprig_tui.cli.commands.journal.maintenance import backup, print_damage, salvage, verify
from sprig_tui.cli.commands.journal.move import copy, migrate
from sprig_tui.cli.commands.journal.retention import compact, retention_json, retention_lines, space_lines
from sprig_tui.cli.commands.resume import resume_lanes
from sprig_tui.cli.context import existing_journal_session, journal_exists, journal_session, open_settings
from sprig_tui.cli.options import DURATION_TYPE, ENVIRONMENT_TYPE, CliCommand, CliGroup, json_option, yes_option
from sprig_tui.errors import ExitCode
from sprig_tui.formatting import size_text
from sprig_tui.journal.url import is_server_url
from sprig_tui.text import printable

DAMAGE_SCAN_TIMEOUT_S = 2.0
"""Seconds for which `info` looks for damage; `verify` looks at everything."""


@click.group("journal", cls=CliGroup)
def journal() -> None:
    """The journal: look at it, back it up, check it, prune it, resume what is paused, or move it to PostgreSQL."""


journal.add_command(migrate)
journal.add_command(copy)
journal.add_command(verify)
journal.add_command(backup)
journal.add_command(salvage)
journal.add_command(compact)


@journal.command("info", cls=CliCommand, short_help="Where it is, its size, and the deliveries by state.")
@json_option
def info(as_json: bool) -> int:
    """Where the journal is, its size, and how many deliveries stand in which state.

    Of those that were removed and stay known, it says how many there are, and about how much room that takes.

    It is looked at for damage for two seconds; exit code 1 where there is some.
    """
    return asyncio.run(_info(as_json=as_json))


async def _info(*, as_json: bool) -> int:
    from sprig_tui.journal.sqlite.compact import file_space

    settings = open_settings(quiet=True)
    async with existing_journal_session(settings) as opened:
        if opened is None:
            return _report_no_journal(settings.journal_name, as_json=as_json)
        counts = await opened.counts()
        repaired = await opened.repaired()
        lanes = await opened.lanes()
        identity = await opened.identity()
        removed = await opened.tombstones()
        retention = await opened.retention.state()
        look = await opened.verify(DAMAGE_SCAN_TIMEOUT_S)
    space = None if is_server_url(settings.journal) else file_space(settings.journal)
    code = ExitCode.REJECTED if look.problems else ExitCode.OK
    size = None if space is None else space.bytes
    if as_json:
        output.write_json(
            {
                "journal": settings.journal_name,
                "identity": identity.uuid,
                "bytes": size,
                "problems": list(look.problems),
                "environments": counts.by_environment,
                "forgotten": counts.forgotten,
                "repaired": repaired,
                "removed": {"environments": removed.by_environment, "bytes": removed.bytes},
                "retention": retention_json(settings.retention, retention),
                "free_bytes": None if space is None else space.free_bytes,
                "shrinks": None if space is None else space.shrinks,
                "lanes": {
                    name: {
                        "state": lane.state,
                        "cause": lane.cause,
                        "reason": lane.reason or None,
                    }
                    for name, lane in lanes.items()
                },
            }
        )
        if look.problems:
            print_damage(settings.journal, look.problems)
        return code
    output.write_line(printable(settings.journal_name) + ("" if size is None else f"  {size_text(size)}"))
    for name, states in sorted(counts.by_environment.items()):
        shares = {"forgotten": counts.forgotten.get(name, {}), "repaired": repaired.get(name, {})}
        numbers = "  ".join(
            f"{state.value} {number:,}"
            + "".join(f", of which {share[state]:,} {word}" for word, share in shares.items() if share.get(state))
            for state, number in states.items()
            if number
        )
        lane = lanes.get(name)
        standing = f"  {lane.state}: {lane.cause}" if lane and lane.state != "open" else ""
        output.write_line(printable(f"{name or '(no environment)':<18}{numbers}{standing}"))
    if total := sum(removed.by_environment.values()):
        by_name = ", ".join(f"{name or '(no environment)'} {n:,}" for name, n in sorted(removed.by_environment.items()))
        output.write_line(printable(f"removed, and known: {total:,} ({by_name}), about {size_text(removed.bytes)}"))
    lines = (*retention_lines(settings.retention, retention), *(space_lines(space) if space is not None else ()))
    for line in lines:
        output.write_line(printable(line))
    if look.problems:
        print_damage(settings.journal, look.problems)
    return code


def _report_no_journal(place: str, *, as_json: bool) -> int:
    """There is no journal, which is no fault; the exit code."""
    if as_json:
        nothing: dict[str, object] = {
            "identity": None,
            "bytes": 0,
            "problems": [],
            "environments": {},
            "forgotten": {},
            "repaired": {},
            "removed": {"environments": {}, "bytes": 0},
            "retention": None,
            "free_bytes": 0,
            "shrinks": None,
            "lanes": {},
        }
        output.write_json({"journal": place, **nothing})
    diagnostics.info(f"there is no journal {printable(place)} yet: the first send makes it")
    return ExitCode.OK


@journal.command("prune", cls=CliCommand, short_help="Remove deliveries that ended long ago.")
@click.option("--older-than", type=DURATION_TYPE, required=True, help="Ended longer ago than this, such as 30d.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option(
    "--forget-identities",
    "forget",
    is_flag=True,
    help="Let nothing of them stay known, nor of those removed earlier that ended as long ago.",
)
@yes_option
@json_option
def prune(older_than: float, dry_run: bool, forget: bool, yes: bool, as_json: bool) -> int:
    """Remove deliveries that ended (delivered, failed, withheld) long ago; never queued ones.

    What Segment took stays known, by a few dozen bytes without content: it is not sent again when it is read again. So
    do revisions, possible duplicates and what was withdrawn. What failed, or was withheld for another reason, is new
    when it is read again; so is what a run with --endpoint sent.

    With --forget-identities nothing stays known: an answer that is read again, from a file, a pull or a watched folder,
    will be sent again, and Segment drops repeats only within about a day.
    """
    return asyncio.run(_prune(older_than, dry_run=dry_run, forget=forget, yes=yes, as_json=as_json))


async def _prune(older_than: float, *, dry_run: bool, forget: bool, yes: bool, as_json: bool) -> int:
    from sprig_tui.clock import SystemClock
    from sprig_tui.formatting import format_duration

    before = SystemClock().now() - round(older_than * 1000)
    settings = open_settings(quiet=True)
    if not journal_exists(settings):
        if as_json:
            output.write_json({"removed": False, "by_state": {}, "bytes": 0, "forgotten": 0})
        diagnostics.info("nothing to remove: there is no journal yet")
        return ExitCode.OK
    async with journal_session(settings) as opened:
        found = await opened.prune(before, dry_run=True, forget=forget)
        total = sum(found.by_state.values())
        parts = ", ".join(f"{number:,} {state.value}" for state, number in found.by_state.items() if number)
        texts = [f"{total:,} deliveries ({parts}), {size_text(found.bytes)} of payloads"] if total else []
        if found.forgotten:
            texts.append(f"what stays known of {found.forgotten:,} removed earlier")
        text = ", and ".join(texts)
        removed = False
        if texts and not dry_run:
            diagnostics.info(f"would remove {text}")
            if forget:
                diagnostics.warning("nothing of them stays known: an answer that is read again will be sent again")
            if not yes and not prompts.is_interactive():
                diagnostics.failure("nothing was removed: there is no terminal to confirm it at", "add --yes")
                return ExitCode.USAGE
            if yes or prompts.confirm("remove them?"):
                found = await opened.prune(before, forget=forget)
                removed = True
        if as_json:
            output.write_json(
                {
                    "removed": removed,
                    "by_state": found.by_state,
                    "bytes": found.bytes,
                    "forgotten": found.forgotten,
                }
            )
        if not texts:
            diagnostics.info(f"nothing to remove: no delivery ended longer than {format_duration(older_than)} ago")
        else:
            diagnostics.info(f"{'removed' if removed else 'would remove' if dry_run else 'kept'} {text}")
    return ExitCode.OK


@journal.command("resume", cls=CliCommand, short_help="Resume a held or paused environment.")
@click.argument("environment", type=ENVIRONMENT_TYPE, metavar="ENV")
def resume(environment: str) -> int:
    """Resume an environment: what sprig-tui resume ENV --yes does."""
    return asyncio.run(resume_lanes((environment,), yes=True))
