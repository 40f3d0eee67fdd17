"""Statistics: every number is that of its filter, whatever happened to the deliveries."""

from __future__ import annotations

from msgspec.structs import replace

from sprig_tui.journal.base import Journal
from sprig_tui.journal.filter import parse_filter
from sprig_tui.journal.records import Settlement, State
from sprig_tui.journal.statistics import Statistics, StatisticsRequest
from sprig_tui.journal.statistics_filters import StatisticsFilters


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
