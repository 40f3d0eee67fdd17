"""Suppressed users: the stored list, the watch that keeps it current, and the engine that withholds."""

from __future__ import annotations

import asyncio
import json
import logging
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.clocks import NOW_MS, ManualClock
from support.engine_bench import Bench, entry
from support.workspace_lookalike import MEMBER_TOKEN, TOKEN, WorkspaceLookalike, answers

from sprig_tui.clock import SystemMonotonicClock
from sprig_tui.config.environment import PublicApiToken
from sprig_tui.config.secrets import Workspace
from sprig_tui.config.token_rejection import TokenRejectionStore
from sprig_tui.delivery import engine as delivery_engine
from sprig_tui.delivery.engine import Engine
from sprig_tui.delivery.suppressed_users import NOBODY_SUPPRESSED, SuppressedUsersStore
from sprig_tui.delivery.suppression_watch import SuppressionWatch, fetch_suppressed_users
from sprig_tui.errors import SegmentApiError
from sprig_tui.journal.filter import parse_filter
from sprig_tui.journal.records import State
from sprig_tui.segment.sink import FaultRule, Sink

HOUR_MS = 3_600_000


def workspace(url: str = "http://127.0.0.1:9", token: str = TOKEN) -> Workspace:
    return Workspace(PublicApiToken(token), url)


