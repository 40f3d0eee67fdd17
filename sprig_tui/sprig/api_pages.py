"""Pages of Sprig's REST API taken apart: `{"cursor": ..., "data": [...]}`, whatever is wrong with one; pure."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from msgspec import DecodeError, Raw, Struct

from sprig_tui.sprig.documents import DEFAULT_MAX_RECORD_BYTES, RawRecord, split_document
from sprig_tui.sprig.faults import invalid_record, malformed_reason, unreadable_reason
from sprig_tui.sprig.recognise import parse_document, parse_raw_record
from sprig_tui.sprig.records import Origin, Record, StudyResponse
from sprig_tui.sprig.verbatim import decode_text, json_type_name, object_members

ORIGIN_NAME = "api"
MAX_CURSOR_CHARS = 4_096
"""Characters; it has to fit into an address. Sprig's have some 30."""

_item_decoder = msgspec.json.Decoder(list[Raw])


class ResponsePage(NamedTuple):
    """A page of `GET /v1/responses`."""

    records: list[Record]
    """Every record of it, bad ones as what is withheld; for a page that is none, that page."""
    cursor: str = ""
    """For the next page; empty after the last."""
    fault: str = ""
    """Why the page is not what the specification says, so that no next page can be asked for."""


class ListedSurvey(Struct, frozen=True, rename="camel", gc=False):
    """What `GET /v1/surveys` tells of a survey, as far as answers need it."""

    id: int | str
    name: str | None = None
    created_at: str | None = None


class SurveyPage(NamedTuple):
    """A page of `GET /v1/surveys`."""

    surveys: list[ListedSurvey]
    cursor: str = ""
    fault: str = ""
    """As in `ResponsePage`."""
    unreadable: int = 0
    """Entries that are no surveys."""


class _Envelope(NamedTuple):
    items: list[Raw]
    cursor: str = ""
    fault: str = ""


def parse_response_page(body: bytes) -> ResponsePage:
    """The records of a page; nothing is raised. Where the page is broken, whole records in it are read all the same."""
    items, cursor, fault = _parse_envelope(body)
    records: list[Record] = [_parse_record(bytes(item), index) for index, item in enumerate(items)]
    if fault:
        records = records or _salvage_responses(body)
        records.append(invalid_record(body, Origin(ORIGIN_NAME), f"not a page of responses: {fault}"))
    return ResponsePage(records, cursor, fault)


def parse_survey_page(body: bytes) -> SurveyPage:
    """The surveys of a page; nothing is raised."""
    items, cursor, fault = _parse_envelope(body)
    surveys: list[ListedSurvey] = []
    for item in items:
        try:
            surveys.append(msgspec.json.decode(item, type=ListedSurvey))
        except (DecodeError, UnicodeDecodeError, RecursionError):
            continue
    return SurveyPage(surveys, cursor, fault, len(items) - len(surveys))


def _parse_envelope(body: bytes) -> _Envelope:
    """The list and the cursor."""
    if body.lstrip()[:1] == b"<":
        return _Envelope([], "", "it is HTML, as sign-in and error pages are")
    try:
        fields = object_members(body)
        items = _item_decoder.decode(fields["data"])
    except KeyError:
        return _Envelope([], "", "it has no data")
    except msgspec.ValidationError:
        return _Envelope([], "", _wrong_type_text(body))
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        said = malformed_reason(body, error) if isinstance(error, DecodeError) else "not valid JSON"
        return _Envelope([], "", unreadable_reason(body) or said)
    return _Envelope(items, *_parse_cursor(fields.get("cursor")))


def _parse_cursor(raw: Raw | None) -> tuple[str, str]:
    """The cursor, or what is wrong with it; null, missing and empty all mean the last page."""
    if raw is None or bytes(raw) == b"null":
        return "", ""
    cursor = decode_text(raw)
    if cursor is None:
        return "", f"cursor: expected text or null, got {json_type_name(bytes(raw))}"
    if len(cursor) > MAX_CURSOR_CHARS:
        return "", f"cursor: {len(cursor):,} characters"
    return cursor, ""


def _wrong_type_text(body: bytes) -> str:
    try:
        data = object_members(body)["data"]
    except msgspec.ValidationError:
        return f"expected an object, got {json_type_name(body.strip())}"
    return f"data: expected a list, got {json_type_name(bytes(data))}"


def _parse_record(raw: bytes, index: int) -> Record:
    path = f"data[{index}]"
    if len(raw) > DEFAULT_MAX_RECORD_BYTES:
        origin = Origin(ORIGIN_NAME, "rest", 0, path)
        return next(iter(parse_document(raw, origin)), None) or invalid_record(raw, origin, "too large")
    return parse_raw_record(RawRecord(raw, 0, path), ORIGIN_NAME, 0)


def _salvage_responses(body: bytes) -> list[Record]:
    """Answers that can be read in a page that cannot, such as one that is cut off."""
    pieces = (piece for piece in split_document(body) if piece.path and not piece.fault)
    found = (parse_raw_record(RawRecord(piece.raw, 0, piece.path), ORIGIN_NAME, 0) for piece in pieces)
    return [record for record in found if isinstance(record, StudyResponse)]
