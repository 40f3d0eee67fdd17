"""Query of a request to the Public API, in each notation that its SDKs write.

The documentation writes `groupBy.0=eventName` and `pagination.count=200`; the SDK for TypeScript writes
`groupBy[0]=eventName` and `pagination[count]=200`, the one for Go `filter[eventName].0=x`, the one for Python JSON
text (`pagination={"count":200}`). A list may also be written `groupBy[]=a&groupBy[]=b` or `groupBy=a&groupBy=b`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec

MAX_FIELDS = 1_000
MAX_DEPTH = 6
_PART = re.compile(r"[^.\[\]]+|\[\]")


def read_query(text: str) -> dict[str, Any]:
    """The query as an object: texts, lists of texts, and objects of them; ValueError if it is too large."""
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS):
        path = ["" if part == "[]" else part for part in _PART.findall(name)]
        if not path or len(path) > MAX_DEPTH:
            raise ValueError(f"{name[:40]!r} is not the name of a parameter")
        _insert(tree, path, _from_json(value))
    return {name: _simplify(value) for name, value in tree.items()}


def texts(value: object) -> list[str]:
    """A parameter's value as a list of texts; a missing one is empty."""
    if value is None:
        return []
    if isinstance(value, Mapping):
        return [text for one in value.values() for text in texts(one)]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [text for one in value for text in texts(one)]
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [str(value)]


def one_text(value: object) -> str:
    """A parameter's value as text: the last one if there are several; empty if it is missing."""
    found = texts(value)
    return found[-1] if found else ""


def _insert(tree: dict[str, Any], path: Sequence[str], value: object) -> None:
    for part in path[:-1]:
        below = tree.get(part)
        if not isinstance(below, dict):
            below = tree[part] = {}
        tree = below
    tree.setdefault(path[-1], _Repeated())
    if isinstance(tree[path[-1]], _Repeated):
        tree[path[-1]].append(value)


class _Repeated(list[Any]):
    """Values that were given under the same name."""


def _simplify(value: object) -> Any:
    if isinstance(value, _Repeated):
        return value[0] if len(value) == 1 else list(value)
    if isinstance(value, dict):
        if value and all(part == "" or part.isdigit() for part in value):
            parts = sorted(value.items(), key=lambda item: int(item[0] or 0))
            return [one for _, part in parts for one in (part if isinstance(part, _Repeated) else [_simplify(part)])]
        return {name: _simplify(part) for name, part in value.items()}
    return value


def _from_json(value: str) -> object:
    if value[:1] not in ("{", "["):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return value
