"""Stored query: the query of a replay job as the journal keeps it.

Versions before the groups read `terms` alone, and ignore keys that they do not know. A query that they could not read
whole is stored in `tree`, beside terms that match nothing: their workers queue nothing, rather than too much.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from sprig_tui.journal.query import ALTERNATIVE_FIELDS, TIME_FIELDS, Group, Node, Query, Term

_FIRST_FIELDS = (*ALTERNATIVE_FIELDS, *TIME_FIELDS, "text")
"""Fields of the first version."""
_MATCH_NONE = (Term("status", "queued"), Term("status", "queued", negated=True))


class _StoredQuery(Struct, frozen=True, omit_defaults=True):
    terms: tuple[Term, ...] = ()
    text: str = ""
    tree: tuple[Term | Group, ...] | None = None


def encode_query(query: Query) -> bytes:
    """The query as JSON."""
    terms = tuple(
        node for node in query.terms if isinstance(node, Term) and node.field in _FIRST_FIELDS and not node.literal
    )
    if len(terms) == len(query.terms):
        return msgspec.json.encode(_StoredQuery(terms, query.text))
    return msgspec.json.encode(_StoredQuery(_MATCH_NONE, query.text, query.terms))


def decode_query(data: bytes) -> Query:
    """A stored query of this version or an older one."""
    stored = msgspec.json.decode(data, type=_StoredQuery)
    nodes: tuple[Node, ...] = stored.terms if stored.tree is None else stored.tree
    return Query(nodes, stored.text)
