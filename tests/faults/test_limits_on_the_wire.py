"""Whatever people write: no body over 500,000 bytes, no event over 32,768, and every answer accounted for."""

from __future__ import annotations

import json

import msgspec
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sprig_tui.config.environment import DeliverySettings, Environment, WriteKey
from sprig_tui.delivery.engine import Engine
from sprig_tui.delivery.wait import wait_until_settled
from sprig_tui.ingest import EntryBuilder
from sprig_tui.ingest.ingest import ingest_records
from sprig_tui.journal.query import Query
from sprig_tui.journal.records import State
from sprig_tui.journal.sqlite import SQLiteJournal
from sprig_tui.mapping.records import Rules
from sprig_tui.segment.limits import MAX_BATCH_EVENTS, MAX_BODY_BYTES, MAX_EVENT_BYTES
from sprig_tui.segment.sink import Sink
from sprig_tui.sprig.formats.detect import parse_document
from sprig_tui.sprig.records import Origin

_texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
_repeats = st.integers(1, 12_000)


class Answers(list):
    """Answers that a failure names by their number: whole they would be megabytes."""

    def __repr__(self) -> str:
        return f"{len(self)} answers of {[len(one['response']) for one in self]} characters"


@st.composite
def answers(draw) -> list[dict]:
    """Answers of any text, from a few bytes to far over the limit."""
    number = draw(st.integers(1, 60))
    text, user = draw(_texts), draw(_texts)
    sizes = draw(st.lists(_repeats, min_size=number, max_size=number))
    return Answers(
        {
            "userId": user,
            "surveyId": 1,
            "surveyName": text,
            "question": text,
            "questionType": "OPEN",
            "responseGroupId": f"{index}",
            "response": text * (size if index % 3 else 1 + size // 100),
            "respondedAt": "2026-10-04T16:21:09.114Z",
        }
        for index, size in enumerate(sizes)
    )


@given(answers())
@example(
    Answers(
        [
            {
                "userId": " ",
                "surveyId": 1,
                "question": "q",
                "questionType": "OPEN",
                "responseGroupId": "0",
                "response": "x" * 33_000,
                "respondedAt": "2026-10-04T16:21:09.114Z",
            }
        ]
    )
)
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
async def test_no_body_and_no_event_is_over_its_limit(tmp_path_factory, given_answers):
    raw = json.dumps(given_answers, ensure_ascii=False).encode()
    folder = tmp_path_factory.mktemp("limits")
    async with Sink() as sink:
        environment = Environment(name="e", write_key=WriteKey("F" * 32), endpoint=sink.url, requests_per_second=1000)
        environments = {"e": environment}
        async with (
            SQLiteJournal(folder / "j.db") as journal,
            Engine(journal, environments, DeliverySettings()) as engine,
        ):
            records = list(parse_document(raw, Origin(name="made up")))
            fed = await ingest_records(records, EntryBuilder(Rules(), environments, "e"), journal, engine)
            await wait_until_settled(journal, fed.ids, ["e"], engine=engine)
            counts = (await journal.counts()).by_environment["e"]
            assert fed.records == len(given_answers)
            assert sum(counts.values()) == len(given_answers)
            assert not counts.get(State.QUEUED)
            assert not counts.get(State.FAILED)
            page = await journal.page(Query(), limit=1000)
            for one in page.deliveries:
                detail = await journal.get(one.id)
                if one.reason != "anonymous":  # the first reason counts: a User ID of spaces alone is none
                    assert (len(detail.body) > MAX_EVENT_BYTES) == (one.reason == "too-large")
                if detail.body:
                    msgspec.json.decode(detail.body)
        assert sink.stats.largest_body <= MAX_BODY_BYTES
        assert all(request.events <= MAX_BATCH_EVENTS for request in sink.requests)
        assert sink.stats.accepted == counts.get(State.DELIVERED, 0)
        assert not sink.stats.rejected
