"""JSON Schema of one rule of a tracking plan: compiled once, within bounds, and checked against payloads. Pure.

Segment checks with draft 07. The validator is jsonschema-rs: it is written in Rust, its regular expressions are linear
or have a limit of steps, and it names each violation by a kind and a path. What it does not limit is limited here,
before it sees the schema: size, depth, references that leave the schema or come back to themselves, and references to
references that would be followed exponentially often.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn
from urllib.parse import unquote

from msgspec import Struct

from sprig_tui.text import ELLIPSIS

if TYPE_CHECKING:
    import jsonschema_rs

MAX_SCHEMA_NODES = 20_000
"""Objects, lists and values of a schema with each reference followed; Segment's own interface stops far below."""
MAX_SCHEMA_DEPTH = 64
"""Levels of a schema, references included."""
MAX_PATTERNS = 500
"""Regular expressions of one schema."""
MAX_PATTERN_CHARS = 2_000
MAX_PAYLOAD_DEPTH = 128
MAX_STEPS = 5_000_000
"""Nodes of the schema times values of the payload: what a check may take at worst, about half a second."""
MAX_VIOLATIONS = 20
"""Violations that are listed of one payload."""
_BACKTRACK_LIMIT_STEPS = 20_000
_REGEX_BYTES = 1_000_000
"""Size of one compiled expression."""
_SHOWN_CHOICES = 8
_ADDED_BY_SEGMENT = frozenset({"sentAt", "receivedAt", "originalTimestamp", "writeKey", "projectId", "version"})
"""Fields of a call that are stamped when it is sent or on arrival: a payload here cannot have them yet."""


class SchemaProblem(StrEnum):
    """Why a schema, or a payload against it, cannot be checked here."""

    NOT_A_SCHEMA = "it is no JSON Schema of draft 07"
    TOO_LARGE = "it is too large"
    TOO_DEEP = "it is nested too deeply"
    RECURSIVE = "it refers to itself"
    FOREIGN_REFERENCE = "it refers to another document"
    TOO_MANY_PATTERNS = "it has too many regular expressions, or too long ones"
    PAYLOAD_TOO_LARGE = "the payload is too large, or nested too deeply, for it"
    PATTERN_LIMIT = "one of its regular expressions takes too long"
    NO_VALIDATOR = "the package jsonschema-rs is not installed"


class Violation(Struct, frozen=True):
    """One field that breaks the schema. The message has words of the schema, never a value of the payload."""

    path: str
    """Dotted path in the call, such as `properties.score`; empty for the whole call."""
    keyword: str
    """Of JSON Schema, such as `required`."""
    message: str


class CheckResult(NamedTuple):
    """Outcome of one check."""

    violations: tuple[Violation, ...] = ()
    problem: SchemaProblem | None = None
    """Set where the check could not be finished."""


