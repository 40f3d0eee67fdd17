"""Look-alike of a Segment workspace on a real socket: the fake Segment with its Public API, on a thread of its own.

    with WorkspaceLookalike(delay_s=0) as api:
        ...  # environments with endpoint = api.url and write_key = PRODUCTION_KEY deliver to it
        PublicApiClient(api.url, PublicApiToken(TOKEN), clock=...)  # and its Public API counts what came

`api.url` is the Tracking API, the Public API and the Profile API at once. Without a thread, on the test's own loop:
`async with Sink(workspace=Workspace.example(), workspace_delay_s=0) as sink` (then `sink.workspace.api`).

- `api.workspace` has the sources, destinations, filters, mappings, plans and suppressed users (`add_source`,
  `add_destination`, `add_filter`, `connect_plan`, `suppressed`, ...); its records are JSON objects, and may be odd.
  By default it has "Acme production" with two destinations, "Acme dev" and a disabled "Marketing site".
- `api.set_faults("lost=3", "late=600@source:Acme dev")`: see sprig_tui/segment/sink/workspace/fault_rules.py.
- `api.add_counts(RECEIVED, source_id, at_ms, 1204, event="...")` makes counts of the past without sending anything.
- `api.clock = ManualClock(...)` (or `WorkspaceLookalike(clock=...)`) decides when counts are seen and what is too old.
- `api.problems = [answers(503), hangs_up, goes_on]`: one reply each for the requests to come.
- `api.service.api.reshape = numbers_as(str)`, or `with_unknown_fields`: the same answers, written otherwise.
- `api.asked` are the requests' paths with queries, `api.headers` their headers; `api.sink.events` what was delivered.

By hand: `sprig-tui sink --workspace`.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Sequence
from email.utils import format_datetime
from typing import Any, Self

from sprig_tui.clock import Clock, SystemClock
from sprig_tui.segment.sink import Sink
from sprig_tui.segment.sink.messages import SinkReply
from sprig_tui.segment.sink.workspace.model import (
    DEVELOPMENT_KEY,
    MEMBER_TOKEN,
    PRODUCTION_KEY,
    PROFILE_SPACE,
    PROFILE_TOKEN,
    TOKEN,
    Record,
    Workspace,
    destination_record,
    label,
    source_record,
)

__all__ = [
    "DEVELOPMENT_KEY",
    "MEMBER_TOKEN",
    "PRODUCTION_KEY",
    "PROFILE_SPACE",
    "PROFILE_TOKEN",
    "TOKEN",
    "Workspace",
    "WorkspaceLookalike",
    "answers",
    "breaks_off",
    "destination",
    "endless",
    "goes_on",
    "hangs_up",
    "label",
    "limited",
    "numbers_as",
    "reset_at",
    "source",
    "with_unknown_fields",
]

source = source_record
destination = destination_record

Trouble = SinkReply | None
goes_on: Trouble = None
"""No trouble for this one."""
hangs_up = SinkReply(ending="close")
breaks_off = SinkReply(body=b'{"data": {"sour', missing=1_000)
endless = SinkReply(padding=1_000_000_000_000, close=True)


def answers(status: int, body: Any = b"", **headers: str) -> SinkReply:
    """This answer in place of the right one; `retry_after="2"` becomes a header."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return SinkReply(status=status, body=data, headers=named)


def limited(ms: int, **headers: str) -> SinkReply:
    """The rate limit as documented: the wait stands in the body."""
    data = {"remainingPoints": 0, "msBeforeNext": ms, "consumedPoints": 21}
    return answers(429, {"errors": [{"type": "RequestError", "message": "Too many requests", "data": data}]}, **headers)


def reset_at(moment: Any) -> str:
    """X-RateLimit-Reset as documented: a date by RFC 5322."""
    return format_datetime(moment)


def numbers_as(kind: Callable[[int], Any]) -> Callable[[Any], Any]:
    """Each whole number as a float or a text."""

    def change(data: Any) -> Any:
        if isinstance(data, dict):
            return {name: change(value) for name, value in data.items()}
        if isinstance(data, list):
            return [change(one) for one in data]
        return kind(data) if isinstance(data, int) and not isinstance(data, bool) else data

    return change


