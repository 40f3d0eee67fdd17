"""Statistics: every number is that of its filter, whatever happened to the deliveries."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from support.clocks import ManualClock
from support.records import make_entry

from sprig_tui.journal.base import Journal
from sprig_tui.journal.claim_rules import ClaimRequest
from sprig_tui.journal.filter import parse_filter
from sprig_tui.journal.persons import make_identifier
from sprig_tui.journal.records import Attempt, NewDelivery, Settlement, State
from sprig_tui.journal.retention import Cutoffs
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.journal.statistics import Statistics, StatisticsRequest
from sprig_tui.journal.statistics_filters import StatisticsFilters

ENDPOINT = "http://127.0.0.1:9"
STEPS = (
    "add", "again", "deliver", "fail", "retry", "split", "suppress", "withdraw", "requeue", "as-new", "replay",
    "elsewhere", "adopt", "merge", "release", "forget", "prune", "retain", "content", "keep", "hour",
)  # fmt: skip
"""Everything that changes deliveries, and keeping the counts of what changed."""


class Walk:
    """Steps in any order over one journal."""

    def __init__(self, journal: Journal, clock: ManualClock) -> None:
        self.journal = journal
        self.clock = clock
        self.made = 0

    async def step(self, name: str) -> None:
        """Take one step."""
        await getattr(self, f"_{name.replace('-', '_')}")()

    async def _add(self) -> None:
        await self.journal.add([self._entry() for _ in range(4)])

    async def _again(self) -> None:
        self.made = max(self.made - 2, 0)
        await self.journal.add([replace(self._entry(), digest=b"other", body=b'{"x":1}') for _ in range(2)])

    async def _deliver(self) -> None:
        await self._settle(State.DELIVERED, 200)

    async def _fail(self) -> None:
        await self._settle(State.FAILED, 400 + self.made % 2)

    async def _retry(self) -> None:
        await self._settle(State.QUEUED, 503)

    async def _split(self) -> None:
        await self._settle(None, 400)

    async def _suppress(self) -> None:
        await self._settle(State.WITHHELD, 0, reason="suppressed")

    async def _withdraw(self) -> None:
        await self.journal.withdraw(await self._ids(3))

    async def _requeue(self) -> None:
        await self.journal.requeue(await self._ids(3))

    async def _as_new(self) -> None:
        await self.journal.requeue(await self._ids(2), as_new=True)

    async def _replay(self) -> None:
        job = await self.journal.start_replay(parse_filter("is:failed,withheld", now_ms=self.clock.now()))
        while job.state == "running":
            job = await self.journal.step_replay(job.id, 2)

    async def _elsewhere(self) -> None:
        await self.journal.requeue(await self._ids(3, "is:delivered,failed"), overrides={"production": ENDPOINT})

    async def _adopt(self) -> None:
        await self._settle(State.DELIVERED, 200, endpoint=ENDPOINT)

    async def _merge(self) -> None:
        await self.journal.merge_endpoint("production", ENDPOINT)

    async def _release(self) -> None:
        await self.journal.release(await self._claim())

    async def _forget(self) -> None:
        person = [make_identifier("user", f"acct_{self.made}")]
        await self.journal.begin_forget(person, "ann")
        await self.journal.erase([one.id for one in (await self.journal.find_persons(0, person)).found])
        await self.journal.undo_forget(None, "ann")

    async def _prune(self) -> None:
        await self.journal.prune(self.clock.now() - 3_000_000)

    async def _retain(self) -> None:
        await self.journal.retention.take_turn("me")
        cutoffs = Cutoffs(failed=self.clock.now())
        due = await self.journal.retention.due_rows(cutoffs, 0)
        await self.journal.retention.remove("me", cutoffs, due.ids)

    async def _content(self) -> None:
        await self.journal.retention.take_turn("me")
        cutoffs = Cutoffs(content=self.clock.now())
        for first in (await self.journal.retention.due_packs(cutoffs, 0)).ids:
            await self.journal.retention.clean_pack("me", cutoffs, first)

    async def _keep(self) -> None:
        await self.journal.keep_counts(spared=0)

    async def _hour(self) -> None:
        self.clock.advance(3_600)

    def _entry(self) -> NewDelivery:
        self.made += 1
        number = self.made
        return make_entry(
            number,
            ("production", "staging", "production")[number % 3],
            survey_id=("", "7", "77")[number % 3],
            survey_name=f"Exit {number % 4}",
            user_id=f"acct_{number}" if number % 5 else "",
            reason="" if number % 7 else "anonymous",
        )

    async def _ids(self, number: int, text: str = "") -> list[int]:
        found = await self.journal.ids(parse_filter(text, now_ms=self.clock.now()), limit=40)
        return list(found.ids[::2][:number])

    async def _claim(self, endpoint: str = ""):
        return await self.journal.claim(
            ClaimRequest("production", 3, 475_000, 60_000, endpoint=endpoint, adopt=bool(endpoint))
        )

    async def _settle(self, state: State | None, status: int, *, reason: str = "", endpoint: str = "") -> None:
        taken = await self._claim(endpoint)
        if not taken.lease:
            return
        attempt = Attempt(
            started_at=self.clock.now(),
            status=status,
            latency_ms=38.5,
            events=3,
            endpoint=endpoint or "https://a.example",
        )
        settled = Settlement(ids=taken.ids, state=state, attempt=attempt if status else None, reason=reason)
        await self.journal.settle(taken, [settled])
        await self.journal.release(taken)


def numbers(statistics: Statistics) -> list[tuple[str, str, int]]:
    """(what, filter, number) of everything in a result."""
    filters = StatisticsFilters(statistics)
    found = [("total", filters.total(), sum(statistics.totals.values()))]
    for bucket in statistics.buckets:
        found += [(f"bucket {state}", filters.arrived(bucket, state), bucket.arrived.get(state, 0)) for state in State]
        found.append(("answered", filters.answered(bucket), bucket.answered))
    for survey in statistics.surveys:
        found += [(f"survey {state}", filters.survey(survey, state), survey.states.get(state, 0)) for state in State]
        found.append(("anonymous", filters.survey(survey, anonymous=True), survey.anonymous))
    for name, states in statistics.environments.items():
        found += [(f"environment {name}", filters.environment(name, state), states.get(state, 0)) for state in State]
    found += [(reason, filters.reason(reason), number) for reason, number in statistics.reasons.items()]
    found += [(f"http {status}", filters.failure(status), number) for status, number in statistics.failures.items()]
    for url, states in statistics.endpoints.items():
        found += [(f"endpoint {url}", filters.endpoint(url, state), states.get(state, 0)) for state in State]
    return found


async def check(journal: Journal, request: StatisticsRequest) -> Statistics:
    """The statistics, of which every number was compared with what its filter finds."""
    statistics = await journal.statistics(request)
    for what, text, number in numbers(statistics):
        if text:
            counted = await journal.count(parse_filter(text, now_ms=journal.clock.now()))
            assert counted == number, f"{what}: {text}"
    return statistics


async def test_each_number_is_that_of_its_filter(journal, entry, claim, attempt, clock):
    await journal.add([entry(survey_id="7", survey_name="Exit"), entry(survey_id="77", survey_name="Exit 7")])
    await journal.add([entry("staging", user_id="", survey_id=""), entry(reason="anonymous", user_id="")])
    taken = await claim()
    sent = attempt(200, endpoint="https://a.example")
    failed = attempt(400, endpoint="https://a.example/eu", error="invalid_request")
    await journal.settle(
        taken,
        [
            Settlement(ids=taken.ids[:1], state=State.DELIVERED, attempt=sent),
            Settlement(ids=taken.ids[1:], state=State.FAILED, attempt=failed, error="invalid_request"),
        ],
    )
    clock.advance(3_600)
    await journal.add([entry()])
    unkept = await check(journal, StatisticsRequest(buckets=3))
    assert unkept.totals == {State.QUEUED: 2, State.DELIVERED: 1, State.FAILED: 1, State.WITHHELD: 1}
    assert (unkept.reasons, unkept.failures) == ({"anonymous": 1}, {400: 1})
    assert unkept.endpoints == {"https://a.example": {State.DELIVERED: 1}, "https://a.example/eu": {State.FAILED: 1}}
    assert [bucket.answered for bucket in unkept.buckets] == [0, 2, 0]
    for request in (
        StatisticsRequest(unit="day", buckets=2),
        StatisticsRequest(environments=("staging",)),
        StatisticsRequest(buckets=1),
    ):
        counted = await check(journal, request)
        assert await journal.keep_counts(spared=0) == 0
        kept = await check(journal, request)
        assert replace(kept, recounted=0) == replace(counted, recounted=0)


async def test_counts_are_those_of_the_rows_after_each_step(journal, clock):
    walk = Walk(journal, clock)
    for name in ("add", "deliver", "hour", "elsewhere", "merge", *STEPS):
        await walk.step("add")
        clock.advance(1_300)
        await walk.step("keep")
        await walk.step(name)
        await check(journal, StatisticsRequest(buckets=12))
    assert (await journal.verify()).problems == ()


@settings(max_examples=12, deadline=None)
@given(st.lists(st.sampled_from(STEPS), min_size=4, max_size=16))
def test_counts_are_those_of_the_rows_after_any_steps(names):
    async def run() -> None:
        clock = ManualClock()
        with tempfile.TemporaryDirectory() as folder:
            async with SQLiteJournal(Path(folder) / "journal.db", clock=clock) as journal:
                walk = Walk(journal, clock)
                for name in ("add", "add", *names):
                    await walk.step(name)
                await check(journal, StatisticsRequest(buckets=3))
                await walk.step("keep")
                await check(journal, StatisticsRequest(buckets=3))
                assert (await journal.verify()).problems == ()

    asyncio.run(run())
