"""Edit of one field: the record with another value for a field of its call."""

from __future__ import annotations

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
_JSON_FIELDS = frozenset({"response", "attributes", "surveyId", "oldVisitorId"})
"""Fields that may hold other JSON than a text."""
_MEMBERS = msgspec.json.Decoder(dict[str, Raw])


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
    """The record with another value for a field; an empty text leaves the field out. Raises InputError."""
    name = _SOURCES[path]
    members = _members(record)
    value = typed.strip()
    if not value:
        members.pop(name, None)
    else:
        json = _as_json(value) if name in _JSON_FIELDS else None
        members[name] = Raw(json if json is not None else msgspec.json.encode(typed))
    return read_edited(msgspec.json.encode(members), record.origin)


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
