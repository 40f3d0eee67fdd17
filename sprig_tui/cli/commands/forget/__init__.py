"""Command `forget`: removes a person's data everywhere, and takes in nothing of theirs any more."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sprig_tui.cli import diagnostics, output, prompts
from sprig_tui.cli.commands.forget.identifiers import read_identifiers, undo_identifiers
from sprig_tui.cli.context import journal_exists, journal_session, open_settings, read_secrets
from sprig_tui.cli.options import command, json_option, yes_option
from sprig_tui.config.secrets import PUBLIC_API_TOKEN
from sprig_tui.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sprig_tui.config.settings import Settings
    from sprig_tui.delivery.forget import FoundContent
    from sprig_tui.journal.base import Journal
    from sprig_tui.journal.persons import Identifier

REGULATION_KINDS = ("suppress-with-delete", "suppress-only", "delete-only")
"""Requests that Segment takes for users, in the spelling of an option."""


@command("forget")
@click.option("--user", "users", multiple=True, metavar="ID", help="This User ID; repeatable.")
@click.option("--email", "emails", multiple=True, metavar="ADDRESS", help="This e-mail address; repeatable.")
@click.option("--visitor", "visitors", multiple=True, metavar="ID", help="This visitor id of Sprig; repeatable.")
@click.option(
    "--file", "file", type=click.Path(), metavar="FILE", help="One a line: user:ID, email:ADDRESS or visitor:ID; or -."
)
@click.option("--linked", is_flag=True, help="Also the other ids and addresses that their answers carry.")
@click.option(
    "--capture",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    help="Also this folder of listen --capture; those of this machine are known.",
)
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--resume", is_flag=True, help="End what an interrupted run left.")
@click.option("--at-segment", type=click.Choice(REGULATION_KINDS), help="Ask Segment too, for the User IDs.")
@click.option("--list", "listing", is_flag=True, help="Who is forgotten, by hash.")
@click.option("--audit", is_flag=True, help="Who asked for what, when, and what was removed.")
@click.option("--undo", "undone", multiple=True, metavar="ID", help="Take new answers of this one again; repeatable.")
@click.option("--undo-all", is_flag=True, help="Take new answers of everybody again; needs no key.")
@yes_option
@json_option
def forget(  # noqa: PLR0913 - one for each option
    *,
    users: tuple[str, ...],
    emails: tuple[str, ...],
    visitors: tuple[str, ...],
    file: str | None,
    linked: bool,
    folders: tuple[Path, ...],
    dry_run: bool,
    resume: bool,
    at_segment: str | None,
    listing: bool,
    audit: bool,
    undone: tuple[str, ...],
    undo_all: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Remove a person's data everywhere, and take in nothing of theirs any more.

    Counts what holds the person, asks, then removes the content: answers, records, calls, responses that may quote
    them, captured requests, remembered file names. Deliveries keep their row without content, so that every account
    stays even. What is queued is withheld, what a worker has leased is waited for. Later answers are withheld as
    `forgotten`, recognised by a keyed hash.

    Exit code 0 when nothing is left, 1 when a worker still has some of it: run it again with --resume.
    """
    from sprig_tui.cli.commands.forget import records

    identifiers = read_identifiers(users, emails, visitors, file)
    _check_usage(
        [bool(identifiers), resume, listing, audit, bool(undone), undo_all], at_segment, identifiers, dry_run=dry_run
    )
    if linked and not identifiers:
        raise click.UsageError("--linked looks at the answers of the person: name one")
    settings = open_settings(quiet=True)
    if at_segment and not dry_run:
        settings = _with_token(settings)
    if not journal_exists(settings):
        return records.report_no_journal(as_json=as_json)
    if listing or audit:
        return asyncio.run(records.show(settings, audit=audit, as_json=as_json))
    if undone or undo_all:
        return asyncio.run(_undo(settings, None if undo_all else undo_identifiers(undone), yes=yes, as_json=as_json))
    return asyncio.run(
        _forget(settings, identifiers, folders, at_segment, linked=linked, dry_run=dry_run, yes=yes, as_json=as_json)
    )


def _check_usage(ways: list[bool], at_segment: str | None, identifiers: Sequence[Identifier], *, dry_run: bool) -> None:
    if sum(ways) != 1:
        raise click.UsageError("name whom to forget (--user, --email, --visitor or --file), or one of the other ways")
    if at_segment and not any(one.kind == "user" for one in identifiers):
        raise click.UsageError("--at-segment needs --user: Segment knows users by their User ID")
    if dry_run and not identifiers:
        raise click.UsageError("--dry-run counts what holds the person: name one")


