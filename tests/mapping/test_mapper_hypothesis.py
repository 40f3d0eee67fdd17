"""Mapper properties for any response: valid JSON in UTF-8, and a reason that agrees with the lints."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from sprig_tui.mapping.mapper import Mapper
from sprig_tui.mapping.records import Rules, Survey
from sprig_tui.reasons import Reason
from sprig_tui.segment.limits import MAX_EVENT_BYTES
from sprig_tui.segment.lints import lint
from sprig_tui.sprig.records import Note

from .conftest import Make

NOW = 1_800_000_000_000

ANY_TEXT = st.text(alphabet=st.characters(codec=None, exclude_categories=()), max_size=30)
JSON_TEXT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=10,
).flatmap(
    lambda value: st.booleans().map(
        lambda escaped: json.dumps(value, ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    )
)
FOREIGN = st.one_of(
    JSON_TEXT,
    JSON_TEXT.filter(bool).map(lambda text: text[:-1]),
    st.binary(max_size=20),
    st.sampled_from([b"1e400", b"9" * 5_000, b'"' + b"x" * 33_000 + b'"', b"[" * 3_000 + b"]" * 3_000]),
).map(Raw)
TIMES = st.one_of(
    st.none(),
    ANY_TEXT,
    st.datetimes().map(lambda moment: moment.isoformat(timespec="milliseconds") + "Z"),
    st.sampled_from(["2025-03-04", "1741105269114", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00"]),
)
IDS = st.none() | st.integers() | ANY_TEXT | st.just(1 << 20_000)
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "response": FOREIGN,
        "response_group_id": ANY_TEXT,
        "question": ANY_TEXT,
        "question_type": ANY_TEXT,
        "user_id": st.none() | ANY_TEXT,
        "user_id_hint": ANY_TEXT,
        "answered_at": TIMES,
        "updated_at": TIMES,
        "deleted_at": st.none() | ANY_TEXT,
        "survey_id": IDS,
        "survey_name": st.none() | ANY_TEXT,
        "survey_created_at": TIMES,
        "visitor_id": st.none() | ANY_TEXT,
        "old_visitor_id": IDS,
        "email": st.none() | ANY_TEXT,
        "attributes": st.just(UNSET) | st.none() | FOREIGN,
        "triggering_event": st.just(UNSET) | st.none() | ANY_TEXT,
        "environment": st.none() | ANY_TEXT,
        "environment_id": st.none() | ANY_TEXT,
        "notes": st.lists(st.sampled_from(Note), max_size=2).map(tuple),
    },
)
MAPPERS = st.sampled_from(
    [
        Mapper(Rules()),
        Mapper(Rules(surveys={"5120": Survey("Known", "2025-01-01T00:00:00Z")}, integrations={"All": False})),
        Mapper(
            Rules(
                omit=frozenset({"properties.question", "properties.attributes.a", "properties.response.a.b"}),
                hash=frozenset({"properties.email", "properties.attributes.b", "properties.surveyId"}),
                created_at="response",
            )
        ),
        Mapper(Rules(hash=frozenset({"properties.response", "properties.attributes", "properties.oldVisitorId"}))),
        Mapper(Rules(omit=frozenset({"properties.response", "properties.attributes", "properties.surveyId"}))),
    ]
)


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(CHANGES, MAPPERS, st.sampled_from(["production", ""]))
def test_any_response_maps_to_valid_json(make: Make, changes: dict[str, Any], mapper: Mapper, environment: str) -> None:
    mapping = mapper.map(make(**changes), environment=environment, now_ms=NOW)
    text = mapping.body.decode("utf-8")
    track = json.loads(text, parse_int=float)
    text.encode("utf-8")
    assert not any("\ud800" <= character <= "\udfff" for character in _texts(track))
    assert text.startswith('{"messageId":"' + mapping.message_id + '"')
    assert set(track) <= {"messageId", "userId", "event", "type", "properties", "context", "timestamp", "integrations"}
    assert "sentAt" not in track
    assert len(mapping.digest) == 8
    mapping.detail.encode()

    errors = {one.code for one in mapping.lints if one.level == "error"}
    assert {one.code for one in lint(mapping.body, NOW) if one.level == "error"} <= errors
    if mapping.withheld is None:
        assert not errors
        assert environment
        assert len(mapping.body) <= MAX_EVENT_BYTES
        assert mapping.answered_ms >= 0
    elif mapping.withheld is Reason.ENVIRONMENT_UNKNOWN:
        assert not errors
        assert not environment
    elif mapping.withheld is Reason.TOO_LARGE:
        assert errors == {"event_too_large"}
    elif mapping.withheld is not Reason.DELETED:
        assert errors

    assert len(mapping.fields) == 21
    worst = {field.level for field in mapping.fields}
    if mapping.withheld in {Reason.ANONYMOUS, Reason.INVALID}:
        assert "error" in worst


def _texts(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(key + _texts(inner) for key, inner in value.items())
    if isinstance(value, list):
        return "".join(map(_texts, value))
    return value if isinstance(value, str) else ""
