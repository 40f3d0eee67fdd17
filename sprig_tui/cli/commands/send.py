"""Command `send`: maps, journals and delivers files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING

import click

from sprig_tui.cli import diagnostics, output, prompts
from sprig_tui.cli.context import load_suppressed, open_settings, read_files, read_secrets
from sprig_tui.cli.options import FILES_TYPE, command, environment_option, force_option, json_option, yes_option
from sprig_tui.cli.run_options import RunOptions, run_options
from sprig_tui.config.secrets import HMAC_KEY, PUBLIC_API_TOKEN, WRITE_KEY
from sprig_tui.errors import ConfigError, ExitCode, SprigTuiError

if TYPE_CHECKING:
    from sprig_tui.config.environment import Environment
    from sprig_tui.config.settings import Settings
    from sprig_tui.ingest import EntryBuilder
    from sprig_tui.journal.records import NewDelivery
    from sprig_tui.sprig.records import Record


class DeclinedError(SprigTuiError):
    """The user declined."""


class ProtectionGate:
    """Admits answers to environments that are not protected or were confirmed.

    Naming a protected environment with `-e` is consent where nobody can be asked (a script); at a terminal its name
    is asked for, unless `--yes` was given. A single record is asked about in the same places, by yes or no.
    """

    def __init__(
        self, builder: EntryBuilder, environments: dict[str, Environment], *, declared: str | None, yes: bool
    ) -> None:
        self._builder = builder
        self._declared = declared
        self._single_record = False
        self._unconfirmed = set() if yes else {name for name, found in environments.items() if found.protected}

    def check_first(self, head: Iterable[Record]) -> None:
        """Check the first two records, so that a refusal comes before anything is stored."""
        first = list(islice(head, 2))
        self._single_record = len(first) < 2
        for record in first:
            self._require_consent(self._builder.route(record).environment)
        if not self._single_record and self._declared in self._unconfirmed:
            self._ask_consent(self._declared)

    @property
    def check_entry(self) -> Callable[[NewDelivery], None] | None:
        """A check that raises for an entry of an unconfirmed environment; None where all are allowed."""
        return (lambda entry: self._require_consent(entry.environment)) if self._unconfirmed else None

    def _require_consent(self, name: str) -> None:
        if name in self._unconfirmed:
            self._ask_consent(name)

    def _ask_consent(self, name: str) -> None:
        if not prompts.is_interactive():
            if self._declared != name:
                raise ConfigError(
                    f"{name} is protected, and there is no terminal to ask at",
                    hint=f"name it with -e {name}, or add --yes",
                )
        elif not self._confirmed(name):
            raise DeclinedError(f"not sent: {name} was not confirmed", hint="what was stored before stays queued")
        self._unconfirmed.discard(name)

    def _confirmed(self, name: str) -> bool:
        if self._single_record:
            return prompts.confirm(f"{name} is protected: send this answer there?")
        return prompts.confirm_name(f"{name} is protected: answers will be sent there", name)


FOLDER_TYPE = click.Path()
MAX_LOOKAHEAD_RECORDS = 100
"""Records searched for the first answer before anything is stored."""


@command("send")
@click.argument("files", nargs=-1, type=FILES_TYPE, metavar="FILE...")
@click.option("--watch", type=FOLDER_TYPE, metavar="FOLDER", help="Send files as they appear in FOLDER, until stopped.")
@environment_option
@run_options
@click.option("--dry-run", is_flag=True, help="Map and count; store and send nothing.")
@click.option("--no-wait", is_flag=True, help="Store only; sprig-tui run delivers.")
@force_option
@yes_option
@json_option
def send(  # noqa: PLR0913, PLR0917 - one for each option
    files: tuple[str, ...],
    watch: str | None,
    environment: str | None,
    terms: RunOptions,
    dry_run: bool,
    no_wait: bool,
    force: bool,
    yes: bool,
    as_json: bool,
) -> int:
    """Map, journal and deliver files of answers.

    FILE is JSON, JSON Lines or Sprig's CSV export, plain or .gz, a folder of them, or - for standard input. Returns
    when every delivery has reached an end state. Sending the same file again sends nothing twice.

    A file in which none of the first 20 records is one of Sprig's is no file of answers: nothing of it is stored.

    A protected environment asks for its name; in a script, naming it with -e is the consent.

    With --watch, complete files in FOLDER and its sub-folders are sent as they appear, those that are there first;
    hidden ones and links are left out. What was read is remembered by content, over restarts too. With --json each
    file gets an object of its own.
    """
    if watch is not None:
        if files or dry_run:
            raise click.UsageError("--watch takes a folder and nothing else: leave out FILE and --dry-run")
        from sprig_tui.cli.commands.send_watch import watch_folder

        return watch_folder(watch, environment, terms, deliver=not no_wait, force=force, yes=yes, as_json=as_json)
    if not files:
        raise click.UsageError("name the files to send, or a folder with --watch")
    settings = open_settings()
    environments = terms.environments(settings)
    if environment is not None:
        settings.environment(environment)
    kinds = () if dry_run or no_wait else (WRITE_KEY, PUBLIC_API_TOKEN)
    settings = read_secrets(settings, HMAC_KEY, *kinds, environments=environment and [environment])
    if kinds:
        environments = terms.environments(settings)
    from sprig_tui.ingest import EntryBuilder
    from sprig_tui.sprig.reader import ReadProgress

    intake = EntryBuilder(settings.rules, environments, environment)
    progress = ReadProgress()
    records = read_files(files, progress, force=force)
    if dry_run:
        return _dry_run(settings, records, intake, as_json=as_json)
    _check_first_answer(records.peek(), intake, environments, environment, need_key=not no_wait)

    gate = ProtectionGate(intake, environments, declared=environment, yes=yes or no_wait)
    gate.check_first(records.peek())
    from sprig_tui.cli.commands.send_run import SendRun

    async def run() -> int:
        sending = SendRun(settings, environments, terms, intake, progress, environment)
        return await sending.run(records, gate.check_entry, deliver=not no_wait, as_json=as_json)

    return asyncio.run(run())


def _check_first_answer(
    records: Iterable[Record],
    builder: EntryBuilder,
    environments: dict[str, Environment],
    declared: str | None,
    *,
    need_key: bool,
) -> None:
    """Raise before anything is stored where the first answer shows that the command line is wrong."""
    from sprig_tui.sprig.records import StudyResponse

    first = next(
        (record for record in islice(records, MAX_LOOKAHEAD_RECORDS) if isinstance(record, StudyResponse)), None
    )
    chosen = declared
    if first is not None:
        route = builder.route(first)
        chosen = route.environment or declared
        if not chosen:
            if not first.environment and not first.environment_id:
                example = next((name for name, found in environments.items() if not found.protected), "development")
                raise ConfigError("which environment? the first answer names none", hint=f"add -e {example}")
            raise ConfigError(f"which environment? {route.detail}")
    if need_key and chosen and environments[chosen].write_key is None:
        raise ConfigError(
            f"{chosen} has no write key", hint=f"set one with sprig-tui keys set {chosen}, or queue with --no-wait"
        )


def _dry_run(settings: Settings, records: Iterable[Record], builder: EntryBuilder, *, as_json: bool) -> int:
    from sprig_tui.cli.dry_run import DryRun, load_forgotten, withhold_person
    from sprig_tui.cli.plan_check import plan_tally
    from sprig_tui.cli.report import MAX_EXAMPLES, exit_code_for, warn_placeholder_ids
    from sprig_tui.ingest.mapper_process import iter_entries
    from sprig_tui.journal.records import State

    found, users, forgotten = DryRun(plan_tally(settings)), load_suppressed(settings), load_forgotten(settings)
    withheld = number = 0
    with diagnostics.ProgressLine() as shown:
        for number, made in enumerate(iter_entries(records, builder), 1):
            entry = withhold_person(made, forgotten, users)
            found.add(entry)
            if entry.reason:
                withheld += 1
                if withheld <= MAX_EXAMPLES:
                    diagnostics.info(f"  withheld  {entry.source}:{entry.line}  {entry.detail or entry.reason}")
            if not number % 1000:
                shown.update(f"mapped {number:,}")
    if withheld > MAX_EXAMPLES:
        diagnostics.info(f"  and {withheld - MAX_EXAMPLES:,} more withheld")
    if not number:
        diagnostics.info("the input holds no records")
    if as_json:
        output.write_json({**found.as_json(), "doubtful_user_ids": builder.placeholder_user_ids})
    warn_placeholder_ids(builder.placeholder_user_ids, number)
    found.report_plan()
    diagnostics.info(found.text())
    tally = found.account.tally
    return ExitCode.OK if set(tally) <= {(State.QUEUED, "")} else exit_code_for(tally)
