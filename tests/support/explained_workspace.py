"""A workspace whose every answer a test chooses: what an explanation asks of Segment, over a real socket."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from sprig_tui.journal.records import Delivery, DeliveryDetail, State
from support.clocks import NOW_MS

TOKEN = "sgp_inventedTokenOfTheExplainedWorkspace0123456789ab"
PROFILE_TOKEN = "inventedTokenOfTheProfileApiOfOneSpace"
SPACE = "spa_invented"
KEY = "Zq8TaaaaBBBBcccc1111DDDDeeee1Rkx"
EVENT = "SDK - Submitted - Survey Response"
ENDPOINT = "http://127.0.0.1:9"
HOUR_AGO = NOW_MS - 3_600_000


def make_detail(body: dict[str, Any] | None = None, **fields: Any) -> DeliveryDetail:
    call = {"messageId": "sprig-1", "type": "track", "event": EVENT, "userId": "u1", "properties": {"score": 4}}
    values: dict[str, Any] = {
        "id": 41, "environment": "production", "message_id": "sprig-1", "state": State.DELIVERED, "reason": "",
        "detail": "", "survey_id": "1", "survey_name": "Checkout", "user_id": "u1", "question_type": "RATING",
        "answer": "4", "answered_at": HOUR_AGO - 1_000, "added_at": HOUR_AGO - 500, "due_at": 0, "attempts": 1,
        "status": 200, "error": "", "latency_ms": 40.0, "settled_at": HOUR_AGO, "source": "a.json", "line": 1,
        "leased": False, "size": 200, "edited": False, "origin_id": 0, "endpoint": ENDPOINT,
    }  # fmt: skip
    return DeliveryDetail(
        delivery=Delivery(**(values | fields)), raw=b"", body=msgspec.json.encode(call | (body or {})), history=()
    )


class ExplainedWorkspace:
    """`with ExplainedWorkspace() as workspace: workspace.url`. Change its fields to plant a cause."""

    def __init__(self) -> None:
        self.source: dict[str, Any] = {
            "id": "src1",
            "name": "Acme production",
            "slug": "acme-production",
            "enabled": True,
            "writeKeys": [KEY],
            "metadata": {"name": "HTTP API"},
            "labels": [],
        }
        self.plan_id: str | None = "tp1"
        self.settings: dict[str, Any] = {"track": {"allowUnplannedEvents": True, "allowEventOnViolations": False}}
        self.rules: list[dict[str, Any]] = [
            {"type": "TRACK", "key": EVENT, "version": 1, "jsonSchema": {"type": "object"}}
        ]
        self.destinations: list[dict[str, Any]] = [
            {"id": "dst1", "name": "Amplitude", "enabled": True, "metadata": {"name": "Amplitude (Actions)"}}
        ]
        self.filters: list[dict[str, Any]] = []
        self.drops: set[str] = set()
        """Conditions of filters that drop the payload."""
        self.subscriptions: list[dict[str, Any]] = [
            {"id": "sub1", "name": "Track calls", "trigger": 'type = "track"', "enabled": True}
        ]
        self.suppressed: list[str] = []
        self.regulations: list[dict[str, Any]] = []
        self.counts: dict[str, list[tuple[str, int]]] = {
            "successfully-received": [("", 5)],
            "successful-delivery": [("", 5)],
        }
        """Rows of a step: discard reason and count."""
        self.profile_events: list[dict[str, Any]] = []
        self.failures: dict[str, int] = {}
        self.other_sources: list[dict[str, Any]] = []
        """Status by the last word of a path."""
        self.asked: list[str] = []
        """`GET /path` without the query."""
        self.previewed: list[dict[str, Any]] = []
        workspace = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                workspace._serve(self, "GET", None)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                workspace._serve(self, "POST", body)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def down(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def _serve(self, handler: BaseHTTPRequestHandler, method: str, body: Any) -> None:
        parts = urlsplit(handler.path)
        path = [unquote(word) for word in parts.path.strip("/").split("/")]
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append(f"{method} {parts.path}")
        profile = path[:2] == ["v1", "spaces"]
        wanted = "Basic " if profile else f"Bearer {TOKEN}"
        status = self.failures.get(path[-1], 0)
        if not handler.headers["Authorization"].startswith(wanted):
            status = 401
        if status:
            self._answer(handler, status, {"errors": [{"type": "planted", "message": "planted error"}]})
            return
        data = self._profile() if profile else self._data(path, query, body)
        if data is None:
            self._answer(handler, 404, {"errors": [{"type": "not-found", "message": "no such route"}]})
        else:
            self._answer(handler, 200, data if profile else {"data": data})

    def _answer(self, handler: BaseHTTPRequestHandler, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def _profile(self) -> dict[str, Any]:
        return {"data": self.profile_events, "cursor": {"url": "", "has_more": False, "next": ""}}

    def _data(self, path: list[str], query: dict[str, str], body: Any) -> dict[str, Any] | None:
        if path == ["destination", "filters", "preview"]:
            self.previewed.append(body)
            dropped = body["filter"]["if"] in self.drops
            return {"inputPayload": body["payload"], "result": None if dropped else body["payload"]}
        if path[0] == "delivery-overview":
            return {"dataset": [self._row(*row, query) for row in self.counts.get(path[1], [])]}
        found = {
            ("",): {"workspace": {"id": "w1", "name": "Acme"}},
            ("sources",): {"sources": [self.source, *self.other_sources]},
            ("sources", "src1"): {"source": self.source, "trackingPlanId": self.plan_id},
            ("sources", "src1", "settings"): {"settings": self.settings},
            ("sources", "src1", "connected-destinations"): {"destinations": self.destinations},
            ("tracking-plans", "tp1", "rules"): {"rules": self.rules},
            ("destination", "dst1", "filters"): {"filters": self.filters},
            ("destinations", "dst1", "subscriptions"): {"subscriptions": self.subscriptions},
            ("suppressions",): {"suppressed": [{"subjectType": "USER_ID", "subjectIds": self.suppressed}]},
            ("regulations",): {"regulations": self.regulations},
        }
        return found.get(tuple(path))

    def _row(self, reason: str, count: int, query: dict[str, str]) -> dict[str, Any]:
        series = [{"time": query["startTime"], "count": count}]
        row = {"eventName": EVENT, "total": count, "series": series}
        return {**row, "discardReason": reason} if "discardReason" in query.values() else row
