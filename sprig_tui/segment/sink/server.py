"""The Segment look-alike as a server: in-process for tests and the demo, or by itself."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from msgspec import structs

from sprig_tui.clock import Clock, SystemClock
from sprig_tui.errors import ConfigError
from sprig_tui.segment.limits import MAX_BODY_BYTES
from sprig_tui.segment.sink.connection import Connection, Patience
from sprig_tui.segment.sink.exchange import Reply, Request, refusal
from sprig_tui.segment.sink.fault_text import check_rule, parse_rules
from sprig_tui.segment.sink.faults import FaultScript, Rule, http_date
from sprig_tui.segment.sink.inspection import PATHS, Inspection
from sprig_tui.segment.sink.intake import Intake
from sprig_tui.segment.sink.stats import RequestSeen, Stats
from sprig_tui.segment.sink.store import Received, Store
from sprig_tui.segment.sink.validation import ROUTES
from sprig_tui.segment.sink.wire import Wire

_REQUESTS_KEPT = 1_000


class Sink:
    """`async with Sink(faults=["503@2-4"]) as sink`: a Segment on `sink.url`.

    `keys` maps write keys to source names, and other keys are then answered 200 and dropped, as Segment does; None
    takes every key. `disabled` keys belong to sources switched off. `keep` newest events are held; with 0 they are
    counted, not read (fast), and `count` tells distinct message ids apart even then. `remember` message ids, at least,
    are known as duplicates; None for all. Listens on loopback unless `host` says otherwise.
    Raises ConfigError for a bad fault rule or an address that cannot be listened on.
    """

    def __init__(  # noqa: PLR0913 - options, all by name, each with a default
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        keys: Mapping[str, str] | None = None,
        disabled: Collection[str] = (),
        faults: Sequence[Rule | str] = (),
        seed: int = 0,
        keep: int = 10_000,
        remember: int | None = 1_000_000,
        count: bool = False,
        clock: Clock | None = None,
        patience: Patience | None = None,
        tls: ssl.SSLContext | None = None,
        on_request: Callable[[RequestSeen], None] | None = None,
    ) -> None:
        self._host, self._port = host, port
        self._seed = seed
        self._clock = clock or SystemClock()
        self._patience = patience or Patience()
        self._tls = tls
        self._on_request = on_request
        self.stats = Stats()
        """Live counts."""
        self.requests: deque[RequestSeen] = deque(maxlen=_REQUESTS_KEPT)
        """The newest tracking requests, oldest first."""
        self._store = Store(keep=keep, remember=remember)
        counting = "" if keep else ("ids" if count else "events")
        self._intake = Intake(
            store=self._store,
            stats=self.stats,
            clock=self._clock,
            keys=keys,
            disabled=disabled,
            counting=counting,
            on_request=self._note,
        )
        self._inspection = Inspection(self._store, self.stats)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self.set_faults(faults)

    # -- life -----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Listen; from then on `url` and `port` are known."""
        self.stats.started_at = self._clock.now()
        try:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: Wire(self._connected), self._host, self._port, backlog=1024, ssl=self._tls
            )
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise ConfigError(
                f"the look-alike cannot listen on {self._host} port {self._port}: {reason}",
                hint="choose another port, or 0 for any that is free",
            ) from error
        # Kept, so that a sink that is started again after `close` stands where it stood: an outage.
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and drop every connection; what was received stays readable."""
        if self._server is None:
            return
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    # -- looking --------------------------------------------------------------------------------------------------

    @property
    def port(self) -> int:
        """The port listened on; as given before `start`."""
        return self._port

    @property
    def url(self) -> str:
        """Base URL without `/v1`: what a client takes as its host or endpoint."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self._port}"

    @property
    def received(self) -> tuple[Received, ...]:
        """Kept events with their source and request, oldest first."""
        return tuple(self._store.kept)

    @property
    def events(self) -> tuple[dict[str, Any], ...]:
        """Kept events as a destination would see them, oldest first; without duplicates and rejected ones."""
        return tuple(one.event for one in self._store.kept)

    async def wait_until(self, holds: Callable[[Stats], bool], within_s: float = 10.0) -> None:
        """Return as soon as `holds(stats)`, looked at after each tracking request; else TimeoutError."""
        async with asyncio.timeout(within_s):
            while not holds(self.stats):
                self._changed.clear()
                await self._changed.wait()

    # -- doing ----------------------------------------------------------------------------------------------------

    def set_faults(self, faults: Sequence[Rule | str]) -> None:
        """Replace the fault script from the next request on; requests are numbered on, `times` starts afresh."""
        rules = parse_rules(faults)
        for rule in rules:
            check_rule(rule, f"fault rule {rule.label!r}")
        self._intake.script = FaultScript(rules, seed=self._seed)

    def clear(self) -> None:
        """Drop the kept events and forget the message ids; the counts go on."""
        self._store.clear()

    def _note(self, seen: RequestSeen) -> None:
        self.requests.append(seen)
        self._changed.set()
        if self._on_request is not None:
            self._on_request(seen)

    def _connected(self, wire: Wire) -> None:
        self.stats.connections += 1
        self.stats.open_connections += 1
        connection = Connection(
            wire,
            number=self.stats.connections,
            answer=self._dated_answer,
            limit=_body_limit,
            patience=self._patience,
            on_bad=self._count_bad,
        )
        task = asyncio.get_running_loop().create_task(connection.serve())
        self._open.add(task)
        task.add_done_callback(lambda done: self._disconnected(done, wire))

    def _disconnected(self, task: asyncio.Task[None], wire: Wire) -> None:
        self._open.discard(task)
        self.stats.open_connections -= 1
        if task.cancelled():
            # Also for a task that never came to run, whose own clean-up did not either.
            wire.abort()

    def _count_bad(self) -> None:
        self.stats.bad_requests += 1

    def _dated_answer(self, request: Request) -> Reply:
        reply = self._answer(request)
        return structs.replace(reply, headers=(("Date", http_date(self._clock.now())), *reply.headers))

    def _answer(self, request: Request) -> Reply:
        allowed = ("POST",) if request.path in ROUTES else PATHS.get(request.path)
        oversize = request.body is None
        if allowed is None:
            return refusal(404, f"no such route: {request.path[:100]}", "not_found", close=oversize)
        if request.method not in allowed:
            return refusal(405, f"use {' or '.join(allowed)}", "method_not_allowed", close=oversize)
        if request.path in ROUTES:
            return self._intake.take(request)
        return self._inspection.answer(request)


def _body_limit(path: str) -> int:
    return MAX_BODY_BYTES if path in ROUTES else 1_000


async def serve(sink: Sink, *, stop: asyncio.Event, on_ready: Callable[[Sink], None] | None = None) -> None:
    """Run a sink until `stop` is set or the task is cancelled; `on_ready` is told once it listens."""
    async with sink:
        if on_ready is not None:
            on_ready(sink)
        await stop.wait()
