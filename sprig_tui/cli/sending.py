"""One run of `send`: feed, deliver, wait, and say what became of it, also when it is interrupted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.account import account_of
from sprig_tui.cli.interrupts import ENDS_WITHIN, Interrupts, Stopped
from sprig_tui.cli.opening import opened_journal
from sprig_tui.cli.tally import by_state, say_doubtful, say_examples, say_standstills, verdict
from sprig_tui.cli.terms import who_delivers
from sprig_tui.cli.watching import Watch, engine_log
from sprig_tui.delivery.engine import Engine, merge_own_endpoints
from sprig_tui.delivery.feeding import IngestResult, ingest
from sprig_tui.delivery.waiting import Stall, WaitResult, wait_until_settled
from sprig_tui.errors import ExitCode
from sprig_tui.journal.records import State

if TYPE_CHECKING:
    from sprig_tui.cli.terms import Terms
    from sprig_tui.config.environment import Environment
    from sprig_tui.config.settings import Settings
    from sprig_tui.intake import EntryBuilder
    from sprig_tui.journal.contract import Journal
    from sprig_tui.journal.records import NewDelivery
    from sprig_tui.sprig.reading import ReadProgress
    from sprig_tui.sprig.records import Record

STOP_DRAIN = 4.0
"""Seconds that requests on the wire get to finish after the first signal; a second one breaks them off.

A stop takes 8 s at most, whoever hangs, since Docker kills after 10.
"""


class Sending:
    """Feeds records to the journal while the engine delivers, then waits for what this run queued."""

    def __init__(
        self,
        settings: Settings,
        environments: dict[str, Environment],
        terms: Terms,
        intake: EntryBuilder,
        reading: ReadProgress,
        declared: str | None,
    ) -> None:
        self._settings = settings
        self._environments = environments
        self._terms = terms
        self._intake = intake
        self._reading = reading
        self._fed = IngestResult()
        self._read_all = False
        self._touched = {declared} if declared else set()
        self._reload: asyncio.Future[None] | None = None

    async def run(
        self, records: Iterable[Record], check: Callable[[NewDelivery], None] | None, *, deliver: bool, as_json: bool
    ) -> int:
        """Returns the exit code. `check` hears of each entry before it is stored, and may refuse the rest."""
        async with AsyncExitStack() as stack:
            journal = await stack.enter_async_context(opened_journal(self._settings))
            await merge_own_endpoints(journal, self._environments)
            interrupts = stack.enter_context(Interrupts(ends_within=ENDS_WITHIN, last_code=ExitCode.INTERRUPTED))
            engine = None
            if deliver:
                stack.enter_context(engine_log())
                engine = await stack.enter_async_context(
                    Engine(journal, self._served(), self._terms.delivery(self._settings), role="send")
                )
            waited, stopped = WaitResult(), False
            try:
                with Watch(self._reading, engine) as watch:
                    watch.journal = journal
                    waited = await interrupts.guard(self._work(records, check, journal, engine, watch))
            except Stopped:
                stopped = True
            if engine is not None:
                await interrupts.drain(engine.drain(STOP_DRAIN))
            return await self._report(journal, waited.stalls, stopped=stopped, deliver=deliver, as_json=as_json)

    async def _work(
        self,
        records: Iterable[Record],
        check: Callable[[NewDelivery], None] | None,
        journal: Journal,
        engine: Engine | None,
        watch: Watch,
    ) -> WaitResult:
        def noted(fed: IngestResult) -> None:
            self._fed = watch.fed = fed
            if engine is not None and not self._touched.issuperset(fed.environments):
                self._touched.update(fed.environments)
                # No handle is lost: a reload is done before the wait below, which asks for the last one.
                self._reload = asyncio.ensure_future(self._after(self._reload, engine))

        await ingest(records, self._intake, journal, engine, on_entry=check, on_progress=noted, result=self._fed)
        self._read_all = True
        if self._reload is not None:
            await self._reload
        if engine is None:
            return WaitResult()
        watch.begin_waiting()
        return await wait_until_settled(
            journal,
            self._fed.ids,
            list(self._fed.environments),
            engine=engine,
            timeout_s=self._terms.give_up_after,
            on_progress=watch.waiting,
        )

    def _served(self) -> dict[str, Environment]:
        """The environments that this run's answers go to: what waits for others is no business of its terms."""
        return {name: found for name, found in self._environments.items() if name in self._touched}

    async def _after(self, before: asyncio.Future[None] | None, engine: Engine) -> None:
        if before is not None:
            await before
        await engine.reload(self._served())

    async def _report(
        self, journal: Journal, standstills: tuple[Stall, ...], *, stopped: bool, deliver: bool, as_json: bool
    ) -> int:
        account = await account_of(journal, self._fed)
        for state in (State.FAILED, State.WITHHELD):
            await say_examples(journal, self._fed.added, state)
        if as_json:
            output.write_json(
                {
                    **account.as_json(),
                    "doubtful_user_ids": self._intake.placeholder_user_ids,
                    "interrupted": stopped,
                    "standstills": [
                        {"environment": one.environment, "why": one.kind, "cause": one.cause} for one in standstills
                    ],
                }
            )
        if self._fed.records or stopped:
            diagnostics.note(account.text())
        else:
            diagnostics.note("the input holds no records: nothing to do")
        who = who_delivers(self._terms)
        say_doubtful(self._intake.placeholder_user_ids, self._fed.records)
        say_standstills(standstills, who)
        queued = by_state(account.standing)[State.QUEUED]
        if stopped:
            rest = "" if self._read_all else "; send the same files again for the rest, nothing is sent twice"
            left = f": what is queued is delivered by {who}" if queued else ""
            diagnostics.note(f"interrupted, nothing is lost{left}{rest}")
            return ExitCode.INTERRUPTED
        if not deliver:
            if queued:
                diagnostics.note(f"{who} delivers what is queued")
            return verdict(account.standing)
        return verdict(account.standing, standstills)
