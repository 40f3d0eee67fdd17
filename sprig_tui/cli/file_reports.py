"""What became of each watched file: told when its deliveries have an end state, or when that takes too long."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.account import load_account
from sprig_tui.cli.tally import print_examples, sum_by_state
from sprig_tui.cli.watching import lane_problems
from sprig_tui.delivery.feeding import IngestResult
from sprig_tui.errors import JournalError, JournalUnavailableError, SprigTuiError
from sprig_tui.journal.records import State

if TYPE_CHECKING:
    from sprig_tui.delivery.engine import Engine
    from sprig_tui.journal.contract import Journal

REPORT_POLL_INTERVAL_S = 0.25
"""Seconds between two looks into the journal while something is open."""


class _OpenFile(NamedTuple):
    path: str
    result: IngestResult
    since: float


class FileReporter:
    """One report per file: a line for people, and with `as_json` an object on stdout.

    Without an engine a file is reported as it was stored. With one, when none of its deliveries is queued any more,
    or after `patience` seconds.
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
        """All of this file is stored."""
        self._reported_errors.pop(path, None)
        self._open.append(_OpenFile(path, result, time.monotonic()))
        self._file_added.set()

    def report_refused(self, path: str, error: SprigTuiError, so_far: IngestResult) -> None:
        """This file is not sent, or not all of it, or not yet; the same is not said twice."""
        if self._reported_errors.get(path) == error.message:
            return
        self._reported_errors[path] = error.message
        part = f"only its first {so_far.records:,} records were" if so_far.records else "not"
        diagnostics.warning(f"{path}: {part} sent: {error.message}", error.hint)
        self._write_json({"file": path, "records": so_far.records, "error": error.message})

    async def run(self) -> None:
        """Report as files come to an end, until cancelled. Raises JournalError."""
        while True:
            await self._file_added.wait()
            with suppress(JournalUnavailableError):
                await self._report_settled(final=False)
            if not self._open:
                self._file_added.clear()
                continue
            await asyncio.sleep(REPORT_POLL_INTERVAL_S)

    async def finish(self) -> None:
        """Report what is still open, as it stands."""
        try:
            await self._report_settled(final=True)
        except JournalError as error:
            diagnostics.warning(f"what became of the last files cannot be told: {error.message}", error.hint)

    async def _report_settled(self, *, final: bool) -> None:
        for one in tuple(self._open):
            queued = 0
            for first, last in one.result.ids:
                queued += await self._journal.count_queued(first, last)
            late = time.monotonic() - one.since >= self._timeout_s
            if not queued or late or final or self._engine is None:
                await self._report(one)
                self._open.remove(one)

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
