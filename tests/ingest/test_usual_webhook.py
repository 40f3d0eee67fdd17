"""Usual webhooks: the entries are those of the general way, for usual lines and for all others."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sprig_tui.ingest import EntryBuilder
from sprig_tui.ingest.mapping_job import MappedEnvironment
from sprig_tui.ingest.usual_webhook import UsualWebhookReader
from sprig_tui.journal.records import NewDelivery
from sprig_tui.mapping.records import Rules, Survey
from sprig_tui.sprig.formats.detect import try_parse_record

SAMPLES = Path(__file__).parents[2] / "sample_payloads"
USUAL: dict[str, Any] = {
    "eventType": "ANSWER_SUBMITTED",
    "environmentId": "QmK7x2dTfa",
    "createdAt": "2026-10-05T16:21:44.114Z",
    "surveyId": 5120,
    "surveyName": "Checkout effort",
    "responseGroupUid": "1b0a3d3e-6a0f-4a4e-9d2c-0a8f6a0d3b11",
    "question": "How easy was checkout?",
    "questionType": "OPEN",
    "response": "fine, thanks",
    "visitorId": "7f6b0a8e-33c1-4c84-93ad-08f6a1e0b3c2",
    "userId": "acct_1",
    "email": " mira@example.com ",
    "attributes": {"plan": "team plus", "seats": 12},
    "triggeringEvent": "Checkout Completed",
}
ENVIRONMENTS = {"production": MappedEnvironment("QmK7x2dTfa")}

ODD_TEXTS = st.sampled_from(
    [
        "",
        " ",
        "x" * 501,
        "é",
        "\u2028",
        "\x7f",
        "a\tb",
        "\\",
        '"',
        "0",
        "12",
        "null",
        " acct_1 ",
        "2026-10-05",
        "\ud83d",
    ]
)
ODD_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.sampled_from([10**13, 1 << 63, (1 << 63) + 1, 10**400, 1e300, 1.5]),
    ODD_TEXTS,
    st.text(max_size=8),
    st.lists(st.sampled_from(["a b", "c", 1]), max_size=2),
    st.sampled_from([{"email": "a@b.example"}, {"!email": " a@b.example "}, {"a": {"b": [1, "c  d"]}}, {"n": "e999"}]),
    st.sampled_from(["[" * 60 + "]" * 60, "2026-02-30T00:00:00.000Z", "2026-10-05T16:21:44.114+02:00"]),
)
CHANGES = st.dictionaries(
    st.sampled_from([*USUAL, "timestamp", "updatedAt", "deletedAt", "questionId", "surveyUuid", "externalUserId", "x"]),
    ODD_VALUES,
    max_size=3,
)


def both_ways(raw: bytes, rules: Rules | None = None, **options: Any) -> tuple[NewDelivery | None, NewDelivery | None]:
    """The entry of the usual reader, if it made one, and that of the general way, if it is a response."""
    builder = EntryBuilder(rules or Rules(), ENVIRONMENTS, **options)
    read = UsualWebhookReader(builder).read_line(raw, "in.jsonl", 7)
    response = try_parse_record(raw, "in.jsonl", 7)
    general = None if response is None else builder.uncounted_entry(response)
    if isinstance(read, tuple):
        return NewDelivery(*read), general
    assert read == response
    return None, general


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    changes=CHANGES,
    dropped=st.sets(st.sampled_from(sorted(USUAL)), max_size=2),
    separators=st.sampled_from([(",", ":"), (", ", ": ")]),
    ascii_only=st.booleans(),
)
@example(changes={"response": [1, "a"]}, dropped=set(), separators=(", ", ": "), ascii_only=True)
@example(changes={"attributes": {"n": [10**400]}}, dropped=set(), separators=(",", ":"), ascii_only=True)
@example(changes={"response": 10**400}, dropped=set(), separators=(",", ":"), ascii_only=True)
@example(changes={"question": "q" * 33_000}, dropped=set(), separators=(",", ":"), ascii_only=True)
@example(changes={"response": "é" * 200, "userId": "é"}, dropped=set(), separators=(",", ":"), ascii_only=False)
def test_both_ways_make_the_same_entry(
    changes: dict[str, Any], dropped: set[str], separators: tuple[str, str], ascii_only: bool
) -> None:
    record = {name: value for name, value in (USUAL | changes).items() if name not in dropped or name in changes}
    raw = json.dumps(record, separators=separators, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    read, general = both_ways(raw)
    assert read is None or read == general


def usual(**changes: Any) -> bytes:
    return json.dumps(USUAL | changes, ensure_ascii=False, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"response": ["a", "b"]},
        {"response": 4},
        {"response": None},
        {"surveyId": None},
        {"attributes": None},
        {"email": None},
        {"userId": "é"},
        {"eventType": "Answer Submitted"},
        {"attributes": {"email": "a@b.example"}},
    ],
    ids=str,
)
def test_usual_lines_take_one_step(changes: dict[str, Any]) -> None:
    read, general = both_ways(usual(**changes))
    assert read is not None
    assert read == general
    assert not read.reason


@pytest.mark.parametrize(
    "rules",
    [
        Rules(omit=frozenset({"properties.email"})),
        Rules(hash=frozenset({"properties.email"})),
        Rules(created_at="response"),
        Rules(store_raw="none"),
        Rules(surveys={"5120": Survey("Effort", "2026-01-01")}),
    ],
    ids=["omit", "hash", "created_at", "store_raw", "surveys"],
)
def test_rules_that_change_answers_are_left_to_the_general_way(rules: Rules) -> None:
    read, general = both_ways(usual(), rules)
    assert read is None
    assert general is not None


@pytest.mark.parametrize("answer", [b"[ ]", b"[1 ]", b'[ "a",\t"b" ]', b'{ "a" : 1 }', b"1e9", b"1e400"])
def test_white_space_and_exponents_in_answers(answer: bytes) -> None:
    read, general = both_ways(usual(response=0).replace(b'"response":0', b'"response": ' + answer))
    assert (read is None) == (answer == b"1e400")
    assert read is None or read == general


def test_other_rules_apply_to_both_ways() -> None:
    read, general = both_ways(usual(), Rules(event="Answered", integration_version="2", integrations={"All": False}))
    assert read is not None
    assert read == general


def test_environment_is_that_of_the_general_way() -> None:
    read, general = both_ways(usual(environmentId="other"), default_environment="production")
    assert read is None or read == general
    assert both_ways(usual(environmentId=None), default_environment="production")[0] is not None
    assert both_ways(usual(environmentId="other"))[0] is None


def sample_lines() -> Iterator[bytes]:
    for path in sorted(SAMPLES.glob("*.jsonl")):
        yield from path.read_bytes().split(b"\n")
    with gzip.open(SAMPLES / "webhooks-archive.jsonl.gz") as archive:
        yield from archive.read().split(b"\n")


def test_sample_files_have_the_same_entries_both_ways() -> None:
    usual_lines = 0
    for raw in sample_lines():
        read, general = both_ways(raw)
        assert read is None or read == general
        usual_lines += read is not None
    assert usual_lines


def test_line_that_is_no_response_is_left_to_the_diagnosis() -> None:
    assert both_ways(usual(responseGroupUid=None)) == (None, None)
