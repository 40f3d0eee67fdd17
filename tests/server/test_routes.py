"""Routes: the handler by path and method, and the response to each rejection, over a real socket."""

from __future__ import annotations

import asyncio
import json

from sprig_tui.server.exchange import Exchange
from sprig_tui.server.limits import ConnectionLimits
from sprig_tui.server.responses import HTTPRejectionError, Rejection, Response, json_response
from sprig_tui.server.routes import Route, Routes
from sprig_tui.server.server import bind, running_server


async def show(exchange: Exchange) -> Response:
    size = 0
    while part := await exchange.read():
        size += len(part)
    return json_response({"segment": exchange.path_segment, "size": size})


async def fail(_: Exchange) -> Response:
    raise ValueError("secret detail")


async def reject(_: Exchange) -> Response:
    raise HTTPRejectionError(409, "not now", headers={"retry-after": "7"}, body_read=True, extra={"known": 1})


ROUTES = [
    Route("/now", show),
    Route("/things", show, "POST"),
    Route("/things/*", show, "POST"),
    Route("/fail", fail),
    Route("/reject", reject),
]

CASES = [
    ("GET /now", 200, {"segment": "now", "size": 0}),
    ("HEAD /now", 200, None),
    ("POST /things", 200, {"segment": "things", "size": 2}),
    ("POST /things/a", 200, {"segment": "a", "size": 2}),
    ("POST /things/a/", 200, {"segment": "a", "size": 2}),
    ("POST /things/%41%20b?c=/d", 200, {"segment": "A b", "size": 2}),
    ("POST http://other.test/things/a", 200, {"segment": "a", "size": 2}),
    ("POST /things/", 404, {"error": "nothing of this name"}),
    ("POST /things//", 404, {"error": "nothing of this name"}),
    ("POST /things/a/b", 404, {"error": "nothing of this name"}),
    ("POST /things/a%2Fb", 404, {"error": "nothing of this name"}),
    ("GET /Now", 404, {"error": "nothing of this name"}),
    ("POST /now", 405, {"error": "this is asked by GET, HEAD"}),
    ("GET /things/a", 405, {"error": "this is asked by POST"}),
    ("OPTIONS /things", 405, {"error": "this is asked by POST"}),
    ("GET /reject", 409, {"error": "not now", "known": 1}),
    ("GET /fail", 500, {"error": "internal error; send it again"}),
]


async def ask(port: int, line: str) -> tuple[int, dict[str, str], bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = "content-length: 2\r\n\r\n{}" if line.startswith("POST") else "\r\n"
    writer.write(f"{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{body}".encode())
    head, _, content = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    status, *lines = head.decode().split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), content


async def test_routes_find_the_handler_or_reject():
    rejections: list[Rejection] = []
    application = Routes(ROUTES, {404: "nothing of this name"}, rejections.append)
    bound = bind("127.0.0.1", 0)
    async with running_server(application, bound, ConnectionLimits()):
        answers = {line: await ask(bound.getsockname()[1], line) for line, _, _ in CASES}
    assert {line: (status, json.loads(body) if body else None) for line, (status, _, body) in answers.items()} == {
        line: (status, body) for line, status, body in CASES
    }
    assert answers["POST /now"][1]["allow"] == "GET, HEAD"
    assert answers["GET /things/a"][1]["allow"] == "POST"
    assert answers["GET /reject"][1]["retry-after"] == "7"
    assert answers["HEAD /now"][1]["content-length"] == str(len(answers["GET /now"][2]))
    assert all(headers["content-type"] == "application/json" for _, headers, _ in answers.values())
    by_status = [rejection.status for rejection in rejections]
    assert by_status == [status for _, status, _ in CASES if status != 200], "each rejection is told, with its place"
    assert {(told.path, told.sender) for told in rejections if told.status == 500} == {("/fail", "127.0.0.1")}
    assert "ValueError" in next(told.reason for told in rejections if told.status == 500)
    assert b"secret" not in answers["GET /fail"][2]