def names_in(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


# -- the stored list --------------------------------------------------------------------------------------------------


def test_stored_list_is_private_and_names_nobody(tmp_path: Path) -> None:
    store = SuppressedUsersStore(tmp_path / "state", workspace())
    store.save(["ann@example.com", "böb \ud800"], NOW_MS, ("GET /regulations",))
    users = SuppressedUsersStore(tmp_path / "state", workspace()).load()
    assert (len(users), users.read_at, users.missing) == (2, NOW_MS, ("GET /regulations",))
    assert "ann@example.com" in users
    assert "böb \ud800" in users
    assert "Ann@example.com" not in users
    assert names_in(tmp_path / "state") == ["suppressed.json", "suppressed.key"]
    for file in (tmp_path / "state").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert b"ann" not in file.read_bytes()
        assert TOKEN.encode() not in file.read_bytes()
    assert "ann" not in repr(users)
    assert users.detail == "Segment suppresses this user (list of 2026-09-21T14:13Z)"


def test_list_of_another_workspace_key_or_form_is_no_list(tmp_path: Path) -> None:
    store = SuppressedUsersStore(tmp_path, workspace())
    store.save(["ann"], NOW_MS)
    whole = (tmp_path / "suppressed.json").read_bytes()
    assert SuppressedUsersStore(tmp_path, workspace(token=MEMBER_TOKEN)).load() is NOBODY_SUPPRESSED
    assert SuppressedUsersStore(tmp_path, workspace("http://127.0.0.1:8")).load() is NOBODY_SUPPRESSED
    assert SuppressedUsersStore(tmp_path, Workspace()).load() is NOBODY_SUPPRESSED
    for damaged in (b"", whole[:-9], b"[]", whole.replace(b'"version":1', b'"version":2')):
        (tmp_path / "suppressed.json").write_bytes(damaged)
        assert store.load() is NOBODY_SUPPRESSED
    (tmp_path / "suppressed.json").write_bytes(whole)
    (tmp_path / "suppressed.key").write_bytes(b"long" * 50)
    assert store.load() is NOBODY_SUPPRESSED
    (tmp_path / "suppressed.key").write_bytes(b"short")
    assert store.load() is NOBODY_SUPPRESSED
    assert "ann" in store.save(["ann"], NOW_MS), "a damaged key is replaced"
    assert "ann" in store.load()


def test_body_is_judged_by_its_user_id(tmp_path: Path) -> None:
    users = SuppressedUsersStore(tmp_path, workspace()).save(["acct_7"], NOW_MS)
    assert users.is_of(entry(7).body)
    assert not users.is_of(entry(8).body)
    for body in (b"", b"{", b"[]", b"{}", b'{"userId": null}', b'{"userId": {"acct_7": 1}}', b'{"a": "acct_7"}'):
        assert not users.is_of(body)


# -- what Segment says ------------------------------------------------------------------------------------------------


def regulation(kind: str, *users: str, created: str = "2026-09-21T13:00:00.000Z") -> dict[str, object]:
    return {
        "id": f"reg_{kind}",
        "subjectType": "USER_ID",
        "subjects": list(users),
        "status": "FINISHED",
        "createdAt": created,
        "regulationType": kind,
    }


async def test_list_and_requests_are_read(workspace_api: WorkspaceLookalike) -> None:
    workspace_api.workspace.suppressed[:] = ["ann"]
    workspace_api.workspace.regulations[:] = [
        regulation("SUPPRESS_WITH_DELETE", "bob", "cleo"),
        regulation("UNSUPPRESS", "cleo", created="2026-09-21T14:00:00.000Z"),
    ]
    found = await fetch_suppressed_users(workspace(workspace_api.url), ManualClock())
    assert (found.user_ids, found.missing) == ({"ann", "bob"}, ())
    assert len(workspace_api.asked) == 2


async def test_route_without_permission_is_named_and_both_are_an_error(workspace_api: WorkspaceLookalike) -> None:
    workspace_api.workspace.suppressed[:] = ["ann"]
    workspace_api.workspace.regulations[:] = [regulation("SUPPRESS_ONLY", "bob")]
    workspace_api.problems = [answers(401)]
    found = await fetch_suppressed_users(workspace(workspace_api.url), ManualClock())
    assert (found.user_ids, found.missing) == ({"bob"}, ("GET /suppressions",))
    workspace_api.problems = [answers(403), answers(401)]
    with pytest.raises(SegmentApiError, match="GET /suppressions"):
        await fetch_suppressed_users(workspace(workspace_api.url), ManualClock())


async def test_half_an_answer_is_no_list(workspace_api: WorkspaceLookalike) -> None:
    workspace_api.problems = [answers(200, {"data": {}})]
    with pytest.raises(SegmentApiError, match="no `suppressed`"):
        await fetch_suppressed_users(workspace(workspace_api.url), ManualClock())


# -- the watch --------------------------------------------------------------------------------------------------------


class Rounds(SystemMonotonicClock):
    """Waits that end when the test allows the next look."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.done = asyncio.Event()
        self._go = asyncio.Event()

    def monotonic(self) -> float:
        return self.seconds

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:  # noqa: ARG002
        self.done.set()
        await self._go.wait()
        self._go.clear()
        return event.is_set()

    async def next(self, seconds: float = 5.0) -> None:
        """Let it look once more, and wait until it has."""
        self.seconds += seconds
        self.done.clear()
        self._go.set()
        await self.done.wait()


class Watching:
    """A watch that runs, its clocks and its place."""

    def __init__(self, watch: SuppressionWatch, place: Path) -> None:
        self.watch, self.place = watch, place
        self.clock, self.rounds = ManualClock(), Rounds()

    async def next(self, seconds: float = 5.0) -> None:
        self.clock.advance(seconds)
        await self.rounds.next(seconds)


@pytest.fixture
async def watching(workspace_api: WorkspaceLookalike, tmp_path: Path) -> AsyncIterator[Watching]:
    workspace_api.workspace.suppressed[:] = ["ann"]
    made = Watching(SuppressionWatch(tmp_path / "state", workspace(workspace_api.url)), tmp_path / "state")
    task = asyncio.create_task(made.watch.run(made.clock, made.rounds))
    await made.rounds.done.wait()
    yield made
    task.cancel()
    await asyncio.wait((task,))


async def test_list_is_read_at_once_and_again_at_its_age(watching: Watching, workspace_api: WorkspaceLookalike) -> None:
    assert "ann" in watching.watch.current
    workspace_api.workspace.suppressed[:] = ["bob"]
    await watching.next(3_590)
    assert len(workspace_api.asked) == 2
    await watching.next(10)
    assert len(workspace_api.asked) == 4
    assert "bob" in watching.watch.current
    assert "ann" not in watching.watch.current


async def test_list_that_another_process_stored_is_taken_over(
    watching: Watching, workspace_api: WorkspaceLookalike
) -> None:
    other = SuppressedUsersStore(watching.place, workspace(workspace_api.url))
    other.save(["cleo"], watching.clock.now() + HOUR_MS - 60_000)
    await watching.next(3_595)
    assert "cleo" in watching.watch.current
    assert len(workspace_api.asked) == 2, "it is young enough"


async def test_failure_is_said_once_and_the_last_list_stays(
    watching: Watching, workspace_api: WorkspaceLookalike, caplog: pytest.LogCaptureFixture
) -> None:
    workspace_api.problems = [answers(401)] * 9
    with caplog.at_level(logging.WARNING):
        await watching.next(3_600)
        # both lists, and whether it is the token or its permissions
        assert len(workspace_api.asked) == 5
        await watching.next(30)
        assert len(workspace_api.asked) == 5, "not again within a minute"
        await watching.next(30)
        assert len(workspace_api.asked) == 8
    (message,) = [record.getMessage() for record in caplog.records]
    assert "cannot be read" in message
    assert "GET /suppressions (401)" in message
    assert "the one of 2026-09-21T14:13Z stays in use" in message
    assert TOKEN not in message
    assert "ann" in watching.watch.current


async def test_token_that_another_process_saw_rejected_is_not_tried(
    watching: Watching, workspace_api: WorkspaceLookalike
) -> None:
    store = TokenRejectionStore(watching.place, workspace(workspace_api.url))
    store.save(watching.clock.now() + HOUR_MS)
    await watching.next(3_601)
    assert len(workspace_api.asked) == 2
    await watching.next(60)
    assert len(workspace_api.asked) == 4
    assert store.load() is None, "Segment accepted it"


async def test_another_token_is_taken_up(watching: Watching, workspace_api: WorkspaceLookalike) -> None:
    watching.watch.use(Workspace())
    assert watching.watch.current is NOBODY_SUPPRESSED
    await watching.next(4_000)
    assert len(workspace_api.asked) == 2, "nothing is asked without a token"
    watching.watch.use(workspace(workspace_api.url, MEMBER_TOKEN))
    await watching.next()
    assert "ann" in watching.watch.current


async def test_without_a_token_no_file_is_made(tmp_path: Path) -> None:
    rounds = Rounds()
    watch = SuppressionWatch(tmp_path / "state", Workspace())
    task = asyncio.create_task(watch.run(ManualClock(), rounds))
    await rounds.done.wait()
    await rounds.next()
    task.cancel()
    await asyncio.wait((task,))
    assert watch.current is NOBODY_SUPPRESSED
    assert not names_in(tmp_path)


# -- the engine -------------------------------------------------------------------------------------------------------


class Suppressing:
    """An engine's bench with a stored list, young enough not to be asked for."""

    def __init__(self, bench: Bench, place: Path) -> None:
        self.bench = bench
        self.workspace = workspace()
        self.store = SuppressedUsersStore(place, self.workspace)
        self.watch = SuppressionWatch(place, self.workspace)

    def set(self, *users: str) -> None:
        self.store.save(users, self.bench.time.now())

    def engine(self, sink: Sink) -> Engine:
        time, environment = self.bench.time, self.bench.environment(sink.url)
        return Engine(self.bench.journal, {"production": environment}, clock=time, timing=time, suppression=self.watch)


@pytest.fixture
def suppressing(bench: Bench, tmp_path: Path) -> Suppressing:
    return Suppressing(bench, tmp_path / "state")


async def test_engine_withholds_suppressed_users_and_sends_the_others(suppressing: Suppressing) -> None:
    bench = suppressing.bench
    suppressing.set("acct_0", "acct_5", "acct_19", "somebody-else")
    ids = await bench.queue(range(20))
    async with Sink(clock=bench.time) as sink, suppressing.engine(sink) as engine:
        await bench.settled(engine)
        sent = [event["userId"] for event in sink.events]
        assert sink.stats.requests == 1, "one batch stays one batch"
    assert sent == [f"acct_{number}" for number in range(20) if number not in (0, 5, 19)]
    withheld = [detail.delivery for detail in await bench.details([ids[0], ids[5], ids[19]])]
    assert {(one.state, one.reason, one.attempts) for one in withheld} == {(State.WITHHELD, "suppressed", 0)}
    assert withheld[0].detail.startswith("Segment suppresses this user (list of ")
    assert set(await bench.states(ids[1:5])) == {State.DELIVERED}


async def test_replay_stays_withheld_until_the_user_is_suppressed_no_more(suppressing: Suppressing) -> None:
    bench = suppressing.bench
    ids = await bench.queue([1, 2])
    async with Sink(clock=bench.time) as sink, suppressing.engine(sink) as engine:
        await bench.settled(engine)
        assert sink.stats.accepted == 2
        suppressing.set("acct_1")
        suppressing.watch.load()
        await bench.journal.requeue(ids)
        await bench.settled(engine)
        assert await bench.states(ids) == [State.WITHHELD, State.DELIVERED]
        job = await bench.journal.start_replay(parse_filter("reason:suppressed", now_ms=0), as_new=False)
        engine.wake()
        while [one.state for one in await bench.journal.replays() if one.id == job.id] != ["done"]:
            await bench.tick(engine)
        await bench.settled(engine)
        assert await bench.states(ids) == [State.WITHHELD, State.DELIVERED]
        assert [event["userId"] for event in sink.events].count("acct_1") == 1
        suppressing.set()
        suppressing.watch.load()
        await bench.journal.requeue(ids[:1])
        await bench.settled(engine)
        assert await bench.states(ids) == [State.DELIVERED, State.DELIVERED]
    (detail,) = await bench.details(ids[:1])
    assert (detail.delivery.reason, detail.delivery.detail) == ("", "")


async def test_what_was_queued_before_the_list_came_is_caught(suppressing: Suppressing) -> None:
    bench = suppressing.bench
    ids = await bench.queue([1, 2])
    # the first request is limited for a while: the list comes while both are queued
    faults = [FaultRule(do="status", status=429, retry_after="40", last=1)]
    async with Sink(clock=bench.time, faults=faults) as sink, suppressing.engine(sink) as engine:
        await bench.until(lambda: engine.snapshot().environments["production"].lane.state == "waiting", engine)
        suppressing.set("acct_1")
        suppressing.watch.load()
        await bench.settled(engine)
        assert [event["userId"] for event in sink.events] == ["acct_2"]
    assert await bench.states(ids) == [State.WITHHELD, State.DELIVERED]


async def test_probe_of_suppressed_users_alone_is_followed_by_another(suppressing: Suppressing) -> None:
    bench = suppressing.bench
    first = await bench.queue([1])
    faults = [FaultRule(do="status", status=503, last=1)]
    async with Sink(clock=bench.time, faults=faults) as sink, suppressing.engine(sink) as engine:
        await bench.until(lambda: engine.snapshot().environments["production"].lane.state == "waiting", engine)
        suppressing.set("acct_1")
        suppressing.watch.load()
        await bench.settled(engine)
        async with asyncio.timeout(20):
            while (await bench.lane()).state != "waiting":
                await bench.tick(engine)
        later = await bench.queue([2])
        await bench.settled(engine)
        assert (await bench.lane()).state == "open"
    assert await bench.states(first + later) == [State.WITHHELD, State.DELIVERED]


async def test_api_that_hangs_delays_nothing(bench: Bench, tmp_path: Path, workspace_api: WorkspaceLookalike) -> None:
    never = asyncio.Event()
    asked = asyncio.Event()

    async def hang(*_: object) -> object:
        asked.set()
        await never.wait()
        raise AssertionError

    watch = SuppressionWatch(tmp_path / "state", workspace(workspace_api.url), fetch=hang)  # type: ignore[arg-type]
    await bench.queue([1])
    async with Sink(clock=bench.time) as sink:
        environments = {"production": bench.environment(sink.url)}
        engine = Engine(bench.journal, environments, clock=bench.time, timing=bench.time, suppression=watch)
        async with engine:
            await asked.wait()
            await bench.settled(engine)
            await engine.drain(0)
        assert sink.stats.accepted == 1


async def test_list_on_its_way_is_stored_when_a_short_command_ends(
    bench: Bench, tmp_path: Path, workspace_api: WorkspaceLookalike, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_engine, "ABORT_GRACE_S", 20.0)  # a busy machine may need more than a second
    workspace_api.workspace.suppressed[:] = ["ann"]
    watch = SuppressionWatch(tmp_path / "state", workspace(workspace_api.url))
    environments = {"production": bench.environment("http://127.0.0.1:9")}
    async with Engine(bench.journal, environments, clock=bench.time, timing=bench.time, suppression=watch):
        await bench.until(lambda: bool(workspace_api.asked))
    assert json.loads((tmp_path / "state" / "suppressed.json").read_bytes())["read_at"] == bench.time.now()
    assert "ann" in watch.current
