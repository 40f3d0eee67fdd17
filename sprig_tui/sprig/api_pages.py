"""Pages of Sprig's REST API taken apart: `{"cursor": ..., "data": [...]}`, whatever is wrong with one; pure."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from msgspec import DecodeError, Raw, Struct

from sprig_tui.sprig.documents import DEFAULT_MAX_RECORD_BYTES, Piece, split_document
from sprig_tui.sprig.faults import invalid, malformed, unreadable
from sprig_tui.sprig.recognise import parse_document, read_piece
from sprig_tui.sprig.records import Origin, Record, StudyResponse
from sprig_tui.sprig.verbatim import kind_of, members, text_of

ORIGIN = "api"
LONGEST_CURSOR = 4_096
"""Characters; it has to fit into an address. Sprig's have some 30."""

_items = msgspec.json.Decoder(list[Raw])


class AnswerPage(NamedTuple):
    """A page of `GET /v1/responses`."""

    records: list[Record]
    """Every record of it, bad ones as what is withheld; for a page that is none, that page."""
    cursor: str = ""
    """For the next page; empty after the last."""
    fault: str = ""
    """Why the page is not what the specification says, so that no next page can be asked for."""


class Listed(Struct, frozen=True, rename="camel", gc=False):
    """What `GET /v1/surveys` tells of a survey, as far as answers need it."""

    id: int | str
    name: str | None = None
    created_at: str | None = None


class SurveyPage(NamedTuple):
    """A page of `GET /v1/surveys`."""

    surveys: list[Listed]
    cursor: str = ""
    fault: str = ""
    """As in `AnswerPage`."""
    odd: int = 0
    """Entries that are no surveys."""


class _Envelope(NamedTuple):
    items: list[Raw]
    cursor: str = ""
    fault: str = ""


def read_answers(body: bytes) -> AnswerPage:
    """The records of a page; nothing is raised. Where the page is broken, whole records in it are read all the same."""
    items, cursor, fault = _envelope(body)
    records: list[Record] = [_record(bytes(item), index) for index, item in enumerate(items)]
    if fault:
        records = records or _salvaged(body)
        records.append(invalid(body, Origin(ORIGIN), f"not a page of responses: {fault}"))
    return AnswerPage(records, cursor, fault)


def read_surveys(body: bytes) -> SurveyPage:
    """The surveys of a page; nothing is raised."""
    items, cursor, fault = _envelope(body)
    surveys: list[Listed] = []
    for item in items:
        try:
            surveys.append(msgspec.json.decode(item, type=Listed))
        except (DecodeError, UnicodeDecodeError, RecursionError):
            continue
    return SurveyPage(surveys, cursor, fault, len(items) - len(surveys))


def _envelope(body: bytes) -> _Envelope:
    """The list and the cursor."""
    if body.lstrip()[:1] == b"<":
        return _Envelope([], "", "it is HTML, as sign-in and error pages are")
    try:
        fields = members(body)
        items = _items.decode(fields["data"])
    except KeyError:
        return _Envelope([], "", "it has no data")
    except msgspec.ValidationError:
        return _Envelope([], "", _wrong_kind(body))
    except (DecodeError, UnicodeDecodeError, RecursionError) as error:
        said = malformed(body, error) if isinstance(error, DecodeError) else "not valid JSON"
        return _Envelope([], "", unreadable(body) or said)
    return _Envelope(items, *_cursor(fields.get("cursor")))


def _cursor(given: Raw | None) -> tuple[str, str]:
    """The cursor, or what is wrong with it; null, missing and empty all mean the last page."""
    if given is None or bytes(given) == b"null":
        return "", ""
    cursor = text_of(given)
    if cursor is None:
        return "", f"cursor: expected text or null, got {kind_of(bytes(given))}"
    if len(cursor) > LONGEST_CURSOR:
        return "", f"cursor: {len(cursor):,} characters"
    return cursor, ""


def _wrong_kind(body: bytes) -> str:
    try:
        data = members(body)["data"]
    except msgspec.ValidationError:
        return f"expected an object, got {kind_of(body.strip())}"
    return f"data: expected a list, got {kind_of(bytes(data))}"


def _record(raw: bytes, index: int) -> Record:
    path = f"data[{index}]"
    if len(raw) > DEFAULT_MAX_RECORD_BYTES:
        origin = Origin(ORIGIN, "rest", 0, path)
        return next(iter(parse_document(raw, origin)), None) or invalid(raw, origin, "too large")
    return read_piece(Piece(raw, 0, path), ORIGIN, 0)


def _salvaged(body: bytes) -> list[Record]:
    """Answers that can be read in a page that cannot, such as one that is cut off."""
    pieces = (piece for piece in split_document(body) if piece.path and not piece.fault)
    found = (read_piece(Piece(piece.raw, 0, piece.path), ORIGIN, 0) for piece in pieces)
    return [record for record in found if isinstance(record, StudyResponse)]
