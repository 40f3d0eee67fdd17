"""The table of `properties`, in the order of Sprig's page: what each field is made of, and what there is to say of it.

Sending makes `Properties` alone; showing makes the same, and says something of each of its fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from msgspec import UNSET, Raw, Struct

from sprig_tui.mapping.field_rules import Value, is_object
from sprig_tui.mapping.records import Level, Rules, Survey
from sprig_tui.segment.timestamps import parse_instant
from sprig_tui.sprig.records import StudyResponse

_TEXT, _NUMBER, _OBJECT, _LIST, _BOOLEAN = "a text", "a number", "an object", "a list", "true or false"

_SHAPES_BY_TYPE: dict[str, tuple[str, ...]] = {
    "LIKERT": (_NUMBER,),
    "NPS": (_NUMBER,),
    "OPEN": (_TEXT,),
    "MULTIPLECHOICE": (_TEXT,),
    "MULTIPLESELECT": (_LIST, _TEXT),
    "MATRIX": (_OBJECT,),
    "RANKORDER": (_OBJECT,),
    "MAXDIFF": (_LIST,),
    "CONSENTLEGAL": (_OBJECT,),
    "TEXTURLPROMPT": (_OBJECT,),
    "VIDEOVOICE": (_OBJECT,),
    "RECORDEDTASK": (_OBJECT, _TEXT),
}
"""JSON shapes by question type, null aside: it stands for a skipped question of any type."""


def is_documented(question_type: str) -> bool:
    """Whether Sprig's documentation names this type; others are passed through, since the list is open."""
    return question_type in _SHAPES_BY_TYPE


def shape_note(question_type: str, answer: Raw) -> str:
    """What is unusual about the answer's shape for its type; empty when nothing is, or the type is not documented."""
    shape = _json_shape(bytes(answer).lstrip()[:1])
    expected = _SHAPES_BY_TYPE.get(question_type, ())
    if not shape or not expected or shape in expected:
        return ""
    return f"{shape}, where {question_type} has {' or '.join(expected)}"


def _json_shape(first: bytes) -> str:
    """The shape that a JSON value's first byte tells; empty for null."""
    return {b'"': _TEXT, b"{": _OBJECT, b"[": _LIST, b"t": _BOOLEAN, b"f": _BOOLEAN, b"n": ""}.get(first, _NUMBER)


_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_NO_SURVEY = Survey()


class Said(Struct, frozen=True, gc=False):
    """What the inspector says of a field."""

    note: str = ""
    level: Level = "ok"
    origin: str = ""
    """Where the value came from, when it is not the record."""


_NOTHING = Said()


class PropertySpec(Struct, frozen=True):
    """What there is to say of one field of `Properties`."""

    path: str
    attribute: str
    """The StudyResponse attribute it is made of."""
    said: Callable[[StudyResponse, Value], Said]


class Properties(Struct, frozen=True, rename="camel", gc=False):
    """The `properties` object of a call: UNSET leaves a field out, None sends null."""

    survey_name: Any
    survey_id: Any
    created_at: Any
    question: Any
    question_type: Any
    visitor_id: Any
    old_visitor_id: Any
    response_group_id: Any
    response: Any
    email: Any
    attributes: Any
    triggering_event: Any


PROPERTY_PATHS = tuple(f"properties.{name}" for name in Properties.__struct_encode_fields__)
"""Every property's path, in the table's order."""


def property_maker(rules: Rules) -> Callable[[StudyResponse], Properties]:
    """What makes the properties of a response under these rules, before anything is left out or hashed.

    It stands before every answer that is delivered: one plain function, by position, and without a note.
    """
    catalogue, by_answer = rules.surveys, rules.created_at == "response"

    def properties(response: StudyResponse) -> Properties:
        known = catalogue.get(str(response.survey_id), _NO_SURVEY) if catalogue else _NO_SURVEY
        created: Any
        if by_answer:
            created = _answered_at(response)
        else:
            created = response.survey_created_at or known.created_at or UNSET
            if created is not UNSET and created.isdigit():
                instant = parse_instant(created)
                created = created if instant is None else instant.text
        return Properties(
            response.survey_name or known.name or UNSET,
            UNSET if response.survey_id is None or response.survey_id == "" else response.survey_id,
            created,
            response.question,
            response.question_type,
            response.visitor_id or UNSET,
            # zero is Sprig's placeholder for none (facts/sprig.md 8.2)
            UNSET if response.old_visitor_id in {None, 0, "", "0"} else response.old_visitor_id,
            response.response_group_id,
            response.response,
            response.email or UNSET,
            response.attributes,
            response.triggering_event,
        )

    return properties


