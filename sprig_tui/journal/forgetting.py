"""Forgetting: the records, and the rules that both stores share for removing a person's content.

A delivery of a forgotten person keeps its row, without content: its state, its times and its requests, so that every
count stays true. Its message id becomes a keyed hash, under which the same answer is recognised if it is read again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec
from msgspec import Struct

from sprig_tui.journal.dedup import StoredIdentity
from sprig_tui.journal.entry_columns import EntryColumns
from sprig_tui.journal.payload_codec import DamagedPayloadError, unpack_every
from sprig_tui.journal.persons import (
    Identifier,
    IdentifierKind,
    NameSearch,
    PersonMatcher,
    identifier_hash,
    identifiers_of_person,
)
from sprig_tui.journal.query import Query, Term
from sprig_tui.journal.records import NewDelivery, State
from sprig_tui.journal.rows import STATE_CODES, STATES_BY_CODE
from sprig_tui.journal.tombstones import PRUNED_COLUMNS, TOMBSTONE_CONDITION, removed_identity
from sprig_tui.reasons import Reason

_QUEUED, _WITHHELD = STATE_CODES[State.QUEUED], STATE_CODES[State.WITHHELD]
FORGOTTEN_ID_PREFIX = "forgotten-"
SCAN_PACKS = 4
"""Packs read by one step of a scan, some thousands of deliveries."""
ERASE_CHUNK_ROWS = 500
"""Deliveries erased in one transaction."""
FORGOTTEN_FILTER = "a forgotten person"
"""Filter of a replay job whose own filter named a person."""
UNSETTLED_DETAIL = "it may have reached Segment: no outcome of its last request was recorded"
"""Detail of a queued delivery that a worker may have sent."""


class ForgottenIdentifier(Struct, frozen=True):
    """An identifier whose answers are not taken in."""

    kind: IdentifierKind
    since: int
    """ms since 1970 UTC."""
    receipt: int
    """The receipt of the request."""
    hash: bytes


class ForgetReceipt(Struct, frozen=True, kw_only=True):
    """A request to forget persons, or to take their answers again; it holds no content and names nobody."""

    id: int
    action: str
    """`forget` or `undo`."""
    actor: str
    """Who asked: user and machine."""
    started_at: int
    """ms since 1970 UTC."""
    ended_at: int
    """0 for one that was not finished."""
    counts: dict[str, int]
    """By what was removed: see COUNTED."""
    regulation: str = ""
    """Id of the regulation that was made at Segment; empty for none."""


COUNTED: Mapping[str, str] = {
    "identifiers": "identifiers",
    "delivered": "delivered",
    "failed": "failed",
    "withheld": "withheld",
    "queued": "withdrawn from the queue",
    "unsettled": "may have reached Segment: the request was never answered, or its worker ended before it was recorded",
    "leftovers": "records of deliveries that were pruned before",
    "responses": "responses of Segment that may quote them",
    "replays": "replay jobs whose filter named them",
    "files": "captured requests and copies",
    "memories": "remembered file names",
    "damaged": "damaged payloads that cannot be separated",
}
"""What a receipt counts, in words."""
_SINGULAR = {
    "identifiers": "identifier",
    "leftovers": "record of a delivery that was pruned before",
    "responses": "response of Segment that may quote them",
    "replays": "replay job whose filter named them",
    "files": "captured request or copy",
    "memories": "remembered file name",
    "damaged": "damaged payload that cannot be separated",
}


def counts_text(counts: Mapping[str, int]) -> str:
    """Such as `2 identifiers, 12 delivered, 1 failed`."""
    parts = []
    for name, text in COUNTED.items():
        if number := counts.get(name, 0):
            parts.append(f"{number:,} {_SINGULAR.get(name, text) if number == 1 else text}")
    return ", ".join(parts) or "nothing"


class FoundDelivery(Struct, frozen=True, gc=False):
    """A delivery that holds a person, or the payload that a pruned one left."""

    id: int
    state: State | None
    """None for a pruned one."""
    environment: str = ""


class PersonScan(Struct, frozen=True):
    """One step of a scan."""

    found: tuple[FoundDelivery, ...]
    reached: int
    """The last id that was looked at; the cursor of the next step."""
    more: bool
    scanned: int
    """Deliveries that were looked at."""
    mentions: int = 0
    """Those of other people that contain an identifier within a text."""
    damaged: int = 0
    """Those whose payload cannot be read."""
    identifiers: frozenset[Identifier] = frozenset()
    """What else the deliveries that were found carry of their persons: ids and addresses."""


class EraseResult(Struct, frozen=True):
    """Outcome of erasing deliveries."""

    counts: dict[str, int]
    """As in a receipt."""
    leased: tuple[int, ...] = ()
    """Leased to a worker, which may be sending them: they are unchanged."""


class KeyedPersons(Struct, frozen=True):
    """The forgotten persons of a journal, in the memory of a process that uses it."""

    version: int
    """Changes with each change of the list."""
    key: bytes
    matcher: PersonMatcher

    @classmethod
    def of(cls, version: int, key: bytes, hashes: Iterable[bytes]) -> KeyedPersons:
        """Those with these hashes."""
        known = frozenset(hashes)
        return cls(version, key, PersonMatcher(lambda one: identifier_hash(key, one) in known))

    def __repr__(self) -> str:
        return f"KeyedPersons(version={self.version})"

    def withhold(self, entries: Sequence[NewDelivery]) -> Sequence[NewDelivery]:
        """The entries, with those of forgotten persons reduced to what the account needs."""
        columns, matches = EntryColumns.of(entries), self.matcher.matches
        users_and_payloads = zip(*map(columns.column, ("user_id", "raw", "body", "reason")), strict=True)
        theirs = [matches(user, raw or body, is_readable=not reason) for user, raw, body, reason in users_and_payloads]
        if not any(theirs):
            return columns
        return [self.reduced(entry) if is_theirs else entry for entry, is_theirs in zip(columns, theirs, strict=True)]

    def reduced(self, entry: NewDelivery) -> NewDelivery:
        """The entry without content, withheld as forgotten."""
        return NewDelivery(
            environment=entry.environment,
            message_id=forgotten_message_id(self.key, entry.environment, entry.message_id),
            reason=Reason.FORGOTTEN.value,
        )

    def positions(self, user_ids: Sequence[str], payloads: Sequence[tuple[bytes, bytes]]) -> list[int]:
        """Positions of those deliveries (their user ids, records and calls) that are of forgotten persons."""
        return [
            at
            for at, (user_id, payload) in enumerate(zip(user_ids, payloads, strict=True))
            if self.matcher.matches(user_id, *payload)
        ]


def forgotten_message_id(key: bytes, environment: str, message_id: str) -> str:
    """The message id of a delivery without content; of one that has it already, the same."""
    if message_id.startswith(FORGOTTEN_ID_PREFIX):
        return message_id
    text = f"{environment}\0{message_id}".encode("utf-8", "surrogatepass")
    return FORGOTTEN_ID_PREFIX + hashlib.blake2b(text, key=key, digest_size=16, person=b"identity").hexdigest()


StoredRow = tuple[int, str, str]
"""State code, user id and environment of a delivery."""
StoredPack = tuple[int, bytes, bytes]
"""First id, records and calls of a pack."""


def find_in_packs(
    packs: Sequence[StoredPack],
    rows: Mapping[int, StoredRow],
    after: int,
    end: int,
    matcher: PersonMatcher,
    names: NameSearch,
) -> PersonScan:
    """The step from `after` up to `end`; its caller tells whether there is more. `rows` are those that have content."""
    found: dict[int, FoundDelivery] = {}
    carried: set[Identifier] = set()
    mentions = damaged = 0
    for number, (first, packed_raws, packed_bodies) in enumerate(packs):
        until = packs[number + 1][0] if number + 1 < len(packs) else end + 1
        try:
            raws, bodies = unpack_every(packed_raws, first)[0], unpack_every(packed_bodies, first)[0]
        except DamagedPayloadError:
            damaged += sum(first <= one < until for one in rows)
            continue
        for delivery_id, raw, body in zip(range(first, until), raws, bodies, strict=False):
            if delivery_id > after and (raw or body):
                row = rows.get(delivery_id)
                is_readable = row is not None and row[0] != _WITHHELD
                if matcher.matches(row[1] if row else "", raw, body, is_readable=is_readable):
                    found[delivery_id] = _found(delivery_id, row)
                    carried.update(identifiers_of_person(row[1] if row else "", raw or body))
                elif names.is_in_bytes(raw):
                    mentions += 1
    for delivery_id, row in rows.items():
        # one without a payload, or with one that cannot be read
        if delivery_id not in found and matcher.matches(row[1]):
            found[delivery_id] = _found(delivery_id, row)
    ordered = tuple(found[key] for key in sorted(found))
    return PersonScan(ordered, end, False, len(rows), mentions, damaged, frozenset(carried))


def _found(delivery_id: int, row: StoredRow | None) -> FoundDelivery:
    return FoundDelivery(delivery_id, STATES_BY_CODE[row[0]], row[2]) if row else FoundDelivery(delivery_id, None)


REMOVAL_COLUMNS = (
    "d.id, d.state, d.environment, coalesce(a.started_at + a.latency_ms, d.added_at),"
    f" {TOMBSTONE_CONDITION}, e.name, e.endpoint, d.state = 0 AND"
    f" coalesce(a.outcome = 'retry' AND (a.status = 0 OR a.status >= 500), false), {PRUNED_COLUMNS}"
)
"""Columns of a delivery that is erased, from `deliveries d JOIN environments e LEFT JOIN attempts a`."""


class Removal:
    """What becomes of the deliveries that are erased."""

    def __init__(self, key: bytes, orphaned: AbstractSet[int]) -> None:
        """`orphaned` are those whose worker ended before it recorded an outcome."""
        self._key = key
        self._orphaned = orphaned
        self.counts: Counter[str] = Counter()
        """As in a receipt."""
        self.states: Counter[tuple[int, int]] = Counter()
        """(environment number, state code) -> difference."""
        self.tombstones: list[tuple[StoredIdentity, int, float]] = []
        self.old_identities: list[tuple[int, str, str]] = []
        """(delivery, environment, message id)."""
        self.new_identities: list[StoredIdentity] = []
        self.unsettled: set[int] = set()
        """Those that get UNSETTLED_DETAIL."""

    def add(self, row: Sequence[Any]) -> None:
        """One more, by its REMOVAL_COLUMNS."""
        delivery_id, state, environment, ended_at, leaves, name, endpoint, unanswered, *columns = row
        message_id, reason = columns[0], columns[4]
        is_queued = state == _QUEUED
        if reason == Reason.FORGOTTEN.value:
            return
        self.counts[STATES_BY_CODE[state].value] += 1
        unsettled = is_queued and bool(unanswered or delivery_id in self._orphaned)
        if unsettled:
            self.counts["unsettled"] += 1
            self.unsettled.add(delivery_id)
        end = _WITHHELD if is_queued else state
        if is_queued:
            self.states[environment, _QUEUED] -= 1
            self.states[environment, _WITHHELD] += 1
        if (leaves or unsettled) and not endpoint:
            # one that may have arrived stays known too: taken in again, it must not be sent twice
            self.tombstones.append((removed_identity(delivery_id, name, end, columns), environment, ended_at))
        self.old_identities.append((delivery_id, name, message_id))
        self.new_identities.append(
            StoredIdentity(
                delivery_id,
                name,
                forgotten_message_id(self._key, name, message_id),
                b"",
                "",
                0,
                STATES_BY_CODE[end],
                Reason.FORGOTTEN.value,
                endpoint,
            )
        )


def removed_query() -> bytes:
    """The stored query of a replay job whose filter named a person; it matches nothing."""
    return msgspec.json.encode(Query((Term("id", "0"),), FORGOTTEN_FILTER))


def receipt_from_row(row: Sequence[Any]) -> ForgetReceipt:
    """A row of RECEIPT_COLUMNS as a record."""
    return ForgetReceipt(
        id=row[0],
        action=row[1],
        actor=row[2],
        started_at=row[3],
        ended_at=row[4],
        counts=msgspec.json.decode(row[5], type=dict[str, int]),
        regulation=row[6],
    )


RECEIPT_COLUMNS = "id, action, actor, started_at, ended_at, counts, regulation"


def merged_counts(stored: str, more: Mapping[str, int]) -> str:
    """The counts of a receipt with more added to them, as they are stored."""
    counts = msgspec.json.decode(stored, type=dict[str, int])
    for name, number in more.items():
        if number:
            counts[name] = counts.get(name, 0) + number
    return msgspec.json.encode(counts).decode()
