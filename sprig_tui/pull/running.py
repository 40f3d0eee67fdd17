"""A pull put together: client, surveys, intake, journal; what the command line and the console both run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from sprig_tui.clock import SystemClock
from sprig_tui.config.catalogue import merge_surveys
from sprig_tui.config.environment import Environment
from sprig_tui.config.paths import Paths
from sprig_tui.delivery.feeding import IngestResult, ingest_records
from sprig_tui.intake import EntryBuilder
from sprig_tui.pull.fetching import UNREACHABLE_TIMEOUT_S, PageFetcher
from sprig_tui.pull.position import CheckpointStore
from sprig_tui.pull.puller import Puller, require_api_key
from sprig_tui.pull.request import PullRequest
from sprig_tui.pull.state import PullProgress
from sprig_tui.sprig.api import TIMEOUT_S, SprigClient
from sprig_tui.sprig.records import Record

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.delivery.engine import Engine
    from sprig_tui.journal.contract import Journal
from sprig_tui.journal.records import NewDelivery

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
