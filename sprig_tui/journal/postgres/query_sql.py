"""A Query as an SQL condition on `deliveries d JOIN environments e`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sprig_tui.journal.postgres.connection import sanitize_text
from sprig_tui.journal.query import Query, Term
from sprig_tui.journal.records import State
from sprig_tui.journal.rows import STATE_CODES

_TEXT_COLUMNS = ("survey_name", "user_id", "answer", "error", "reason", "detail", "source", "message_id")
_MAX_BIGINT = (1 << 63) - 1

AddPlaceholder = Callable[[Any], str]
"""Takes a value, and gives the placeholder that stands for it."""


def postgres_condition(query: Query, values: list[Any]) -> str:
    """The condition, `true` for a query without terms; the values of its placeholders are put behind `values`."""

    def place(value: Any) -> str:
        values.append(value)
        return f"${len(values)}"

    clauses: list[str] = []
    alternatives: dict[str, list[str]] = {}
    for term in query.terms:
        condition = _CONDITIONS[term.field](term, place)
        if term.negated:
            clauses.append(f"NOT ({condition})")
        elif term.field in ("text", "since", "until"):
            clauses.append(f"({condition})")
        else:
            alternatives.setdefault(term.field, []).append(condition)
    clauses += ["(" + " OR ".join(conditions) + ")" for conditions in alternatives.values()]
    return " AND ".join(clauses) or "true"


def _status(term: Term, place: AddPlaceholder) -> str:
    value = term.value
    if value in STATE_CODES:
        return f"d.state = {STATE_CODES[State(value)]}"
    low, high = (int(value[0]) * 100, int(value[0]) * 100 + 99) if value.endswith("xx") else (int(value), int(value))
    # never NULL, so that its negation holds for what was never sent
    return (
        "d.attempt IS NOT NULL"
        f" AND d.attempt IN (SELECT id FROM attempts WHERE status BETWEEN {place(low)} AND {place(high)})"
    )


def _like(column: str, value: str, place: AddPlaceholder) -> str:
    """Contains, in any case: in a database without a locale ILIKE folds ASCII alone, so each case is asked for."""
    value = sanitize_text(value)
    forms = {value} if value.isascii() else {value, value.lower(), value.upper(), value.title()}
    return " OR ".join(f"d.{column} ILIKE {place(f'%{_escaped(form)}%')}" for form in sorted(forms))


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _survey(term: Term, place: AddPlaceholder) -> str:
    return f"d.survey_id = {place(sanitize_text(term.value))} OR {_like('survey_name', term.value, place)}"


def _user(term: Term, place: AddPlaceholder) -> str:
    value = sanitize_text(term.value)
    if value.endswith("*"):
        return f"d.user_id ILIKE {place(_escaped(value[:-1]) + '%')}"
    return f"d.user_id = {place(value)}"


def _id(term: Term, place: AddPlaceholder) -> str:
    if term.value.isascii() and term.value.isdigit() and int(term.value) <= _MAX_BIGINT:
        return f"d.id = {place(int(term.value))}"
    return f"d.message_id ILIKE {place(_escaped(sanitize_text(term.value)) + '%')}"


def _origin(term: Term, place: AddPlaceholder) -> str:
    # never NULL, so that its negation holds for what was made of nothing
    return f"d.origin IS NOT NULL AND d.origin = {place(int(term.value))}"


def _endpoint(term: Term, place: AddPlaceholder) -> str:
    value = place(f"%{_escaped(sanitize_text(term.value))}%")
    return (
        f"e.endpoint ILIKE {value} OR d.attempt IS NOT NULL"
        f" AND d.attempt IN (SELECT id FROM attempts WHERE endpoint ILIKE {value})"
    )


def _text(term: Term, place: AddPlaceholder) -> str:
    return " OR ".join(_like(column, term.value, place) for column in _TEXT_COLUMNS)


def _clamp_bigint(value: str) -> int:
    return max(-_MAX_BIGINT, min(int(value), _MAX_BIGINT))


_CONDITIONS: dict[str, Callable[[Term, AddPlaceholder], str]] = {
    "status": _status,
    "reason": lambda term, place: f"d.reason = {place(sanitize_text(term.value))}",
    "env": lambda term, place: f"e.name = {place(sanitize_text(term.value))}",
    "survey": _survey,
    "user": _user,
    "id": _id,
    "origin": _origin,
    "endpoint": _endpoint,
    "since": lambda term, place: f"d.added_at >= {place(_clamp_bigint(term.value))}",
    "until": lambda term, place: f"d.added_at < {place(_clamp_bigint(term.value))}",
    "text": _text,
}
