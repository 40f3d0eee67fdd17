"""A fake of Segment's Public API, written from docs.segmentapis.com; it imports nothing of ours.

By hand, for trying things out:

    python tests/support/fake_segment_api.py --port 8124

It knows `GET /`, `/sources`, `/sources/{id}` and `/sources/{id}/connected-destinations` with pagination as documented
(`pagination.count` 1 to 1,000, opaque cursors), the envelope of data and errors, rate limits, and trouble on demand.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import json
import threading
import time
from collections.abc import Callable
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "sgp_inventedTokenOfTheWorkspace0123456789abcdefghijk"
MEMBER_TOKEN = "sgp_inventedTokenWithoutTheAdminRole0123456789abcdef"
WORKSPACE = {"id": "9aQ1Lj62S4bomZKLF4DPqW", "slug": "acme", "name": "Acme"}
PRODUCTION_KEY = "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx"
DEVELOPMENT_KEY = "k2bbbbbbCCCCdddd2222EEEEffff2Sky"

Trouble = Callable[["Handler"], bool]
"""Answers in place of the API; True when it did."""


def metadata(name: str) -> dict[str, Any]:
    slug = name.lower().replace(" ", "-")
    return {
        "id": f"m{slug}",
        "slug": slug,
        "name": name,
        "categories": ["Server"],
        "description": "An invented description.",
        "logos": {"default": "https://cdn.example/logo.svg", "alt": "", "mark": ""},
        "options": [{"name": "apiHost", "required": False, "type": "string", "defaultValue": ""}],
        "isCloudEventSource": False,
    }


def source(number: int, name: str, *write_keys: str, kind: str = "HTTP API", **changed: Any) -> dict[str, Any]:
    return {
        "id": f"src{number:019d}",
        "slug": name.lower().replace(" ", "-"),
        "name": name,
        "workspaceId": WORKSPACE["id"],
        "enabled": True,
        "writeKeys": list(write_keys),
        "metadata": metadata(kind),
        "settings": {"websiteUrl": ""},
        "labels": [],
        **changed,
    }


def destination(number: int, name: str, source_id: str, *, enabled: bool = True, **changed: Any) -> dict[str, Any]:
    return {
        "id": f"dst{number:019d}",
        "name": name,
        "enabled": enabled,
        "metadata": metadata(name),
        "sourceId": source_id,
        "settings": {"apiKey": "invented"},
        **changed,
    }


def label(key: str, value: str) -> dict[str, str]:
    return {"key": key, "value": value, "description": ""}


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        self.server.api.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.do_GET()

    def do_GET(self) -> None:
        api = self.server.api
        api.asked.append(self.path)
        api.headers.append(dict(self.headers.items()))
        if api.problems and api.problems.pop(0)(self):
            return
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in (TOKEN, MEMBER_TOKEN):
            self.fails(401, "unauthorized", "The token is missing, invalid or lacks the permission.")
            return
        parts = urlsplit(self.path)
        path = [unquote(part) for part in parts.path.strip("/").split("/")] if parts.path != "/" else []
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        self.route(path, query, member=token == MEMBER_TOKEN)

    def route(self, path: list[str], query: dict[str, str], *, member: bool) -> None:
        api = self.server.api
        shown = [{**one, "writeKeys": []} if member else one for one in api.sources]
        if not path:
            self.succeeds({"workspace": WORKSPACE})
        elif path == ["sources"]:
            self.page("sources", shown, query)
        elif path[0] == "sources" and len(path) in (2, 3):
            found = next((one for one in shown if one["id"] == path[1]), None)
            if found is None:
                self.fails(404, "not-found", "The source was not found.")
            elif len(path) == 2:
                self.succeeds({"source": found, "trackingPlanId": None})
            elif path[2] == "connected-destinations":
                self.page("destinations", [one for one in api.destinations if one["sourceId"] == path[1]], query)
            else:
                self.fails(404, "not-found", "There is no such route.")
        else:
            self.fails(404, "not-found", "There is no such route.")

    def page(self, name: str, items: list[dict[str, Any]], query: dict[str, str]) -> None:
        count = query.get("pagination.count", "")
        if not count.isdigit() or not 1 <= int(count) <= self.server.api.max_count:
            message = f'"count" must be between 1 and {self.server.api.max_count}'
            self.fails(422, "input-validation", message, "pagination.count")
            return
        start, size = 0, min(int(count), self.server.api.page_size)
        if "pagination.cursor" in query:
            try:
                start = int(base64.b64decode(query["pagination.cursor"], validate=True))
            except (binascii.Error, ValueError):
                self.fails(422, "input-validation", '"cursor" is not one of ours', "pagination.cursor")
                return
        pagination: dict[str, Any] = {"current": cursor(start), "totalEntries": len(items)}
        if start + size < len(items):
            pagination["next"] = cursor(start + size)
        if start:
            pagination["previous"] = cursor(max(0, start - size))
        self.succeeds({name: items[start : start + size], "pagination": pagination})

    def succeeds(self, data: dict[str, Any]) -> None:
        self.answers(200, {"data": data}, {"X-RateLimit-Remaining": "199", "X-RateLimit-Consumed": "1"})

    def fails(self, status: int, kind: str, message: str, field: str = "") -> None:
        self.answers(status, {"errors": [{"type": kind, "message": message, **({"field": field} if field else {})}]})

    def answers(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    api: FakeSegmentApi

    def handle_error(self, *_: object) -> None:
        """A client that goes away in the middle is its own affair."""


class FakeSegmentApi:
    """The API of one workspace, on 127.0.0.1: `with FakeSegmentApi() as api: api.url`."""

    def __init__(self, port: int = 0) -> None:
        self.sources: list[dict[str, Any]] = [
            source(1, "Acme production", PRODUCTION_KEY, labels=[label("environment", "prod")]),
            source(2, "Acme dev", DEVELOPMENT_KEY, labels=[label("environment", "dev")]),
            source(3, "Marketing site", "m9ccccccDDDDeeee3333FFFFaaaa3Tlz", kind="Javascript", enabled=False),
        ]
        self.destinations: list[dict[str, Any]] = [
            destination(1, "Amplitude", self.sources[0]["id"]),
            destination(2, "Customer.io", self.sources[0]["id"], enabled=False),
        ]
        self.page_size = 1000
        self.max_count = 1000
        """Larger counts are rejected; 200 in earlier versions of the API."""
        self.asked: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        """Of each POST."""
        self.problems: list[Trouble] = []
        """One for each request to come, first to last."""
        self._server = Server(("127.0.0.1", port), Handler)
        self._server.api = self
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def down(self) -> None:
        """Listen no more; the port refuses from now on."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


