"""One HTTP connection: uvicorn's, with a bound on their number and on how long headers may take."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from sprig_tui.serving.limits import ConnectionLimits

_FULL = b'{"error":"too many connections; send it again"}'
_ANSWER_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(_FULL), _FULL)
)
_LATE = b'{"error":"the headers did not come in time"}'
_ANSWER_LATE = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: application/json\r\n"
    b"connection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(_LATE), _LATE)
)


class BoundedConnection(H11Protocol):
    """Refuses itself when there are too many; ends when a request's headers take too long."""

    limits = ConnectionLimits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_timer: asyncio.TimerHandle | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Refuse one too many; else await its first request."""
        super().connection_made(transport)
        if len(self.connections) > self.limits.connections:
            self._end(_ANSWER_FULL)
        else:
            self._watch_head()

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        if self._refused:
            return
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side is gone."""
        self._stop_timer()
        super().connection_lost(exc)

    def _watch_head(self) -> None:
        """While a request's headers are awaited the clock runs, from their first byte and not from their last."""
        if self.cycle is None or (self.cycle.response_complete and self.timeout_keep_alive_task is None):
            if self._head_timer is None:
                self._head_timer = self.loop.call_later(self.limits.head_seconds, self._late)
        else:
            self._stop_timer()

    def _late(self) -> None:
        self._head_timer = None
        if self.cycle is None or self.cycle.response_complete:
            self._end(_ANSWER_LATE)

    def _end(self, answer: bytes) -> None:
        self._refused = True
        if not self.transport.is_closing():
            self.transport.write(answer)
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def connection_class(limits: ConnectionLimits) -> type[asyncio.Protocol]:
    """The protocol class for uvicorn's `http` setting."""
    return type("LimitedConnection", (BoundedConnection,), {"limits": limits})
