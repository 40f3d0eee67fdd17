"""What a new entry is to one already known under its id: pure, shared by every journal."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from sprig_tui.journal.records import AddOutcome, NewDelivery, State
from sprig_tui.journal.rows import STATES_BY_CODE
from sprig_tui.reasons import Reason
from sprig_tui.segment.track import MESSAGE_ID_PREFIX, derived_message_id

Relation = Literal["known", "takes-over", "tie", "revision", "duplicate"]

_INCOMPLETE_REASONS = frozenset({Reason.ANONYMOUS, Reason.INVALID, Reason.TOO_LARGE, Reason.ENVIRONMENT_UNKNOWN})
"""Reasons that a later reading of the same answer can heal."""


KEY_MASK = (1 << 63) - 1
"""Keys of identities are positive 64-bit numbers."""
_OWN_ID_CHARS = len(MESSAGE_ID_PREFIX) + 32
_OWN_ID_DIGITS = slice(len(MESSAGE_ID_PREFIX), len(MESSAGE_ID_PREFIX) + 16)


class StoredIdentity(Struct, frozen=True, gc=False):
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


IDENTITY_COLUMNS = "d.id, e.name, d.message_id, d.digest, d.question_id, d.updated_at, d.state, d.reason, e.endpoint"
"""The columns of a Known, of `deliveries d JOIN environments e`."""


def identity_from_row(row: Sequence[Any]) -> StoredIdentity:
    """A row of IDENTITY_COLUMNS as a record."""
    return StoredIdentity(
        id=row[0],
        environment=row[1],
        message_id=row[2],
        digest=row[3],
        question_id=row[4],
        updated_at=row[5],
        state=STATES_BY_CODE[row[6]],
        reason=row[7],
        endpoint=row[8],
    )


def identity_key(environment: str, message_id: str) -> int:
    """63 bits of a hash; should two identities meet on one key, the second is probed onwards.

    Our own message ids are hashes over the environment already, so their digits do.
    """
    if len(message_id) == _OWN_ID_CHARS and message_id.startswith(MESSAGE_ID_PREFIX):
        try:
            return int(message_id[_OWN_ID_DIGITS], 16) & KEY_MASK
        except ValueError:
            pass
    text = f"{environment}\0{message_id}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) & KEY_MASK


def classify_duplicate(stored: StoredIdentity, entry: NewDelivery) -> Relation:
    """Decide by facts/sprig.md 8.14 and 8.15: same content is a repeat; what else shares the id is told apart."""
    if takes_over_identity(stored, entry):
        return "takes-over"
    if stored.question_id and entry.question_id and stored.question_id != entry.question_id:
        return "tie"
    if stored.digest == entry.digest:
        return "known"
    if (stored.question_id and stored.question_id == entry.question_id) or entry.updated_at > stored.updated_at > 0:
        return "revision"
    return "duplicate"


def takes_over_identity(stored: StoredIdentity, entry: NewDelivery) -> bool:
    """Whether the entry takes the identity over.

    It does where it heals what is known, and where that was bound for the endpoint of another run with `--endpoint`:
    what such a run sends is known to that endpoint alone.
    """
    return completes_withheld(stored, entry) or stored.endpoint not in ("", entry.endpoint)


def supersedes_queued(stored: StoredIdentity, entry: NewDelivery) -> bool:
    """Whether the entry, which takes the identity over, is sent in the place of what still waits for another run."""
    return stored.state is State.QUEUED and stored.endpoint not in ("", entry.endpoint)


SUPERSEDED_DETAIL = "the same answer came again for another endpoint and took its place"
"""Detail of a delivery that was withdrawn for that."""


def completes_withheld(stored: StoredIdentity, entry: NewDelivery) -> bool:
    """Whether the entry may be sent where what is known was withheld for what it lacked."""
    return stored.state is State.WITHHELD and stored.reason in _INCOMPLETE_REASONS and not entry.reason


def as_withheld(entry: NewDelivery, stored: StoredIdentity, relation: AddOutcome | Relation) -> NewDelivery:
    """Other content for a known answer, as it is kept: withheld, under an id of its own.

    An id of `known` below zero is none yet: it came in the same call.

    What must not be sent anyway keeps its own reason, so that nobody can send it as a mere revision.
    """
    reason = Reason.NEWER_REVISION if relation == "revision" else Reason.POSSIBLE_DUPLICATE
    which = f"delivery {stored.id}" if stored.id > 0 else "the delivery before it"
    said = f"other content than {which}, which stands for this answer"
    return replace(
        with_message_id(entry, other_content_message_id(entry)),
        reason=entry.reason or reason.value,
        detail=f"{entry.detail}; {said}" if entry.reason and entry.detail else said,
    )


def with_message_id(entry: NewDelivery, message_id: str) -> NewDelivery:
    """The entry under another message id, which has the same length and stands first in the body."""
    body = entry.body.replace(entry.message_id.encode(), message_id.encode(), 1)
    return replace(entry, message_id=message_id, body=body)


def tie_message_id(entry: NewDelivery) -> str:
    """The id of a second question with the same text and type in one response group."""
    return derived_message_id(entry.message_id, "question", entry.question_id)


def other_content_message_id(entry: NewDelivery) -> str:
    """The id under which other content for a known answer is kept."""
    return derived_message_id(entry.message_id, "content", entry.digest.hex())


def resend_message_id(message_id: str, number: int) -> str:
    """The id of the `number`th deliberate new sending (from 1)."""
    return derived_message_id(message_id, "resend", str(number))
