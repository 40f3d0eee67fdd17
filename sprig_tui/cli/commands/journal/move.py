"""Commands `journal migrate` and `journal copy`: from SQLite to PostgreSQL."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.context import open_settings
from sprig_tui.cli.options import CliCommand, json_option
from sprig_tui.errors import ConfigError, ExitCode
from sprig_tui.journal.url import has_password, is_server_url, password_problem, redact_url

if TYPE_CHECKING:
    from sprig_tui.journal.postgres.copy_from_sqlite import CopiedTable, CopyProgress


_PASSWORD_HINT = "keep it in the file that PGPASSFILE names, in PGPASSWORD, or in journal.url of the config"  # noqa: S105 - a hint, no secret


@click.command("migrate", cls=CliCommand, short_help="Make or upgrade the schema of a journal on PostgreSQL.")
@click.argument("url", metavar="[POSTGRES]", required=False)
@click.option("--grant", metavar="ROLE", multiple=True, help="Let this role use the journal; may be given again.")
@json_option
def migrate(url: str | None, grant: tuple[str, ...], as_json: bool) -> int:
    """Make or upgrade the schema of a journal on PostgreSQL, as its owner.

    POSTGRES is postgresql://owner@host/database; without it the config's journal.url is taken. One at a time, in one
    transaction; workers of the version before go on meanwhile. A password is found in PGPASSWORD or in the file that
    PGPASSFILE names. Workers need no more than what --grant gives to their role.
    """
    from sprig_tui.journal.postgres import migrate as run

    place = _postgres_url(url)
    done = asyncio.run(run(place, grant=grant))
    if as_json:
        output.write_json(
            {"journal": redact_url(place), "before": done.before, "after": done.after, "granted": list(done.granted)}
        )
    if done.before == done.after:
        diagnostics.success(f"{redact_url(place)} has schema {done.after} already")
    else:
        diagnostics.success(
            f"{redact_url(place)} has schema {done.after} now" + (f" (was {done.before})" if done.before else "")
        )
    for role in done.granted:
        diagnostics.info(f"{role} may use it")
    return ExitCode.OK


@click.command("copy", cls=CliCommand, short_help="Move a journal from a file to PostgreSQL.")
@click.argument("sqlite", type=click.Path(exists=True, dir_okay=False))
@click.argument("url", metavar="[POSTGRES]", required=False)
@json_option
def copy(sqlite: str, url: str | None, as_json: bool) -> int:
    """Copy a journal from its SQLite file to PostgreSQL: every delivery with its id, payload and history.

    POSTGRES is the database's address; without it the config's journal.url is taken. The target must be empty and
    have its schema (sprig-tui journal migrate). Nothing may use either of them meanwhile. What was interrupted goes on
    where it was when the same is run again. At the end counts and digests of both are compared; the file stays as it
    is.
    """
    from sprig_tui.config.paths import find_paths
    from sprig_tui.journal.postgres.copy_from_sqlite import copy_journal

    place = _postgres_url(url)
    copied = asyncio.run(copy_journal(sqlite, place, on_progress=_print_progress, key_folder=find_paths().state_dir))
    if as_json:
        output.write_json(
            {
                "from": sqlite,
                "to": redact_url(place),
                "tables": {table.table: {"rows": table.rows, "digest": table.digest} for table in copied},
            }
        )
    _print_summary(copied, redact_url(place))
    return ExitCode.OK


def _print_summary(copied: tuple[CopiedTable, ...], name: str) -> None:
    for table in copied:
        diagnostics.info(f"{table.table:<13}{table.rows:>12,}  {table.digest}")
    diagnostics.success(f"the same rows stand in {name}")
    diagnostics.info(f'now set journal.url = "{name}" in the config of every machine')


def _print_progress(progress: CopyProgress) -> None:
    diagnostics.info(f"{progress.verb} {progress.table}: {progress.rows:,} of {progress.total:,}")


def _postgres_url(url: str | None) -> str:
    place = url if url is not None else open_settings(quiet=True).journal
    if not is_server_url(place):
        raise ConfigError(
            f"{redact_url(place)} is no address of a PostgreSQL database",
            hint="give postgresql://user@host/database, or set journal.url in the config",
        )
    if fault := password_problem(place):
        raise ConfigError(f"the address {redact_url(place)} cannot be used: {fault}", hint=_PASSWORD_HINT)
    if url is not None and has_password(place):
        diagnostics.warning(
            "the password stands in the command line, where everybody on this machine can read it", _PASSWORD_HINT
        )
    return place
