"""One pull: the surveys, then the answers of a window page by page, each stored before its position is noted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from sprig_tui.clock import Clock, SystemClock
from sprig_tui.config.environment import UNREACHABLE_TIMEOUT_S, Environment, SprigApiKey
from sprig_tui.config.paths import Paths
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
"""Records of a page, the most that Sprig gives."""
MAX_EMPTY_PAGES = 1_000
"""Pages in a row without a record that are followed."""

StorePage = Callable[[Sequence[Record]], Awaitable[None]]
"""Takes the records of a page; when it returns they are durably stored."""


def require_api_key(environment: Environment) -> SprigApiKey:
    """The key to read with; raises ConfigError where there is none."""
    if environment.sprig_api_key is None:
        raise ConfigError(
            f"{environment.name} has no key of Sprig's API",
            hint=f"set one with sprig-tui keys sprig {environment.name}",
        )
    return environment.sprig_api_key


class Puller:
    """Reads what one environment's API key gives: `surveys()` once, then `answers()` once.

        with puller.position.held():
            surveys = await puller.surveys()
            state = await puller.answers(store)

    The position is kept in the journal, the catalogue in the state folder, unless `keep` is off (to try without a
    trace). `heard`
    gets each new state. Raises ConfigError for an environment without an API key.
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
        on_progress: Callable[[PullProgress], None] | None = None,
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
        """Whether pages begin with the millisecond that the one before ended with."""
        fetcher.on_wait = self._on_wait

    # -- surveys --------------------------------------------------------------------------------------------------

    async def pull_surveys(self) -> dict[str, Survey]:
        """Learn and keep the environment's survey catalogue: names and creation times by survey id.

        Also finds out whether a key that is new here is one of the same product: positions of another's say nothing
        about it. Raises SprigApiError, and ConfigError when the state folder cannot be used.
        """
        place = await self.checkpoints.read()
        read = read_surveys_file(self._catalogue_file)
        before = read if read.source == self._url else EnvironmentSurveys()
        found, warnings = await fetch_surveys(self._fetcher)
        for text in warnings:
            self._add_warning(text)
        if place.key not in ("", self._key) and found and not before.surveys.keys() & found.keys():
            self._add_warning("the API key seems to be that of another product: it is read from the beginning")
            place, before = Checkpoint(), EnvironmentSurveys()
        self._checkpoint = replace(place, key=self._key)
        known = {**before.surveys, **found}
        if self._save_state and known != read.surveys:
            write_surveys_file(
                self._catalogue_file, EnvironmentSurveys(source=self._url, fetched_at=self._clock.now(), surveys=known)
            )
        self._update_progress(surveys=len(known))
        return known

    # -- answers --------------------------------------------------------------------------------------------------

    async def pull_responses(self, store: StorePage) -> PullProgress:
        """Read the window to its end; returns the last state.

        Each page goes to `store`, and only then its position is noted, so that a kill at any moment repeats one page
        at most. Raises SprigApiError (the position stays), SprigApiPageError after what could be read of a page was
        stored,
        and whatever `store` raises.
        """
        place = self._checkpoint or replace(await self.checkpoints.read(), key=self._key)
        begun = self._clock.now()
        resumed = place.find_resume_point(self._request, begun)
        done = resumed or ResumePoint(window=place.time_window(self._request), started=begun)
        window = done.window
        self._update_progress(
            window=window,
            resumed=resumed is not None,
            pages=done.pages,
            records=done.records,
            newest=done.newest,
            mark=place.high_water_mark(self._request.survey),
        )
        if window.since is not None and window.until is not None and window.since >= window.until:
            self._add_warning(
                f"everything up to {format_utc(window.until)} was read before: name --since to read it again"
            )
        else:
            place = place.with_finished(self._request, await self._read_or_restart(place, done, store))
            await self._write_checkpoint(place)
        self._update_progress(finished=True, mark=place.high_water_mark(self._request.survey))
        return self.state

    async def _read_or_restart(self, checkpoint: Checkpoint, done: ResumePoint, store: StorePage) -> ResumePoint:
        """Read on; from the window's start where Sprig does not take the cursor of an interrupted pull any more."""
        try:
            return await self._read_window(checkpoint, done, store)
        except SprigApiError as error:
            if error.status != 400 or not done.cursor or done.cursor != self._cursor:
                raise
        self._add_warning("Sprig does not take the position of the interrupted pull any more: its window is read again")
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
                    hint="what could be read of it is stored; the same command asks for it again",
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
            answer, page = await self._fetcher.get(
                RESPONSES_PATH, window.parameters(self._page_limit, cursor), parse_response_page
            )
            if page is None:
                if answer.kind == "none" and not cursor:
                    self._add_warning("Sprig answers 404, taken as no responses")
                    return
                if answer.kind == "none":
                    # To take it for the end would move the mark over what was not read.
                    raise SprigApiPageError(
                        "Sprig answers 404 in the middle of a list", hint="the same command goes on there"
                    )
                if self._page_limit == 1:
                    raise SprigApiPageError(
                        f"a single response is too large: {answer.error}", hint="leave it out by --since and --until"
                    )
                self._page_limit //= 2
                continue
            if edge and not page.fault and (tied := await self._fetch_tied(window, edge, page)):
                yield ResponsePage(tied, cursor)
            seen.add(cursor)
            empty = 0 if page.records else empty + 1
            if page.cursor and page.cursor in seen:
                page = page._replace(fault=f"its cursor {page.cursor[:60]!r} leads back to where it was")
            elif page.cursor and empty >= MAX_EMPTY_PAGES:
                page = page._replace(fault=f"{empty:,} pages in a row are empty")
            yield page
            if not page.cursor:
                return
            cursor, edge = page.cursor, last_created_ms(page, edge)

    async def _fetch_tied(self, window: TimeWindow, edge: int, page: ResponsePage) -> list[Record]:
        """Records of the millisecond between two pages, where the second page does not begin with that millisecond.

        Cursors name a millisecond (seen by decoding the specification's examples), and whether the next page begins
        with it or after it is not documented: in the second case records that share it would be missed.
        """
        if self._pages_overlap or any(created_ms(record) == edge for record in page.records):
            self._pages_overlap = True
            return []
        moment_alone = replace(window, since=edge, until=edge + 1)
        _, found = await self._fetcher.get(
            RESPONSES_PATH, moment_alone.parameters(self._page_limit, ""), parse_response_page
        )
        return found.records if found is not None and not found.fault else []

    # -- telling --------------------------------------------------------------------------------------------------

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
    """Creation time of a page's last record, epoch milliseconds; that of the page before where it has none."""
    return created_ms(page.records[-1]) or default_ms if page.records else default_ms


