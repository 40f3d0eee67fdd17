"""Explanation of one delivery: the lines from its record to each destination, as they are found.

    async for line in explain(detail, settings, paths, clock=SystemClock()):
        ...

Nothing is sent but questions; the payload leaves only with `send_payload`. An error of one line is that line's
`cannot be known`, and the others follow.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

from sprig_tui.clock import Clock
from sprig_tui.config.environment import Environment
from sprig_tui.config.paths import Paths
from sprig_tui.config.settings import Settings
from sprig_tui.config.token_rejection import TokenWatcher
from sprig_tui.config.tracking_plans import StoredPlan, key_digest, save_plan
from sprig_tui.errors import ConfigError
from sprig_tui.explain.answers import NO_TOKEN_WHY, failed, unknown
from sprig_tui.explain.asking import Asking
from sprig_tui.explain.call import Call, read_call
from sprig_tui.explain.destination_lines import CountDelivered, DestinationLines
from sprig_tui.explain.hour_counts import Delivered
from sprig_tui.explain.journal_lines import integrations_line, taken_line
from sprig_tui.explain.model import Answer, Check, Explanation, Line, Obstacle, Origin
from sprig_tui.explain.profile_line import profile_line
from sprig_tui.explain.source_lines import SourceLines
from sprig_tui.journal.base import Journal
from sprig_tui.journal.records import DeliveryDetail
from sprig_tui.segment.public_api import PublicApiClient
from sprig_tui.segment.tracking_plan import TrackingPlan

_NEEDS_SOURCE = (Check.SOURCE_ENABLED, Check.PLAN, Check.SOURCE_COUNTS, Check.DESTINATIONS)
_NEEDS_TOKEN = (Check.KEY, Check.SOURCE_ENABLED, Check.PLAN, Check.USER, Check.SOURCE_COUNTS, Check.DESTINATIONS)


def _ignore_wait(_: float) -> None:
    """Nobody is told."""


async def explain(  # noqa: PLR0913 - each has a name
    detail: DeliveryDetail,
    settings: Settings,
    paths: Paths,
    *,
    clock: Clock,
    send_payload: bool = False,
    timeout_s: float = 15.0,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    on_wait: Callable[[float], None] = _ignore_wait,
    journal: Journal | None = None,
) -> AsyncIterator[Line]:
    """The lines of a delivery, in order, each as soon as it is known.

    `on_wait` gets the seconds of each wait that an API asks for. With a journal the source's counts are held against
    what was delivered in that hour: it is read once, as `Journal.accepted` does. The tracking plan that is fetched is
    stored in the state folder, for the check before sending.
    """
    call = read_call(detail.body)
    environment = settings.environments.get(detail.delivery.environment)
    taken = taken_line(detail, environment)
    yield taken
    yield integrations_line(call, detail)
    now = clock.now()
    if settings.workspace.token is None:
        for check in _NEEDS_TOKEN:
            yield unknown(check, Obstacle.NO_TOKEN, NO_TOKEN_WHY, source=Origin.CONFIG, at=now)
    elif environment is None:
        why = f"the config has no environment {detail.delivery.environment!r}"
        for check in (Check.KEY, *_NEEDS_SOURCE):
            yield unknown(check, Obstacle.DEPENDS, why, source=Origin.CONFIG, at=now)
    else:
        try:
            api = PublicApiClient(
                settings.workspace.base_url,
                settings.workspace.token,
                clock=clock,
                timeout=timeout_s,
                sleep=sleep,
                on_wait=on_wait,
                on_token=TokenWatcher(paths.state_dir, settings.workspace, clock),
            )
        except ConfigError as error:
            yield failed(Check.KEY, error, at=now, source=Origin.CONFIG)
        else:
            taken_at = detail.delivery.settled_at if taken.answer is Answer.YES else 0
            workspace = _Workspace(
                settings,
                paths,
                clock,
                environment,
                call,
                taken_at,
                send_payload=send_payload,
                count_delivered=_counter(journal, environment) if journal is not None else None,
            )
            async with api:
                async for line in workspace.lines(api):
                    yield line
    yield await profile_line(
        settings.workspace, detail.delivery, call, clock=clock, timeout_s=timeout_s, sleep=sleep, on_wait=on_wait
    )


def _counter(journal: Journal, environment: Environment) -> CountDelivered:
    async def count_delivered(start: int, end: int) -> Delivered:
        bins = await journal.accepted(environment.name, since=start, until=end, endpoint=environment.base_url)
        return Delivered(sum(one.first for one in bins), sum(one.sends for one in bins))

    return count_delivered


async def collect(detail: DeliveryDetail, lines: AsyncIterator[Line]) -> Explanation:
    """The whole explanation."""
    return Explanation(delivery=detail.delivery, lines=tuple([line async for line in lines]))


class _Workspace:
    """The lines that Segment's Public API answers."""

    def __init__(
        self,
        settings: Settings,
        paths: Paths,
        clock: Clock,
        environment: Environment,
        call: Call | None,
        taken_at: int,
        *,
        send_payload: bool,
        count_delivered: CountDelivered | None,
    ) -> None:
        self._settings = settings
        self._paths = paths
        self._clock = clock
        self._environment = environment
        self._call = call
        self._taken_at = taken_at
        self._send_payload = send_payload
        self._count_delivered = count_delivered

    async def lines(self, api: PublicApiClient) -> AsyncIterator[Line]:
        """All lines from the key to the destinations."""
        asking = Asking()
        source_lines = SourceLines(
            api,
            asking,
            self._clock,
            self._call,
            environment=self._environment,
            environments=self._settings.environments,
            taken_at=self._taken_at,
            on_plan=self._store_plan,
        )
        last: Line | None = None
        async for line in source_lines.key_lines():
            last = line
            yield line
        source = source_lines.source
        if source is None:
            yield await source_lines.user_line()
            why = "it needs the source that the key belongs to"
            obstacle = last.obstacle if last and last.obstacle is Obstacle.UNREACHABLE else Obstacle.DEPENDS
            for check in _NEEDS_SOURCE:
                yield unknown(check, obstacle, why, source=Origin.PUBLIC_API, at=self._clock.now())
            return
        async for line in source_lines.source_lines(source):
            yield line
        yield await source_lines.user_line()
        destinations = DestinationLines(
            api,
            asking,
            self._clock,
            self._call,
            source,
            taken_at=self._taken_at,
            send_payload=self._send_payload,
            count_delivered=self._count_delivered,
        )
        yield await destinations.source_counts()
        async for line in destinations.lines():
            yield line

    def _store_plan(self, plan: TrackingPlan | None, source_id: str) -> None:
        key = self._environment.write_key
        if key is None:
            return
        stored = StoredPlan(plan=plan, source_id=source_id, key_digest=key_digest(key), fetched_at=self._clock.now())
        with suppress(ConfigError):  # the lines do not need it
            save_plan(self._paths, self._environment.name, stored)