def cursor(start: int) -> str:
    return base64.b64encode(str(start).encode()).decode()


def answers(status: int, body: Any = b"", **headers: str) -> Trouble:
    """This answer in place of the right one; `retry_after="2"` becomes a header."""

    def trouble(handler: Handler) -> bool:
        handler.answers(status, body, {name.replace("_", "-"): value for name, value in headers.items()})
        return True

    return trouble


def limited(ms: int, **headers: str) -> Trouble:
    """The rate limit as documented: the wait stands in the body."""
    data = {"remainingPoints": 0, "msBeforeNext": ms, "consumedPoints": 21}
    return answers(429, {"errors": [{"type": "RequestError", "message": "Too many requests", "data": data}]}, **headers)


def reset_at(moment: Any) -> str:
    """X-RateLimit-Reset as documented: a date by RFC 5322."""
    return format_datetime(moment)


def hangs_up(handler: Handler) -> bool:
    """Close without an answer."""
    handler.close_connection = True
    return True


def breaks_off(handler: Handler) -> bool:
    """Half an answer."""
    handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"data": {"sour')
    handler.close_connection = True
    return True


def endless(handler: Handler) -> bool:
    """A body without an end."""
    handler.send_response(200)
    handler.send_header("Connection", "close")
    handler.end_headers()
    while True:
        handler.wfile.write(b" " * 1_000_000)


def goes_on(_: Handler) -> bool:
    """No trouble for this one."""
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8124)
    with FakeSegmentApi(parser.parse_args().port) as api:
        print(f"{api.url}  token {TOKEN}")
        while True:
            time.sleep(60)


if __name__ == "__main__":
    main()
