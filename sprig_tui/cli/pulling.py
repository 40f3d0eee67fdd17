"""Runs of `pull`: once, again and again, or only to see what would happen."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.account import account_of
from sprig_tui.cli.dry_run import DryRun
from sprig_tui.cli.interrupts import ENDS_WITHIN, Interrupts, Stopped
from sprig_tui.cli.opening import awaited_journal, journal_exists, opened_journal
from sprig_tui.cli.pull_reports import Pulled, PullWatch, say_pulled, worst
from sprig_tui.cli.reloading import keep_current
from sprig_tui.cli.sending import STOP_DRAIN
from sprig_tui.cli.tally import by_state, say_examples, say_standstills, verdict
from sprig_tui.cli.terms import who_delivers
from sprig_tui.cli.watching import engine_log
from sprig_tui.config.paths import find_paths
from sprig_tui.delivery.engine import Engine
from sprig_tui.delivery.feeding import IngestResult
from sprig_tui.delivery.waiting import WaitResult, wait_until_settled
from sprig_tui.errors import ConfigError, ExitCode, JournalUnavailableError, SprigApiError
from sprig_tui.journal.records import State
from sprig_tui.pull.request import PullRequest
from sprig_tui.pull.running import ApiOptions, PageHandler, count_pages, pull_environment, store_pages
from sprig_tui.pull.state import PullProgress
from sprig_tui.sprig.api import TIMEOUT_S

if TYPE_CHECKING:
    from sprig_tui.cli.terms import Terms
    from sprig_tui.config.environment import Environment
    from sprig_tui.config.settings import Settings
    from sprig_tui.journal.contract import Journal


class Pulling:
    """Pulls of some environments, one after the other, into one journal; `named` empty means all that have a key."""

    def __init__(
        self,
        settings: Settings,
        terms: Terms,
        asked: PullRequest,
        named: tuple[str, ...],
        api_url: str | None,
        *,
        deliver: bool,
    ) -> None:
        self._settings = settings
        self._terms = terms
        self._asked = asked
        self._named = named
        self._api_url = api_url
        self._deliver = deliver
        self._fed = IngestResult()
        self._hangups: asyncio.Event | None = None
        self._journal: Journal | None = None
        """Where the positions stand; None where there is none yet."""

    # -- three ways to run ----------------------------------------------------------------------------------------

    async def once(self, *, as_json: bool) -> int:
        """Pull, wait for what was queued, report; returns the exit code."""
        async with AsyncExitStack() as stack:
            journal = self._journal = await stack.enter_async_context(opened_journal(self._settings))
            interrupts = stack.enter_context(Interrupts(ends_within=ENDS_WITHIN, last_code=ExitCode.INTERRUPTED))
            engine = await self._engine(stack, journal)
            pulled: list[Pulled] = []
            waited, stopped = WaitResult(), False
            try:
                with PullWatch(engine) as watch:
                    watch.journal = journal
                    waited = await interrupts.guard(self._pull_and_wait(journal, engine, watch, pulled))
            except Stopped:
                stopped = True
            if engine is not None:
                await interrupts.drain(engine.drain(STOP_DRAIN))
            return await self._report(journal, pulled, waited, stopped=stopped, as_json=as_json)

    async def repeat(self, every: float, *, as_json: bool) -> int:
        """Pull every so many seconds until a signal comes; what is on the wire then finishes."""
        async with AsyncExitStack() as stack:
            interrupts = stack.enter_context(Interrupts(reads_again=True, ends_within=ENDS_WITHIN))
            awaited = await stack.enter_async_context(awaited_journal(self._settings))
            try:
                await interrupts.guard(awaited.opened())
            except Stopped:
                return ExitCode.OK
            journal = self._journal = awaited.journal
            self._hangups = interrupts.hangups()
            engine = await self._engine(stack, journal)
            with suppress(Stopped), PullWatch(engine) as watch:
                await interrupts.guard(self._rounds(every, journal, engine, watch, as_json=as_json))
            if engine is not None:
                await interrupts.drain(engine.drain(STOP_DRAIN))
            diagnostics.note("stopped; the next pull goes on where this one was")
        # Being stopped is how it ends: that is no failure.
        return ExitCode.INTERRUPTED if interrupts.insisted.is_set() else ExitCode.OK

    async def try_out(self, *, as_json: bool) -> int:
        """Read and map all of it without a trace, and count."""
        found = DryRun()
        pulled: list[Pulled] = []
        async with AsyncExitStack() as stack:
            interrupts = stack.enter_context(Interrupts(ends_within=ENDS_WITHIN, last_code=ExitCode.INTERRUPTED))
            try:
                if journal_exists(self._settings):
                    opening = stack.enter_async_context(opened_journal(self._settings))
                    self._journal = await interrupts.guard(opening)
                with PullWatch(None) as watch:
                    await interrupts.guard(self._round(pulled, count_pages(found.add), watch, trace=False))
            except Stopped:
                diagnostics.note("stopped; nothing was stored or sent")
                return ExitCode.INTERRUPTED
        for one in pulled:
            say_pulled(one)
        if as_json:
            output.write_json({**found.as_json(), "pulls": [one.as_json() for one in pulled]})
        diagnostics.note(found.text())
        tally = found.account.tally
        only_queued = set(tally) <= {(State.QUEUED, "")}
        return worst(pulled) or (ExitCode.OK if only_queued else verdict(tally))

    # -- inside ---------------------------------------------------------------------------------------------------

    async def _engine(self, stack: AsyncExitStack, journal: Journal) -> Engine | None:
        if not self._deliver:
            return None
        stack.enter_context(engine_log())
        served = {name: found for name, found in self._environments().items() if name in self._names()}
        return await stack.enter_async_context(
            Engine(journal, served, self._terms.delivery(self._settings), role="pull")
        )

    def _environments(self) -> dict[str, Environment]:
        return self._terms.environments(self._settings)

    def _names(self) -> list[str]:
        return [
            name
            for name, found in self._settings.environments.items()
            if name in self._named or (not self._named and found.sprig_api_key is not None)
        ]

    async def _pull_and_wait(
        self, journal: Journal, engine: Engine | None, watch: PullWatch, pulled: list[Pulled]
    ) -> WaitResult:
        await self._round(pulled, store_pages(journal, engine, self._fed), watch)
        if engine is None:
            return WaitResult()
        watch.fed = self._fed
        watch.begin_waiting()
        return await wait_until_settled(
            journal,
            self._fed.ids,
            list(self._fed.environments),
            engine=engine,
            timeout_s=self._terms.give_up_after,
            on_progress=watch.waiting,
        )

    async def _rounds(
        self, every: float, journal: Journal, engine: Engine | None, watch: PullWatch, *, as_json: bool
    ) -> None:
        keeping = keep_current(engine, self._settings, self._terms, self._take_up, asked=self._hangups)
        reloading = asyncio.ensure_future(keeping)
        try:
            while True:
                begun = time.monotonic()
                self._fed = IngestResult()
                pulled: list[Pulled] = []
                try:
                    await self._round(pulled, store_pages(journal, engine, self._fed), watch)
                except JournalUnavailableError as error:
                    diagnostics.warning(error.message, error.hint)
                with suppress(JournalUnavailableError):
                    await self._report_round(journal, pulled, as_json=as_json)
                if self._asked.since is not None and all(one.state.finished for one in pulled):
                    # It says where to begin; what comes after that is what is new.
                    self._asked = replace(self._asked, since=None, words="")
                watch.rest(begun + every)
                await asyncio.sleep(max(1.0, begun + every - time.monotonic()))
        finally:
            reloading.cancel()
            await asyncio.gather(reloading, return_exceptions=True)

    def _take_up(self, settings: Settings) -> None:
        self._settings = settings

    async def _round(self, pulled: list[Pulled], keep: PageHandler, watch: PullWatch, *, trace: bool = True) -> None:
        """Pull for each environment; trouble with one does not keep the others waiting."""
        for name in self._names():
            await self._one(name, pulled, keep, watch, trace=trace)

    async def _one(self, name: str, pulled: list[Pulled], keep: PageHandler, watch: PullWatch, *, trace: bool) -> None:
        note = Pulled(name)
        pulled.append(note)

        def heard(state: PullProgress) -> None:
            note.state = watch.state = state

        terms = ApiOptions(
            api_url=self._api_url or "",
            timeout=self._terms.timeout or TIMEOUT_S,
            unreachable_timeout=self._terms.give_up_after,
            save_state=trace,
        )
        try:
            await pull_environment(
                self._environments()[name],
                self._settings,
                find_paths(),
                self._asked,
                keep,
                self._journal,
                options=terms,
                on_progress=heard,
            )
        except (SprigApiError, ConfigError) as error:
            note.error = error

    # -- reports --------------------------------------------------------------------------------------------------

    async def _report(
        self, journal: Journal, pulled: list[Pulled], waited: WaitResult, *, stopped: bool, as_json: bool
    ) -> int:
        fed = self._fed
        # An overlap is read again each time: what was there before is no news of this run.
        account = await account_of(journal, fed)
        for state in (State.FAILED, State.WITHHELD):
            await say_examples(journal, fed.added, state)
        for one in pulled:
            say_pulled(one)
        if as_json:
            standstills = [{"environment": s.environment, "why": s.kind, "cause": s.cause} for s in waited.stalls]
            output.write_json(
                {
                    **account.as_json(),
                    "interrupted": stopped,
                    "standstills": standstills,
                    "pulls": [one.as_json() for one in pulled],
                }
            )
        if fed.records or not worst(pulled):
            diagnostics.note(account.text())
        who = who_delivers(self._terms)
        say_standstills(waited.stalls, who)
        if stopped:
            diagnostics.note(f"interrupted, nothing is lost: the same command goes on where it stopped, {who} delivers")
            return ExitCode.INTERRUPTED
        if not self._deliver and by_state(account.tally)[State.QUEUED]:
            diagnostics.note(f"{who} delivers what is queued")
        return worst(pulled) or verdict(account.tally, waited.stalls)

    async def _report_round(self, journal: Journal, pulled: list[Pulled], *, as_json: bool) -> None:
        fed = self._fed
        account = await account_of(journal, fed)
        for one in pulled:
            if one.error or fed.new:
                say_pulled(one)
        if fed.new:
            diagnostics.note(account.text())
        if as_json:
            output.write_json({**account.as_json(), "pulls": [one.as_json() for one in pulled]})
            output.flush()
