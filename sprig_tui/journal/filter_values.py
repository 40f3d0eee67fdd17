"""Filter values: what stands after the colon of a field, as terms of a Query."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from sprig_tui.errors import FilterError
from sprig_tui.journal.filter_fields import FilterField
from sprig_tui.journal.moments import RANGE_MARK, parse_moment, parse_range
from sprig_tui.journal.query import ALTERNATIVE_FIELDS, Group, Node, Term
from sprig_tui.segment.limits import ENDPOINT_URLS

MAX_NUMBER = 1 << 53
"""Larger numbers are an error: no count, latency or size is as large."""

_LITERAL_FIELDS = ("text", "endpoint")
"""Kinds of fields whose values are taken as they are where they are in quotes."""
_STATUS = re.compile(r"[1-5](?:\d\d|xx)")
_NUMBER = re.compile(r"(>=|<=|>|<|=)?\s*(\d{1,15}(?:\.\d{1,6})?)\s*([a-z]*)", re.IGNORECASE)
_UNITS: dict[str, dict[str, float]] = {
    "attempts": {"": 1},
    "latency": {"": 1, "ms": 1, "s": 1_000, "m": 60_000},
    "size": {"": 1, "b": 1, "kb": 1024, "mb": 1024 * 1024},
}
"""Factor of each unit, by field."""


def parse_values(
    field: FilterField, value: str, position: int, now_ms: int, *, negated: bool, literal: bool = False
) -> list[Node]:
    """The terms of a value or of a list of values; `position` is where they begin. Raises FilterError.

    In a `literal` value of a text, `*`, `=` and names of regions mean themselves.
    """
    if literal and field.kind in _LITERAL_FIELDS and value.strip():
        return [_literal_term(field, value, negated=negated)]
    values = value.split(",") if field.lists else [value]
    if not any(item.strip() for item in values):
        # without this term the filter would match more than intended
        raise FilterError(f"{field.name}: needs a value", position=position, hint=_example(field))
    parse = _PARSERS[field.kind]
    parsed: list[tuple[Term, ...]] = []
    for item in values:
        if item.strip():
            try:
                parsed.append(parse(field, item, now_ms))
            except FilterError as error:
                raise FilterError(f"{field.name}: {error.message}", position=position, hint=error.hint) from error
    return _joined(parsed, negated=negated)


def _literal_term(field: FilterField, value: str, *, negated: bool) -> Term:
    (term,) = _parse_text(field, value, 0) if field.kind == "text" else (Term("endpoint", value),)
    has_sign = {"user": term.is_prefix, "survey-id": term.is_any, "endpoint": bool(term.whole_url)}
    return replace(term, negated=negated, literal=has_sign.get(term.field, False))


def _joined(parsed: Sequence[tuple[Term, ...]], *, negated: bool) -> list[Node]:
    """One of several values has to match, or with `negated` none of them."""
    if negated:
        return [
            Term(terms[0].field, terms[0].value, negated=True) if len(terms) == 1 else Group((terms,), negated=True)
            for terms in parsed
        ]
    if len(parsed) == 1 or all(terms[0].field in ALTERNATIVE_FIELDS for terms in parsed):
        return [term for terms in parsed for term in terms]
    return [Group(tuple(parsed))]


def _parse_text(field: FilterField, value: str, _now_ms: int) -> tuple[Term, ...]:
    return (Term(field.name, value.lower() if field.name == "env" else value),)  # type: ignore[arg-type] # one of FIELDS


def _parse_status(field: FilterField, value: str, _now_ms: int) -> tuple[Term, ...]:
    value = value.lower()
    if not _STATUS.fullmatch(value):
        _check_choice(field, value, " (or an HTTP status such as 400 or 4xx)")
    return (Term("status", value),)


def _parse_choice(field: FilterField, value: str, _now_ms: int) -> tuple[Term, ...]:
    _check_choice(field, value.lower())
    return (Term(field.name, value.lower()),)  # type: ignore[arg-type] # one of FIELDS


def _check_choice(field: FilterField, value: str, more: str = "") -> None:
    if value not in field.choices:
        near = difflib.get_close_matches(value, field.choices, n=1)
        hint = f"did you mean {near[0]}?" if near else "one of: " + ", ".join(field.choices)
        raise FilterError(f"cannot be {value[:80]!r}", position=0, hint=hint + more)


def _parse_delivery(_field: FilterField, value: str, _now_ms: int) -> tuple[Term, ...]:
    if value.isascii() and value.isdigit() and len(value) < 19:
        return (Term("origin", str(int(value))),)
    raise FilterError(f"cannot be {value[:80]!r}", position=0, hint="write the number of a delivery: origin:41")


def _parse_endpoint(_field: FilterField, value: str, _now_ms: int) -> tuple[Term, ...]:
    return (Term("endpoint", ENDPOINT_URLS.get(value.strip().lower(), value)),)


def _parse_moment(field: FilterField, value: str, now_ms: int) -> tuple[Term, ...]:
    return (Term(field.name, str(parse_moment(value, now_ms))),)  # type: ignore[arg-type] # one of FIELDS


def _parse_period(field: FilterField, value: str, now_ms: int) -> tuple[Term, ...]:
    since, until = parse_range(value, now_ms)
    terms = []
    if since is not None:
        terms.append(Term("since" if field.name == "arrived" else "sent-since", str(since)))
    if until is not None:
        terms.append(Term("until" if field.name == "arrived" else "sent-until", str(until)))
    return tuple(terms)


def _parse_number(field: FilterField, value: str, _now_ms: int) -> tuple[Term, ...]:
    first, mark, last = value.partition(RANGE_MARK)
    if not mark:
        sign, number = _number(field, value)
        return (_number_term(field, sign, number),)
    terms = [
        _number_term(field, sign, _number(field, part, plain=True)[1])
        for sign, part in ((">=", first), ("<=", last))
        if part.strip()
    ]
    if not terms:
        raise FilterError("a range needs a beginning or an end", position=0, hint=_example(field))
    if len(terms) == 2 and int(terms[0].value[2:]) > int(terms[1].value[2:]):
        raise FilterError("the range ends before it begins", position=0, hint="the smaller number comes first: 2..4")
    return tuple(terms)


def _number(field: FilterField, value: str, *, plain: bool = False) -> tuple[str, float]:
    """Sign and number, in the unit of the field."""
    match = _NUMBER.fullmatch(value.strip())
    units = _UNITS[field.name]
    factor = units.get(match[3].lower()) if match else None
    if match is None or factor is None or (plain and match[1]):
        named = ", ".join(unit for unit in units if unit)
        hint = f"write {_example(field)}" + (f"; units are {named}" if named else "")
        raise FilterError(f"cannot be {value[:80]!r}", position=0, hint=hint)
    number = float(match[2]) * factor
    if number > MAX_NUMBER:
        raise FilterError(f"cannot be {value[:80]!r}", position=0, hint="use a smaller number")
    return match[1] or "=", number


def _number_term(field: FilterField, sign: str, number: float) -> Term:
    """A comparison with a whole number that means the same for whole numbers: > 1.5 is >= 2."""
    if not number.is_integer():
        if sign == "=":
            raise FilterError(f"cannot be {number:g}", position=0, hint=f"write a whole number: {_example(field)}")
        number, sign = (math.ceil(number), ">=") if sign[0] == ">" else (math.floor(number), "<=")
    return Term(field.name, f"{sign}{int(number)}")  # type: ignore[arg-type] # one of FIELDS


def _example(field: FilterField) -> str:
    return field.example if field.kind not in ("text", "choice") else f"{field.name}:VALUE"


_PARSERS: dict[str, Callable[[FilterField, str, int], tuple[Term, ...]]] = {
    "text": _parse_text,
    "status": _parse_status,
    "choice": _parse_choice,
    "condition": _parse_choice,
    "number": _parse_number,
    "moment": _parse_moment,
    "period": _parse_period,
    "delivery": _parse_delivery,
    "endpoint": _parse_endpoint,
}
