"""Workspace checks of `keys check` and `doctor`: the source of each key."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sprig_tui.cli import diagnostics
from sprig_tui.cli.commands.doctor.local import CheckResult
from sprig_tui.cli.workspace import (
    WorkspaceLookup,
    destinations_text,
    events_text,
    look_up_keys,
    source_json,
)
from sprig_tui.errors import ConfigError, ExitCode, SegmentApiError, SegmentApiUnreachableError
from sprig_tui.segment.public_api_models import source_text

if TYPE_CHECKING:
    from sprig_tui.config.environment import Environment
    from sprig_tui.config.settings import Settings

NOT_VISIBLE_TEXT = "the token sees no write keys, so the source of a key cannot be looked up"
ROLE_HINT = "give the token the role of a source admin or workspace owner"


def add_lookups(settings: Settings, environments: list[Environment], rows: list[dict[str, Any]]) -> ExitCode:
    """Add what the workspace says to the rows of `keys check`; the exit code that the asking itself means."""
    try:
        found = asyncio.run(look_up_keys(settings, environments))
    except SegmentApiUnreachableError as error:
        diagnostics.warning(f"the workspace could not be asked: {error.message}", error.hint)
        return error.exit_code
    except (SegmentApiError, ConfigError) as error:
        diagnostics.warning(f"the workspace could not be asked: {error.message}", error.hint)
        return ExitCode.REJECTED
    if not found.visible:
        diagnostics.warning(NOT_VISIBLE_TEXT, ROLE_HINT)
    by_name = {row["name"]: row for row in rows}
    for standing in found.keys:
        row = by_name[standing.environment]
        row["segment_source"] = source_json(standing, found.workspace)
        if standing.source is None and found.hidden_text:
            row["said"] = [f"its source is not known: {found.hidden_text}"]
            continue
        if standing.source is None:
            row["faults"].append(f"it belongs to no source of the workspace {found.workspace}")
            continue
        row["faults"].extend(f"source {standing.source.name}: {doubt}" for doubt in standing.mismatches)
        row["said"] = [f"source {source_text(standing.source)}", destinations_text(standing.destinations)]
        if standing.events is not None:
            row["said"].append(events_text(standing.events, settings.rules.event))
    for check in _volume_checks(found, settings.rules.event):
        diagnostics.warning(check.message, check.hint)
    return ExitCode.OK


async def workspace_checks(settings: Settings, timeout_s: float) -> list[CheckResult]:
    """What `doctor` says of the workspace; nothing where there is no token."""
    token = settings.workspace.token
    if token is None:
        return []
    try:
        found = await look_up_keys(settings, settings.environments.values(), timeout_s=timeout_s)
    except SegmentApiUnreachableError as error:
        # answers are delivered without it
        return [CheckResult("workspace", "warning", error.message, error.hint)]
    except (SegmentApiError, ConfigError) as error:
        return [CheckResult("workspace", "fault", error.message, error.hint)]
    message = f"{found.workspace} has {found.sources:,} source{'' if found.sources == 1 else 's'} ({token.masked()})"
    checks = [CheckResult("workspace", "ok", message)]
    if not found.visible:
        return [*checks, CheckResult("workspace", "warning", NOT_VISIBLE_TEXT, ROLE_HINT)]
    event = settings.rules.event
    return [*checks, *_source_checks(found, event), *_volume_checks(found, event)]


def _source_checks(lookup: WorkspaceLookup, event: str) -> list[CheckResult]:
    checks: list[CheckResult] = []
    for name, source, destinations, doubts, events in lookup.keys:
        if source is None and lookup.hidden_text:
            message = f"{name}: the source of its key is not known: {lookup.hidden_text}"
            checks.append(CheckResult("source", "warning", message, ROLE_HINT))
            continue
        if source is None:
            message = f"{name}: its key belongs to no source of the workspace {lookup.workspace}"
            hint = f"Segment answers 200 anyway, and drops it: sprig-tui keys set {name}"
            checks.append(CheckResult("source", "fault", message, hint))
            continue
        text = f"{name}: {source_text(source)}; {destinations_text(destinations)}"
        if events is not None:
            text = f"{text}; {events_text(events, event)}"
        if source.enabled is False:
            checks.append(CheckResult("source", "fault", text, "enable it in Segment: what comes for it is dropped"))
        elif doubts:
            hint = f"{'; '.join(doubts)}: if it is the wrong one, sprig-tui keys set {name}"
            checks.append(CheckResult("source", "warning", text, hint))
        elif not any(destination.enabled is not False for destination in destinations):
            checks.append(CheckResult("source", "warning", text, "connect one in Segment"))
        else:
            checks.append(CheckResult("source", "ok", text))
    return checks


def _volume_checks(lookup: WorkspaceLookup, event: str) -> list[CheckResult]:
    """Sources that got our event without a key of ours, and a volume that could not be asked for."""
    if lookup.volume_problem:
        message = f"which sources got {event!r} is not known: {lookup.volume_problem}"
        return [CheckResult("source", "warning", message, ROLE_HINT)]
    return [
        CheckResult(
            "source",
            "warning",
            f"source {stranger.source_name}: {events_text(stranger.total, event)}, and no environment has its key",
            "another program sends there, or a key that was replaced: sprig-tui reconcile compares counts",
        )
        for stranger in lookup.strangers
    ]
