"""Suppression watch: keeps a process's list of suppressed users current, in the background.

The list is read from Segment at a certain age; a list that another process stored is taken over within seconds. A
list that cannot be had is said once, and changes nothing: the last one stays in use, and delivery goes on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

from sprig_tui.clock import Clock, MonotonicClock
from sprig_tui.config.secrets import Workspace
from sprig_tui.config.token_rejection import TokenWatcher
from sprig_tui.delivery.suppressed_users import NOBODY_SUPPRESSED, SuppressedUsers, SuppressedUsersStore
from sprig_tui.errors import ConfigError, SegmentApiError, SegmentApiUnreachableError, SprigTuiError
from sprig_tui.segment.suppressions import suppressed_users
from sprig_tui.segment.timestamps import format_iso

POLL_INTERVAL_S = 5.0
"""Seconds between two looks at the stored list."""
MIN_RETRY_S = 60.0
"""Seconds until Segment is asked again after a failure; doubled each time, up to the usual interval."""
_NOT_PERMITTED = (401, 403, 404)

_log = logging.getLogger(__name__)


class FetchedUsers(NamedTuple):
    """What Segment said."""

    user_ids: frozenset[str]
    missing: tuple[str, ...] = ()
    """Routes that the token may not read."""


T = TypeVar("T")
OnToken = Callable[[bool], None]
Fetch = Callable[[Workspace, Clock, OnToken], Awaitable[FetchedUsers]]


async def fetch_suppressed_users(
    workspace: Workspace,
    clock: Clock,
    on_token: OnToken | None = None,
    *,
    on_wait: Callable[[float], None] = lambda _: None,
) -> FetchedUsers:
    """Ask Segment for the suppressed users. Raises SegmentApiError and ConfigError.

    `on_token` is told whether Segment accepts the token. A route that the token may not read is left out, and named; if
    it may read neither, that is an error.
    """
    from sprig_tui.segment.public_api import PublicApiClient

    if workspace.token is None:
        raise ConfigError(
            "no token of Segment's Public API is configured",
            hint="make one in Segment, and store it with sprig-tui keys workspace",
        )
    async with PublicApiClient(
        workspace.base_url, workspace.token, clock=clock, on_wait=on_wait, on_token=on_token
    ) as api:
        missing: list[SegmentApiError] = []
        listed = await _permitted(api.suppressions(), missing)
        regulations = await _permitted(api.regulations(), missing)
    if len(missing) > 1:
        raise missing[0]
    return FetchedUsers(suppressed_users(listed or (), regulations or ()), tuple(error.request for error in missing))


async def _permitted(asking: Awaitable[T], missing: list[SegmentApiError]) -> T | None:
    try:
        return await asking
    except SegmentApiUnreachableError:
        raise
    except SegmentApiError as error:
        if error.status not in _NOT_PERMITTED:
            raise
        missing.append(error)
        return None


class SuppressionSource(Protocol):
    """What tells the engine whose events must not be sent."""

    @property
    def current(self) -> SuppressedUsers:
        """The list in use."""


class SuppressionWatch:
    """List of one process; `run` keeps it current. Without a token it does nothing, and touches no file."""

    def __init__(self, state_dir: Path, workspace: Workspace, *, fetch: Fetch = fetch_suppressed_users) -> None:
        self.current = NOBODY_SUPPRESSED
        self._state_dir = state_dir
        self._workspace = workspace
        self._store = SuppressedUsersStore(state_dir, workspace)
        self._fetch = fetch
        self._loaded = (0, 0)
        self._changed = asyncio.Event()
        self._failures = 0
        self._retry_at = 0.0
        """Monotonic seconds before which Segment is not asked again."""
        self._idle = asyncio.Event()
        """Unset while Segment is being asked."""
        self._idle.set()

    def use(self, workspace: Workspace) -> None:
        """Continue with another workspace or token."""
        if workspace != self._workspace:
            self._workspace = workspace
            self._store = SuppressedUsersStore(self._state_dir, workspace)
            self.current, self._loaded = NOBODY_SUPPRESSED, (0, 0)
            self._failures, self._retry_at = 0, 0.0
            self._changed.set()

    def load(self) -> None:
        """Take over the stored list, if it is another one."""
        if self._workspace.token is None:
            return
        version = self._store.version()
        if version != self._loaded:
            self._loaded = version
            self.current = self._store.load()

    async def run(self, clock: Clock, timing: MonotonicClock) -> None:
        """Keep the list current until cancelled."""
        while True:
            self._changed.clear()
            if self._workspace.token is not None:
                try:
                    await self._step(clock, timing)
                except Exception as error:  # noqa: BLE001 - the list must never end or delay delivery
                    self._report(error, timing)
            await timing.wait(self._changed, POLL_INTERVAL_S)

    async def wait_idle(self, seconds: float) -> None:
        """Wait, at most so long, for the answer of Segment that is on its way: short commands store it too."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()

    async def _step(self, clock: Clock, timing: MonotonicClock) -> None:
        await asyncio.to_thread(self.load)
        age_s = (clock.now() - self.current.read_at) / 1000
        # an age below zero is the result of a clock that was set back
        if 0 <= age_s < self._workspace.suppressed_every_s or timing.monotonic() < self._retry_at:
            return
        workspace, store = self._workspace, self._store
        token = TokenWatcher(self._state_dir, workspace, clock)
        token.check()
        self._idle.clear()
        try:
            found = await self._fetch(workspace, clock, token)
            users = await asyncio.to_thread(store.save, found.user_ids, clock.now(), found.missing)
        finally:
            self._idle.set()
        if store is self._store:
            self.current, self._loaded = users, store.version()
        self._failures, self._retry_at = 0, 0.0

    def _report(self, error: Exception, timing: MonotonicClock) -> None:
        """Say the first failure of a row, and plan the next attempt."""
        pause = min(MIN_RETRY_S * 2**self._failures, self._workspace.suppressed_every_s)
        self._retry_at = timing.monotonic() + pause
        self._failures += 1
        if self._failures > 1:
            return
        why = error.message if isinstance(error, SprigTuiError) else f"internal error ({type(error).__name__})"
        rest = (
            f"the one of {format_iso(self.current.read_at)[:16]}Z stays in use"
            if self.current.read_at
            else "nobody is withheld as suppressed until then"
        )
        _log.warning("the list of suppressed users cannot be read: %s; %s", why, rest)


class NoSuppression:
    """Source for engines without a workspace."""

    current = NOBODY_SUPPRESSED
