"""`send --watch`: each complete file of a folder goes to the journal as it appears, while the engine delivers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sprig_tui.cli import diagnostics
from sprig_tui.cli.file_reports import FileReports
from sprig_tui.cli.interrupts import ENDS_WITHIN, Interrupts, Stopped
from sprig_tui.cli.opening import awaited_journal
from sprig_tui.cli.reloading import keep_current
from sprig_tui.cli.sending import STOP_DRAIN
from sprig_tui.cli.tally import say_doubtful
from sprig_tui.cli.watching import engine_log
from sprig_tui.delivery.engine import Engine
from sprig_tui.delivery.feeding import IngestResult, ingest
from sprig_tui.errors import (
    ConfigError,
    ExitCode,
    InputError,
    JournalError,
    JournalUnavailableError,
    SprigTuiError,
    UnknownFormatError,
)
from sprig_tui.intake import EntryBuilder
from sprig_tui.reasons import Reason
from sprig_tui.sprig.inbox.arrivals import FolderScanner, ReadyFile, signature_of
from sprig_tui.sprig.inbox.bell import FolderNotifier
from sprig_tui.sprig.inbox.endings import is_truncated
from sprig_tui.sprig.inbox.memory import SentFiles
from sprig_tui.sprig.reading import read_responses

if TYPE_CHECKING:
    from sprig_tui.cli.terms import Terms
    from sprig_tui.config.settings import Settings
    from sprig_tui.journal.contract import Journal
    from sprig_tui.journal.records import NewDelivery

LOOK_EVERY = 5.0
"""Seconds between two looks at the folder when nothing is heard of it, for systems that tell nothing."""
SHARE = 20.0
"""A look that takes long is repeated after so many times as long at the earliest, however often something changes."""
RETRY = 5.0
LONGEST_RETRY = 300.0
"""Seconds until a file is tried again that could not be read or stored; doubled each time."""


class FolderSending:
    """Sends what appears in a folder until it is stopped; `consented` are the protected environments it may send to.

    A file is remembered once all of it is in the journal. One that cannot be read now is tried again; one that may not
    be sent (no environment, no key, no consent) is left until it or the config changes. Neither stops the watch.
    """

    def __init__(
        self,
        folder: str,
        settings: Settings,
        terms: Terms,
        older: Path,
        *,
        declared: str | None,
        consented: frozenset[str],
        deliver: bool,
        force: bool = False,
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._terms = terms
        self._older = older
        self._declared = declared
        self._consented = consented
        self._deliver = deliver
        self._force = force
        self._arrivals = FolderScanner(folder)
        self._bell = FolderNotifier(folder)
        self._refused: set[str] = set()
        self._retries: dict[str, float] = {}
        self._known = 0
        self._missing = False
        self._hangups: asyncio.Event | None = None

    async def run(self, *, as_json: bool) -> int:
        """Until a signal comes; what is on the wire then finishes. Returns the exit code."""
        async with AsyncExitStack() as stack:
            interrupts = stack.enter_context(Interrupts(reads_again=True, ends_within=ENDS_WITHIN))
            awaited = await stack.enter_async_context(awaited_journal(self._settings))
            try:
                await interrupts.guard(awaited.opened())
            except Stopped:
                return ExitCode.OK
            journal = awaited.journal
            self._hangups = interrupts.hangups()
            memory = await self._remembered(journal)
            engine = None
            if self._deliver:
                stack.enter_context(engine_log())
                environments = self._terms.environments(self._settings)
                engine = await stack.enter_async_context(
                    Engine(journal, environments, self._terms.delivery(self._settings), role="send --watch")
                )
            reports = FileReports(journal, engine, self._terms.give_up_after, as_json=as_json)
            diagnostics.note(f"watching {self._folder}; Ctrl-C stops in good order")
            with suppress(Stopped):
                await interrupts.guard(self._work(journal, engine, reports, memory))
            if engine is not None:
                await interrupts.drain(engine.drain(STOP_DRAIN))
            await reports.finish()
            diagnostics.note("stopped; a file that was not read to its end is read again at the next start")
        # Being stopped is how it ends: that is no failure.
        return ExitCode.INTERRUPTED if interrupts.insisted.is_set() else ExitCode.OK

    async def _remembered(self, journal: Journal) -> SentFiles:
        """What went into this journal before; the same content is news under another declaration."""
        memory = SentFiles(journal, (self._settings.journal_name, self._declared or ""))
        # a journal made since then keeps all that went into it itself
        await memory.load(self._older if (await journal.identity()).older else None)
        return memory

    async def _work(self, journal: Journal, engine: Engine | None, reports: FileReports, memory: SentFiles) -> None:
        keeping = keep_current(engine, self._settings, self._terms, self._take_up, asked=self._hangups)
        tasks = [
            asyncio.ensure_future(self._send(journal, engine, reports, memory)),
            asyncio.ensure_future(self._bell.run()),
            asyncio.ensure_future(keeping),
            asyncio.ensure_future(reports.run()),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            # none of them ends by itself, but for an error
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _take_up(self, settings: Settings) -> None:
        self._settings = settings
        self._arrivals.retry_all(self._refused, time.monotonic())
        self._refused.clear()
        self._bell.changed.set()

    # -- looking --------------------------------------------------------------------------------------------------

    async def _send(self, journal: Journal, engine: Engine | None, reports: FileReports, memory: SentFiles) -> None:
        while True:
            self._bell.changed.clear()
            started = time.monotonic()
            look = await asyncio.to_thread(self._arrivals.scan, started)
            took = time.monotonic() - started
            self._say_missing(missing=look.missing)
            for remark in look.remarks:
                diagnostics.note(remark)
            for arrival in look.ready:
                await self._take(arrival, journal, engine, reports, memory)
            self._say_known()
            pause = LOOK_EVERY if look.next_scan_in_s is None else min(look.next_scan_in_s, LOOK_EVERY)
            try:
                async with asyncio.timeout(max(pause, took * SHARE)):
                    await self._bell.changed.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(took * SHARE)

    def _say_missing(self, *, missing: bool) -> None:
        if missing != self._missing:
            self._missing = missing
            if missing:
                diagnostics.warning(f"there is no folder {self._folder} now", "files are sent when it is there again")
            else:
                diagnostics.note(f"{self._folder} is there again")

    def _say_known(self) -> None:
        if self._known:
            files = "file was" if self._known == 1 else "files were"
            diagnostics.note(
                f"{self._known:,} {files} read before, and left alone: sprig-tui send FILE sends one again"
            )
            self._known = 0

    # -- one file -------------------------------------------------------------------------------------------------

    async def _take(
        self, arrival: ReadyFile, journal: Journal, engine: Engine | None, reports: FileReports, memory: SentFiles
    ) -> None:
        path, so_far = arrival.path, IngestResult()

        def noted(fed: IngestResult) -> None:
            nonlocal so_far
            so_far = fed

        try:
            if not self._force and await asyncio.to_thread(is_truncated, path):
                diagnostics.note(f"{path} stops in the middle of a line: it is read when the rest is there")
                return
            digest = await asyncio.to_thread(memory.digest_of, path)
            if memory.knows(digest):
                self._known += 1
                return
            intake = EntryBuilder(self._settings.rules, self._terms.environments(self._settings), self._declared)
            records = await asyncio.to_thread(read_responses, [path], force=self._force)
            fed = await ingest(records, intake, journal, engine, on_entry=self._check(), on_progress=noted)
        except FileNotFoundError:
            return
        except (ConfigError, UnknownFormatError) as error:
            # no waiting mends it: it is looked at again when it or the config changes, or at the next start
            self._refused.add(path)
            reports.refused(path, error, so_far)
            return
        except (InputError, JournalUnavailableError) as error:
            self._retry(arrival, error, reports, so_far)
            return
        except OSError as error:
            self._retry(arrival, InputError(f"cannot be read: {error.strerror}"), reports, so_far)
            return
        say_doubtful(intake.placeholder_user_ids, fed.records)
        self._retries.pop(path, None)
        if signature_of(path) == arrival.signature:
            await self._remember(memory, digest, path)
        reports.add(path, fed)

    async def _remember(self, memory: SentFiles, digest: str, path: str) -> None:
        try:
            await memory.remember(digest, Path(path).name)
        except JournalError as error:
            diagnostics.warning(
                f"cannot note that {path} was read: {error.message}",
                "after a restart it is read again; nothing is sent twice",
            )

    def _retry(self, arrival: ReadyFile, error: SprigTuiError, reports: FileReports, so_far: IngestResult) -> None:
        if signature_of(arrival.path) is None:
            return
        wait = self._retries.get(arrival.path, RETRY)
        self._retries[arrival.path] = min(2 * wait, LONGEST_RETRY)
        self._arrivals.retry_later(arrival, time.monotonic() + wait)
        reports.refused(arrival.path, error, so_far)

    def _check(self) -> Callable[[NewDelivery], None]:
        """What raises ConfigError at the first answer that may not go where it would."""
        environments = self._terms.environments(self._settings)
        asked: set[str] = set()

        def check(entry: NewDelivery) -> None:
            name = entry.environment
            if name in asked or not entry.digest:  # what is no answer has none
                return
            if not name and not asked:
                told = entry.detail if entry.reason == Reason.ENVIRONMENT_UNKNOWN else ""
                raise ConfigError(f"which environment? {told or 'its first answer names none'}")
            if name and self._deliver and environments[name].write_key is None:
                raise ConfigError(f"{name} has no write key", hint=f"set one with sprig-tui keys set {name}")
            if name and self._deliver and environments[name].protected and name not in self._consented:
                raise ConfigError(
                    f"{name} is protected, and nobody is there to ask", hint=f"watch with -e {name}, or with --yes"
                )
            asked.add(name)

        return check