def property_specs(rules: Rules) -> tuple[PropertySpec, ...]:
    """One row per property, in the same order."""
    by_answer = rules.created_at == "response"
    return (
        PropertySpec(PROPERTY_PATHS[0], "survey_name", _say_survey_name),
        PropertySpec(PROPERTY_PATHS[1], "survey_id", _say_survey_id),
        PropertySpec(
            PROPERTY_PATHS[2],
            *(("answered_at", _say_answered_at) if by_answer else ("survey_created_at", _say_created_at)),
        ),
        PropertySpec(PROPERTY_PATHS[3], "question", _say_question),
        PropertySpec(PROPERTY_PATHS[4], "question_type", _say_question_type),
        PropertySpec(PROPERTY_PATHS[5], "visitor_id", _say_visitor_id),
        PropertySpec(PROPERTY_PATHS[6], "old_visitor_id", _say_old_visitor_id),
        PropertySpec(PROPERTY_PATHS[7], "response_group_id", _say_nothing),
        PropertySpec(PROPERTY_PATHS[8], "response", _say_response),
        PropertySpec(PROPERTY_PATHS[9], "email", _say_email),
        PropertySpec(PROPERTY_PATHS[10], "attributes", _say_attributes),
        PropertySpec(PROPERTY_PATHS[11], "triggering_event", _say_triggering_event),
    )


def _say_nothing(_response: StudyResponse, _value: Value) -> Said:
    return _NOTHING


def _say_survey_name(response: StudyResponse, value: Value) -> Said:
    if value is UNSET:
        return Said("survey unknown: its name is neither in the record nor in the catalogue", "warning")
    return _NOTHING if response.survey_name else Said(origin="catalogue")


def _say_survey_id(_response: StudyResponse, value: Value) -> Said:
    if value is UNSET:
        return Said("the record names no survey", "warning")
    # Sprig's table promises a UUID while all of its APIs give a number (facts/sprig.md 8.1): no cause for alarm.
    return _NOTHING if isinstance(value, str) and _UUID.fullmatch(value) else Said("not a UUID; sent as Sprig gives it")


def _say_created_at(response: StudyResponse, value: Value) -> Said:
    if value is UNSET:
        return Said("survey unknown: when it was created is neither in the record nor in the catalogue", "warning")
    origin = "" if response.survey_created_at else "catalogue"
    instant = parse_instant(value) if isinstance(value, str) else None
    if instant is None or instant.text != value:
        return Said("not an ISO-8601 time", "warning", origin)
    written = response.survey_created_at or ""
    return Said(f"{written} taken as time since 1970" if written.isdigit() else "", origin=origin)


def _answered_at(response: StudyResponse) -> Value:
    instant = parse_instant(response.answered_at or "")
    return UNSET if instant is None else instant.text


def _say_answered_at(_response: StudyResponse, value: Value) -> Said:
    if value is UNSET:
        return Said("the record has no time of the answer", "warning")
    return Said("the answer's time, as the rules ask; Sprig's table has the survey's creation here")


def _say_question(_response: StudyResponse, value: Value) -> Said:
    return _NOTHING if str(value).strip() else Said("the question has no text", "warning")


def _say_question_type(_response: StudyResponse, value: Value) -> Said:
    kind = str(value)
    if not kind.strip():
        return Said("the record does not name the type", "warning")
    return _NOTHING if is_documented(kind) else Said("not a type Sprig documents; sent as it is", "warning")


def _say_visitor_id(response: StudyResponse, value: Value) -> Said:
    if value is UNSET:
        return Said("only the deprecated numeric id is known" if response.old_visitor_id else "not in the record")
    return _NOTHING if _UUID.fullmatch(str(value)) else Said("not a UUID", "warning")


def _say_old_visitor_id(response: StudyResponse, value: Value) -> Said:
    if value is UNSET:
        return Said("0 stands for none" if response.old_visitor_id in {0, "0"} else "not in the record")
    return Said("deprecated by Sprig")


def _say_response(response: StudyResponse, value: Value) -> Said:
    if not isinstance(value, Raw):
        return _NOTHING
    if bytes(value).strip() == b"null":
        return Said("null: skipped, or a question without an answer")
    note = shape_note(response.question_type, value)
    return Said(note, "warning") if note else _NOTHING


def _say_email(_response: StudyResponse, value: Value) -> Said:
    if value is UNSET:
        return Said("not in the record")
    return _NOTHING if "@" in str(value).strip("@") else Said("does not look like an address", "warning")


def _say_attributes(_response: StudyResponse, value: Value) -> Said:
    if value is UNSET:
        return Said("not in the record")
    if isinstance(value, Raw) and not is_object(value):
        return Said("not an object", "warning")
    return _NOTHING


def _say_triggering_event(_response: StudyResponse, value: Value) -> Said:
    if value is UNSET:
        return Said("not in the record")
    return Said("null: nothing triggered it") if value is None else _NOTHING
