"""What a new entry is to one already known under its id: pure, shared by every journal."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from sprig_tui.journal.columns import STATES
from sprig_tui.journal.records import AddedAs, Entry, State
from sprig_tui.reasons import Reason
from sprig_tui.segment.message_id import PREFIX, derived_message_id

Relation = Literal["known", "takes-over", "tie", "revision", "duplicate"]

_LACKS = frozenset({Reason.ANONYMOUS, Reason.INVALID, Reason.TOO_LARGE, Reason.ENVIRONMENT_UNKNOWN})
"""Reasons that a later reading of the same answer can heal."""


MASK = (1 << 63) - 1
"""Keys of identities are positive 64-bit numbers."""
_OWN_LENGTH = len(PREFIX) + 32
_OWN_DIGITS = slice(len(PREFIX), len(PREFIX) + 16)


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
    endpoint: str = ""
    """As an Entry's: of a run with `--endpoint`, or empty."""


KNOWN = "d.id, e.name, d.message_id, d.digest, d.question_id, d.updated_at, d.state, d.reason, e.endpoint"
"""The columns of a Known, of `deliveries d JOIN environments e`."""


def known_of(row: Sequence[Any]) -> Known:
    """A row of KNOWN as a record."""
    return Known(
        id=row[0],
        environment=row[1],
        message_id=row[2],
        digest=row[3],
        question_id=row[4],
        updated_at=row[5],
        state=STATES[row[6]],
        reason=row[7],
        endpoint=row[8],
    )


def key_of(environment: str, message_id: str) -> int:
    """63 bits of a hash; should two identities meet on one key, the second is probed onwards.

    Our own message ids are hashes over the environment already, so their digits do.
    """
    if len(message_id) == _OWN_LENGTH and message_id.startswith(PREFIX):
        try:
            return int(message_id[_OWN_DIGITS], 16) & MASK
        except ValueError:
            pass
    text = f"{environment}\0{message_id}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) & MASK


def relate(known: Known, entry: Entry) -> Relation:
    """Decide by facts/sprig.md 8.14 and 8.15: same content is a repeat; what else shares the id is told apart."""
    if yields(known, entry):
        return "takes-over"
    if known.question_id and entry.question_id and known.question_id != entry.question_id:
        return "tie"
    if known.digest == entry.digest:
        return "known"
    if (known.question_id and known.question_id == entry.question_id) or entry.updated_at > known.updated_at > 0:
        return "revision"
    return "duplicate"


def yields(known: Known, entry: Entry) -> bool:
    """Whether the entry takes the identity over.

    It does where it heals what is known, and where that was bound for the endpoint of another run with `--endpoint`:
    what such a run sends is known to that endpoint alone.
    """
    return heals(known, entry) or known.endpoint not in ("", entry.endpoint)


def supersedes(known: Known, entry: Entry) -> bool:
    """Whether the entry, which takes the identity over, is sent in the place of what still waits for another run."""
    return known.state is State.QUEUED and known.endpoint not in ("", entry.endpoint)


SUPERSEDED = "the same answer came again for another endpoint and took its place"
"""Detail of a delivery that was withdrawn for that."""


def heals(known: Known, entry: Entry) -> bool:
    """Whether the entry may be sent where what is known was withheld for what it lacked."""
    return known.state is State.WITHHELD and known.reason in _LACKS and not entry.reason


def set_apart(entry: Entry, known: Known, relation: AddedAs | Relation) -> Entry:
    """Other content for a known answer, as it is kept: withheld, under an id of its own.

    An id of `known` below zero is none yet: it came in the same call.

    What must not be sent anyway keeps its own reason, so that nobody can send it as a mere revision.
    """
    reason = Reason.NEWER_REVISION if relation == "revision" else Reason.POSSIBLE_DUPLICATE
    which = f"delivery {known.id}" if known.id > 0 else "the delivery before it"
    said = f"other content than {which}, which stands for this answer"
    return replace(
        renamed(entry, other_content_message_id(entry)),
        reason=entry.reason or reason.value,
        detail=f"{entry.detail}; {said}" if entry.reason and entry.detail else said,
    )


def renamed(entry: Entry, message_id: str) -> Entry:
    """The entry under another message id, which has the same length and stands first in the body."""
    body = entry.body.replace(entry.message_id.encode(), message_id.encode(), 1)
    return replace(entry, message_id=message_id, body=body)


def tie_message_id(entry: Entry) -> str:
    """The id of a second question with the same text and type in one response group."""
    return derived_message_id(entry.message_id, "question", entry.question_id)


def other_content_message_id(entry: Entry) -> str:
    """The id under which other content for a known answer is kept."""
    return derived_message_id(entry.message_id, "content", entry.digest.hex())


def resend_message_id(message_id: str, number: int) -> str:
    """The id of the `number`th deliberate new sending (from 1)."""
    return derived_message_id(message_id, "resend", str(number))
