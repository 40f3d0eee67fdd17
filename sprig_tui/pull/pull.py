"""Pull of one environment: the surveys, then the answers of a window page by page, with a checkpoint after each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from sprig_tui.clock import Clock, SystemClock
from sprig_tui.config.environment import UNREACHABLE_TIMEOUT_S, Environment, SprigApiKey
from sprig_tui.config.paths import Paths
from sprig_tui.config.secret_reader import process_secrets
from sprig_tui.config.surveys import (
    EnvironmentSurveys,
    merge_surveys,
    read_surveys_file,
    surveys_file,
    write_surveys_file,
)
from sprig_tui.errors import ConfigError, SprigApiError, SprigApiPageError
from sprig_tui.ingest import EntryBuilder
from sprig_tui.ingest.ingest import IngestResult, ingest_records
from sprig_tui.journal.records import NewDelivery
from sprig_tui.mapping.records import Survey
from sprig_tui.pull.checkpoint import Checkpoint, CheckpointStore, ResumePoint, fingerprint
from sprig_tui.pull.fetcher import PageFetcher, fetch_surveys
from sprig_tui.pull.request import PullProgress, PullRequest, TimeWindow, created_ms, format_utc, newest_created_ms
from sprig_tui.sprig.api import RESPONSES_PATH, TIMEOUT_S, ResponsePage, SprigClient, parse_response_page
from sprig_tui.sprig.records import Record

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.delivery.engine import Engine
    from sprig_tui.journal.base import Journal


RESPONSE_PAGE_SIZE = 1_000
"""Records of a page; Sprig's maximum."""
MAX_EMPTY_PAGES = 1_000
"""Pages in a row without records after which a pull ends with an error."""

StorePage = Callable[[Sequence[Record]], Awaitable[None]]
"""Stores the records of a page; they are durable when it returns."""
PageHandler = Callable[[EntryBuilder, Sequence[Record]], Awaitable[None]]
"""Handles the records of a page, with the builder that makes entries of them."""
OnProgress = Callable[[PullProgress], None]


def require_api_key(environment: Environment) -> SprigApiKey:
    """The environment's API key; raises ConfigError if it has none."""
    if environment.sprig_api_key is None:
        raise ConfigError(
            f"{environment.name} has no key of Sprig's API",
            hint=f"set one with sprig-tui keys sprig {environment.name}",
        )
    return environment.sprig_api_key


