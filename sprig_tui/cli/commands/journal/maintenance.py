"""Commands `journal verify`, `journal backup` and `journal salvage`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.context import journal_exists, journal_session, open_settings
from sprig_tui.cli.options import CliCommand, json_option
from sprig_tui.errors import ConfigError, ExitCode, InputError, JournalError
from sprig_tui.journal.url import is_server_url, redact_url

if TYPE_CHECKING:
    from sprig_tui.journal.base import Journal

_MAX_SHOWN_LINES = 30
"""Lines of what is wrong; --json has all of them."""


@click.command("verify", cls=CliCommand, short_help="Look through all of it for damage.")
@json_option
def verify(as_json: bool) -> int:
    """Look through all of the journal for damage: its structure, every stored payload, its counts.

    It only reads, and may run while others work. Of a journal on PostgreSQL what is ours is looked at; whether the
    server's pages are whole its own tools tell (data checksums, pg_amcheck).

    Exit code 0 where it is whole, 1 where it is not.
    """
    return asyncio.run(_verify(as_json=as_json))


async def _verify(*, as_json: bool) -> int:
    settings = open_settings(quiet=True)
    _require_exists(journal_exists(settings), settings.journal_name)
    async with journal_session(settings) as opened:
        found = await opened.verify()
    if as_json:
        output.write_json(
            {
                "journal": settings.journal_name,
                "whole": not found.problems,
                "deliveries": found.deliveries,
                "packs": found.packs,
                "problems": list(found.problems),
            }
        )
    if not found.problems:
        noun = "delivery" if found.deliveries == 1 else "deliveries"
        diagnostics.success(f"{settings.journal_name} is whole: {found.deliveries:,} {noun}")
        return ExitCode.OK
    print_damage(settings.journal, found.problems)
    return ExitCode.REJECTED


def print_damage(name: str, problems: tuple[str, ...]) -> None:
    """What is wrong with a journal, and what to do."""
    for text in problems[:_MAX_SHOWN_LINES]:
        diagnostics.warning(text)
    if len(problems) > _MAX_SHOWN_LINES:
        diagnostics.warning(f"and {len(problems) - _MAX_SHOWN_LINES:,} more")
    if is_server_url(name):
        advice = "what failed as damaged can be sent again from where it came; restore the database from a backup"
    else:
        advice = f"what is whole goes on being delivered; sprig-tui journal salvage {name} NEW brings it over"
    diagnostics.failure(f"{redact_url(name)} is damaged", advice)


@click.command("backup", cls=CliCommand, short_help="Write a copy of it, while it is in use.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@json_option
def backup(file: Path, as_json: bool) -> int:
    """Write a copy of the journal to FILE, as it is at one moment, while others work on it.

    The copy is the same journal at an earlier time: to restore it, stop every sprig-tui that uses the journal, remove
    its files (also those that end in -wal and -shm) and put the copy in its place.

    The journal notes when that was, for the checklist of sprig-tui setup.
    """
    settings = open_settings(quiet=True)
    if is_server_url(settings.journal):
        raise ConfigError(
            "a journal on PostgreSQL is backed up by PostgreSQL's own tools",
            hint="pg_dump --schema=sprig_tui, or whatever backs up the server",
        )
    _require_exists(journal_exists(settings), settings.journal)
    size = asyncio.run(_backup(settings.journal, file.absolute()))
    if as_json:
        output.write_json({"journal": settings.journal, "file": str(file), "bytes": size})
    diagnostics.success(f"{file} has a copy of {settings.journal}, {size:,} bytes")
    return ExitCode.OK


async def _backup(place: str, file: Path) -> int:
    from sprig_tui.journal.sqlite import SQLiteJournal

    async with SQLiteJournal(place) as journal:
        size = await journal.back_up(file)
        await _note_backup(journal, file)
        return size


async def _note_backup(journal: Journal, file: Path) -> None:
    import socket

    from sprig_tui.journal.notes import BackupNote, save_note

    note = BackupNote(at=journal.clock.now(), file=str(file), host=socket.gethostname())
    try:
        await save_note(journal, note)
    except JournalError as error:
        diagnostics.info(f"the journal could not note that it was backed up: {error.message}")


@click.command("salvage", cls=CliCommand, short_help="Bring over what can be read of a damaged one.")
@click.argument("damaged", type=click.Path(exists=True, dir_okay=False))
@click.argument("new", type=click.Path(dir_okay=False))
@json_option
def salvage(damaged: str, new: str, as_json: bool) -> int:
    """Make NEW of all that can be read of the journal file DAMAGED, which stays as it is; list what cannot be.

    Where nothing is lost NEW is the same journal, only smaller. Where something is it is a new one: pulls and watched
    folders read everything again, which brings back what was lost; what is known in it is not sent twice.

    Stop what uses the file first. Exit code 1 where something is lost.
    """
    from sprig_tui.journal.sqlite.salvage import salvage_journal as run

    done = run(damaged, new, diagnostics.info)
    if as_json:
        output.write_json({"from": damaged, "to": new, "deliveries": done.deliveries, "lost": list(done.lost)})
    for text in done.lost[:_MAX_SHOWN_LINES]:
        diagnostics.warning(f"lost: {text}")
    diagnostics.success(f"{new} holds {done.deliveries:,} {'delivery' if done.deliveries == 1 else 'deliveries'}")
    if done.is_complete:
        return ExitCode.OK
    diagnostics.info(f"check it with sprig-tui journal verify once it stands in the place of {damaged}")
    return ExitCode.REJECTED


def _require_exists(exists: bool, name: str) -> None:
    if not exists:
        raise InputError(
            f"there is no journal {name}",
            hint="the first send, listen or pull makes it; sprig-tui paths says where it lives",
        )
