"""Runs of `pull`: once, again and again, or only to see what would happen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.commands.send_run import SERVICE_DRAIN_TIMEOUT_S
from sprig_tui.cli.context import awaited_journal, journal_exists, journal_session
from sprig_tui.cli.dry_run import DryRun
from sprig_tui.cli.progress import RunProgress, engine_log
from sprig_tui.cli.reload import reload_on_change
from sprig_tui.cli.report import exit_code_for, load_account, print_examples, print_stalls, sum_by_state
from sprig_tui.cli.run_options import delivering_command
from sprig_tui.cli.shutdown import STOP_DEADLINE_S, ShutdownRequested, ShutdownSignals
from sprig_tui.config.paths import find_paths
from sprig_tui.delivery.engine import Engine
from sprig_tui.delivery.wait import WaitResult, wait_until_settled
from sprig_tui.errors import ConfigError, ExitCode, JournalUnavailableError, SprigApiError, SprigTuiError
from sprig_tui.formatting import format_duration, iso_time
from sprig_tui.ingest.ingest import IngestResult
from sprig_tui.journal.records import State
from sprig_tui.pull.pull import ApiOptions, PageHandler, count_pages, pull_environment, store_pages
from sprig_tui.pull.request import PullProgress, PullRequest, format_utc
from sprig_tui.sprig.api import TIMEOUT_S

if TYPE_CHECKING:
    from sprig_tui.cli.run_options import RunOptions
    from sprig_tui.config.environment import Environment
    from sprig_tui.config.settings import Settings
    from sprig_tui.journal.base import Journal


class PullOutcome:
    """What became of the pull for one environment."""

    def __init__(self, environment: str) -> None:
        self.state = PullProgress(environment=environment)
        self.error: SprigTuiError | None = None

    def as_json(self) -> dict[str, Any]:
        """For programs; times as ISO-8601, null where there is none."""
        state, window = self.state, self.state.window
        return {
            "environment": state.environment,
            "finished": state.finished,
            "resumed": state.resumed,
            "records": state.records,
            "pages": state.pages,
            "surveys": state.surveys,
            "since": _iso(window.since),
            "until": _iso(window.until),
            "survey": window.survey,
            "newest": _iso(state.newest),
            "read_up_to": _iso(state.mark),
            "warnings": state.warnings,
            "error": self.error.message if self.error else None,
        }


class PullRunProgress(RunProgress):
    """The progress of pulls on stderr: records, pages, the date reached, what is waited for, and the deliveries."""

    def __init__(self, engine: Engine | None) -> None:
        super().__init__(None, engine)
        self._state: PullProgress | None = None
        self._warned = 0
        self._paused_until = 0.0
        self._waiting_since = 0.0
        """When what is waited for was said, in seconds of the monotonic clock."""

    @property
    def state(self) -> PullProgress | None:
        """Where the pull at work stands; warnings in it are said as they come."""
        return self._state

    @state.setter
    def state(self, state: PullProgress) -> None:
        if self._state is None or state.waiting != self._state.waiting:
            self._waiting_since = time.monotonic()
        if self._state is None or len(state.warnings) < self._warned or state.environment != self._state.environment:
            self._warned = 0
        for text in state.warnings[self._warned :]:
            diagnostics.warning(f"{state.environment}: {text}")
        self._warned = len(state.warnings)
        self._state = state
        self._paused_until = 0.0

    def show_pause(self, until_s: float) -> None:
        """Nothing is pulled until then, in seconds of the monotonic clock."""
        self._paused_until = until_s

    def _reading_text(self) -> str:
        if self._paused_until:
            return f"next pull in {format_duration(max(0, round(self._paused_until - time.monotonic())))}"
        state = self._state
        if state is None:
            return "asking Sprig"
        parts = [f"{state.environment}: {_pages_text(state)}"]
        if state.reached:
            parts.append(f"reached {format_utc(state.reached)}")
        if state.waiting:
            parts.append(f"{state.waiting}, {time.monotonic() - self._waiting_since:.0f} s so far")
        return "  ".join(parts)


def print_outcome(pulled: PullOutcome) -> None:
    """One line on what was read, and one on what went wrong."""
    state = pulled.state
    if state.pages or state.finished:
        upto = f", created up to {format_utc(state.newest)}" if state.newest else ""
        whence = ", an interrupted pull included" if state.resumed else ""
        diagnostics.info(f"{state.environment}: {_pages_text(state)}{upto}{whence}; {state.surveys:,} surveys known")
    if pulled.error is not None:
        diagnostics.failure(f"{state.environment}: {pulled.error.message}", pulled.error.hint)


def worst_exit_code(pulled: Sequence[PullOutcome]) -> ExitCode:
    """The exit code of what went wrong: what a person has to mend, before what passes by itself."""
    codes = {ExitCode(one.error.exit_code) for one in pulled if one.error is not None}
    order = (ExitCode.USAGE, ExitCode.UNREACHABLE, ExitCode.REJECTED)
    return next((code for code in order if code in codes), ExitCode.OK)


def _pages_text(state: PullProgress) -> str:
    pages = "page" if state.pages == 1 else "pages"
    return f"{state.records:,} records on {state.pages:,} {pages}"


def _iso(ms: int | None) -> str | None:
    return iso_time(ms) if ms else None


class PullRun:
    """Pulls of some environments, one after the other, into one journal; `named` empty means all that have a key."""

    def __init__(
        self,
        settings: Settings,
        options: RunOptions,
        request: PullRequest,
        names: tuple[str, ...],
        api_url: str | None,
        *,
        deliver: bool,
    ) -> None:
        self._settings = settings
        self._options = options
        self._request = request
        self._named_environments = names
        self._api_url = api_url
        self._deliver = deliver
        self._ingest_result = IngestResult()
        self._hangup: asyncio.Event | None = None
        self._journal: Journal | None = None
        """Where the positions stand; None where there is none yet."""

    # -- three ways to run ----------------------------------------------------------------------------------------

    async def run_once(self, *, as_json: bool) -> int:
        """Pull, wait for what was queued, report; returns the exit code."""
        async with AsyncExitStack() as stack:
            journal = self._journal = await stack.enter_async_context(journal_session(self._settings))
            interrupts = stack.enter_context(
                ShutdownSignals(deadline_s=STOP_DEADLINE_S, last_code=ExitCode.INTERRUPTED)
            )
            engine = await self._start_engine(stack, journal)
            pulled: list[PullOutcome] = []
            waited, stopped = WaitResult(), False
            try:
                with PullRunProgress(engine) as watch:
                    watch.journal = journal
                    waited = await interrupts.guard(self._pull_and_wait(journal, engine, watch, pulled))
            except ShutdownRequested:
                stopped = True
            if engine is not None:
                await interrupts.drain(engine.drain(SERVICE_DRAIN_TIMEOUT_S))
            return await self._report(journal, pulled, waited, stopped=stopped, as_json=as_json)

    async def run_repeatedly(self, every: float, *, as_json: bool) -> int:
        """Pull every so many seconds until a signal comes; what is on the wire then finishes."""
        async with AsyncExitStack() as stack:
            interrupts = stack.enter_context(ShutdownSignals(reload_on_hangup=True, deadline_s=STOP_DEADLINE_S))
            awaited = await stack.enter_async_context(awaited_journal(self._settings))
            try:
                await interrupts.guard(awaited.opened())
            except ShutdownRequested:
                return ExitCode.OK
            journal = self._journal = awaited.journal
            self._hangup = interrupts.hangup_event()
            engine = await self._start_engine(stack, journal)
            with suppress(ShutdownRequested), PullRunProgress(engine) as watch:
                await interrupts.guard(self._pull_repeatedly(every, journal, engine, watch, as_json=as_json))
            if engine is not None:
                await interrupts.drain(engine.drain(SERVICE_DRAIN_TIMEOUT_S))
            diagnostics.info("stopped; the next pull goes on where this one was")
        # Being stopped is how it ends: that is no failure.
        return ExitCode.INTERRUPTED if interrupts.forced.is_set() else ExitCode.OK

    async def dry_run(self, *, as_json: bool) -> int:
        """Read and map all of it without a trace, and count."""
        found = DryRun()
        pulled: list[PullOutcome] = []
        async with AsyncExitStack() as stack:
            interrupts = stack.enter_context(
                ShutdownSignals(deadline_s=STOP_DEADLINE_S, last_code=ExitCode.INTERRUPTED)
            )
            try:
                if journal_exists(self._settings):
                    opening = stack.enter_async_context(journal_session(self._settings))
                    self._journal = await interrupts.guard(opening)
                with PullRunProgress(None) as watch:
                    await interrupts.guard(self._pull_all(pulled, count_pages(found.add), watch, save_state=False))
            except ShutdownRequested:
                diagnostics.info("stopped; nothing was stored or sent")
                return ExitCode.INTERRUPTED
        for one in pulled:
            print_outcome(one)
        if as_json:
            output.write_json({**found.as_json(), "pulls": [one.as_json() for one in pulled]})
        diagnostics.info(found.text())
        tally = found.account.tally
        only_queued = set(tally) <= {(State.QUEUED, "")}
        return worst_exit_code(pulled) or (ExitCode.OK if only_queued else exit_code_for(tally))

    # -- inside ---------------------------------------------------------------------------------------------------

    async def _start_engine(self, stack: AsyncExitStack, journal: Journal) -> Engine | None:
        if not self._deliver:
            return None
        stack.enter_context(engine_log())
        served = {name: found for name, found in self._environments().items() if name in self._environment_names()}
        return await stack.enter_async_context(
            Engine(journal, served, self._options.delivery(self._settings), role="pull")
        )

    def _environments(self) -> dict[str, Environment]:
        return self._options.environments(self._settings)

    def _environment_names(self) -> list[str]:
        return [
            name
            for name, found in self._settings.environments.items()
            if name in self._named_environments or (not self._named_environments and found.sprig_api_key is not None)
        ]

    async def _pull_and_wait(
        self, journal: Journal, engine: Engine | None, progress: PullRunProgress, pulled: list[PullOutcome]
    ) -> WaitResult:
        await self._pull_all(pulled, store_pages(journal, engine, self._ingest_result), progress)
        if engine is None:
            return WaitResult()
        progress.ingested = self._ingest_result
        progress.begin_waiting()
        return await wait_until_settled(
            journal,
            self._ingest_result.ids,
            list(self._ingest_result.environments),
            engine=engine,
            timeout_s=self._options.give_up_after,
            on_progress=progress.set_queued,
        )

    async def _pull_repeatedly(
        self, interval_s: float, journal: Journal, engine: Engine | None, progress: PullRunProgress, *, as_json: bool
    ) -> None:
        keeping = reload_on_change(
            engine, self._settings, self._options, self._on_reload, reload_requested=self._hangup
        )
        reloading = asyncio.ensure_future(keeping)
        try:
            while True:
                begun = time.monotonic()
                self._ingest_result = IngestResult()
                pulled: list[PullOutcome] = []
                try:
                    await self._pull_all(pulled, store_pages(journal, engine, self._ingest_result), progress)
                except JournalUnavailableError as error:
                    diagnostics.warning(error.message, error.hint)
                with suppress(JournalUnavailableError):
                    await self._report_round(journal, pulled, as_json=as_json)
                if self._request.since is not None and all(one.state.finished for one in pulled):
                    # It says where to begin; what comes after that is what is new.
                    self._request = replace(self._request, since=None, words="")
                progress.show_pause(begun + interval_s)
                await asyncio.sleep(max(1.0, begun + interval_s - time.monotonic()))
        finally:
            reloading.cancel()
            await asyncio.gather(reloading, return_exceptions=True)

    def _on_reload(self, settings: Settings) -> None:
        self._settings = settings

    async def _pull_all(
        self, pulled: list[PullOutcome], handle_page: PageHandler, progress: PullRunProgress, *, save_state: bool = True
    ) -> None:
        """Pull for each environment; trouble with one does not keep the others waiting."""
        for name in self._environment_names():
            await self._pull_one(name, pulled, handle_page, progress, save_state=save_state)

    async def _pull_one(
        self,
        name: str,
        pulled: list[PullOutcome],
        handle_page: PageHandler,
        progress: PullRunProgress,
        *,
        save_state: bool,
    ) -> None:
        note = PullOutcome(name)
        pulled.append(note)

        def heard(state: PullProgress) -> None:
            note.state = progress.state = state

        terms = ApiOptions(
            api_url=self._api_url or "",
            timeout=self._options.timeout or TIMEOUT_S,
            unreachable_timeout=self._options.give_up_after,
            save_state=save_state,
        )
        try:
            await pull_environment(
                self._environments()[name],
                self._settings,
                find_paths(),
                self._request,
                handle_page,
                self._journal,
                options=terms,
                on_progress=heard,
            )
        except (SprigApiError, ConfigError) as error:
            note.error = error

    # -- reports --------------------------------------------------------------------------------------------------

    async def _report(
        self, journal: Journal, pulled: list[PullOutcome], wait_result: WaitResult, *, stopped: bool, as_json: bool
    ) -> int:
        fed = self._ingest_result
        # An overlap is read again each time: what was there before is no news of this run.
        account = await load_account(journal, fed)
        for state in (State.FAILED, State.WITHHELD):
            await print_examples(journal, fed.added, state)
        for one in pulled:
            print_outcome(one)
        if as_json:
            standstills = [{"environment": s.environment, "why": s.kind, "cause": s.cause} for s in wait_result.stalls]
            output.write_json(
                {
                    **account.as_json(),
                    "interrupted": stopped,
                    "standstills": standstills,
                    "pulls": [one.as_json() for one in pulled],
                }
            )
        if fed.records or not worst_exit_code(pulled):
            diagnostics.info(account.text())
        who = delivering_command(self._options)
        print_stalls(wait_result.stalls, who)
        if stopped:
            diagnostics.info(f"interrupted, nothing is lost: the same command goes on where it stopped, {who} delivers")
            return ExitCode.INTERRUPTED
        if not self._deliver and sum_by_state(account.tally)[State.QUEUED]:
            diagnostics.info(f"{who} delivers what is queued")
        return worst_exit_code(pulled) or exit_code_for(account.tally, wait_result.stalls)

    async def _report_round(self, journal: Journal, pulled: list[PullOutcome], *, as_json: bool) -> None:
        fed = self._ingest_result
        account = await load_account(journal, fed)
        for one in pulled:
            if one.error or fed.new:
                print_outcome(one)
        if fed.new:
            diagnostics.info(account.text())
        if as_json:
            output.write_json({**account.as_json(), "pulls": [one.as_json() for one in pulled]})
            output.flush()
