"""Adding entries: what each is to what is known is decided here, and stored by one call of the server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import asyncpg
from msgspec.structs import replace

from sprig_tui.journal.columns import NUMBERS
from sprig_tui.journal.identity import (
    KNOWN,
    MASK,
    Known,
    key_of,
    known_of,
    relate,
    renamed,
    set_apart,
    tie_message_id,
    yields,
)
from sprig_tui.journal.packing import pack, stretches, tags_of
from sprig_tui.journal.postgres.texts import storable
from sprig_tui.journal.records import Added, AddedAs, Entry, State

_QUEUED, _WITHHELD = NUMBERS[State.QUEUED], NUMBERS[State.WITHHELD]
_CALL = (
    "SELECT add_deliveries($1, $2::smallint, $3::integer[], $4::smallint[], $5::integer[], $6::bigint[], $7::text[],"
    " $8::bytea[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[],"
    " $16::text[], $17::bigint[], $18::bigint[], $19::text[], $20::bigint[], $21::boolean[], $22::bigint[],"
    " $23::integer[], $24::bigint[], $25::bigint[], $26::integer[], $27::integer[], $28::bytea[], $29::bytea[],"
    " $30::boolean)"
)


class Unseen(Exception):  # noqa: N818 - no error: it says what has to be looked up first
    """Whether these keys are known has to be asked before a decision."""

    def __init__(self, keys: set[int]) -> None:
        super().__init__(keys)
        self.keys = keys


class Identities:
    """What stands at the keys that were asked for, and what a plan adds on top of it.

    A delivery that is planned has no id yet: below zero stands -1 less its position in the plan.
    """

    def __init__(self, known: dict[int, Known | None]) -> None:
        self._known = known
        self._planned: dict[int, Known] = {}

    def find(self, environment: str, message_id: str) -> Known | None:
        """The delivery that stands for an identity. Raises Unseen."""
        return self._at(self._probe(environment, message_id))

    def put(self, known: Known) -> None:
        """This planned delivery stands for its identity from now on. Raises Unseen."""
        self._planned[self._probe(known.environment, known.message_id)] = known

    def fresh(self) -> dict[int, int]:
        """Key -> position, of identities that nothing stood for."""
        return {key: -1 - one.id for key, one in self._planned.items() if self._known[key] is None}

    def moved(self) -> dict[int, tuple[int, int]]:
        """Key -> (delivery that stood for it, position of the one that takes it over)."""
        had = {key: before.id for key in self._planned if (before := self._known[key]) is not None}
        return {key: (was, -1 - self._planned[key].id) for key, was in had.items()}

    def _at(self, key: int) -> Known | None:
        return self._planned.get(key) or self._known[key]

    def _probe(self, environment: str, message_id: str) -> int:
        key = key_of(environment, message_id)
        while True:
            if key not in self._known:
                raise Unseen({key})
            there = self._at(key)
            if there is None or (there.message_id == message_id and there.environment == environment):
                return key
            key = (key + 1) & MASK


class Plan:
    """What one `add` will store, decided without the server; ids below zero as in Identities."""

    def __init__(self, known: dict[int, Known | None]) -> None:
        self.identities = Identities(known)
        self.entries: list[Entry] = []
        self.origins: list[int | None] = []
        self._added: list[Added] = []

    def add(self, entry: Entry) -> None:
        """Decide about one entry. Raises Unseen."""
        known = self.identities.find(entry.environment, entry.message_id)
        if known is None:
            self._store(entry, "new", None)
            return
        relation = relate(known, entry)
        if relation == "known":
            self._added.append(Added(known.id, "known", known.state, known.reason, known.endpoint != entry.endpoint))
        elif relation == "takes-over":
            self._store(entry, "new", known.id)
        elif relation == "tie":
            self.add(renamed(entry, tie_message_id(entry)))
        else:
            self._other_content(entry, known, relation)

    def _other_content(self, entry: Entry, known: Known, relation: AddedAs) -> None:
        withheld = set_apart(entry, known, relation)
        there = self.identities.find(withheld.environment, withheld.message_id)
        if there is not None and not yields(there, entry):
            known_as = Added(there.id, "known", there.state, there.reason, there.endpoint != entry.endpoint)
            self._added.append(known_as)
        else:
            self._store(withheld, relation, known.id)

    def _store(self, entry: Entry, outcome: AddedAs, origin: int | None) -> None:
        known = self.append(entry, origin)
        self._added.append(Added(known.id, outcome, known.state, known.reason))

    def append(self, entry: Entry, origin: int | None, *, identified: bool = True) -> Known:
        """Plan a delivery, which then stands for its identity unless it is a mere copy. Raises Unseen."""
        known = Known(
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
        self.origins.append(origin)
        return known

    def outcome(self, first: int) -> list[Added]:
        """What became of the entries, once the plan was stored from id `first` on."""
        return numbered(self._added, first)


def numbered(added: Sequence[Added], first: int) -> list[Added]:
    """The same, with real ids for what is part of a plan that was stored from id `first` on."""
    return [replace(one, id=first - 1 - one.id) if one.id < 0 else one for one in added]


def keys_of(entries: Iterable[Entry]) -> set[int]:
    """The keys under which these are looked for first."""
    return {key_of(entry.environment, entry.message_id) for entry in entries}


async def lookup(connection: asyncpg.Connection, keys: set[int]) -> dict[int, Known | None]:
    """What stands at these keys."""
    rows = await connection.fetch(
        f"SELECT {KNOWN}, i.key FROM ids i JOIN deliveries d ON d.id = i.delivery"
        " JOIN environments e ON e.id = d.environment WHERE i.key = ANY ($1::bigint[])",
        list(keys),
    )
    known: dict[int, Known | None] = dict.fromkeys(keys)
    for row in rows:
        known[row["key"]] = known_of(row)
    return known


async def planned(connection: asyncpg.Connection, entries: Sequence[Entry]) -> Plan:
    """Decide about entries, looking up what is needed for it."""
    known = await lookup(connection, keys_of(entries))
    while True:
        plan = Plan(known)
        try:
            for entry in entries:
                plan.add(entry)
        except Unseen as unseen:
            known |= await lookup(connection, unseen.keys)
        else:
            return plan


async def store(
    connection: asyncpg.Connection,
    plan: Plan,
    numbers: Mapping[tuple[str, str], int],
    now: int,
    *,
    priority: int = 0,
    call_out: bool = False,
) -> int:
    """Store a plan; returns the id of its first delivery (0 for none).

    Raises UniqueViolationError or SerializationError when another added the same meanwhile: plan anew then.
    `numbers` are those of (environment, endpoint); with `call_out` those who listen hear of it.
    """
    entries = plan.entries
    if not entries:
        return 0
    packed = stretches([len(entry.raw) + len(entry.body) for entry in entries])
    fresh, moved = plan.identities.fresh(), plan.identities.moved()
    first: int = await connection.fetchval(
        _CALL,
        now,
        priority,
        [numbers[entry.environment, entry.endpoint] for entry in entries],
        [_WITHHELD if entry.reason else _QUEUED for entry in entries],
        [len(entry.body) for entry in entries],
        plan.origins,
        [storable(entry.message_id) for entry in entries],
        [entry.digest for entry in entries],
        [storable(entry.reason) for entry in entries],
        [storable(entry.detail) for entry in entries],
        [storable(entry.survey_id) for entry in entries],
        [storable(entry.survey_name) for entry in entries],
        [storable(entry.user_id) for entry in entries],
        [storable(entry.question_type) for entry in entries],
        [storable(entry.question_id) for entry in entries],
        [storable(entry.answer) for entry in entries],
        [entry.answered_at for entry in entries],
        [entry.updated_at for entry in entries],
        [storable(entry.source) for entry in entries],
        [entry.line for entry in entries],
        [entry.edited for entry in entries],
        list(fresh.keys()),
        list(fresh.values()),
        list(moved.keys()),
        [was for was, _ in moved.values()],
        [at for _, at in moved.values()],
        [start for start, _ in packed],
        [pack([entry.raw for entry in entries[start:end]]) for start, end in packed],
        [pack([entry.body for entry in part], tags_of(part)) for part in (entries[start:end] for start, end in packed)],
        call_out,
    )
    return first
