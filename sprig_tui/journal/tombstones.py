"""Tombstones: what stays known of deliveries that were removed from the journal. Pure, shared by both stores.

A tombstone holds no content, and nothing that names a person: the key of the identity, the environment, when the
delivery ended, and a fingerprint of 15 bytes.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct

from sprig_tui.journal.dedup import CONTENT_HASH, SEALED_DIGITS, StoredIdentity, content_hash
from sprig_tui.journal.records import REMOVED_ID, NewDelivery, State
from sprig_tui.journal.rows import STATES_BY_CODE
from sprig_tui.reasons import Reason

_FINGERPRINT = struct.Struct(">B3s4s3sI")
"""Code of the end; hashes of the identity, of its content and of the question id; time of the last update, seconds.

Answers are taken for one only if the key and the check of the identity agree, 87 bits together. Equal hashes of other
content (32 bits) hide a revision, which would be withheld anyway; equal ones of question ids (24 bits) take a second
question of the same text for a revision of the first.
"""
FINGERPRINT_BYTES = _FINGERPRINT.size
SQLITE_TOMBSTONE_BYTES = 42
"""Bytes of a tombstone in a file with 10,000,000, its share of the filter included."""
_MINUTE_MS = 60_000
_MAX_SECONDS = (1 << 32) - 1
_IDENTITY_HASH = hashlib.blake2b(digest_size=3, person=b"identity")
_QUESTION_HASH = hashlib.blake2b(digest_size=3, person=b"question")
_NO_QUESTION = b"\0\0\0"
_OTHER_QUESTION = "?"
_OTHER_DIGEST = b"other"

_ENDS: dict[int, tuple[State, str]] = {
    0: (State.WITHHELD, ""),
    1: (State.DELIVERED, ""),
    2: (State.FAILED, ""),
    3: (State.WITHHELD, Reason.NEWER_REVISION.value),
    4: (State.WITHHELD, Reason.POSSIBLE_DUPLICATE.value),
    5: (State.WITHHELD, Reason.WITHDRAWN.value),
}
"""End states by the code that is stored for each; 0 is withheld for any other reason."""
_CODES = {end: code for code, end in _ENDS.items()}
DECIDED_REASONS = (Reason.NEWER_REVISION.value, Reason.POSSIBLE_DUPLICATE.value, Reason.WITHDRAWN.value)
"""Reasons of complete deliveries that were not to be sent: they stay known too.

Those that failed, and those withheld because something is missing or forbids them, never arrived: removed, they are
new when they are read again, and that is the only way left to send them.
"""

_WAS_TAKEN = (
    "EXISTS(SELECT 1 FROM history h JOIN attempts s ON s.id = h.attempt WHERE h.delivery = d.id"
    " AND s.outcome = 'delivered')"
)
TOMBSTONE_CONDITION = (
    # as a column, an OR would look into the history of each delivery
    f"(CASE WHEN d.state = 1 THEN true WHEN d.state = 3 AND d.reason IN {DECIDED_REASONS} THEN true"
    f" ELSE {_WAS_TAKEN} END)"
)
"""SQL condition on an ended delivery `d`: whether it leaves a tombstone.

