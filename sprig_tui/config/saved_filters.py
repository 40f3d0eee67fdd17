"""Saved filters: `[filters]` of the config, for `@name` in a filter."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sprig_tui.config.toml_file import MAX_SHOWN_KEY_CHARS, dotted_key
from sprig_tui.errors import ConfigError, FilterError

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


FILTER_NAME_HINT = "use lower-case letters, digits, dashes and underscores, at most 40 characters"


def is_filter_name(name: str) -> bool:
    """Whether `@name` can be written."""
    return _NAME.fullmatch(name) is not None


def check_saved_filters(file: str, table: Mapping[str, Any]) -> dict[str, str]:
    """The filters by name; raises ConfigError for a name that `@name` cannot have, and for what is no text."""
    for name, text in table.items():
        place = dotted_key("filters", name[:MAX_SHOWN_KEY_CHARS])
        if not is_filter_name(name):
            raise ConfigError(
                f"{file}: {place}: {name[:MAX_SHOWN_KEY_CHARS]!r} cannot name a filter", hint=FILTER_NAME_HINT
            )
        if not isinstance(text, str):
            raise ConfigError(f"{file}: {place} must be text", hint='write it as "status:failed since:2d"')
    return dict(table)


def saved_filter_problems(filters: Mapping[str, str], now_ms: int) -> Iterator[tuple[str, str]]:
    """(problem, hint) of each saved filter that cannot be used; the filter is reported again where it is used."""
    if not filters:
        return
    from sprig_tui.journal.filter import parse_filter

    for name in filters:
        try:
            parse_filter(f"@{name}", now_ms=now_ms, saved=filters)
        except FilterError as error:
            yield f"{dotted_key('filters', name)}: {error.message}", error.hint
