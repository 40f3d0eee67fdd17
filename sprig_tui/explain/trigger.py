"""Trigger of a mapping: a small, safe part of Segment's Filter Query Language, evaluated on a payload. Pure.

    type = "track" and (event = "Order Completed" or contains(event, "Survey"))

Known are `and`, `or`, `!`, `not`, parentheses, `=`, `!=`, `<`, `<=`, `>`, `>=`, `in [...]`, paths, texts, numbers,
true, false and null, and `contains` and `match` (with `*` and `?`). Anything else is unknown, and a condition whose
result depends on it has none. Facts: docs.segmentapis.com, Destination Filter Query Language.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import translate
from typing import Any, NamedTuple

MAX_CHARS = 20_000
MAX_DEPTH = 40
"""Levels of parentheses and negations."""
_MAX_GLOB_CHARS = 200
_MAX_GLOB_STARS = 4
"""A glob with more could take too long to match."""

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<number>-?\d+(?:\.\d+)?(?![\w.]))
      | (?P<operator>!=|<=|>=|[=<>!(),\[\]])
      | (?P<word>[A-Za-z_$][\w$-]*(?:\.[\w$-]+)*)
    )""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_LITERALS = {"true": True, "false": False, "null": None}
_COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")


class _Token(NamedTuple):
    kind: str
    text: str


class _SyntaxError(Exception):
    """The condition is no part of the language that is known here."""


_UNKNOWN = object()


def matches(condition: str, payload: Mapping[str, Any]) -> bool | None:
    """Whether the condition holds for a payload; None where that cannot be decided here. Never raises."""
    if not condition.strip() or len(condition) > MAX_CHARS:
        return None
    try:
        parser = _Parser(list(_tokens(condition)), payload)
        result = parser.alternatives(0)
    except _SyntaxError:
        return None
    return result if parser.at_end else None


def _tokens(condition: str) -> Iterator[_Token]:
    position, end = 0, len(condition.rstrip())
    while position < end:
        match = _TOKEN.match(condition, position)
        if match is None or match.lastgroup is None:
            raise _SyntaxError
        yield _Token(match.lastgroup, match[match.lastgroup])
        position = match.end()


class _Parser:
    """Evaluation while reading, with three values: a side that is unknown decides nothing."""

    def __init__(self, tokens: list[_Token], payload: Mapping[str, Any]) -> None:
        self._tokens = tokens
        self._payload = payload
        self._at = 0

    @property
    def at_end(self) -> bool:
        """Whether everything was read."""
        return self._at == len(self._tokens)

    def alternatives(self, depth: int) -> bool | None:
        """Conditions joined by `or`."""
        results = [self._conjunction(depth)]
        while self._take_word("or"):
            results.append(self._conjunction(depth))
        if True in results:
            return True
        return None if None in results else False

    def _conjunction(self, depth: int) -> bool | None:
        results = [self._condition(depth)]
        while self._take_word("and"):
            results.append(self._condition(depth))
        if False in results:
            return False
        return None if None in results else True

    def _condition(self, depth: int) -> bool | None:
        if depth >= MAX_DEPTH:
            raise _SyntaxError
        if self._take("!") or self._take_word("not"):
            result = self._condition(depth + 1)
            return None if result is None else not result
        if self._take("("):
            result = self.alternatives(depth + 1)
            self._expect(")")
            return result
        value = self._operand()
        if self._take_word("in"):
            return self._membership(value)
        for operator in _COMPARISONS:
            if self._take(operator):
                return _compare(value, operator, self._operand())
        return value if isinstance(value, bool) else None

    def _membership(self, value: Any) -> bool | None:
        self._expect("[")
        listed: list[Any] = []
        while not self._take("]"):
            if listed:
                self._expect(",")
            listed.append(self._operand())
        if value is _UNKNOWN or _UNKNOWN in listed:
            return None
        return any(_equal(value, item) for item in listed)

    def _operand(self) -> Any:
        """The value of a literal, a path or a function."""
        token = self._next()
        if token.kind == "text":
            return _ESCAPE.sub(r"\1", token.text[1:-1])
        if token.kind == "number":
            return float(token.text)
        if token.kind != "word":
            raise _SyntaxError
        if self._take("("):
            return self._function(token.text)
        if token.text in _LITERALS:
            return _LITERALS[token.text]
        return self._lookup(token.text)

    def _function(self, name: str) -> Any:
        arguments: list[Any] = []
        while not self._take(")"):
            if arguments:
                self._expect(",")
            arguments.append(self._operand())
        if len(arguments) != 2 or _UNKNOWN in arguments:
            return _UNKNOWN
        text, part = arguments
        if name == "contains":
            if isinstance(text, str) and isinstance(part, str):
                return part in text
            return any(_equal(item, part) for item in text) if isinstance(text, list) else False
        if name == "match" and isinstance(part, str):
            return _match_glob(text, part)
        return _UNKNOWN

    def _lookup(self, path: str) -> Any:
        """The value at a path; null where there is none, as Segment has it."""
        place: Any = self._payload
        for name in path.split("."):
            if not isinstance(place, Mapping) or name not in place:
                return None
            place = place[name]
        return place

    def _next(self) -> _Token:
        if self.at_end:
            raise _SyntaxError
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, operator: str) -> bool:
        found = not self.at_end and self._tokens[self._at] == _Token("operator", operator)
        self._at += found
        return found

    def _take_word(self, word: str) -> bool:
        found = (
            not self.at_end and self._tokens[self._at].kind == "word" and self._tokens[self._at].text.lower() == word
        )
        self._at += found
        return found

    def _expect(self, operator: str) -> None:
        if not self._take(operator):
            raise _SyntaxError


def _match_glob(text: Any, glob: str) -> Any:
    if not isinstance(text, str):
        return False
    if len(glob) > _MAX_GLOB_CHARS or glob.count("*") > _MAX_GLOB_STARS or "[" in glob or "\\" in glob:
        return _UNKNOWN
    return re.fullmatch(translate(glob), text) is not None


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)


def _compare(left: Any, operator: str, right: Any) -> bool | None:
    if left is _UNKNOWN or right is _UNKNOWN:
        return None
    if operator in ("=", "!="):
        return _equal(left, right) == (operator == "=")
    if not all(isinstance(side, int | float) and not isinstance(side, bool) for side in (left, right)):
        # how Segment orders texts is not documented
        return False if left is None or right is None else None
    ordered: dict[str, bool] = {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}
    return ordered[operator]
