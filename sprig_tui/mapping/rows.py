"""The table of `properties`: for each field what it is made of, and what there is to say about it.

One row per field, in the order of Sprig's page; sending and showing both read the same rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct

from sprig_tui.mapping.answers import is_documented, shape_note
from sprig_tui.mapping.foreign import Value, is_object
from sprig_tui.mapping.records import Level, Rules, Survey
from sprig_tui.segment.timestamps import read_instant
from sprig_tui.sprig.records import StudyResponse

_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_NO_SURVEY = Survey()


class Said(Struct, frozen=True, gc=False):
    """What the inspector says of a field."""

    note: str = ""
    level: Level = "ok"
    origin: str = ""
    """Where the value came from, when it is not the record."""


_NOTHING = Said()


class Row(Struct, frozen=True):
    """One field of the call that is made of the response."""

    path: str
    attribute: str
    """The StudyResponse attribute it is made of."""
    value: Callable[[StudyResponse], Any]
    """Its value: UNSET leaves it out, None sends null. On the hot path: cheap, and without a note."""
    said: Callable[[StudyResponse, Value], Said]


def property_rows(rules: Rules) -> tuple[Row, ...]:
    """The rows under these rules, before anything is left out or hashed."""
    catalogue = rules.surveys
    created = _created_rows(catalogue)[rules.created_at]
    return (
        Row("properties.surveyName", "survey_name", _survey_name(catalogue), _say_survey_name),
        Row("properties.surveyId", "survey_id", _survey_id, _say_survey_id),
        created,
        Row("properties.question", "question", lambda r: r.question, _say_question),
        Row("properties.questionType", "question_type", lambda r: r.question_type, _say_question_type),
        Row("properties.visitorId", "visitor_id", lambda r: r.visitor_id or UNSET, _say_visitor_id),
        Row("properties.oldVisitorId", "old_visitor_id", _old_visitor_id, _say_old_visitor_id),
        Row("properties.responseGroupId", "response_group_id", lambda r: r.response_group_id, _say_nothing),
        Row("properties.response", "response", lambda r: r.response, _say_response),
        Row("properties.email", "email", lambda r: r.email or UNSET, _say_email),
        Row("properties.attributes", "attributes", lambda r: r.attributes, _say_attributes),
        Row("properties.triggeringEvent", "triggering_event", lambda r: r.triggering_event, _say_triggering_event),
    )


def _say_nothing(_response: StudyResponse, _value: Value) -> Said:
    return _NOTHING


def _known(catalogue: dict[str, Survey], response: StudyResponse) -> Survey:
    return catalogue.get(str(response.survey_id), _NO_SURVEY)


def _survey_name(catalogue: dict[str, Survey]) -> Callable[[StudyResponse], Value]:
    if not catalogue:
        return lambda r: r.survey_name or UNSET
    return lambda r: r.survey_name or _known(catalogue, r).name or UNSET


def _say_survey_name(response: StudyResponse, value: Value) -> Said:
    if value is UNSET:
        return Said("survey unknown: its name is neither in the record nor in the catalogue", "warning")
    return _NOTHING if response.survey_name else Said(origin="catalogue")


def _survey_id(response: StudyResponse) -> Value:
    return UNSET if response.survey_id is None or response.survey_id == "" else response.survey_id


def _say_survey_id(_response: StudyResponse, value: Value) -> Said:
    if value is UNSET:
        return Said("the record names no survey", "warning")
    # Sprig's table promises a UUID while all of its APIs give a number (facts/sprig.md 8.1): no cause for alarm.
    return _NOTHING if isinstance(value, str) and _UUID.fullmatch(value) else Said("not a UUID; sent as Sprig gives it")


def _created_rows(catalogue: dict[str, Survey]) -> dict[str, Row]:
    path = "properties.createdAt"
    if catalogue:
        survey = Row(
            path,
            "survey_created_at",
            lambda r: r.survey_created_at or _known(catalogue, r).created_at or UNSET,
            _say_created_at,
        )
    else:
        survey = Row(path, "survey_created_at", lambda r: r.survey_created_at or UNSET, _say_created_at)
    return {"survey": survey, "response": Row(path, "answered_at", _answered_at, _say_answered_at)}


def _say_created_at(response: StudyResponse, value: Value) -> Said:
    if value is UNSET:
        return Said("survey unknown: when it was created is neither in the record nor in the catalogue", "warning")
    origin = "" if response.survey_created_at else "catalogue"
    instant = read_instant(value) if isinstance(value, str) else None
    if instant is None or instant.text != value:
        return Said("not an ISO-8601 time", "warning", origin)
    return Said(origin=origin)


def _answered_at(response: StudyResponse) -> Value:
    instant = read_instant(response.answered_at or "")
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


def _old_visitor_id(response: StudyResponse) -> Value:
    # Zero is Sprig's placeholder for none (facts/sprig.md 8.2).
    return UNSET if response.old_visitor_id in {None, 0, "", "0"} else response.old_visitor_id


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


PATHS = tuple(row.path for row in property_rows(Rules()))
"""Every property's path, in the table's order."""

Properties = msgspec.defstruct(
    "Properties",
    [(path.removeprefix("properties."), Any) for path in PATHS],
    frozen=True,
    gc=False,
)
"""The `properties` object; positional, in the order of PATHS."""
