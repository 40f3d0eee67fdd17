"""Adding of entries in the caller's transaction: de-duplication first, then rows, payloads and counts."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sprig_tui.journal.claim_rules import ClaimRequest
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
from sprig_tui.journal.entry_columns import PLAIN_COLUMNS, EntryColumns
from sprig_tui.journal.entry_payloads import body_sizes
from sprig_tui.journal.records import AddOutcome, AddResult, Claim, NewDelivery, State
from sprig_tui.journal.rows import STATE_CODES
from sprig_tui.journal.sqlite.claim import claim_new
from sprig_tui.journal.sqlite.forgotten_persons import withhold_forgotten
from sprig_tui.journal.sqlite.identity_index import IdentityIndex, merge_recent_ids
from sprig_tui.journal.sqlite.tables import (
    environment_number,
    insert_columns,
    mark_stale,
    record_changes,
    update_counts,
)
from sprig_tui.reasons import Reason

_PLACE_AND_REASON = "environment", "endpoint", "reason"
_QUEUED, _WITHHELD = STATE_CODES[State.QUEUED], STATE_CODES[State.WITHHELD]
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
        """Those that were appended one by one."""
        self._origins: dict[int, int] = {}
        self._leases: dict[int, int] = {}
        self._superseded: list[int] = []

    def add(
        self, entries: Sequence[NewDelivery], claim_requests: Sequence[ClaimRequest] = ()
    ) -> tuple[list[AddResult], tuple[Claim, ...]]:
        """Store new entries and claim them as requested; returns the results and the claims.

        Those of forgotten persons are stored without content, and withheld.
        """
        columns = EntryColumns.of(withhold_forgotten(self._connection, EntryColumns.of(entries)))
        identities = IdentityIndex(self._connection, columns)
        if identities.add_all_new(self._first_id):
            origins = columns.column("origin_id")
            if any(origins):
                self._origins = {at: origin for at, origin in enumerate(origins, self._first_id) if origin}
            queued, withheld = State.QUEUED, State.WITHHELD
            added = [
                AddResult(delivery_id, "new", withheld if reason else queued, reason)
                for delivery_id, reason in enumerate(columns.column("reason"), self._first_id)
            ]
        else:
            added = [self._add_one(identities, entry) for entry in columns]
            columns = EntryColumns.of(self._entries)
        claims = tuple(claim for request in claim_requests for claim in self._claim_new(request, columns))
        self._write(columns)
        identities.save()
        merge_recent_ids(self._connection)
        return added, claims

    def _claim_new(self, request: ClaimRequest, columns: EntryColumns) -> list[Claim]:
        wanted, bodies = (request.environment, request.endpoint, ""), columns.column("body")
        ids: Sequence[int] = range(self._first_id, self._first_id + len(columns))
        if wanted != tuple(map(columns.common, _PLACE_AND_REASON)):
            found = zip(ids, bodies, *map(columns.column, _PLACE_AND_REASON), strict=True)
            chosen = [(delivery_id, body) for delivery_id, body, *place in found if (*place,) == wanted]
            ids, bodies = [delivery_id for delivery_id, _ in chosen], [body for _, body in chosen]
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
        self._write(EntryColumns.of(self._entries))

    def _write(self, columns: EntryColumns) -> None:
        connection = self._connection
        if not columns:
            return
        standings = Counter(zip(*map(columns.column, _PLACE_AND_REASON), strict=True))
        numbers = {place: environment_number(connection, *place) for place in {place[:2] for place in standings}}
        self._insert_deliveries(columns, numbers)
        for delivery_id, origin in self._origins.items():
            connection.execute("UPDATE deliveries SET origin = ? WHERE id = ?", (origin, delivery_id))
        packs, first = list[Any](), self._first_id
        for one in columns.packs():
            packs += (first, one.raws, one.bodies)
            first += one.entries
        connection.execute("INSERT INTO packs VALUES " + ",".join(["(?, ?, ?)"] * (len(packs) // 3)), packs)
        mark_stale(connection, range(self._first_id, self._first_id + len(columns)))
        connection.execute("UPDATE sequence SET next_id = ?", (self._first_id + len(columns),))
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

    def _insert_deliveries(self, columns: EntryColumns, numbers: Mapping[tuple[str, str], int]) -> None:
        column, ids = columns.column, range(self._first_id, self._first_id + len(columns))
        sizes, reasons = body_sizes(column("body")), column("reason")
        common: dict[str, Any] = {"priority": self._priority, "added_at": self._now}
        varying: dict[str, Iterable[Any]] = {
            "id": ids,
            "message_id": column("message_id"),
            "size": sizes,
            "digest": map(bytearray, column("digest") if all(sizes) else map(stored_digest, columns)),
        }
        if len(numbers) == 1:
            common["environment"] = next(iter(numbers.values()))
        else:
            varying["environment"] = map(
                numbers.__getitem__, zip(column("environment"), column("endpoint"), strict=True)
            )
        if columns.common("reason") == "":
            common |= {"state": _QUEUED, "reason": ""}
        else:
            varying |= {"state": [_WITHHELD if one else _QUEUED for one in reasons], "reason": map(str, reasons)}
        for name in PLAIN_COLUMNS:
            value = columns.common(name)
            if value is None:
                varying[name] = column(name)
            else:
                common[name] = value
        if any(column("edited")):
            varying["edited"] = map(int, column("edited"))
        if self._leases:
            varying["lease"] = map(self._leases.get, ids)
        insert_columns(self._connection, "deliveries", common, varying)