def with_unknown_fields(data: Any) -> Any:
    """Each object with fields that no documentation knows."""
    if isinstance(data, dict):
        return {"unheardOf": {"of": [None]}, **{name: with_unknown_fields(value) for name, value in data.items()}}
    return [with_unknown_fields(one) for one in data] if isinstance(data, list) else data


def acme() -> Workspace:
    """The workspace of most tests."""
    workspace = Workspace()
    workspace.sources = [
        source(1, "Acme production", PRODUCTION_KEY, labels=[label("environment", "prod")]),
        source(2, "Acme dev", DEVELOPMENT_KEY, labels=[label("environment", "dev")]),
        source(3, "Marketing site", "m9ccccccDDDDeeee3333FFFFaaaa3Tlz", kind="Javascript", enabled=False),
    ]
    workspace.destinations = [
        destination(1, "Amplitude", workspace.sources[0]["id"]),
        destination(2, "Customer.io", workspace.sources[0]["id"], enabled=False),
    ]
    return workspace


class _SetClock:
    """A clock that may be replaced while it is used."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def now(self) -> int:
        return self.clock.now()


class WorkspaceLookalike:
    """See the module; `faults` are those of the workspace, `tracking_faults` those of the fake Segment's answers."""

    def __init__(
        self,
        workspace: Workspace | None = None,
        *,
        faults: Sequence[str] = (),
        tracking_faults: Sequence[str] = (),
        delay_s: float = 0.0,
        points_per_minute: int = 1_000_000,
        clock: Clock | None = None,
    ) -> None:
        self.workspace = workspace or acme()
        self._clock = _SetClock(clock or SystemClock())
        self.sink = Sink(
            workspace=self.workspace,
            workspace_faults=faults,
            workspace_delay_s=delay_s,
            points_per_minute=points_per_minute,
            faults=tracking_faults,
            clock=self._clock,
        )
        assert self.sink.workspace is not None
        self.service = self.sink.workspace
        self.token = TOKEN
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._up = False

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self.sink.start())
        self._up = True
        return self

    def __exit__(self, *_: object) -> None:
        self.down()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def down(self) -> None:
        """Listen no more; the port refuses from now on."""
        if self._up:
            self._up = False
            self._do(self.sink.close())

    def up(self) -> None:
        """Listen again, on the same port."""
        self._do(self.sink.start())
        self._up = True

    @property
    def url(self) -> str:
        return self.sink.url

    @property
    def clock(self) -> Clock:
        return self._clock.clock

    @clock.setter
    def clock(self, clock: Clock) -> None:
        self._clock.clock = clock

    def set_faults(self, *faults: str) -> None:
        self.service.set_faults(faults)

    def add_counts(self, step: str, source_id: str, at: int, count: int = 1, **fields: str) -> None:
        self.service.add_counts(step, source_id, at, count, **fields)

    @property
    def sources(self) -> list[Record]:
        return self.workspace.sources

    @sources.setter
    def sources(self, sources: list[Record]) -> None:
        self.workspace.sources = sources

    @property
    def destinations(self) -> list[Record]:
        return self.workspace.destinations

    @destinations.setter
    def destinations(self, destinations: list[Record]) -> None:
        self.workspace.destinations = destinations

    @property
    def page_size(self) -> int:
        """Entries of a page, if that is fewer than a request asks for."""
        return self.service.api.records.max_page_size

    @page_size.setter
    def page_size(self, size: int) -> None:
        self.service.api.records.max_page_size = size

    @property
    def max_count(self) -> int:
        """Larger counts are rejected; 200 in earlier versions of the API."""
        return self.service.api.records.max_count

    @max_count.setter
    def max_count(self, count: int) -> None:
        self.service.api.records.max_count = count

    @property
    def problems(self) -> list[SinkReply | None]:
        """One for each request to come, first to last."""
        return self.service.api.replies

    @problems.setter
    def problems(self, replies: list[SinkReply | None]) -> None:
        self.service.api.replies = replies

    @property
    def asked(self) -> list[str]:
        """Path and query of each request to the Public API, as they were sent."""
        return [request.target for request in self.service.api.asked]

    @property
    def bodies(self) -> list[bytes]:
        """The body of each POST."""
        return [request.body or b"" for request in self.service.api.asked if request.method == "POST"]

    @property
    def headers(self) -> list[dict[str, str]]:
        """The headers of each request, with names as they are usually written."""
        return [{name.title(): value for name, value in one.headers.items()} for one in self.service.api.asked]
