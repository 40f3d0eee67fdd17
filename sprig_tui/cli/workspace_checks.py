"""What `keys check` and `doctor` say of the keys once the workspace was asked."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sprig_tui.cli import diagnostics
from sprig_tui.cli.checks import Check
from sprig_tui.cli.workspace import Standings, destinations_text, key_standings, source_json, source_text
from sprig_tui.errors import ConfigError, ExitCode, SegmentApiError, SegmentApiUnreachableError

if TYPE_CHECKING:
    from sprig_tui.config.environment import Environment
    from sprig_tui.config.settings import Settings

NOT_VISIBLE = "the token sees no write keys, so which source a key belongs to cannot be told"
ROLE_HINT = "give the token the role of a source admin or workspace owner"


def look_up(settings: Settings, environments: list[Environment], rows: list[dict[str, Any]]) -> ExitCode:
    """Add what the workspace says to the rows of `keys check`; the exit code that the asking itself means."""
    try:
        found = asyncio.run(key_standings(settings, environments))
    except SegmentApiUnreachableError as error:
        diagnostics.warning(f"the workspace could not be asked: {error.message}", error.hint)
        return error.exit_code
    except (SegmentApiError, ConfigError) as error:
        diagnostics.warning(f"the workspace could not be asked: {error.message}", error.hint)
        return ExitCode.REJECTED
    if not found.visible:
        diagnostics.warning(NOT_VISIBLE, ROLE_HINT)
    by_name = {row["name"]: row for row in rows}
    for standing in found.keys:
        row = by_name[standing.environment]
        row["segment_source"] = source_json(standing, found.workspace)
        if standing.source is None:
            row["faults"].append(f"it belongs to no source of the workspace {found.workspace}")
            continue
        row["faults"].extend(f"source {standing.source.name}: {doubt}" for doubt in standing.doubts)
        row["said"] = [f"source {source_text(standing.source)}", destinations_text(standing.destinations)]
    return ExitCode.OK


async def workspace_checks(settings: Settings, timeout_s: float) -> list[Check]:
    """What `doctor` says of the workspace; nothing where there is no token."""
    token = settings.workspace.token
    if token is None:
        return []
    try:
        found = await key_standings(settings, settings.environments.values(), timeout_s=timeout_s)
    except SegmentApiUnreachableError as error:
        # answers are delivered without it
        return [Check("workspace", "warning", error.message, error.hint)]
    except (SegmentApiError, ConfigError) as error:
        return [Check("workspace", "fault", error.message, error.hint)]
    said = f"{found.workspace} has {found.sources:,} source{'' if found.sources == 1 else 's'} ({token.masked()})"
    checks = [Check("workspace", "ok", said)]
    if not found.visible:
        return [*checks, Check("workspace", "warning", NOT_VISIBLE, ROLE_HINT)]
    return [*checks, *_sources(found)]


def _sources(found: Standings) -> list[Check]:
    checks: list[Check] = []
    for name, source, destinations, doubts in found.keys:
        if source is None:
            said = f"{name}: its key belongs to no source of the workspace {found.workspace}"
            hint = f"Segment answers 200 all the same, and drops it: sprig-tui keys set {name}"
            checks.append(Check("source", "fault", said, hint))
            continue
        text = f"{name}: {source_text(source)}; {destinations_text(destinations)}"
        if not source.enabled:
            checks.append(Check("source", "fault", text, "enable it in Segment: what comes for it is dropped"))
        elif doubts:
            hint = f"{'; '.join(doubts)}: if it is the wrong one, sprig-tui keys set {name}"
            checks.append(Check("source", "warning", text, hint))
        elif not any(one.enabled for one in destinations):
            checks.append(Check("source", "warning", text, "connect one in Segment"))
        else:
            checks.append(Check("source", "ok", text))
    return checks
