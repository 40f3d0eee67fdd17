"""Edit of one field: the record with another value for a field of its call."""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw

from sprig_tui.console.payload.external_editor import flat_record, read_edited
from sprig_tui.errors import InputError
from sprig_tui.sprig.records import Record, StudyResponse
from sprig_tui.text import printable

MAX_VALUE_CHARS = 2_000
"""Longest value that is edited in one line."""
_EDIT_HINT = "e edits the whole record"
_SOURCES = {
    "userId": "userId",
    "timestamp": "respondedAt",
    "properties.surveyName": "surveyName",
    "properties.surveyId": "surveyId",
    "properties.createdAt": "surveyCreatedAt",
    "properties.question": "question",
    "properties.questionType": "questionType",
    "properties.visitorId": "visitorId",
    "properties.oldVisitorId": "oldVisitorId",
    "properties.responseGroupId": "responseGroupId",
    "properties.response": "response",
    "properties.email": "email",
    "properties.attributes": "attributes",
    "properties.triggeringEvent": "triggeringEvent",
}
"""Field of the flat record by path of the call."""
_ATTRIBUTES = {
    "userId": "user_id",
    "respondedAt": "answered_at",
    "surveyName": "survey_name",
    "surveyId": "survey_id",
    "surveyCreatedAt": "survey_created_at",
    "question": "question",
    "questionType": "question_type",
    "visitorId": "visitor_id",
    "oldVisitorId": "old_visitor_id",
    "responseGroupId": "response_group_id",
    "response": "response",
    "email": "email",
    "attributes": "attributes",
    "triggeringEvent": "triggering_event",
}
"""Attribute of a StudyResponse by field of the flat record."""
_JSON_FIELDS = frozenset({"response", "attributes", "surveyId", "oldVisitorId"})
"""Fields that may hold other JSON than a text."""
_MEMBERS = msgspec.json.Decoder(dict[str, Raw])
_STEP = re.compile(r"""\.?([^.\[\]"]+)|\["([^"]+)"\]""")
"""A step of a path such as `visitorSnapshot.attributes["!email"]`."""
_RESERVED_EMAIL = "!email"
"""Member of the attributes that is read as the field `email`."""


def field_value(record: Record | None, path: str) -> str:
    """The present value of a field as it is typed; empty where the record has none.

    Raises InputError for a field that is not read from the record, and a value that a line cannot show.
    """
    name = _SOURCES.get(path)
    if name is None:
        raise InputError(f"{path} is not read from the record", hint="the rules of the config make it")
    if not isinstance(record, StudyResponse):
        raise InputError("this record cannot be read field by field", hint=_EDIT_HINT)
    value = bytes(_members(record).get(name, Raw(b"")))
    text = value.decode(errors="replace")
    if value.startswith(b'"'):
        plain = msgspec.json.decode(value, type=str)
        # a text that would be read as JSON keeps its quotes
        text = plain if name not in _JSON_FIELDS or _as_json(plain) is None else text
    if len(text) > MAX_VALUE_CHARS or printable(text) != text:
        raise InputError(f"{path} is too long for one line, or has characters that it cannot show", hint=_EDIT_HINT)
    return text


def with_value(record: StudyResponse, path: str, typed: str) -> Record:
    """The record with another value for a field; an empty text leaves the field out. Raises InputError.

    It keeps the format in which it came, and all other members; a row of a CSV file, and a record whose format has no
    place for the field, become flat records.
    """
    name = _SOURCES[path]
    own = _own_path(record, _ATTRIBUTES[name])
    if own:
        return read_edited(_replaced(Raw(record.raw), own, name, typed), record.origin)
    return read_edited(_replaced(Raw(flat_record(record)), (name,), name, typed), record.origin)


def _own_path(record: StudyResponse, attribute: str) -> tuple[str, ...]:
    """The members that lead to an attribute in the record as it came; empty where it has no place of its own."""
    path = record.paths.get(attribute, "")
    if not path or record.origin.format == "csv":
        return ()
    if attribute == "old_visitor_id" and path == record.paths.get("visitor_id"):
        return ()
    return tuple(plain or quoted for plain, quoted in _STEP.findall(path))


def _replaced(document: Raw, path: tuple[str, ...], name: str, typed: str) -> bytes:
    """A JSON object with another value at a path; objects that are missing on the way are made."""
    try:
        members = _MEMBERS.decode(document) if bytes(document).strip() not in (b"", b"null") else {}
    except (ValueError, RecursionError) as error:
        raise InputError("this record cannot be edited field by field", hint=_EDIT_HINT) from error
    step, *rest = path
    before = members.get(step, Raw(b""))
    if rest:
        members[step] = Raw(_replaced(before, tuple(rest), name, typed))
    elif not typed.strip():
        members.pop(step, None)
    else:
        members[step] = Raw(_kept_email(before, _encoded(name, typed, before), name))
    return msgspec.json.encode(members)


def _encoded(name: str, typed: str, before: Raw) -> bytes:
    """The typed text as JSON where the field may hold other JSON, or held a number; else as a text."""
    takes_json = name in _JSON_FIELDS or bytes(before)[:1].isdigit()
    json = _as_json(typed.strip()) if takes_json else None
    return json if json is not None else msgspec.json.encode(typed)


def _kept_email(before: Raw, after: bytes, name: str) -> bytes:
    """Attributes with the email that is among them, but shown as a field of its own."""
    if name != "attributes":
        return after
    try:
        was, now = _MEMBERS.decode(before), _MEMBERS.decode(after)
    except (ValueError, RecursionError):
        return after
    return msgspec.json.encode({_RESERVED_EMAIL: was[_RESERVED_EMAIL], **now}) if _RESERVED_EMAIL in was else after


def _members(record: StudyResponse) -> dict[str, Raw]:
    try:
        return _MEMBERS.decode(flat_record(record))
    except (ValueError, RecursionError) as error:
        raise InputError("this record cannot be edited field by field", hint=_EDIT_HINT) from error


def _as_json(text: str) -> bytes | None:
    """The JSON of a text; None where it is none."""
    try:
        msgspec.json.decode(text)
    except (ValueError, RecursionError):
        return None
    return text.encode()
