"""A Query as an SQL condition on `deliveries d JOIN environments e`."""

from __future__ import annotations

from collections.abc import Callable

from sprig_tui.journal.query import Query, Term
from sprig_tui.journal.records import State
from sprig_tui.journal.rows import STATE_CODES

_TEXT_COLUMNS = ("survey_name", "user_id", "answer", "error", "reason", "detail", "source", "message_id")

SqlCondition = tuple[str, list[str | int]]


def sqlite_condition(query: Query) -> SqlCondition:
    """The condition and its parameters; `1` for a query without terms."""
    clauses: list[str] = []
    parameters: list[str | int] = []
    alternatives: dict[str, list[SqlCondition]] = {}
    for term in query.terms:
        condition = _CONDITIONS[term.field](term)
        if term.negated:
            clauses.append(f"NOT ({condition[0]})")
            parameters += condition[1]
        elif term.field in ("text", "since", "until"):
            clauses.append(f"({condition[0]})")
            parameters += condition[1]
        else:
            alternatives.setdefault(term.field, []).append(condition)
    for conditions in alternatives.values():
        clauses.append("(" + " OR ".join(sql for sql, _ in conditions) + ")")
        for _, values in conditions:
            parameters += values
    return " AND ".join(clauses) or "1", parameters


def _status(term: Term) -> SqlCondition:
    value = term.value
    if value in STATE_CODES:
        number = STATE_CODES[State(value)]
        # spelled out for ended states, so that the planner may use the index over them
        return (f"d.state = {number} AND d.state >= 2" if number >= 2 else f"d.state = {number}"), []
    low, high = (int(value[0]) * 100, int(value[0]) * 100 + 99) if value.endswith("xx") else (int(value), int(value))
    # never NULL, so that its negation holds for what was never sent
    sent = "d.attempt IN (SELECT id FROM attempts WHERE status BETWEEN ? AND ?)"
    return f"d.attempt IS NOT NULL AND {sent}", [low, high]


def _like(column: str, value: str) -> SqlCondition:
    """Contains, in any case: LIKE folds ASCII alone, so other alphabets are asked for in each of their cases."""
    if "\0" in value:  # LIKE reads a pattern up to its first NUL, and would match everything
        return "0", []
    forms = {value} if value.isascii() else {value, value.lower(), value.upper(), value.title()}
    return (
        " OR ".join([f"d.{column} LIKE ? ESCAPE '\\'"] * len(forms)),
        [f"%{_escaped(form)}%" for form in sorted(forms)],
    )


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _survey(term: Term) -> SqlCondition:
    sql, values = _like("survey_name", term.value)
    return f"d.survey_id = ? OR {sql}", [term.value, *values]


def _user(term: Term) -> SqlCondition:
    if term.value.endswith("*") and "\0" not in term.value:
        return "d.user_id LIKE ? ESCAPE '\\'", [_escaped(term.value[:-1]) + "%"]
    return "d.user_id = ?", [term.value]


def _id(term: Term) -> SqlCondition:
    if term.value.isascii() and term.value.isdigit() and len(term.value) < 19:
        return "d.id = ?", [int(term.value)]
    if "\0" in term.value:
        return "0", []
    return "d.message_id LIKE ? ESCAPE '\\'", [_escaped(term.value) + "%"]


def _origin(term: Term) -> SqlCondition:
    # never NULL, so that its negation holds for what was made of nothing
    return "d.origin IS NOT NULL AND d.origin = ?", [int(term.value)]


def _endpoint(term: Term) -> SqlCondition:
    if "\0" in term.value:
        return "0", []
    value = f"%{_escaped(term.value)}%"
    sent = "d.attempt IN (SELECT id FROM attempts WHERE endpoint LIKE ? ESCAPE '\\')"
    return f"e.endpoint LIKE ? ESCAPE '\\' OR d.attempt IS NOT NULL AND {sent}", [value, value]


def _text(term: Term) -> SqlCondition:
    parts = [_like(column, term.value) for column in _TEXT_COLUMNS]
    return " OR ".join(sql for sql, _ in parts), [value for _, values in parts for value in values]


_CONDITIONS: dict[str, Callable[[Term], SqlCondition]] = {
    "status": _status,
    "reason": lambda term: ("d.reason = ?", [term.value]),
    "env": lambda term: ("e.name = ?", [term.value]),
    "survey": _survey,
    "user": _user,
    "id": _id,
    "origin": _origin,
    "endpoint": _endpoint,
    "since": lambda term: ("d.added_at >= ?", [int(term.value)]),
    "until": lambda term: ("d.added_at < ?", [int(term.value)]),
    "text": _text,
}