class Puller:
    """Puller of one environment: `pull_surveys` once, then `pull_responses` once.

        with puller.checkpoints.lock():
            surveys = await puller.pull_surveys()
            progress = await puller.pull_responses(store)

    The checkpoint is stored in the journal, and the survey catalogue in the state folder, unless `save_state` is off.
    `on_progress` is called with each new progress. Raises ConfigError for an environment without an API key.
    """

    def __init__(
        self,
        environment: Environment,
        checkpoints: CheckpointStore,
        request: PullRequest,
        fetcher: PageFetcher,
        *,
        clock: Clock | None = None,
        save_state: bool = True,
        on_progress: OnProgress | None = None,
    ) -> None:
        name = environment.name
        key = require_api_key(environment)
        self.checkpoints = checkpoints
        self.state = PullProgress(environment=name)
        self._catalogue_file = surveys_file(checkpoints.paths, name)
        self._url = checkpoints.api_url
        self._key = fingerprint(key.reveal())
        self._request = request
        self._fetcher = fetcher
        self._clock = clock or SystemClock()
        self._save_state = save_state
        self._on_progress = on_progress
        self._checkpoint: Checkpoint | None = None
        self._page_limit = RESPONSE_PAGE_SIZE
        self._cursor = ""
        self._pages_overlap = False
        """Whether each page begins with the millisecond in which the previous one ended."""
        fetcher.on_wait = self._on_wait

    # -- surveys --------------------------------------------------------------------------------------------------

    async def pull_surveys(self) -> dict[str, Survey]:
        """Fetch and store the environment's survey catalogue: names and creation times by survey id.

        If the API key has changed and no survey is known, the key belongs to another product, and the checkpoint is
        dropped. Raises SprigApiError, and ConfigError if the state folder cannot be used.
        """
        checkpoint = await self.checkpoints.read()
        stored = read_surveys_file(self._catalogue_file)
        before = stored if stored.source == self._url else EnvironmentSurveys()
        fetched, warnings = await fetch_surveys(self._fetcher)
        for text in warnings:
            self._add_warning(text)
        if checkpoint.key not in ("", self._key) and fetched and not before.surveys.keys() & fetched.keys():
            self._add_warning("the API key seems to be that of another product: it is read from the beginning")
            checkpoint, before = Checkpoint(), EnvironmentSurveys()
        self._checkpoint = replace(checkpoint, key=self._key)
        known = {**before.surveys, **fetched}
        if self._save_state and known != stored.surveys:
            write_surveys_file(
                self._catalogue_file, EnvironmentSurveys(source=self._url, fetched_at=self._clock.now(), surveys=known)
            )
        self._update_progress(surveys=len(known))
        return known

    # -- answers --------------------------------------------------------------------------------------------------

    async def pull_responses(self, store: StorePage) -> PullProgress:
        """Read the window to its end; returns the final progress.

        The checkpoint is written after `store` returns, so that a killed pull repeats at most one page. Raises
        SprigApiError (the checkpoint stays), SprigApiPageError after the readable part of a page was stored, and any
        error of `store`.
        """
        checkpoint = self._checkpoint or replace(await self.checkpoints.read(), key=self._key)
        started = self._clock.now()
        resumed = checkpoint.find_resume_point(self._request, started)
        done = resumed or ResumePoint(window=checkpoint.time_window(self._request), started=started)
        window = done.window
        self._update_progress(
            window=window,
            resumed=resumed is not None,
            pages=done.pages,
            records=done.records,
            newest=done.newest,
            mark=checkpoint.high_water_mark(self._request.survey),
        )
        if window.since is not None and window.until is not None and window.since >= window.until:
            self._add_warning(
                f"everything up to {format_utc(window.until)} was read before: name --since to read it again"
            )
        else:
            done = await self._read_or_restart(checkpoint, done, store)
            checkpoint = checkpoint.with_finished(self._request, done)
            await self._write_checkpoint(checkpoint)
        self._update_progress(finished=True, mark=checkpoint.high_water_mark(self._request.survey))
        return self.state

    async def _read_or_restart(self, checkpoint: Checkpoint, done: ResumePoint, store: StorePage) -> ResumePoint:
        """Read from the resume point on, or from the window's start if Sprig no longer accepts the cursor."""
        try:
            return await self._read_window(checkpoint, done, store)
        except SprigApiError as error:
            if error.status != 400 or not done.cursor or done.cursor != self._cursor:
                raise
        self._add_warning("Sprig no longer accepts the position of the interrupted pull: its window is read again")
        return await self._read_window(checkpoint, ResumePoint(window=done.window, started=self._clock.now()), store)

    async def _read_window(self, checkpoint: Checkpoint, done: ResumePoint, store: StorePage) -> ResumePoint:
        async for page in self._fetch_pages(done):
            if page.records:
                await store(page.records)
            reached = newest_created_ms(page.records)
            done = replace(
                done,
                cursor=page.cursor,
                pages=done.pages + 1,
                records=done.records + len(page.records),
                newest=max(done.newest, reached),
                edge=last_created_ms(page, done.edge),
                at=self._clock.now(),
            )
            self._update_progress(
                pages=done.pages, records=done.records, newest=done.newest, reached=reached or self.state.reached
            )
            if page.fault:
                raise SprigApiPageError(
                    f"page {done.pages:,} is not what Sprig documents: {page.fault}",
                    hint="the readable part of it is stored; the same command requests it again",
                )
            if page.cursor:
                await self._write_checkpoint(checkpoint.with_resume_point(self._request, done))
        return done

    async def _fetch_pages(self, done: ResumePoint) -> AsyncIterator[ResponsePage]:
        window, cursor, edge = done.window, done.cursor, done.edge
        seen: set[str] = set()
        empty = 0
        while True:
            self._cursor = cursor
            response, page = await self._fetcher.get(
                RESPONSES_PATH, window.parameters(self._page_limit, cursor), parse_response_page
            )
            if page is None:
                if response.kind == "none" and not cursor:
                    self._add_warning("Sprig answers 404, taken as no responses")
                    return
                if response.kind == "none":
                    # treating this as the end would move the high-water mark past unread responses
                    raise SprigApiPageError(
                        "Sprig answers 404 in the middle of a list", hint="the same command resumes there"
                    )
                if self._page_limit == 1:
                    raise SprigApiPageError(
                        f"a single response is too large: {response.error}", hint="leave it out by --since and --until"
                    )
                self._page_limit //= 2
                continue
            if edge and not page.fault and (tied := await self._fetch_tied(window, edge, page)):
                yield ResponsePage(tied, cursor)
            seen.add(cursor)
            empty = 0 if page.records else empty + 1
            if page.cursor and page.cursor in seen:
                page = page._replace(fault=f"its cursor {page.cursor[:60]!r} leads back to an earlier page")
            elif page.cursor and empty >= MAX_EMPTY_PAGES:
                page = page._replace(fault=f"{empty:,} pages in a row are empty")
            yield page
            if not page.cursor:
                return
            cursor, edge = page.cursor, last_created_ms(page, edge)

    async def _fetch_tied(self, window: TimeWindow, edge: int, page: ResponsePage) -> list[Record]:
        """Records of the last millisecond of a page, if the next page does not begin with that millisecond.

        A cursor names a millisecond (seen by decoding the specification's examples). Whether the next page begins with
        it or after it is not documented; in the second case it would miss records that share the millisecond.
        """
        if self._pages_overlap or any(created_ms(record) == edge for record in page.records):
            self._pages_overlap = True
            return []
        millisecond = replace(window, since=edge, until=edge + 1)
        _, tied = await self._fetcher.get(
            RESPONSES_PATH, millisecond.parameters(self._page_limit, ""), parse_response_page
        )
        return tied.records if tied is not None and not tied.fault else []

    # -- progress -------------------------------------------------------------------------------------------------

    def _update_progress(self, **changes: Any) -> None:
        self.state = replace(self.state, **changes)
        if self._on_progress is not None:
            self._on_progress(self.state)

    def _on_wait(self, text: str) -> None:
        if text != self.state.waiting:
            self._update_progress(waiting=text)

    def _add_warning(self, text: str) -> None:
        self._update_progress(warnings=(*self.state.warnings, text))

    async def _write_checkpoint(self, checkpoint: Checkpoint) -> None:
        if self._save_state:
            await self.checkpoints.write(checkpoint)


