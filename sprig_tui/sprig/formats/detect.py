"""Format of one JSON record, detected by its fields, and diagnosis of records of no format.

The format of a whole file (JSON, JSON Lines or CSV) is detected by `sprig.reader`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
from msgspec import DecodeError, Raw, ValidationError

from sprig_tui.reasons import Reason
from sprig_tui.sprig.formats import flat, rest, webhook
from sprig_tui.sprig.json_stream import DEFAULT_MAX_RECORD_BYTES, RawRecord, split_document
from sprig_tui.sprig.missing_fields import missing_fields
from sprig_tui.sprig.raw_json import BadFieldError, decode_text, json_type_name, object_members
from sprig_tui.sprig.records import Note, Origin, Record, StudyResponse
from sprig_tui.sprig.unsendable import (
    describe_field_fault,
    invalid_record,
    join_path,
    malformed_reason,
    quote_excerpt,
    unreadable_reason,
    unsendable_record,
)

_WEBHOOK_FIELDS = frozenset({"responseGroupUid", "question", "questionType", "response"})
_REST_ONLY_FIELDS = frozenset(
    {"visitorUuid", "externalUserId", "visitorSnapshot", "visitorSnapshots", "partnerAnonymousId"}
)
_MARK_FIRST_BYTES = frozenset({b"\xef", b"\x1e"})
_LEADING_MARKS = {
    b"\xef\xbb\xbf": Note.BYTE_ORDER_MARK,
    b"\x1e": Note.RECORD_SEPARATOR,
}
_READERS: dict[str, Callable[[bytes, Origin], StudyResponse]] = {
    "webhook": webhook.read_answer,
    "rest": rest.read_record,
    "flat": flat.read_record,
}


def parse_document(raw: bytes, origin: Origin, *, max_record_bytes: int = DEFAULT_MAX_RECORD_BYTES) -> Iterator[Record]:
    """Records of one document in memory: a webhook body, a REST record or page, a flat record, or a list of them.

    `origin.name` and `origin.line` (0 for none) are those of the document. Blank input yields nothing. Never raises.
    """
    base = max(origin.line, 1)
    if raw[:1] in _MARK_FIRST_BYTES:
        raw, note = _strip_mark(raw)
        if note:
            yield from (
                _with_note(record, note) for record in parse_document(raw, origin, max_record_bytes=max_record_bytes)
            )
            return
    if len(raw) <= max_record_bytes:
        response = try_parse_record(raw, origin.name, origin.line, origin.path)
        if response is not None:
            yield response
            return
    for raw_record in split_document(raw, max_record_bytes):
        line = base + raw_record.line - 1 if origin.line else 0
        yield parse_raw_record(raw_record, origin.name, line, origin.path)


def _strip_mark(raw: bytes) -> tuple[bytes, Note | None]:
    """The document without a leading byte-order mark or record separator, and a note about it."""
    for mark, note in _LEADING_MARKS.items():
        if raw.startswith(mark):
            return raw.lstrip(mark) if len(mark) == 1 else raw.removeprefix(mark), note
    return raw, None


def _with_note(record: Record, note: Note) -> Record:
    return msgspec.structs.replace(record, notes=(*record.notes, note)) if isinstance(record, StudyResponse) else record


def try_parse_record(raw: bytes, name: str, line: int, path: str = "") -> StudyResponse | None:
    """The record if it is a valid response, otherwise None. Nearly all records take this fast path."""
    try:
        if not raw.isascii():
            raw.decode()  # msgspec does not check the strings that it skips
        if raw.find(b'"eventType"') >= 0:  # `in` takes twice as long
            return webhook.read_answer(raw, Origin(name, "webhook", line, path))
        if raw.find(b'"questionText"') >= 0:
            return rest.read_record(raw, Origin(name, "rest", line, path))
        return flat.read_record(raw, Origin(name, "flat", line, path))
    except (DecodeError, BadFieldError, UnicodeDecodeError, RecursionError):
        return None


def parse_raw_record(raw_record: RawRecord, name: str, line: int, place: str = "") -> Record:
    """The record of these bytes, with a diagnosis if it is invalid."""
    path = join_path(place, raw_record.path)
    if raw_record.fault:
        return invalid_record(raw_record.raw, Origin(name, "", line, path), raw_record.fault)
    return try_parse_record(raw_record.raw, name, line, path) or parse_with_diagnosis(
        raw_record.raw, Origin(name, "", line, path)
    )


def parse_with_diagnosis(raw: bytes, origin: Origin) -> Record:
    """The record, or an Unsendable that names the field at fault; slow."""
    if problem := unreadable_reason(raw):
        return invalid_record(raw, origin, problem)
    try:
        fields = object_members(raw)
    except ValidationError:
        return invalid_record(raw, origin, f"expected a JSON object, got {json_type_name(raw)}")
    except DecodeError as error:
        return invalid_record(raw, origin, malformed_reason(raw, error))
    return _parse_by_format(raw, origin, fields)


def _parse_by_format(raw: bytes, origin: Origin, fields: dict[str, Raw]) -> Record:
    form = _detect_record_format(fields)
    origin = Origin(origin.name, form, origin.line, origin.path)
    if form == "webhook" and not _is_absent(fields, "eventType"):
        return _parse_webhook(raw, origin, fields)
    if form == "rest" and "theme" in fields:
        return unsendable_record(raw, origin, Reason.NOT_AN_ANSWER, "a theme record is not an answer", fields=fields)
    if form:
        return _parse_or_explain(_READERS[form], raw, origin, fields)
    path, detail = missing_fields("", fields)
    if detail:
        return invalid_record(
            raw, origin, f"not a record of Sprig's: {path}{' ' if path else ''}{detail}", fields=fields
        )
    detail = "not a record of Sprig's: it has none of eventType, questionText, question, responseGroupUid"
    return invalid_record(raw, origin, detail, fields=fields)


def _detect_record_format(fields: dict[str, Raw]) -> str:
    """The format of a record with these fields; empty if none matches."""
    if not _is_absent(fields, "eventType"):
        return "webhook"
    if "questionText" in fields or (fields.keys() & _REST_ONLY_FIELDS and "question" not in fields):
        return "rest"
    if fields.keys() & flat.FLAT_ONLY_FIELDS:
        return "flat"
    return "webhook" if "question" in fields or "responseGroupUid" in fields else ""


def _is_absent(fields: dict[str, Raw], name: str) -> bool:
    """Whether a field is missing or null."""
    return name not in fields or bytes(fields[name]) == b"null"


def _parse_webhook(raw: bytes, origin: Origin, fields: dict[str, Raw]) -> Record:
    """The record of a webhook body, by its event type."""
    event = decode_text(fields["eventType"])
    if event is None:
        return invalid_record(
            raw, origin, f"expected text, got {json_type_name(bytes(fields['eventType']))}", "eventType", fields
        )
    kind = webhook.event_kind(event)
    if kind == "test":
        return unsendable_record(raw, origin, Reason.TEST_WEBHOOK, "sent by sprig's test webhook button", fields=fields)
    if kind == "answer" or (kind == "unknown" and fields.keys() >= _WEBHOOK_FIELDS):
        return _parse_or_explain(webhook.read_answer, raw, origin, fields)
    what = webhook.OTHER_EVENTS.get(webhook.event_key(event)) or f"eventType {quote_excerpt(event)}"
    return unsendable_record(raw, origin, Reason.NOT_AN_ANSWER, f"{what} is not an answer", fields=fields)


def _parse_or_explain(
    read: Callable[[bytes, Origin], StudyResponse], raw: bytes, origin: Origin, fields: dict[str, Raw]
) -> Record:
    try:
        return read(raw, origin)
    except (ValidationError, BadFieldError) as error:
        path, detail = missing_fields(origin.format, fields)
        if not detail and isinstance(error, ValidationError):
            path, detail = describe_field_fault(error)
        elif not detail and isinstance(error, BadFieldError):
            path, detail = error.path, error.detail
        return invalid_record(raw, origin, detail, path, fields)
    except DecodeError as error:
        return invalid_record(raw, origin, malformed_reason(raw, error), fields=fields)
