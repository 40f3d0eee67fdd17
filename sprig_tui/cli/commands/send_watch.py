"""Watch run of `send --watch`: ingests files of a folder as they appear, while the engine delivers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sprig_tui.cli import diagnostics, output, prompts
from sprig_tui.cli.context import open_settings, read_secrets
from sprig_tui.cli.progress import lane_problems
from sprig_tui.cli.report import load_account, print_examples, sum_by_state, warn_placeholder_ids
from sprig_tui.cli.session import DeliverySession, service_session
from sprig_tui.config.secrets import HMAC_KEY, PUBLIC_API_TOKEN, WRITE_KEY
from sprig_tui.errors import (
    ConfigError,
    ExitCode,
    InputError,
    JournalError,
    JournalUnavailableError,
    SprigTuiError,
    UnknownFormatError,
)
from sprig_tui.ingest import EntryBuilder
from sprig_tui.ingest.ingest import IngestResult, ingest_records
from sprig_tui.journal.records import State
from sprig_tui.reasons import Reason
from sprig_tui.sprig.folder_watch import FolderNotifier, FolderScanner, ReadyFile, is_file_truncated, signature_of
from sprig_tui.sprig.reader import read_responses
from sprig_tui.sprig.sent_files import SentFiles

if TYPE_CHECKING:
    from sprig_tui.cli.run_options import RunOptions
    from sprig_tui.config.settings import Settings
    from sprig_tui.delivery.engine import Engine
    from sprig_tui.journal.base import Journal
    from sprig_tui.journal.records import NewDelivery


REPORT_POLL_INTERVAL_S = 0.25
"""Seconds between two queries of the journal while files are unreported."""


class _OpenFile(NamedTuple):
    path: str
    result: IngestResult
    since: float


class FileReporter:
    """One report per file: a line for people, and with `as_json` an object on stdout.

    Without an engine a file is reported as it was stored. With one, when none of its deliveries is queued any more,
    or after `timeout_s` seconds.
    """

    def __init__(self, journal: Journal, engine: Engine | None, timeout_s: float, *, as_json: bool) -> None:
        self._journal = journal
        self._engine = engine
        self._timeout_s = timeout_s
        self._as_json = as_json
        self._open: list[_OpenFile] = []
        self._file_added = asyncio.Event()
        self._reported_errors: dict[str, str] = {}

    def add(self, path: str, result: IngestResult) -> None:
        """Add a file whose records are all stored."""
        self._reported_errors.pop(path, None)
        self._open.append(_OpenFile(path, result, time.monotonic()))
        self._file_added.set()

    def report_refused(self, path: str, error: SprigTuiError, so_far: IngestResult) -> None:
        """Report a file that is not sent, or only in part; the same error once."""
        if self._reported_errors.get(path) == error.message:
            return
        self._reported_errors[path] = error.message
        part = f"only its first {so_far.records:,} records were" if so_far.records else "not"
        diagnostics.warning(f"{path}: {part} sent: {error.message}", error.hint)
        self._write_json({"file": path, "records": so_far.records, "error": error.message})

    async def run(self) -> None:
        """Report files as they are settled, until cancelled. Raises JournalError."""
        while True:
            await self._file_added.wait()
            with suppress(JournalUnavailableError):
                await self._report_settled(final=False)
            if not self._open:
                self._file_added.clear()
                continue
            await asyncio.sleep(REPORT_POLL_INTERVAL_S)

    async def finish(self) -> None:
        """Report the remaining files in their current state."""
        try:
            await self._report_settled(final=True)
        except JournalError as error:
            diagnostics.warning(f"the state of the last files is unknown: {error.message}", error.hint)

    async def _report_settled(self, *, final: bool) -> None:
        for file in tuple(self._open):
            queued = 0
            for first, last in file.result.ids:
                queued += await self._journal.count_queued(first, last)
            late = time.monotonic() - file.since >= self._timeout_s
            if not queued or late or final or self._engine is None:
                await self._report(file)
                self._open.remove(file)

    async def _report(self, file: _OpenFile) -> None:
        fed = file.result
        account = await load_account(self._journal, fed)
        queued = sum_by_state(account.all_counts)[State.QUEUED]
        held = lane_problems(self._engine.snapshot()) if self._engine and queued else []
        said = "; ".join([account.text(), *held])
        diagnostics.info(f"{file.path}: {said}" if fed.records else f"{file.path}: no records")
        for state in (State.FAILED, State.WITHHELD):
            await print_examples(self._journal, fed.added, state)
        self._write_json({"file": file.path, **account.as_json()})

    def _write_json(self, row: dict[str, object]) -> None:
        if self._as_json:
            output.write_json(row)
            # a reader follows the stream
            output.flush()


MAX_SCAN_INTERVAL_S = 5.0
"""Seconds between two scans of the folder without a notification, for systems that send none."""
SCAN_COST_FACTOR = 20.0
"""Multiple of a scan's duration until the next scan, however often files change."""
MIN_FILE_RETRY_S = 5.0
MAX_FILE_RETRY_S = 300.0
"""Seconds until a file is tried again that could not be read or stored; doubled each time."""


