"""One pull: the surveys, then the answers of a window page by page, each stored before its position is noted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from msgspec.structs import replace

from sprig_tui.clock import Clock, SystemClock
from sprig_tui.config.catalogue import EnvironmentSurveys, read_surveys_file, surveys_file, write_surveys_file
from sprig_tui.config.environment import Environment, SprigApiKey
from sprig_tui.errors import ConfigError, SprigApiError, SprigApiPageError
from sprig_tui.mapping.records import Survey
from sprig_tui.pull.fetching import Fetcher
from sprig_tui.pull.moments import created_ms, moment, newest_ms
from sprig_tui.pull.position import Place, PullPosition, Unfinished, fingerprint
from sprig_tui.pull.request import Asked, Window
from sprig_tui.pull.state import PullState
from sprig_tui.pull.surveys import learn_surveys
from sprig_tui.sprig.api import RESPONSES_PATH
from sprig_tui.sprig.api_pages import ResponsePage, parse_response_page
from sprig_tui.sprig.records import Record

PAGE = 1_000
"""Records of a page, the most that Sprig gives."""
MAX_EMPTY_PAGES = 1_000
"""Pages in a row without a record that are followed."""

Store = Callable[[Sequence[Record]], Awaitable[None]]
"""Takes the records of a page; when it returns they are durably stored."""


def api_key_of(environment: Environment) -> SprigApiKey:
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
        position: PullPosition,
        asked: Asked,
        fetcher: Fetcher,
        *,
        clock: Clock | None = None,
        keep: bool = True,
        heard: Callable[[PullState], None] | None = None,
    ) -> None:
        name = environment.name
        key = api_key_of(environment)
        self.position = position
        self.state = PullState(environment=name)
        self._catalogue_file = surveys_file(position.paths, name)
        self._url = position.api_url
        self._key = fingerprint(key.reveal())
        self._asked = asked
        self._fetcher = fetcher
        self._clock = clock or SystemClock()
        self._keep = keep
        self._heard = heard
        self._place: Place | None = None
        self._limit = PAGE
        self._cursor = ""
        self._repeats = False
        """Whether pages begin with the millisecond that the one before ended with."""
        fetcher.heard = self._wait

    # -- surveys --------------------------------------------------------------------------------------------------

    async def surveys(self) -> dict[str, Survey]:
        """Learn and keep the environment's survey catalogue: names and creation times by survey id.

        Also finds out whether a key that is new here is one of the same product: positions of another's say nothing
        about it. Raises SprigApiError, and ConfigError when the state folder cannot be used.
        """
        place = await self.position.read()
        read = read_surveys_file(self._catalogue_file)
        before = read if read.source == self._url else EnvironmentSurveys()
        found, warnings = await learn_surveys(self._fetcher)
        for text in warnings:
            self._warn(text)
        if place.key not in ("", self._key) and found and not before.surveys.keys() & found.keys():
            self._warn("the API key seems to be that of another product: it is read from the beginning")
            place, before = Place(), EnvironmentSurveys()
        self._place = replace(place, key=self._key)
        known = {**before.surveys, **found}
        if self._keep and known != read.surveys:
            write_surveys_file(
                self._catalogue_file, EnvironmentSurveys(source=self._url, fetched_at=self._clock.now(), surveys=known)
            )
        self._now(surveys=len(known))
        return known

    # -- answers --------------------------------------------------------------------------------------------------

    async def answers(self, store: Store) -> PullState:
        """Read the window to its end; returns the last state.

        Each page goes to `store`, and only then its position is noted, so that a kill at any moment repeats one page
        at most. Raises SprigApiError (the position stays), SprigApiPageError after what could be read of a page was stored,
        and whatever `store` raises.
        """
        place = self._place or replace(await self.position.read(), key=self._key)
        begun = self._clock.now()
        resumed = place.interrupted(self._asked, begun)
        done = resumed or Unfinished(window=place.window(self._asked), started=begun)
        window = done.window
        self._now(
            window=window,
            resumed=resumed is not None,
            pages=done.pages,
            records=done.records,
            newest=done.newest,
            mark=place.mark(self._asked.survey),
        )
        if window.since is not None and window.until is not None and window.since >= window.until:
            self._warn(f"everything up to {moment(window.until)} was read before: name --since to read it again")
        else:
            place = place.finished(self._asked, await self._read_or_again(place, done, store))
            await self._write(place)
        self._now(finished=True, mark=place.mark(self._asked.survey))
        return self.state

    async def _read_or_again(self, place: Place, done: Unfinished, store: Store) -> Unfinished:
        """Read on; from the window's start where Sprig does not take the cursor of an interrupted pull any more."""
        try:
            return await self._read(place, done, store)
        except SprigApiError as error:
            if error.status != 400 or not done.cursor or done.cursor != self._cursor:
                raise
        self._warn("Sprig does not take the position of the interrupted pull any more: its window is read again")
        return await self._read(place, Unfinished(window=done.window, started=self._clock.now()), store)

    async def _read(self, place: Place, done: Unfinished, store: Store) -> Unfinished:
        async for page in self._pages(done):
            if page.records:
                await store(page.records)
            reached = newest_ms(page.records)
            done = replace(
                done,
                cursor=page.cursor,
                pages=done.pages + 1,
                records=done.records + len(page.records),
                newest=max(done.newest, reached),
                edge=edge_of(page, done.edge),
                at=self._clock.now(),
            )
            self._now(pages=done.pages, records=done.records, newest=done.newest, reached=reached or self.state.reached)
            if page.fault:
                raise SprigApiPageError(
                    f"page {done.pages:,} is not what Sprig documents: {page.fault}",
                    hint="what could be read of it is stored; the same command asks for it again",
                )
            if page.cursor:
                await self._write(place.going_on(self._asked, done))
        return done

    async def _pages(self, done: Unfinished) -> AsyncIterator[ResponsePage]:
        window, cursor, edge = done.window, done.cursor, done.edge
        seen: set[str] = set()
        empty = 0
        while True:
            self._cursor = cursor
            answer, page = await self._fetcher.get(
                RESPONSES_PATH, window.parameters(self._limit, cursor), parse_response_page
            )
            if page is None:
                if answer.kind == "none" and not cursor:
                    self._warn("Sprig answers 404, taken as no responses")
                    return
                if answer.kind == "none":
                    # To take it for the end would move the mark over what was not read.
                    raise SprigApiPageError(
                        "Sprig answers 404 in the middle of a list", hint="the same command goes on there"
                    )
                if self._limit == 1:
                    raise SprigApiPageError(
                        f"a single response is too large: {answer.error}", hint="leave it out by --since and --until"
                    )
                self._limit //= 2
                continue
            if edge and not page.fault and (tied := await self._tied(window, edge, page)):
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
            cursor, edge = page.cursor, edge_of(page, edge)

    async def _tied(self, window: Window, edge: int, page: ResponsePage) -> list[Record]:
        """Records of the millisecond between two pages, where the second page does not begin with that millisecond.

        Cursors name a millisecond (seen by decoding the specification's examples), and whether the next page begins
        with it or after it is not documented: in the second case records that share it would be missed.
        """
        if self._repeats or any(created_ms(record) == edge for record in page.records):
            self._repeats = True
            return []
        moment_alone = replace(window, since=edge, until=edge + 1)
        _, found = await self._fetcher.get(
            RESPONSES_PATH, moment_alone.parameters(self._limit, ""), parse_response_page
        )
        return found.records if found is not None and not found.fault else []

    # -- telling --------------------------------------------------------------------------------------------------

    def _now(self, **changes: Any) -> None:
        self.state = replace(self.state, **changes)
        if self._heard is not None:
            self._heard(self.state)

    def _wait(self, waiting: str) -> None:
        if waiting != self.state.waiting:
            self._now(waiting=waiting)

    def _warn(self, text: str) -> None:
        self._now(warnings=(*self.state.warnings, text))

    async def _write(self, place: Place) -> None:
        if self._keep:
            await self.position.write(place)


def edge_of(page: ResponsePage, before: int) -> int:
    """Creation time of a page's last record, epoch milliseconds; that of the page before where it has none."""
    return created_ms(page.records[-1]) or before if page.records else before