def _with_token(settings: Settings) -> Settings:
    settings = read_secrets(settings, PUBLIC_API_TOKEN)
    if settings.workspace.token is None:
        from sprig_tui.cli.workspace import NO_TOKEN_HINT

        raise ConfigError("no token of Segment's Public API is configured", hint=NO_TOKEN_HINT)
    return settings


async def _forget(
    settings: Settings,
    identifiers: Sequence[Identifier],
    folders: tuple[Path, ...],
    at_segment: str | None,
    *,
    linked: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    from sprig_tui.cli.commands.forget import records, report
    from sprig_tui.clock import SystemMonotonicClock
    from sprig_tui.config.paths import find_paths
    from sprig_tui.delivery import forget as forgetting
    from sprig_tui.delivery.forget import requester
    from sprig_tui.webhooks.capture_folders import capture_folders

    state_dir = find_paths().state_dir
    searched = tuple(dict.fromkeys((*folders, *capture_folders(state_dir))))
    async with journal_session(settings) as journal:
        if not identifiers and not await records.has_unfinished(journal):
            return report.report_nothing_to_resume(as_json=as_json)
        found = None
        if identifiers:
            found = await _count(journal, identifiers, searched, state_dir)
            if linked and found.others:
                diagnostics.info(f"added, because their answers carry them: {report.others_text(found)}")
                identifiers = (*identifiers, *found.others)
                found = await _count(journal, identifiers, searched, state_dir)
            report.print_found(found, identifiers)
            report.print_untouched(settings, state_dir, identifiers)
            if dry_run:
                return report.write_dry_run(found, as_json=as_json)
            await report.print_key_hosts(journal)
            if not yes and not _confirm(len(found.ids)):
                return ExitCode.USAGE
        with diagnostics.ProgressLine() as shown:
            outcome = await forgetting.forget(
                journal,
                identifiers,
                requester(),
                SystemMonotonicClock(),
                capture_folders=searched,
                state_dir=state_dir,
                on_step=lambda step: shown.update(step.text),
            )
        asked = True
        if at_segment:
            from sprig_tui.cli.commands.forget.regulation import ask_segment

            outcome, asked = await ask_segment(settings, journal, identifiers, at_segment, outcome)
    code = report.print_outcome(outcome, found, as_json=as_json)
    return code if asked else ExitCode.REJECTED


async def _count(
    journal: Journal, identifiers: Sequence[Identifier], folders: tuple[Path, ...], state_dir: Path
) -> FoundContent:
    from sprig_tui.delivery.forget import find_content

    with diagnostics.ProgressLine() as shown:
        return await find_content(
            journal, identifiers, folders, lambda step: shown.update(step.text), state_dir=state_dir
        )


def _confirm(number: int) -> bool:
    what = f"remove the content of {number:,}" if number else "take in nothing of theirs from now on"
    question = f"{what}? what is removed cannot be brought back"
    return prompts.confirm_removal(question, hint="add --yes, or --dry-run to count")


async def _undo(settings: Settings, identifiers: Sequence[Identifier] | None, *, yes: bool, as_json: bool) -> int:
    from sprig_tui.delivery.forget import requester

    if identifiers is None and not yes:
        if not prompts.is_interactive():
            diagnostics.failure("nothing was changed: there is no terminal to confirm it at", "add --yes")
            return ExitCode.USAGE
        if not prompts.confirm("take new answers of everybody again?"):
            diagnostics.info("nothing was changed")
            return ExitCode.USAGE
    async with journal_session(settings) as journal:
        before = await journal.forgotten()
        gone = await journal.undo_forget(identifiers, requester())
        left = await journal.forgotten()
    if as_json:
        output.write_json({"undone": gone})
    if not gone:
        diagnostics.warning("none of them was forgotten", "sprig-tui forget --list tells how many are")
        return ExitCode.REJECTED
    them = "identifier is" if gone == 1 else "identifiers are"
    diagnostics.info(f"{gone:,} {them} forgotten no more: new answers are taken in; what was removed stays removed")
    known = {one.hash for one in left}
    requests = {one.receipt for one in before if one.hash not in known}
    if together := sum(one.receipt in requests for one in left):
        stay = "1 identifier of the same request stays" if together == 1 else f"{together:,} of the same request stay"
        diagnostics.warning(
            f"{stay} forgotten: an answer that carries one is withheld, also where it is the same person",
            "sprig-tui forget --undo takes each of them",
        )
    return ExitCode.OK
