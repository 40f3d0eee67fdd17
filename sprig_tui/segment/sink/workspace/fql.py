"""Filter Query Language of Segment: the part of it that filters and mappings use most.

`type = "track" and (event = "Order" or contains(properties.plan, "pro")) and properties.age >= 18`. Known are `=`,
`!=`, `>`, `>=`, `<`, `<=`, `and`, `or`, `!`, parentheses, texts, numbers, true, false, null, and the functions
contains, match, lowercase, length and typeof. A backslash escapes a character of a field's name.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping
from typing import Any

from sprig_tui.segment.sink.workspace.errors import FqlError

MAX_TEXT_CHARS = 10_000
_MAX_DEPTH = 50
_TOKEN = re.compile(
    r"""\s*(?:
        (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<number>-?[0-9]+(?:\.[0-9]+)?)(?![\w.])
      | (?P<sign>!=|>=|<=|=|>|<|\(|\)|,|!)
      | (?P<name>(?:[\w$@-]|\\.)+(?:\.(?:[\w$@-]|\\.)+)*)
    )""",
    re.VERBOSE,
)
_LITERALS: dict[str, Any] = {"true": True, "false": False, "null": None}
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
}


def matches(condition: str, event: Mapping[str, Any]) -> bool:
    """Whether an event fulfils a condition; raises FqlError for one that cannot be read."""
    if condition.strip().lower() == "all":
        return True
    return bool(_Parser(condition, event).parse())


class _Parser:
    """Reads and evaluates a condition in one pass."""

    def __init__(self, condition: str, event: Mapping[str, Any]) -> None:
        if len(condition) > MAX_TEXT_CHARS:
            raise FqlError(f"a condition has at most {MAX_TEXT_CHARS:,} characters")
        self._tokens = list(_tokens(condition))
        self._index = 0
        self._event = event
        self._depth = 0

    def parse(self) -> Any:
        value = self._either()
        if self._index < len(self._tokens):
            raise FqlError(f"unexpected {self._tokens[self._index][1]!r}")
        return value

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._index] if self._index < len(self._tokens) else ("end", "")

    def _next(self) -> tuple[str, str]:
        token = self._peek()
        self._index += 1
        return token

    def _expect(self, sign: str) -> None:
        if self._next() != ("sign", sign):
            raise FqlError(f"expected {sign!r}")

    def _either(self) -> Any:
        value = self._both()
        while self._peek() == ("name", "or"):
            self._index += 1
            other = self._both()
            value = bool(value) or bool(other)
        return value

    def _both(self) -> Any:
        value = self._negated()
        while self._peek() == ("name", "and"):
            self._index += 1
            other = self._negated()
            value = bool(value) and bool(other)
        return value

    def _negated(self) -> Any:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise FqlError("the condition is nested too deeply")
        try:
            if self._peek() == ("sign", "!"):
                self._index += 1
                return not self._negated()
            if self._peek() == ("sign", "("):
                self._index += 1
                value = self._either()
                self._expect(")")
                return value
            return self._comparison()
        finally:
            self._depth -= 1

    def _comparison(self) -> Any:
        left = self._operand()
        kind, sign = self._peek()
        if kind != "sign" or sign not in _COMPARISONS:
            return left
        self._index += 1
        right = self._operand()
        try:
            return _COMPARISONS[sign](left, right)
        except TypeError:
            return False

    def _operand(self) -> Any:
        kind, text = self._next()
        if kind == "text":
            return re.sub(r"\\(.)", r"\1", text[1:-1])
        if kind == "number":
            return float(text)
        if kind != "name":
            raise FqlError(f"expected a field or a value, not {text!r}" if text else "the condition ends too early")
        if text in _LITERALS:
            return _LITERALS[text]
        if self._peek() == ("sign", "("):
            return self._call(text)
        return _field(self._event, text)

    def _call(self, name: str) -> Any:
        self._expect("(")
        given = [self._operand()]
        while self._peek() == ("sign", ","):
            self._index += 1
            given.append(self._operand())
        self._expect(")")
        if len(given) != (2 if name in ("contains", "match") else 1):
            raise FqlError(f"{name} has another number of arguments")
        return _apply(name, *given)


def _apply(name: str, value: Any, other: Any = None) -> Any:
    if name == "contains":
        return isinstance(value, (str, list)) and isinstance(other, str) and other in value
    if name == "match":
        return isinstance(value, str) and isinstance(other, str) and fnmatch.fnmatchcase(value, other)
    if name == "lowercase":
        return value.lower() if isinstance(value, str) else value
    if name == "length":
        return float(len(value)) if isinstance(value, (str, list)) else 0.0
    if name == "typeof":
        kinds = {str: "string", bool: "boolean", int: "number", float: "number", list: "array", dict: "object"}
        return kinds.get(type(value), "null")
    raise FqlError(f"there is no function {name!r}")


def _field(event: Mapping[str, Any], path: str) -> Any:
    value: Any = event
    for part in re.split(r"(?<!\\)\.", path):
        name = re.sub(r"\\(.)", r"\1", part)
        if not isinstance(value, Mapping) or name not in value:
            return None
        value = value[name]
    return value


def _tokens(condition: str) -> list[tuple[str, str]]:
    tokens, position, text = [], 0, condition.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise FqlError(f"cannot read {text[position : position + 20]!r}")
        position = match.end()
        tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
    if not tokens:
        raise FqlError("the condition is empty")
    return tokens