PageHandler = Callable[[EntryBuilder, Sequence[Record]], Awaitable[None]]
"""Takes the records of a page, and the intake that makes entries of them."""
OnProgress = Callable[[PullProgress], None]


class ApiOptions(Struct, frozen=True, kw_only=True):
    """How a pull asks."""

    api_url: str = ""
    """Empty for the one of the settings."""
    timeout: float = TIMEOUT_S
    """Seconds for each phase of a request."""
    unreachable_timeout: float = UNREACHABLE_TIMEOUT_S
    """Seconds that the API may fail without a break."""
    save_state: bool = True
    """Off: nothing is written, neither to the journal nor to the state folder."""


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
    """Read what `asked` names of one environment, every page given to `keep`; returns where it stands at the end.

    The position stands in `journal`. Raises SourceError, ConfigError, and what `keep` raises; positions then stay, and
    the same call goes on there.
    """
    options = options or ApiOptions()
    url = options.api_url or settings.sprig_api_url
    async with SprigClient(url, require_api_key(environment), clock=SystemClock(), timeout=options.timeout) as client:
        fetcher = PageFetcher(client, timeout_s=options.unreachable_timeout)
        position = CheckpointStore(paths, environment.name, url, journal, settings.journal_name)
        puller = Puller(environment, position, request, fetcher, save_state=options.save_state, on_progress=on_progress)
        with puller.checkpoints.lock() if options.save_state else nullcontext():
            learnt = {**settings.rules.surveys, **await puller.pull_surveys()}
            rules = replace(settings.rules, surveys=merge_surveys(settings.surveys, learnt))
            intake = EntryBuilder(rules, {**settings.environments, environment.name: environment}, environment.name)
            return await puller.pull_responses(lambda records: handle_page(intake, records))


def store_pages(journal: Journal, engine: Engine | None, result: IngestResult) -> PageHandler:
    """Store pages durably and wake the engine; `fed` counts."""

    async def keep(intake: EntryBuilder, records: Sequence[Record]) -> None:
        await ingest_records(records, intake, journal, engine, result=result)

    return keep


def count_pages(on_entry: Callable[[NewDelivery], None]) -> PageHandler:
    """Map pages and forget them; `counted` hears each entry, those too that come again with the next page."""

    async def keep(intake: EntryBuilder, records: Sequence[Record]) -> None:
        for entry in await asyncio.to_thread(lambda: list(intake.entries(records))):
            on_entry(entry)

    return keep
