"""Fake Segment server on an event loop and thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from sprig_tui.segment.sink import Sink


class LiveSink:
    """A sink on a loop of its own, so that the program under test may block this thread."""

    def __init__(self, *faults: str, **options: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.sink = Sink(faults=faults, **options)
        self._do(self.sink.start())
        self.url = self.sink.url

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def set_faults(self, *faults: str) -> None:
        self._loop.call_soon_threadsafe(self.sink.set_faults, faults)

    def down(self) -> None:
        self._do(self.sink.close())

    def up(self) -> None:
        self._do(self.sink.start())

    def wait_until(self, holds: Callable[[Any], bool]) -> None:
        self._do(self.sink.wait_until(holds, 20))

    def close(self) -> None:
        self.down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
