"""Block filter: tells from the kept counts of a block that none of its deliveries matches a query.

A search reads from the newest delivery on, and what is rare or not there at all makes it read everything. The counts
tell environment, state, reason, status and endpoint of all deliveries of a block, and its traits the rest that is known
here. Each condition is true, false or unknown (None) for a group of deliveries that are counted together; a block is
left out only where the query is false for each of its groups.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec
from msgspec import Struct

from sprig_tui.journal.block_counts import BLOCK_IDS, BlockTraits, user_mark
from sprig_tui.journal.query import Node, Query, Term, compares, iter_terms, split_comparison
from sprig_tui.journal.records import State
from sprig_tui.journal.rows import STATES_BY_CODE

_KNOWN_FIELDS = frozenset(
    {"status", "reason", "env", "survey-id", "user", "endpoint", "since", "until", "is", "attempts", "latency", "size"}
)
_ONLY_QUEUED = frozenset({"waiting", "retrying", "in-flight", "held"})
_ONLY_ENDED_BADLY = frozenset({"repaired"})
_GroupRow = tuple[int, int, str, int, str, int]


class BlockFacts(Struct, array_like=True, gc=False):
    """What a search reads of BlockCounts."""

    first_at: int
    last_at: int
    arrivals: msgspec.Raw
    surveys: list[tuple[int, int, int, int, int]]
    ends: list[_GroupRow]
    answers: msgspec.Raw
    traits: BlockTraits | None = None


decode_facts = msgspec.msgpack.Decoder(BlockFacts).decode


class BlockFilter:
    """The filter of one query."""

    def __init__(self, query: Query, places: Mapping[int, tuple[str, str]], surveys: Mapping[int, str]) -> None:
        """`places` are name and endpoint of the environments by their numbers, `surveys` the counted survey ids."""
        self._terms = query.terms
        self._places = places
        self._surveys = surveys
        self._traits: dict[int, bool | None] = {}
        """What the traits of the block at hand tell of each term, by the term's identity."""

    @staticmethod
    def helps(query: Query) -> bool:
        """Whether blocks can be told apart by one of the query's conditions."""
        return any(term.field in _KNOWN_FIELDS for term in iter_terms(query.terms))

    def can_match(self, content: bytes) -> bool:
        """Whether a delivery of the block with these kept counts can match; True for counts that cannot be read."""
        try:
            facts = decode_facts(content)
        except msgspec.DecodeError:
            return True
        self._traits.clear()
        return any(self._all_of(self._terms, facts, row) is not False for row in facts.ends)

    def ranges(self, kept: Iterable[tuple[int, bytes]], low: int, high: int, *, older: bool) -> list[tuple[int, int]]:
        """The ranges of ids from `low` to `high` without the kept blocks that cannot match, `older` from the newest on.

        `kept` are the blocks between them that have not changed since they were counted, with their counts.
        """
        skipped = {block for block, content in kept if not self.can_match(content)}
        ranges: list[tuple[int, int]] = []
        for block in range(low // BLOCK_IDS, high // BLOCK_IDS + 1):
            if block not in skipped:
                begin, end = max(low, block * BLOCK_IDS), min(high, (block + 1) * BLOCK_IDS - 1)
                if ranges and ranges[-1][1] == begin - 1:
                    ranges[-1] = (ranges[-1][0], end)
                else:
                    ranges.append((begin, end))
        return ranges[::-1] if older else ranges

    def _all_of(self, nodes: Collection[Node], facts: BlockFacts, row: _GroupRow) -> bool | None:
        found: bool | None = True
        alternatives: dict[str, bool | None] = {}
        for node in nodes:
            if isinstance(node, Term):
                one = self._term(node, facts, row)
            else:
                one = False
                for branch in node.branches:
                    one = _either(one, self._all_of(branch, facts, row))
            if node.negated:
                one = None if one is None else not one
            if isinstance(node, Term) and node.is_alternative:
                alternatives[node.field] = _either(alternatives.get(node.field, False), one)
            else:
                found = _both(found, one)
        for one in alternatives.values():
            found = _both(found, one)
        return found

    def _term(self, term: Term, facts: BlockFacts, row: _GroupRow) -> bool | None:  # noqa: C901, PLR0911 - a case per field
        value, state = term.value, STATES_BY_CODE[row[1]]
        name, bound_for = self._places.get(row[0], (None, None))
        match term.field:
            case "env":
                return None if name is None else name == value
            case "since":
                return _known(facts.first_at >= int(value), facts.last_at < int(value))
            case "until":
                return _known(facts.last_at < int(value), facts.first_at >= int(value))
            case "endpoint":
                return _endpoint(term, row[4], bound_for)
            case "is":
                if value in set(State):
                    return state == value
                if value in _ONLY_ENDED_BADLY:
                    return None if state in (State.FAILED, State.WITHHELD) else False
                return False if value in _ONLY_QUEUED and state is not State.QUEUED else None
            case "status" if value in set(State):
                return state == value
            case "reason" if state is State.WITHHELD:
                return row[2] == value
            case "survey-id":
                return self._survey_id(term, facts)
        if facts.traits is None:
            return None
        if id(term) not in self._traits:
            self._traits[id(term)] = _trait(term, facts.traits)
        return self._traits[id(term)]

    def _survey_id(self, term: Term, facts: BlockFacts) -> bool | None:
        ids = {self._surveys.get(survey) for _, _, survey, _, _ in facts.surveys}
        if None in ids:  # those that are counted together
            return None
        return None if (any(ids) if term.is_any else term.value in ids) else False


def _endpoint(term: Term, sent_to: str, bound_for: str | None) -> bool | None:
    """False where neither URL meets the condition; `bound_for` is None where it is not known."""
    if bound_for is None:
        return None
    if term.whole_url:
        return None if term.whole_url in (sent_to, bound_for) else False
    # SQL folds ASCII letters alone, so that only what is not in here is certain
    part = term.value.lower()
    is_out = term.value.isascii() and part not in sent_to.lower() and part not in bound_for.lower()
    return False if is_out else None


def _trait(term: Term, traits: BlockTraits) -> bool | None:
    """False for a condition that no delivery of the block meets."""
    value = term.value
    match term.field:
        case "status":
            first = value[0] if value.endswith("xx") else value
            statuses = (str(status) for status in traits.statuses)
            found = any(status == first or (value.endswith("xx") and status[0] == first) for status in statuses)
        case "reason":
            found = value in traits.reasons
        case "user":
            found = term.is_prefix or user_mark(value) in traits.users
        case "attempts":
            found = _reaches(value, traits.attempts)
        case "latency":
            found = _reaches(value, traits.latency_ms)
        case "size":
            found = _reaches(value, traits.size)
        case _:
            return None
    return None if found else False


def _reaches(comparison: str, most: float) -> bool:
    """Whether a number up to `most` can meet the comparison."""
    sign, number = split_comparison(comparison)
    if sign == "=":
        return int(number) <= most
    return sign.startswith("<") or compares(comparison, most)


def _known(is_true: bool, is_false: bool) -> bool | None:
    return True if is_true else False if is_false else None


def _both(one: bool | None, other: bool | None) -> bool | None:
    if one is False or other is False:
        return False
    return None if one is None or other is None else True


def _either(one: bool | None, other: bool | None) -> bool | None:
    if one is True or other is True:
        return True
    return None if one is None or other is None else False
