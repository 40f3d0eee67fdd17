"""Adding of entries in the caller's transaction: de-duplication first, then rows, payloads and counts."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from msgspec.structs import astuple

from sprig_tui.journal.base import ClaimRequest
from sprig_tui.journal.dedup import (
    SUPERSEDED_DETAIL,
    StoredIdentity,
    as_withheld,
    classify_duplicate,
    stored_digest,
    supersedes_queued,
    takes_over_identity,
    tie_message_id,
    with_message_id,
)
from sprig_tui.journal.payload_codec import entry_tags, pack, split_into_packs
from sprig_tui.journal.records import AddOutcome, AddResult, Claim, NewDelivery, State
from sprig_tui.journal.rows import STATE_CODES
from sprig_tui.journal.sqlite.claim import claim_new
from sprig_tui.journal.sqlite.forgotten_persons import withhold_forgotten
from sprig_tui.journal.sqlite.identity_index import IdentityIndex, merge_recent_ids
from sprig_tui.journal.sqlite.tables import environment_number, insert_rows, mark_stale, record_changes, update_counts
from sprig_tui.reasons import Reason

_DELIVERY_COLUMNS = (
    "deliveries(id, environment, state, priority, added_at, size, message_id, digest, reason, detail,"
    " survey_id, survey_name, user_id, question_type, question_id, answer, answered_at, updated_at, source,"
    " line, edited, lease)"
)
"""The columns from reason to edited are the fields of a NewDelivery in its own order."""
_ROW_PLACEHOLDERS = "(" + "?," * 21 + "nullif(?, 0))"
_QUEUED, _WITHHELD = STATE_CODES[State.QUEUED], STATE_CODES[State.WITHHELD]
_PLACE_AND_REASON = attrgetter("environment", "endpoint", "reason")
_WITHDRAW_SUPERSEDED = (
    f"UPDATE deliveries SET state = {_WITHHELD}, reason = '{Reason.WITHDRAWN.value}', detail = ?"
    f" WHERE id = ? AND state = {_QUEUED} AND lease IS NULL RETURNING environment"
)


class AddOperation:
    """One call of `add`, or the new deliveries of a replay: decides about all entries, then writes."""

    def __init__(self, connection: sqlite3.Connection, now: int, *, priority: int = 0) -> None:
        self._connection = connection
        self._now = now
        self._priority = priority
        self._first_id = int(connection.execute("SELECT next_id FROM sequence").fetchone()[0])
        self._entries: list[NewDelivery] = []
        self._origins: dict[int, int] = {}
        self._leases: dict[int, int] = {}
        self._superseded: list[int] = []

    def add(
        self, entries: Sequence[NewDelivery], claim_requests: Sequence[ClaimRequest] = ()
    ) -> tuple[list[AddResult], tuple[Claim, ...]]:
        """Store new entries and claim them as requested; returns the results and the claims.

        Those of forgotten persons are stored without content, and withheld.
        """
        entries = withhold_forgotten(self._connection, entries)
        identities = IdentityIndex(self._connection, entries)
        if identities.all_new:
            identities.add_all_new(self._first_id)
            self._entries = list(entries)
            self._origins = {at: entry.origin_id for at, entry in enumerate(entries, self._first_id) if entry.origin_id}
            queued, withheld = State.QUEUED, State.WITHHELD
            added = [
                AddResult(delivery_id, "new", withheld if reason else queued, reason)
                for delivery_id, reason in enumerate([entry.reason for entry in entries], self._first_id)
            ]
        else:
            added = [self._add_one(identities, entry) for entry in entries]
        claims = tuple(claim for request in claim_requests for claim in self._claim_new(request))
        self.write()
        identities.save()
        merge_recent_ids(self._connection)
        return added, claims

    def _claim_new(self, request: ClaimRequest) -> list[Claim]:
        name, first = request.environment, self._first_id
        new = enumerate(self._entries, first)
        ids = [
            delivery_id
            for delivery_id, entry in new
            if not entry.reason and entry.environment == name and entry.endpoint == request.endpoint
        ]
        bodies = [self._entries[delivery_id - first].body for delivery_id in ids]
        claims = claim_new(self._connection, request, ids, bodies, self._now)
        for claim in claims:
            self._leases.update(dict.fromkeys(claim.ids, claim.lease))
        return claims

    def _add_one(self, identities: IdentityIndex, entry: NewDelivery) -> AddResult:
        known = identities.find(entry.environment, entry.message_id, entry)
        if known is None:
            return self._store_entry(identities, entry, "new", entry.origin_id)
        relation = classify_duplicate(known, entry)
        if relation == "known":
            return AddResult(known.id, "known", known.state, known.reason, known.endpoint != entry.endpoint)
        if relation == "takes-over":
            if supersedes_queued(known, entry):
                self._superseded.append(known.id)
            return self._store_entry(identities, entry, "new", known.id)
        if relation == "tie":
            return self._add_one(identities, with_message_id(entry, tie_message_id(entry)))
        return self._add_other_content(identities, entry, known, relation)

    def _add_other_content(
        self, identities: IdentityIndex, entry: NewDelivery, stored: StoredIdentity, relation: AddOutcome
    ) -> AddResult:
        withheld = as_withheld(entry, stored, relation)
        other = identities.find(withheld.environment, withheld.message_id, withheld)
        if other is not None and not takes_over_identity(other, entry):
            return AddResult(other.id, "known", other.state, other.reason, other.endpoint != entry.endpoint)
        return self._store_entry(identities, withheld, relation, stored.id)

    def _store_entry(
        self, identities: IdentityIndex, entry: NewDelivery, outcome: AddOutcome, origin: int | None
    ) -> AddResult:
        delivery_id = self.append(entry, origin)
        state = State.WITHHELD if entry.reason else State.QUEUED
        identities.put(
            StoredIdentity(
                delivery_id,
                entry.environment,
                entry.message_id,
                entry.digest,
                entry.question_id,
                entry.updated_at,
                state,
                entry.reason,
                entry.endpoint,
            )
        )
        return AddResult(delivery_id, outcome, state, entry.reason)

    def append(self, entry: NewDelivery, origin: int | None) -> int:
        """Append a delivery to those that `write` stores; returns its id. The caller stores its identity."""
        delivery_id = self._first_id + len(self._entries)
        self._entries.append(entry)
        if origin:
            self._origins[delivery_id] = origin
        return delivery_id

    def write(self) -> None:
        """Write the appended deliveries, their payloads and counts."""
        entries, connection = self._entries, self._connection
        if not entries:
            return
        standings = Counter(map(_PLACE_AND_REASON, entries))
        numbers = {place: environment_number(connection, *place) for place in {place[:2] for place in standings}}
        insert_rows(connection, _DELIVERY_COLUMNS, _ROW_PLACEHOLDERS, self._row_values(numbers))
        for delivery_id, origin in self._origins.items():
            connection.execute("UPDATE deliveries SET origin = ? WHERE id = ?", (origin, delivery_id))
        packs: list[Any] = []
        for start, end in split_into_packs([len(entry.raw) + len(entry.body) for entry in entries]):
            part = entries[start:end]
            packs += (
                self._first_id + start,
                pack([entry.raw for entry in part]),
                pack([entry.body for entry in part], entry_tags(part)),
            )
        connection.execute("INSERT INTO packs VALUES " + ",".join(["(?, ?, ?)"] * (len(packs) // 3)), packs)
        mark_stale(connection, range(self._first_id, self._first_id + len(entries)))
        connection.execute("UPDATE sequence SET next_id = ?", (self._first_id + len(entries),))
        counts: Counter[tuple[int, int]] = Counter()
        for (*place, reason), number in standings.items():
            counts[numbers[place[0], place[1]], _WITHHELD if reason else _QUEUED] += number
        gone = []
        for delivery_id in self._superseded:
            for (environment,) in connection.execute(_WITHDRAW_SUPERSEDED, (SUPERSEDED_DETAIL, delivery_id)).fetchall():
                counts[environment, _QUEUED] -= 1
                counts[environment, _WITHHELD] += 1
                gone.append(delivery_id)
        update_counts(connection, counts)
        record_changes(connection, gone)

    def _row_values(self, numbers: dict[tuple[str, str], int]) -> list[Any]:
        """The values of all rows in one list.

        For types other than int, str and bytearray sqlite3 looks up an adapter, which costs a third of an insert.
        """
        now, priority, lease_of = self._now, self._priority, self._leases.get
        only = next(iter(numbers.values())) if len(numbers) == 1 else 0
        values: list[Any] = []
        for delivery_id, entry in enumerate(self._entries, self._first_id):
            environment, message_id, digest, reason, *texts_and_times, edited, raw, body, endpoint, _ = astuple(entry)
            values += (
                delivery_id,
                only or numbers[environment, endpoint],
                _WITHHELD if reason else _QUEUED,
                priority,
                now,
                len(body),
                message_id,
                bytearray(digest if body or raw else stored_digest(entry)),
                str(reason) if reason else "",
                *texts_and_times,
                int(edited),
                lease_of(delivery_id, 0),
            )
        return values
