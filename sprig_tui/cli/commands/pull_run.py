"""Runs of `pull`: once, repeatedly, or dry."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from sprig_tui.cli import diagnostics, output
from sprig_tui.cli.context import journal_exists, journal_session, load_suppressed
from sprig_tui.cli.dry_run import DryRun, forgotten_matcher, withhold_person
from sprig_tui.cli.plan_check import plan_tally
from sprig_tui.cli.progress import RunProgress
from sprig_tui.cli.report import (
    end_json,
    exit_code_for,
    load_account,
    load_account_with_examples,
    print_stalls,
    sum_by_state,
)
from sprig_tui.cli.run_options import delivering_command
from sprig_tui.cli.session import DeliverySession, delivery_session, service_session
from sprig_tui.cli.shutdown import STOP_DEADLINE_S, ShutdownRequested, ShutdownSignals
from sprig_tui.config.paths import find_paths
from sprig_tui.delivery.wait import WaitResult
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
    from sprig_tui.delivery.engine import Engine
    from sprig_tui.journal.base import Journal


class PullOutcome:
    """Outcome of the pull for one environment."""

    def __init__(self, environment: str) -> None:
        self.state = PullProgress(environment=environment)
        self.error: SprigTuiError | None = None

    def as_json(self) -> dict[str, Any]:
        """The outcome as JSON; times are ISO 8601 or null."""
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
    """Progress of pulls: records, pages, the date reached, waits, and deliveries."""

    def __init__(self, engine: Engine | None, journal: Journal | None) -> None:
        super().__init__(engine, journal)
        self._state: PullProgress | None = None
        self._warned = 0
        self._paused_until = 0.0
        self._waiting_since = 0.0
        """Start of the current wait, in seconds of the monotonic clock."""

    @property
    def state(self) -> PullProgress | None:
        """Progress of the current pull; setting it reports new warnings."""
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
        """Show the pause until the next pull; monotonic seconds."""
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
    """Report the records read, and the error."""
    state = pulled.state
    if state.pages or state.finished:
        upto = f", created up to {format_utc(state.newest)}" if state.newest else ""
        whence = ", an interrupted pull included" if state.resumed else ""
        diagnostics.info(f"{state.environment}: {_pages_text(state)}{upto}{whence}; {state.surveys:,} surveys known")
    if pulled.error is not None:
        diagnostics.failure(f"{state.environment}: {pulled.error.message}", pulled.error.hint)


def worst_exit_code(pulled: Sequence[PullOutcome]) -> ExitCode:
    """The exit code of the errors; permanent ones take precedence over temporary ones."""
    codes = {ExitCode(outcome.error.exit_code) for outcome in pulled if outcome.error is not None}
    order = (ExitCode.USAGE, ExitCode.UNREACHABLE, ExitCode.REJECTED)
    return next((code for code in order if code in codes), ExitCode.OK)


def _pages_text(state: PullProgress) -> str:
    pages = "page" if state.pages == 1 else "pages"
    return f"{state.records:,} records on {state.pages:,} {pages}"


def _iso(ms: int | None) -> str | None:
    return iso_time(ms) if ms else None


class PullRun:
    """Pulls of some environments, one after the other, into one journal; `names` empty means all that have a key."""

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
        self._journal: Journal | None = None
        """The journal that holds the checkpoints; None where there is none yet."""

    # -- three ways to run ----------------------------------------------------------------------------------------

    async def run_once(self, *, as_json: bool) -> int:
        """Pull, wait for what was queued, report; returns the exit code."""
        async with delivery_session(self._settings, self._options) as session:
            self._journal = session.journal
            await self._start_engine(session)
            pulled: list[PullOutcome] = []
            with PullRunProgress(session.engine, session.journal) as progress:
                waited = await session.run(self._pull_and_wait(session, progress, pulled)) or WaitResult()
            await session.drain()
            return await self._report(session.journal, pulled, waited, stopped=session.stopped, as_json=as_json)

    async def run_repeatedly(self, every: float, *, as_json: bool) -> int:
        """Pull every so many seconds until a signal comes; requests in flight then finish."""
        async with service_session(self._settings, self._options) as session:
            if not await session.wait_until_open():
                return ExitCode.OK
            self._journal = session.journal
            await self._start_engine(session)
            with PullRunProgress(session.engine, None) as progress:
                await session.run(self._pull_repeatedly(every, session, progress, as_json=as_json))
            await session.drain()
            diagnostics.info("stopped; the next pull resumes where this one was")
        return session.service_exit_code

    async def dry_run(self, *, as_json: bool) -> int:
        """Read and map everything, count it, and store nothing."""
        found = DryRun(plan_tally(self._settings))
        users = load_suppressed(self._settings)
        pulled: list[PullOutcome] = []
        async with AsyncExitStack() as stack:
            interrupts = stack.enter_context(
                ShutdownSignals(deadline_s=STOP_DEADLINE_S, last_code=ExitCode.INTERRUPTED)
            )
            try:
                if journal_exists(self._settings):
                    opening = stack.enter_async_context(journal_session(self._settings))
                    self._journal = await interrupts.guard(opening)
                forgotten = await forgotten_matcher(self._journal)
                with PullRunProgress(None, None) as progress:
                    work = self._pull_all(
                        pulled,
                        count_pages(lambda entry: found.add(withhold_person(entry, forgotten, users))),
                        progress,
                        save_state=False,
                    )
                    await interrupts.guard(work)
            except ShutdownRequested:
                diagnostics.info("stopped; nothing was stored or sent")
                return ExitCode.INTERRUPTED
        for outcome in pulled:
            print_outcome(outcome)
        if as_json:
            output.write_json({**found.as_json(), "pulls": [outcome.as_json() for outcome in pulled]})
        found.report_plan()
        diagnostics.info(found.text())
        tally = found.account.tally
        only_queued = set(tally) <= {(State.QUEUED, "")}
        return worst_exit_code(pulled) or (ExitCode.OK if only_queued else exit_code_for(tally))

    # -- inside ---------------------------------------------------------------------------------------------------

    async def _start_engine(self, session: DeliverySession) -> None:
        if self._deliver:
            names = self._environment_names()
            served = {name: found for name, found in self._environments().items() if name in names}
            await session.start_engine("pull", served)

    def _environments(self) -> dict[str, Environment]:
        return self._options.environments(self._settings)

    def _environment_names(self) -> list[str]:
        return [
            name
            for name, found in self._settings.environments.items()
            if name in self._named_environments or (not self._named_environments and found.sprig_api_key is not None)
        ]

    async def _pull_and_wait(
        self, session: DeliverySession, progress: PullRunProgress, pulled: list[PullOutcome]
    ) -> WaitResult:
        result = progress.ingested = self._ingest_result
        await self._pull_all(pulled, store_pages(session.journal, session.engine, result), progress)
        progress.begin_waiting()
        return await session.wait_until_settled(result.ids, list(result.environments), progress.set_queued)

    async def _pull_repeatedly(
        self, interval_s: float, session: DeliverySession, progress: PullRunProgress, *, as_json: bool
    ) -> None:
        journal, engine = session.journal, session.engine
        reloading = asyncio.ensure_future(session.reload_on_change(self._on_reload))
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
                if self._request.since is not None and all(outcome.state.finished for outcome in pulled):
                    # --since applies to the first round; later rounds are incremental
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
        """Pull for each environment; an error of one does not stop the others."""
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

        def on_progress(state: PullProgress) -> None:
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
                on_progress=on_progress,
            )
        except (SprigApiError, ConfigError) as error:
            note.error = error

    # -- reports --------------------------------------------------------------------------------------------------

    async def _report(
        self, journal: Journal, pulled: list[PullOutcome], wait_result: WaitResult, *, stopped: bool, as_json: bool
    ) -> int:
        fed = self._ingest_result
        account = await load_account_with_examples(journal, fed)
        for outcome in pulled:
            print_outcome(outcome)
        if as_json:
            pulls = [outcome.as_json() for outcome in pulled]
            output.write_json(
                {**account.as_json(), **end_json(wait_result.stalls, interrupted=stopped), "pulls": pulls}
            )
        if fed.records or not worst_exit_code(pulled):
            diagnostics.info(account.text())
        who = delivering_command(self._options)
        print_stalls(wait_result.stalls, who)
        if stopped:
            diagnostics.info(f"interrupted, nothing is lost: the same command resumes where it stopped, {who} delivers")
            return ExitCode.INTERRUPTED
        if not self._deliver and sum_by_state(account.tally)[State.QUEUED]:
            diagnostics.info(f"{who} delivers what is queued")
        return worst_exit_code(pulled) or exit_code_for(account.tally, wait_result.stalls)

    async def _report_round(self, journal: Journal, pulled: list[PullOutcome], *, as_json: bool) -> None:
        fed = self._ingest_result
        account = await load_account(journal, fed)
        for outcome in pulled:
            if outcome.error or fed.new:
                print_outcome(outcome)
        if fed.new:
            diagnostics.info(account.text())
        if as_json:
            output.write_json({**account.as_json(), "pulls": [outcome.as_json() for outcome in pulled]})
            output.flush()
