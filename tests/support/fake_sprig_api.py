"""A fake of Sprig's export API, written from its published fields and examples (facts/sprig.md 2 and 3).

It imports nothing of ours. By hand, for trying things out:

    python tests/support/fake_sprig_api.py --port 8123 --answers 5000

It knows `GET /v1/responses` and `GET /v1/surveys` with the parameters of API v2.2.1, cursors that are base64 of
`createdAt:<ms>`, 403 with an empty body for a wrong key, the rate limit, and every kind of trouble on demand.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import gzip
import json
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import h11

if not __package__:  # run by hand
    sys.path.insert(0, str(Path(__file__).parents[1]))

from support.listening import stop_accepting
from support.sprig_samples import START, response, snapshot, survey

KEY = "spk_lookalike_production_0001"


@dataclass
class Asked:
    """A request as it came."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass
class Trouble:
    """What is done to a request instead of answering it."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    how: str = "answer"
    """`answer`; `reset` before a byte; `cut` within the body; `hang`; `slow`: a byte each 0.2 s; `garbage`."""
    times: int = 1
    where: Callable[[Asked], bool] = lambda _asked: True


@dataclass
class Product:
    """What one API key opens."""

    surveys: list[dict[str, Any]] = field(default_factory=list)
    responses: list[dict[str, Any]] = field(default_factory=list)


class FakeSprigApi:
    """The server, on a thread of its own, so that what is tested may block: `with FakeSprigApi() as api`."""

    def __init__(self, *, port: int = 0, order: str = "asc", ties: str = "repeat", limit: tuple[int, float] = (0, 0)):
        self.products = {KEY: Product()}
        self.requests: list[Asked] = []
        self.problems: list[Trouble] = []
        self.delay = 0.0
        self.order = order
        self.ties = ties
        """What the page after a cursor begins with: `repeat` the cursor's own millisecond, or `skip` it."""
        self.limit = limit
        """(requests, seconds) after which 429 is answered; (0, 0) for none."""
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._request_times: list[float] = []
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""

    # -- what it holds --------------------------------------------------------------------------------------------

    @property
    def product(self) -> Product:
        return self.products[KEY]

    def hold(self, responses: Iterable[dict[str, Any]], surveys: Iterable[dict[str, Any]] | None = None) -> None:
        self.product.responses = list(responses)
        numbers = sorted({record["surveyId"] for record in self.product.responses if "surveyId" in record})
        self.product.surveys = [survey(number) for number in numbers] if surveys is None else list(surveys)

    def trouble(self, **changed: Any) -> None:
        self.problems.append(Trouble(**changed))

    def asked(self, path: str = "/v1/responses") -> list[Asked]:
        return [one for one in self.requests if one.path == path]

    # -- life -----------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _stop(self) -> None:
        assert self._server is not None
        await stop_accepting(self._server)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (ConnectionError, asyncio.CancelledError, h11.RemoteProtocolError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = h11.Connection(h11.SERVER)
        asked: Asked | None = None
        while True:
            event = wire.next_event()
            if event is h11.NEED_DATA:
                wire.receive_data(await reader.read(65_536))
            elif isinstance(event, h11.Request):
                parts = urlsplit(event.target.decode())
                headers = {name.decode(): value.decode() for name, value in event.headers}
                asked = Asked(parts.path, dict(parse_qsl(parts.query, keep_blank_values=True)), headers)
            elif isinstance(event, h11.EndOfMessage):
                assert asked is not None
                self.requests.append(asked)
                if not await self._respond(wire, writer, asked):
                    return
                if wire.our_state is h11.MUST_CLOSE:
                    return
                wire.start_next_cycle()
            elif isinstance(event, h11.ConnectionClosed):
                return

    # -- answers --------------------------------------------------------------------------------------------------

    async def _respond(self, wire: h11.Connection, writer: asyncio.StreamWriter, asked: Asked) -> bool:
        """False when the connection is to be dropped."""
        trouble = next((one for one in self.problems if one.times and one.where(asked)), None)
        if self.delay:
            await asyncio.sleep(self.delay)
        if trouble is None:
            status, body, headers = self._answer(asked)
            if "gzip" in asked.headers.get("accept-encoding", "") and len(body) > 2_000:
                body, headers = gzip.compress(body, 1), {**headers, "content-encoding": "gzip"}
            await self._write(wire, writer, status, body, {"content-type": "application/json", **headers})
            return True
        trouble.times -= 1
        if trouble.how == "hang":
            await asyncio.sleep(3600)
        if trouble.how == "reset":
            writer.transport.abort()
            return False
        if trouble.how == "garbage":
            writer.write(b"\x16\x03\x01 this is not http\r\n\r\n")
            await writer.drain()
            return False
        body = trouble.body or (self._answer(asked)[1] if trouble.how in ("cut", "slow") else b"")
        headers = {"content-type": trouble.content_type, **trouble.headers}
        await self._write(wire, writer, trouble.status, body, headers, trouble.how)
        return trouble.how == "answer"

    async def _write(
        self,
        wire: h11.Connection,
        writer: asyncio.StreamWriter,
        status: int,
        body: bytes,
        headers: dict[str, str],
        how: str = "answer",
    ) -> None:
        head = h11.Response(status_code=status, headers=[*headers.items(), ("content-length", str(len(body)))])
        writer.write(wire.send(head) or b"")
        if how == "cut":
            writer.write(wire.send(h11.Data(body[: len(body) // 2])) or b"")
            await writer.drain()
            return
        if how == "slow":
            for at in range(len(body)):
                writer.write(wire.send(h11.Data(body[at : at + 1])) or b"")
                await writer.drain()
                await asyncio.sleep(0.2)
        elif body:
            writer.write(wire.send(h11.Data(body)) or b"")
        writer.write(wire.send(h11.EndOfMessage()) or b"")
        await writer.drain()

    def _answer(self, asked: Asked) -> tuple[int, bytes, dict[str, str]]:
        scheme, _, key = asked.headers.get("authorization", "").partition(" ")
        product = self.products.get(key) if scheme == "Bearer" else None
        if product is None:
            return 403, b"", {}
        if self._over_limit():
            return 429, b'{"error":"too many requests in too short a time"}', {}
        try:
            if asked.path == "/v1/responses":
                return 200, self._responses(product, asked.query), {}
            if asked.path == "/v1/surveys":
                return 200, self._surveys(product, asked.query), {}
        except ValueError as wrong:
            return 400, json.dumps({"error": str(wrong)}).encode(), {}
        return 404, b'{"error":"not found"}', {}

    def _over_limit(self) -> bool:
        requests, seconds = self.limit
        now = self._loop.time()
        self._request_times = [one for one in self._request_times if one > now - seconds]
        if requests and len(self._request_times) >= requests:
            return True
        self._request_times.append(now)
        return False

    def _responses(self, product: Product, query: dict[str, str]) -> bytes:
        known = {
            *("start", "end", "cursor", "limit", "sid", "with_snapshots"),
            *("with_urls", "with_meta", "with_custom_metadata", "with_deleted_responses"),
        }
        flags = {name: _flag(query, name) for name in known if name.startswith("with_")}
        if query.keys() - known:
            raise ValueError(f"unknown parameter {min(query.keys() - known)}")
        survey_id = _number(query, "sid")
        found = [
            record
            for record in product.responses
            if (survey_id is None or record.get("surveyId") == survey_id)
            and (flags["with_deleted_responses"] or not record.get("deletedAt"))
        ]
        page, cursor = self._page(found, query)
        return json.dumps({"cursor": cursor, "data": [_shown(one, flags) for one in page]}, ensure_ascii=False).encode()

    def _surveys(self, product: Product, query: dict[str, str]) -> bytes:
        if query.keys() - {"start", "end", "cursor", "status", "limit"}:
            raise ValueError("unknown parameter")
        page, cursor = self._page(product.surveys, query)
        return json.dumps({"cursor": cursor, "data": page}).encode()

    def _page(self, found: list[dict[str, Any]], query: dict[str, str]) -> tuple[list[dict[str, Any]], str | None]:
        limit = _number(query, "limit") or 1_000
        if not 1 <= limit <= 1_000:
            raise ValueError("limit must be between 1 and 1000")
        start, end = _number(query, "start"), _number(query, "end")
        sign = 1 if self.order == "asc" else -1
        rows = sorted(((_ms(one), at, one) for at, one in enumerate(found)), key=lambda row: (sign * row[0], row[1]))
        rows = [row for row in rows if (start is None or row[0] >= start) and (end is None or row[0] <= end)]
        if query.get("cursor"):
            after = _cursor_ms(query["cursor"])
            rows = [row for row in rows if sign * row[0] > sign * after or (row[0] == after and self.ties == "repeat")]
        page = [row[2] for row in rows[:limit]]
        if len(rows) <= limit:
            return page, None
        # ties: the next page starts at the last millisecond of this one
        return page, base64.b64encode(f"createdAt:{rows[limit - 1][0]}".encode()).decode()


def _shown(record: dict[str, Any], flags: dict[str, bool]) -> dict[str, Any]:
    shown = dict(record)
    if not flags["with_deleted_responses"]:
        shown.pop("deletedAt", None)
    if flags["with_snapshots"] and "visitorSnapshot" not in shown:
        shown["visitorSnapshot"] = snapshot(record)
    if flags["with_urls"]:
        shown["url"] = "https://shop.example/checkout"
    if flags["with_meta"]:
        shown["meta"] = {"browser": "Firefox", "os": "Linux", "language": "en-GB"}
    return shown


def _ms(record: dict[str, Any]) -> int:
    try:
        return round(datetime.fromisoformat(record["createdAt"]).timestamp() * 1000)
    except (KeyError, ValueError, TypeError):
        return START


def _number(query: dict[str, str], name: str) -> int | None:
    if name not in query:
        return None
    if not query[name].lstrip("-").isdigit():
        raise ValueError(f"{name} must be an integer")
    return int(query[name])


def _flag(query: dict[str, str], name: str) -> bool:
    if query.get(name, "false") not in ("true", "false"):
        raise ValueError(f"{name} must be a boolean")
    return query.get(name) == "true"


def _cursor_ms(cursor: str) -> int:
    try:
        name, _, ms = base64.b64decode(cursor, validate=True).decode().partition(":")
        return int(ms if name == "createdAt" else "no time")
    except ValueError:
        raise ValueError("invalid cursor") from None


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description="A fake of Sprig's export API.")
    parser.add_argument("--port", type=int, default=8123)
    parser.add_argument("--answers", type=int, default=2_500)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--rate", type=int, default=1_000, help="requests in five minutes")
    given = parser.parse_args()
    with FakeSprigApi(port=given.port, limit=(given.rate, 300.0)) as api:
        api.delay = given.delay
        api.hold(response(n, externalUserId=None if n % 50 == 49 else f"acct_{n}") for n in range(given.answers))
        print(f"Fake Sprig API at {api.url}, key {KEY}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
