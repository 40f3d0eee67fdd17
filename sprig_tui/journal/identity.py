"""What a new entry is to one already known under its id: pure, shared by every journal."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from sprig_tui.journal.records import Entry, State
from sprig_tui.reasons import Reason
from sprig_tui.segment.message_id import derived_message_id

Relation = Literal["known", "takes-over", "tie", "revision", "duplicate"]

_LACKS = frozenset({Reason.ANONYMOUS, Reason.INVALID, Reason.TOO_LARGE, Reason.ENVIRONMENT_UNKNOWN})
"""Reasons that a later reading of the same answer can heal."""


class Known(Struct, frozen=True, gc=False):
    """The identity columns of a stored delivery."""

    id: int
    environment: str
    message_id: str
    digest: bytes
    question_id: str
    updated_at: int
    state: State
    reason: str


def relate(known: Known, entry: Entry) -> Relation:
    """Decide by facts/sprig.md 8.14 and 8.15: same content is a repeat; what else shares the id is told apart."""
    if known.state is State.WITHHELD and known.reason in _LACKS and not entry.reason:
        return "takes-over"
    if known.question_id and entry.question_id and known.question_id != entry.question_id:
        return "tie"
    if known.digest == entry.digest or entry.reason:
        return "known"
    if (known.question_id and known.question_id == entry.question_id) or entry.updated_at > known.updated_at > 0:
        return "revision"
    return "duplicate"


def tie_message_id(entry: Entry) -> str:
    """The id of a second question with the same text and type in one response group."""
    return derived_message_id(entry.message_id, "question", entry.question_id)


def other_content_message_id(entry: Entry) -> str:
    """The id under which other content for a known answer is kept."""
    return derived_message_id(entry.message_id, "content", entry.digest.hex())


def resend_message_id(message_id: str, number: int) -> str:
    """The id of the `number`th deliberate new sending (from 1)."""
    return derived_message_id(message_id, "resend", str(number))
