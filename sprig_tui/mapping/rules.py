"""Mapping rules of a team: their checks, and the fields they omit or hash."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Iterator
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import UNSET, Raw

from sprig_tui.errors import ConfigError
from sprig_tui.mapping.properties import PROPERTY_PATHS
from sprig_tui.mapping.records import Rules, Value

_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_LIST: Final = msgspec.json.Decoder(list[Raw])

Hash = Callable[[Value], Value]
"""Replaces a value by its hash."""

REQUIRED_FIELDS = ("userId", "event", "type", "context.integration", "timestamp", "messageId")
"""Fields that are always sent: Segment drops or misattributes a call without them."""
SET_AT_SEND_FIELDS = ("sentAt", "receivedAt")
"""Fields outside the mapping: `sentAt` is stamped on each attempt, `receivedAt` is set by Segment."""
OPEN_FIELDS = ("properties.response", "properties.attributes")
"""Fields that hold foreign JSON; rules may name paths inside them."""


def check_rules(rules: Rules) -> None:
    """Raise ConfigError for an invalid rule; it names the rule, the path and the nearest valid path."""
    if not rules.event.strip():
        raise ConfigError("mapping.event is empty: every track call has an event name", hint="leave it out for Sprig's")
    if not rules.integration_name.strip() or not rules.integration_version.strip():
        raise ConfigError(
            "mapping.integration needs a name and a version: Segment requires context.integration",
            hint='such as { name = "sprig", version = "1.0.0" }',
        )
    _check_paths("omit", rules.omit)
    _check_paths("hash", rules.hash)
    _check_paths("hmac", rules.hmac)
    if both := sorted(rules.omit & (rules.hash | rules.hmac)):
        raise ConfigError(f"mapping: {both[0]} is to be omitted and hashed", hint="take it out of one of the two")
    if both := sorted(rules.hash & rules.hmac):
        raise ConfigError(f"mapping: {both[0]} is in both hash and hmac", hint="take it out of one of the two")
    for text in (rules.event, rules.integration_name, rules.integration_version, *(rules.integrations or ())):
        _check_text(text)


def subpaths(paths: Iterable[str], path: str) -> tuple[str, ...]:
    """Those of the paths that lie inside the field, relative to it, sorted."""
    return tuple(sorted(inner.removeprefix(f"{path}.") for inner in paths if inner.startswith(f"{path}.")))


def hash_value(value: Value) -> Value:
    """Hex sha256 of the value's trimmed lower-case text; None and UNSET stay as they are.

    The text of any other JSON value is its compact JSON.
    """
    if value is None or value is UNSET:
        return value
    text = _normalized_bytes(value)
    return None if text is None else sha256(text).hexdigest()


def keyed_hash(rules: Rules) -> Hash:
    """The hash of `rules.hmac`: as `hash_value`, but HMAC-SHA256 with the key.

    Raises ConfigError where rules with `hmac` have no key: without it the values would be sent as they are.
    """
    if rules.hmac_key is None:
        if rules.hmac:
            raise ConfigError(
                f"mapping.hmac names {min(rules.hmac)}, and its key could not be read: nothing can be mapped",
                hint="set its variable, or SPRIG_TUI_HMAC_KEY; or see to hmac_key_command or hmac_key_keyring",
            )
        return hash_value
    key = rules.hmac_key.text.encode("utf-8", "surrogatepass")

    def hash_with_key(value: Value) -> Value:
        if value is None or value is UNSET:
            return value
        text = _normalized_bytes(value)
        return None if text is None else hmac.digest(key, text, "sha256").hex()

    return hash_with_key


def hashed_paths(rules: Rules, path: str) -> tuple[tuple[str, Hash], ...]:
    """The paths that are hashed inside the field, relative to it, each with its hash."""
    keyed = subpaths(rules.hmac, path)
    with_key = keyed_hash(rules) if keyed else hash_value
    plain = subpaths(rules.hash, path)
    return (*((inner, hash_value) for inner in plain), *((inner, with_key) for inner in keyed))


def apply_rules(raw: Raw, omit: Iterable[str], hashes: Iterable[tuple[str, Hash]]) -> Raw:
    """The JSON without the keys in `omit`, and with the values of the keys in `hashes` hashed.

    A dot leads into a nested object, or into each object of a list; it may also be part of a key. If both readings of
    a path match, the rule applies to both, so that it never misses a value. JSON without these keys is returned
    unchanged.
    """
    first = bytes(raw).lstrip()[:1]
    if first == b"{":
        members = _OBJECT.decode(raw)
        before = dict(members)
        for path in omit:
            members.pop(path, None)
            _apply_rule_inside(members, path, None)
        for path, hash_ in hashes:
            if path in members:
                members[path] = Raw(msgspec.json.encode(hash_(members[path])))
            _apply_rule_inside(members, path, hash_)
        return raw if members == before else Raw(msgspec.json.encode(members))
    if first == b"[":
        items = _LIST.decode(raw)
        changed = [apply_rules(item, omit, hashes) for item in items]
        return raw if changed == items else Raw(msgspec.json.encode(changed))
    return raw


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ConfigError("mapping: a text in the rules is not valid Unicode", hint="type it again") from error


def _check_paths(rule: str, paths: Iterable[str]) -> None:
    for path in sorted(paths):
        required = any(field == path or field.startswith(f"{path}.") for field in REQUIRED_FIELDS)
        if required or path == "properties" or path.startswith("context."):
            raise ConfigError(
                f"mapping.{rule}: {path} is required and is sent as it is",
                hint=f"only properties can be named here, such as {PROPERTY_PATHS[-3]}",
            )
        if path in SET_AT_SEND_FIELDS:
            raise ConfigError(f"mapping.{rule}: {path} is not part of the mapping", hint="take it out of the list")
        inside = any(path.startswith(f"{field}.") and len(path) > len(field) + 1 for field in OPEN_FIELDS)
        if path not in PROPERTY_PATHS and not inside:
            raise ConfigError(f"mapping.{rule}: there is no field {path}", hint=_nearest_path(path))


def _nearest_path(path: str) -> str:
    from difflib import get_close_matches

    names = (known.removeprefix("properties.") for known in PROPERTY_PATHS)
    close = get_close_matches(path, (*PROPERTY_PATHS, *names), n=1)
    if not close:
        return f"one of {', '.join(PROPERTY_PATHS)}, or a path into properties.attributes"
    return f"did you mean {close[0] if close[0] in PROPERTY_PATHS else f'properties.{close[0]}'}?"


def _normalized_bytes(value: Value) -> bytes | None:
    """The text that is hashed; None for null."""
    text = _decode_text(value) if isinstance(value, Raw) else str(value)
    return None if text is None else text.strip().lower().encode("utf-8", "replace")


def _decode_text(raw: Raw) -> str | None:
    text = bytes(raw).strip()
    if text == b"null":
        return None
    return msgspec.json.decode(text, type=str) if text[:1] == b'"' else text.decode()


def _split_path(path: str) -> Iterator[tuple[str, str]]:
    """The ways to read a dotted path as a key and the rest, longest key first."""
    parts = path.split(".")
    for count in range(len(parts) - 1, 0, -1):
        yield ".".join(parts[:count]), ".".join(parts[count:])


def _apply_rule_inside(members: dict[str, Raw], path: str, hash_: Hash | None) -> None:
    """Omit what the path leads to, or hash it."""
    for key, rest in _split_path(path):
        if key in members:
            omit, hashes = ((rest,), ()) if hash_ is None else ((), ((rest, hash_),))
            members[key] = apply_rules(members[key], omit, hashes)
