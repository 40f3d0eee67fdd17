"""Notes on the fields of a track call: from a field's value, from the reading of its record, and from the rules.

The notes that come from Segment's limits are lints (`segment/lints.py`); `trace` joins both.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from msgspec import UNSET, Raw, Struct

from sprig_tui.mapping.properties import PROPERTY_PATHS
from sprig_tui.mapping.records import Level, Rules, Value
from sprig_tui.mapping.rules import subpaths
from sprig_tui.segment.timestamps import parse_instant
from sprig_tui.sprig.records import Note, StudyResponse, note_text

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
"""JSON shapes by question type. Null is valid for every type: the question was skipped."""


def is_documented(question_type: str) -> bool:
    """Whether Sprig documents this type; others are sent too, since the list is open."""
    return question_type in _SHAPES_BY_TYPE


def shape_note(question_type: str, answer: Raw) -> str:
    """Note on a JSON shape that the question type does not have; empty for an undocumented type."""
    shape = _json_shape(bytes(answer).lstrip()[:1])
    expected = _SHAPES_BY_TYPE.get(question_type, ())
    if not shape or not expected or shape in expected:
        return ""
    return f"{shape}, where {question_type} has {' or '.join(expected)}"


def _json_shape(first: bytes) -> str:
    """The shape of a JSON value by its first byte; empty for null."""
    return {b'"': _TEXT, b"{": _OBJECT, b"[": _LIST, b"t": _BOOLEAN, b"f": _BOOLEAN, b"n": ""}.get(first, _NUMBER)


_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


class FieldNote(Struct, frozen=True, gc=False):
    """A note on one field."""

    text: str = ""
    level: Level = "ok"
    origin: str = ""
    """Source of the value where it is not the record, such as `catalogue`."""


_NO_NOTE = FieldNote()


class PropertySpec(Struct, frozen=True):
    """One field of `Properties`: its path, its source and its note."""

    path: str
    attribute: str
    """The StudyResponse attribute that the value comes from."""
    note: Callable[[StudyResponse, Value], FieldNote]


def property_specs(rules: Rules) -> tuple[PropertySpec, ...]:
    """One spec per property, in the order of `Properties`."""
    by_answer = rules.created_at == "response"
    return (
        PropertySpec(PROPERTY_PATHS[0], "survey_name", _note_survey_name),
        PropertySpec(PROPERTY_PATHS[1], "survey_id", _note_survey_id),
        PropertySpec(
            PROPERTY_PATHS[2],
            *(("answered_at", _note_answered_at) if by_answer else ("survey_created_at", _note_created_at)),
        ),
        PropertySpec(PROPERTY_PATHS[3], "question", _note_question),
        PropertySpec(PROPERTY_PATHS[4], "question_type", _note_question_type),
        PropertySpec(PROPERTY_PATHS[5], "visitor_id", _note_visitor_id),
        PropertySpec(PROPERTY_PATHS[6], "old_visitor_id", _note_old_visitor_id),
        PropertySpec(PROPERTY_PATHS[7], "response_group_id", _no_note),
        PropertySpec(PROPERTY_PATHS[8], "response", _note_response),
        PropertySpec(PROPERTY_PATHS[9], "email", _note_email),
        PropertySpec(PROPERTY_PATHS[10], "attributes", _note_attributes),
        PropertySpec(PROPERTY_PATHS[11], "triggering_event", _note_triggering_event),
    )


def _no_note(_response: StudyResponse, _value: Value) -> FieldNote:
    return _NO_NOTE


def _note_survey_name(response: StudyResponse, value: Value) -> FieldNote:
    if value is UNSET:
        return FieldNote("survey unknown: its name is neither in the record nor in the catalogue", "warning")
    return _NO_NOTE if response.survey_name else FieldNote(origin="catalogue")


def _note_survey_id(_response: StudyResponse, value: Value) -> FieldNote:
    if value is UNSET:
        return FieldNote("the record names no survey", "warning")
    # Sprig's table promises a UUID while all of its APIs give a number (facts/sprig.md 8.1), so this is no warning.
    return (
        _NO_NOTE
        if isinstance(value, str) and _UUID.fullmatch(value)
        else FieldNote("not a UUID; sent as Sprig gives it")
    )


def _note_created_at(response: StudyResponse, value: Value) -> FieldNote:
    if value is UNSET:
        return FieldNote("survey unknown: when it was created is neither in the record nor in the catalogue", "warning")
    origin = "" if response.survey_created_at else "catalogue"
    instant = parse_instant(value) if isinstance(value, str) else None
    if instant is None or instant.text != value:
        return FieldNote("not an ISO-8601 time", "warning", origin)
    written = response.survey_created_at or ""
    return FieldNote(f"{written} taken as time since 1970" if written.isdigit() else "", origin=origin)


def _note_answered_at(_response: StudyResponse, value: Value) -> FieldNote:
    if value is UNSET:
        return FieldNote("the record has no time of the answer", "warning")
    return FieldNote("the answer's time, as the rules ask; Sprig's table has the survey's creation here")


def _note_question(_response: StudyResponse, value: Value) -> FieldNote:
    return _NO_NOTE if str(value).strip() else FieldNote("the question has no text", "warning")


def _note_question_type(_response: StudyResponse, value: Value) -> FieldNote:
    kind = str(value)
    if not kind.strip():
        return FieldNote("the record does not name the type", "warning")
    return _NO_NOTE if is_documented(kind) else FieldNote("not a type Sprig documents; sent as it is", "warning")


def _note_visitor_id(response: StudyResponse, value: Value) -> FieldNote:
    if value is UNSET:
        return FieldNote("only the deprecated numeric id is known" if response.old_visitor_id else "not in the record")
    return _NO_NOTE if _UUID.fullmatch(str(value)) else FieldNote("not a UUID", "warning")


def _note_old_visitor_id(response: StudyResponse, value: Value) -> FieldNote:
    if value is UNSET:
        return FieldNote("0 stands for none" if response.old_visitor_id in {0, "0"} else "not in the record")
    return FieldNote("deprecated by Sprig")


def _note_response(response: StudyResponse, value: Value) -> FieldNote:
    if not isinstance(value, Raw):
        return _NO_NOTE
    if bytes(value).strip() == b"null":
        return FieldNote("null: skipped, or a question without an answer")
    note = shape_note(response.question_type, value)
    return FieldNote(note, "warning") if note else _NO_NOTE


def _note_email(_response: StudyResponse, value: Value) -> FieldNote:
    if value is UNSET:
        return FieldNote("not in the record")
    return _NO_NOTE if "@" in str(value).strip("@") else FieldNote("does not look like an address", "warning")


def _note_attributes(_response: StudyResponse, value: Value) -> FieldNote:
    if value is UNSET:
        return FieldNote("not in the record")
    if isinstance(value, Raw) and bytes(value).lstrip()[:1] != b"{":
        return FieldNote("not an object", "warning")
    return _NO_NOTE


def _note_triggering_event(_response: StudyResponse, value: Value) -> FieldNote:
    if value is UNSET:
        return FieldNote("not in the record")
    return FieldNote("null: nothing triggered it") if value is None else _NO_NOTE


_NOTED_FIELDS = {
    Note.TYPE_INFERRED: "properties.questionType",
    Note.TYPE_NOT_NAMED: "properties.questionType",
    Note.ODD_VISITOR: "properties.visitorId",
}
"""Field of each note; the other notes are about the whole record."""


def reading_notes(response: StudyResponse) -> dict[str, list[str]]:
    """Notes from reading the record, by field; those on the whole record are under `type`."""
    notes: dict[str, list[str]] = {"type": [], "properties.questionType": [], "properties.visitorId": []}
    for note in response.notes:
        notes[_NOTED_FIELDS.get(note, "type")].append(note_text(note))
    return notes


def rule_notes(spec: PropertySpec, value: Value, plain: Value, rules: Rules) -> Iterator[str]:
    """Notes on what the rules did to the value."""
    if spec.path in rules.hash:
        if value is not UNSET and value is not None:
            yield "sha256 of its trimmed lower-case text, as the rules ask"
    elif spec.path in rules.hmac:
        if value is not UNSET and value is not None:
            yield "HMAC-SHA256 of its trimmed lower-case text with mapping.hmac_key, as the rules ask"
    elif value is not plain and isinstance(value, Raw):
        if left_out := subpaths(rules.omit, spec.path):
            yield f"left out, as the rules ask: {', '.join(left_out)}"
        if hashed := subpaths(rules.hash, spec.path):
            yield f"hashed, as the rules ask: {', '.join(hashed)}"
        if keyed := subpaths(rules.hmac, spec.path):
            yield f"hashed with mapping.hmac_key, as the rules ask: {', '.join(keyed)}"
