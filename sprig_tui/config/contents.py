"""Config contents: the key paths that a config sets, and which of them another one has lost.

Tables of the console alone (`[console]`, `[keys]`) are left out: nothing is sent otherwise for lack of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sprig_tui.config.document import dotted

Path = tuple[str, ...]
"""Parts of a key path, such as ("environments", "production", "webhook_token")."""

_COSMETIC = frozenset({"console", "keys"})
_LISTS = frozenset({("mapping", "hash"), ("mapping", "omit")})
"""Lists of which each item counts by itself."""


def contents_of(tables: Mapping[str, Any]) -> frozenset[Path]:
    """Every table and key that is set to something, and each item of mapping.hash and mapping.omit."""
    return frozenset(_paths({name: value for name, value in tables.items() if name not in _COSMETIC}, ()))


def _paths(value: Any, above: Path) -> Iterator[Path]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if inner == "":
                continue  # what a template makes of a variable that is not set
            yield (*above, name)
            yield from _paths(inner, (*above, name))
    elif isinstance(value, list) and above in _LISTS:
        yield from ((*above, item) for item in value if isinstance(item, str))


def lost_names(before: frozenset[Path], now: frozenset[Path]) -> tuple[str, ...]:
    """What is no longer set, as TOML names it; a table that went as a whole is named once."""
    lost = before - now
    return tuple(_name(path) for path in sorted(lost) if not any(path[:end] in lost for end in range(1, len(path))))


def _name(path: Path) -> str:
    if path[:-1] in _LISTS:
        return f"{dotted(*path[:-1])} {path[-1]}"
    return dotted(*path)
