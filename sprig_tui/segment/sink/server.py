"""Server of the fake Segment: in-process for tests and the demo, or standalone; with admin routes."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs

import msgspec
from msgspec import structs

from sprig_tui.clock import Clock, SystemClock
from sprig_tui.errors import ConfigError
from sprig_tui.segment.limits import MAX_BODY_BYTES
from sprig_tui.segment.sink.connection import SinkConnection, SinkProtocol, Timeouts
from sprig_tui.segment.sink.fault_syntax import check_rule, parse_rules
from sprig_tui.segment.sink.faults import FaultRule, FaultScript, http_date
from sprig_tui.segment.sink.messages import SinkReply, SinkRequest, error_reply, json_reply
from sprig_tui.segment.sink.store import EventStore, ReceivedEvent, RequestRecord, Stats
from sprig_tui.segment.sink.token_server import DEFAULT_TOKEN_LIFE_S, MAX_FORM_BYTES, TOKEN_PATH, TokenServer
from sprig_tui.segment.sink.tracking import ROUTES, TrackingEndpoint
from sprig_tui.segment.sink.workspace.api import MAX_BODY_BYTES as MAX_API_BODY_BYTES
from sprig_tui.segment.sink.workspace.fault_rules import WorkspaceFault
from sprig_tui.segment.sink.workspace.model import Workspace
from sprig_tui.segment.sink.workspace.pipeline import DEFAULT_DELAY_S
from sprig_tui.segment.sink.workspace.points import DEFAULT_POINTS_PER_MINUTE
from sprig_tui.segment.sink.workspace.service import WorkspaceService

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

_MAX_KEPT_REQUESTS = 1_000
_ACCEPT_STEPS = 4
"""Steps of the event loop from accepting a connection to `connection_made`."""

ADMIN_PATHS = {"/events": ("GET", "DELETE"), "/stats": ("GET",), "/health": ("GET",)}
_DEFAULT_LIMIT = 100
_MAX_LIMIT = 10_000


class AdminRoutes:
    """Handler of the routes in `ADMIN_PATHS`."""

    def __init__(self, store: EventStore, stats: Stats) -> None:
        self._store = store
        self._stats = stats

    def handle(self, request: SinkRequest) -> SinkReply:
        """`GET /events` takes `messageId`, `userId`, `key` (masked, or the source's name), `limit` and `offset`.

        `DELETE /events` drops the kept events and the known message ids; the counts stay.
        """
        if request.path == "/health":
            return json_reply({"ok": True})
        if request.path == "/stats":
            return json_reply(self._stats)
        if request.method == "DELETE":
            dropped = len(self._store.events)
            self._store.clear()
            return json_reply({"dropped": dropped})
        return self._events(request.query)

    def _events(self, query: str) -> SinkReply:
        given = {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}
        unknown = sorted(given.keys() - {"messageId", "userId", "key", "limit", "offset"})
        if unknown:
            return error_reply(400, f"unknown filter {unknown[0][:40]!r}: use messageId, userId, key, limit, offset")
        limit, offset = _parse_number(given.get("limit", str(_DEFAULT_LIMIT))), _parse_number(given.get("offset", "0"))
        if limit is None or offset is None:
            return error_reply(400, "limit and offset are whole numbers from 0")
        events = list(
            self._store.find(
                message_id=given.get("messageId", ""), user_id=given.get("userId", ""), key=given.get("key", "")
            )
        )
        page = [msgspec.to_builtins(event) for event in events[offset : offset + min(limit, _MAX_LIMIT)]]
        return json_reply({"total": len(events), "events": page})


def _parse_number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


class Sink:
    """`async with Sink(faults=["503@2-4"]) as sink`: a fake Segment on `sink.url`.

    `keys` maps write keys to source names; events of other keys get a 200 and are discarded, as at Segment. None
    accepts every key. `disabled` keys belong to disabled sources. The newest `keep` events are kept; with 0 they are
    counted without being parsed (fast), and `count` then still counts distinct message ids. At least `remember` message
    ids are recognised as duplicates; None for all. With a `workspace`, its sources take the place of `keys` and
    `disabled`, and `url` is also the address of its Public API: what came becomes the counts there, `workspace_delay_s`
    seconds later. With an `oauth_key` tracking requests need a token, which `url`/token gives to whoever signs with its
    private half; `token_faults` are rules for that route, and a token is taken for `token_life_s`. Raises ConfigError
    for an invalid fault rule or an address that cannot be used.
    """

    def __init__(  # noqa: PLR0913 - options, all by name, each with a default
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        keys: Mapping[str, str] | None = None,
        disabled: Collection[str] = (),
        faults: Sequence[FaultRule | str] = (),
        seed: int = 0,
        keep: int = 10_000,
        remember: int | None = 1_000_000,
        count: bool = False,
        clock: Clock | None = None,
        timeouts: Timeouts | None = None,
        tls: ssl.SSLContext | None = None,
        on_request: Callable[[RequestRecord], None] | None = None,
        workspace: Workspace | None = None,
        workspace_faults: Sequence[WorkspaceFault | str] = (),
        workspace_delay_s: float = DEFAULT_DELAY_S,
        points_per_minute: int = DEFAULT_POINTS_PER_MINUTE,
        oauth_key: RSAPublicKey | None = None,
        token_faults: Sequence[FaultRule | str] = (),
        token_life_s: int | None = None,
    ) -> None:
        self._host, self._port = host, port
        self._seed = seed
        self._clock = clock or SystemClock()
        self._timeouts = timeouts or Timeouts()
        self._tls = tls
        self._on_request = on_request
        self.stats = Stats()
        """Live counts."""
        self.requests: deque[RequestRecord] = deque(maxlen=_MAX_KEPT_REQUESTS)
        """The newest tracking requests, oldest first."""
        self._store = EventStore(keep=keep, remember=remember)
        self.workspace: WorkspaceService | None = None
        """The service of the workspace, if the sink has one."""
        if workspace is not None:
            if not keep:
                raise ConfigError(
                    "a workspace needs the events, and this sink only counts them", hint="keep at least 1"
                )
            keys, disabled = workspace.write_keys, workspace.disabled_keys
            self.workspace = WorkspaceService(
                workspace,
                store=self._store,
                clock=self._clock,
                faults=workspace_faults,
                delay_s=workspace_delay_s,
                points_per_minute=points_per_minute,
            )
        self.token_server: TokenServer | None = None
        """The token server, if the sink requires OAuth."""
        if oauth_key is not None:
            self.token_server = TokenServer(
                oauth_key,
                clock=self._clock,
                faults=token_faults,
                token_life_s=token_life_s or DEFAULT_TOKEN_LIFE_S,
                seed=seed,
            )
        counting = "" if keep else ("ids" if count else "events")
        self._endpoint = TrackingEndpoint(
            store=self._store,
            stats=self.stats,
            clock=self._clock,
            keys=keys,
            disabled=disabled,
            counting=counting,
            on_request=self._on_handled,
            observer=self.workspace.pipeline if self.workspace is not None else None,
            accepts_token=self.token_server.accepts if self.token_server is not None else None,
        )
        self._admin = AdminRoutes(self._store, self.stats)
        self._server: asyncio.Server | None = None
        self._connection_tasks: set[asyncio.Task[None]] = set()
        self._open: set[SinkProtocol] = set()
        self._closed = False
        self._changed = asyncio.Event()
        self.set_faults(faults)

    async def start(self) -> None:
        """Listen; afterwards `url` and `port` are known."""
        self.stats.started_at = self._clock.now()
        self._closed = False
        try:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: SinkProtocol(self._on_connected, self._open.discard),
                self._host,
                self._port,
                backlog=1024,
                ssl=self._tls,
            )
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise ConfigError(
                f"the fake Segment cannot listen on {self._host} port {self._port}: {reason}",
                hint="choose another port, or 0 for any that is free",
            ) from error
        # kept, so that a sink that is started again after `close` has the same address: tests simulate outages
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and close all connections; received events stay readable."""
        server, self._server = self._server, None
        if server is None:
            return
        self._closed = True
        await stop_accepting(server)
        for task in self._connection_tasks:
            task.cancel()
        await asyncio.gather(*self._connection_tasks, return_exceptions=True)
        while self._open:
            await next(iter(self._open)).abort_and_wait()
        # from Python 3.12 on it waits for connections that are open
        await server.wait_closed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def port(self) -> int:
        """The port in use; before `start` the given one."""
        return self._port

    @property
    def url(self) -> str:
        """Base URL without `/v1`, for a client's host or endpoint."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self._port}"

    @property
    def received(self) -> tuple[ReceivedEvent, ...]:
        """Kept events with their source and request, oldest first."""
        return tuple(self._store.events)

    @property
    def events(self) -> tuple[dict[str, Any], ...]:
        """Kept events as a destination would get them, oldest first, without duplicates and rejected ones."""
        return tuple(received.event for received in self._store.events)

    async def wait_until(self, condition: Callable[[Stats], bool], timeout_s: float = 10.0) -> None:
        """Wait until `condition(stats)` is true, checked after each tracking request; raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not condition(self.stats):
                self._changed.clear()
                await self._changed.wait()

    def set_faults(self, faults: Sequence[FaultRule | str]) -> None:
        """Replace the fault script for the following requests. Their numbers continue; `times` starts again."""
        rules = parse_rules(faults)
        for rule in rules:
            check_rule(rule, f"fault rule {rule.label!r}")
        self._endpoint.script = FaultScript(rules, seed=self._seed)

    def clear(self) -> None:
        """Drop the kept events and the known message ids; the counts stay."""
        self._store.clear()

    def _on_handled(self, record: RequestRecord) -> None:
        self.requests.append(record)
        self._changed.set()
        if self._on_request is not None:
            self._on_request(record)

    def _on_connected(self, protocol: SinkProtocol) -> None:
        self._open.add(protocol)
        if self._closed:
            protocol.abort()
            return
        self.stats.connections += 1
        self.stats.open_connections += 1
        connection = SinkConnection(
            protocol,
            number=self.stats.connections,
            handler=self._handle_with_date,
            body_limit=self._body_limit,
            timeouts=self._timeouts,
            on_bad_request=self._on_bad_request,
        )
        task = asyncio.get_running_loop().create_task(connection.serve())
        self._connection_tasks.add(task)
        task.add_done_callback(lambda done: self._on_disconnected(done, protocol))

    def _on_disconnected(self, task: asyncio.Task[None], protocol: SinkProtocol) -> None:
        self._connection_tasks.discard(task)
        self.stats.open_connections -= 1
        if task.cancelled():
            # a task that was cancelled before it ran has not cleaned up
            protocol.abort()

    def _on_bad_request(self) -> None:
        self.stats.bad_requests += 1

    def _handle_with_date(self, request: SinkRequest) -> SinkReply:
        reply = self._handle(request)
        return structs.replace(reply, headers=(("Date", http_date(self._clock.now())), *reply.headers))

    def _handle(self, request: SinkRequest) -> SinkReply:
        is_token_request = self.token_server is not None and request.path == TOKEN_PATH
        allowed = ("POST",) if is_token_request or request.path in ROUTES else ADMIN_PATHS.get(request.path)
        oversize = request.body is None
        if allowed is None and self.workspace is not None:
            return self.workspace.api.handle(request)
        if allowed is None:
            return error_reply(404, f"no such route: {request.path[:100]}", "not_found", close=oversize)
        if request.method not in allowed:
            return error_reply(405, f"use {' or '.join(allowed)}", "method_not_allowed", close=oversize)
        if request.path in ROUTES:
            return self._endpoint.handle(request)
        if self.token_server is not None and is_token_request:
            return self.token_server.handle(request)
        return self._admin.handle(request)

    def _body_limit(self, path: str) -> int:
        if path in ROUTES:
            return MAX_BODY_BYTES
        if self.token_server is not None and path == TOKEN_PATH:
            return MAX_FORM_BYTES
        return 1_000 if self.workspace is None or path in ADMIN_PATHS else MAX_API_BODY_BYTES


async def stop_accepting(server: asyncio.Server) -> None:
    """Close a listening server; every connection that it accepted has been made when this returns.

    `asyncio.Server.close` alone leaves a socket open that is just being accepted (Python 3.11).
    """
    loop = asyncio.get_running_loop()
    for listening in server.sockets:
        loop.remove_reader(listening.fileno())
    for _ in range(_ACCEPT_STEPS):
        await asyncio.sleep(0)
    server.close()


async def serve(sink: Sink, *, stop: asyncio.Event, on_ready: Callable[[Sink], None] | None = None) -> None:
    """Run a sink until `stop` is set or the task is cancelled; `on_ready` is called once it listens."""
    async with sink:
        if on_ready is not None:
            on_ready(sink)
        await stop.wait()
