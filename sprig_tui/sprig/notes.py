"""Notes on a record that was read: what was odd about it, as values, and the one place that puts them into words."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Note(StrEnum):
    """An oddity met while reading a record that can be read all the same."""

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
"""Sentence of each note; nothing reads these but people."""


def note_text(note: Note) -> str:
    """The note in words."""
    return NOTE_TEXTS[note]
