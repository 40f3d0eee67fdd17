"""Segment workspace lookup: the source of each key, and its destinations."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from sprig_tui.cli import diagnostics
from sprig_tui.clock import SystemClock
from sprig_tui.errors import ConfigError
from sprig_tui.formatting import format_duration
from sprig_tui.segment.public_api_models import Destination, Source, source_of_key

if TYPE_CHECKING:
    from sprig_tui.config.environment import Environment
    from sprig_tui.config.secrets import Workspace
    from sprig_tui.config.settings import Settings
    from sprig_tui.reconcile.model import StraySource
    from sprig_tui.segment.metrics import VolumeRow
    from sprig_tui.segment.public_api import PublicApiClient

NO_TOKEN_HINT = "make a Public API token in Segment, and store it with sprig-tui keys workspace"  # noqa: S105 - a sentence


class KeyLookup(NamedTuple):
    """Lookup of one environment's key."""

    environment: str
    source: Source | None
    """None where the key belongs to no source of the workspace."""
    destinations: tuple[Destination, ...] = ()
    mismatches: tuple[str, ...] = ()
    events: int | None = None
    """How often the source got our event in the last 24 hours; None where Segment did not say."""


class WorkspaceLookup(NamedTuple):
    """Lookup of all keys in the workspace."""

    workspace: str
    sources: int
    visible: bool
    """Whether the token may see Write Keys; without that no key can be looked up."""
    keys: tuple[KeyLookup, ...]
    strangers: tuple[StraySource, ...] = ()
    """Sources that got our event in the last 24 hours, and to which no key of ours belongs."""
    volume_problem: str = ""
    """Why it is not known which sources got our event."""
    hidden: int = 0
    """Sources whose Write Keys the token may not see."""

    @property
    def hidden_text(self) -> str:
        """How much the token may not see; empty where it sees the keys of all sources."""
        return f"the token sees no key of {self.hidden:,} of the {self.sources:,} sources" if self.hidden else ""


def print_wait(seconds: float) -> None:
    """Say that Segment asked to wait."""
    diagnostics.info(f"Segment's Public API asks to wait {format_duration(seconds)}")


def public_api(
    workspace: Workspace,
    *,
    timeout_s: float = 15.0,
    on_wait: Callable[[float], None] = print_wait,
    unasked: bool = False,
    is_trial: bool = False,
) -> PublicApiClient:
    """The client of a workspace that has a token; raises ConfigError.

    Whether Segment accepts the token is noted for all processes, except in a trial of one that is not stored. With
    `unasked`, where no person waits for it, it raises SegmentApiError while a rejected token must not be tried.
    """
    from sprig_tui.config.paths import find_paths
    from sprig_tui.config.token_rejection import TokenWatcher
    from sprig_tui.segment.public_api import PublicApiClient

    if workspace.token is None:
        raise ConfigError("no token of Segment's Public API is configured", hint=NO_TOKEN_HINT)
    clock = SystemClock()
    watcher = TokenWatcher(find_paths().state_dir, workspace, clock, is_trial=is_trial)
    if unasked:
        watcher.check()
    return PublicApiClient(
        workspace.base_url,
        workspace.token,
        clock=clock,
        timeout=timeout_s,
        on_wait=on_wait,
        on_token=watcher,
    )


def list_sources(settings: Settings) -> tuple[Source, ...]:
    """Every source of the workspace; raises SegmentApiError and ConfigError."""

    async def ask() -> tuple[Source, ...]:
        async with public_api(settings.workspace) as api:
            return await api.sources()

    return asyncio.run(ask())


async def look_up_keys(
    settings: Settings, environments: Iterable[Environment], *, timeout_s: float = 15.0
) -> WorkspaceLookup:
    """Look up the keys of these environments; raises SegmentApiError and ConfigError."""
    from sprig_tui.reconcile.volumes import stray_sources
    from sprig_tui.setup.key_owner import find_owner

    async with public_api(settings.workspace, timeout_s=timeout_s) as api:
        workspace, sources = await api.workspace(), await api.sources()
        visible = any(source.write_keys for source in sources)
        volumes = await _ask_volumes(settings, api)
        strays = () if isinstance(volumes, str) else stray_sources(volumes, settings, sources)
        totals = {stray.source_id: stray.total for stray in strays}
        found: list[KeyLookup] = []
        for environment in environments:
            if environment.write_key is None or not environment.write_key.is_read or not visible:
                continue
            source = source_of_key(environment.write_key.reveal(), sources)
            if source is None:
                found.append(KeyLookup(environment.name, None))
                continue
            doubts = find_owner(environment.write_key.reveal(), sources, settings, environment.name).mismatches
            events = None if isinstance(volumes, str) else totals.get(source.id, 0)
            found.append(KeyLookup(environment.name, source, await api.destinations(source.id), doubts, events))
    strangers = tuple(stray for stray in strays if not stray.environment) if visible else ()
    problem = volumes if isinstance(volumes, str) else ""
    hidden = sum(not source.write_keys for source in sources)
    return WorkspaceLookup(workspace, len(sources), visible, tuple(found), strangers, problem, hidden)


async def _ask_volumes(settings: Settings, api: PublicApiClient) -> tuple[VolumeRow, ...] | str:
    """How often each source got our event in the last 24 hours, or why that is not known."""
    from sprig_tui.reconcile.queries import Queries, Refusal, ignore_progress
    from sprig_tui.reconcile.volumes import ask_volumes
    from sprig_tui.reconcile.windows import DAY_MS, plan

    now = SystemClock().now()
    windows = plan(now - DAY_MS, now, now)
    found = await ask_volumes(Queries(ignore_progress), api, settings.rules.event, windows, now)
    return found.detail if isinstance(found, Refusal) else found


def events_text(events: int, event: str) -> str:
    """Such as `it got 'SDK - Submitted - Survey Response' 1,204 times in the 24 hours up to a minute ago`."""
    if not events:
        return f"it got no {event!r} in the 24 hours up to a minute ago"
    return f"it got {event!r} {'once' if events == 1 else f'{events:,} times'} in the 24 hours up to a minute ago"


def destinations_text(destinations: tuple[Destination, ...]) -> str:
    """Such as `destinations: Amplitude, Customer.io (disabled)`."""
    if not destinations:
        return "no destination is connected: what arrives goes nowhere else"
    names = (
        destination.name if destination.enabled is not False else f"{destination.name} (disabled)"
        for destination in destinations
    )
    text = f"destinations: {', '.join(names)}"
    return text if any(destination.enabled is not False for destination in destinations) else f"{text}; none is enabled"


def source_json(lookup: KeyLookup, workspace: str) -> dict[str, Any] | None:
    """The source with its destinations, for programs; never a key."""
    source = lookup.source
    if source is None:
        return None
    return {
        "workspace": workspace,
        "id": source.id,
        "name": source.name,
        "slug": source.slug,
        "kind": source.kind,
        "enabled": source.enabled,
        "labels": source.labels,
        "doubts": lookup.mismatches,
        "events_24h": lookup.events,
        "destinations": [
            {"id": destination.id, "name": destination.name, "kind": destination.kind, "enabled": destination.enabled}
            for destination in lookup.destinations
        ],
    }
