"""SQL conditions on `deliveries d JOIN environments e`: the compiler of queries, for every dialect."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from msgspec import Struct

from sprig_tui.journal.query import (
    MAX_ID_DIGITS,
    SEARCHED_FIELDS,
    Node,
    Query,
    Term,
    case_forms,
    split_comparison,
)
from sprig_tui.journal.records import State
from sprig_tui.journal.rows import CONTENT_DROPPED, IS_HELD, IS_REPAIRED, IS_REPLAYED, IS_UNLEASED, STATE_CODES

_MAX_BIGINT = (1 << 63) - 1
_SENT_AT = "SELECT started_at + latency_ms FROM attempts WHERE id = d.attempt AND status > 0"
"""By the delivery's row: its search reads a part of the journal at a time, and must not read all attempts each time."""


class Dialect(Struct, frozen=True, kw_only=True):
    """How a database writes conditions."""

    placeholder: str
    """Of a value by its number, from 1: `:v{}` or `${}`."""
    like: str
    """The operator and the pattern `{}`; it ignores the case of ASCII letters at least."""
    true: str
    false: str
    ended_hint: str = ""
    """Added to a condition on the states failed and withheld, where the planner needs it to use their index."""
    sanitize: Callable[[str], str] = str
    """A text as the database stores it."""


def compile_query(query: Query, dialect: Dialect, values: list[Any]) -> str:
    """The condition, true for a query without terms; the values of its placeholders are appended to `values`."""
    return _Compiler(dialect, values).all_of(query.terms)


class _Compiler:
    def __init__(self, dialect: Dialect, values: list[Any]) -> None:
        self._dialect = dialect
        self._values = values

    def all_of(self, nodes: Collection[Node]) -> str:
        """The condition of a query's nodes, or of those in one branch of a group."""
        clauses: list[str] = []
        alternatives: dict[str, list[str]] = {}
        for node in nodes:
            if isinstance(node, Term):
                condition = _CONDITIONS[node.field](self, node)
            else:
                condition = " OR ".join(f"({self.all_of(branch)})" for branch in node.branches)
            if node.negated:
                clauses.append(f"NOT ({condition})")
            elif isinstance(node, Term) and node.is_alternative:
                alternatives.setdefault(node.field, []).append(condition)
            else:
                clauses.append(f"({condition})")
        clauses += ["(" + " OR ".join(conditions) + ")" for conditions in alternatives.values()]
        return " AND ".join(clauses) or self._dialect.true

    def _add(self, value: str | int) -> str:
        """The placeholder of a value."""
        self._values.append(self._dialect.sanitize(value) if isinstance(value, str) else value)
        return self._dialect.placeholder.format(len(self._values))

    def _like(self, column: str, pattern: str) -> str:
        if "\0" in self._dialect.sanitize(pattern):  # SQLite reads a pattern up to its first NUL, and would match all
            return self._dialect.false
        return f"{column} {self._dialect.like.format(self._add(pattern))}"

    def _contains(self, column: str, value: str) -> str:
        return " OR ".join(self._like(column, f"%{_escaped(form)}%") for form in case_forms(value))

    def status(self, term: Term) -> str:
        value = term.value
        if value in STATE_CODES:
            code = STATE_CODES[State(value)]
            return f"d.state = {code}" + (self._dialect.ended_hint if code >= 2 else "")
        is_class = value.endswith("xx")
        low, high = (int(value[0]) * 100, int(value[0]) * 100 + 99) if is_class else (int(value), int(value))
        # never NULL, so that its negation holds for a delivery that was never sent
        return (
            "d.attempt IS NOT NULL AND d.attempt IN (SELECT id FROM attempts"
            f" WHERE status BETWEEN {self._add(low)} AND {self._add(high)})"
        )

    def reason(self, term: Term) -> str:
        return f"d.reason = {self._add(term.value)}"

    def env(self, term: Term) -> str:
        return f"e.name = {self._add(term.value)}"

    def survey(self, term: Term) -> str:
        return f"d.survey_id = {self._add(term.value)} OR {self._contains('d.survey_name', term.value)}"

    def survey_id(self, term: Term) -> str:
        return "d.survey_id <> ''" if term.is_any else f"d.survey_id = {self._add(term.value)}"

    def user(self, term: Term) -> str:
        if term.is_prefix and "\0" not in self._dialect.sanitize(term.value):
            return " OR ".join(self._like("d.user_id", _escaped(form) + "%") for form in case_forms(term.value[:-1]))
        return f"d.user_id = {self._add(term.value)}"

    def id(self, term: Term) -> str:
        if term.value.isascii() and term.value.isdigit() and len(term.value) <= MAX_ID_DIGITS:
            return f"d.id = {self._add(int(term.value))}"
        return self._like("d.message_id", _escaped(term.value) + "%")

    def origin(self, term: Term) -> str:
        # never NULL, so that its negation holds for a delivery without an origin
        return f"d.origin IS NOT NULL AND d.origin = {self._add(int(term.value))}"

    def endpoint(self, term: Term) -> str:
        whole, pattern = term.whole_url, f"%{_escaped(term.value)}%"
        bound_for, sent_to = (
            f"{column} = {self._add(whole)}" if whole else self._like(column, pattern)
            for column in ("e.endpoint", "endpoint")
        )
        sent = f"d.attempt IN (SELECT id FROM attempts WHERE {sent_to})"
        return f"{bound_for} OR d.attempt IS NOT NULL AND {sent}"

    def since(self, term: Term) -> str:
        return f"d.added_at >= {self._add(_clamped(term.value))}"

    def until(self, term: Term) -> str:
        return f"d.added_at < {self._add(_clamped(term.value))}"

    # never NULL, so that the negation holds for a delivery that was never sent
    def sent_since(self, term: Term) -> str:
        return f"coalesce(({_SENT_AT}) >= {self._add(_clamped(term.value))}, {self._dialect.false})"

    def sent_until(self, term: Term) -> str:
        return f"coalesce(({_SENT_AT}) < {self._add(_clamped(term.value))}, {self._dialect.false})"

    def is_(self, term: Term) -> str:
        return _STATE_CONDITIONS[term.value]

    def attempts(self, term: Term) -> str:
        return self._compare("d.attempts", term.value)

    def latency(self, term: Term) -> str:
        # never NULL, so that the negation holds for a delivery that was never sent
        condition = f"latency_ms > 0 AND {self._compare('latency_ms', term.value)}"
        return f"coalesce((SELECT {condition} FROM attempts WHERE id = d.attempt), {self._dialect.false})"

    def size(self, term: Term) -> str:
        return self._compare("d.size", term.value)

    def _compare(self, column: str, value: str) -> str:
        sign, number = split_comparison(value)
        # a cast, because PostgreSQL would take the number for one as small as the column's
        return f"{column} {sign} CAST({self._add(_clamped(number))} AS bigint)"

    def text(self, term: Term) -> str:
        return " OR ".join(self._contains(f"d.{field}", term.value) for field in SEARCHED_FIELDS)


