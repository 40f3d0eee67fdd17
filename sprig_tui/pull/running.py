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
from sprig_tui.delivery.feeding import IngestResult, ingest
from sprig_tui.intake import EntryBuilder
from sprig_tui.pull.fetching import PATIENCE, Fetcher
from sprig_tui.pull.position import PullPosition
from sprig_tui.pull.puller import Puller, api_key_of
from sprig_tui.pull.request import Asked
from sprig_tui.pull.state import PullState
from sprig_tui.sprig.api import TIMEOUT_S, SprigClient
from sprig_tui.sprig.records import Record

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.delivery.engine import Engine
    from sprig_tui.journal.contract import Journal
from sprig_tui.journal.records import NewDelivery

Keep = Callable[[EntryBuilder, Sequence[Record]], Awaitable[None]]
"""Takes the records of a page, and the intake that makes entries of them."""
Heard = Callable[[PullState], None]


class PullTerms(Struct, frozen=True, kw_only=True):
    """How a pull asks."""

    api_url: str = ""
    """Empty for the one of the settings."""
    timeout: float = TIMEOUT_S
    """Seconds for each phase of a request."""
    patience: float = PATIENCE
    """Seconds that the API may fail without a break."""
    trace: bool = True
    """Off: nothing is written, neither to the journal nor to the state folder."""


async def pull_environment(
    environment: Environment,
    settings: Settings,
    paths: Paths,
    asked: Asked,
    keep: Keep,
    journal: Journal | None,
    *,
    terms: PullTerms | None = None,
    heard: Heard | None = None,
) -> PullState:
    """Read what `asked` names of one environment, every page given to `keep`; returns where it stands at the end.

    The position stands in `journal`. Raises SourceError, ConfigError, and what `keep` raises; positions then stay, and
    the same call goes on there.
    """
    terms = terms or PullTerms()
    url = terms.api_url or settings.sprig_api_url
    async with SprigClient(url, api_key_of(environment), clock=SystemClock(), timeout=terms.timeout) as client:
        fetcher = Fetcher(client, patience=terms.patience)
        position = PullPosition(paths, environment.name, url, journal, settings.journal_name)
        puller = Puller(environment, position, asked, fetcher, keep=terms.trace, heard=heard)
        with puller.position.held() if terms.trace else nullcontext():
            learnt = {**settings.rules.surveys, **await puller.surveys()}
            rules = replace(settings.rules, surveys=merge_surveys(settings.surveys, learnt))
            intake = EntryBuilder(rules, {**settings.environments, environment.name: environment}, environment.name)
            return await puller.answers(lambda records: keep(intake, records))


def into_journal(journal: Journal, engine: Engine | None, fed: IngestResult) -> Keep:
    """Store pages durably and wake the engine; `fed` counts."""

    async def keep(intake: EntryBuilder, records: Sequence[Record]) -> None:
        await ingest(records, intake, journal, engine, result=fed)

    return keep


def into_counts(counted: Callable[[NewDelivery], None]) -> Keep:
    """Map pages and forget them; `counted` hears each entry, those too that come again with the next page."""

    async def keep(intake: EntryBuilder, records: Sequence[Record]) -> None:
        for entry in await asyncio.to_thread(lambda: list(intake.entries(records))):
            counted(entry)

    return keep
