"""Adding of entries: duplicates are resolved on the client, then one server function stores everything."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import asyncpg
from msgspec.structs import replace

from sprig_tui.journal.dedup import (
    IDENTITY_COLUMNS,
    KEY_MASK,
    StoredIdentity,
    as_withheld,
    classify_duplicate,
    identity_from_row,
    identity_key,
    stored_digest,
    takes_over_identity,
    tie_message_id,
    with_message_id,
)
from sprig_tui.journal.entry_columns import PLAIN_COLUMNS, EntryColumns
from sprig_tui.journal.entry_payloads import body_sizes
from sprig_tui.journal.postgres import tombstone_filter
from sprig_tui.journal.postgres.connection import sanitize_text
from sprig_tui.journal.records import AddOutcome, AddResult, NewDelivery, State
from sprig_tui.journal.rows import STATE_CODES
from sprig_tui.journal.tombstone_filter import TombstoneFilter
from sprig_tui.journal.tombstones import Tombstone

_QUEUED, _WITHHELD = STATE_CODES[State.QUEUED], STATE_CODES[State.WITHHELD]
_CALL_ADD = (
    "WITH listed AS MATERIALIZED (SELECT set_config('sprig_tui.forgotten', $31, true))"
    " SELECT add_deliveries($1, $2::smallint, $3::integer[], $4::smallint[], $5::integer[], $6::bigint[], $7::text[],"
    " $8::bytea[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[],"
    " $16::text[], $17::bigint[], $18::bigint[], $19::text[], $20::bigint[], $21::boolean[], $22::bigint[],"
    " $23::integer[], $24::bigint[], $25::bigint[], $26::integer[], $27::integer[], $28::bytea[], $29::bytea[],"
    " $30::boolean) FROM listed"
)
"""The setting tells the server which list of forgotten persons the entries were compared with."""


class UnknownKeys(Exception):  # noqa: N818 - control flow, no error
    """Raised when these keys have to be looked up before a decision."""

    def __init__(self, keys: set[int]) -> None:
        super().__init__(keys)
        self.keys = keys


KnownIdentities = dict[int, StoredIdentity | Tombstone | None]
"""What was looked up: key -> the delivery that holds it, or else the tombstone, or None."""


class PlannedIdentities:
    """Stored identities that were looked up, and those that a plan adds.

    A planned delivery has the id -1 - (its position in the plan).
    """

    def __init__(self, known: KnownIdentities) -> None:
        self._stored = known
        self._planned: dict[int, StoredIdentity] = {}

    def find(self, environment: str, message_id: str, entry: NewDelivery | None = None) -> StoredIdentity | None:
        """The delivery that holds this identity, or held it and was removed; compared with an entry of its own.

        Raises UnknownKeys.
        """
        stored = self._identity_at(self._probe_key(environment, message_id))
        return stored.identity(environment, message_id, entry) if isinstance(stored, Tombstone) else stored

    def put(self, identity: StoredIdentity) -> None:
        """Let this planned delivery hold its identity. Raises UnknownKeys."""
        self._planned[self._probe_key(identity.environment, identity.message_id)] = identity

    def new_keys(self) -> dict[int, int]:
        """Key -> position, of identities that no stored delivery holds."""
        return {
            key: -1 - one.id for key, one in self._planned.items() if not isinstance(self._stored[key], StoredIdentity)
        }

    def taken_over_keys(self) -> dict[int, tuple[int, int]]:
        """Key -> (delivery that held it, position of the one that takes it over)."""
        had = {key: before.id for key in self._planned if isinstance(before := self._stored[key], StoredIdentity)}
        return {key: (was, -1 - self._planned[key].id) for key, was in had.items()}

    def _identity_at(self, key: int) -> StoredIdentity | Tombstone | None:
        return self._planned.get(key) or self._stored[key]

    def _probe_key(self, environment: str, message_id: str) -> int:
        key = identity_key(environment, message_id)
        while True:
            if key not in self._stored:
                raise UnknownKeys({key})
            stored = self._identity_at(key)
            # a tombstone takes no place: of two removed identities with one key, the later one stays known
            if not isinstance(stored, StoredIdentity):
                return key
            if stored.message_id == message_id and stored.environment == environment:
                return key
            key = (key + 1) & KEY_MASK


class InsertPlan:
    """The deliveries that one `add` will store; ids as in PlannedIdentities."""

    def __init__(self, known: KnownIdentities) -> None:
        self.identities = PlannedIdentities(known)
        self.entries: list[NewDelivery] = []
        self.columns: EntryColumns | None = None
        """The entries as they came, if all of them are stored unchanged: their payloads may be packed already."""
        self.origins: list[int | None] = []
        self._added: list[AddResult] = []

    def add(self, entry: NewDelivery) -> None:
        """Decide about one entry. Raises UnknownKeys."""
        known = self.identities.find(entry.environment, entry.message_id, entry)
        if known is None:
            self._store_entry(entry, "new", entry.origin_id)
            return
        relation = classify_duplicate(known, entry)
        if relation == "known":
            self._added.append(
                AddResult(known.id, "known", known.state, known.reason, known.endpoint != entry.endpoint)
            )
        elif relation == "takes-over":
            self._store_entry(entry, "new", known.id)
        elif relation == "tie":
            self.add(with_message_id(entry, tie_message_id(entry)))
        else:
            self._add_other_content(entry, known, relation)

    def _add_other_content(self, entry: NewDelivery, stored: StoredIdentity, relation: AddOutcome) -> None:
        withheld = as_withheld(entry, stored, relation)
        other = self.identities.find(withheld.environment, withheld.message_id, withheld)
        if other is not None and not takes_over_identity(other, entry):
            self._added.append(
                AddResult(other.id, "known", other.state, other.reason, other.endpoint != entry.endpoint)
            )
        else:
            self._store_entry(withheld, relation, stored.id)

    def _store_entry(self, entry: NewDelivery, outcome: AddOutcome, origin: int | None) -> None:
        known = self.append(entry, origin)
        self._added.append(AddResult(known.id, outcome, known.state, known.reason))

    def append(self, entry: NewDelivery, origin: int | None, *, identified: bool = True) -> StoredIdentity:
        """Plan a delivery, which holds its identity if `identified`. Raises UnknownKeys."""
        known = StoredIdentity(
            -1 - len(self.entries),
            entry.environment,
            entry.message_id,
            entry.digest,
            entry.question_id,
            entry.updated_at,
            State.WITHHELD if entry.reason else State.QUEUED,
            entry.reason,
            entry.endpoint,
        )
        if identified:
            self.identities.put(known)
        self.entries.append(entry)
        self.origins.append(origin or None)
        return known

    def results(self, first: int) -> list[AddResult]:
        """The results for the entries, after the plan was stored with ids from `first` on."""
        return with_real_ids(self._added, first)


def with_real_ids(added: Sequence[AddResult], first: int) -> list[AddResult]:
    """The results with real ids, for a plan that was stored with ids from `first` on."""
    return [replace(result, id=first - 1 - result.id) if result.id < 0 else result for result in added]


def identity_keys(entries: Iterable[NewDelivery]) -> set[int]:
    """The keys of the entries, without collisions."""
    return {identity_key(entry.environment, entry.message_id) for entry in entries}


_SELECT_IDENTITIES = (
    f"SELECT {IDENTITY_COLUMNS}, i.key, NULL::bytea FROM ids i JOIN deliveries d ON d.id = i.delivery"
    " JOIN environments e ON e.id = d.environment WHERE i.key = ANY ($1::bigint[])"
    " UNION ALL SELECT 0, '', '', '', '', 0, 0::smallint, '', '', key, fingerprint FROM tombstones"
    " WHERE key = ANY ($2::bigint[])"
    " UNION ALL SELECT coalesce(max(seq), 0), '', '', '', '', 0, 0::smallint, '', '', -1, NULL FROM tombstone_filter"
)
"""Deliveries, tombstones and the last row of the filter, in one statement: between two, one may become the other."""


async def find_identities(
    connection: asyncpg.Connection, keys: set[int], known_filter: TombstoneFilter | None = None
) -> KnownIdentities:
    """The stored identities and the tombstones with these keys; None for free keys.

    With a filter only those that may have a tombstone are looked up as such.
    """
    wanted = known_filter is not None and known_filter.is_wanted(len(keys))
    while True:
        seq = known_filter.seq if known_filter is not None else 0
        removed = known_filter.candidates(keys) if wanted and known_filter is not None and seq else keys
        rows = await connection.fetch(_SELECT_IDENTITIES, sorted(keys), sorted(removed))
        if not wanted or known_filter is None or seq == next(row[0] for row in rows if row[9] < 0):
            return _identities_from_rows(keys, rows)
        await tombstone_filter.follow(connection, known_filter)


def _identities_from_rows(keys: set[int], rows: Sequence[asyncpg.Record]) -> KnownIdentities:
    known: KnownIdentities = dict.fromkeys(keys)
    for row in rows:
        key, fingerprint = row[9], row[10]
        if key < 0:
            continue
        if fingerprint is None:
            known[key] = identity_from_row(row)
        elif known[key] is None:
            known[key] = Tombstone(fingerprint)
    return known


async def make_plan(
    connection: asyncpg.Connection, entries: Sequence[NewDelivery], known_filter: TombstoneFilter
) -> InsertPlan:
    """Decide about entries, looking up what is needed for it."""
    records = list(entries)
    known = await find_identities(connection, identity_keys(records), known_filter)
    while True:
        plan = InsertPlan(known)
        try:
            for entry in records:
                plan.add(entry)
        except UnknownKeys as unseen:
            known |= await find_identities(connection, unseen.keys)
        else:
            if len(plan.entries) == len(records) and all(map(operator.is_, plan.entries, records)):
                plan.columns = EntryColumns.of(entries)
            return plan


def _as_stored(column: Sequence[Any]) -> Sequence[Any]:
    """A column of texts as PostgreSQL takes them; one of numbers as it is."""
    return [*map(sanitize_text, column)] if isinstance(column[0], str) else column


async def store_plan(
    connection: asyncpg.Connection,
    plan: InsertPlan,
    numbers: Mapping[tuple[str, str], int],
    now: int,
    *,
    priority: int = 0,
    notify: bool = False,
    forget_version: int = 0,
) -> int:
    """Store a plan; returns the id of its first delivery (0 for none).

    Raises UniqueViolationError or SerializationError if another process added the same meanwhile, or if the list of
    forgotten persons changed: plan again then.
    `numbers` are those of (environment, endpoint); with `call_out` those who listen hear of it.
    """
    if not plan.entries:
        return 0
    columns = EntryColumns.of(plan.entries) if plan.columns is None else plan.columns
    column, sizes, packs = columns.column, body_sizes(columns.column("body")), columns.packs()
    fresh, moved = plan.identities.new_keys(), plan.identities.taken_over_keys()
    first: int = await connection.fetchval(
        _CALL_ADD,
        now,
        priority,
        [numbers[place] for place in zip(column("environment"), column("endpoint"), strict=True)],
        [_WITHHELD if reason else _QUEUED for reason in column("reason")],
        sizes,
        plan.origins,
        list(map(sanitize_text, column("message_id"))),
        column("digest") if all(sizes) else list(map(stored_digest, columns)),
        list(map(sanitize_text, column("reason"))),
        *(_as_stored(column(name)) for name in PLAIN_COLUMNS),
        column("edited"),
        list(fresh.keys()),
        list(fresh.values()),
        list(moved.keys()),
        [was for was, _ in moved.values()],
        [at for _, at in moved.values()],
        [*accumulate((one.entries for one in packs[:-1]), initial=0)],
        [one.raws for one in packs],
        [one.bodies for one in packs],
        notify,
        str(forget_version),
    )
    return first
