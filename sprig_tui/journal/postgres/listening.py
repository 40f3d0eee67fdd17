"""What the server calls out as it happens: something was added, or a lane changed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

import asyncpg

from sprig_tui.journal.address import session_attributes
from sprig_tui.journal.postgres.connecting import CONNECT_S
from sprig_tui.journal.postgres.faults import OF_THE_DRIVER, journal_error
from sprig_tui.journal.postgres.session import AT_CONNECT
from sprig_tui.journal.records import Notice

CHANNEL = "sprig_tui"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0
_ALIVE_S = 60.0
"""Seconds between two questions whether the connection still is one."""

_log = logging.getLogger(__name__)

Hear = Callable[[Notice], None]


class Listener:
    """One connection that listens for as long as anybody wants to hear; whoever hears nothing polls all the same."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._ears: list[Hear] = []
        self._task: asyncio.Task[None] | None = None

    def subscribe(self, hear: Hear) -> Callable[[], None]:
        """Call `hear` with each notice from now on; returns what ends that."""
        self._ears.append(hear)
        if self._task is None:
            self._task = asyncio.create_task(self._run())

        def unsubscribe() -> None:
            with contextlib.suppress(ValueError):
                self._ears.remove(hear)

        return unsubscribe

    async def close(self) -> None:
        """Listen no more."""
        task, self._task = self._task, None
        self._ears.clear()
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._listen()
                pause = _FIRST_PAUSE
            except OF_THE_DRIVER as error:
                _log.info("not listening to the journal: %s", journal_error(error, self._url).message)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _listen(self) -> None:
        """Until the connection ends."""
        connection = await asyncpg.connect(
            self._url,
            timeout=CONNECT_S,
            command_timeout=CONNECT_S,
            server_settings=AT_CONNECT,
            target_session_attrs=session_attributes(self._url),
        )
        try:
            ended = asyncio.Event()
            connection.add_termination_listener(lambda _: ended.set())
            await connection.add_listener(CHANNEL, self._hear)
            # what was called out while nobody listened
            self._tell(Notice())
            while not ended.is_set():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_ALIVE_S):
                        await ended.wait()
                if not ended.is_set():
                    await connection.execute("SELECT 1")
        finally:
            connection.terminate()

    def _hear(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        kind, _, rest = str(payload).partition(" ")
        if kind == "lane":
            epoch, state, environment = rest.split(" ", 2)
            self._tell(Notice(environment=environment, lane_epoch=int(epoch), lane_shut=state != "open"))
        else:
            self._tell(Notice())

    def _tell(self, notice: Notice) -> None:
        for hear in tuple(self._ears):
            hear(notice)
