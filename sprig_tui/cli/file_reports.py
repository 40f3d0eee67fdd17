"""What became of each watched file: told when its deliveries have an end state, or when that takes too long."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.account import account_of
from sprig_tui.cli.tally import by_state, say_examples
from sprig_tui.cli.watching import standings
from sprig_tui.delivery.feeding import IngestResult
from sprig_tui.errors import JournalError, JournalUnavailableError, SprigTuiError
from sprig_tui.journal.records import State

if TYPE_CHECKING:
    from sprig_tui.delivery.engine import Engine
    from sprig_tui.journal.contract import Journal

LOOK_EVERY = 0.25
"""Seconds between two looks into the journal while something is open."""


class _Open(NamedTuple):
    path: str
    fed: IngestResult
    since: float


class FileReports:
    """One report per file: a line for people, and with `as_json` an object on stdout.

    Without an engine a file is reported as it was stored. With one, when none of its deliveries is queued any more,
    or after `patience` seconds.
    """

    def __init__(self, journal: Journal, engine: Engine | None, patience: float, *, as_json: bool) -> None:
        self._journal = journal
        self._engine = engine
        self._patience = patience
        self._as_json = as_json
        self._open: list[_Open] = []
        self._some = asyncio.Event()
        self._told: dict[str, str] = {}

    def add(self, path: str, fed: IngestResult) -> None:
        """All of this file is stored."""
        self._told.pop(path, None)
        self._open.append(_Open(path, fed, time.monotonic()))
        self._some.set()

    def refused(self, path: str, error: SprigTuiError, so_far: IngestResult) -> None:
        """This file is not sent, or not all of it, or not yet; the same is not said twice."""
        if self._told.get(path) == error.message:
            return
        self._told[path] = error.message
        part = f"only its first {so_far.records:,} records were" if so_far.records else "not"
        diagnostics.warning(f"{path}: {part} sent: {error.message}", error.hint)
        self._write({"file": path, "records": so_far.records, "error": error.message})

    async def run(self) -> None:
        """Report as files come to an end, until cancelled. Raises JournalError."""
        while True:
            await self._some.wait()
            with suppress(JournalUnavailableError):
                await self._look(over=False)
            if not self._open:
                self._some.clear()
                continue
            await asyncio.sleep(LOOK_EVERY)

    async def finish(self) -> None:
        """Report what is still open, as it stands."""
        try:
            await self._look(over=True)
        except JournalError as error:
            diagnostics.warning(f"what became of the last files cannot be told: {error.message}", error.hint)

    async def _look(self, *, over: bool) -> None:
        for one in tuple(self._open):
            queued = 0
            for first, last in one.fed.ids:
                queued += await self._journal.count_queued(first, last)
            late = time.monotonic() - one.since >= self._patience
            if not queued or late or over or self._engine is None:
                await self._report(one)
                self._open.remove(one)

    async def _report(self, one: _Open) -> None:
        fed = one.fed
        account = await account_of(self._journal, fed)
        queued = by_state(account.standing)[State.QUEUED]
        held = standings(self._engine.snapshot()) if self._engine and queued else []
        said = "; ".join([account.text(), *held])
        diagnostics.note(f"{one.path}: {said}" if fed.records else f"{one.path}: no records")
        for state in (State.FAILED, State.WITHHELD):
            await say_examples(self._journal, fed.added, state)
        self._write({"file": one.path, **account.as_json()})

    def _write(self, row: dict[str, object]) -> None:
        if self._as_json:
            output.write_json(row)
            # a reader follows the stream
            output.flush()
