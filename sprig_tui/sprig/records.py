"""Input records: one survey response, or a record that is not one."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from msgspec import UNSET, Raw, Struct, UnsetType

from sprig_tui.reasons import Reason


class Note(StrEnum):
    """An oddity of a record that can be read anyway."""

    UNKNOWN_EVENT = "unknown_event"
    ODD_VISITOR = "odd_visitor"
    TYPE_INFERRED = "type_inferred"
    TYPE_NOT_NAMED = "type_not_named"
    BYTE_ORDER_MARK = "byte_order_mark"
    RECORD_SEPARATOR = "record_separator"


NOTE_TEXTS: Mapping[Note, str] = MappingProxyType(
    {
        Note.UNKNOWN_EVENT: "eventType is not known; read as an answer by its fields",
        Note.ODD_VISITOR: "visitorId is neither a UUID nor a number",
        Note.TYPE_INFERRED: "question type inferred from the export's columns",
        Note.TYPE_NOT_NAMED: "the export does not name question types: sent as UNKNOWN",
        Note.BYTE_ORDER_MARK: "a byte-order mark (U+FEFF) before it was passed over: were files joined?",
        Note.RECORD_SEPARATOR: "a record separator (U+001E) before it was passed over (JSON text sequence, RFC 7464)",
    }
)
"""Sentence of each note, for people only."""


def note_text(note: Note) -> str:
    """The note in words."""
    return NOTE_TEXTS[note]


class Origin(Struct, frozen=True, gc=False):
    """Source of a record, by which a person can find it again."""

    name: str
    """Path as given, or `stdin`, `webhook` or `api`."""
    format: str = ""
    """`webhook`, `rest`, `flat` or `csv`; empty if it was not recognised."""
    line: int = 0
    """1-based line on which the record starts; 0 for inputs without lines."""
    path: str = ""
    """Path inside the document, such as `data[3]` or `Q2`; empty for the whole document."""

    @property
    def text(self) -> str:
        """Name, line and path, such as `answers.json:12 data[3]`."""
        line = f":{self.line}" if self.line else ""
        return f"{self.name}{line}{f' {self.path}' if self.path else ''}"


class StudyResponse(Struct, frozen=True, gc=False):
    """One answer to one question, in the same form for every format (facts: the field tables of Sprig's APIs).

    The JSON formats fill it by position: twenty keywords would take as long as reading the JSON.
    UNSET: the source has no such field; None: the field is null. Foreign JSON (`response`, `attributes`, ...) stays
    the compacted bytes of the source, so that numbers of any size survive.
    """

    origin: Origin
    raw: bytes
    """The record as read, valid UTF-8 JSON (for CSV: the row as a JSON object, without the other questions)."""
    paths: Mapping[str, str]
    """Source path by attribute name of this record, such as `user_id` -> `externalUserId`; only for display."""

    response: Raw
    """The answer: any JSON value, null included."""
    response_group_id: str
    question: str
    question_type: str
    question_id: str = ""
    user_id: str | None = None
    """The customer's own id, trimmed; None when anonymous."""
    user_id_hint: str = ""
    """Another id in the record, such as `visitorSnapshot.externalUserId = acct_1`; shown, never sent."""
    answered_at: str | None = None
    """ISO-8601 or epoch time, as in the source."""
    updated_at: str | None = None
    deleted_at: str | None = None
    survey_id: int | str | None = None
    survey_name: str | None = None
    survey_created_at: str | None = None
    visitor_id: str | None = None
    old_visitor_id: int | str | None = None
    email: str | None = None
    attributes: Raw | UnsetType | None = UNSET
    triggering_event: str | UnsetType | None = UNSET
    environment: str | None = None
    """Environment name in the record (flat records only)."""
    environment_id: str | None = None
    """Sprig's opaque environment id (webhooks)."""
    notes: tuple[Note, ...] = ()
    """Oddities of the record, such as a question type inferred from CSV columns."""


class Unsendable(Struct, frozen=True, kw_only=True, gc=False):
    """A record that is not an answer or cannot be read; journaled as withheld."""

    origin: Origin
    raw: bytes
    """The first 65,536 bytes of the record; any bytes, not necessarily UTF-8."""
    reason: Reason
    path: str = ""
    """JSON path of the field at fault, such as `data[3].responseGroupUid`; empty for the whole record."""
    detail: str = ""
    """The problem in words, with an excerpt of the record at most."""
    survey_id: str = ""
    survey_name: str = ""
    user_id: str = ""
    environment_id: str | None = None
    environment: str | None = None

    @property
    def explanation(self) -> str:
        """Path and detail, as far as they are known."""
        return ": ".join(filter(None, (self.path, self.detail)))


Record = StudyResponse | Unsendable