class FolderSender:
    """Sends what appears in a folder until it is stopped; `consented` are the protected environments it may send to.

    A file is remembered once all of it is in the journal. One that cannot be read now is tried again; one that may not
    be sent (no environment, no key, no consent) is left until it or the config changes. Neither stops the watch.
    """

    def __init__(
        self,
        folder: str,
        settings: Settings,
        options: RunOptions,
        older: Path,
        *,
        declared: str | None,
        consented: frozenset[str],
        deliver: bool,
        force: bool = False,
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._options = options
        self._older = older
        self._declared = declared
        self._consented = consented
        self._deliver = deliver
        self._force = force
        self._scanner = FolderScanner(folder)
        self._notifier = FolderNotifier(folder)
        self._refused: set[str] = set()
        self._retries: dict[str, float] = {}
        self._known_files = 0
        self._missing = False

    async def run(self, *, as_json: bool) -> int:
        """Run until a signal; requests in flight then finish. Returns the exit code."""
        async with service_session(self._settings, self._options) as session:
            if not await session.wait_until_open():
                return ExitCode.OK
            journal = session.journal
            sent_files = await self._load_sent_files(journal)
            if self._deliver:
                await session.start_engine("send --watch")
            reporter = FileReporter(journal, session.engine, self._options.give_up_after, as_json=as_json)
            diagnostics.info(f"watching {self._folder}; press Ctrl-C to stop")
            await session.run(self._run_tasks(session, reporter, sent_files))
            await session.drain()
            await reporter.finish()
            diagnostics.info("stopped; a file that was not read to its end is read again at the next start")
        return session.service_exit_code

    async def _load_sent_files(self, journal: Journal) -> SentFiles:
        """Files already ingested into this journal; the same file counts as new under another `-e`."""
        memory = SentFiles(journal, (self._settings.journal_name, self._declared or ""))
        # newer journals record their files themselves
        await memory.load(self._older if (await journal.identity()).older else None)
        return memory

    async def _run_tasks(self, session: DeliverySession, reporter: FileReporter, sent_files: SentFiles) -> None:
        tasks = [
            asyncio.ensure_future(self._scan_and_send(session.journal, session.engine, reporter, sent_files)),
            asyncio.ensure_future(self._notifier.run()),
            asyncio.ensure_future(session.reload_on_change(self._on_reload)),
            asyncio.ensure_future(reporter.run()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            # they end only by an error
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _on_reload(self, settings: Settings) -> None:
        self._settings = settings
        self._scanner.retry_all(self._refused, time.monotonic())
        self._refused.clear()
        self._notifier.changed.set()

    # -- looking --------------------------------------------------------------------------------------------------

    async def _scan_and_send(
        self, journal: Journal, engine: Engine | None, reporter: FileReporter, sent_files: SentFiles
    ) -> None:
        while True:
            self._notifier.changed.clear()
            started = time.monotonic()
            look = await asyncio.to_thread(self._scanner.scan, started)
            took = time.monotonic() - started
            self._report_missing(missing=look.missing)
            for remark in look.remarks:
                diagnostics.info(remark)
            for arrival in look.ready:
                await self._send_file(arrival, journal, engine, reporter, sent_files)
            self._report_known()
            pause = (
                MAX_SCAN_INTERVAL_S if look.next_scan_in_s is None else min(look.next_scan_in_s, MAX_SCAN_INTERVAL_S)
            )
            try:
                async with asyncio.timeout(max(pause, took * SCAN_COST_FACTOR)):
                    await self._notifier.changed.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(took * SCAN_COST_FACTOR)

    def _report_missing(self, *, missing: bool) -> None:
        if missing != self._missing:
            self._missing = missing
            if missing:
                diagnostics.warning(f"there is no folder {self._folder} now", "files are sent when it is there again")
            else:
                diagnostics.info(f"{self._folder} is there again")

    def _report_known(self) -> None:
        if self._known_files:
            files = "file was" if self._known_files == 1 else "files were"
            diagnostics.info(
                f"{self._known_files:,} {files} read before, and left alone: sprig-tui send FILE sends one again"
            )
            self._known_files = 0

    # -- one file -------------------------------------------------------------------------------------------------

    async def _send_file(
        self, file: ReadyFile, journal: Journal, engine: Engine | None, reporter: FileReporter, sent_files: SentFiles
    ) -> None:
        path, so_far = file.path, IngestResult()

        def on_progress(result: IngestResult) -> None:
            nonlocal so_far
            so_far = result

        try:
            if not self._force and await asyncio.to_thread(is_file_truncated, path):
                diagnostics.info(f"{path} stops in the middle of a line: it is read when the rest is there")
                return
            digest = await asyncio.to_thread(sent_files.digest_of, path)
            if sent_files.knows(digest):
                self._known_files += 1
                return
            intake = EntryBuilder(self._settings.rules, self._options.environments(self._settings), self._declared)
            records = await asyncio.to_thread(read_responses, [path], force=self._force)
            fed = await ingest_records(
                records, intake, journal, engine, on_entry=self._entry_check(), on_progress=on_progress
            )
        except FileNotFoundError:
            return
        except (ConfigError, UnknownFormatError) as error:
            # retried only when the file or the config changes, or at the next start
            self._refused.add(path)
            reporter.report_refused(path, error, so_far)
            return
        except (InputError, JournalUnavailableError) as error:
            self._retry_later(file, error, reporter, so_far)
            return
        except OSError as error:
            self._retry_later(file, InputError(f"cannot be read: {error.strerror}"), reporter, so_far)
            return
        warn_placeholder_ids(intake.placeholder_user_ids, fed.records)
        self._retries.pop(path, None)
        if signature_of(path) == file.signature:
            await self._remember(sent_files, digest, path)
        reporter.add(path, fed)

    async def _remember(self, sent_files: SentFiles, digest: str, path: str) -> None:
        try:
            await sent_files.remember(digest, Path(path).name)
        except JournalError as error:
            diagnostics.warning(
                f"cannot note that {path} was read: {error.message}",
                "after a restart it is read again; nothing is sent twice",
            )

    def _retry_later(self, file: ReadyFile, error: SprigTuiError, reporter: FileReporter, so_far: IngestResult) -> None:
        if signature_of(file.path) is None:
            return
        wait = self._retries.get(file.path, MIN_FILE_RETRY_S)
        self._retries[file.path] = min(2 * wait, MAX_FILE_RETRY_S)
        self._scanner.retry_later(file, time.monotonic() + wait)
        reporter.report_refused(file.path, error, so_far)

    def _entry_check(self) -> Callable[[NewDelivery], None]:
        """A check that raises ConfigError at the first answer whose environment is not allowed."""
        environments = self._options.environments(self._settings)
        asked: set[str] = set()

        def check(entry: NewDelivery) -> None:
            name = entry.environment
            if name in asked or not entry.digest:  # what is no answer has none
                return
            if not name and not asked:
                detail = entry.detail if entry.reason == Reason.ENVIRONMENT_UNKNOWN else ""
                raise ConfigError(f"which environment? {detail or 'its first answer names none'}")
            if name and self._deliver and environments[name].write_key is None:
                raise ConfigError(f"{name} has no write key", hint=f"set one with sprig-tui keys set {name}")
            if name and self._deliver and environments[name].protected and name not in self._consented:
                raise ConfigError(
                    f"{name} is protected, and there is no terminal to ask at",
                    hint=f"watch with -e {name}, or with --yes",
                )
            asked.add(name)

        return check


LEGACY_SENT_FILES = "sent-files"
"""In the state folder: what was read before, by content, when journals did not keep it themselves."""


def watch_folder(
    folder: str, environment: str | None, options: RunOptions, *, deliver: bool, force: bool, yes: bool, as_json: bool
) -> int:
    """Watch until stopped; returns the exit code. Raises before anything is read where it cannot start."""
    from sprig_tui.config.paths import find_paths

    if not Path(folder).is_dir():
        what = "is not a folder" if Path(folder).exists() else "is not there"
        raise InputError(f"{folder} {what}", hint="--watch takes a folder that exists")
    settings = open_settings()
    named = [settings.environment(environment).name] if environment is not None else None
    kinds = (WRITE_KEY, PUBLIC_API_TOKEN) if deliver else ()
    settings = read_secrets(settings, HMAC_KEY, *kinds, environments=named)
    if environment is not None and settings.environment(environment).write_key is None and deliver:
        raise ConfigError(
            f"{environment} has no write key",
            hint=f"set one with sprig-tui keys set {environment}, or queue with --no-wait",
        )
    consented = _ask_consent(settings, environment, yes=yes or not deliver)
    older = find_paths().state_dir / LEGACY_SENT_FILES
    sending = FolderSender(
        folder, settings, options, older, declared=environment, consented=consented, deliver=deliver, force=force
    )

    async def run() -> int:
        return await sending.run(as_json=as_json)

    return asyncio.run(run())


def _ask_consent(settings: Settings, declared: str | None, *, yes: bool) -> frozenset[str]:
    """Protected environments that may be sent to; asked once at the start."""
    closed = {name for name, found in settings.environments.items() if found.protected}
    if yes:
        return frozenset(closed)
    if declared not in closed:
        return frozenset()
    question = f"{declared} is protected: whatever appears in the folder will be sent there"
    if prompts.is_interactive() and not prompts.confirm_name(question, declared):
        raise InputError(f"not sent: {declared} was not confirmed", hint="nothing was read")
    return frozenset((declared,))
