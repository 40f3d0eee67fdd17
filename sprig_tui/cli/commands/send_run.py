"""One run of `send`: reads, delivers, waits, and reports, also when it is interrupted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.progress import RunProgress
from sprig_tui.cli.report import (
    end_json,
    exit_code_for,
    load_account_with_examples,
    print_stalls,
    sum_by_state,
    warn_placeholder_ids,
)
from sprig_tui.cli.run_options import delivering_command
from sprig_tui.cli.session import DeliverySession, delivery_session
from sprig_tui.delivery.engine import Engine, merge_own_endpoints
from sprig_tui.delivery.wait import Stall, WaitResult
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
        async with delivery_session(self._settings, self._options) as session:
            await merge_own_endpoints(session.journal, self._environments)
            if deliver:
                await session.start_engine("send", self._served_environments())
            with RunProgress(session.engine, session.journal, read_progress=self._progress) as progress:
                waited = await session.run(self._ingest_and_wait(session, records, check, progress)) or WaitResult()
            await session.drain()
            return await self._report(
                session.journal, waited.stalls, stopped=session.stopped, deliver=deliver, as_json=as_json
            )

    async def _ingest_and_wait(
        self,
        session: DeliverySession,
        records: Iterable[Record],
        check: Callable[[NewDelivery], None] | None,
        progress: RunProgress,
    ) -> WaitResult:
        engine = session.engine

        def on_progress(result: IngestResult) -> None:
            self._ingest_result = progress.ingested = result
            if engine is not None and not self._touched_environments.issuperset(result.environments):
                self._touched_environments.update(result.environments)
                # No handle is lost: a reload is done before the wait below, which asks for the last one.
                self._reload = asyncio.ensure_future(self._reload_after(self._reload, engine))

        await ingest_records(
            records,
            self._builder,
            session.journal,
            engine,
            on_entry=check,
            on_progress=on_progress,
            result=self._ingest_result,
        )
        self._input_complete = True
        if self._reload is not None:
            await self._reload
        progress.begin_waiting()
        result = self._ingest_result
        return await session.wait_until_settled(result.ids, list(result.environments), progress.set_queued)

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
        account = await load_account_with_examples(journal, self._ingest_result)
        if as_json:
            output.write_json(
                {
                    **account.as_json(),
                    "doubtful_user_ids": self._builder.placeholder_user_ids,
                    **end_json(stalls, interrupted=stopped),
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
