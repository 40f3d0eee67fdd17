"""What a team's rules may say, checked before the first record is mapped."""

from __future__ import annotations

from collections.abc import Iterable

from sprig_tui.errors import ConfigError
from sprig_tui.mapping.properties import PROPERTY_PATHS
from sprig_tui.mapping.records import Rules

REQUIRED_FIELDS = ("userId", "event", "type", "context.integration", "timestamp", "messageId")
"""Fields that are always sent: Segment drops, or books wrongly, a call without them."""
SET_AT_SEND_FIELDS = ("sentAt", "receivedAt")
"""Fields that no mapping sets: the first is stamped on each attempt, the other is Segment's."""
OPEN_FIELDS = ("properties.response", "properties.attributes")
"""Fields of foreign JSON, into which a path may lead."""


def check_rules(rules: Rules) -> None:
    """Raise ConfigError when a rule cannot be kept, naming the rule, the path and the nearest valid one."""
    if not rules.event.strip():
        raise ConfigError("mapping.event is empty: every track call has an event name", hint="leave it out for Sprig's")
    if not rules.integration_name.strip() or not rules.integration_version.strip():
        raise ConfigError(
            "mapping.integration needs a name and a version: Segment requires context.integration",
            hint='such as { name = "sprig", version = "1.0.0" }',
        )
    _check_paths("omit", rules.omit)
    _check_paths("hash", rules.hash)
    if both := sorted(rules.omit & rules.hash):
        raise ConfigError(f"mapping: {both[0]} is to be omitted and hashed", hint="take it out of one of the two")
    for text in (rules.event, rules.integration_name, rules.integration_version, *(rules.integrations or ())):
        _check_text(text)


def subpaths(paths: Iterable[str], path: str) -> tuple[str, ...]:
    """What of these paths leads into the field, without the field's own path, in order."""
    return tuple(sorted(one.removeprefix(f"{path}.") for one in paths if one.startswith(f"{path}.")))


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ConfigError("mapping: a text in the rules is not valid Unicode", hint="type it anew") from error


def _check_paths(rule: str, paths: Iterable[str]) -> None:
    for path in sorted(paths):
        root = next((one for one in REQUIRED_FIELDS if one == path or one.startswith(f"{path}.")), None)
        if root is not None or path == "properties" or path.startswith("context."):
            raise ConfigError(
                f"mapping.{rule}: {path} is required and is sent as it is",
                hint=f"only properties can be named here, such as {PROPERTY_PATHS[-3]}",
            )
        if path in SET_AT_SEND_FIELDS:
            raise ConfigError(f"mapping.{rule}: {path} is not part of the mapping", hint="take it out of the list")
        inside = any(path.startswith(f"{one}.") and len(path) > len(one) + 1 for one in OPEN_FIELDS)
        if path not in PROPERTY_PATHS and not inside:
            raise ConfigError(f"mapping.{rule}: there is no field {path}", hint=_nearest_path(path))


def _nearest_path(path: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(
        path, (*PROPERTY_PATHS, *(one.removeprefix("properties.") for one in PROPERTY_PATHS)), n=1
    )
    if not close:
        return f"one of {', '.join(PROPERTY_PATHS)}, or a path into properties.attributes"
    return f"did you mean {close[0] if close[0] in PROPERTY_PATHS else f'properties.{close[0]}'}?"
