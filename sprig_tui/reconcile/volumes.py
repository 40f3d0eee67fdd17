"""Volume of our event by source: which sources of the workspace got it, and whose Write Keys belong to them.

One query finds a key in the wrong environment, and other programs that send the same event.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sprig_tui.config.settings import Settings
from sprig_tui.reconcile.model import StraySource
from sprig_tui.reconcile.queries import Queries, Refusal
from sprig_tui.reconcile.windows import MINUTE_MS, Window
from sprig_tui.segment.metrics import Granularity, VolumeRow
from sprig_tui.segment.public_api_models import Source, source_of_key

if TYPE_CHECKING:
    from sprig_tui.segment.public_api import PublicApiClient

VOLUME_LAG_MS = MINUTE_MS
"""How far behind the clock the volume is asked for."""
_COARSER = {Granularity.MINUTE: Granularity.HOUR, Granularity.HOUR: Granularity.DAY, Granularity.DAY: Granularity.DAY}
"""Granularity that covers several windows by one query; whole units, so up to one more than was asked for."""


async def ask_volumes(
    queries: Queries, api: PublicApiClient, event: str, windows: Sequence[Window], now: int
) -> tuple[VolumeRow, ...] | Refusal:
    """How often each source of the workspace got this event; one query."""
    granularity = windows[0].granularity if len(windows) == 1 else _COARSER[windows[0].granularity]
    start = windows[0].start // granularity.width_ms * granularity.width_ms
    end = min(windows[-1].end, now - VOLUME_LAG_MS)
    if start >= end:
        return ()
    return await queries.ask(
        "the event's volume by source",
        lambda: api.event_volume(
            start=start, end=end, granularity=granularity, event_names=(event,), group_by=("source",)
        ),
    )


def stray_sources(
    volumes: Sequence[VolumeRow], settings: Settings, sources: Sequence[Source]
) -> tuple[StraySource, ...]:
    """Each source that got the event, with the environment whose key belongs to it; the largest first."""
    names = {source.id: source.name for source in sources}
    owners: Mapping[str, str] = {
        source.id: name
        for name, environment in reversed(settings.environments.items())
        if environment.write_key is not None
        and environment.write_key.is_read
        and (source := source_of_key(environment.write_key.reveal(), sources)) is not None
    }
    totals: dict[str, tuple[str, int]] = {}
    for row in volumes:
        before = totals.get(row.source_id, ("", 0))[1]
        totals[row.source_id] = names.get(row.source_id, row.source_name), before + row.total
    found = (
        StraySource(source_id=source_id, source_name=name, environment=owners.get(source_id, ""), total=total)
        for source_id, (name, total) in totals.items()
        if total
    )
    return tuple(sorted(found, key=lambda stray: (-stray.total, stray.source_name)))
