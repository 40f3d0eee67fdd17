"""De-duplication rules for entries whose message id is stored already. Pure, shared by both stores."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from sprig_tui.journal.entry_columns import EntryColumns
from sprig_tui.journal.records import REMOVED_ID, AddOutcome, NewDelivery, State
from sprig_tui.journal.rows import STATES_BY_CODE
from sprig_tui.reasons import Reason
from sprig_tui.segment.track import MESSAGE_ID_PREFIX, derived_message_id

Relation = Literal["known", "takes-over", "tie", "revision", "duplicate"]

INCOMPLETE_REASONS = frozenset({Reason.ANONYMOUS, Reason.INVALID, Reason.TOO_LARGE, Reason.ENVIRONMENT_UNKNOWN})
"""Reasons that no longer apply once the answer is read again with all its fields."""


KEY_MASK = (1 << 63) - 1
"""Keys of identities are positive 64-bit numbers."""
_OWN_ID_CHARS = len(MESSAGE_ID_PREFIX) + 32
_OWN_ID_DIGITS = slice(len(MESSAGE_ID_PREFIX), len(MESSAGE_ID_PREFIX) + 16)


class StoredIdentity(Struct, frozen=True, gc=False):
    """The identity columns of a stored delivery, or of one that was removed."""

    id: int
    """REMOVED_ID for one of which a tombstone is left."""
    environment: str
    message_id: str
    digest: bytes
    question_id: str
    updated_at: int
    state: State
    reason: str
    endpoint: str = ""
    """As in NewDelivery: URL of a run with `--endpoint`, or empty."""


IDENTITY_COLUMNS = "d.id, e.name, d.message_id, d.digest, d.question_id, d.updated_at, d.state, d.reason, e.endpoint"
"""The columns of a StoredIdentity, from `deliveries d JOIN environments e`."""


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
    """63-bit hash of an identity; on a collision the second identity gets the next free key.

    Message ids made by sprig-tui are hashes that include the environment, so their digits are used as they are.
    """
    if len(message_id) == _OWN_ID_CHARS and message_id.startswith(MESSAGE_ID_PREFIX):
        try:
            return int(message_id[_OWN_ID_DIGITS], 16) & KEY_MASK
        except ValueError:
            pass
    text = f"{environment}\0{message_id}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) & KEY_MASK


def identity_keys(entries: Sequence[NewDelivery]) -> list[int]:
    """The `identity_key` of each; fast where all message ids are made by sprig-tui."""
    columns = EntryColumns.of(entries)
    ids = columns.column("message_id")
    keys = own_keys(ids)
    return list(map(identity_key, columns.column("environment"), ids)) if keys is None else keys


def own_keys(ids: Sequence[str]) -> list[int] | None:
    """The `identity_key` of each of these message ids, in any environment; None if not all were made by sprig-tui."""
    if {*map(len, ids)} == {_OWN_ID_CHARS} and {one[: len(MESSAGE_ID_PREFIX)] for one in ids} == {MESSAGE_ID_PREFIX}:
        with suppress(ValueError):
            digits = bytes.fromhex("".join([one[_OWN_ID_DIGITS] for one in ids]))
            if len(digits) == 8 * len(ids):  # it is shorter where there is white space among the digits
                return [key & KEY_MASK for key in struct.unpack(f">{len(ids)}Q", digits)]
    return None


def classify_duplicate(stored: StoredIdentity, entry: NewDelivery) -> Relation:
    """Relation of an entry to the stored delivery with the same message id (facts/sprig.md 8.14 and 8.15)."""
    if takes_over_identity(stored, entry):
        return "takes-over"
    if stored.question_id and entry.question_id and stored.question_id != entry.question_id:
        return "tie"
    if has_digest(stored, entry.digest):
        return "known"
    if (stored.question_id and stored.question_id == entry.question_id) or entry.updated_at > stored.updated_at > 0:
        return "revision"
    return "duplicate"


_SEALED_BYTES = 7
"""Bytes of a sealed digest, by which it is told from a plain one."""
SEALED_DIGITS = 2 * _SEALED_BYTES
"""The same as hexadecimal text."""


def seal_digest(message_id: str, digest: bytes) -> bytes:
    """The digest of an answer that the journal does not hold: a hash of it with the message id.

    A plain digest of a short answer is the answer itself. A digest that is sealed already, and an empty one, stay.
    """
    if not digest or len(digest) == _SEALED_BYTES:
        return digest
    more = hashlib.blake2b(message_id.encode("utf-8", "surrogatepass") + digest, digest_size=3, person=b"sealed")
    return content_hash(message_id, digest) + more.digest()


def stored_digest(entry: NewDelivery) -> bytes:
    """The digest as the row of an entry gets it: sealed where nothing else of the answer is stored."""
    return entry.digest if entry.body or entry.raw else seal_digest(entry.message_id, entry.digest)


def has_digest(stored: StoredIdentity, digest: bytes) -> bool:
    """Whether the stored delivery, whose digest may be sealed, has this digest."""
    if len(stored.digest) == _SEALED_BYTES:
        return stored.digest == seal_digest(stored.message_id, digest)
    return stored.digest == digest


CONTENT_HASH = hashlib.blake2b(digest_size=4, person=b"content")
"""Hash of the message id, a zero byte and the digest as hexadecimal text."""


def content_hash(message_id: str, digest: bytes) -> bytes:
    """4 bytes that compare the content of answers with the same message id; computable from a sealed digest too."""
    if len(digest) == _SEALED_BYTES:
        return digest[:4]
    # with the message id: without the answer's own ids nobody can test what its content was
    made = CONTENT_HASH.copy()
    made.update(f"{message_id}\0{digest.hex()}".encode("utf-8", "surrogatepass"))
    return made.digest()


def takes_over_identity(stored: StoredIdentity, entry: NewDelivery) -> bool:
    """Whether the entry takes the identity over.

    It does if it completes a withheld delivery, or if the stored delivery is bound for the endpoint of another run with
    `--endpoint`: deliveries of such a run are known to that endpoint only.
    """
    return completes_withheld(stored, entry) or stored.endpoint not in ("", entry.endpoint)


def supersedes_queued(stored: StoredIdentity, entry: NewDelivery) -> bool:
    """Whether the entry, which takes the identity over, replaces a queued delivery of another run with `--endpoint`."""
    return stored.state is State.QUEUED and stored.endpoint not in ("", entry.endpoint)


SUPERSEDED_DETAIL = "the same answer came again for another endpoint and took its place"
"""Detail of a delivery that was withdrawn because of that."""


def completes_withheld(stored: StoredIdentity, entry: NewDelivery) -> bool:
    """Whether the entry can be sent and the stored delivery is withheld because it is incomplete."""
    return stored.state is State.WITHHELD and stored.reason in INCOMPLETE_REASONS and not entry.reason


def as_withheld(entry: NewDelivery, stored: StoredIdentity, relation: AddOutcome | Relation) -> NewDelivery:
    """The entry as withheld other content of a stored answer, under a message id of its own.

    An id of `stored` below zero is a delivery of the same call, without an id so far. An entry that is withheld for a
    reason of its own keeps that reason, so that it cannot be sent as a revision.
    """
    reason = Reason.NEWER_REVISION if relation == "revision" else Reason.POSSIBLE_DUPLICATE
    if stored.id == REMOVED_ID:
        detail = "other content than a delivery that stood for this answer and was removed from the journal"
    else:
        which = f"delivery {stored.id}" if stored.id > 0 else "the delivery before it"
        detail = f"other content than {which}, which stands for this answer"
    return replace(
        with_message_id(entry, other_content_message_id(entry)),
        reason=entry.reason or reason.value,
        detail=f"{entry.detail}; {detail}" if entry.reason and entry.detail else detail,
    )


def with_message_id(entry: NewDelivery, message_id: str) -> NewDelivery:
    """The entry under another message id of the same length; the id comes first in the body."""
    body = entry.body.replace(entry.message_id.encode(), message_id.encode(), 1)
    return replace(entry, message_id=message_id, body=body)


def tie_message_id(entry: NewDelivery) -> str:
    """The message id of a second question with the same text and type in one response group."""
    return derived_message_id(entry.message_id, "question", entry.question_id)


def other_content_message_id(entry: NewDelivery) -> str:
    """The message id under which other content of a stored answer is stored."""
    return derived_message_id(entry.message_id, "content", entry.digest.hex())


def as_changed(entry: NewDelivery, origin_id: int) -> NewDelivery:
    """The entry as a delivery of its own, made of the record of `origin_id` that a person changed or mapped again.

    The same call has the same message id, so that adding it twice adds nothing.
    """
    changed = with_message_id(entry, changed_message_id(entry))
    return replace(changed, origin_id=origin_id)


def changed_message_id(entry: NewDelivery) -> str:
    """The message id of another call for a stored answer."""
    return derived_message_id(entry.message_id, "changed", hashlib.blake2b(entry.body, digest_size=16).hexdigest())


def resend_message_id(message_id: str, number: int) -> str:
    """The message id of the `number`th replay as new (from 1)."""
    return derived_message_id(message_id, "resend", str(number))
