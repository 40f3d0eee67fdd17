"""Services of the console's set-up screen: what it asks of Segment and Sprig over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sprig_tui.errors import ConfigError, SegmentApiError, SegmentApiUnreachableError

if TYPE_CHECKING:
    from sprig_tui.config.environment import SprigApiKey
    from sprig_tui.config.secrets import Workspace
    from sprig_tui.config.settings import Settings
    from sprig_tui.console.setup.secret_form import Trial
    from sprig_tui.console.setup.services import SetupServices
    from sprig_tui.journal.base import Journal
    from sprig_tui.segment.public_api import PublicApiClient
    from sprig_tui.setup.facts import Facts
    from sprig_tui.setup.source_creation import CreatedSource, NewSource

TRIAL_TIMEOUT_S = 10.0
"""Seconds for each phase of a request that tries a secret."""


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
        listen_url=f"http://127.0.0.1:{DEFAULT_PORT}",
    )


async def try_token(workspace: Workspace) -> Trial:
    """Try a token of Segment's Public API; one that the US rejects is tried in the EU, where half of them belong."""
    from sprig_tui.console.setup.secret_form import Trial

    try:
        return await _ask_workspace(workspace)
    except SegmentApiUnreachableError as error:
        return Trial("untried", f"the token could not be tried: {error.message}")
    except ConfigError as error:
        return Trial("rejected", f"{error.message}; {error.hint}")
    except SegmentApiError as error:
        rejected = Trial("rejected", f"{error.message}; {error.hint}".rstrip("; "))
        if workspace.region != "us" or error.status not in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return rejected
    try:
        return replace(await _ask_workspace(replace(workspace, region="eu")), region="eu")
    except (SegmentApiError, ConfigError):
        return rejected


async def _ask_workspace(workspace: Workspace) -> Trial:
    from sprig_tui.cli.workspace import public_api
    from sprig_tui.console.setup.secret_form import Trial

    async with public_api(workspace, timeout_s=TRIAL_TIMEOUT_S, on_wait=lambda _: None, is_trial=True) as api:
        name, sources = await api.workspace(), await api.sources()
    plural = "" if len(sources) == 1 else "s"
    text = f"it is a token of the workspace {name}, which has {len(sources):,} source{plural}"
    if sources and not any(source.write_keys for source in sources):
        text += "; it may not see their write keys, for which it needs the role of a source admin or workspace owner"
    return Trial("accepted", text)


async def try_sprig_key(url: str, key: SprigApiKey) -> Trial:
    """Try a key at Sprig's REST API."""
    from sprig_tui.clock import SystemClock
    from sprig_tui.console.setup.secret_form import Trial
    from sprig_tui.sprig.api import SURVEYS_PATH, SprigClient

    try:
        async with SprigClient(url, key, clock=SystemClock(), timeout=TRIAL_TIMEOUT_S) as client:
            answer = await client.get(SURVEYS_PATH, {"limit": "1"})
    except ConfigError as error:
        return Trial("untried", f"it could not be tried: {error.message}; {error.hint}")
    if answer.kind == "key-refused":
        return Trial("rejected", f"{url} rejects this key ({answer.status}): copy it again, from the right environment")
    if answer.kind in ("ok", "none"):
        return Trial("accepted", f"{url} accepts it")
    return Trial("untried", f"it could not be tried at {url}: {answer.error}")


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


def _api(settings: Settings) -> PublicApiClient:
    from sprig_tui.cli.workspace import public_api

    return public_api(settings.workspace, on_wait=lambda _: None)