class PlanSchema:
    """One schema; it is compiled at its first check. Never raises for its content or for a payload."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        self._validator: jsonschema_rs.Draft7Validator | None = None
        self._nodes = 0
        self._problem: SchemaProblem | None = None

    @property
    def problem(self) -> SchemaProblem | None:
        """Why the schema cannot be used; None if it can."""
        if self._validator is None and self._problem is None:
            self._compile()
        return self._problem

    def check(self, payload: Any) -> CheckResult:
        """The violations of a decoded track call, at most MAX_VIOLATIONS, in the order of their paths."""
        if self.problem is not None or self._validator is None:
            return CheckResult(problem=self.problem)
        values = _count_values(payload)
        if values is None or self._nodes * values > MAX_STEPS:
            return CheckResult(problem=SchemaProblem.PAYLOAD_TOO_LARGE)
        found: list[Violation] = []
        try:
            for error in self._validator.iter_errors(payload):
                if error.kind.name in ("backtrackLimitExceeded", "regexEngineFailure"):
                    return CheckResult(_ordered(found), SchemaProblem.PATTERN_LIMIT)
                found += _violations(error)
                if len(found) > MAX_VIOLATIONS:
                    break
        except (ValueError, TypeError, RecursionError):
            return CheckResult(_ordered(found), SchemaProblem.PAYLOAD_TOO_LARGE)
        return CheckResult(_ordered(found)[:MAX_VIOLATIONS])

    def _compile(self) -> None:
        bounds = _SchemaBounds(self._schema)
        self._problem = bounds.problem
        self._nodes = bounds.nodes
        if self._problem is not None:
            return
        try:
            import jsonschema_rs
        except ImportError:
            self._problem = SchemaProblem.NO_VALIDATOR
            return
        try:
            self._validator = jsonschema_rs.Draft7Validator(
                self._schema,
                validate_formats=True,
                retriever=_retrieve_nothing,
                pattern_options=jsonschema_rs.FancyRegexOptions(
                    backtrack_limit=_BACKTRACK_LIMIT_STEPS, size_limit=_REGEX_BYTES, dfa_size_limit=_REGEX_BYTES
                ),
            )
        except (ValueError, TypeError, RecursionError):
            self._problem = SchemaProblem.NOT_A_SCHEMA


def _retrieve_nothing(_: str) -> NoReturn:
    message = "schemas are read from nowhere else"
    raise ValueError(message)


class _SchemaError(Exception):
    def __init__(self, problem: SchemaProblem) -> None:
        super().__init__(problem)
        self.problem = problem


class _Extent(NamedTuple):
    """Nodes below a node, and its levels, with each reference followed."""

    nodes: int
    levels: int


class _SchemaBounds:
    """Extent of a schema. Every object with a `$ref` counts as a reference, wherever it stands: never too few."""

    def __init__(self, schema: Any) -> None:
        self._root = schema
        self._known: dict[int, _Extent | None] = {}
        """By identity of the node; None while it is being measured."""
        self._patterns = 0
        self._references = self._has_inner_ids = False
        self.problem: SchemaProblem | None = None
        self.nodes = 0
        if not isinstance(schema, dict | bool):
            self.problem = SchemaProblem.NOT_A_SCHEMA
            return
        try:
            self.nodes = self._measure(schema, 0).nodes
        except _SchemaError as error:
            self.problem = error.problem
            return
        if self._references and self._has_inner_ids:
            # an inner `$id` gives references another base than the document
            self.problem = SchemaProblem.FOREIGN_REFERENCE

    def _measure(self, node: Any, level: int) -> _Extent:
        if not isinstance(node, dict | list):
            return _Extent(1, 1)
        if id(node) in self._known:
            known = self._known[id(node)]
            if known is None:
                raise _SchemaError(SchemaProblem.RECURSIVE)
            if level + known.levels > MAX_SCHEMA_DEPTH:
                raise _SchemaError(SchemaProblem.TOO_DEEP)
            return known
        if level >= MAX_SCHEMA_DEPTH:
            raise _SchemaError(SchemaProblem.TOO_DEEP)
        self._known[id(node)] = None
        if isinstance(node, dict):
            self._inspect(node)
            parts = [*node.values(), *self._referred(node)]
        else:
            parts = node
        nodes, levels = 1, 1
        for part in parts:
            extent = self._measure(part, level + 1)
            nodes += extent.nodes
            levels = max(levels, extent.levels + 1)
            if nodes > MAX_SCHEMA_NODES:
                raise _SchemaError(SchemaProblem.TOO_LARGE)
        measured = self._known[id(node)] = _Extent(nodes, levels)
        return measured

    def _inspect(self, node: dict[str, Any]) -> None:
        if node is not self._root and isinstance(node.get("$id"), str):
            self._has_inner_ids = True
        patterns = [node.get("pattern")]
        if isinstance(listed := node.get("patternProperties"), dict):
            patterns += listed
        for pattern in patterns:
            if isinstance(pattern, str):
                self._patterns += 1
                if self._patterns > MAX_PATTERNS or len(pattern) > MAX_PATTERN_CHARS:
                    raise _SchemaError(SchemaProblem.TOO_MANY_PATTERNS)

    def _referred(self, node: dict[str, Any]) -> list[Any]:
        """The node that a `$ref` names."""
        reference = node.get("$ref")
        if not isinstance(reference, str):
            return []
        self._references = True
        if reference == "#":
            return [self._root]
        if not reference.startswith("#/"):
            raise _SchemaError(SchemaProblem.FOREIGN_REFERENCE)
        place: Any = self._root
        for step in unquote(reference[2:]).split("/"):
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(place, dict) and name in place:
                place = place[name]
            elif isinstance(place, list) and name.isascii() and name.isdigit() and int(name[:6]) < len(place):
                place = place[int(name[:6])]
            else:
                raise _SchemaError(SchemaProblem.NOT_A_SCHEMA)
        return [place]


def _count_values(payload: Any) -> int | None:
    """The values of a payload; None if it is nested too deeply."""
    count, level = 0, [payload]
    for _ in range(MAX_PAYLOAD_DEPTH):
        count += len(level)
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                below += value.values()
            elif isinstance(value, list):
                below += value
        if not below:
            return count
        level = below
    return None


def _ordered(found: list[Violation]) -> tuple[Violation, ...]:
    return tuple(sorted(dict.fromkeys(found), key=lambda violation: violation.path))


def _violations(error: Any) -> list[Violation]:
    """The violations that one error of the validator means: one for each property where it names several."""
    path = ".".join(map(str, error.instance_path))
    kind = error.kind
    if kind.name == "required":
        if not path and kind.property in _ADDED_BY_SEGMENT:
            return []
        return [Violation(_joined(path, kind.property), kind.name, "missing; the plan requires it")]
    if kind.name == "additionalProperties":
        return [Violation(_joined(path, name), kind.name, "the plan does not have it") for name in kind.unexpected]
    return [Violation(path, kind.name, _message(kind))]


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


_ARTICLES = {"integer": "an integer", "object": "an object", "array": "an array", "null": "null"}


def _message(kind: Any) -> str:
    """The sentence of one kind of violation, with the words of the schema."""
    name: str = kind.name
    if name == "type":
        return f"not {_listed([_ARTICLES.get(found, f'a {found}') for found in kind.types])}"
    if name == "enum":
        return f"not one of {_listed(kind.options, 'or')}"
    if name in _LIMITS:
        return _LIMITS[name].format(_shown(kind.value))
    return _SENTENCES.get(name, f"breaks the plan's rule {name}")


_LIMITS = {
    "const": "not {}",
    "format": "not of the format {}",
    "pattern": "does not match {}",
    "minimum": "less than {}",
    "maximum": "more than {}",
    "exclusiveMinimum": "not more than {}",
    "exclusiveMaximum": "not less than {}",
    "multipleOf": "no multiple of {}",
    "minLength": "shorter than {} characters",
    "maxLength": "longer than {} characters",
    "minItems": "fewer than {} items",
    "maxItems": "more than {} items",
    "minProperties": "fewer than {} properties",
    "maxProperties": "more than {} properties",
}
_SENTENCES = {
    "anyOf": "matches none of the plan's alternatives",
    "oneOfNotValid": "matches none of the plan's alternatives",
    "oneOfMultipleValid": "matches several of the plan's alternatives, and only one is allowed",
    "not": "matches what the plan forbids",
    "falseSchema": "the plan forbids it",
    "uniqueItems": "has an item twice",
    "contains": "has none of the items that the plan requires",
    "propertyNames": "has a property whose name the plan forbids",
}


def _listed(values: list[Any], word: str = "or") -> str:
    texts = [_shown(value) if not isinstance(value, str) else value for value in values[:_SHOWN_CHOICES]]
    if len(values) > _SHOWN_CHOICES:
        return f"{', '.join(texts)}, {ELLIPSIS}"
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} {word} {texts[-1]}"


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else f"{text[:79]}{ELLIPSIS}"
