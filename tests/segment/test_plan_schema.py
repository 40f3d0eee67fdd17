"""JSON Schemas of tracking plans: what breaks is named by field, and no schema hangs or ends the program."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sprig_tui.segment.plan_schema import MAX_VIOLATIONS, PlanSchema, SchemaProblem

PLAN = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {
        "context": {},
        "traits": {},
        "properties": {
            "type": "object",
            "properties": {
                "surveyId": {"type": "integer"},
                "surveyName": {"type": "string", "pattern": "^[A-Z]"},
                "answer": {"type": ["string", "null"], "maxLength": 5},
                "kind": {"enum": ["OPEN", "RATING"]},
                "createdAt": {"format": "date-time"},
            },
            "required": ["surveyId", "email"],
        },
    },
    "required": ["properties", "sentAt", "receivedAt"],
}
GOOD = {"surveyId": 7, "surveyName": "Checkout", "email": "", "kind": "OPEN", "createdAt": "2026-11-29T00:00:00Z"}


def broken(schema: Any, payload: Any) -> list[tuple[str, str]]:
    return [(found.path, found.message) for found in PlanSchema(schema).check(payload).violations]


def test_a_payload_that_fits_breaks_nothing_and_fields_that_segment_adds_are_not_missed() -> None:
    result = PlanSchema(PLAN).check({"event": "x", "properties": GOOD})
    assert result.violations == ()
    assert result.problem is None


@pytest.mark.parametrize(
    ("changed", "path", "message"),
    [
        ({"surveyId": "7"}, "properties.surveyId", "not an integer"),
        ({"surveyName": "checkout"}, "properties.surveyName", "does not match ^[A-Z]"),
        ({"answer": 5}, "properties.answer", "not null or a string"),
        ({"answer": "too long"}, "properties.answer", "longer than 5 characters"),
        ({"kind": "NPS"}, "properties.kind", "not one of OPEN or RATING"),
        ({"createdAt": "yesterday"}, "properties.createdAt", "not of the format date-time"),
    ],
)
def test_a_violation_names_its_field_and_the_rule_but_not_the_value(
    changed: dict[str, Any], path: str, message: str
) -> None:
    assert broken(PLAN, {"properties": GOOD | changed}) == [(path, message)]


def test_a_missing_and_a_surplus_property_are_named() -> None:
    schema = {"properties": {"properties": {"required": ["email"], "properties": {}, "additionalProperties": False}}}
    assert broken(schema, {"properties": {"note": 1}}) == [
        ("properties.email", "missing; the plan requires it"),
        ("properties.note", "the plan does not have it"),
    ]


def test_references_within_the_schema_are_followed() -> None:
    schema = {"definitions": {"a/b": {"type": "string"}}, "properties": {"x": {"$ref": "#/definitions/a~1b"}}}
    assert broken(schema, {"x": 1}) == [("x", "not a string")]


def test_the_list_of_violations_has_an_end() -> None:
    schema = {"required": [f"p{number}" for number in range(1_000)]}
    assert len(PlanSchema(schema).check({}).violations) == MAX_VIOLATIONS


def doubling(levels: int) -> dict[str, Any]:
    """A schema that a validator would follow 2 to the power of `levels` times."""
    found: dict[str, Any] = {f"d{at}": {"allOf": [{"$ref": f"#/definitions/d{at + 1}"}] * 2} for at in range(levels)}
    return {"definitions": {**found, f"d{levels}": {"type": "string"}}, "$ref": "#/definitions/d0"}


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"properties": {"a": schema}}
    return schema


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        (doubling(14), SchemaProblem.TOO_LARGE),
        (doubling(60), SchemaProblem.TOO_DEEP),
        (nested(20_000), SchemaProblem.TOO_DEEP),
        ({"enum": list(range(50_000))}, SchemaProblem.TOO_LARGE),
        ({"$ref": "#"}, SchemaProblem.RECURSIVE),
        ({"allOf": [{"$ref": "#"}]}, SchemaProblem.RECURSIVE),
        ({"properties": {"a": {"$ref": "#"}}}, SchemaProblem.RECURSIVE),
        ({"$ref": "http://127.0.0.1:1/schema.json"}, SchemaProblem.FOREIGN_REFERENCE),
        ({"$ref": "file:///etc/passwd"}, SchemaProblem.FOREIGN_REFERENCE),
        ({"properties": {"a": {"$id": "http://x/"}, "b": {"$ref": "#/properties/a"}}}, SchemaProblem.FOREIGN_REFERENCE),
        ({"$ref": "#/definitions/none"}, SchemaProblem.NOT_A_SCHEMA),
        ({"allOf": [{"pattern": f"a{at}"} for at in range(1_000)]}, SchemaProblem.TOO_MANY_PATTERNS),
        ({"pattern": "(a{1000}){1000}"}, SchemaProblem.NOT_A_SCHEMA),
        ({"pattern": "("}, SchemaProblem.NOT_A_SCHEMA),
        ({"type": "strnig"}, SchemaProblem.NOT_A_SCHEMA),
        ("text", SchemaProblem.NOT_A_SCHEMA),
        (None, SchemaProblem.NOT_A_SCHEMA),
    ],
)
def test_a_hostile_schema_is_not_used_and_said_why(schema: Any, problem: SchemaProblem) -> None:
    result = PlanSchema(schema).check({"a": "text"})
    assert result.problem is problem
    assert result.violations == ()


@pytest.mark.parametrize("pattern", ["^(a+)+$", r"^(a+)+\1$", "^(?=(a+)+b)(a|aa)+$", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_a_catastrophic_pattern_comes_to_an_end(pattern: str) -> None:
    result = PlanSchema({"pattern": pattern}).check("a" * 30_000 + "!")
    assert result.violations or result.problem is SchemaProblem.PATTERN_LIMIT


@pytest.mark.parametrize("payload", [{"a": "\ud800"}, {"a": 10**500}, {"a": float("inf")}])
def test_a_payload_that_is_no_clean_json_raises_nothing(payload: Any) -> None:
    PlanSchema({"properties": {"a": {"type": "integer"}}}).check(payload)


def test_a_payload_nested_too_deeply_is_not_checked() -> None:
    payload: Any = 1
    for _ in range(5_000):
        payload = {"a": payload}
    assert PlanSchema({}).check(payload).problem is SchemaProblem.PAYLOAD_TOO_LARGE


def test_a_check_that_would_take_too_long_is_not_begun() -> None:
    schema = {"properties": {f"p{at}": {"type": "string"} for at in range(5_000)}}
    assert PlanSchema(schema).check([0] * 20_000).problem is SchemaProblem.PAYLOAD_TOO_LARGE


KEYWORDS = ["type", "properties", "items", "allOf", "not", "$ref", "enum", "pattern", "format", "required", "minimum"]
WORDS = [*KEYWORDS, "a", "b", "string", "#", "#/properties/a", "#/allOf/0", "date-time", "(a|b)*", "^a", "$id", "\\d+"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)


@given(schema=JSON, payload=JSON)
@settings(max_examples=150, deadline=None)
def test_no_schema_and_no_payload_raises(schema: Any, payload: Any) -> None:
    result = PlanSchema(schema).check(payload)
    assert len(result.violations) <= MAX_VIOLATIONS


def test_the_validator_is_imported_only_for_a_check() -> None:
    script = (
        "import sys; from sprig_tui.segment.plan_schema import PlanSchema; plan = PlanSchema({});"
        "assert 'jsonschema_rs' not in sys.modules; plan.check({}); assert 'jsonschema_rs' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
