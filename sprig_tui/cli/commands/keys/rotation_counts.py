"""Counts of a rotated key: a test event under the new key, and what Segment counted since the switch."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sprig_tui.cli import diagnostics
from sprig_tui.clock import SystemClock
from sprig_tui.errors import ExitCode, SegmentApiError
from sprig_tui.formatting import format_duration
from sprig_tui.text import one_line

if TYPE_CHECKING:
    from sprig_tui.setup.key_switch import Rotation

DEFAULT_LOOK_S = 180
"""How long a test event is looked for: Segment's counts are asked for a minute late, and are half a minute behind."""
LOOK_INTERVAL_S = 10.0


async def send_event_with_new_key(rotation: Rotation) -> ExitCode:
    """Send a test event with the new key; returns the exit code."""
    from msgspec.structs import replace

    from sprig_tui.cli.commands.keys.check import send_event
    from sprig_tui.config.environment import WriteKey

    environment = replace(rotation.environment, write_key=WriteKey(rotation.new_key))
    rotation.test_event, code = await send_event(rotation.settings, environment)
    return code


async def look_for_counts(rotation: Rotation, look_s: int, *, sent: bool) -> ExitCode:
    """Ask Segment what it counted since the switch, until it counted something or the time is over."""
    from sprig_tui.cli.log_format import clock_time
    from sprig_tui.cli.workspace import public_api
    from sprig_tui.ingest.test_event import EVENT_NAME
    from sprig_tui.setup.key_rotation import counted_since

    event = EVENT_NAME if sent else rotation.settings.rules.event
    since = clock_time(rotation.switched_at)[11:16]
    if rotation.settings.workspace.token is None:
        diagnostics.info("what Segment counts cannot be asked: there is no token of its Public API")
        return ExitCode.OK
    diagnostics.info(f"looking for {event!r} in Segment's counts, for up to {format_duration(look_s)}; Ctrl-C stops")
    loop = asyncio.get_running_loop()
    end = loop.time() + look_s
    async with public_api(rotation.settings.workspace) as api:
        while True:
            try:
                counted = await counted_since(api, rotation.switched_at, SystemClock().now(), (event,))
            except SegmentApiError as error:
                diagnostics.warning(f"what Segment counts could not be asked: {error.message}", error.hint)
                return error.exit_code
            if counted:
                rotation.counted = counted
                return _report_counts(rotation, event, since)
            remaining = end - loop.time()
            if remaining <= 0:
                break
            await asyncio.sleep(min(LOOK_INTERVAL_S, remaining))
    rotation.counted = counted
    if counted is None:
        diagnostics.warning(
            "it is too early: Segment's counts are asked for a minute late", f"sprig-tui reconcile -e {rotation.name}"
        )
    else:
        diagnostics.warning(
            f"Segment has counted no {event!r} since {since}",
            f"look again: sprig-tui keys check {rotation.name}; the debugger of the source shows what came",
        )
    return ExitCode.REJECTED if sent else ExitCode.OK


def _report_counts(rotation: Rotation, event: str, since: str) -> ExitCode:
    wanted = rotation.new_source
    code = ExitCode.OK
    for count in rotation.counted or ():
        times = "once" if count.total == 1 else f"{count.total:,} times"
        text = f"the source {one_line(count.source_name or count.source_id)} counted {event!r} {times}"
        if wanted is None or count.source_id == wanted.id:
            diagnostics.success(f"{text} since {since}")
        else:
            diagnostics.info(f"{text} since {since}")
    if wanted is not None and all(count.source_id != wanted.id for count in rotation.counted or ()):
        diagnostics.warning(f"the source {one_line(wanted.name)} has counted none")
        code = ExitCode.REJECTED
    diagnostics.info("counts go by source, not by key: another program with the old key is in them too")
    return code
