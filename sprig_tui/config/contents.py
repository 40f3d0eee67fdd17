"""Config contents: the key paths that a config sets, and those that a newer config has lost.

The tables of people (`[console]`, `[keys]`, `[filters]`) are left out: they do not change what is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sprig_tui.config.toml_file import dotted_key

MAX_NAMED_KEYS = 12
"""Lost keys that one message names."""
KeyPath = tuple[str, ...]
"""Parts of a key path, such as ("environments", "production", "webhook_token")."""

_PERSONAL_TABLES = frozenset({"console", "keys", "filters"})
_ITEMIZED_LISTS = frozenset({("mapping", "hash"), ("mapping", "hmac"), ("mapping", "omit")})
"""Lists whose items count as keys."""


def key_paths(tables: Mapping[str, Any]) -> frozenset[KeyPath]:
    """Every table and key with a value, and each item of mapping.hash, mapping.hmac and mapping.omit."""
    return frozenset(
        _walk_key_paths({name: value for name, value in tables.items() if name not in _PERSONAL_TABLES}, ())
    )


def _walk_key_paths(value: Any, prefix: KeyPath) -> Iterator[KeyPath]:
    if isinstance(value, dict):
        for name, inner in value.items():
            if inner == "":
                continue  # a template writes this for a variable that is not set
            yield (*prefix, name)
            yield from _walk_key_paths(inner, (*prefix, name))
    elif isinstance(value, list) and prefix in _ITEMIZED_LISTS:
        yield from ((*prefix, item) for item in value if isinstance(item, str))


def removed_keys(before: frozenset[KeyPath], now: frozenset[KeyPath]) -> tuple[str, ...]:
    """The keys that are no longer set, in TOML notation; a table that is missing completely is named once."""
    lost = before - now
    return tuple(
        _format_key_path(path) for path in sorted(lost) if not any(path[:end] in lost for end in range(1, len(path)))
    )


def _format_key_path(path: KeyPath) -> str:
    if path[:-1] in _ITEMIZED_LISTS:
        return f"{dotted_key(*path[:-1])} {path[-1]}"
    return dotted_key(*path)


def join_names(names: tuple[str, ...]) -> str:
    """Names in one line, at most MAX_NAMED_KEYS of them."""
    more = f" and {len(names) - MAX_NAMED_KEYS} more" if len(names) > MAX_NAMED_KEYS else ""
    return ", ".join(names[:MAX_NAMED_KEYS]) + more
