"""Services of the console's set-up screen: what it asks of Segment and Sprig over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from sprig_tui.cli.secret_trials import try_sprig_key, try_token

if TYPE_CHECKING:
    from sprig_tui.config.settings import Settings
    from sprig_tui.console.setup.services import SetupServices
    from sprig_tui.journal.base import Journal
    from sprig_tui.segment.public_api import PublicApiClient
    from sprig_tui.setup.facts import Facts
    from sprig_tui.setup.key_rotation import NewKey
    from sprig_tui.setup.source_creation import CreatedSource, NewSource


def setup_services() -> SetupServices:
    """The services, for the console."""
    from sprig_tui.cli.commands.listen import DEFAULT_PORT
    from sprig_tui.console.setup.services import SetupServices

    return SetupServices(
        _gather_facts,
        try_token,
        try_sprig_key,
        _propose_source,
        _create_source,
        _continue_creation,
        _make_key,
        listen_url=f"http://127.0.0.1:{DEFAULT_PORT}",
    )


async def _gather_facts(
    settings: Settings,
    journal: Journal | None,
    environment: str,
    asks_segment: bool,
    before: Facts | None,
    on_progress: Callable[[str], None],
) -> Facts:
    from sprig_tui.clock import SystemClock
    from sprig_tui.config.paths import find_paths
    from sprig_tui.setup.facts import gather_facts

    gather = partial(
        gather_facts,
        settings,
        journal,
        environment,
        clock=SystemClock(),
        paths=find_paths(),
        before=before,
        on_progress=on_progress,
    )
    if not asks_segment or settings.workspace.token is None:
        return await gather(api=None)
    async with _api(settings) as api:
        return await gather(api=api)


async def _propose_source(settings: Settings, environment: str) -> NewSource:
    from sprig_tui.setup.source_creation import ask_proposal

    async with _api(settings) as api:
        return await ask_proposal(api, environment)


async def _create_source(settings: Settings, new: NewSource) -> CreatedSource:
    from sprig_tui.setup.source_creation import create_source

    async with _api(settings) as api:
        return await create_source(api, new)


async def _continue_creation(settings: Settings, new: NewSource, made: CreatedSource) -> CreatedSource:
    from sprig_tui.setup.source_creation import continue_creation

    async with _api(settings) as api:
        return await continue_creation(api, new, made)


async def _make_key(settings: Settings, source_id: str) -> NewKey:
    from sprig_tui.setup.key_rotation import make_key

    async with _api(settings) as api:
        return await make_key(api, source_id)


def _api(settings: Settings) -> PublicApiClient:
    from sprig_tui.cli.workspace import public_api

    return public_api(settings.workspace, on_wait=lambda _: None)