Of those that failed or are withheld, it holds for those that Segment took before they were replayed.
"""


PRUNED_COLUMNS = "d.message_id, d.digest, d.question_id, d.updated_at, d.reason"
"""Columns of a delivery that its tombstone is made of, beside its id, state and environment."""


def removed_identity(delivery_id: int, name: str, state: int, columns: Sequence[Any]) -> StoredIdentity:
    """The identity of a delivery that is removed; `columns` are its PRUNED_COLUMNS."""
    message_id, digest, question_id, updated_at, reason = columns
    return StoredIdentity(delivery_id, name, message_id, digest, question_id, updated_at, STATES_BY_CODE[state], reason)


class Tombstone(Struct, frozen=True, gc=False):
    """A stored tombstone."""

    fingerprint: bytes

    def identity(self, environment: str, message_id: str, entry: NewDelivery | None = None) -> StoredIdentity | None:
        """The removed delivery, if it had this identity, with REMOVED_ID.

        Its digest and question id are those of `entry` where they are the same, and others where they are not.
        """
        code, check, content, question, updated = _FINGERPRINT.unpack(self.fingerprint)
        if check != _identity_hash(environment, message_id):
            return None
        state, reason = _ENDS.get(code, _ENDS[0])
        digest, question_id = _OTHER_DIGEST, _OTHER_QUESTION if question != _NO_QUESTION else ""
        if entry is not None:
            if content == content_hash(message_id, entry.digest):
                digest = entry.digest
            if question_id and question == _question_hash(entry.question_id):
                question_id = entry.question_id
        # the end of the second: no update within it is later
        updated_at = updated * 1000 + 999 if updated else 0
        return StoredIdentity(
            REMOVED_ID, environment, message_id, digest, question_id, updated_at, state, reason, endpoint=""
        )


def make_fingerprint(stored: StoredIdentity) -> bytes:
    """The fingerprint of a delivery that is removed."""
    return _FINGERPRINT.pack(
        _CODES.get((stored.state, stored.reason if stored.state is State.WITHHELD else ""), 0),
        _identity_hash(stored.environment, stored.message_id),
        content_hash(stored.message_id, stored.digest),
        _question_hash(stored.question_id),
        min(max(stored.updated_at // 1000, 0), _MAX_SECONDS),
    )


def make_fingerprints(
    environments: Iterable[str],
    message_ids: Iterable[str],
    digests: Iterable[str],
    question_ids: Iterable[str],
    updated: Iterable[int],
    ends: Iterable[tuple[int, str]],
) -> list[bytes]:
    """The `make_fingerprint` of many deliveries, in less than half of the time.

    Digests are hexadecimal, without capitals; ends are codes of states with the reasons of withheld ones.
    """
    identities: dict[str, hashlib.blake2b] = {}
    questions: dict[str, bytes] = {"": _NO_QUESTION}
    codes: dict[tuple[int, str], int] = {}
    pack, content_hash_of = _FINGERPRINT.pack, CONTENT_HASH.copy
    made = []
    for name, message_id, digest, question_id, updated_at, end in zip(
        environments, message_ids, digests, question_ids, updated, ends, strict=True
    ):
        if name not in identities:
            identities[name] = _updated(_IDENTITY_HASH, f"{name}\0")
        text = message_id.encode("utf-8", "surrogatepass")
        check = identities[name].copy()
        check.update(text)
        if len(digest) == SEALED_DIGITS:
            content = content_hash(message_id, bytes.fromhex(digest))
        else:
            content_check = content_hash_of()
            content_check.update(b"%b\0%b" % (text, digest.encode()))
            content = content_check.digest()
        if question_id not in questions:
            questions[question_id] = _question_hash(question_id)
        if end not in codes:
            state = STATES_BY_CODE[end[0]]
            codes[end] = _CODES.get((state, end[1] if state is State.WITHHELD else ""), 0)
        made.append(
            pack(
                codes[end],
                check.digest(),
                content,
                questions[question_id],
                min(max(updated_at // 1000, 0), _MAX_SECONDS) if updated_at else 0,
            )
        )
    return made


def end_minute(ended_at: float) -> int:
    """The time of an end, ms, as it is stored: in whole minutes since 1970 UTC."""
    return int(ended_at) // _MINUTE_MS


def first_kept_minute(before: int) -> int:
    """The first minute of ends that are not before this time, ms."""
    return -(-before // _MINUTE_MS)


def _identity_hash(environment: str, message_id: str) -> bytes:
    # not the next digits of the message id: with them and the key, all the others could be found by trying
    return _hash(_IDENTITY_HASH, environment, message_id)


def _question_hash(question_id: str) -> bytes:
    return _hash(_QUESTION_HASH, question_id) if question_id else _NO_QUESTION


def _updated(empty: hashlib.blake2b, text: str) -> hashlib.blake2b:
    made = empty.copy()
    made.update(text.encode("utf-8", "surrogatepass"))
    return made


def _hash(empty: hashlib.blake2b, *parts: str) -> bytes:
    # a copy takes half the time of a new one
    return _updated(empty, "\0".join(parts)).digest()
