"""Stored queries: older versions read what they can understand, and nothing too wide."""

from __future__ import annotations

from typing import Literal

import msgspec
import pytest
from msgspec import Struct

from sprig_tui.journal.query import Group, Query, Term
from sprig_tui.journal.stored_query import decode_query, encode_query


class _OldTerm(Struct):
    field: Literal["status", "reason", "env", "survey", "user", "id", "origin", "endpoint", "since", "until", "text"]
    value: str
    negated: bool = False


class _OldQuery(Struct):
    terms: tuple[_OldTerm, ...] = ()
    text: str = ""


FAILED = Term("status", "failed")


def test_an_old_job_is_read():
    stored = b'{"terms":[{"field":"status","value":"failed","negated":false}],"text":"status:failed"}'
    assert decode_query(stored) == Query((FAILED,), "status:failed")


def test_an_old_version_reads_a_plain_query():
    old = msgspec.json.decode(encode_query(Query((FAILED, Term("env", "a", negated=True)), "x")), type=_OldQuery)
    assert [(term.field, term.value, term.negated) for term in old.terms] == [
        ("status", "failed", False),
        ("env", "a", True),
    ]


@pytest.mark.parametrize("node", [Group(((FAILED,), (Term("user", "x"),))), Term("is", "edited")])
def test_an_old_version_finds_nothing_by_a_query_that_it_cannot_read(node):
    query = Query((FAILED, node), "x")
    old = msgspec.json.decode(encode_query(query), type=_OldQuery)
    assert {(term.field, term.value) for term in old.terms} == {("status", "queued")}
    assert {term.negated for term in old.terms} == {True, False}
    assert decode_query(encode_query(query)) == query