def last_created_ms(page: ResponsePage, default_ms: int) -> int:
    """Creation time of a page's last record, epoch milliseconds; `default_ms` if it has none."""
    return created_ms(page.records[-1]) or default_ms if page.records else default_ms


class ApiOptions(Struct, frozen=True, kw_only=True):
    """Options of a pull's requests."""

    api_url: str = ""
    """Empty for the address in the settings."""
    timeout: float = TIMEOUT_S
    """Seconds for each phase of a request."""
    unreachable_timeout: float = UNREACHABLE_TIMEOUT_S
    """Seconds of continuous failure after which the pull gives up."""
    save_state: bool = True
    """Whether to write the checkpoint to the journal and the catalogue to the state folder."""


async def pull_environment(
    environment: Environment,
    settings: Settings,
    paths: Paths,
    request: PullRequest,
    handle_page: PageHandler,
    journal: Journal | None,
    *,
    options: ApiOptions | None = None,
    on_progress: OnProgress | None = None,
) -> PullProgress:
    """Read the answers that `request` asks for, and pass each page to `handle_page`; returns the final progress.

    The checkpoint is in `journal`. Raises SprigApiError, ConfigError and the errors of `handle_page`; the same call
    then resumes at the checkpoint.
    """
    options = options or ApiOptions()
    url = options.api_url or settings.sprig_api_url
    key = require_api_key(environment)
    async with (
        SprigClient(url, key, clock=SystemClock(), timeout=options.timeout) as client,
        _reported_rejection(key),
    ):
        fetcher = PageFetcher(client, timeout_s=options.unreachable_timeout)
        checkpoints = CheckpointStore(paths, environment.name, url, journal, settings.journal_name)
        puller = Puller(
            environment, checkpoints, request, fetcher, save_state=options.save_state, on_progress=on_progress
        )
        with checkpoints.lock() if options.save_state else nullcontext():
            surveys = {**settings.rules.surveys, **await puller.pull_surveys()}
            rules = replace(settings.rules, surveys=merge_surveys(settings.surveys, surveys))
            builder = EntryBuilder(rules, {**settings.environments, environment.name: environment}, environment.name)
            return await puller.pull_responses(lambda records: handle_page(builder, records))


@asynccontextmanager
async def _reported_rejection(key: SprigApiKey) -> AsyncIterator[None]:
    """Let a key that a command or the keyring keeps be read again where Sprig rejects it."""
    try:
        yield
    except SprigApiError as error:
        if error.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            process_secrets.report_rejected(key)
        raise


def store_pages(journal: Journal, engine: Engine | None, result: IngestResult) -> PageHandler:
    """A handler that stores pages durably, wakes the engine and counts in `result`."""

    async def store(builder: EntryBuilder, records: Sequence[Record]) -> None:
        await ingest_records(records, builder, journal, engine, result=result)

    return store


def count_pages(on_entry: Callable[[NewDelivery], None]) -> PageHandler:
    """A handler that only maps pages; `on_entry` is called with each entry, also with those repeated on two pages."""

    async def count(builder: EntryBuilder, records: Sequence[Record]) -> None:
        for entry in await asyncio.to_thread(lambda: list(builder.entries(records))):
            on_entry(entry)

    return count