_CONDITIONS: dict[str, Callable[[_Compiler, Term], str]] = {
    "status": _Compiler.status,
    "reason": _Compiler.reason,
    "env": _Compiler.env,
    "survey": _Compiler.survey,
    "survey-id": _Compiler.survey_id,
    "user": _Compiler.user,
    "id": _Compiler.id,
    "origin": _Compiler.origin,
    "endpoint": _Compiler.endpoint,
    "since": _Compiler.since,
    "until": _Compiler.until,
    "sent-since": _Compiler.sent_since,
    "sent-until": _Compiler.sent_until,
    "is": _Compiler.is_,
    "attempts": _Compiler.attempts,
    "latency": _Compiler.latency,
    "size": _Compiler.size,
    "text": _Compiler.text,
}
_STATE_CONDITIONS = {
    **{state.value: f"d.state = {code}" for state, code in STATE_CODES.items()},
    "waiting": f"d.state = 0 AND {IS_UNLEASED} AND d.due_at = 0",
    "retrying": f"d.state = 0 AND {IS_UNLEASED} AND d.due_at <> 0",
    "in-flight": "d.state = 0 AND d.lease IS NOT NULL",
    "held": IS_HELD,
    "edited": "d.edited",
    "replayed": IS_REPLAYED,
    "repaired": IS_REPAIRED,
    "anonymous": "d.user_id = ''",
    "without-content": f"d.first_try = {CONTENT_DROPPED}",
}
"""Conditions of `is` by its value."""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _clamped(value: str) -> int:
    return max(-_MAX_BIGINT, min(int(value), _MAX_BIGINT))
