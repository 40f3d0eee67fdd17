"""LISTEN/NOTIFY: notifications about new deliveries and lane changes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

import asyncpg

from sprig_tui.journal.postgres.connection import CONNECT_SETTINGS, CONNECT_TIMEOUT_S
from sprig_tui.journal.postgres.errors import DRIVER_ERRORS, journal_error
from sprig_tui.journal.records import Notification
from sprig_tui.journal.url import target_session_attrs

CHANNEL = "sprig_tui"
_MIN_LISTEN_BACKOFF_S, _MAX_LISTEN_BACKOFF_S = 0.5, 15.0
_KEEPALIVE_INTERVAL_S = 60.0
"""Seconds between two checks of an idle connection."""

_log = logging.getLogger(__name__)

NotificationCallback = Callable[[Notification], None]


class NotificationListener:
    """One connection that listens from the first subscription on. Best effort: subscribers also have to poll."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._subscribers: list[NotificationCallback] = []
        self._task: asyncio.Task[None] | None = None

    def subscribe(self, on_notification: NotificationCallback) -> Callable[[], None]:
        """Call back for each notification; returns the function that unsubscribes."""
        self._subscribers.append(on_notification)
        if self._task is None:
            self._task = asyncio.create_task(self._run())

        def unsubscribe() -> None:
            with contextlib.suppress(ValueError):
                self._subscribers.remove(on_notification)

        return unsubscribe

    async def close(self) -> None:
        """Stop listening."""
        task, self._task = self._task, None
        self._subscribers.clear()
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        pause = _MIN_LISTEN_BACKOFF_S
        while True:
            try:
                await self._listen()
                pause = _MIN_LISTEN_BACKOFF_S
            except DRIVER_ERRORS as error:
                _log.info("not listening to the journal: %s", journal_error(error, self._url).message)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _MAX_LISTEN_BACKOFF_S)

    async def _listen(self) -> None:
        """Listen until the connection ends."""
        connection = await asyncpg.connect(
            self._url,
            timeout=CONNECT_TIMEOUT_S,
            command_timeout=CONNECT_TIMEOUT_S,
            server_settings=CONNECT_SETTINGS,
            target_session_attrs=target_session_attrs(self._url),
        )
        try:
            ended = asyncio.Event()
            connection.add_termination_listener(lambda _: ended.set())
            await connection.add_listener(CHANNEL, self._on_notify)
            # notifications may have been missed before
            self._publish(Notification())
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_KEEPALIVE_INTERVAL_S):
                        await ended.wait()
                if not ended.is_set():
                    await connection.execute("SELECT 1")
        finally:
            connection.terminate()

    def _on_notify(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        kind, _, rest = str(payload).partition(" ")
        if kind == "lane":
            epoch, state, environment = rest.split(" ", 2)
            self._publish(Notification(environment=environment, lane_epoch=int(epoch), lane_closed=state != "open"))
        else:
            self._publish(Notification())

    def _publish(self, notification: Notification) -> None:
        for on_notification in tuple(self._subscribers):
            on_notification(notification)
