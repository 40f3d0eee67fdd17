"""One run of `send`: feed, deliver, wait, and say what became of it, also when it is interrupted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.context import journal_session
from sprig_tui.cli.progress import RunProgress, engine_log
from sprig_tui.cli.report import (
    exit_code_for,
    load_account,
    print_examples,
    print_stalls,
    sum_by_state,
    warn_placeholder_ids,
)
from sprig_tui.cli.run_options import delivering_command
from sprig_tui.cli.shutdown import STOP_DEADLINE_S, ShutdownRequested, ShutdownSignals
from sprig_tui.delivery.engine import Engine, merge_own_endpoints
from sprig_tui.delivery.wait import Stall, WaitResult, wait_until_settled
from sprig_tui.errors import ExitCode
from sprig_tui.ingest.ingest import IngestResult, ingest_records
from sprig_tui.journal.records import State

if TYPE_CHECKING:
    from sprig_tui.cli.run_options import RunOptions
    from sprig_tui.config.environment import Environment
    from sprig_tui.config.settings import Settings
    from sprig_tui.ingest import EntryBuilder
    from sprig_tui.journal.base import Journal
    from sprig_tui.journal.records import NewDelivery
    from sprig_tui.sprig.reader import ReadProgress
    from sprig_tui.sprig.records import Record

SERVICE_DRAIN_TIMEOUT_S = 4.0
"""Seconds that requests on the wire get to finish after the first signal; a second one breaks them off.

A stop takes 8 s at most, whoever hangs, since Docker kills after 10.
"""


class SendRun:
    """Feeds records to the journal while the engine delivers, then waits for what this run queued."""

    def __init__(
        self,
        settings: Settings,
        environments: dict[str, Environment],
        options: RunOptions,
        builder: EntryBuilder,
        progress: ReadProgress,
        declared: str | None,
    ) -> None:
        self._settings = settings
        self._environments = environments
        self._options = options
        self._builder = builder
        self._progress = progress
        self._ingest_result = IngestResult()
        self._input_complete = False
        self._touched_environments = {declared} if declared else set()
        self._reload: asyncio.Future[None] | None = None

    async def run(
        self, records: Iterable[Record], check: Callable[[NewDelivery], None] | None, *, deliver: bool, as_json: bool
    ) -> int:
        """Returns the exit code. `check` hears of each entry before it is stored, and may refuse the rest."""
        async with AsyncExitStack() as stack:
            journal = await stack.enter_async_context(journal_session(self._settings))
            await merge_own_endpoints(journal, self._environments)
            interrupts = stack.enter_context(
                ShutdownSignals(deadline_s=STOP_DEADLINE_S, last_code=ExitCode.INTERRUPTED)
            )
            engine = None
            if deliver:
                stack.enter_context(engine_log())
                engine = await stack.enter_async_context(
                    Engine(journal, self._served_environments(), self._options.delivery(self._settings), role="send")
                )
            waited, stopped = WaitResult(), False
            try:
                with RunProgress(self._progress, engine) as watch:
                    watch.journal = journal
                    waited = await interrupts.guard(self._ingest_and_wait(records, check, journal, engine, watch))
            except ShutdownRequested:
                stopped = True
            if engine is not None:
                await interrupts.drain(engine.drain(SERVICE_DRAIN_TIMEOUT_S))
            return await self._report(journal, waited.stalls, stopped=stopped, deliver=deliver, as_json=as_json)

    async def _ingest_and_wait(
        self,
        records: Iterable[Record],
        check: Callable[[NewDelivery], None] | None,
        journal: Journal,
        engine: Engine | None,
        progress: RunProgress,
    ) -> WaitResult:
        def noted(fed: IngestResult) -> None:
            self._ingest_result = progress.ingested = fed
            if engine is not None and not self._touched_environments.issuperset(fed.environments):
                self._touched_environments.update(fed.environments)
                # No handle is lost: a reload is done before the wait below, which asks for the last one.
                self._reload = asyncio.ensure_future(self._reload_after(self._reload, engine))

        await ingest_records(
            records, self._builder, journal, engine, on_entry=check, on_progress=noted, result=self._ingest_result
        )
        self._input_complete = True
        if self._reload is not None:
            await self._reload
        if engine is None:
            return WaitResult()
        progress.begin_waiting()
        return await wait_until_settled(
            journal,
            self._ingest_result.ids,
            list(self._ingest_result.environments),
            engine=engine,
            timeout_s=self._options.give_up_after,
            on_progress=progress.set_queued,
        )

    def _served_environments(self) -> dict[str, Environment]:
        """The environments that this run's answers go to: what waits for others is no business of its terms."""
        return {name: found for name, found in self._environments.items() if name in self._touched_environments}

    async def _reload_after(self, previous: asyncio.Future[None] | None, engine: Engine) -> None:
        if previous is not None:
            await previous
        await engine.reload(self._served_environments())

    async def _report(
        self, journal: Journal, stalls: tuple[Stall, ...], *, stopped: bool, deliver: bool, as_json: bool
    ) -> int:
        account = await load_account(journal, self._ingest_result)
        for state in (State.FAILED, State.WITHHELD):
            await print_examples(journal, self._ingest_result.added, state)
        if as_json:
            output.write_json(
                {
                    **account.as_json(),
                    "doubtful_user_ids": self._builder.placeholder_user_ids,
                    "interrupted": stopped,
                    "standstills": [
                        {"environment": one.environment, "why": one.kind, "cause": one.cause} for one in stalls
                    ],
                }
            )
        if self._ingest_result.records or stopped:
            diagnostics.info(account.text())
        else:
            diagnostics.info("the input holds no records: nothing to do")
        who = delivering_command(self._options)
        warn_placeholder_ids(self._builder.placeholder_user_ids, self._ingest_result.records)
        print_stalls(stalls, who)
        queued = sum_by_state(account.all_counts)[State.QUEUED]
        if stopped:
            rest = "" if self._input_complete else "; send the same files again for the rest, nothing is sent twice"
            left = f": what is queued is delivered by {who}" if queued else ""
            diagnostics.info(f"interrupted, nothing is lost{left}{rest}")
            return ExitCode.INTERRUPTED
        if not deliver:
            if queued:
                diagnostics.info(f"{who} delivers what is queued")
            return exit_code_for(account.all_counts)
        return exit_code_for(account.all_counts, stalls)
